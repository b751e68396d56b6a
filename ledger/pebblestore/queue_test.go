package pebblestore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/trillian"
	"github.com/google/trillian/storage"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/docket-ledger/docket/ledger/pebblestore"
)

// TestDuplicates queues leaves that are queued, integrated, or twice in a call.
// The original comes back, with its own extra data and time.
func TestDuplicates(t *testing.T) {
	inModes(t, func(t *testing.T, mode pebblestore.QueueMode) {
		l := newLog(t, open(t, pebblestore.Options{Queue: mode}, false))
		original := leaf("a")
		original.ExtraData = []byte("original")
		first := clock.Now()
		if _, err := l.ls.QueueLeaves(t.Context(), l.tree, []*trillian.LogLeaf{original}, first); err != nil {
			t.Fatal(err)
		}
		for _, integrated := range []bool{false, true} {
			if integrated {
				if n, err := l.integrate(10); err != nil || n < 1 {
					t.Fatalf("integrated %d, %v", n, err)
				}
			}
			fresh := leaf("fresh %v", integrated)
			copied := leaf("a")
			copied.ExtraData = []byte("another")
			again := leaf("fresh %v", integrated)
			queued, err := l.ls.QueueLeaves(t.Context(), l.tree, []*trillian.LogLeaf{copied, fresh, again}, clock.Now())
			if err != nil || len(queued) != 3 {
				t.Fatal(len(queued), err)
			}
			if got := queued[0].Leaf; status.FromProto(queued[0].Status).Code() != codes.AlreadyExists || string(got.ExtraData) != "original" || !got.QueueTimestamp.AsTime().Equal(first) {
				t.Errorf("integrated=%v: leaf %+v with status %v is not the original", integrated, got, queued[0].Status)
			}
			if queued[1].Status != nil {
				t.Errorf("integrated=%v: new leaf has status %v", integrated, queued[1].Status)
			}
			if status.FromProto(queued[2].Status).Code() != codes.AlreadyExists {
				t.Errorf("integrated=%v: leaf that is twice in a call has status %v", integrated, queued[2].Status)
			}
		}
		if n, err := l.integrate(10); err != nil || n != 1 {
			t.Errorf("integrated %d, %v; want 1", n, err)
		}
		if size, err := l.recompute(); err != nil || size != 3 {
			t.Errorf("size %d, %v; want 3", size, err)
		}
	})
}

// TestDuplicatesBigBatch queues a batch twice, backwards the second time.
func TestDuplicatesBigBatch(t *testing.T) {
	inModes(t, func(t *testing.T, mode pebblestore.QueueMode) {
		l := newLog(t, open(t, pebblestore.Options{Queue: mode}, false))
		if err := l.queue(leaves(0, 1000)...); err != nil {
			t.Fatal(err)
		}
		again := leaves(0, 1000)
		slices.Reverse(again)
		queued, err := l.ls.QueueLeaves(t.Context(), l.tree, again, clock.Now())
		if err != nil {
			t.Fatal(err)
		}
		for i, q := range queued {
			if status.FromProto(q.Status).Code() != codes.AlreadyExists {
				t.Fatalf("leaf %d: %v", i, q.Status)
			}
		}
		if n, err := l.integrate(2000); err != nil || n != 1000 {
			t.Errorf("integrated %d, %v", n, err)
		}
	})
}

