package ledgertest

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docket-ledger/docket/verify/record"
)

// Each text of a hostile record begins and ends with these words, so that a test
// can tell where it stands, and whether it stands apart.
const (
	HostileStart = "zqstart"
	HostileEnd   = "zqend"
)

// attacks are what a text may try: to run, to break out of its place, to load
// something, to turn the direction of its neighbours, to hide, or to be too large.
// What runs sets the global hacked, what loads asks evil.example.
var attacks = []string{
	`<script>window.hacked=1</script><script src=https://evil.example/x.js></script>`,
	`<img src=https://evil.example/x.png onerror=window.hacked=1><svg/onload=window.hacked=1>`,
	`"><b onmouseover="window.hacked=1" autofocus tabindex=1 onfocus="window.hacked=1" id="main">`,
	`' onclick='window.hacked=1' style='background:url(https://evil.example/y)`,
	"`${window.hacked=1}` {{.}} {{template \"layout.html\"}} <%= 1 %>",
	`</title></style></textarea></script></bdi></p></main><script>window.hacked=1</script>`,
	`<!-- --><base href=https://evil.example/><meta http-equiv=refresh content=0;url=https://evil.example/>`,
	`<iframe srcdoc="<script>parent.hacked=1</script>"></iframe><form action=https://evil.example><button>x`,
	`javascript:window.hacked=1//`,
	`[x](javascript:window.hacked=1) https://evil.example/?<b>&"quot`,
	`]]><x xmlns="http://www.w3.org/1999/xhtml"><script>window.hacked=1</script></x><![CDATA[`,
	"&lt;script&gt;window.hacked=1&lt;/script&gt; &#x3c;b&#x3e; %3Cscript%3E \\u003cscript\\u003e",
	"right to left: \u202egnp.exe\u202c, never closed: \u202e\u202d\u2066\u2067\u2068\u202a\u202b",
	"\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd (1) 2 [3] \u0645\u0631\u062d\u0628\u0627 !",
	"hidden: a\u200bb\u200cc\u200dd\u2060e\ufefff\u00adg\u200eh\u200fi\u061cj\u180ek\u3164l\U000e0041\U000e0042m",
	"control: \x01\x07\x08\x0b\x1b[31m\x1b]0;x\x07\x7f\u0085\u009b31m\u2028\u2029\t\r\n\n\nend",
	"combining: " + strings.Repeat("Z\u0300\u0301\u0302\u0310\u0321\u0330\u0346\u035b\u0489", 12),
	"emoji: \U0001f469\u200d\U0001f469\u200d\U0001f467 \U0001f3f3\ufe0f\u200d\U0001f308 \U0001f1e6\U0001f1f9 \U0001f44d\U0001f3ff",
	strings.Repeat("long", 50) + " https://example.org/" + strings.Repeat("a/b?c=", 30),
}

// hostileText returns a text with one attack, or with all of them.
func hostileText(n int) string {
	body := strings.Join(attacks, " \n ")
	if n >= 0 {
		body = attacks[n%len(attacks)]
	}
	return HostileStart + " " + body + " " + HostileEnd
}

// freeTexts are the members that hold any text, by the names of their fields.
var freeTexts = []string{"Authority", "CategorySpecificationOther", "Contact", "ContentTypeOther", "DecisionMonetaryOther",
	"DecisionVisibilityOther", "Detail", "DistinguishingReason", "Facts", "IncompatibleContentExplained", "IncompatibleContentGround",
	"Is", "LegalReference", "Locator", "Name", "Operator", "Reasons", "Redress", "Reference", "Reporter", "Source", "Statement",
	"Summary", "Text", "Title", "Was", "What", "Why", "WhyNot"}

// long are those of them that hold all attacks at once.
var long = []string{"Facts", "Name", "Operator", "Reasons", "Statement", "Text", "Title"}

// A spoiler fills texts with attacks: one in its turn, or all of them where there
// is room.
type spoiler struct{ n int }

