package ledger_test

import (
	"context"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// TestStands: where the decisions and rulings of a case stand, and what is owed in
// that case and no other.
func TestStands(t *testing.T) {
	w := ledgertest.New(t, nil)
	ids := w.EveryType("Some text.")
	for _, typ := range record.Types {
		if ids[typ] == "" {
			t.Errorf("EveryType logs no %s", typ)
		}
	}
	ctx := context.Background()
	s, err := w.Ledger.Stands(ctx, ledgertest.EveryCase, ids[record.TypeDecision], ids[record.TypeRuling], ids["void"], ids[record.TypeRatification])
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Decided) != 2 || s.Decided[ids[record.TypeDecision]].Status != rules.Modified || s.Decided[ids[record.TypeRuling]].Status != rules.InForce {
		t.Errorf("decided: %+v", s.Decided)
	}
	of := map[record.ID]string{ids["void"]: "voided", ids[record.TypeCharter]: "", "d-x": "nowhere"}
	for id := range s.Decided {
		of[id] = ledgertest.EveryCase
	}
	if statuses, err := w.Ledger.Statuses(ctx, of); err != nil || !maps.Equal(statuses, s.Decided) {
		t.Errorf("Statuses: %+v, %v; Stands says %+v", statuses, err, s.Decided)
	}
	w.Advance(40 * 24 * time.Hour)
	w.Timemark("w1", "w2")
	all, err := w.Ledger.Due(ctx, w.Now().Unix())
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]bool{}
	for _, d := range all.Duties {
		cases[d.Case] = true
	}
	for _, name := range []string{ledgertest.EveryCase, "emergency", "voided", "nowhere"} {
		s, err := w.Ledger.Stands(ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		var want []rules.Duty
		for _, d := range all.Duties {
			if d.Case == name {
				want = append(want, d.Duty)
			}
		}
		if !slices.Equal(s.Duties, want) || s.Time != all.Time || s.Size != all.Size {
			t.Errorf("%s: %+v, want %+v", name, s, want)
		}
	}
	if len(cases) == 0 {
		t.Error("nothing is owed anywhere, so nothing was compared")
	}
}
