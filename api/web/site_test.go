package web_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/verify/record"
)

// TestEveryType: a record of each type has a page that is sound and says what it
// is, and so has its case.
func TestEveryType(t *testing.T) {
	s := newTestSite(t)
	ids := s.EveryType("Plain words.\n\nA second paragraph.")
	s.url = serve(t, s.World)
	words := map[record.Type][]string{
		record.TypeCharter:       {"Charter: Test Provider", "Effective"},
		record.TypeCharterAmend:  {"Why it is amended", "What readers should know", "recovery key"},
		record.TypeKeyEnrol:      {"Enrolment of a key", "May sign as"},
		record.TypeKeyRevoke:     {"Revocation of a key", "retired"},
		record.TypePolicyPublish: {"It permits, on hosting, to: end the service", "2 people with the role decider must sign.", "Complaints are possible within 30 days; 1 person with the role appeals must rule on them within 14 days."},
		record.TypePolicyRepeal:  {"Repeal of a policy: withdrawn", "Why it is repealed"},
		record.TypeIntake:        {"Report received", "The order of an authority", "What was reported"},
		record.TypeNotice:        {"Notice of the decision and of redress", "What can be done against it"},
		record.TypeRatification:  {"Approval of a decision, afterwards", "fay", "gus"},
		record.TypeAppeal:        {"Complaint about a decision", "shown, and does not count", "the subject"},
		record.TypeRuling:        {"Ruling on a complaint: modified", "Restrict the service", "In force", "abe"},
		record.TypeErratum:       {"What is corrected", "It should say:"},
		record.TypeExecution:     {"An enforcement system did what was decided: edge", "Done"},
		record.TypeExport:        {"dsa-transparency-database", "Called there"},
		record.TypeErasure:       {"Erasure of sealed parts", "Why it was erased"},
		record.TypeTimemark:      {"as its witnesses signed it"},
		record.TypeDecision: {"Decision to suspend hosting", "Replaced by a milder measure", "A ruling put a milder measure in its place.", "dora", "erik", "decider",
			"The clause had been public for at least 10 days (proven).", "What was tried before, and what else was weighed", "Notice that it is intended to suspend hosting", "Instead: Warn", "Corrected later", "Category STATEMENT_CATEGORY_SCAMS_AND_FRAUD", "Only in DE, FR",
			"The date that it gives lies between the times that witnesses show.", "Ruling on a complaint: modified", "People found it, and people decided without a machine",
			"docket-verify receipt --policy trust.policy receipt.tlog-proof", "Correction"},
		"void": {"Void: it counts for nothing", "No published rule is named that would permit the action.", "Too few different people signed.", "ground.none", "quorum.short"},
	}
	for _, typ := range append(slices.Clone(record.Types), "void") {
		d := s.get(t, "/records/"+string(ids[typ]))
		if d.StatusCode != http.StatusOK || len(words[typ]) == 0 {
			t.Errorf("%s: %d, %d words", typ, d.StatusCode, len(words[typ]))
		}
		d.sound(t)
		d.says(t, words[typ]...)
		d.says(t, "Who signed", "When", "Check it yourself", string(ids[typ]), "the log at ")
		if typ != record.TypeCharter && typ != record.TypeExport && typ != "void" && typ != record.TypeKeyEnrol && typ != record.TypeKeyRevoke && typ != record.TypeTimemark {
			d.says(t, "Plain words.", "A second paragraph.")
		}
	}
	for name, want := range map[string]string{ledgertest.EveryCase: "In force now: Restrict", "emergency": "In force now: Restrict security services", "voided": "Nothing is in force"} {
		d := s.get(t, "/cases/"+name)
		d.sound(t)
		d.says(t, "Case "+name, want, "What is owed in it", "docket-verify case --policy trust.policy "+name+".zip")
	}
}

// TestLinks: what the pages lead to is there, and sound.
func TestLinks(t *testing.T) {
	s := newTestSite(t)
	s.EveryType("Words.")
	s.url = serve(t, s.World)
	seen, queue := map[string]bool{"/": true}, []string{"/"}
	searches := 0
	for len(queue) > 0 {
		path := queue[0]
		queue = queue[1:]
		d := s.get(t, path)
		if d.StatusCode != http.StatusOK {
			t.Errorf("%s: %d", path, d.StatusCode)
			continue
		}
		if d.root == nil {
			continue
		}
		d.sound(t)
		for _, to := range d.links() {
			first, _, _ := strings.Cut(strings.TrimPrefix(to, "/"), "/")
			first, _, _ = strings.Cut(first, "?")
			if seen[to] {
				continue
			}
			seen[to] = true
			if first == "search" {
				if searches++; searches > 60 { // there are as many as sets of filters
					continue
				}
			}
			queue = append(queue, to)
		}
	}
	if len(seen) < 60 {
		t.Errorf("only %d pages were found", len(seen))
	}
}

const hostile = "<script>alert(1)</script> \"'><img src=x onerror=alert(1)> javascript:alert(1) </bdi></main> \u202etxet\u202c \u200d\u200b\ufeff\u2066 {{.}} &lt;b&gt; "

