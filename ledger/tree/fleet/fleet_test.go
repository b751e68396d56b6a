package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/trillian"
	"github.com/google/trillian/extension"
	sequencer "github.com/google/trillian/log"
	"github.com/google/trillian/quota"
	"github.com/google/trillian/server"
	"github.com/google/trillian/server/admin"
	"github.com/google/trillian/storage"
	"github.com/google/trillian/util/clock"
	"google.golang.org/grpc"

	"github.com/docket-ledger/docket/ledger/pebblestore"
	"github.com/docket-ledger/docket/ledger/tree"
	"github.com/docket-ledger/docket/ledger/tree/embedded"
	"github.com/docket-ledger/docket/ledger/tree/fleet"
)

// inProcess serves Trillian's own server code over gRPC on loopback, with this
// project's store in memory below it, and integrates what is written to it.
func inProcess(t *testing.T) fixture {
	t.Helper()
	// The first embedded log of a process sets what is global in Trillian.
	if log, err := embedded.Open(t.Context(), embedded.Config{Dir: "first", FS: vfs.NewMem()}); err != nil || log.Close() != nil {
		t.Fatal(err)
	}
	store, err := pebblestore.Open("trillian", pebblestore.Options{FS: vfs.NewMem(), MaxQueued: 1 << 20, MaxQueuedBytes: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	registry := extension.Registry{AdminStorage: store.Admin(), LogStorage: store.Log(), QuotaManager: quota.Noop()}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	trillian.RegisterTrillianLogServer(s, server.NewTrillianLogRPCServer(registry, clock.System))
	trillian.RegisterTrillianAdminServer(s, admin.New(registry, nil))
	served := make(chan error, 1)
	go func() { served <- s.Serve(listener) }()
	ctx, cancel := context.WithCancel(context.Background())
	signed := make(chan struct{})
	go func() {
		defer close(signed)
		sign(ctx, t, store)
	}()
	t.Cleanup(func() {
		s.Stop()
		cancel()
		<-signed
		if err := errors.Join(<-served, store.Close()); err != nil {
			t.Error(err)
		}
	})
	servers := fleet.Servers{Addresses: []string{listener.Addr().String()}}
	var made atomic.Int64
	return fixture{
		servers: func() fleet.Servers { return servers },
		newTree: func(t testing.TB) int64 {
			t.Helper()
			id, _, err := fleet.Init(t.Context(), servers, fmt.Sprintf("test %d", made.Add(1)))
			if err != nil {
				t.Fatal(err)
			}
			return id
		},
	}
}

// sign does the work of a log signer until ctx ends. Like one, it goes on after an
// error, as that of a tree which was not yet begun.
func sign(ctx context.Context, t *testing.T, store *pebblestore.Store) {
	for ctx.Err() == nil {
		trees, err := storage.ListTrees(ctx, store.Admin(), false)
		for _, tree := range trees {
			_, failed := sequencer.IntegrateBatch(ctx, tree, 1000, 0, 0, clock.System, store.Log(), quota.Noop())
			err = errors.Join(err, failed)
		}
		if err != nil && ctx.Err() == nil {
			t.Log("signer:", err)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestSuite(t *testing.T) { suite(t, inProcess(t)) }

func TestWriters(t *testing.T) { writers(t, inProcess(t)) }

func TestSameLeaf(t *testing.T) { sameLeaf(t, inProcess(t)) }

// TestLarge appends batches of more leaves, and of more bytes, than go into one
// request or answer.
func TestLarge(t *testing.T) {
	f := inProcess(t)
	id := f.newTree(t)
	log := openOf(t, f.servers(), id, t.TempDir())
	many, long := batchOf(2300, "many"), batchOf(70, "long")
	for i := range long {
		long[i] = append(long[i], make([]byte, 65_535-len(long[i]))...)
	}
	var acks acknowledged
	for _, leaves := range [][][]byte{many, long} {
		at, err := log.Append(t.Context(), leaves)
		if err != nil {
			t.Fatal(err)
		}
		acks.add(at[0], leaves)
	}
	fresh := openOf(t, f.servers(), id, t.TempDir())
	if got, want := follow(t, fresh), follow(t, log); got != want || got.Size != 2370 {
		t.Errorf("followed anew: %v, want %v", got, want)
	}
	acks.check(t, fresh)
	if _, err := log.Append(t.Context(), [][]byte{make([]byte, 65_536)}); err == nil {
		t.Error("a leaf that is too long was appended")
	}
}

// TestInit makes a tree once, and asks servers about it.
func TestInit(t *testing.T) {
	servers := inProcess(t).servers()
	id, made, err := fleet.Init(t.Context(), servers, "ledger")
	if err != nil || !made {
		t.Fatal(made, err)
	}
	if again, made, err := fleet.Init(t.Context(), servers, "ledger"); err != nil || made || again != id {
		t.Errorf("the second time: %d, %v, %v, want %d", again, made, err, id)
	}
	for _, c := range []struct {
		id   int64
		want error
	}{{id, nil}, {id + 1, fleet.ErrUnsafe}} {
		list, err := fleet.Check(t.Context(), servers, c.id, time.Second)
		if err != nil || len(list) != 1 || !errors.Is(list[0].Err, c.want) {
			t.Errorf("Check of %d: %v, %v, want %v", c.id, list, err, c.want)
		}
	}
	nobody := fleet.Servers{Addresses: []string{"127.0.0.1:1"}}
	if _, _, err := fleet.Init(t.Context(), nobody, "ledger"); !errors.Is(err, tree.ErrUnavailable) {
		t.Errorf("nobody there: %v", err)
	}
	for _, addresses := range [][]string{nil, {""}, {"localhost"}, {":8090"}, {"192.0.2.1:8090"}, {"log.example.com:8090"}} {
		if _, _, err := fleet.Init(t.Context(), fleet.Servers{Addresses: addresses}, "ledger"); !errors.Is(err, fleet.ErrArgument) {
			t.Errorf("addresses %q: %v", addresses, err)
		}
	}
}
