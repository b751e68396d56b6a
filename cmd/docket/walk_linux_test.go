package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/cmd/internal/keyfile"
	"github.com/docket-ledger/docket/verify/record"
)

const walkPolicy = `
policy: abuse
version: 2
title: Abuse policy
lang: de
effective_from: 2026-01-01T00:00:00Z
clauses:
  - clause: hosting
    title: What we host
    text: Illegal content may be suspended.
    permits: [{actions: [suspend, restrict], service_layers: [hosting]}]
    quorum: {role: decider, count: 2}
    quorums:
      - {severities: [critical], signers: [{role: decider, count: 3}]}
    max_duration: 72
    review_within: 48
    orders: {must_carry: [authority, legal_reference, intake]}
    emergency:
      harms: [threat-to-life]
      quorum: {role: decider, count: 1}
      ratifiers: {role: ratifier, count: 2}
      ratify_within: 72
  - clause: dns
    title: Names
    text: Names may be suspended.
    permits: [{actions: [suspend, reinstate], service_layers: [dns]}]
    quorum: {role: decider, count: 2}
`

// A walkWorld is a ledger with a policy and a case, and the files of somebody
// who decides.
type walkWorld struct {
	dir, url   string
	policy     *record.Unverified
	subjectKey string
	intake     record.ID
}

func (w walkWorld) file(name string) string { return filepath.Join(w.dir, name) }

func newWalkWorld(t *testing.T) walkWorld {
	t.Helper()
	for _, name := range []string{"VISUAL", "EDITOR"} {
		t.Setenv(name, "")
	}
	w := walkWorld{dir: t.TempDir(), intake: record.IDOf([]byte("an intake"))}
	s, err := parseSheet("policy.yaml", []byte(walkPolicy))
	if err != nil {
		t.Fatal(err)
	}
	p := &record.PolicyPublish{}
	if err := s.payload(p, record.TypePolicyPublish, origin); err != nil {
		t.Fatal(err)
	}
	u, err := record.NewDraft(p)
	if err != nil {
		t.Fatal(err)
	}
	key, err := keyfile.New(keyfile.EdDSA)
	if err != nil {
		t.Fatal(err)
	}
	if w.policy, err = u.Sign(key, now.Unix(), 1, record.Seen{Size: 1, Root: strings.Repeat("A", 43)}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(w.file("policy.json"), w.policy.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	w.subjectKey = w.file("subject.key")
	subject, err := keyfile.NewSubjectKey(w.subjectKey)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := subject.Ref("domain", "known.example")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		switch r.URL.Path {
		case "/v1/log":
			fmt.Fprintf(rw, `{"origin":%q}`, origin)
		case "/v1/policies":
			if r.URL.Query().Get("cursor") == "" {
				fmt.Fprint(rw, `{"policies":[{"policy":"aged","versions":[{"version":1,"record":"d-x"}]}],"next":"aged"}`)
				return
			}
			fmt.Fprintf(rw, `{"policies":[{"policy":"abuse","in_force":2,"versions":[{"version":1,"record":"d-x"},{"version":2,"record":%q}]}]}`, w.policy.ID())
		case "/v1/records/" + string(w.policy.ID()):
			fmt.Fprintf(rw, `{"record":%s}`, w.policy.Bytes())
		case "/v1/cases/known-case":
			fmt.Fprintf(rw, `{"case":"known-case","subject":%q,"tip":%q,"records":[{"id":%q,"type":"intake","standing":"effective"}]}`, ref, w.intake, w.intake)
		default:
			rw.Header().Set("Content-Type", "application/problem+json")
			rw.WriteHeader(http.StatusNotFound)
			fmt.Fprint(rw, `{"status":404,"code":"not_found"}`)
		}
	}))
	t.Cleanup(server.Close)
	w.url = server.URL
	return w
}

var promptPattern = regexp.MustCompile(`^(\S+)( \[.*\])?> $|^(Write) this draft to .*\? \[y/N\] $`)

// A typist answers questions at a terminal as they are asked.
type typist struct {
	answers map[string][]string // by member, in turn
	at      *os.File
	// stop is called at the question with this index, and if there is no
	// answer.
	stopAt int
	stop   func()

	mu    sync.Mutex
	said  bytes.Buffer
	asked []string
}

func (p *typist) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.said.Write(b)
	last := p.said.Bytes()[bytes.LastIndexByte(p.said.Bytes(), '\n')+1:]
	m := promptPattern.FindSubmatch(last)
	if m == nil || len(b) == 0 {
		return len(b), nil
	}
	member := string(m[1]) + string(m[3])
	p.asked = append(p.asked, member)
	if len(p.asked)-1 == p.stopAt || len(p.answers[member]) == 0 {
		p.stop()
		return len(b), nil
	}
	answer := p.answers[member][0]
	p.answers[member] = p.answers[member][1:]
	_, err := io.WriteString(p.at, answer)
	return len(b), err
}

