package pebblestore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/trillian"
	sequencer "github.com/google/trillian/log"
	"github.com/google/trillian/quota"
	"github.com/google/trillian/storage"
	"github.com/google/trillian/types"
	tclock "github.com/google/trillian/util/clock"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/tlog"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/docket-ledger/docket/ledger/pebblestore"
)

func init() { sequencer.InitMetrics(nil) }

// steps is a clock whose every reading is later than the one before.
type steps struct {
	tclock.TimeSource
	nanos atomic.Int64
}

func (c *steps) Now() time.Time { return time.Unix(1_700_000_000, c.nanos.Add(1000)) }

var clock = &steps{TimeSource: tclock.System}

// inModes runs a test in both queue modes.
func inModes(t *testing.T, f func(t *testing.T, mode pebblestore.QueueMode)) {
	t.Run("staged", func(t *testing.T) { f(t, pebblestore.StagedQueue) })
	t.Run("durable", func(t *testing.T) { f(t, pebblestore.DurableQueue) })
}

// log is a tree of a store.
type log struct {
	store *pebblestore.Store
	ls    storage.LogStorage
	tree  *trillian.Tree
}

// newTree makes a tree without a root.
func newTree(t testing.TB, s *pebblestore.Store, kind trillian.TreeType) *log {
	t.Helper()
	tree, err := createTree(t, s, kind)
	if err != nil {
		t.Fatal(err)
	}
	return &log{store: s, ls: s.Log(), tree: tree}
}

func createTree(t testing.TB, s *pebblestore.Store, kind trillian.TreeType) (*trillian.Tree, error) {
	return storage.CreateTree(t.Context(), s.Admin(), &trillian.Tree{
		TreeState: trillian.TreeState_ACTIVE, TreeType: kind, MaxRootDuration: durationpb.New(0)})
}

// newLog makes a tree of type LOG with the root of the empty tree.
func newLog(t testing.TB, s *pebblestore.Store) *log {
	t.Helper()
	l := newTree(t, s, trillian.TreeType_LOG)
	l.init(t)
	return l
}

func (l *log) init(t testing.TB) {
	t.Helper()
	if err := l.tryInit(t); err != nil {
		t.Fatal(err)
	}
}

func (l *log) tryInit(t testing.TB) error {
	root := &types.LogRootV1{RootHash: rfc6962.DefaultHasher.EmptyRoot(), TimestampNanos: uint64(clock.Now().UnixNano())}
	return l.update(func(ctx context.Context, tx storage.LogTreeTX) error {
		return tx.StoreSignedLogRoot(ctx, signed(t, root))
	})
}

// onlyLog returns the log of a store that has one.
func onlyLog(t testing.TB, s *pebblestore.Store) *log {
	t.Helper()
	trees, err := storage.ListTrees(t.Context(), s.Admin(), true)
	if err != nil || len(trees) != 1 {
		t.Fatalf("%d trees, %v", len(trees), err)
	}
	return &log{store: s, ls: s.Log(), tree: trees[0]}
}

func signed(t testing.TB, root *types.LogRootV1) *trillian.SignedLogRoot {
	t.Helper()
	b, err := root.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return &trillian.SignedLogRoot{LogRoot: b}
}

func (l *log) update(f storage.LogTXFunc) error {
	return l.ls.ReadWriteTransaction(context.Background(), l.tree, f)
}

// integrate runs Trillian's sequencer once.
func (l *log) integrate(limit int) (int, error) {
	return sequencer.IntegrateBatch(context.Background(), l.tree, limit, 0, 0, clock, l.ls, quota.Noop())
}

// queue queues leaves, none of which may be there.
func (l *log) queue(leaves ...*trillian.LogLeaf) error {
	queued, err := l.ls.QueueLeaves(context.Background(), l.tree, leaves, clock.Now())
	for i, q := range queued {
		if q.Status != nil {
			return fmt.Errorf("leaf %d: %v", i, q.Status)
		}
	}
	return err
}

// append queues leaves and integrates them.
func (l *log) append(leaves ...*trillian.LogLeaf) error {
	if err := l.queue(leaves...); err != nil {
		return err
	}
	n, err := l.integrate(len(leaves))
	if err == nil && n != len(leaves) {
		err = fmt.Errorf("%d of %d leaves integrated", n, len(leaves))
	}
	return err
}

