package pebblestore_test

import (
	"bytes"
	"context"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/trillian"
	"github.com/google/trillian/storage"
	stree "github.com/google/trillian/storage/tree"
	"github.com/transparency-dev/merkle/compact"
	"golang.org/x/mod/sumdb/tlog"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/docket-ledger/docket/ledger/pebblestore"
)

// TestTiles compares the tiles with those that tlog makes of the same leaves, at
// the sizes where tiles begin and end, also after opening the store again.
func TestTiles(t *testing.T) {
	const largest = 65537
	all := leaves(0, largest)
	values := make([][]byte, largest)
	for i, l := range all {
		values[i] = l.LeafValue
	}
	want := treeOf(values)
	fs := vfs.NewMem()
	opt := smallCache(t, pebblestore.Options{FS: fs})
	s, err := pebblestore.Open("store", opt)
	if err != nil {
		t.Fatal(err)
	}
	l := newLog(t, s)
	done := 0
	for _, size := range []int{0, 1, 2, 255, 256, 257, 511, 512, 513, 65535, 65536, largest} {
		for done < size {
			n := min(size-done, 5000)
			l.mustAppend(t, all[done:done+n]...)
			done += n
		}
		for _, reopen := range []bool{false, true} {
			if reopen {
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
				if s, err = pebblestore.Open("store", opt); err != nil {
					t.Fatal(err)
				}
				l = onlyLog(t, s)
			}
			sameTiles(t, l, want, int64(size))
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

func sameTiles(t *testing.T, l *log, want *hashes, size int64) {
	t.Helper()
	root, err := l.store.Root(l.tree.TreeId)
	if err != nil || int64(root.TreeSize) != size {
		t.Fatalf("size %d: root %v, %v", size, root, err)
	}
	if size > 0 {
		if hash, err := want.root(size); err != nil || !bytes.Equal(root.RootHash, hash[:]) {
			t.Errorf("size %d: root is %x, want %x, %v", size, root.RootHash, hash, err)
		}
	}
	for level := range 8 {
		count := size >> (8 * level)
		for _, n := range []int64{0, 1, count/256 - 1, count / 256} {
			full := int(min(256, count-n*256))
			if n < 0 || full < 0 {
				continue
			}
			if b, err := l.store.Tile(l.tree.TreeId, level, n, full+1); status.Code(err) != codes.NotFound {
				t.Errorf("size %d: tile %d of level %d, width %d: %d bytes, %v; want NotFound", size, n, level, full+1, len(b), err)
			}
			for _, width := range []int{1, 2, full / 2, full - 1, full} {
				if width < 1 || width > full {
					continue
				}
				hashes, err := tlog.ReadTileData(tlog.Tile{H: 8, L: level, N: n, W: width}, want)
				if err != nil {
					t.Fatal(err)
				}
				if b, err := l.store.Tile(l.tree.TreeId, level, n, width); err != nil || !bytes.Equal(b, hashes) {
					t.Errorf("size %d: tile %d of level %d, width %d is not what tlog makes: %v", size, n, level, width, err)
				}
			}
		}
	}
}

// TestReadersKeepTheirTiles: rows grow in place, beyond what readers have. What
// a transaction wrote that failed, and its successor writes again with other
// hashes, is never seen. Run with -race.
func TestReadersKeepTheirTiles(t *testing.T) {
	l := newLog(t, open(t, pebblestore.Options{}, false))
	var wg sync.WaitGroup
	done := make(chan struct{})
	for range 4 {
		wg.Go(func() {
			held := map[int][]byte{} // the tile at each width, as first seen
			for {
				select {
				case <-done:
					return
				default:
				}
				root, err := l.store.Root(l.tree.TreeId)
				if err != nil {
					t.Error(err)
					return
				}
				width := int(min(root.TreeSize, 256))
				if width == 0 {
					continue
				}
				b, err := l.store.Tile(l.tree.TreeId, 0, 0, width)
				if err != nil || len(b) != cap(b) {
					t.Errorf("width %d: %d bytes of capacity %d, %v", width, len(b), cap(b), err)
					return
				}
				if held[width] == nil {
					held[width] = bytes.Clone(b)
				}
				for w, old := range held {
					if w <= width && !bytes.Equal(old, b[:len(old)]) {
						t.Errorf("the tile of width %d changed", w)
						return
					}
				}
			}
		})
	}
	for i := range 300 {
		lost := leaves(10_000+10*i, 3)
		if err := l.queue(lost...); err != nil {
			t.Fatal(err)
		}
		late := &log{store: l.store, ls: failsLate{l.ls}, tree: l.tree}
		if _, err := late.integrate(3); status.Code(err) != codes.FailedPrecondition {
			t.Fatal(err)
		}
		if err := l.store.Unqueue(l.tree.TreeId, lost); err != nil {
			t.Fatal(err)
		}
		l.mustAppend(t, leaves(2*i, 2)...)
	}
	close(done)
	wg.Wait()
	if size, err := l.recompute(); err != nil || size != 600 {
		t.Errorf("size %d, %v", size, err)
	}
}

// failsLate is a storage whose transactions append to the tiles of level 0 and
// then fail, by a hole two levels higher.
type failsLate struct{ storage.LogStorage }

func (s failsLate) ReadWriteTransaction(ctx context.Context, tree *trillian.Tree, f storage.LogTXFunc) error {
	return s.LogStorage.ReadWriteTransaction(ctx, tree, func(ctx context.Context, tx storage.LogTreeTX) error {
		if err := f(ctx, tx); err != nil {
			return err
		}
		hole := stree.Node{ID: compact.NodeID{Level: 16, Index: 1}, Hash: make([]byte, 32)}
		return tx.SetMerkleNodes(ctx, []stree.Node{hole})
	})
}
