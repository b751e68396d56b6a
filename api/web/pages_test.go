package web_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/figures"
	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/verify/record"
)

// TestPolicyPages: a policy shows its clauses and versions, and two of them side by
// side, word by word.
func TestPolicyPages(t *testing.T) {
	s := newTestSite(t)
	s.Submit(s.Sign(s.Decision("case-one"), "dora", "erik"))
	second := ledgertest.Abuse()
	second.Version, second.EffectiveFrom = 2, s.Time(0)
	second.Clauses[0].Text = strings.Replace(second.Clauses[0].Text, "may be", "must be", 1) + "\nA new paragraph."
	second.Clauses[0].Quorum.Count++
	gone := second.Clauses[1]
	added := second.Clauses[0]
	added.Clause, added.Title = "added", "A clause that was added"
	second.Clauses = append(append(second.Clauses[:1:1], added), second.Clauses[2:]...)
	id := s.Submit(s.Sign(second, "ada", "cleo")).ID
	s.url = serve(t, s.World)

	s.get(t, "/policies").says(t, "Policies of this ledger", second.Title, "in force", "2", "1 decisions under abuse")
	now := s.get(t, "/policies/abuse")
	now.sound(t)
	now.says(t, "Version 2 in force", "What changed from version", "No decision cites it.", "A clause that was added", "cleo", "replaced")
	s.get(t, "/policies/abuse?version=1").says(t, "Version 1 replaced", "1 decision cites it", gone.Title, "2 people with the role decider must sign.")

	d := s.get(t, "/policies/abuse?from=1&to=2")
	d.sound(t)
	d.says(t, "Version 1 and version 2", "Before", "After", "changed", "new", "gone", "It is not in this version.", "A new paragraph.")
	if !slices.Contains(now.links(), "/policies/abuse?from=1&to=2") {
		t.Errorf("nothing leads to the comparison: %q", now.links())
	}
	if !slices.Contains(d.links(), "/records/"+string(id)) {
		t.Error("the comparison does not lead to the record of the later version")
	}
	var cut, put []string
	for _, n := range d.all("del") {
		cut = append(cut, text(n))
	}
	for _, n := range d.all("ins") {
		put = append(put, text(n))
	}
	for _, want := range []string{"2 people with the role decider must sign."} {
		if !slices.Contains(cut, want) {
			t.Errorf("%q is not struck through among %q", want, cut)
		}
	}
	for _, want := range []string{"3 people with the role decider must sign.", "A new paragraph."} {
		if !slices.Contains(put, want) {
			t.Errorf("%q is not underlined among %q", want, put)
		}
	}
	if same := s.get(t, "/policies/abuse?from=1&to=1"); len(same.all("ins")) > 1 || !strings.Contains(same.text(), "Nothing changed in clause hosting") {
		t.Error("a version differs from itself")
	}
}

// TestKeyPages: who may sign what, and what a key signed.
func TestKeyPages(t *testing.T) {
	s := newTestSite(t)
	s.EveryType("Words.")
	s.url = serve(t, s.World)
	s.get(t, "/keys").says(t, "Who may sign what", "take decisions, and tell the subjects of them", "To enrol or revoke a key 2 people with the role registrar", "revoked", "for recovery only")
	dora := s.get(t, "/keys/"+ledgertest.JWK("dora").KID())
	dora.sound(t)
	dora.says(t, "A key of dora", "may sign", "decider", "What it signed", "Decision to suspend hosting", "Enrolled by entry 1", "Public key")
	s.get(t, "/keys/"+ledgertest.JWK("tim").KID()).says(t, "revoked", "Revoked by", "retired", "All 1 record")
}

// TestDuePage: what is owed is there, and what is overdue comes first.
func TestDuePage(t *testing.T) {
	s := newTestSite(t)
	s.get(t, "/due").says(t, "Nothing is overdue.", "Nothing is owed.")
	d := s.Decision("emergency")
	d.Action, d.ServiceLayer, d.Emergency = record.Restrict, "security", &record.Harm{Harm: "threat-to-life"}
	d.Grounds = []record.Ground{{Policy: "abuse", Version: 1, Clause: "security", Record: s.Policy}}
	s.Submit(s.Sign(d, "dora"))
	s.get(t, "/due").says(t, "Nothing is overdue.", "Approve the decision", "2 people with the role ratifier", "26 November 2026")
	s.Advance(73 * time.Hour)
	late := s.get(t, "/due")
	late.sound(t)
	late.says(t, "Undo the measure, which is not in force any more", "emergency")
	if strings.Contains(late.text(), "Nothing is overdue.") {
		t.Error("nothing is overdue after 73 hours")
	}
}

