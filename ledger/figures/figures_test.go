package figures_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"reflect"
	"sync"
	"testing"

	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/figures"
	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/stats"
)

var records = flag.Int("records", 2000, "`number` of records in the ledger of the benchmarks")

// count counts the first records of a ledger at once.
func count(tb testing.TB, l *ledger.Ledger, size int64) stats.Figures {
	tb.Helper()
	c := stats.NewCounter()
	entries, err := l.Entries(tb.Context(), 0, int(size))
	if err != nil {
		tb.Fatal(err)
	}
	for _, e := range entries {
		r, err := record.Parse(e.Record)
		if err != nil {
			tb.Fatal(err)
		}
		c.Add(r, e.Standing)
	}
	return c.Figures()
}

// TestFigures: whoever asks, while the log grows, gets the numbers of the checkpoint that
// they come with.
func TestFigures(t *testing.T) {
	w := ledgertest.NewVaried(t, 100)
	k := figures.New(w.Ledger)
	var wg sync.WaitGroup
	var mu sync.Mutex
	seen := map[int64]*figures.Figures{}
	for range 3 {
		wg.Go(func() {
			for range 20 {
				f, err := k.Figures(t.Context(), 0)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				if old := seen[f.Size]; old != nil && !reflect.DeepEqual(old, f) {
					t.Errorf("two answers at size %d", f.Size)
				}
				seen[f.Size] = f
				mu.Unlock()
			}
		})
	}
	for i := range 10 {
		w.Submit(w.Sign(w.Decision(fmt.Sprintf("figures-%d", i)), "dora", "erik"))
	}
	wg.Wait()
	size := w.Ledger.Head().Checkpoint.Size
	f, err := k.Figures(t.Context(), size)
	if err != nil {
		t.Fatal(err)
	}
	seen[size] = f
	for size, f := range seen {
		if want := count(t, w.Ledger, size); f.Size != size || f.Checkpoint.Size != size || !reflect.DeepEqual(f.Figures, want) {
			t.Errorf("at size %d: checkpoint %v, %+v, want %+v", size, f.Checkpoint, f.Figures, want)
		}
	}
	if f.Checkpoint != w.Ledger.Head().Checkpoint {
		t.Errorf("the numbers are of %v, the log has %v", f.Checkpoint, w.Ledger.Head().Checkpoint)
	}
}

// A lame log can't be read past a record, or not soon.
type lame struct {
	*ledger.Ledger
	end  int64
	slow bool
}

var errLame = errors.New("the disk says no")

func (l *lame) Entries(ctx context.Context, from int64, limit int) ([]ledger.Entry, error) {
	if from < l.end {
		return l.Ledger.Entries(ctx, from, min(limit, int(l.end-from), 7))
	}
	if l.slow {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return nil, errLame
}

// TestInterrupted: what was counted before a fault is not counted twice after it.
func TestInterrupted(t *testing.T) {
	w := ledgertest.NewVaried(t, 60)
	size := w.Ledger.Head().Checkpoint.Size
	log := &lame{Ledger: w.Ledger}
	k := figures.New(log)
	for log.end = 0; log.end < size; log.end += 11 {
		if f, err := k.Figures(t.Context(), 0); !errors.Is(err, errLame) {
			t.Fatalf("with %d of %d records to be read: %v, %v", log.end, size, f, err)
		}
	}
	log.end, log.slow = size-2, true
	var counting *figures.CountingError
	if f, err := k.Figures(t.Context(), 0); !errors.As(err, &counting) || counting.Counted != size-2 || counting.Size != size {
		t.Fatalf("a slow log: %v, %v", f, err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if f, err := k.Figures(ended, 0); !errors.Is(err, context.Canceled) {
		t.Fatalf("for who does not wait: %v, %v", f, err)
	}
	log.end = size
	if err := k.All(t.Context()); err != nil {
		t.Fatal(err)
	}
	f, err := k.Figures(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if want := count(t, w.Ledger, size); !reflect.DeepEqual(f.Figures, want) {
		t.Errorf("%+v, want %+v", f.Figures, want)
	}
}

// BenchmarkFigures: the first answer, which counts all, and the one after a new record.
func BenchmarkFigures(b *testing.B) {
	w := ledgertest.NewVaried(b, *records)
	size := w.Ledger.Head().Checkpoint.Size
	counted := func() {
		k := figures.New(w.Ledger)
		if err := k.All(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("all", func(b *testing.B) {
		for b.Loop() {
			counted()
		}
		b.ReportMetric(float64(size)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
	})
	b.Run("sum", func(b *testing.B) {
		c := stats.NewCounter()
		entries, err := w.Ledger.Entries(b.Context(), 0, int(size))
		if err != nil {
			b.Fatal(err)
		}
		for _, e := range entries {
			r, err := record.Parse(e.Record)
			if err != nil {
				b.Fatal(err)
			}
			c.Add(r, e.Standing)
		}
		for b.Loop() {
			c.Figures()
		}
	})
}
