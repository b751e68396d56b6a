package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/ledger/tree"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// solo is a decision that one decider may take.
func solo(w *ledgertest.World, name string) *record.Decision {
	d := w.Decision(name)
	d.Grounds[0].Clause = "solo"
	return d
}

// TestSamePayloadInABatch: what others sign with the same payload gets the
// receipt of the record that was first.
func TestSamePayloadInABatch(t *testing.T) {
	w, h := newHooked(t)
	first := w.Sign(solo(w, "case-one"), "dora")
	other := w.Sign(solo(w, "case-one"), "erik")
	s := newStall(t, w, h)
	a := s.submit(context.Background(), first, ledger.Options{})
	b := s.submit(context.Background(), other, ledger.Options{})
	c := s.submit(context.Background(), first, ledger.Options{})
	s.release()
	if a.err != nil || a.out.Known {
		t.Fatalf("the first: %+v, %v", a.out, a.err)
	}
	for name, r := range map[string]*result{"another signer": b, "the same bytes": c} {
		if r.err != nil || !r.out.Known || r.out.ID != a.out.ID || r.out.Index != a.out.Index {
			t.Errorf("%s: %+v, %v, want the outcome of %s", name, r.out, r.err, a.out.ID)
			continue
		}
		holds(t, w, first, r.out.Receipt)
	}
	audited(t, w)
}

// TestVoidThatWouldCount: a record is logged as void; the next one makes the
// rules take it; the same bytes, which were looked up before, are judged after.
// They are in the log once, and void.
func TestVoidThatWouldCount(t *testing.T) {
	for _, oneBatch := range []bool{true, false} {
		t.Run(fmt.Sprintf("oneBatch=%v", oneBatch), func(t *testing.T) {
			w, h := newHooked(t)
			void := w.Sign(&record.KeyRevoke{KID: ledgertest.JWK("tim").KID(), Reason: record.Retired}, "ada", "ben")
			enrol := w.Sign(&record.KeyEnrol{Holder: "tim", JWK: ledgertest.JWK("tim"), Roles: []record.Role{record.RoleDecider}}, "ada", "ben", "tim")
			run := voidInTurns
			if oneBatch {
				run = voidInABatch
			}
			first, again := run(t, w, h, void, enrol)
			if first.err != nil || !slices.Equal(first.out.Standing.Codes, []rules.Code{rules.RevokeUnknown}) {
				t.Fatalf("the first: %+v, %v, want revoke.unknown", first.out, first.err)
			}
			if again.err != nil || !again.out.Known || again.out.Index != first.out.Index {
				t.Fatalf("the same bytes again: %+v, %v", again.out, again.err)
			}
			holds(t, w, void, again.out.Receipt)
			if err := w.Ledger.Ready(); err != nil {
				t.Error(err)
			}
			audited(t, w)
		})
	}
}

func voidInABatch(t *testing.T, w *ledgertest.World, h *hookedLog, void, enrol []byte) (first, again *result) {
	s := newStall(t, w, h)
	first = s.submit(context.Background(), void, ledger.Options{LogVoid: true})
	s.submit(context.Background(), enrol, ledger.Options{})
	again = s.submit(context.Background(), void, ledger.Options{})
	s.release()
	return first, again
}

func voidInTurns(_ *testing.T, w *ledgertest.World, h *hookedLog, void, enrol []byte) (first, again *result) {
	var looked atomic.Bool
	reached, gate, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	h.index = func(leaf tlog.Hash) {
		if leaf == tlog.RecordHash(void) && looked.CompareAndSwap(false, true) {
			close(reached)
			<-gate
		}
	}
	first, again = &result{}, &result{}
	go func() {
		defer close(done)
		again.out, again.err = w.Ledger.Submit(context.Background(), void, ledger.Options{})
	}()
	<-reached
	first.out, first.err = w.Ledger.Submit(context.Background(), void, ledger.Options{LogVoid: true})
	w.Submit(enrol)
	close(gate)
	<-done
	return first, again
}