// TestStatsPages: the numbers of the log, and those of each clause, which the API says
// the same.
func TestStatsPages(t *testing.T) {
	s := newTestSite(t)
	empty := s.get(t, "/stats")
	empty.sound(t)
	empty.says(t, "Nothing has been decided yet.", "No clause has been used yet.", "Nobody has decided yet.", "No record is void.", "Counted over the first ")
	for i, action := range []record.Action{record.Suspend, record.Suspend, record.Terminate, record.Decline} {
		d := s.Decision(fmt.Sprintf("stats-%d", i))
		d.Action = action
		if i == 2 {
			d.Trigger = record.Trigger{Kind: "court_order", Authority: "A court", LegalReference: "1 O 1/26"}
		}
		s.Submit(s.Sign(d, "dora", "erik"))
	}
	s.EveryType("It happened.")
	s.url = serve(t, s.World)
	f, err := figures.New(s.Ledger).Figures(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	d := s.get(t, "/stats")
	d.sound(t)
	d.says(t, "Decisions that count "+strconv.FormatInt(f.All.Decisions, 10), "Decisions by what was decided", "Decisions by service", "All months as CSV",
		fmt.Sprintf("Counted over the first %d records", f.Size), "abuse, clause hosting", "Why records are void", "quorum.short", "docket-verify stats --policy trust.policy "+s.url)
	if charts := d.all("figure"); len(charts) != 2 {
		t.Errorf("%d charts", len(charts))
	}
	if len(f.Clauses) < 2 {
		t.Fatalf("%d clauses", len(f.Clauses))
	}
	for _, c := range f.Clauses {
		path := "/stats/clause?" + url.Values{"policy": {c.Policy}, "clause": {c.Clause}, "layer": {string(c.Layer)}}.Encode()
		if !slices.Contains(d.links(), path) {
			t.Errorf("nothing leads to %s", path)
		}
		page := s.get(t, path)
		page.sound(t)
		page.says(t, fmt.Sprintf("%d decision", c.Decisions), fmt.Sprintf("%d : %d", c.Acted, c.Declined), "How long it took")
	}
	s.get(t, "/stats/clause?policy=abuse&clause=hosting&layer=hosting").says(t, "Suspend the service", "The order of a court", "Take no measure")
	if none := s.get(t, "/stats/clause?policy=abuse"); none.StatusCode != http.StatusNotFound {
		t.Errorf("no clause: %d", none.StatusCode)
	}
}

// TestVoidPage: each void record is there with its reasons, in pages.
func TestVoidPage(t *testing.T) {
	w := ledgertest.New(t, func(c *ledger.Config) { c.VoidsPerDay = 45 })
	s := &testSite{w, serve(t, w)}
	s.get(t, "/void").says(t, "No record is void: each was made by the rules.")
	for i := range 45 {
		d := s.Decision("void-" + string(rune('a'+i/26)) + string(rune('a'+i%26)))
		d.Grounds = nil
		if _, err := s.Ledger.Submit(t.Context(), s.Sign(d, "dora"), ledger.Options{LogVoid: true}); err != nil {
			t.Fatal(err)
		}
	}
	s.url = serve(t, s.World)
	found, pages := map[string]bool{}, 0
	for path := "/void"; path != "" && pages < 9; pages++ {
		d := s.get(t, path)
		d.sound(t)
		d.says(t, "45 void records", "No published rule is named that would permit the action. ground.none", "Too few different people signed. quorum.short 45")
		path = ""
		for _, n := range d.all("a") {
			to := attr(n, "href")
			if strings.HasPrefix(to, "/records/") {
				found[to] = true
			}
			if attr(n, "rel") == "next" {
				path = to
			}
		}
	}
	if len(found) != 45 || pages != 3 {
		t.Errorf("%d records on %d pages", len(found), pages)
	}
}

// TestLogPage: the checkpoint, the growth and the witnesses, or that there are none.
func TestLogPage(t *testing.T) {
	s := newTestSite(t)
	s.Submit(s.Sign(s.Decision("case-one"), "dora", "erik"))
	s.url = serve(t, s.World)
	d := s.get(t, "/log")
	d.sound(t)
	d.says(t, "This log has no witnesses.", "November 2026", "The checkpoint, as this server gives it to everybody ledger.test.example/2026 7", s.VKey(), "docket-mirror sync --policy trust.policy "+s.url)
}

// TestCheckPage: it is of use without script, and has what the script needs.
func TestCheckPage(t *testing.T) {
	s := newTestSite(t)
	d := s.get(t, "/check")
	d.sound(t)
	d.says(t, "Check a receipt", "nothing is sent", "docket-verify receipt --policy trust.policy receipt.tlog-proof", "Scripts are off")
	forms := d.all("form")
	if i := slices.IndexFunc(forms, func(f *html.Node) bool { return attr(f, "id") == "check" }); i < 0 {
		t.Error("there is no form for files")
	}
}

// TestWrongPages: what is not there, or can't be asked for, is a page that says so.
func TestWrongPages(t *testing.T) {
	s := newTestSite(t)
	s.url = serve(t, s.World)
	for _, test := range []struct {
		path   string
		status int
		says   string
	}{
		{"/policies/abusee", 404, "Did you mean abuse a policy"},
		{"/policies/nothing", 404, "There is nothing here"},
		{"/policies/abuse?version=7", 400, "policy abuse has the versions 1 to 1"},
		{"/policies/abuse?from=1&to=x", 400, "policy abuse has the versions 1 to 1"},
		{"/policies/abuse?from=1", 400, "policy abuse has the versions 1 to 1"},
		{"/keys/nothing", 404, "There is nothing here"},
		{"/keys?cursor=zzz", 200, "There are no further keys."},
		{"/policies?cursor=zzz", 200, "Show them from the beginning"},
		{"/void?cursor=garbage", 400, "cursor"},
		{"/log/x", 404, "There is nothing here"},
	} {
		d := s.get(t, test.path)
		d.sound(t)
		if d.StatusCode != test.status {
			t.Errorf("%s: %d, want %d", test.path, d.StatusCode, test.status)
		}
		d.says(t, test.says)
	}
	if d := s.ask(t, http.MethodPost, "/check", "Accept", "text/html"); d.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST /check: %d", d.StatusCode)
	}
}

