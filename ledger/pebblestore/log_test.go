package pebblestore_test

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/trillian"
	"github.com/google/trillian/storage"
	stree "github.com/google/trillian/storage/tree"
	"github.com/google/trillian/types"
	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/docket-ledger/docket/ledger/pebblestore"
)

// TestNeedsInit: a tree without a root says so with the very error that Trillian
// compares with, and can be read and initialised all the same.
func TestNeedsInit(t *testing.T) {
	inModes(t, func(t *testing.T, mode pebblestore.QueueMode) {
		l := newTree(t, open(t, pebblestore.Options{Queue: mode}, false), trillian.TreeType_LOG)
		if _, err := l.store.Root(l.tree.TreeId); err != storage.ErrTreeNeedsInit {
			t.Errorf("Root: %v", err)
		}
		if _, err := l.ls.QueueLeaves(t.Context(), l.tree, leaves(0, 1), clock.Now()); err != storage.ErrTreeNeedsInit {
			t.Errorf("QueueLeaves: %v", err)
		}
		tx, err := l.ls.SnapshotForTree(t.Context(), l.tree)
		if err != storage.ErrTreeNeedsInit || tx == nil {
			t.Fatalf("SnapshotForTree: %v, %v", tx, err)
		}
		if _, err := tx.LatestSignedLogRoot(t.Context()); err != storage.ErrTreeNeedsInit {
			t.Errorf("LatestSignedLogRoot: %v", err)
		}
		if got, err := tx.GetLeavesByHash(t.Context(), [][]byte{leaf("a").MerkleLeafHash}, false); err != nil || len(got) != 0 {
			t.Errorf("GetLeavesByHash: %v, %v", got, err)
		}
		if err := tx.Close(); err != nil {
			t.Error(err)
		}
		if err := l.update(func(ctx context.Context, tx storage.LogTreeTX) error {
			if _, err := tx.LatestSignedLogRoot(ctx); err != storage.ErrTreeNeedsInit {
				t.Errorf("LatestSignedLogRoot: %v", err)
			}
			got, err := tx.DequeueLeaves(ctx, 10, clock.Now())
			if len(got) != 0 {
				t.Errorf("dequeued %v", got)
			}
			return err
		}); err != nil {
			t.Error(err)
		}
		l.init(t)
		l.mustAppend(t, leaves(0, 3)...)
	})
}

