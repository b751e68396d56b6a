package ledger_test

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"testing/fstest"
	"time"

	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
	"github.com/docket-ledger/docket/verify/stats"
)

// TestStats counts random ledgers twice: as package stats does it, over an audit
// of the files, and by looking through all entries again for each number.
func TestStats(t *testing.T) {
	var seen stats.Clause
	check := func(name string, w *ledgertest.World) {
		t.Helper()
		got := counted(t, w)
		want := newBrute(t, w)
		want.compare(t, name, got)
		seen.Decisions += got.All.Decisions
		seen.Ratified += got.All.Ratified
		seen.Reversed += got.All.Reversed
		seen.ByOrder += got.All.ByOrder
		seen.TooLate += got.All.TooLate
		seen.Unratified += got.All.Unratified
		seen.Retrospective += got.All.Retrospective
		seen.NoticeToDecision.Count += got.All.NoticeToDecision.Count
	}
	for _, n := range []int{50, 200} {
		check(fmt.Sprintf("varied, %d records", n), ledgertest.NewVaried(t, n))
	}
	for seed := range uint64(10) {
		random := rand.New(rand.NewPCG(seed, 17))
		moves := make([]uint64, 60+random.IntN(40))
		for i := range moves {
			moves[i] = random.Uint64()
		}
		p, end := perform(t, moves, io.Discard)
		check(fmt.Sprintf("history %d", seed), p.w)
		end()
	}
	for seed := range uint64(5) {
		check(fmt.Sprintf("afterwards %d", seed), afterwards(t, rand.New(rand.NewPCG(seed, 23))))
	}
	t.Logf("%+v", seen)
	if seen.TooLate == 0 || seen.Unratified == 0 || seen.Retrospective == 0 || seen.Decisions == 0 || seen.Ratified == 0 || seen.Reversed == 0 || seen.ByOrder == 0 || seen.NoticeToDecision.Count == 0 {
		t.Error("that says little")
	}
}

// afterwards is a ledger of emergencies, of which some are approved in time, some too
// late, twice or never, and of decisions that are recorded long after they were taken.
func afterwards(t *testing.T, random *rand.Rand) *ledgertest.World {
	t.Helper()
	w := ledgertest.New(t, func(c *ledger.Config) { c.VoidsPerDay = 1000 })
	rules := w.Submit(w.Sign(fullPolicy(w), "ada", "cleo")).ID
	both := []record.Role{record.RoleRatifier, record.RoleDecider} // whose late approvals are logged as void
	w.Submit(w.Sign(&record.KeyEnrol{Holder: "rae", JWK: ledgertest.JWK("rae"), Roles: both}, "ada", "ben", "rae"))
	w.Advance(400 * time.Hour)
	type open struct{ id, tip record.ID }
	waiting := map[string]*open{}
	send := func(p record.Payload, signers ...string) ledger.Outcome {
		t.Helper()
		out, err := w.Ledger.Submit(t.Context(), w.Sign(p, signers...), ledger.Options{LogVoid: true})
		if err != nil {
			t.Fatalf("%T: %v", p, err)
		}
		return out
	}
	for i := range 40 {
		w.Advance(time.Duration(random.IntN(90)) * time.Minute)
		d := w.Decision(fmt.Sprintf("afterwards-%d", i))
		d.Grounds = []record.Ground{{Policy: "full", Version: 1, Clause: "quick", Record: rules}}
		d.Action = record.Actions[random.IntN(4)]
		switch random.IntN(4) {
		case 0:
			d.Emergency = &record.Harm{Harm: "life"}
			out := send(d, []string{"dora", "erik"}[random.IntN(2)])
			waiting[d.Case] = &open{out.ID, out.ID}
		case 1:
			d.DecidedAt, d.EffectiveAt = d.DecidedAt-300*3600, d.EffectiveAt-300*3600
			if random.IntN(3) > 0 {
				d.Retrospective = &record.Retrospective{Why: "The ledger is younger."}
			}
			send(d, "dora", "erik")
		default:
			for _, name := range slices.Sorted(maps.Keys(waiting)) {
				o := waiting[name]
				if out := send(&record.Ratification{Case: name, Decision: o.id, Prev: o.tip, Lang: "en", Reasons: "It was right."}, "rae"); out.Standing.Effective() {
					o.tip = out.ID
				}
				if random.IntN(2) == 0 {
					delete(waiting, name)
				}
			}
		}
	}
	return w
}

// counted audits the files of a ledger and counts what the audit reads.
func counted(t *testing.T, w *ledgertest.World) stats.Figures {
	t.Helper()
	files := fstest.MapFS{}
	for path, b := range w.Files() {
		files[path] = &fstest.MapFile{Data: b}
	}
	p, err := verify.ParsePolicy(w.TrustPolicy())
	if err != nil {
		t.Fatal(err)
	}
	c := stats.NewCounter()
	sum, err := verify.Audit(context.Background(), verify.DirSource(files), p, verify.AuditOptions{
		Each: func(_ int64, r record.Checked, s rules.Standing) { c.Add(r, s) }})
	if err != nil || sum.Broken > 0 {
		t.Fatalf("%+v, %v", sum, err)
	}
	return c.Figures()
}