// walkThrough runs docket decide at a new terminal, where these answers are typed
// until the question with the index stopAt; there Ctrl-C is.
func walkThrough(t *testing.T, args string, answers map[string][]string, stopAt int) (p *typist, code int, said string) {
	t.Helper()
	program, end := openTerminal(t)
	go io.Copy(io.Discard, end) // what the terminal echoes
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	p = &typist{answers: map[string][]string{}, at: end, stopAt: stopAt, stop: cancel}
	for member, typed := range answers {
		for _, a := range typed {
			p.answers[member] = append(p.answers[member], a+"\n")
		}
	}
	err := run(ctx, append([]string{"decide"}, strings.Fields(args)...), cli.Streams{In: program, Out: p, Err: p})
	if !echoes(t, program) {
		t.Errorf("%s: what is typed is not shown any more", args)
	}
	return p, cli.Code(err), p.said.String() + fmt.Sprint(err)
}

// whole are the answers of a decision by court order under clause hosting.
func whole(w walkWorld) map[string][]string {
	return map[string][]string{
		"case": {"known-case"}, "prev": {""}, "service_layer": {"1"}, "action": {"suspend"}, "grounds": {"1"},
		"subject/name": {"known.example"}, "subject/type": {""}, "severity": {"high"},
		"trigger/kind": {"court_order"}, "trigger/authority": {"A court"}, "trigger/legal_reference": {"1 A 17/26"}, "trigger/intake": {""},
		"automation/detection": {""}, "automation/decision": {""}, "decided_at": {"2026-11-23T08:00:00Z"}, "effective_at": {"2026-11-23T09:00:00Z"},
		"until": {"+3d"}, "review_at": {"+48h"}, "emergency/harm": {""}, "redress": {"Complaints by post."}, "lang": {""},
		"facts": {"The court found it.\n\n  Twice: so.\n."}, "reasons": {"It ordered so.\n."},
		"dsa/category": {"13"}, "dsa/content_type": {"6, CONTENT_TYPE_OTHER"}, "dsa/content_type_other": {"A shop"}, "dsa/content_date": {"2026-11-01"},
		"dsa/decision_ground": {"1"}, "dsa/illegal_content_legal_ground": {"A law"}, "dsa/illegal_content_explanation": {"It sold nothing."},
		"dsa/decision_visibility": {"2"}, "dsa/decision_provision": {"2"}, "dsa/decision_account": {"1"}, "Write": {"y"},
	}
}

func readWalked(t *testing.T, draft string) *record.Decision {
	t.Helper()
	u, err := readDraft(draft)
	if err != nil {
		t.Fatal(err)
	}
	d, ok := u.Payload().(*record.Decision)
	if !ok {
		t.Fatalf("%s is a %s", draft, u.Payload().Head().Type)
	}
	return d
}

