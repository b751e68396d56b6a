package embedded_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/docket-ledger/docket/ledger/tree"
	"github.com/docket-ledger/docket/ledger/tree/embedded"
)

// TestFaults is the fault table: every write of a log's life × (an error, or the
// process ends) × (nothing that was not synced reaches the disk, half of it, or
// all), then the log is opened again and read whole.
func TestFaults(t *testing.T) {
	for _, kind := range []string{"error", "end"} {
		t.Run(kind, func(t *testing.T) {
			for at := int64(0); ; at++ {
				p := &process{fail: kind == "error", done: make(chan struct{}), under: vfs.NewCrashableMem()}
				p.left.Store(at)
				go p.run(t)
				<-p.done
				for _, percent := range []int{0, 50, 100} {
					cfg := vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rand.New(rand.NewPCG(uint64(at), uint64(percent)))}
					if err := p.check(t, p.under.CrashClone(cfg)); err != nil {
						t.Errorf("write %d, %d %% of what was not synced: %v", at, percent, err)
					}
				}
				if p.left.Load() >= 0 {
					return // there are no more writes
				}
			}
		})
	}
}

const batches, perBatch = 6, 4

func batchOf(i int) [][]byte {
	out := make([][]byte, perBatch)
	for k := range out {
		out[k] = fmt.Appendf(nil, "leaf %d of batch %d", k, i)
	}
	return out
}

// process appends batches until a write fails.
type process struct {
	under     *vfs.MemFS
	left      atomic.Int64 // writes until one fails
	fail      bool         // with an error, if a commit writes the WAL; else whoever writes never returns
	appending atomic.Bool
	done      chan struct{}
	once      sync.Once

	mu     sync.Mutex
	acked  int
	opened bool
}

func (p *process) stop() { p.once.Do(func() { close(p.done) }) }

func (p *process) write(op errorfs.Op) error {
	if op.Kind.ReadOrWrite() != errorfs.OpIsWrite || p.left.Add(-1) >= 0 {
		return nil
	}
	if p.fail && p.appending.Load() && strings.HasSuffix(op.Path, ".log") {
		return syscall.EIO
	}
	p.stop()
	select {} // Pebble would end the process at most of these
}

func (p *process) run(t *testing.T) {
	defer p.stop()
	cache := pebble.NewCache(1 << 20)
	defer cache.Unref()
	log, err := embedded.Open(t.Context(), embedded.Config{
		Dir: "log", FS: errorfs.Wrap(p.under, errorfs.InjectorFunc(p.write)), Cache: cache, Free: plenty,
		Fatal: func(string) { runtime.Goexit() },
	})
	if err != nil {
		return
	}
	p.mu.Lock()
	p.opened = true
	p.mu.Unlock()
	for i := range batches {
		if err := p.append(t, log, i); err != nil {
			t.Errorf("append: %v", err)
			return
		}
		p.mu.Lock()
		p.acked++
		p.mu.Unlock()
	}
	if err := log.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

// append appends a batch. If Fatal ended that, the log takes no more.
func (p *process) append(t *testing.T, log *embedded.Log, i int) error {
	finished := false
	p.appending.Store(true)
	defer func() {
		p.appending.Store(false)
		if finished {
			return
		}
		if _, err := log.Append(t.Context(), batchOf(i+1)); !errors.Is(err, tree.ErrUnknown) {
			t.Errorf("append after one that did not end: %v, want ErrUnknown", err)
		}
	}()
	indexes, err := log.Append(t.Context(), batchOf(i))
	finished = true
	if err == nil && indexes[0] != int64(i*perBatch) {
		err = fmt.Errorf("batch %d has indexes %v", i, indexes)
	}
	return err
}

func plenty() (uint64, error) { return 1 << 40, nil }

// check opens the log after the fault, reads all of it, and goes on.
func (p *process) check(t *testing.T, fs vfs.FS) error {
	p.mu.Lock()
	acked, opened := p.acked, p.opened
	p.mu.Unlock()
	cache := pebble.NewCache(1 << 20)
	defer cache.Unref()
	log, err := embedded.Open(t.Context(), embedded.Config{Dir: "log", FS: fs, Cache: cache, Free: plenty})
	if err != nil && !opened {
		return nil // what was never open may be unusable, and says so
	}
	if err != nil {
		return err
	}
	defer log.Close()
	for i := acked; i <= batches; i++ {
		if err := whole(t, log, acked, i); err != nil {
			return err
		}
		head, err := log.Head(t.Context())
		if err != nil {
			return err
		}
		if i == int(head.Size)/perBatch {
			if _, err := log.Append(t.Context(), batchOf(i)); err != nil {
				return err
			}
		}
	}
	return nil
}

// whole checks that the log holds the first batches, in order and as a whole:
// all that were acknowledged, at most one more than were begun.
func whole(t *testing.T, log *embedded.Log, acked, most int) error {
	head, err := log.Head(t.Context())
	if err != nil {
		return err
	}
	if head.Size%perBatch != 0 || head.Size < int64(acked*perBatch) || head.Size > int64((most+1)*perBatch) {
		return fmt.Errorf("size is %d; %d batches of %d were acknowledged", head.Size, acked, perBatch)
	}
	leaves, err := log.Leaves(t.Context(), 0, head.Size)
	if err != nil {
		return err
	}
	for i, got := range leaves {
		if want := batchOf(i / perBatch)[i%perBatch]; !bytes.Equal(got, want) {
			return fmt.Errorf("leaf %d is %q, want %q", i, got, want)
		}
	}
	return nil
}