// A brute holds all entries of a ledger, and looks through them for each number.
type brute struct {
	entries []ledger.Entry
	records []*record.Unverified
}

func newBrute(t *testing.T, w *ledgertest.World) *brute {
	t.Helper()
	entries, err := w.Ledger.Entries(context.Background(), 0, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	b := &brute{entries: entries}
	for _, e := range entries {
		u, err := record.Parse(e.Record)
		if err != nil {
			t.Fatal(err)
		}
		b.records = append(b.records, u)
	}
	return b
}

// each calls yield for every record of a type and standing.
func each[P record.Payload](b *brute, effective bool, yield func(i int, p P)) {
	for i, r := range b.records {
		if p, ok := r.Payload().(P); ok && b.entries[i].Standing.Effective() == effective {
			yield(i, p)
		}
	}
}

func (b *brute) at(i int) int64 {
	return slices.MaxFunc(b.records[i].Headers(), func(x, y record.Header) int { return cmp.Compare(x.IAT, y.IAT) }).IAT
}

// who returns the signers of a record, looked up in what enrolled their keys
// before it.
func (b *brute) who(index int) map[string]bool {
	names := map[string]bool{}
	for _, h := range b.records[index].Headers() {
		holder := ""
		each(b, true, func(i int, p *record.Charter) {
			for _, f := range p.Founders {
				if f.JWK.KID() == h.KID {
					holder = f.Holder
				}
			}
		})
		each(b, true, func(i int, p *record.KeyEnrol) {
			if i < index && p.JWK.KID() == h.KID {
				holder = p.Holder
			}
		})
		names[holder] = true
	}
	return names
}

// concerns returns the index of the decision that an id means: its own, or that
// of the decision in whose place the ruling of this id is; -1 if there is none.
func (b *brute) concerns(id record.ID) int {
	found := -1
	each(b, true, func(i int, p *record.Decision) {
		if b.entries[i].ID == id {
			found = i
		}
	})
	each(b, true, func(i int, r *record.Ruling) {
		if b.entries[i].ID == id {
			each(b, true, func(j int, a *record.Appeal) {
				if b.entries[j].ID == r.Appeal {
					found = b.concerns(a.Decision)
				}
			})
		}
	})
	return found
}

func (b *brute) compare(t *testing.T, name string, got stats.Figures) {
	t.Helper()
	same := func(what string, got, want any) {
		t.Helper()
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %s is %+v, want %+v", name, what, got, want)
		}
	}
	var void, voidDecisions int64
	for _, e := range b.entries {
		if !e.Standing.Effective() {
			void++
		}
	}
	each(b, false, func(int, *record.Decision) { voidDecisions++ })
	same("size", got.Size, int64(len(b.entries)))
	same("void", []int64{got.Effective, got.Void, got.VoidDecisions}, []int64{got.Size - void, void, voidDecisions})
	for _, c := range got.Codes {
		n := int64(0)
		for _, e := range b.entries {
			for _, code := range e.Standing.Codes {
				if string(code) == c.Name {
					n++
				}
			}
		}
		same(c.Name, c.Count, n)
	}
	var months int64
	for _, m := range got.Months {
		n := int64(0)
		each(b, true, func(i int, p *record.Decision) {
			month := time.Unix(b.at(i), 0).UTC().Format("2006-01")
			if month == m.Month && p.ServiceLayer == m.Layer && p.Action == m.Action && (p.Retrospective != nil) == m.Retrospective {
				n++
			}
		})
		same("month "+m.Month, m.Count, n)
		months += n
	}
	same("decisions of all months", months, got.All.Decisions+got.All.Retrospective)
	same("all", got.All, b.clause(stats.Clause{}, func(*record.Decision) bool { return true }))
	rows, agreement := int64(0), stats.Pairs{}
	for _, c := range got.Clauses {
		under := func(p *record.Decision) bool {
			if p.ServiceLayer != c.Layer {
				return false
			}
			return len(p.Grounds) == 0 && c.Policy == "" && c.Clause == "" ||
				slices.ContainsFunc(p.Grounds, func(g record.Ground) bool { return g.Policy == c.Policy && g.Clause == c.Clause })
		}
		same("clause "+c.Clause, c, b.clause(stats.Clause{Policy: c.Policy, Clause: c.Clause, Layer: c.Layer}, under))
		b.pairs(under, &agreement, func(i, j int) bool { return !maps.Equal(b.who(i), b.who(j)) })
		rows += c.Decisions + c.Retrospective
	}
	if rows < months {
		t.Errorf("%s: the clauses have %d decisions of %d", name, rows, months)
	}
	same("deciders", got.Deciders, b.deciders(agreement))
}
