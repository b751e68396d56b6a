package ledger_test

import (
	"testing"

	"github.com/docket-ledger/docket/ledger/ledgertest"
)

func TestSubmit(t *testing.T) {
	w := ledgertest.New(t, nil)
	out := w.Submit(w.Sign(w.Decision("case-one"), "dora", "erik"))
	if out.Index != 6 {
		t.Errorf("index %d, want 6", out.Index)
	}
	w.Reopen()
	w.Submit(w.Sign(w.Decision("case-two"), "dora", "erik"))
}
