package ledger_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// refused submits a record that must be refused with exactly these codes, and
// leave no trace.
func refused(t *testing.T, w *ledgertest.World, b []byte, codes ...rules.Code) {
	t.Helper()
	before := w.Seen()
	_, err := w.Ledger.Submit(context.Background(), b, ledger.Options{})
	var r *ledger.RefusedError
	if !errors.As(err, &r) || !slices.Equal(r.Codes, codes) {
		t.Errorf("Submit: %v, want refused with %v", err, codes)
	}
	if w.Seen() != before {
		t.Errorf("the log has grown from %v to %v", before, w.Seen())
	}
}

func TestSameBytesAtOnce(t *testing.T) {
	w := ledgertest.New(t, nil)
	b := w.Sign(w.Decision("case-one"), "dora", "erik")
	outs := make([]ledger.Outcome, 64)
	var wg sync.WaitGroup
	for i := range outs {
		wg.Go(func() {
			var err error
			if outs[i], err = w.Ledger.Submit(context.Background(), b, ledger.Options{}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	fresh := 0
	for _, out := range outs {
		if out.Index != outs[0].Index || out.ID != record.IDOf(b) {
			t.Errorf("index %d, id %s; another caller got %d", out.Index, out.ID, outs[0].Index)
		}
		if !out.Known {
			fresh++
		}
		holds(t, w, b, out.Receipt)
	}
	if fresh != 1 {
		t.Errorf("%d callers were told that they were first", fresh)
	}
	audited(t, w)
}

func TestSamePayload(t *testing.T) {
	w := ledgertest.New(t, nil)
	first := w.Sign(w.Decision("case-one"), "dora", "erik")
	out := w.Submit(first)
	again, err := w.Ledger.Submit(context.Background(), w.Sign(w.Decision("case-one"), "dora", "erik"), ledger.Options{})
	if err != nil || !again.Known || again.ID != out.ID {
		t.Fatalf("the same payload, signed again: %+v, %v, want the outcome of %s", again, err, out.ID)
	}
	holds(t, w, first, again.Receipt)
}

// TestVoidNeverOccupies: a void record does not stand in the way of the same
// payload, signed as it should be.
func TestVoidNeverOccupies(t *testing.T) {
	w := ledgertest.New(t, nil)
	b := w.Sign(w.Decision("case-one"), "dora")
	refused(t, w, b, rules.QuorumShort)
	out, err := w.Ledger.Submit(context.Background(), b, ledger.Options{LogVoid: true})
	if err != nil || !slices.Equal(out.Standing.Codes, []rules.Code{rules.QuorumShort}) {
		t.Fatalf("log as void: %+v, %v", out, err)
	}
	good := w.Submit(w.Sign(w.Decision("case-one"), "dora", "erik"))
	if good.ID == out.ID {
		t.Error("the void record was taken for the effective one")
	}
	audited(t, w)
}

func TestLogVoidLimits(t *testing.T) {
	w := ledgertest.New(t, func(c *ledger.Config) { c.VoidsPerDay = 2 })
	void := func(name string, signers ...string) error {
		d := w.Decision(name)
		d.Grounds = nil
		_, err := w.Ledger.Submit(context.Background(), w.Sign(d, signers...), ledger.Options{LogVoid: true})
		return err
	}
	if err := void("case-x", "fay"); !errors.Is(err, ledger.ErrVoidSigner) {
		t.Errorf("a ratifier alone: %v, want ErrVoidSigner", err)
	}
	for _, name := range []string{"case-a", "case-b"} {
		if err := void(name, "dora"); err != nil {
			t.Error(err)
		}
	}
	if err := void("case-c", "dora"); !errors.Is(err, ledger.ErrVoidLimit) {
		t.Errorf("a third one: %v, want ErrVoidLimit", err)
	}
	w.Advance(24 * time.Hour)
	if err := void("case-d", "dora"); err != nil {
		t.Errorf("the day after: %v", err)
	}
	u, err := record.ParseDraft(w.Sign(w.Decision("case-e")))
	if err != nil {
		t.Fatal(err)
	}
	u, err = u.Sign(ledgertest.Key("dora"), w.Now().Unix(), 99, record.Seen{Size: 3, Root: ledgertest.Ref("another log")})
	if err != nil {
		t.Fatal(err)
	}
	var r *ledger.RefusedError
	if _, err := w.Ledger.Submit(context.Background(), u.Bytes(), ledger.Options{LogVoid: true}); !errors.As(err, &r) {
		t.Errorf("seen on another log: %v, want it refused", err)
	}
	audited(t, w)
}

func TestRaceForACase(t *testing.T) {
	w := ledgertest.New(t, nil)
	a, b := w.Decision("case-one"), w.Decision("case-one")
	b.Reasons = "Other reasons."
	errs := make([]error, 2)
	var wg sync.WaitGroup
	for i, r := range [][]byte{w.Sign(a, "dora", "erik"), w.Sign(b, "dora", "erik")} {
		wg.Go(func() { _, errs[i] = w.Ledger.Submit(context.Background(), r, ledger.Options{}) })
	}
	wg.Wait()
	lost := errors.Join(errs...)
	var r *ledger.RefusedError
	if errs[0] != nil && errs[1] != nil || !errors.As(lost, &r) || !slices.Equal(r.Codes, []rules.Code{rules.CaseExists, rules.CaseTransition}) && !slices.Equal(r.Codes, []rules.Code{rules.CaseExists}) {
		t.Errorf("got %v and %v, want one refused with case.exists", errs[0], errs[1])
	}
	audited(t, w)
}

func TestBusy(t *testing.T) {
	w := ledgertest.New(t, func(c *ledger.Config) { c.QueueSize = 1 })
	var records [][]byte
	for i := range 32 {
		records = append(records, w.Sign(w.Decision("case-"+string(rune('a'+i%26))+string(rune('a'+i/26))), "dora", "erik"))
	}
	var wg sync.WaitGroup
	errs := make([]error, len(records))
	start := make(chan struct{})
	for i, b := range records {
		wg.Go(func() {
			<-start
			_, errs[i] = w.Ledger.Submit(context.Background(), b, ledger.Options{})
		})
	}
	close(start)
	wg.Wait()
	busy := 0
	for i, err := range errs {
		switch {
		case errors.Is(err, ledger.ErrBusy):
			busy++
			w.Submit(records[i]) // again in a moment
		case err != nil:
			t.Error(err)
		}
	}
	if busy == 0 {
		t.Error("32 at once through a queue of 1, and nobody was told to wait")
	}
	if sum := audited(t, w); sum.Effective != int64(6+len(records)) {
		t.Errorf("%d effective, want %d", sum.Effective, 6+len(records))
	}
}

func TestDiskFull(t *testing.T) {
	w := ledgertest.New(t, nil)
	b := w.Sign(w.Decision("case-one"), "dora", "erik")
	before := w.Seen()
	w.DiskFull.Store(true)
	if _, err := w.Ledger.Submit(context.Background(), b, ledger.Options{}); !errors.Is(err, ledger.ErrDiskFull) {
		t.Errorf("Submit: %v, want ErrDiskFull", err)
	}
	if w.Seen() != before {
		t.Error("the log has grown")
	}
	w.DiskFull.Store(false)
	holds(t, w, b, w.Submit(b).Receipt)
	audited(t, w)
}

func TestGivenUp(t *testing.T) {
	w := ledgertest.New(t, nil)
	b := w.Sign(w.Decision("case-one"), "dora", "erik")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := w.Ledger.Submit(ctx, b, ledger.Options{})
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	out, err := w.Ledger.Submit(context.Background(), b, ledger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	holds(t, w, b, out.Receipt)
}

// TestClose closes the ledger under load: everybody is answered, and everyone
// who was told of success finds the record after the restart.
func TestClose(t *testing.T) {
	w := ledgertest.New(t, nil)
	var records [][]byte
	for i := range 200 {
		d := w.Decision("case-" + string(rune('a'+i%20)) + string(rune('a'+i/20)))
		d.Grounds[0].Clause = "solo"
		records = append(records, w.Sign(d, "dora"))
	}
	outs := make([]ledger.Outcome, len(records))
	errs := make([]error, len(records))
	var wg sync.WaitGroup
	l := w.Ledger
	for i, b := range records {
		wg.Go(func() { outs[i], errs[i] = l.Submit(context.Background(), b, ledger.Options{}) })
	}
	time.Sleep(5 * time.Millisecond)
	w.Close()
	wg.Wait()
	w.OpenParts()
	w.OpenLedger()
	for i, err := range errs {
		switch {
		case err == nil:
			if e, err := w.Ledger.Record(context.Background(), outs[i].ID); err != nil || e.Index != outs[i].Index {
				t.Errorf("record %d was acknowledged at %d: %v, %v", i, outs[i].Index, e.Index, err)
			}
			holds(t, w, records[i], outs[i].Receipt)
		case !errors.Is(err, ledger.ErrStopping):
			t.Errorf("record %d: %v", i, err)
		}
	}
	audited(t, w)
}

func TestAdmission(t *testing.T) {
	w := ledgertest.New(t, nil)
	late := w.Sign(w.Decision("case-one"), "dora", "erik")
	w.Advance(721 * time.Hour)
	refused(t, w, late, ledger.DraftExpired)
	early := w.Sign(w.Decision("case-two"), "dora", "erik")
	w.Advance(-6 * time.Minute)
	refused(t, w, early, ledger.IATAhead)
	w.Advance(2 * time.Minute)
	w.Submit(early)
}