// TestDuplicateRoot refuses a root that is not later than the one before, in the
// same transaction and in another, and one with metadata.
func TestDuplicateRoot(t *testing.T) {
	l := newTree(t, open(t, pebblestore.Options{}, false), trillian.TreeType_LOG)
	root := &types.LogRootV1{RootHash: rfc6962.DefaultHasher.EmptyRoot(), TimestampNanos: 98765}
	store := func(roots ...*types.LogRootV1) error {
		return l.update(func(ctx context.Context, tx storage.LogTreeTX) error {
			for _, r := range roots {
				if err := tx.StoreSignedLogRoot(ctx, signed(t, r)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := store(root, root); status.Code(err) != codes.AlreadyExists {
		t.Errorf("twice in a transaction: %v", err)
	}
	if _, err := l.store.Root(l.tree.TreeId); err != storage.ErrTreeNeedsInit {
		t.Errorf("after a transaction that failed: %v", err)
	}
	if err := store(root); err != nil {
		t.Fatal(err)
	}
	for _, nanos := range []uint64{98764, 98765} {
		if err := store(&types.LogRootV1{RootHash: root.RootHash, TimestampNanos: nanos}); status.Code(err) != codes.AlreadyExists {
			t.Errorf("time %d after 98765: %v, want AlreadyExists", nanos, err)
		}
	}
	if err := store(&types.LogRootV1{RootHash: root.RootHash, TimestampNanos: 98766, Metadata: []byte{1}}); status.Code(err) != codes.Unimplemented {
		t.Errorf("metadata: %v", err)
	}
	if err := store(&types.LogRootV1{RootHash: root.RootHash, TimestampNanos: 98766}); err != nil {
		t.Error(err)
	}
	if err := l.update(func(ctx context.Context, tx storage.LogTreeTX) error {
		return tx.StoreSignedLogRoot(ctx, &trillian.SignedLogRoot{LogRoot: []byte("no root")})
	}); status.Code(err) != codes.InvalidArgument {
		t.Errorf("not a root: %v", err)
	}
	if got, err := l.store.Root(l.tree.TreeId); err != nil || got.TimestampNanos != 98766 {
		t.Errorf("root %v, %v", got, err)
	}
}

// TestActiveLogs lists what is to be sequenced.
func TestActiveLogs(t *testing.T) {
	s := open(t, pebblestore.Options{}, false)
	ids := func() []int64 {
		got, err := s.Log().GetActiveLogIDs(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(got)
		return got
	}
	if got := ids(); len(got) != 0 {
		t.Errorf("empty store has active logs %v", got)
	}
	var want []int64
	for _, kind := range []trillian.TreeType{trillian.TreeType_LOG, trillian.TreeType_PREORDERED_LOG} {
		for _, state := range []trillian.TreeState{trillian.TreeState_ACTIVE, trillian.TreeState_DRAINING, trillian.TreeState_FROZEN} {
			for _, deleted := range []bool{false, true} {
				l := newTree(t, s, kind)
				if state != trillian.TreeState_ACTIVE {
					if _, err := storage.UpdateTree(t.Context(), s.Admin(), l.tree.TreeId, func(tree *trillian.Tree) { tree.TreeState = state }); err != nil {
						t.Fatal(err)
					}
				}
				if deleted {
					if _, err := storage.SoftDeleteTree(t.Context(), s.Admin(), l.tree.TreeId); err != nil {
						t.Fatal(err)
					}
				} else if state != trillian.TreeState_FROZEN {
					want = append(want, l.tree.TreeId)
				}
			}
		}
	}
	slices.Sort(want)
	if got := ids(); !slices.Equal(got, want) {
		t.Errorf("active logs are %v, want %v", got, want)
	}
	if err := s.Log().CheckDatabaseAccessible(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestLeavesByHash finds leaves by Merkle hash, also several with the same, and
// none beyond the root; ordered by index if asked.
func TestLeavesByHash(t *testing.T) {
	l := newLog(t, open(t, pebblestore.Options{}, false))
	a, b := leaf("a"), leaf("b")
	twin := leaf("a") // the same bytes under another identity
	twin.LeafIdentityHash = bytes.Repeat([]byte{7}, 32)
	twin.ExtraData = []byte("twin")
	posing := leaf("c") // its identity is the Merkle hash of b
	posing.LeafIdentityHash = b.MerkleLeafHash
	l.mustAppend(t, twin, posing, a)
	if err := l.queue(leaf("d")); err != nil { // not integrated
		t.Fatal(err)
	}
	find := func(ordered bool, leaves ...*trillian.LogLeaf) string {
		t.Helper()
		tx, err := l.ls.SnapshotForTree(t.Context(), l.tree)
		if err != nil {
			t.Fatal(err)
		}
		var hashes [][]byte
		for _, l := range leaves {
			hashes = append(hashes, l.MerkleLeafHash)
		}
		got, err := tx.GetLeavesByHash(t.Context(), hashes, ordered)
		if err != nil {
			t.Fatal(err)
		}
		out := ""
		for _, l := range got {
			out += fmt.Sprintf("%d:%s%s ", l.LeafIndex, l.LeafValue, l.ExtraData)
		}
		return out
	}
	for _, c := range []struct{ got, want string }{
		{find(true, a), "0:atwin 2:a "},
		{find(true, leaf("c"), a), "0:atwin 1:c 2:a "},
		{find(false, leaf("c")), "1:c "},
		{find(true, b), ""},
		{find(true, leaf("d")), ""},
		{find(true), ""},
	} {
		if c.got != c.want {
			t.Errorf("found %q, want %q", c.got, c.want)
		}
	}
	if n, err := l.integrate(10); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	if got := find(true, leaf("d")); got != "3:d " {
		t.Errorf("found %q", got)
	}
	tx, err := l.ls.SnapshotForTree(t.Context(), l.tree)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.GetLeavesByHash(t.Context(), [][]byte{a.MerkleLeafHash[:31]}, false); status.Code(err) != codes.InvalidArgument {
		t.Errorf("short hash: %v", err)
	}
}

// TestRanges asks for ranges within the tree and beyond.
func TestRanges(t *testing.T) {
	l := newLog(t, open(t, pebblestore.Options{}, false))
	l.mustAppend(t, leaves(0, 10)...)
	tx, err := l.ls.SnapshotForTree(t.Context(), l.tree)
	if err != nil {
		t.Fatal(err)
	}
	l.mustAppend(t, leaves(10, 10)...) // after the snapshot
	for _, c := range []struct {
		start, count int64
		want         int
		code         codes.Code
	}{
		{0, 10, 10, codes.OK}, {0, 11, 10, codes.OK}, {3, 4, 4, codes.OK}, {9, 1, 1, codes.OK}, {9, math.MaxInt64, 1, codes.OK},
		{10, 1, 0, codes.OutOfRange}, {math.MaxInt64, 1, 0, codes.OutOfRange},
		{0, 0, 0, codes.InvalidArgument}, {0, -1, 0, codes.InvalidArgument}, {-1, 5, 0, codes.InvalidArgument},
	} {
		got, err := tx.GetLeavesByRange(t.Context(), c.start, c.count)
		if len(got) != c.want || status.Code(err) != c.code {
			t.Errorf("%d leaves from %d: %d, %v; want %d, %v", c.count, c.start, len(got), err, c.want, c.code)
		}
		if want := leaves(int(min(c.start, 100)), c.want); !slices.Equal(names(got), names(want)) {
			t.Errorf("%d leaves from %d: %q, want %q", c.count, c.start, names(got), names(want))
		}
	}
}

// TestPreordered adds leaves with their indexes, out of order, and integrates
// them up to the first hole and the first that is too young.
func TestPreordered(t *testing.T) {
	inModes(t, func(t *testing.T, mode pebblestore.QueueMode) {
		l := newTree(t, open(t, pebblestore.Options{Queue: mode}, false), trillian.TreeType_PREORDERED_LOG)
		l.init(t)
		all := leaves(0, 700)
		add := func(at time.Time, indexes ...int) {
			t.Helper()
			var some []*trillian.LogLeaf
			for _, i := range indexes {
				all[i].LeafIndex = int64(i)
				some = append(some, all[i])
			}
			got, err := l.ls.AddSequencedLeaves(t.Context(), l.tree, some, at)
			if err != nil {
				t.Fatal(err)
			}
			for _, q := range got {
				if code := status.FromProto(q.Status).Code(); code != codes.OK {
					t.Errorf("leaf %d: %v", q.Leaf.LeafIndex, code)
				}
			}
		}
		integrate := func(want int) {
			t.Helper()
			if n, err := l.integrate(1000); err != nil || n != want {
				t.Errorf("integrated %d, %v; want %d", n, err, want)
			}
			if _, err := l.recompute(); err != nil {
				t.Error(err)
			}
		}
		add(clock.Now(), 2, 0, 4)
		integrate(1)
		add(clock.Now(), 1)
		integrate(2) // 1 and 2
		future := clock.Now().Add(time.Hour)
		add(future, 3)
		integrate(0) // 4 is old enough, but comes after 3
		clock.nanos.Add(int64(2 * time.Hour))
		integrate(2)
		var rest []int
		for i := len(all) - 1; i >= 5; i-- {
			rest = append(rest, i)
		}
		add(clock.Now(), rest...)
		integrate(695)
		again := leaf("leaf 8")
		again.LeafIndex = 8
		other := leaf("other")
		other.LeafIndex = 8
		moved := leaf("leaf 8")
		moved.LeafIndex = 1000
		got, err := l.ls.AddSequencedLeaves(t.Context(), l.tree, []*trillian.LogLeaf{again, other, moved}, clock.Now())
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []codes.Code{codes.AlreadyExists, codes.FailedPrecondition, codes.FailedPrecondition} {
			if code := status.FromProto(got[i].Status).Code(); code != want {
				t.Errorf("leaf %d: %v, want %v", i, code, want)
			}
		}
		integrate(0)
	})
}

// TestAppendOnly: a transaction can't change what is there, leave a hole, or
// store what it did not dequeue.
func TestAppendOnly(t *testing.T) {
	l := newLog(t, open(t, pebblestore.Options{}, false))
	l.mustAppend(t, leaves(0, 300)...)
	if err := l.queue(leaf("new")); err != nil {
		t.Fatal(err)
	}
	hash := bytes.Repeat([]byte{9}, 32)
	node := func(level uint, index uint64, hash []byte) func(context.Context, storage.LogTreeTX) error {
		return func(ctx context.Context, tx storage.LogTreeTX) error {
			return tx.SetMerkleNodes(ctx, []stree.Node{{ID: compact.NodeID{Level: level, Index: index}, Hash: hash}})
		}
	}
	sequence := func(index int64, times int) func(context.Context, storage.LogTreeTX) error {
		return func(ctx context.Context, tx storage.LogTreeTX) error {
			got, err := tx.DequeueLeaves(ctx, 1, clock.Now())
			for range times {
				if err == nil {
					got[0].LeafIndex = index
					err = tx.UpdateSequencedLeaves(ctx, got)
				}
			}
			return err
		}
	}
	for _, c := range []struct {
		name string
		f    storage.LogTXFunc
		want codes.Code
	}{
		{"node of a full tile", node(0, 7, hash), codes.FailedPrecondition},
		{"node of the partial tile", node(0, 299, hash), codes.FailedPrecondition},
		{"node of level 8", node(8, 0, hash), codes.FailedPrecondition},
		{"hole", node(0, 301, hash), codes.FailedPrecondition},
		{"hole at level 16", node(16, 1, hash), codes.FailedPrecondition},
		{"short hash", node(0, 300, hash[:31]), codes.InvalidArgument},
		{"level 64", node(64, 0, hash), codes.InvalidArgument},
		{"index beyond 63 bits", node(0, 1<<63, hash), codes.InvalidArgument},
		{"the same node", node(0, 7, leaf("leaf 7").MerkleLeafHash), codes.OK},
		{"leaf at a used index", sequence(299, 1), codes.FailedPrecondition},
		{"leaf at -1", sequence(-1, 1), codes.FailedPrecondition},
		{"leaf twice", sequence(300, 2), codes.FailedPrecondition},
		{"leaf that was not dequeued", func(ctx context.Context, tx storage.LogTreeTX) error {
			return tx.UpdateSequencedLeaves(ctx, leaves(500, 1))
		}, codes.FailedPrecondition},
	} {
		if err := l.update(c.f); status.Code(err) != c.want {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	if n, err := l.integrate(10); err != nil || n != 1 {
		t.Errorf("integrated %d, %v", n, err)
	}
	if size, err := l.recompute(); err != nil || size != 301 {
		t.Errorf("size %d, %v", size, err)
	}
}