func (l *log) mustAppend(t testing.TB, leaves ...*trillian.LogLeaf) {
	t.Helper()
	if err := l.append(leaves...); err != nil {
		t.Fatal(err)
	}
}

// leaf makes a leaf whose identity is its Merkle hash.
func leaf(format string, args ...any) *trillian.LogLeaf {
	value := fmt.Appendf(nil, format, args...)
	hash := rfc6962.DefaultHasher.HashLeaf(value)
	return &trillian.LogLeaf{LeafValue: value, MerkleLeafHash: hash, LeafIdentityHash: hash}
}

// leaves makes the leaves first to first+n-1.
func leaves(first, n int) []*trillian.LogLeaf {
	out := make([]*trillian.LogLeaf, n)
	for i := range out {
		out[i] = leaf("leaf %d", first+i)
	}
	return out
}

// names returns the values of leaves.
func names(leaves []*trillian.LogLeaf) []string {
	out := make([]string, len(leaves))
	for i, l := range leaves {
		out[i] = string(l.LeafValue)
	}
	return out
}

// recompute reads all leaves and checks that their tree is the stored one, and
// that some are found where they are. It returns the size.
func (l *log) recompute() (int64, error) {
	root, err := l.store.Root(l.tree.TreeId)
	if err != nil {
		return 0, err
	}
	size := int64(root.TreeSize)
	values, err := l.store.LeafValues(l.tree.TreeId, 0, size)
	if err != nil {
		return size, err
	}
	want := rfc6962.DefaultHasher.EmptyRoot()
	if size > 0 {
		hash, err := treeOf(values).root(size)
		if err != nil {
			return size, err
		}
		want = hash[:]
	}
	if !bytes.Equal(root.RootHash, want) {
		return size, fmt.Errorf("root of size %d is %x, that of the leaves %x", size, root.RootHash, want)
	}
	for i := 0; i < len(values); i += 1 + len(values)/100 {
		if at, err := l.store.IndexOf(l.tree.TreeId, rfc6962.DefaultHasher.HashLeaf(values[i])); err != nil || at != int64(i) {
			return size, errors.Join(fmt.Errorf("leaf %d is found at %d", i, at), err)
		}
	}
	return size, nil
}

// hashes are those of a tree as tlog stores them.
type hashes []tlog.Hash

func treeOf(values [][]byte) *hashes {
	h := hashes{}
	for i, v := range values {
		add, err := tlog.StoredHashes(int64(i), v, &h)
		if err != nil {
			panic(err) // h has no errors
		}
		h = append(h, add...)
	}
	return &h
}

func (h *hashes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, at := range indexes {
		out[i] = (*h)[at]
	}
	return out, nil
}

func (h *hashes) root(size int64) (tlog.Hash, error) { return tlog.TreeHash(size, h) }

// filesOf reads the files of a directory.
func filesOf(t testing.TB, fs vfs.FS, dir string) map[string][]byte {
	t.Helper()
	names, err := fs.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{}
	for _, name := range names {
		f, err := fs.Open(fs.PathJoin(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if out[name], err = io.ReadAll(f); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// fsOf makes a file system with one directory.
func fsOf(t testing.TB, dir string, files map[string][]byte) *vfs.MemFS {
	t.Helper()
	fs := vfs.NewMem()
	if err := fs.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		f, err := fs.Create(fs.PathJoin(dir, name), vfs.WriteCategoryUnspecified)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(content); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return fs
}

// cloneOf copies a directory as it is, as after the end of the process.
func cloneOf(t testing.TB, fs vfs.FS, dir string) *vfs.MemFS {
	t.Helper()
	return fsOf(t, dir, filesOf(t, fs, dir))
}

// drain integrates all that is queued.
func (l *log) drain() error {
	for n := 1; n > 0; {
		var err error
		if n, err = l.integrate(1000); err != nil {
			return err
		}
	}
	return nil
}

// wide makes a leaf of 200 bytes.
func wide(i int) *trillian.LogLeaf { return leaf("leaf %d %s", i, strings.Repeat("x", 190)) }
