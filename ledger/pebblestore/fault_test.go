package pebblestore_test

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/google/trillian"

	"github.com/docket-ledger/docket/ledger/pebblestore"
)

// disk is a file system that breaks at one write: that one and all after it fail
// with an error if a commit writes to the WAL, else whoever writes never returns.
type disk struct {
	vfs.FS
	under *vfs.MemFS
	left  atomic.Int64 // writes until it breaks
}

func newDisk(writes int64, w *worker) *disk {
	d := &disk{under: vfs.NewCrashableMem()}
	d.left.Store(writes)
	d.FS = errorfs.Wrap(d.under, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() == errorfs.OpIsWrite && d.left.Add(-1) < 0 {
			if !w.committing.Load() || !strings.HasSuffix(op.Path, ".log") {
				w.stop()
				select {} // the process ends here: Pebble panics at some of these
			}
			return syscall.EIO
		}
		return nil
	}))
	return d
}

// TestFaults breaks the disk at each write, from opening a new store on, and
// cuts the power or lets all reach the disk that was written. Nothing is half
// done: each batch is there as a whole or not, and all that were acknowledged.
func TestFaults(t *testing.T) {
	inModes(t, func(t *testing.T, mode pebblestore.QueueMode) {
		for writes := int64(0); ; writes++ {
			w := &worker{batches: 5, size: 3, done: make(chan struct{})}
			d := newDisk(writes, w)
			go w.work(t, smallCache(t, pebblestore.Options{FS: d, Queue: mode, Free: plenty, Fatal: w.fatal}))
			<-w.done
			for _, percent := range []int{0, 100} {
				cfg := vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: newRNG(uint64(writes))}
				if err := w.check(t, smallCache(t, pebblestore.Options{FS: d.under.CrashClone(cfg), Queue: mode, Free: plenty})); err != nil {
					t.Errorf("disk breaks at write %d, %d %% of what was not synced survive: %v", writes, percent, err)
				}
			}
			if d.left.Load() >= 0 { // it held until the end
				if w.acked() != w.batches {
					t.Errorf("%d batches were acknowledged, want %d", w.acked(), w.batches)
				}
				t.Logf("%d writes", writes)
				return
			}
		}
	})
}

func plenty() (uint64, error) { return 1 << 40, nil }

// worker appends batches until an error, or until Fatal is called, which stops
// the goroutine that called it.
type worker struct {
	batches, size int
	done          chan struct{}
	stopped       sync.Once
	mu            sync.Mutex
	n             int // batches acknowledged
	committing    atomic.Bool
}

func (w *worker) fatal(string) {
	w.stop()
	runtime.Goexit()
}

func (w *worker) stop() { w.stopped.Do(func() { close(w.done) }) }

func (w *worker) acked() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.n
}

func (w *worker) work(t *testing.T, opt pebblestore.Options) {
	defer w.stop()
	s, err := pebblestore.Open("store", opt)
	if err != nil {
		return
	}
	l, err := tryLog(t, s)
	for i := 0; err == nil && i < w.batches; i++ {
		w.committing.Store(true)
		if err = l.append(leaves(i*w.size, w.size)...); err == nil {
			w.mu.Lock()
			w.n++
			w.mu.Unlock()
		}
		w.committing.Store(false)
		if i == w.batches/2 && err == nil {
			err = s.Flush()
		}
	}
	if err == nil {
		err = s.Close()
	}
	if err != nil && !errors.Is(err, syscall.EIO) {
		t.Errorf("error is not that of the disk: %v", err)
	}
}

// check opens the store again.
func (w *worker) check(t *testing.T, opt pebblestore.Options) error {
	s, err := pebblestore.Open("store", opt)
	if err != nil {
		return err
	}
	defer s.Close()
	acked := w.acked()
	l, err := tryLog(t, s) // makes what is missing, if nothing was acknowledged
	if err != nil {
		return err
	}
	if err := l.drain(); err != nil { // DurableQueue
		return err
	}
	size, err := l.recompute()
	if err != nil {
		return err
	}
	if size%int64(w.size) != 0 || size < int64(acked*w.size) || size > int64((acked+1)*w.size) {
		return fmt.Errorf("size is %d; %d batches of %d were acknowledged", size, acked, w.size)
	}
	values, err := s.LeafValues(l.tree.TreeId, 0, size)
	if err != nil {
		return err
	}
	for i, v := range values {
		if want := string(leaves(i, 1)[0].LeafValue); string(v) != want {
			return fmt.Errorf("leaf %d is %q, want %q", i, v, want)
		}
	}
	return l.append(leaf("after"))
}

// tryLog returns the one log of a store, and makes what is missing of it.
func tryLog(t *testing.T, s *pebblestore.Store) (*log, error) {
	ids, err := s.Log().GetActiveLogIDs(t.Context())
	if err != nil {
		return nil, err
	}
	l := &log{store: s, ls: s.Log()}
	if len(ids) == 0 {
		if l.tree, err = createTree(t, s, trillian.TreeType_LOG); err != nil {
			return nil, err
		}
	} else {
		l = onlyLog(t, s)
	}
	if _, err := s.Root(l.tree.TreeId); err == nil {
		return l, nil
	}
	return l, l.tryInit(t)
}

// TestFull: without room nothing is written, and nothing stays queued.
func TestFull(t *testing.T) {
	inModes(t, func(t *testing.T, mode pebblestore.QueueMode) {
		free := uint64(1 << 30)
		l := newLog(t, open(t, pebblestore.Options{Queue: mode, MinFree: 1 << 20, Free: func() (uint64, error) { return free, nil }}, false))
		l.mustAppend(t, leaf("a"))
		if err := l.queue(leaf("b")); err != nil {
			t.Fatal(err)
		}
		free = 1<<20 - 1
		if err := l.queue(leaf("c")); !errors.Is(err, pebblestore.ErrFull) {
			t.Errorf("queue: %v", err)
		}
		if _, err := l.integrate(10); !errors.Is(err, pebblestore.ErrFull) {
			t.Errorf("integrate: %v", err)
		}
		pre := newLeafAt(5)
		if _, err := l.ls.AddSequencedLeaves(t.Context(), l.tree, []*trillian.LogLeaf{pre}, clock.Now()); !errors.Is(err, pebblestore.ErrFull) {
			t.Errorf("add sequenced leaves: %v", err)
		}
		free = 1 << 20
		if n, err := l.integrate(10); err != nil || n != 1 {
			t.Errorf("with room again: integrated %d, %v; want the one queued before", n, err)
		}
		l.mustAppend(t, leaf("c"))
		if size, err := l.recompute(); err != nil || size != 3 {
			t.Errorf("size %d, %v", size, err)
		}
	})
}

func newLeafAt(index int64) *trillian.LogLeaf {
	l := leaf("at %d", index)
	l.LeafIndex = index
	return l
}

// TestInUse: a store is opened once.
func TestInUse(t *testing.T) {
	fs := vfs.NewMem()
	s := open(t, pebblestore.Options{FS: fs}, false)
	if _, err := pebblestore.Open("store", pebblestore.Options{FS: fs}); !errors.Is(err, pebblestore.ErrInUse) {
		t.Errorf("%v is not ErrInUse", err)
	}
	if _, err := s.Rows(); err != nil {
		t.Error(err)
	}
}