// TestGivenUpWhileWaiting: the caller goes, the record does not; the same bytes
// give the receipt.
func TestGivenUpWhileWaiting(t *testing.T) {
	w, h := newHooked(t)
	b := w.Sign(w.Decision("case-one"), "dora", "erik")
	s := newStall(t, w, h)
	ctx, cancel := context.WithCancel(context.Background())
	r := s.submit(ctx, b, ledger.Options{})
	cancel()
	if n := w.Ledger.Taken(); n != 2 {
		t.Errorf("%d places taken, want 2: the place is the writer's to free", n)
	}
	s.release()
	if r.err != nil && !errors.Is(r.err, context.Canceled) {
		t.Fatal(r.err)
	}
	out, err := w.Ledger.Submit(context.Background(), b, ledger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	holds(t, w, b, out.Receipt)
	if n := w.Ledger.Taken(); n != 0 {
		t.Errorf("%d places are still taken", n)
	}
	audited(t, w)
}

// TestBusyAtOnce fills the queue: the next caller is told at once, all others
// are answered.
func TestBusyAtOnce(t *testing.T) {
	h := &hookedLog{}
	w := ledgertest.New(t, func(c *ledger.Config) {
		h.Log = c.Log
		c.Log, c.QueueSize = h, 4
	})
	s := newStall(t, w, h)
	var waiting []*result
	for i := range 3 {
		waiting = append(waiting, s.submit(context.Background(), w.Sign(solo(w, fmt.Sprintf("case-%d", i)), "dora"), ledger.Options{}))
	}
	late := w.Sign(solo(w, "case-late"), "dora")
	if _, err := w.Ledger.Submit(context.Background(), late, ledger.Options{}); !errors.Is(err, ledger.ErrBusy) {
		t.Errorf("with a full queue: %v, want ErrBusy", err)
	}
	s.release()
	for i, r := range waiting {
		if r.err != nil {
			t.Errorf("caller %d: %v", i, r.err)
		}
	}
	w.Submit(late)
}

// TestPanicGivesThePlaceBack: a panic in the caller's part costs no place in the
// queue, and Close does not wait for it.
func TestPanicGivesThePlaceBack(t *testing.T) {
	w, h := newHooked(t)
	h.index = func(tlog.Hash) { panic("injected") }
	func() {
		defer func() {
			if recover() == nil {
				t.Error("no panic")
			}
		}()
		w.Ledger.Submit(context.Background(), []byte("x"), ledger.Options{})
	}()
	h.index = nil
	if n := w.Ledger.Taken(); n != 0 {
		t.Errorf("%d places are still taken", n)
	}
	w.Close()
}

// TestFullBatch: when the disk is full the whole batch is answered, nothing is
// written, and it goes on when there is room.
func TestFullBatch(t *testing.T) {
	w, h := newHooked(t)
	before := w.Seen()
	a, b := w.Sign(solo(w, "case-one"), "dora"), w.Sign(w.Decision("case-two"), "dora")
	s := newStall(t, w, h)
	full := true
	first := h.beforeAppend
	h.beforeAppend = func() error {
		if err := first(); err != nil || !full {
			return err
		}
		return fmt.Errorf("%w: injected", tree.ErrFull)
	}
	results := []*result{
		s.submit(context.Background(), a, ledger.Options{}),
		s.submit(context.Background(), a, ledger.Options{}),
		s.submit(context.Background(), b, ledger.Options{LogVoid: true}),
	}
	s.release()
	for i, r := range results {
		if !errors.Is(r.err, ledger.ErrDiskFull) || errors.Is(r.err, ledger.ErrHalted) {
			t.Errorf("caller %d: %+v, %v, want ErrDiskFull", i, r.out, r.err)
		}
	}
	full = false
	if now := w.Seen(); now.Size != before.Size+1 {
		t.Errorf("%d records, want %d", now.Size, before.Size+1)
	}
	out, err := w.Ledger.Submit(context.Background(), b, ledger.Options{LogVoid: true})
	if err != nil || out.Known || out.Standing.Effective() {
		t.Errorf("the void record again: %+v, %v", out, err)
	}
	holds(t, w, a, w.Submit(a).Receipt)
	audited(t, w)
	w.Reopen()
	audited(t, w)
}
