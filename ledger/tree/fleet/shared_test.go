package fleet_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/ledger/tree"
	"github.com/docket-ledger/docket/ledger/tree/embedded"
	"github.com/docket-ledger/docket/ledger/tree/fleet"
	"github.com/docket-ledger/docket/ledger/tree/treetest"
)

// A fixture is where logs can be had: of Trillian's server in this process, or of
// a real fleet.
type fixture struct {
	servers func() fleet.Servers
	newTree func(t testing.TB) int64
}

// openOf opens a tree with the local copy in dir, and a small cache.
func openOf(t testing.TB, servers fleet.Servers, id int64, dir string, change ...func(*fleet.Config)) *fleet.Log {
	t.Helper()
	cache := pebble.NewCache(8 << 20)
	defer cache.Unref()
	local, err := embedded.Open(t.Context(), embedded.Config{Dir: dir, Cache: cache})
	if err != nil {
		t.Fatal(err)
	}
	cfg := fleet.Config{Servers: servers, Tree: id, Local: local}
	for _, f := range change {
		f(&cfg)
	}
	log, err := fleet.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(errors.Join(err, local.Close()))
	}
	t.Cleanup(func() { log.Close() })
	return log
}

// follow follows to the newest head.
func follow(t testing.TB, log *fleet.Log) tree.Head {
	t.Helper()
	for {
		size, err := log.Follow(t.Context(), 700)
		if err != nil {
			t.Fatal(err)
		}
		head, err := log.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if head.Size == size {
			return head
		}
	}
}

// batchOf returns n leaves that nobody else has.
func batchOf(n int, format string, args ...any) [][]byte {
	out := make([][]byte, n)
	for i := range out {
		out[i] = fmt.Appendf(nil, "%s, leaf %d", fmt.Sprintf(format, args...), i)
	}
	return out
}

// push appends as a ledger does: whenever another was first it follows, and tries
// again. It returns the first index, and how often another was first.
func push(ctx context.Context, log *fleet.Log, leaves [][]byte) (at int64, moved int, err error) {
	for {
		indexes, err := log.Append(ctx, leaves)
		switch {
		case err == nil:
			return indexes[0], moved, nil
		case errors.Is(err, tree.ErrMoved):
			moved++
		case !errors.Is(err, tree.ErrUnavailable):
			return -1, moved, err
		}
		if _, err := log.Follow(ctx, 1000); err != nil && !errors.Is(err, tree.ErrUnavailable) {
			return -1, moved, err
		}
	}
}

// acknowledged are the batches that were, by their first index.
type acknowledged struct {
	sync.Mutex
	batches map[int64][][]byte
}

func (a *acknowledged) add(at int64, leaves [][]byte) {
	a.Lock()
	defer a.Unlock()
	if a.batches == nil {
		a.batches = map[int64][][]byte{}
	}
	a.batches[at] = leaves
}

// check checks that each batch is in the log as a whole and in its order, and that
// no leaf is there twice.
func (a *acknowledged) check(t *testing.T, log tree.Log) {
	t.Helper()
	head, err := log.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	leaves, err := log.Leaves(t.Context(), 0, head.Size)
	if err != nil {
		t.Fatal(err)
	}
	for at, batch := range a.batches {
		for i, leaf := range batch {
			if at+int64(i) >= head.Size || !bytes.Equal(leaves[at+int64(i)], leaf) {
				t.Errorf("%q was acknowledged at %d and is not there", leaf, at+int64(i))
			}
		}
	}
	seen := map[string]bool{}
	for i, leaf := range leaves {
		if seen[string(leaf)] {
			t.Errorf("%q is in the log twice, also at %d", leaf, i)
		}
		seen[string(leaf)] = true
	}
}

// suite runs both parts of treetest. Each second time a log is opened, its local
// copy is lost.
func suite(t *testing.T, f fixture) {
	type kept struct {
		id    int64
		opens int
	}
	var mu sync.Mutex
	logs := map[string]*kept{}
	opener := func(t testing.TB, name string) tree.Log {
		mu.Lock()
		defer mu.Unlock()
		if logs[name] == nil {
			logs[name] = &kept{id: f.newTree(t)}
		}
		log := logs[name]
		dir := filepath.Join(name, fmt.Sprint(log.opens/2))
		log.opens++
		out := openOf(t, f.servers(), log.id, dir)
		follow(t, out)
		return out
	}
	treetest.Run(t, opener)
	treetest.RunOrdered(t, opener)
}

// writers appends to one log from three processes' worth of copies at
// once. Each batch stays whole and in order, and all copies are the same.
func writers(t *testing.T, f fixture) {
	const writers, batches = 3, 15
	id := f.newTree(t)
	logs := make([]*fleet.Log, writers)
	var acks acknowledged
	var moves, leaves atomic.Int64
	var wg sync.WaitGroup
	for w := range logs {
		logs[w] = openOf(t, f.servers(), id, t.TempDir())
		wg.Go(func() {
			for k := range batches {
				batch := batchOf(1+(w+k)%5, "writer %d, batch %d", w, k)
				at, moved, err := push(t.Context(), logs[w], batch)
				if err != nil {
					t.Errorf("writer %d, batch %d: %v", w, k, err)
					return
				}
				acks.add(at, batch)
				moves.Add(int64(moved))
				leaves.Add(int64(len(batch)))
			}
		})
	}
	wg.Wait()
	head := follow(t, logs[0])
	for _, log := range logs {
		if got := follow(t, log); got != head || got.Size != leaves.Load() {
			t.Errorf("a head is %v, another %v, and %d leaves were acknowledged", got, head, leaves.Load())
		}
		acks.check(t, log)
	}
	t.Logf("another was first %d times in %d batches", moves.Load(), writers*batches)
}

// sameLeaf: of two that append the same leaf at once one is told where it
// is, and the other finds it there.
func sameLeaf(t *testing.T, f fixture) {
	id := f.newTree(t)
	logs := []*fleet.Log{openOf(t, f.servers(), id, t.TempDir()), openOf(t, f.servers(), id, t.TempDir())}
	for k := range int64(10) {
		leaf := batchOf(1, "round %d", k)
		var done atomic.Int64
		var wg sync.WaitGroup
		for _, log := range logs {
			wg.Go(func() {
				at, _, err := push(t.Context(), log, leaf)
				if err == nil {
					done.Add(1)
				} else if errors.Is(err, tree.ErrDuplicate) {
					at, err = log.Index(t.Context(), tlog.RecordHash(leaf[0]))
				}
				if err != nil || at != k {
					t.Errorf("round %d: index %d, %v", k, at, err)
				}
			})
		}
		wg.Wait()
		if done.Load() != 1 {
			t.Errorf("round %d: %d appended it", k, done.Load())
		}
	}
}
