package api_test

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"testing"

	"github.com/docket-ledger/docket/api"
	"github.com/docket-ledger/docket/api/client"
	"github.com/docket-ledger/docket/api/problem"
	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
	"github.com/docket-ledger/docket/verify/telling"
)

// A likeness is what makes cases alike.
type likeness struct {
	policy, clause string
	layer          record.ServiceLayer
}

// countLike counts like cases as they come in the log, but those of a case.
func countLike(t *testing.T, w *ledgertest.World, except string) (map[likeness]map[record.Action]int64, map[likeness][]record.ID) {
	t.Helper()
	counts, ids := map[likeness]map[record.Action]int64{}, map[likeness][]record.ID{}
	for from := int64(0); ; {
		entries, err := w.Ledger.Entries(context.Background(), from, 1000)
		if err != nil {
			t.Fatal(err)
		}
		if len(entries) == 0 {
			return counts, ids
		}
		for _, e := range entries {
			from = e.Index + 1
			u, err := record.Parse(e.Record)
			if err != nil {
				continue
			}
			d, ok := u.Payload().(*record.Decision)
			if !ok || !e.Standing.Effective() || d.Action == record.Reinstate || d.Case == except {
				continue
			}
			once := map[likeness]bool{}
			for _, g := range d.Grounds {
				k := likeness{g.Policy, g.Clause, d.ServiceLayer}
				if g.Policy == "" || once[k] {
					continue
				}
				once[k] = true
				if counts[k] == nil {
					counts[k] = map[record.Action]int64{}
				}
				counts[k][d.Action]++
				ids[k] = append(ids[k], e.ID)
			}
		}
	}
}

// TestPrecedents: over a ledger with everything, like cases are those that a count of
// the log finds.
func TestPrecedents(t *testing.T) {
	w := ledgertest.NewVaried(t, 2000)
	url, _ := serveWith(t, w.Ledger, api.Options{Index: followed(t, w.Ledger)})
	c, err := client.New(url)
	if err != nil {
		t.Fatal(err)
	}
	all, ids := countLike(t, w, "")
	several := 0
	for k, want := range all {
		got, err := c.Precedents(t.Context(), client.Likeness{Policy: k.policy, Clause: k.clause, Layer: k.layer, Limit: 3})
		if err != nil {
			t.Fatal(err)
		}
		counted, total := map[record.Action]int64{}, int64(0)
		for _, a := range got.Actions {
			counted[a.Action] = a.Count
			total += a.Count
		}
		if !maps.Equal(counted, want) || got.Total != total {
			t.Errorf("%v: %v of %d, want %v", k, counted, got.Total, want)
		}
		if len(want) > 1 {
			several++
		}
		var newest []record.ID
		for _, p := range got.Newest {
			newest = append(newest, p.ID)
			if p.Gist == "" || p.Version == 0 || telling.Status(p.Status) == string(p.Status) {
				t.Errorf("%v: %+v", k, p)
			}
		}
		latest := slices.Clone(ids[k])
		slices.Reverse(latest)
		if latest = latest[:min(3, len(latest))]; !slices.Equal(newest, latest) {
			t.Errorf("%v: newest %v, want %v", k, newest, latest)
		}
	}
	if several < 3 {
		t.Errorf("%d clauses have different outcomes: too few to tell", several)
	}
}

// TestPrecedentsStand: like cases say what became of them, the case that is to be
// decided is none of its own, and most of them have to differ.
func TestPrecedentsStand(t *testing.T) {
	w, url, c := searched(t)
	for _, name := range []string{"one", "two"} {
		w.Submit(w.Sign(w.Decision("case-"+name), "dora", "erik"))
	}
	warn := w.Decision("case-three")
	warn.Action = record.Warn
	id := w.Submit(w.Sign(warn, "dora", "erik")).ID
	again := w.Decision("case-three")
	again.Prev = id
	last := w.Submit(w.Sign(again, "dora", "erik"))
	like := client.Likeness{Policy: "abuse", Clause: "hosting", Layer: "hosting", AtLeast: last.Index + 1}
	got, err := c.Precedents(t.Context(), like)
	if err != nil || got.Total != 4 || got.Newest[0].Status != rules.InForce || got.Newest[1].ID != id || got.Newest[1].Status != rules.Superseded {
		t.Errorf("%+v, %v", got, err)
	}
	like.Except, like.Limit = "case-three", 1
	other, err := c.Precedents(t.Context(), like)
	if err != nil || other.Total != 2 || len(other.Newest) != 1 || other.Newest[0].Case != "case-two" {
		t.Errorf("but the case itself: %+v, %v", other, err)
	}
	if !other.Differs(record.Warn) || other.Differs(record.Suspend) || (&client.Precedents{}).Differs(record.Warn) {
		t.Error("what differs from most, and from none")
	}
	if _, err := c.Precedents(t.Context(), client.Likeness{Policy: "none", Clause: "hosting", Layer: "hosting"}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a policy that is not there: %v", err)
	}
	for _, query := range []string{"", "policy=abuse&clause=hosting", "policy=abuse&clause=hosting&layer=cloud", "policy=abuse&clause=hosting&layer=hosting&layer=dns",
		"policy=abuse&clause=hosting&layer=hosting&action=warn", "policy=abuse&clause=hosting&layer=hosting&limit=0", "policy=abuse&clause=none&layer=hosting"} {
		res, body := do(t, "GET", url+"/v1/precedents?"+query, nil)
		if p := problem.Parse(res.StatusCode, res.Header.Get("Content-Type"), []byte(body)); p.Status != 400 || p.Code != problem.BadQuery {
			t.Errorf("%s: %d %s", query, res.StatusCode, body)
		}
	}
}
