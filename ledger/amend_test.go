package ledger_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/verify/record"
)

// TestAmendedAdmission: admission goes by the terms in force, not by those of
// the start.
func TestAmendedAdmission(t *testing.T) {
	w := ledgertest.New(t, nil)
	old := w.Sign(solo(w, "case-old"), "dora")
	p := &record.CharterAmend{Terms: w.Charter().Terms, Reasons: "shorter drafts"}
	w.Advance(2 * time.Hour)
	p.DraftLife = 1
	w.Submit(w.Sign(p, "ada", "ben"))
	_, err := w.Ledger.Submit(context.Background(), old, ledger.Options{})
	var refused *ledger.RefusedError
	if !errors.As(err, &refused) || !slices.Contains(refused.Codes, ledger.DraftExpired) {
		t.Errorf("a draft of two hours under the amended draft_life: %v, want %s", err, ledger.DraftExpired)
	}
	w.Reopen()
	if _, err = w.Ledger.Submit(context.Background(), old, ledger.Options{}); !errors.As(err, &refused) {
		t.Errorf("after a restart: %v", err)
	}
	out := w.Submit(w.Sign(solo(w, "case-new"), "dora"))
	full(t, w, out.ID) // the amendment is among its support
}
