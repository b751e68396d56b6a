package pebblestore_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/google/trillian"
	"github.com/transparency-dev/merkle/rfc6962"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/docket-ledger/docket/ledger/pebblestore"
)

// clients is a log, a sequencer, and those who queue leaves and wait for their
// index.
type clients struct {
	*log
	kick chan struct{} // capacity 1

	mu     sync.Mutex
	pass   chan struct{}    // closed after a batch
	queued map[string]bool  // by value: QueueLeaves has returned
	acked  map[string]int64 // by value: integrated, and the client knows it
}

func newClients(l *log) *clients {
	return &clients{log: l, kick: make(chan struct{}, 1), pass: make(chan struct{}), queued: map[string]bool{}, acked: map[string]int64{}}
}

// sequence integrates what is queued until ctx ends.
func (c *clients) sequence(ctx context.Context, limit int) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-c.kick:
		}
		for n := 1; n > 0; {
			var err error
			if n, err = c.integrate(limit); err != nil {
				return err
			}
			c.mu.Lock()
			close(c.pass)
			c.pass = make(chan struct{})
			c.mu.Unlock()
		}
	}
}

// submit queues a leaf, or joins whoever has, and waits until it is integrated.
func (c *clients) submit(ctx context.Context, value string) error {
	l := leaf("%s", value)
	queued, err := c.ls.QueueLeaves(ctx, c.tree, []*trillian.LogLeaf{l}, clock.Now())
	if err != nil {
		return err
	}
	if s := status.FromProto(queued[0].Status); s.Code() != codes.OK && s.Code() != codes.AlreadyExists {
		return s.Err()
	}
	if got := queued[0].Leaf; string(got.LeafValue) != value || got.QueueTimestamp == nil || got.LeafIndex < 0 {
		return fmt.Errorf("leaf %q was queued as %v", value, got)
	}
	c.mu.Lock()
	c.queued[value] = true
	c.mu.Unlock()
	select {
	case c.kick <- struct{}{}:
	default:
	}
	for {
		c.mu.Lock()
		pass := c.pass
		c.mu.Unlock()
		at, err := c.store.IndexOf(c.tree.TreeId, rfc6962.DefaultHasher.HashLeaf(l.LeafValue))
		if err != nil {
			return err
		}
		if at >= 0 {
			return c.acknowledge(value, at)
		}
		select {
		case <-pass:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// acknowledge notes an index; a leaf has one for ever.
func (c *clients) acknowledge(value string, at int64) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if before, ok := c.acked[value]; ok && before != at {
		return fmt.Errorf("leaf %q has index %d, and had %d", value, at, before)
	}
	c.acked[value] = at
	return nil
}

// TestRace lets 64 clients queue leaves, each of them queued by four.
func TestRace(t *testing.T) {
	inModes(t, func(t *testing.T, mode pebblestore.QueueMode) {
		const n, each = 64, 40
		c := newClients(newLog(t, open(t, pebblestore.Options{Queue: mode}, false)))
		ctx, stop := context.WithCancel(t.Context())
		var sequencer, all sync.WaitGroup
		sequencer.Go(func() {
			if err := c.sequence(ctx, 50); err != nil {
				t.Error(err)
				stop()
			}
		})
		for i := range n {
			all.Go(func() {
				for k := range each {
					if err := c.submit(ctx, fmt.Sprintf("leaf %d of group %d", k, i/4)); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		for range 4 { // readers
			all.Go(func() {
				last := uint64(0)
				for range 300 {
					root, err := c.store.Root(c.tree.TreeId)
					if err != nil || root.TreeSize < last {
						t.Errorf("size %d after %d, %v", root.TreeSize, last, err)
						return
					}
					if last = root.TreeSize; last == 0 {
						continue
					}
					if _, err := c.store.LeafValues(c.tree.TreeId, int64(last)-1, int64(last)); err != nil {
						t.Error(err)
					}
					if _, err := c.store.Tile(c.tree.TreeId, 0, int64(last-1)/256, int(last-1)%256+1); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		stop()
		sequencer.Wait()
		if size, err := c.recompute(); err != nil || size != n/4*each {
			t.Errorf("size %d, %v; want %d", size, err, n/4*each)
		}
		if len(c.acked) != n/4*each {
			t.Errorf("%d leaves were acknowledged, want %d", len(c.acked), n/4*each)
		}
	})
}
