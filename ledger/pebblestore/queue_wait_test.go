package pebblestore_test

import (
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/google/trillian"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/docket-ledger/docket/ledger/pebblestore"
)

// TestJoinWaits: who queues a leaf that another call is about to queue hears that
// it exists only when it does, on stable storage.
func TestJoinWaits(t *testing.T) {
	syncing, proceed := make(chan struct{}), make(chan struct{})
	var hold sync.Once
	var armed errorfs.Toggle
	armed.Injector = errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == errorfs.OpFileSync || op.Kind == errorfs.OpFileSyncData {
			hold.Do(func() {
				close(syncing)
				<-proceed
			})
		}
		return nil
	})
	l := newLog(t, open(t, pebblestore.Options{FS: errorfs.Wrap(vfs.NewMem(), &armed), Queue: pebblestore.DurableQueue}, false))
	armed.On()
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := l.queue(leaf("a")); err != nil {
			t.Error(err)
		}
	})
	<-syncing
	answered := make(chan struct{})
	wg.Go(func() {
		defer close(answered)
		queued, err := l.ls.QueueLeaves(t.Context(), l.tree, []*trillian.LogLeaf{leaf("a")}, clock.Now())
		if err != nil || status.FromProto(queued[0].Status).Code() != codes.AlreadyExists {
			t.Errorf("%v, %v", queued, err)
		}
		select {
		case <-proceed:
		default:
			t.Error("answered before the other call")
		}
	})
	select {
	case <-answered:
	case <-time.After(50 * time.Millisecond): // enough for an answer that does not wait
	}
	close(proceed)
	wg.Wait()
}

// TestJoinRetries: a call that fails leaves nobody waiting for its leaves.
func TestJoinRetries(t *testing.T) {
	l := newLog(t, open(t, pebblestore.Options{}, false))
	bad := &trillian.LogLeaf{LeafValue: []byte("without hashes")}
	const n = 200
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range n {
				_, err := l.ls.QueueLeaves(t.Context(), l.tree, []*trillian.LogLeaf{leaf("%d", i), leaf("more %d", i), bad}, clock.Now())
				if status.Code(err) != codes.InvalidArgument {
					t.Error(err)
				}
			}
		})
		wg.Go(func() {
			for i := range n {
				if _, err := l.ls.QueueLeaves(t.Context(), l.tree, []*trillian.LogLeaf{leaf("more %d", i), leaf("%d", i)}, clock.Now()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if got, err := l.integrate(10 * n); err != nil || got != 2*n {
		t.Errorf("integrated %d, %v; want %d", got, err, 2*n)
	}
}