// TestLikeCases: the page of a decision shows the like cases that its signers named,
// with what became of them, and why it differs; those that it names and that are not
// here are said to be so.
func TestLikeCases(t *testing.T) {
	s := newTestSite(t)
	first := s.Submit(s.Sign(s.Decision("case-one"), "dora", "erik")).ID
	later := s.Decision("case-one")
	later.Prev, later.Action = first, record.Restrict
	s.Submit(s.Sign(later, "dora", "erik"))
	d := s.Decision("case-two")
	d.Action, d.Precedents, d.DistinguishingReason = record.Warn, []record.ID{first}, "This one was over within an hour."
	unlike := s.Submit(s.Sign(d, "dora", "erik")).ID
	lost := s.Decision("case-three")
	lost.Precedents = []record.ID{record.IDOf([]byte("nothing"))}
	b := s.Sign(lost, "dora", "erik")
	if _, err := s.Ledger.Submit(t.Context(), b, ledger.Options{LogVoid: true}); err != nil {
		t.Fatal(err)
	}
	s.url = serve(t, s.World)

	p := s.get(t, "/records/"+string(unlike))
	p.sound(t)
	p.says(t, "Like cases", "The signers named these earlier decisions", "Superseded", "The operator did not answer.", "This one was over within an hour.",
		"All decisions under this clause on this service")
	if !slices.Contains(p.links(), "/records/"+string(first)) {
		t.Errorf("nothing leads to the like case: %q", p.links())
	}
	for _, link := range p.links() {
		if strings.HasPrefix(link, "/search?clause=") {
			s.get(t, link).says(t, "case-one", "case-two")
		}
	}
	s.get(t, "/records/"+string(first)).says(t, "The signers named no earlier decision as a like case.")
	s.get(t, "/records/"+string(record.IDOf(b))).says(t, "Named, and not in this ledger", string(lost.Precedents[0]))
}