// TestWalk goes from the first question to the draft.
func TestWalk(t *testing.T) {
	w := newWalkWorld(t)
	out := w.file("d.draft")
	p, code, said := walkThrough(t, "--from "+w.url+" --subject-key "+w.subjectKey+" --out "+out, whole(w), -1)
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, said)
	}
	for _, want := range []string{"1  abuse, version 2, clause hosting: What we host", "Illegal content may be suspended.", "Who must sign depends on it.",
		"Under clause hosting the measure ends within 72 hours: by 2026-11-26T09:00:00Z at the latest.",
		"Under clause hosting it is looked at again within 48 hours: by 2026-11-25T09:00:00Z at the latest.",
		"decides          suspend, on the service layer hosting", "This text can never be removed from the log", "for the EU's DSA Transparency Database", "content_type: CONTENT_TYPE_TEXT CONTENT_TYPE_OTHER", "wrote " + out} {
		if !strings.Contains(said, want) {
			t.Errorf("it never says %q:\n%s", want, said)
		}
	}
	if slices.Contains(p.asked, "subject/ref") || slices.Contains(p.asked, "ledger") {
		t.Errorf("asked for what is known: %q", p.asked)
	}
	d := readWalked(t, out)
	got, err := json.Marshal(d, json.Deterministic(true))
	if err != nil {
		t.Fatal(err)
	}
	subject, err := keyfile.ReadSubjectKey(w.subjectKey)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := subject.Ref("domain", "known.example")
	if err != nil {
		t.Fatal(err)
	}
	want := &record.Decision{Common: d.Common, Action: "suspend", Case: "known-case", Prev: w.intake, ServiceLayer: "hosting",
		Grounds: []record.Ground{{Clause: "hosting", Policy: "abuse", Version: 2, Record: w.policy.ID()}},
		Subject: record.Subject{Type: "domain", Name: "known.example", Ref: ref}, Severity: "high",
		Trigger:    record.Trigger{Kind: "court_order", Authority: "A court", LegalReference: "1 A 17/26", Intake: w.intake},
		Automation: record.Automation{Decision: "none", Detection: "manual"},
		DecidedAt:  record.Time(now.Unix()), EffectiveAt: record.Time(now.Unix() + 3600), Until: record.Time(now.Unix() + 73*3600), ReviewAt: record.Time(now.Unix() + 49*3600),
		Redress: "Complaints by post.", Lang: "de", Facts: "The court found it.\n\n  Twice: so.", Reasons: "It ordered so.",
		DSA: &record.DSA{Category: "STATEMENT_CATEGORY_SCAMS_AND_FRAUD", ContentType: []string{"CONTENT_TYPE_TEXT", "CONTENT_TYPE_OTHER"}, ContentTypeOther: "A shop",
			ContentDate: "2026-11-01", DecisionGround: dsaIllegal, IllegalContentLegalGround: "A law", IllegalContentExplanation: "It sold nothing.",
			DecisionVisibility: []string{"DECISION_VISIBILITY_CONTENT_DISABLED"}, DecisionProvision: "DECISION_PROVISION_TOTAL_SUSPENSION", DecisionAccount: "DECISION_ACCOUNT_SUSPENDED"}}
	wanted, err := json.Marshal(want, json.Deterministic(true))
	if err != nil {
		t.Fatal(err)
	}
	if d.Ledger != origin || !bytes.Equal(got, wanted) {
		t.Errorf("the draft states\n%s\nwant\n%s", got, wanted)
	}
	if _, err := os.Stat(out + answersEnding); err == nil {
		t.Error("answers were kept beside the draft")
	}
}

// TestWalkDSA: what the EU's database needs is asked for where there is to be a statement
// of reasons, a restriction of hosting, and only if it is wanted.
func TestWalkDSA(t *testing.T) {
	w := newWalkWorld(t)
	args := "--from " + w.url + " --subject-key " + w.subjectKey + " --out "
	terms := whole(w)
	for member, typed := range map[string][]string{
		"dsa/content_type": {",", "9", "1 1", "CONTENT_TYPE_TXT", "CONTENT_TYPE_TEXT"}, "dsa/content_date": {"yesterday", "2026-11-01"}, "dsa/decision_ground": {"2"},
		"dsa/incompatible_content_ground": {""}, "dsa/incompatible_content_explanation": {"It sold nothing."}, "dsa/incompatible_content_illegal": {"Yes"},
		"dsa/decision_visibility": {""}, "dsa/decision_provision": {""}, "dsa/decision_account": {"", "2"},
	} {
		terms[member] = typed
	}
	_, code, said := walkThrough(t, args+w.file("terms.draft"), terms, -1)
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, said)
	}
	want := record.DSA{Category: "STATEMENT_CATEGORY_SCAMS_AND_FRAUD", ContentType: []string{"CONTENT_TYPE_TEXT"}, ContentDate: "2026-11-01", DecisionGround: dsaIncompatible,
		IncompatibleContentGround: "abuse, version 2, clause hosting", IncompatibleContentExplained: "It sold nothing.", IncompatibleContentIllegal: "Yes", DecisionAccount: "DECISION_ACCOUNT_TERMINATED"}
	if got := readWalked(t, w.file("terms.draft")).DSA; got == nil || !reflect.DeepEqual(*got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for _, wants := range []string{"none is named", "is named twice", "did you mean \"CONTENT_TYPE_TEXT\"", "dsa/decision_account can't be left out here"} {
		if !strings.Contains(said, wants) {
			t.Errorf("it never says %q:\n%s", wants, said)
		}
	}
	not := whole(w)
	not["dsa/category"] = []string{""}
	p, code, said := walkThrough(t, args+w.file("not.draft"), not, -1)
	if d := readWalked(t, w.file("not.draft")); code != 0 || d.DSA != nil || slices.Contains(p.asked, "dsa/content_type") {
		t.Errorf("not wanted: exit code %d, %+v: %s", code, d.DSA, said)
	}
	names := whole(w)
	names["service_layer"], names["case"] = []string{"dns"}, []string{"of-names"}
	if p, code, said := walkThrough(t, args+w.file("dns.draft"), names, -1); code != 0 || slices.Contains(p.asked, "dsa/category") {
		t.Errorf("of a name: exit code %d, asked %q: %s", code, p.asked, said)
	}
}

