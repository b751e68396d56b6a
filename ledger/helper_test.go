package ledger_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/ledger/tree"
)

// A hookedLog is a tree.Log that does as it is told. Its hooks may be set while
// nothing runs.
type hookedLog struct {
	tree.Log
	beforeAppend func() error             // its error is returned, and nothing appended
	afterAppend  func() error             // its error is returned, after the append
	head         func() error             // its error is returned by Head
	index        func(leafHash tlog.Hash) // runs after each lookup
	leaves       atomic.Int64             // how many leaves were read
}

func (h *hookedLog) Append(ctx context.Context, leaves [][]byte) ([]int64, error) {
	if h.beforeAppend != nil {
		if err := h.beforeAppend(); err != nil {
			return nil, err
		}
	}
	indexes, err := h.Log.Append(ctx, leaves)
	if h.afterAppend != nil {
		err = errors.Join(err, h.afterAppend())
	}
	return indexes, err
}

func (h *hookedLog) Head(ctx context.Context) (tree.Head, error) {
	if h.head != nil {
		if err := h.head(); err != nil {
			return tree.Head{}, err
		}
	}
	return h.Log.Head(ctx)
}

func (h *hookedLog) Index(ctx context.Context, leafHash tlog.Hash) (int64, error) {
	index, err := h.Log.Index(ctx, leafHash)
	if h.index != nil {
		h.index(leafHash)
	}
	return index, err
}

func (h *hookedLog) Leaves(ctx context.Context, start, end int64) ([][]byte, error) {
	h.leaves.Add(end - start)
	return h.Log.Leaves(ctx, start, end)
}

// newHooked returns a World whose ledger runs on a hookedLog.
func newHooked(t *testing.T) (*ledgertest.World, *hookedLog) {
	t.Helper()
	h := &hookedLog{}
	w := ledgertest.New(t, func(c *ledger.Config) {
		h.Log = c.Log
		c.Log = h
	})
	return w, h
}

// A stall lets the writer wait in its next append, so that what is submitted
// meanwhile makes one batch.
type stall struct {
	t    *testing.T
	w    *ledgertest.World
	gate chan struct{}
	wg   sync.WaitGroup
}

// newStall submits a record that waits in Append.
func newStall(t *testing.T, w *ledgertest.World, h *hookedLog) *stall {
	t.Helper()
	s := &stall{t: t, w: w, gate: make(chan struct{})}
	reached := make(chan struct{})
	var once sync.Once
	h.beforeAppend = func() error {
		once.Do(func() { close(reached); <-s.gate })
		return nil
	}
	b := w.Sign(w.Decision("case-stalled"), "dora", "erik")
	s.wg.Go(func() {
		if _, err := w.Ledger.Submit(context.Background(), b, ledger.Options{}); err != nil {
			t.Errorf("the record that waits: %v", err)
		}
	})
	<-reached
	return s
}

// submit submits b in the background and returns once it waits for the writer.
func (s *stall) submit(ctx context.Context, b []byte, opt ledger.Options) *result {
	s.t.Helper()
	r := &result{}
	queued := s.w.Ledger.Queued() + 1
	done := make(chan struct{})
	s.wg.Go(func() {
		defer close(done)
		r.out, r.err = s.w.Ledger.Submit(ctx, b, opt)
	})
	for s.w.Ledger.Queued() < queued {
		select {
		case <-done:
			s.t.Fatalf("submit: %+v, %v, want it to wait", r.out, r.err)
		default:
			runtime.Gosched()
		}
	}
	return r
}

// release lets the writer go on, and waits for all answers.
func (s *stall) release() {
	close(s.gate)
	s.wg.Wait()
}

// A result may be read after release.
type result struct {
	out ledger.Outcome
	err error
}
