package pebblestore_test

import (
	"bytes"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/trillian/storage"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/docket-ledger/docket/ledger/pebblestore"
)

// TestManyTrees keeps trees apart, also after opening the store again.
func TestManyTrees(t *testing.T) {
	inModes(t, func(t *testing.T, mode pebblestore.QueueMode) {
		fs := vfs.NewMem()
		s := open(t, pebblestore.Options{FS: fs, Queue: mode}, false)
		const n = 30
		logs := make([]*log, n)
		for i := range logs {
			logs[i] = newLog(t, s)
			logs[i].mustAppend(t, leaves(i, i*20)...) // up to 580
			if err := logs[i].queue(leaf("queued")); err != nil {
				t.Fatal(err)
			}
		}
		clone := cloneOf(t, fs, "store")
		again := open(t, pebblestore.Options{FS: clone, Queue: mode}, false)
		for i, l := range logs {
			l = &log{store: again, ls: again.Log(), tree: l.tree}
			if size, err := l.recompute(); err != nil || size != int64(i*20) {
				t.Errorf("tree %d: size %d, %v", i, size, err)
			}
			want := 0
			if mode == pebblestore.DurableQueue {
				want = 1
			}
			if got, err := l.integrate(10); err != nil || got != want {
				t.Errorf("tree %d: %d were queued, %v", i, got, err)
			}
			l.mustAppend(t, leaf("after"))
			if _, err := l.recompute(); err != nil {
				t.Errorf("tree %d: %v", i, err)
			}
		}
	})
}

// TestHardDelete removes all rows of a tree, and those of no other.
func TestHardDelete(t *testing.T) {
	inModes(t, func(t *testing.T, mode pebblestore.QueueMode) {
		s := open(t, pebblestore.Options{Queue: mode}, false)
		keep := newLog(t, s)
		keep.mustAppend(t, leaves(0, 300)...)
		before, err := s.Rows()
		if err != nil {
			t.Fatal(err)
		}
		gone := newLog(t, s)
		own := leaf("own identity")
		own.LeafIdentityHash = bytes.Repeat([]byte{1}, 32)
		gone.mustAppend(t, append(leaves(0, 70_000), own)...)
		if err := gone.queue(leaf("queued")); err != nil {
			t.Fatal(err)
		}
		if err := storage.HardDeleteTree(t.Context(), s.Admin(), gone.tree.TreeId); status.Code(err) != codes.FailedPrecondition {
			t.Errorf("tree that is not soft deleted: %v", err)
		}
		if _, err := storage.SoftDeleteTree(t.Context(), s.Admin(), gone.tree.TreeId); err != nil {
			t.Fatal(err)
		}
		if err := storage.HardDeleteTree(t.Context(), s.Admin(), gone.tree.TreeId); err != nil {
			t.Fatal(err)
		}
		if after, err := s.Rows(); err != nil || after != before {
			t.Errorf("%d rows, %v; want %d as before the tree was made", after, err, before)
		}
		if _, err := s.Root(gone.tree.TreeId); status.Code(err) != codes.NotFound {
			t.Errorf("Root: %v", err)
		}
		if _, err := gone.integrate(1); status.Code(err) != codes.NotFound {
			t.Errorf("integrate: %v", err)
		}
		keep.mustAppend(t, leaf("after"))
		if size, err := keep.recompute(); err != nil || size != 301 {
			t.Errorf("size %d, %v", size, err)
		}
	})
}