// spoil fills every free text of a payload, and gives a decision the texts for
// the Digital Services Act.
func (s *spoiler) spoil(p record.Payload) {
	if d, ok := p.(*record.Decision); ok {
		d.DSA = &record.DSA{Category: "STATEMENT_CATEGORY_SCAMS_AND_FRAUD", CategorySpecification: []string{"KEYWORD_OTHER"},
			ContentDate: "2026-10-30", ContentType: []string{"CONTENT_TYPE_OTHER"}, DecisionGround: "DECISION_GROUND_INCOMPATIBLE_CONTENT",
			DecisionGroundReferenceURL: `https://evil.example/"><script>window.hacked=1</script>`,
			DecisionMonetary:           "DECISION_MONETARY_OTHER", DecisionVisibility: []string{"DECISION_VISIBILITY_OTHER"}}
	}
	s.fill(reflect.ValueOf(p).Elem(), true)
	if n, ok := p.(*record.Notice); ok && n.Kind == record.Proposed {
		n.Redress = "" // it does not stand there
	}
}

// fill spoils what is in v. room says that there is room for all attacks at once.
func (s *spoiler) fill(v reflect.Value, room bool) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			s.fill(v.Elem(), room)
		}
	case reflect.Slice:
		for i := range v.Len() {
			s.fill(v.Index(i), room)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			switch f, field := v.Field(i), v.Type().Field(i); {
			case f.Kind() == reflect.String && slices.Contains(freeTexts, field.Name):
				f.SetString(s.next(room && slices.Contains(long, field.Name)))
			case field.IsExported():
				s.fill(f, room && field.Name != "DSA") // its texts have at most 500 characters
			}
		}
	}
}

func (s *spoiler) next(all bool) string {
	if all {
		return hostileText(-1)
	}
	s.n++
	return hostileText(s.n)
}

// NewHostile returns a World with a record of every type, in which every free text
// is hostile. Its last records have names as long as they may be, and words that
// fill a record.
func NewHostile(tb testing.TB) *World {
	tb.Helper()
	w := begin(tb, false, nil, (&spoiler{}).spoil)
	w.EveryType(hostileText(-1))
	w.longNames()
	w.spoil = nil
	w.longWords()
	return w
}

// longNames logs a decision in which each name has all the 64 letters that it may.
func (w *World) longNames() {
	w.TB.Helper()
	name := func(s string) string { return s + strings.Repeat("w", 64-len(s)) }
	w.Submit(w.Sign(&record.KeyEnrol{Holder: name("zoe"), JWK: JWK("zoe"), Roles: []record.Role{record.RoleDecider}}, "ada", "ben", "zoe"))
	p := Abuse()
	p.Policy, p.Clauses[1].Clause = name("policy-"), name("clause-")
	id := w.Submit(w.Sign(p, "ada", "cleo")).ID
	w.Advance(time.Minute)
	w.Timemark("w1", "w2") // from which on it is in force
	d := w.Decision(name("case-"))
	d.Grounds = []record.Ground{{Policy: p.Policy, Version: 1, Clause: p.Clauses[1].Clause, Record: id}}
	w.Submit(w.Sign(d, "zoe"))
}

// longWords logs a policy and a decision with a word that fills a record.
func (w *World) longWords() {
	w.TB.Helper()
	const letters = 45_000
	p := Abuse()
	p.Policy, p.Clauses[0].Text = "huge", strings.Repeat("W", letters)
	id := w.Submit(w.Sign(p, "ada", "cleo")).ID
	w.Advance(time.Minute)
	w.Timemark("w1", "w2") // from which on it is in force
	d := w.Decision("huge")
	d.Grounds = []record.Ground{{Policy: "huge", Version: 1, Clause: "hosting", Record: id}}
	d.Facts, d.Subject.Name = strings.Repeat("W", letters), strings.Repeat("n", 1000)
	w.Submit(w.Sign(d, "dora", "erik"))
}
