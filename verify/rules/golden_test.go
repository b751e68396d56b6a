package rules_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
	"github.com/docket-ledger/docket/verify/tile"
)

// TestGoldenHistory keeps a log of some three hundred records with every type, as
// it must be judged for ever, in verify/testdata/history. Write it anew:
//
//	go test ./verify/rules -run TestGoldenHistory -update
var update = flag.Bool("update", false, "write verify/testdata/history anew")

const historyDir = "../testdata/history"

func TestGoldenHistory(t *testing.T) {
	w := goldenHistory(t)
	files := w.files()
	if *update {
		if err := os.RemoveAll(historyDir); err != nil {
			t.Fatal(err)
		}
		for path, b := range files {
			path = filepath.Join(historyDir, path)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	for path, want := range files {
		got, err := os.ReadFile(filepath.Join(historyDir, path))
		if err != nil {
			t.Fatalf("%v; see the comment above", err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what this program makes of the same history", path)
		}
	}
	byType := map[record.Type]int{}
	void := 0
	for i, c := range w.checked {
		if !w.standings[i].Effective() {
			void++
			continue
		}
		byType[c.Payload().Head().Type]++
	}
	for _, name := range record.Types {
		if byType[name] == 0 {
			t.Errorf("no effective %s", name)
		}
	}
	t.Logf("%d records, %d void: %v", w.size(), void, byType)
	w.replay()
}

// files are the log as c2sp.org/tlog-tiles has it, with the standings beside it.
func (w *world) files() map[string][]byte {
	files := map[string][]byte{"log/checkpoint": []byte(w.checkpoint(w.size(), w.root(w.size()), "w1 w2 w3"))}
	policy := "log " + logKey().String() + "\n"
	for _, line := range threeWitnesses() {
		policy += line + "\n"
	}
	files["trust.policy"] = []byte(policy)
	var standings bytes.Buffer
	for _, s := range w.standings {
		fmt.Fprintln(&standings, s.Index, s.ID, s.Codes, s.Findings)
	}
	files["standings.txt"] = standings.Bytes()
	for id := range tile.All(w.size()) {
		var b []byte
		for i := range int64(id.Width) {
			n := id.N*tile.FullWidth + i
			if id.Level == tile.Entries {
				var err error
				if b, err = tile.AppendEntry(b, w.bytes[n]); err != nil {
					w.Fatal(err)
				}
				continue
			}
			h := w.hashes[tlog.StoredHashIndex(id.Level*tile.Height, n)]
			b = append(b, h[:]...)
		}
		files["log/"+id.Path()] = b
	}
	return files
}

// goldenHistory is some business of a ledger with witnesses: everything that the
// rules know happens, most of it often.
func goldenHistory(t *testing.T) *world {
	w := founded(t)
	w.must(w.does(oldPolicy(), "pat"))
	for _, who := range [][2]string{{"pri", "privacy"}, {"eve2", "decider"}, {"tim", "decider"}} {
		w.must(w.does(enrolment(who[0], who[1]), "ada bob "+who[0]))
	}
	w.marks()
	w.passes(25 * hour)
	w.marks()
	old := w.late(record.Terminate, "old/1/old")
	old.DecidedAt, old.EffectiveAt = start-100*day, start-100*day
	w.must(w.does(old, "dan eve"))
	for round := range 9 {
		w.ordinaryCase(fmt.Sprint("ordinary-", round))
		w.appealCases()
		w.emergencies(round)
		w.marks()
		w.passes(day)
		w.does(w.decision(record.Terminate), "dan") // a bad mood: no ground, one person
	}
	w.keysAndTerms()
	w.lastOf()
	return w
}

// ordinaryCase goes from a report to a reinstatement.
func (w *world) ordinaryCase(name string) {
	in := w.must(w.does(w.intake(name), "ira"))
	told := w.proposes(name, record.Suspend)
	told.Prev = in
	prev := w.must(w.does(told, "dan"))
	w.marks()
	w.passes(2 * day)
	w.marks()
	d := w.of(name, prev, record.Suspend, "due/1/notice")
	d.Trigger = record.Trigger{Kind: "notice", Intake: in}
	id := w.must(w.does(d, "eve"))
	prev = w.must(w.does(w.told(id, id), "eve"))
	w.must(w.does(w.execution(id), "enf"))
	w.must(w.does(&record.Export{About: id, At: record.Time(w.now), Register: "dsa"}, "max"))
	w.must(w.does(erratum(id), "fay"))
	w.passes(hour)
	back := w.of(name, prev, record.Reinstate, "due/1/notice")
	back.Precedents = []record.ID{id}
	w.must(w.does(back, "fay"))
}

// appealCases has one ruling of each kind.
func (w *world) appealCases() {
	w.ruled(record.Upheld)
	id, ruling := w.ruled(record.Reversed)
	w.must(w.does(alone(w.after(id, ruling, record.Reinstate), ruling), "dan eve"))
	w.ruled(record.Modified)
	w.must(w.does(w.decision(record.Decline), "dan eve"))
	w.must(w.does(w.decision(record.Forward), "eve fay"))
	w.must(w.does(w.decision(record.Warn, "use/1/urgent"), "dan eve"))
}

// emergencies: one that is ratified, and one that lapses.
func (w *world) emergencies(round int) {
	id := w.must(w.does(w.urgent(), "dan"))
	w.must(w.does(w.ratify(id, id), "rae rob"))
	id = w.must(w.does(w.urgent(), "eve"))
	w.marks()
	w.passes(72*hour + 1)
	w.marks()
	w.must(w.does(alone(w.next(id, record.Reinstate), id), "dan fay"))
	if round == 3 { // recorded afterwards, under a clause, and approved
		late := w.must(w.does(w.late(record.Suspend, "use/1/late"), "dan"))
		w.must(w.does(w.ratify(late, late), "eve"))
	}
}

// keysAndTerms ends keys and changes the charter and a policy.
func (w *world) keysAndTerms() {
	w.must(w.does(revocation("eve2", record.Retired), "ada bob"))
	w.must(w.does(enrolment("eve2", "decider"), "ada bob eve2"))
	contested := w.must(w.does(w.decision(record.Suspend, "due/1/appeal"), "tim"))
	p := revocation("tim", record.Compromised)
	p.Since = record.Time(w.now - hour)
	w.must(w.does(p, "ada"))
	w.must(w.does(w.ratify(contested, contested), "dan"))
	w.must(w.does(w.amendment(func(c *record.Terms) { c.Contact = "ledger@example.com" }), "ada bob"))
	w.must(w.does(w.amendment(func(c *record.Terms) { c.PolicyLead = 12 }), "ada cleo"))
	w.must(w.does(enrolment("zoe", "decider"), "safe safe2 zoe"))
	w.must(w.does(usePolicy(2), "pat"))
	w.must(w.does(&record.PolicyRepeal{EffectiveFrom: record.Time(w.now), Lang: "en", Policy: "due", Reasons: "replaced"}, "pat"))
	w.marks()
	w.passes(25 * hour)
	w.marks()
	w.must(w.does(w.decision(record.Suspend, "use/2/host"), "dan zoe"))
	w.does(w.decision(record.Suspend, "due/1/appeal"), "dan") // repealed
	id := w.must(w.does(w.decision(record.Decline), "dan zoe"))
	w.must(w.does(&record.Erasure{About: id, Lang: "en", Members: []string{"facts"}, Reasons: "a request"}, "pri"))
}

// lastOf has signatures with gaps in their numbers, late ones and repeated ones.
func (w *world) lastOf() {
	s := by("dan eve")
	next := w.sign(w.decision(record.Decline), s...)
	w.must(w.submit(w.sign(w.decision(record.Decline), skip(w, "dan", 2), by("fay")[0]).Bytes()))
	w.must(w.submit(next.Bytes())) // signed before, comes after
	w.submit(next.Bytes())         // the same bytes again
	w.marks()
}

// skip signs with a number that leaves some out.
func skip(w *world, name string, numbers int64) signing {
	s := by(name)[0]
	var err error
	if s.seq, err = rules.NextSeq(w.state, kid(name)); err != nil {
		w.Fatal(err)
	}
	s.seq += numbers
	return s
}
