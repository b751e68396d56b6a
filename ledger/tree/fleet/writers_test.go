//go:build fleet

package fleet_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/trillian"
	"golang.org/x/mod/sumdb/tlog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/docket-ledger/docket/ledger/tree"
	"github.com/docket-ledger/docket/ledger/tree/fleet"
)

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

// TestFleetWriters appends to one log from three processes' worth of copies at
// once. Each batch stays whole and in order, and all copies are the same.
func TestFleetWriters(t *testing.T) {
	const writers, batches = 3, 15
	id := newTree(t)
	logs := make([]*fleet.Log, writers)
	var acks acknowledged
	var moves, leaves atomic.Int64
	var wg sync.WaitGroup
	for w := range logs {
		logs[w] = open(t, id, t.TempDir())
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

// TestFleetSameLeaf: of two that append the same leaf at once one is told where it
// is, and the other finds it there.
func TestFleetSameLeaf(t *testing.T) {
	id := newTree(t)
	logs := []*fleet.Log{open(t, id, t.TempDir()), open(t, id, t.TempDir())}
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

// raw is a client of the shared fleet that keeps no rules.
func raw(t *testing.T) trillian.TrillianLogClient {
	t.Helper()
	conn, err := grpc.NewClient(running.Addresses[0], grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return trillian.NewTrillianLogClient(conn)
}

// TestFleetTurn: a writer that died in its batch is waited for, and then no
// longer; what it wrote late does no harm, nor does a hole.
func TestFleetTurn(t *testing.T) {
	id, server := newTree(t), raw(t)
	write := func(at int64, remaining byte, values ...string) {
		t.Helper()
		var leaves []*trillian.LogLeaf
		for i, v := range values {
			extra := append([]byte{1}, make([]byte, 16)...)
			leaves = append(leaves, &trillian.LogLeaf{LeafIndex: at + int64(i), LeafValue: []byte(v), ExtraData: append(extra, remaining-byte(i))})
		}
		if _, err := server.AddSequencedLeaves(t.Context(), &trillian.AddSequencedLeavesRequest{LogId: id, Leaves: leaves}); err != nil {
			t.Fatal(err)
		}
	}
	grow := func(log *fleet.Log, size int64) {
		t.Helper()
		for head := follow(t, log); head.Size < size; head = follow(t, log) {
			time.Sleep(5 * time.Millisecond)
		}
	}
	const turn = 400 * time.Millisecond
	log := open(t, id, t.TempDir(), func(cfg *fleet.Config) { cfg.Turn = turn })

	write(0, 3, "a1")
	if _, err := log.Append(t.Context(), batchOf(1, "mine")); !errors.Is(err, tree.ErrMoved) {
		t.Errorf("another was first: %v", err)
	}
	grow(log, 1)
	start := time.Now()
	if _, err := log.Append(t.Context(), batchOf(1, "mine")); err != nil {
		t.Errorf("after the turn: %v", err)
	}
	if took := time.Since(start); took < turn {
		t.Errorf("the other had %v", took)
	}
	write(1, 2, "a2", "a3", "a4") // a2 has lost its place
	if _, _, err := push(t.Context(), log, batchOf(2, "after it")); err != nil {
		t.Errorf("after a late writer: %v", err)
	}

	size := follow(t, log).Size
	write(size+1, 0, "beyond a hole")
	_, err := log.Append(t.Context(), batchOf(3, "into the hole"))
	if !errors.Is(err, tree.ErrUnknown) {
		t.Errorf("a batch that was torn: %v", err)
	}
	if _, _, err := push(t.Context(), log, batchOf(3, "after the hole")); err != nil {
		t.Errorf("after a hole: %v", err)
	}
	fresh := open(t, id, t.TempDir())
	if got, want := follow(t, fresh), follow(t, log); got != want {
		t.Errorf("followed anew: %v, want %v", got, want)
	}

	// A batch that waits for its end is waited for, also by who has just opened it.
	write(follow(t, log).Size, 1, "b1")
	grow(log, follow(t, fresh).Size+1)
	dir := t.TempDir()
	late := open(t, id, dir)
	grow(late, follow(t, log).Size)
	late.Close()
	late = open(t, id, dir)
	time.AfterFunc(turn, func() { write(follow(t, log).Size, 0, "b2") })
	if _, err := late.Append(t.Context(), batchOf(1, "late")); !errors.Is(err, tree.ErrMoved) {
		t.Errorf("in the turn of another: %v", err)
	}
}

// TestFleetEnds: an append that waits ends with its context, and with the log.
func TestFleetEnds(t *testing.T) {
	id, server := newTree(t), raw(t)
	if _, err := server.AddSequencedLeaves(t.Context(), &trillian.AddSequencedLeavesRequest{LogId: id, Leaves: []*trillian.LogLeaf{
		{LeafIndex: 0, LeafValue: []byte("first"), ExtraData: append(append([]byte{1}, make([]byte, 16)...), 9)}}}); err != nil {
		t.Fatal(err)
	}
	log := open(t, id, t.TempDir())
	for follow(t, log).Size == 0 {
		time.Sleep(5 * time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := log.Append(ctx, batchOf(1, "mine")); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, tree.ErrUnknown) {
		t.Errorf("the context ended: %v", err)
	}
	time.AfterFunc(100*time.Millisecond, func() { log.Close() })
	if _, err := log.Append(t.Context(), batchOf(1, "mine")); err == nil || errors.Is(err, tree.ErrUnknown) {
		t.Errorf("the log was closed: %v", err)
	}
	if _, err := log.Follow(t.Context(), 1); err == nil {
		t.Error("Follow after Close")
	}
}

// TestFleetAway: with no server there, nothing is appended, and both calls say so.
func TestFleetAway(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := l.Addr().String()
	l.Close()
	log := open(t, newTree(t), t.TempDir(), func(cfg *fleet.Config) {
		cfg.Servers.Addresses, cfg.Timeout = []string{nobody}, 300*time.Millisecond
	})
	if _, err := log.Append(t.Context(), batchOf(1, "mine")); !errors.Is(err, tree.ErrUnavailable) {
		t.Errorf("Append: %v", err)
	}
	if _, err := log.Follow(t.Context(), 1); !errors.Is(err, tree.ErrUnavailable) {
		t.Errorf("Follow: %v", err)
	}
	log = open(t, newTree(t), t.TempDir(), func(cfg *fleet.Config) { // one of two is there
		cfg.Servers.Addresses = []string{nobody, running.Addresses[0]}
	})
	if _, err := log.Append(t.Context(), batchOf(1, "mine")); err != nil {
		t.Errorf("one of two servers is there: %v", err)
	}
}
