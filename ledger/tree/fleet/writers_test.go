//go:build fleet

package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/google/trillian"
	"golang.org/x/mod/sumdb/tlog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/docket-ledger/docket/ledger/tree"
	"github.com/docket-ledger/docket/ledger/tree/fleet"
)

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

// TestFleetUnsigned: what was written and not integrated when the caller, or the
// log, could wait no longer is neither acknowledged nor lost.
func TestFleetUnsigned(t *testing.T) {
	id := newTree(t)
	log := open(t, id, t.TempDir())
	if err := running.StopPart("signer1", syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := log.Append(ctx, batchOf(2, "unsigned"))
	if !errors.Is(err, tree.ErrUnknown) {
		t.Errorf("the context ended: %v", err)
	}
	other := open(t, id, t.TempDir())
	time.AfterFunc(300*time.Millisecond, func() { other.Close() })
	if at, err := other.Append(t.Context(), batchOf(1, "behind it")); err == nil {
		t.Errorf("the log was closed: %v", at)
	}
	if err := running.StartPart("signer1"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := push(t.Context(), log, batchOf(1, "after it")); err != nil {
		t.Error(err)
	}
	for i, leaf := range batchOf(2, "unsigned") {
		if at, err := log.Index(t.Context(), tlog.RecordHash(leaf)); err != nil || at != int64(i) {
			t.Errorf("leaf %d is at %d, %v", i, at, err)
		}
	}
	if _, err := log.Append(t.Context(), batchOf(2, "unsigned")); !errors.Is(err, tree.ErrDuplicate) {
		t.Errorf("again: %v", err)
	}
}

// TestFleetRefused: a tree that takes nothing, and one that is not there.
func TestFleetRefused(t *testing.T) {
	id := newTree(t)
	log := open(t, id, t.TempDir())
	if _, err := running.SQL(t.Context(), fmt.Sprintf("update Trees set TreeState = 'FROZEN' where TreeId = %d", id)); err != nil {
		t.Fatal(err)
	}
	if _, err := log.Append(t.Context(), batchOf(2, "frozen")); !errors.Is(err, tree.ErrUnavailable) {
		t.Errorf("frozen: %v", err)
	}
	if head := follow(t, log); head.Size != 0 {
		t.Errorf("frozen: %v", head)
	}
	if _, err := open(t, id+1, t.TempDir()).Append(t.Context(), batchOf(1, "nowhere")); !errors.Is(err, tree.ErrUnavailable) {
		t.Errorf("no such tree: %v", err)
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