// TestWalkInterrupted presses Ctrl-C at each question, and goes on from there.
func TestWalkInterrupted(t *testing.T) {
	w := newWalkWorld(t)
	args := "--from " + w.url + " --subject-key " + w.subjectKey + " --out "
	full, code, said := walkThrough(t, args+w.file("whole.draft"), whole(w), -1)
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, said)
	}
	want, err := os.ReadFile(w.file("whole.draft"))
	if err != nil {
		t.Fatal(err)
	}
	if len(full.asked) < 20 {
		t.Fatalf("only %d questions: %q", len(full.asked), full.asked)
	}
	for i, member := range full.asked {
		out := w.file(fmt.Sprintf("%d.draft", i))
		p, code, said := walkThrough(t, args+out, whole(w), i)
		if code != 3 || p.asked[len(p.asked)-1] != member {
			t.Errorf("at %s: exit code %d, asked %q; want 3", member, code, p.asked)
		}
		if _, err := os.Stat(out); err == nil {
			t.Errorf("at %s: there is a draft", member)
		}
		info, err := os.Stat(out + answersEnding)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Fatalf("at %s: %v, mode %v; want 0600", member, err, info)
		}
		again := "--subject-key " + w.subjectKey + " --out " + out
		if member == "Write" {
			again = out + answersEnding + " " + again
		} else {
			again = "--continue " + out + answersEnding + " --from " + w.url + " " + again
		}
		if !strings.Contains(said, "docket decide "+strings.Fields(again)[0]) {
			t.Errorf("at %s: does not say how to go on:\n%s", member, said)
		}
		p, code, said = walkThrough(t, again, whole(w), -1)
		if code != 0 {
			t.Fatalf("after %s: exit code %d: %s", member, code, said)
		}
		if len(p.asked) > 0 && member != "Write" && !slices.Contains(p.asked, member) {
			t.Errorf("after %s: asked %q", member, p.asked)
		}
		for _, asked := range full.asked[:i] {
			if asked != "emergency/harm" && slices.Contains(p.asked, asked) {
				t.Errorf("after %s: asked for %s again", member, asked)
			}
		}
		if got, err := os.ReadFile(out); err != nil || !bytes.Equal(got, want) {
			t.Errorf("after %s: another draft (%v):\n%s\nwant\n%s", member, err, got, want)
		}
	}
}

// TestWalkEnds: the end of the input, a no, and no text end a walk as Ctrl-C does,
// but it is known how.
func TestWalkEnds(t *testing.T) {
	w := newWalkWorld(t)
	for name, c := range map[string]struct{ member, answer, want string }{
		"end of input": {"action", "\x04", "the input ended"},
		"a no":         {"Write", "n", "you did not want it"},
		"Enter":        {"Write", "", "you did not want it"},
		"no facts":     {"facts", ".", "nothing was written for facts: cancelled"},
		"spaces only":  {"reasons", "  \n\t\n.", "nothing was written for reasons: cancelled"},
	} {
		out := w.file(strings.ReplaceAll(name, " ", "-") + ".draft")
		answers := whole(w)
		answers[c.member] = []string{c.answer}
		_, code, said := walkThrough(t, "--from "+w.url+" --subject-key "+w.subjectKey+" --out "+out, answers, -1)
		if code != 1 || !strings.Contains(said, c.want) || !strings.Contains(said, "no draft was written") {
			t.Errorf("%s: exit code %d: %s; want 1 and %q", name, code, said, c.want)
		}
		if _, err := os.Stat(out); err == nil {
			t.Errorf("%s: there is a draft", name)
		}
		s, err := readSheet(out + answersEnding)
		if err != nil || s.value["case"] != "known-case" {
			t.Errorf("%s: the answers are not kept: %v", name, err)
		}
		// What was kept is not written over.
		if _, code, said := walkThrough(t, "--from "+w.url+" --out "+out, whole(w), 0); code != 1 || !strings.Contains(said, "--continue "+out+answersEnding) {
			t.Errorf("%s: begun again: exit code %d: %s; want 1", name, code, said)
		}
	}
}