// TestHostile: whatever stands in a record is text.
func TestHostile(t *testing.T) {
	s := newTestSite(t)
	ids := s.EveryType(hostile + strings.Repeat("w", 1500))
	s.url = serve(t, s.World)
	paths := []string{"/", "/search", "/search?q=alert", "/search?type=decision", "/stats", "/stats/clause?policy=process&clause=measures&layer=hosting", "/stats/clause?policy=%3Cscript%3E", "/cases/" + ledgertest.EveryCase, "/search?q=" + "%3Cscript%3E%22'", "/search?%3Cscript%3E=1",
		"/records/%3Cscript%3Ealert(1)%3C%2Fscript%3E", "/cases/%E2%80%AE"}
	for _, id := range ids {
		paths = append(paths, "/records/"+string(id))
	}
	for _, path := range paths {
		d := s.get(t, path)
		d.sound(t)
		if i := strings.IndexAny(d.body, "\u202e\u202c\u200d\u200b\ufeff\u2066"); i >= 0 {
			t.Errorf("%s: a hidden character is in the page: %q", path, d.body[max(0, i-60):min(len(d.body), i+60)])
		}
		for _, n := range d.all("img") {
			t.Errorf("%s: a text became <img src=%q>", path, attr(n, "src"))
		}
		if len(d.all("script")) > 1 {
			t.Errorf("%s has scripts", path)
		}
	}
	s.get(t, "/records/"+string(ids[record.TypeDecision])).says(t, "<script>alert(1)</script>", "<U+202E>txet<U+202C>", "<U+200D><U+200B><U+FEFF>", "{{.}} &lt;b&gt;")
}

// TestLongTexts: a record of the largest size has a page, and lists show its
// beginning.
func TestLongTexts(t *testing.T) {
	s := newTestSite(t)
	d := s.Decision("long")
	d.Facts, d.Reasons, d.Subject.Name = strings.Repeat("w", 30_000), strings.Repeat("r ", 200), strings.Repeat("n", 10_000)
	id := s.Submit(s.Sign(d, "dora", "erik")).ID
	s.url = serve(t, s.World)
	page := s.get(t, "/records/"+string(id))
	page.sound(t)
	page.says(t, d.Facts, d.Subject.Name)
	if h1 := text(page.all("h1")[0]); len(h1) > 200 {
		t.Errorf("a heading of %d bytes", len(h1))
	}
	for _, path := range []string{"/", "/search", "/cases/long"} {
		if list := s.get(t, path); len(list.body) > 20_000 {
			t.Errorf("%s has %d bytes", path, len(list.body))
		}
	}
}

// TestStates: what becomes of a decision is told in words.
func TestStates(t *testing.T) {
	s := newTestSite(t)
	d := s.Decision("emergency")
	d.Action, d.ServiceLayer, d.Emergency = record.Restrict, "security", &record.Harm{Harm: "threat-to-life"}
	d.Grounds = []record.Ground{{Policy: "abuse", Version: 1, Clause: "security", Record: s.Policy}}
	id := s.Submit(s.Sign(d, "dora")).ID
	s.url = serve(t, s.World)
	path := "/records/" + string(id)
	s.get(t, path).says(t, "In force, awaiting approval", "To be approved by 26 November 2026", "threat-to-life", "Complaints have no limit of time.")
	s.get(t, "/cases/emergency").says(t, "Approve the decision", "2 people with the role ratifier, until 26 November 2026")
	s.Advance(73 * time.Hour)
	s.get(t, path).says(t, "Lapsed", "nobody approved it in time, and it has to be undone", "It is not in force any more.")
	s.get(t, "/cases/emergency").says(t, "Nothing is in force", "overdue Undo the measure")
	s.get(t, "/search?type=decision").says(t, "entry 6 Lapsed")

	late := s.Decision("late")
	late.DecidedAt, late.EffectiveAt = record.Time(ledgertest.Start.Add(-90*24*time.Hour).Unix()), record.Time(ledgertest.Start.Add(-90*24*time.Hour).Unix())
	late.Action, late.Grounds = record.Decline, nil
	late.Retrospective = &record.Retrospective{Why: "It is older than the ledger."}
	out := s.Submit(s.Sign(late, "dora", "erik"))
	s.get(t, "/records/"+string(out.ID)).says(t, "It was recorded afterwards: what it says of its time is never shown as proven.", "Recorded afterwards, because It is older than the ledger.")
}

// TestLongCase: a case of many records is shown in parts, and each record has its
// place in it.
func TestLongCase(t *testing.T) {
	s := newTestSite(t)
	var ids []record.ID
	for i := range 120 {
		d := s.Decision("long-case")
		if i > 0 {
			d.Prev = ids[i-1]
		}
		d.Action = []record.Action{record.Suspend, record.Reinstate}[i%2]
		ids = append(ids, s.Submit(s.Sign(d, "dora", "erik")).ID)
	}
	s.url = serve(t, s.World)
	found := map[string]bool{}
	for path := "/cases/long-case"; path != ""; {
		d := s.get(t, path)
		d.sound(t)
		path = ""
		for _, to := range d.links() {
			found[to] = true
			if strings.HasPrefix(to, "/cases/long-case?cursor=") {
				path = to
			}
		}
	}
	for i, id := range ids {
		if !found["/records/"+string(id)] {
			t.Errorf("record %d of the case is on none of its pages", i)
		}
	}
	s.get(t, "/records/"+string(ids[1])).says(t, "this record", "more steps than stand here")
	last := s.get(t, "/records/"+string(ids[119]))
	last.says(t, "this record", "its earlier steps")
	if len(last.body) > 60_000 {
		t.Errorf("a page of %d bytes", len(last.body))
	}
}
