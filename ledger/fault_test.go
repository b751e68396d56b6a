package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/ledger/tree"
)

var errInjected = errors.New("injected")

// given keeps what callers were told, to be held against the ledger for ever.
type given struct{ records, receipts [][]byte }

func (g *given) submit(w *ledgertest.World, name string) {
	b := w.Sign(solo(w, name), "dora")
	g.records = append(g.records, b)
	g.receipts = append(g.receipts, w.Submit(b).Receipt)
}

func (g *given) hold(t *testing.T, w *ledgertest.World) {
	t.Helper()
	for i := range g.records {
		holds(t, w, g.records[i], g.receipts[i])
		out, err := w.Ledger.Submit(context.Background(), g.records[i], ledger.Options{})
		if err != nil || !out.Known {
			t.Errorf("record %d, that was acknowledged, again: %+v, %v", i, out, err)
		}
	}
}

// TestFaults lets each step of a batch fail, after it happened or before, with
// the state on the disk or lost. Every caller is told, nothing more is signed,
// the next start finds out what happened, and an auditor has nothing to say.
func TestFaults(t *testing.T) {
	unknown := func() error { return fmt.Errorf("%w: injected", tree.ErrUnknown) }
	for _, fault := range []struct {
		name     string
		arm      func(w *ledgertest.World, h *hookedLog) error
		happened bool // the record is in the log after it
	}{
		{"before the append", func(_ *ledgertest.World, h *hookedLog) error { h.beforeAppend = unknown; return nil }, false},
		{"after the append", func(_ *ledgertest.World, h *hookedLog) error { h.afterAppend = unknown; return nil }, true},
		{"before the append, of a kind that nobody knows", func(_ *ledgertest.World, h *hookedLog) error {
			h.beforeAppend = func() error { return errInjected }
			return nil
		}, false},
		{"at the head", func(_ *ledgertest.World, h *hookedLog) error {
			h.head = func() error { return errInjected }
			return nil
		}, true},
		{"at the guard", func(w *ledgertest.World, _ *hookedLog) error { return w.Ledger.BreakGuard() }, true},
	} {
		for _, stateLost := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/stateLost=%v", fault.name, stateLost), func(t *testing.T) {
				w, h := newHooked(t)
				var told given
				told.submit(w, "case-a")
				if err := fault.arm(w, h); err != nil {
					t.Fatal(err)
				}
				b := w.Sign(solo(w, "case-b"), "dora")
				halts(t, w, b)
				told.reopen(t, w, stateLost)
				out, err := w.Ledger.Submit(context.Background(), b, ledger.Options{})
				if err != nil || out.Known != fault.happened || out.Index != 7 {
					t.Fatalf("the same bytes after the restart: %+v, %v, want Known %v", out, err, fault.happened)
				}
				holds(t, w, b, out.Receipt)
				told.submit(w, "case-c")
				told.hold(t, w)
				audited(t, w)
			})
		}
	}
}

// halts submits b to a ledger that is to fail, and checks how it stands then.
func halts(t *testing.T, w *ledgertest.World, b []byte) {
	t.Helper()
	before := w.Seen()
	for _, when := range []string{"at the fault", "after the fault"} {
		if _, err := w.Ledger.Submit(context.Background(), b, ledger.Options{}); !errors.Is(err, ledger.ErrHalted) {
			t.Fatalf("Submit %s: %v, want ErrHalted", when, err)
		}
	}
	select {
	case <-w.Ledger.Halted():
	default:
		t.Error("Halted is not closed")
	}
	if err := w.Ledger.Ready(); !errors.Is(err, ledger.ErrHalted) {
		t.Errorf("Ready: %v, want ErrHalted", err)
	}
	if n := w.Ledger.Taken(); n != 0 {
		t.Errorf("%d places are still taken", n)
	}
	if w.Seen() != before {
		t.Errorf("it published %v after %v", w.Seen(), before)
	}
	audited(t, w) // what was signed is still served, and holds
}

func (g *given) reopen(t *testing.T, w *ledgertest.World, stateLost bool) {
	t.Helper()
	w.Ledger.Close() // of a guard that is broken: an error
	w.CloseParts()
	w.Ledger = nil
	if stateLost {
		if err := os.RemoveAll(filepath.Join(w.Dir, "state")); err != nil {
			t.Fatal(err)
		}
	}
	w.OpenParts()
	w.OpenLedger()
}

// TestFaultsAtStart: a start that fails signs nothing, leaves nothing open, and
// can be made again.
func TestFaultsAtStart(t *testing.T) {
	w := ledgertest.New(t, nil)
	var told given
	told.submit(w, "case-a")
	w.Close()
	w.OpenParts()
	h := &hookedLog{Log: w.Config.Log, head: func() error { return errInjected }}
	w.Config.Log = h
	if _, err := ledger.Open(context.Background(), w.Config); !errors.Is(err, errInjected) {
		t.Fatalf("Open: %v, want the injected error", err)
	}
	h.head = nil
	w.OpenLedger()
	told.hold(t, w)
	told.submit(w, "case-b")
	audited(t, w)
}

// TestCommittedNotSigned: after a crash between commit and signature, the start
// signs what is in the log.
func TestCommittedNotSigned(t *testing.T) {
	w := ledgertest.New(t, nil)
	var told given
	told.submit(w, "case-a")
	b := w.Sign(solo(w, "case-b"), "dora")
	w.Close()
	w.OpenParts()
	if _, err := w.Config.Log.Append(context.Background(), [][]byte{b}); err != nil {
		t.Fatal(err)
	}
	w.OpenLedger()
	if now := w.Seen(); now.Size != 8 {
		t.Errorf("size %d, want 8", now.Size)
	}
	out, err := w.Ledger.Submit(context.Background(), b, ledger.Options{})
	if err != nil || !out.Known || out.Index != 7 || !out.Standing.Effective() {
		t.Errorf("the record: %+v, %v", out, err)
	}
	told.hold(t, w)
	audited(t, w)
}

// TestForeignAppend: someone else wrote to the log while the ledger ran.
func TestForeignAppend(t *testing.T) {
	w, h := newHooked(t)
	if _, err := h.Log.Append(context.Background(), [][]byte{[]byte("x")}); err != nil {
		t.Fatal(err)
	}
	halts(t, w, w.Sign(solo(w, "case-a"), "dora"))
}