// TestWalkAsksAgain gives wrong answers before the right ones.
func TestWalkAsksAgain(t *testing.T) {
	w := newWalkWorld(t)
	for _, c := range []struct{ member, answer, want string }{
		{"case", "A", "case: found \"A\", want 3 to 64 of a-z"},
		{"case", "", "case can't be left out here"},
		{"prev", string(record.IDOf([]byte("other"))), "the newest act of the case is " + string(w.intake)},
		{"service_layer", "hostng", `hostng is none of them; did you mean "hosting"?`},
		{"service_layer", "0", "0 is none of them; choose from 1 to 6"},
		{"service_layer", "7", "7 is none of them; choose from 1 to 6"},
		{"action", "suspended", `did you mean "suspend"?`},
		{"action", "terminate", "no clause in force permits terminate on hosting; possible are decline, forward, suspend, restrict"},
		{"grounds", "2", "there is no clause 2 here; the one to choose is 1"},
		{"grounds", "hostin", `there is no clause hostin here; did you mean "hosting"?`},
		{"grounds", "1 1", "clause hosting is named twice"},
		{"grounds", ",", "no clause is named"},
		{"grounds", "", "grounds can't be left out here"},
		{"subject/type", "domian", `did you mean "domain"?`},
		{"subject/type", "ip_address", "unexpected character"},
		{"severity", "", "severity can't be left out here"},
		{"severity", "hgih", `did you mean "high"?`},
		{"trigger/kind", "court", "choose from 1 to 5"},
		{"trigger/authority", "", "trigger/authority can't be left out here"},
		{"trigger/legal_reference", "", "trigger/legal_reference can't be left out here"},
		{"trigger/intake", "d-short", "trigger/intake: found \"d-short\""},
		{"automation/detection", "automatic", `did you mean "automated"?`},
		{"decided_at", "2026-11-23 08:00", `did you mean "2026-11-23T08:00:00Z"?`},
		{"effective_at", "2026-11-23T10:00:00+02:00", `did you mean "2026-11-23T08:00:00Z"?`},
		{"effective_at", "soon", "is not a time like"},
		{"until", "+73h", `more than the 72 hours of clause hosting; did you mean "2026-11-26T09:00:00Z"?`},
		{"until", "2026-11-23T09:00:00Z", "is not after effective_at"},
		{"until", "", "until can't be left out here"},
		{"review_at", "+3d", "more than the 48 hours of clause hosting"},
		{"review_at", "+0h", "is not after effective_at"},
		{"emergency/harm", "threat-to-live", `did you mean "threat-to-life"?`},
		{"lang", "german!", "want a BCP 47 language tag"},
	} {
		out := filepath.Join(t.TempDir(), "d.draft")
		answers := whole(w)
		answers[c.member] = append([]string{c.answer}, answers[c.member]...)
		p, code, said := walkThrough(t, "--from "+w.url+" --subject-key "+w.subjectKey+" --out "+out, answers, -1)
		asked := len(slices.DeleteFunc(p.asked, func(m string) bool { return m != c.member }))
		if code != 0 || asked != 2 || !strings.Contains(said, c.want) {
			t.Errorf("%s %q: exit code %d, asked %d times; want 0, 2, and %q:\n%s", c.member, c.answer, code, asked, c.want, said)
		}
	}
}

// TestWalkOtherSubject goes back to the name if the case is about somebody else.
func TestWalkOtherSubject(t *testing.T) {
	w := newWalkWorld(t)
	answers := whole(w)
	answers["subject/name"] = []string{"other.example", "known.example"}
	answers["subject/type"] = []string{"", ""}
	out := w.file("d.draft")
	_, code, said := walkThrough(t, "--from "+w.url+" --subject-key "+w.subjectKey+" --out "+out, answers, -1)
	if code != 0 || !strings.Contains(said, "the case known-case is about another subject than domain other.example") {
		t.Fatalf("exit code %d: %s", code, said)
	}
	if d := readWalked(t, out); d.Subject.Name != "known.example" {
		t.Errorf("the draft is about %s", d.Subject.Name)
	}
}