// TestGuardWindow dequeues what was queued up to the cutoff, that time included.
func TestGuardWindow(t *testing.T) {
	inModes(t, func(t *testing.T, mode pebblestore.QueueMode) {
		l := newLog(t, open(t, pebblestore.Options{Queue: mode}, false))
		at := time.Unix(1000, 0)
		if _, err := l.ls.QueueLeaves(t.Context(), l.tree, leaves(0, 5), at); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			cutoff time.Time
			want   int
		}{{at.Add(-time.Second), 0}, {at.Add(-1), 0}, {at, 5}, {at.Add(time.Hour), 5}} {
			if err := l.update(func(ctx context.Context, tx storage.LogTreeTX) error {
				got, err := tx.DequeueLeaves(ctx, 99, c.cutoff)
				if len(got) != c.want {
					t.Errorf("cutoff %v after: %d leaves, want %d", c.cutoff.Sub(at), len(got), c.want)
				}
				for _, l := range got {
					if !l.QueueTimestamp.AsTime().Equal(at) {
						t.Errorf("leaf is stamped %v, want %v", l.QueueTimestamp.AsTime(), at)
					}
				}
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestOrder dequeues by time, and what has the same time as it came; the limit
// counts. What was dequeued does not come again in the same transaction; it does
// in the next, as nothing became of it.
func TestOrder(t *testing.T) {
	inModes(t, func(t *testing.T, mode pebblestore.QueueMode) {
		fs := vfs.NewMem()
		s, err := pebblestore.Open("store", pebblestore.Options{Queue: mode, FS: fs})
		if err != nil {
			t.Fatal(err)
		}
		l := newLog(t, s)
		for _, at := range []int64{30, 10, 20, 10, 40, 5} {
			for i := range 2 {
				if _, err := l.ls.QueueLeaves(t.Context(), l.tree, []*trillian.LogLeaf{leaf("%d/%d", at, i), leaf("%d/%d", at, i+2)}, time.Unix(at, 0)); err != nil {
					t.Fatal(err)
				}
			}
		}
		want := []string{"5/0", "5/2", "5/1", "5/3", "10/0", "10/2", "10/1", "10/3", "20/0", "20/2", "20/1", "20/3", "30/0", "30/2", "30/1", "30/3"}
		for _, reopen := range []bool{false, true} {
			if reopen && mode == pebblestore.DurableQueue {
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				s = open(t, pebblestore.Options{Queue: mode, FS: fs}, false)
				l = onlyLog(t, s)
			}
			var got []string
			rollback := errors.New("rolled back")
			if err := l.update(func(ctx context.Context, tx storage.LogTreeTX) error {
				for range 4 {
					some, err := tx.DequeueLeaves(ctx, 5, time.Unix(30, 0))
					if err != nil {
						return err
					}
					got = append(got, names(some)...)
				}
				if reopen {
					return nil // without having sequenced them
				}
				return rollback
			}); err != nil && err != rollback {
				t.Fatal(err)
			}
			if !slices.Equal(got, want) {
				t.Errorf("reopened=%v: dequeued %v, want %v", reopen, got, want)
			}
		}
		if mode == pebblestore.StagedQueue {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestQueueOwnsItsLeaves: a transaction gets copies. Whoever queued a leaf, or
// was told that it is there, may read it while it is sequenced.
func TestQueueOwnsItsLeaves(t *testing.T) {
	l := newLog(t, open(t, pebblestore.Options{}, false))
	mine := leaf("mine")
	if err := l.queue(mine); err != nil {
		t.Fatal(err)
	}
	if n, err := l.integrate(10); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	if mine.LeafIndex != 0 || mine.IntegrateTimestamp != nil {
		t.Errorf("the sequencer wrote to the leaf that was queued: %v", mine)
	}
}

// TestQueueLimits refuses what is too much, all of the call.
func TestQueueLimits(t *testing.T) {
	for name, opt := range map[string]pebblestore.Options{"leaves": {MaxQueued: 4}, "bytes": {MaxQueuedBytes: 4 * len("leaf 10")}} {
		t.Run(name, func(t *testing.T) {
			l := newLog(t, open(t, opt, false))
			for round := range 3 { // integrating makes room
				if _, err := l.ls.QueueLeaves(t.Context(), l.tree, leaves(10+5*round, 5), clock.Now()); status.Code(err) != codes.ResourceExhausted {
					t.Errorf("5 leaves: %v, want ResourceExhausted", err)
				}
				for _, leaf := range leaves(10+5*round, 4) {
					if err := l.queue(leaf); err != nil {
						t.Errorf("%s: %v", leaf.LeafValue, err)
					}
				}
				if n, err := l.integrate(5); err != nil || n != 4 {
					t.Fatal(n, err)
				}
			}
		})
	}
}

// TestUnqueue takes a batch out again; nobody else's leaves.
func TestUnqueue(t *testing.T) {
	l := newLog(t, open(t, pebblestore.Options{}, false))
	others, mine := leaves(0, 3), leaves(3, 1000)
	if err := l.queue(others...); err != nil {
		t.Fatal(err)
	}
	if err := l.queue(mine...); err != nil {
		t.Fatal(err)
	}
	copies := append(leaves(0, 3), &trillian.LogLeaf{}) // not the ones that were queued
	if err := l.store.Unqueue(l.tree.TreeId, append(copies, mine...)); err != nil {
		t.Fatal(err)
	}
	if err := l.store.Unqueue(l.tree.TreeId, mine); err != nil {
		t.Fatal(err)
	}
	if n, err := l.integrate(2000); err != nil || n != len(others) {
		t.Errorf("integrated %d, %v; want %d", n, err, len(others))
	}
	l.mustAppend(t, mine...)
	if size, err := l.recompute(); err != nil || size != 1003 {
		t.Errorf("size %d, %v", size, err)
	}
	durable := newLog(t, open(t, pebblestore.Options{Queue: pebblestore.DurableQueue}, false))
	if err := durable.store.Unqueue(durable.tree.TreeId, mine); status.Code(err) != codes.Unimplemented {
		t.Errorf("durable queue: %v", err)
	}
}

// TestLeavesInvalid refuses leaves without hashes, with nothing queued.
func TestLeavesInvalid(t *testing.T) {
	inModes(t, func(t *testing.T, mode pebblestore.QueueMode) {
		l := newLog(t, open(t, pebblestore.Options{Queue: mode}, false))
		for _, n := range []int{0, 1, 31, 33} {
			for i := range 2 {
				bad := leaf("bad")
				*[]*[]byte{&bad.LeafIdentityHash, &bad.MerkleLeafHash}[i] = bytes.Repeat([]byte{1}, n)
				if _, err := l.ls.QueueLeaves(t.Context(), l.tree, []*trillian.LogLeaf{leaf("good"), bad}, clock.Now()); status.Code(err) != codes.InvalidArgument {
					t.Errorf("hash %d of %d bytes: %v", i, n, err)
				}
			}
		}
		if n, err := l.integrate(10); err != nil || n != 0 {
			t.Errorf("integrated %d, %v", n, err)
		}
	})
}

// TestQueueIsLinear fails by its time if the queue is quadratic in something.
func TestQueueIsLinear(t *testing.T) {
	l := newLog(t, open(t, pebblestore.Options{}, false))
	const n = 20_000
	for i := range n / 1000 {
		if err := l.queue(leaves(i*1000, 1000)...); err != nil {
			t.Fatal(err)
		}
	}
	start := time.Now()
	for done := 0; done < n; {
		k, err := l.integrate(500)
		if err != nil || k == 0 {
			t.Fatal(k, err)
		}
		done += k
	}
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("%d leaves in batches of 500 took %v", n, took)
	}
	if queued, err := l.ls.QueueLeaves(t.Context(), l.tree, leaves(n-1, 2), clock.Now()); err != nil || queued[0].Status == nil || queued[1].Status != nil {
		t.Errorf("%v, %v", queued, err)
	}
	if got := fmt.Sprint(l.recompute()); got != fmt.Sprint(n, nil) {
		t.Error(got)
	}
}
