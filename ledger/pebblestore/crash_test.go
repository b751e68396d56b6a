package pebblestore_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/docket-ledger/docket/ledger/pebblestore"
)

// smallCache returns options with a small cache, for tests that open many
// stores.
func smallCache(t testing.TB, opt pebblestore.Options) pebblestore.Options {
	opt.Cache = pebble.NewCache(1 << 20)
	t.Cleanup(opt.Cache.Unref)
	return opt
}

func newRNG(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }

// TestCrash takes the power away while 16 clients submit.
func TestCrash(t *testing.T) {
	inModes(t, func(t *testing.T, mode pebblestore.QueueMode) {
		for _, percent := range []int{0, 50, 100} {
			for seed := range uint64(2) {
				if err := crash(t, mode, percent, seed); err != nil {
					t.Errorf("%d %% of what was not synced survive, seed %d: %v", percent, seed, err)
				}
			}
		}
	})
}

// crash runs clients on a file system, three times in a row takes a copy of it as
// after a power cut, and looks what is there.
func crash(t *testing.T, mode pebblestore.QueueMode, percent int, seed uint64) error {
	rng := newRNG(seed*1000 + uint64(percent))
	opt := smallCache(t, pebblestore.Options{Queue: mode, FS: vfs.NewCrashableMem()})
	s, err := pebblestore.Open("store", opt)
	if err != nil {
		return err
	}
	l := newLog(t, s)
	acked := map[string]int64{}
	for round := range 3 {
		after, queued, err := untilCrash(t, l, rng, percent, fmt.Sprint(seed, round), acked)
		if err != nil {
			return err
		}
		opt.FS = after
		if s, err = pebblestore.Open("store", opt); err != nil {
			return fmt.Errorf("round %d: %w", round, err)
		}
		l = onlyLog(t, s)
		if err := survived(l, acked, queued, mode); err != nil {
			return fmt.Errorf("round %d: %w", round, err)
		}
	}
	return s.Close()
}

// untilCrash runs clients and returns the file system after a power cut, and what
// was queued before; to acked it adds what was acknowledged before.
func untilCrash(t *testing.T, l *log, rng *rand.Rand, percent int, name string, acked map[string]int64) (*vfs.MemFS, map[string]bool, error) {
	c := newClients(l)
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := c.sequence(ctx, 20); err != nil {
			t.Error(err)
			stop()
		}
	})
	for i := range 16 {
		wg.Go(func() {
			for k := 0; ctx.Err() == nil; k++ {
				if err := c.submit(ctx, fmt.Sprintf("%s: leaf %d of client %d", name, k, i/2)); err != nil && !errors.Is(err, context.Canceled) {
					t.Error(err)
					stop()
				}
			}
		})
	}
	enough, flushAt := rng.IntN(300), rng.IntN(600)
	for flushed := false; ctx.Err() == nil; {
		c.mu.Lock()
		n, pass := len(c.acked), c.pass
		c.mu.Unlock()
		if n > enough {
			break
		}
		if n > flushAt && !flushed {
			flushed = true
			if err := l.store.Flush(); err != nil {
				t.Error(err)
			}
		}
		select {
		case <-pass:
		case <-ctx.Done():
		}
	}
	c.mu.Lock()
	queued := maps.Clone(c.queued)
	maps.Copy(acked, c.acked)
	c.mu.Unlock()
	after := l.store.FS().(*vfs.MemFS).CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rng})
	stop()
	wg.Wait()
	return after, queued, l.store.Close()
}

// survived checks a store after a crash, and that it goes on.
func survived(l *log, acked map[string]int64, queued map[string]bool, mode pebblestore.QueueMode) error {
	if _, err := l.recompute(); err != nil {
		return err
	}
	there := func(value string) (int64, error) {
		return l.store.IndexOf(l.tree.TreeId, rfc6962.DefaultHasher.HashLeaf([]byte(value)))
	}
	for value, want := range acked {
		if at, err := there(value); err != nil || at != want {
			return errors.Join(fmt.Errorf("leaf %q had index %d, now %d", value, want, at), err)
		}
	}
	before, err := l.store.Root(l.tree.TreeId)
	if err != nil {
		return err
	}
	for n := 1; n > 0; {
		if n, err = l.integrate(1000); err != nil {
			return err
		}
	}
	if mode == pebblestore.DurableQueue {
		for value := range queued {
			if at, err := there(value); err != nil || at < 0 {
				return errors.Join(fmt.Errorf("leaf %q was queued and has index %d", value, at), err)
			}
		}
	}
	for i := range 3 {
		if err := l.append(leaf("after a crash at size %d: %d", before.TreeSize, i)); err != nil {
			return err
		}
	}
	_, err = l.recompute()
	return err
}