// TestWalkPaths goes where other answers lead.
func TestWalkPaths(t *testing.T) {
	w := newWalkWorld(t)
	ended := string(record.IDOf([]byte("ended")))
	hash := strings.Repeat("A", 43)
	for _, c := range []struct {
		name, args string
		answers    map[string]string
		never      []string
		right      func(*record.Decision) bool
	}{
		{"declined, no clause", "", map[string]string{"case": "new-case", "service_layer": "security", "action": "decline", "subject/ref": hash, "subject/name": "", "subject/type": "other", "severity": "", "trigger/kind": "notice"},
			[]string{"prev", "grounds", "until", "review_at", "emergency/harm", "trigger/authority"},
			func(d *record.Decision) bool {
				return len(d.Grounds) == 0 && d.Until == 0 && d.Lang == "en" && d.Prev == ""
			}},
		{"reinstated, by id", "", map[string]string{"service_layer": "hosting", "action": "reinstate", "grounds": ended, "severity": ""},
			[]string{"until", "review_at"},
			func(d *record.Decision) bool { return d.Grounds[0] == record.Ground{Record: record.ID(ended)} }},
		{"other clause", "", map[string]string{"service_layer": "dns", "grounds": "dns", "severity": "", "until": "", "review_at": "", "trigger/authority": "", "trigger/kind": "authority_order"},
			[]string{"emergency/harm"},
			func(d *record.Decision) bool { return d.Grounds[0].Clause == "dns" && d.Until == 0 && d.Severity == "" }},
		{"emergency", "", map[string]string{"emergency/harm": "1"}, nil,
			func(d *record.Decision) bool { return d.Emergency.Harm == "threat-to-life" }},
		{"a policy from a file", "--policy-record " + w.file("policy.json"), map[string]string{"prev": string(w.intake), "trigger/intake": string(w.intake)}, []string{"ledger"},
			func(d *record.Decision) bool { return d.Ledger == origin && d.Grounds[0].Record == w.policy.ID() }},
		{"a case opened from a file", "--ledger " + origin + " --policy-record " + w.file("policy.json"), map[string]string{"prev": "", "trigger/kind": "own_initiative"}, []string{"ledger", "trigger/intake"},
			func(d *record.Decision) bool { return d.Prev == "" && d.Trigger.Intake == "" }},
		{"without any clauses", "--subject-key " + w.subjectKey, map[string]string{"ledger": origin, "prev": "", "action": "forward", "trigger/kind": "notice", "severity": "low"}, []string{"grounds"},
			func(d *record.Decision) bool { return d.Ledger == origin && d.Severity == "low" }},
	} {
		out := filepath.Join(t.TempDir(), "d.draft")
		answers := whole(w)
		for member, a := range maps.All(c.answers) {
			answers[member] = []string{a}
		}
		args := c.args
		if args == "" {
			args = "--from " + w.url
		}
		if !strings.Contains(args, "--subject-key") {
			args += " --subject-key " + w.subjectKey
		}
		p, code, said := walkThrough(t, args+" --out "+out, answers, -1)
		if code != 0 {
			t.Errorf("%s: exit code %d: %s", c.name, code, said)
			continue
		}
		for _, member := range c.never {
			if slices.Contains(p.asked, member) {
				t.Errorf("%s: asked for %s", c.name, member)
			}
		}
		if d := readWalked(t, out); !c.right(d) {
			t.Errorf("%s: the draft states %+v", c.name, d)
		}
	}
}

// TestWalkDoesNotBegin: what makes all answers useless is said before the first.
func TestWalkDoesNotBegin(t *testing.T) {
	w := newWalkWorld(t)
	for name, text := range map[string]string{"there.draft": "x", "bad.yaml": "case: A\n", "unknown.yaml": "cse: example-1\n", "other.yaml": "ledger: other.example/1\n", "rest.yaml": "territory: [Austria]\n"} {
		if err := os.WriteFile(w.file(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{"--out " + w.file("there.draft"), 1, "exists"},
		{"--from http://127.0.0.1:1", 3, "127.0.0.1:1"},
		{"--from nonsense", 2, "--from"},
		{"--from " + w.url + " --ledger other.example/1", 1, "and not other.example/1"},
		{"--policy-record " + w.file("policy.json") + " --ledger other.example/1", 1, "and not other.example/1"},
		{"--policy-record " + w.file("there.draft"), 1, "there.draft"},
		{"--policy-record " + w.file("none.json"), 3, "none.json"},
		{"--policy-record " + w.file("policy.json") + " --from " + w.url, 2, "exclude each other"},
		{"--subject-key " + w.file("none.key"), 3, "none.key"},
		{"--continue " + w.file("none.yaml"), 3, "none.yaml"},
		{"--continue " + w.file("unknown.yaml"), 1, `there is no member cse; did you mean "case"`},
		{"--continue " + w.file("other.yaml") + " --from " + w.url, 1, "want " + origin},
		{"--continue " + w.file("rest.yaml"), 1, "rest.yaml:1: territory/0"},
		{"--ledger https://ledger.example.com", 1, "origin of a ledger"},
	} {
		args := c.args
		if !strings.Contains(args, "--out") {
			args += " --out " + w.file("d.draft")
		}
		p, code, said := walkThrough(t, args, nil, 0)
		if code != c.code || len(p.asked) > 0 || !strings.Contains(said, c.want) {
			t.Errorf("%s: exit code %d, asked %q: %s; want %d, nothing, %q", c.args, code, p.asked, said, c.code, c.want)
		}
	}
	// An answer that was kept and is wrong is asked for.
	if p, _, said := walkThrough(t, "--continue "+w.file("bad.yaml")+" --from "+w.url+" --out "+w.file("d.draft"), nil, 0); !slices.Equal(p.asked, []string{"case"}) || !strings.Contains(said, "what was kept can't stay") {
		t.Errorf("asked %q: %s", p.asked, said)
	}
}

// TestWalkKeptWrong changes what was kept: what can't stay is asked for, the rest
// is not.
func TestWalkKeptWrong(t *testing.T) {
	w := newWalkWorld(t)
	first := w.file("first.draft")
	args := " --from " + w.url + " --subject-key " + w.subjectKey + " --out "
	answers := whole(w)
	answers["emergency/harm"] = []string{"threat-to-life"}
	answers["Write"] = []string{"n"}
	if _, code, said := walkThrough(t, args+first, answers, -1); code != 1 {
		t.Fatalf("exit code %d: %s", code, said)
	}
	kept, err := os.ReadFile(first + answersEnding)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct {
		old, new string
		asked    []string
		want     string
	}{
		{"lang: \"de\"", "lang: \"de\"", nil, "facts: as it was kept"},
		{"lang: \"de\"", "lang: \"de\"\nterritory: [AT]", nil, "territory        AT"},
		{"service_layer: \"hosting\"", "service_layer: \"hostng\"", []string{"service_layer"}, "hostng is none of those to choose from"},
		{"action: \"suspend\"", "action: \"terminate\"", []string{"action"}, "no clause in force permits terminate on hosting"},
		{"version: 2", "version: 1", []string{"grounds"}, "clause hosting of policy abuse is not in force"},
		{"harm: \"threat-to-life\"", "harm: \"boredom\"", []string{"emergency/harm"}, "boredom is none of those to choose from"},
		{"name: \"known.example\"", "name: \"other.example\"", []string{"subject/name", "subject/type"}, "is about another subject"},
		{"until: \"2026-11-26", "until: \"2026-11-27", []string{"until"}, "more than the 72 hours of clause hosting"},
		{"severity: \"high\"\n", "", []string{"severity"}, ""},
		{"prev: \"d-", "prev: \"e-", []string{"prev"}, "the newest act of the case is"},
	} {
		if !bytes.Contains(kept, []byte(c.old)) {
			t.Fatalf("%q was not kept:\n%s", c.old, kept)
		}
		changed, out := w.file("changed.yaml"), w.file(fmt.Sprintf("again-%d.draft", i))
		if err := os.WriteFile(changed, bytes.Replace(kept, []byte(c.old), []byte(c.new), 1), 0o600); err != nil {
			t.Fatal(err)
		}
		p, code, said := walkThrough(t, "--continue "+changed+args+out, whole(w), -1)
		if code != 0 || !slices.Equal(p.asked, append(c.asked, "Write")) || !strings.Contains(said, c.want) {
			t.Errorf("%s for %s: exit code %d, asked %q; want 0, %q and %q:\n%s", c.new, c.old, code, p.asked, c.asked, c.want, said)
		}
	}
	// Without a ledger to ask, grounds stay as they are.
	if p, code, said := walkThrough(t, "--continue "+first+answersEnding+" --subject-key "+w.subjectKey+" --out "+w.file("alone.draft"), whole(w), -1); code != 0 || !slices.Equal(p.asked, []string{"Write"}) {
		t.Errorf("without a ledger: exit code %d, asked %q: %s", code, p.asked, said)
	}
}

// TestWalkPolicyFiles offers the newest version that is in force.
func TestWalkPolicyFiles(t *testing.T) {
	w := newWalkWorld(t)
	key, err := keyfile.New(keyfile.EdDSA)
	if err != nil {
		t.Fatal(err)
	}
	args := "--subject-key " + w.subjectKey + " --policy-record " + w.file("policy.json")
	for name, change := range map[string]func(*record.PolicyPublish){
		"older":    func(p *record.PolicyPublish) { p.Version = 1 },
		"future":   func(p *record.PolicyPublish) { p.Version, p.EffectiveFrom = 3, record.Time(time.Now().Unix()+3600) },
		"historic": func(p *record.PolicyPublish) { p.Policy, p.Historic = "old", &record.Historic{Source: "a newspaper"} },
		"second":   func(p *record.PolicyPublish) { p.Policy, p.Title = "second", "Another" },
	} {
		p := *w.policy.Payload().(*record.PolicyPublish)
		change(&p)
		u, err := record.NewDraft(&p)
		if err != nil {
			t.Fatal(err)
		}
		if u, err = u.Sign(key, now.Unix(), 1, record.Seen{Size: 1, Root: strings.Repeat("A", 43)}); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(w.file(name), u.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		args += " --policy-record " + w.file(name)
	}
	answers := whole(w)
	answers["prev"], answers["trigger/intake"] = []string{""}, []string{string(w.intake)}
	answers["grounds"] = []string{"3", "1 2"}
	out := w.file("d.draft")
	_, code, said := walkThrough(t, args+" --out "+out, answers, -1)
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, said)
	}
	for _, want := range []string{"1  abuse, version 2, clause hosting", "2  second, version 2, clause hosting", "there is no clause 3 here; choose from 1 to 2",
		"future is not in force before", "historic is from before the ledger"} {
		if !strings.Contains(said, want) {
			t.Errorf("it never says %q:\n%s", want, said)
		}
	}
	if d := readWalked(t, out); len(d.Grounds) != 2 || d.Grounds[0].Policy != "abuse" || d.Grounds[1].Policy != "second" {
		t.Errorf("the draft rests on %+v", d.Grounds)
	}
}

// TestWalkEditor writes facts and reasons with programs instead of a person.
func TestWalkEditor(t *testing.T) {
	w := newWalkWorld(t)
	for _, c := range []struct {
		name, visual, editor string
		code                 int
		want                 string
		left                 int // files
	}{
		{"editor", "", "docket_test_write() { stat -c %a \"$1\" >> " + w.file("modes") + "; grep -q '^# case: known-case' \"$1\" && echo Found. >> \"$1\"; }; docket_test_write", 0, "", 0},
		{"visual first", `f() { echo "$1 $2" >> "$2"; }; f Found.`, "false", 0, "", 0},
		{"nothing written", "true", "", 1, "nothing was written for facts: cancelled", 0},
		{"emptied", "cp /dev/null", "", 1, "nothing was written for facts: cancelled", 0},
		{"fails", "false", "", 1, "the editor false: exit status 1", 0},
		{"fails with text", "f() { echo Lost? >> $1; return 3; }; f", "", 1, "what it wrote is in ", 1},
		{"there is none", "no-such-editor-anywhere", "", 1, "exit status 127", 0},
		{"deletes it", "rm", "", 1, "nothing was written for facts: cancelled", 0},
	} {
		tmp := t.TempDir()
		t.Setenv("TMPDIR", tmp)
		t.Setenv("VISUAL", c.visual)
		t.Setenv("EDITOR", c.editor)
		out := w.file(strings.ReplaceAll(c.name, " ", "-") + ".draft")
		_, code, said := walkThrough(t, "--from "+w.url+" --subject-key "+w.subjectKey+" --out "+out, whole(w), -1)
		if code != c.code || !strings.Contains(said, c.want) {
			t.Errorf("%s: exit code %d: %s; want %d and %q", c.name, code, said, c.code, c.want)
		}
		if code == 0 {
			if d := readWalked(t, out); !strings.HasPrefix(d.Facts, "Found.") || strings.Contains(d.Facts, "#") {
				t.Errorf("%s: the facts are %q", c.name, d.Facts)
			}
		} else if s, err := readSheet(out + answersEnding); err != nil || s.value["lang"] != "de" {
			t.Errorf("%s: the answers are not kept: %v", c.name, err)
		}
		left, err := os.ReadDir(tmp)
		if err != nil || len(left) != c.left {
			t.Errorf("%s: %d files left (%v), want %d", c.name, len(left), err, c.left)
		}
	}
	if modes, err := os.ReadFile(w.file("modes")); err != nil || string(modes) != "600\n600\n" {
		t.Errorf("the editor saw files of mode %q (%v)", modes, err)
	}
}

// TestWalkCtrlC presses the key itself, in a process of its own.
func TestWalkCtrlC(t *testing.T) {
	w := newWalkWorld(t)
	program, end := openTerminal(t)
	go io.Copy(io.Discard, end)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	out := w.file("d.draft")
	cmd := &exec.Cmd{Path: exe, Args: []string{"docket", "decide", "--from", w.url, "--out", out}, Stdin: program,
		SysProcAttr: &syscall.SysProcAttr{Setsid: true, Setctty: true}}
	pressed := make(chan struct{})
	p := &typist{answers: map[string][]string{"case": {"known-case\n"}}, at: end, stopAt: 1, stop: func() {
		time.AfterFunc(100*time.Millisecond, func() { io.WriteString(end, "\x03"); close(pressed) })
	}}
	cmd.Stderr = p
	err = cmd.Run()
	<-pressed
	if cmd.ProcessState.ExitCode() != 3 || !strings.Contains(p.said.String(), "docket decide --continue "+out) {
		t.Errorf("%v: %s; want exit code 3", err, p.said.String())
	}
	if s, err := readSheet(out + answersEnding); err != nil || s.value["case"] != "known-case" {
		t.Errorf("the answers are not kept: %v", err)
	}
	if !echoes(t, program) {
		t.Error("what is typed is not shown any more")
	}
}
