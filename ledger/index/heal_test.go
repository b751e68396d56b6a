package index_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/index"
	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/verify/record"
)

// running lets an index follow until the test ends.
func running(t *testing.T, x *index.Index) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- x.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		closed(t, x)
	})
}

// damage turns over bits in the first half of each table of an index, in place.
func damage(t *testing.T, fs vfs.FS, dir string) {
	t.Helper()
	tables := 0
	for _, name := range must(fs.List(dir)) {
		if !strings.HasSuffix(name, ".sst") {
			continue
		}
		tables++
		f := must(fs.OpenReadWrite(fs.PathJoin(dir, name), vfs.WriteCategoryUnspecified))
		half := make([]byte, must(f.Stat()).Size()/2) // what describes the table stands at its end
		_, read := f.ReadAt(half, 0)
		for i := 0; i < len(half); i += 64 {
			half[i] ^= 1
		}
		_, wrote := f.WriteAt(half, 0)
		if err := errors.Join(read, wrote, f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	if tables == 0 {
		t.Fatal("there is no table to damage")
	}
}

// TestDamage: an index that is damaged at rest is made anew when it is opened. A reader
// who meets damage later is told, gets no wrong answer, and it is made anew by itself.
func TestDamage(t *testing.T) {
	w := ledgertest.New(t, nil)
	for i := range 40 {
		decide(w, fmt.Sprintf("case-%d", i), nil)
	}
	fs := vfs.NewMem()
	x := opened(t, w, fs, "index")
	want := len(ask(t, x, "type=decision"))
	closed(t, x)
	damage(t, fs, "index")
	x = opened(t, w, fs, "index")
	if got := len(ask(t, x, "type=decision")); got != want {
		t.Errorf("damaged at rest: %d found, want %d", got, want)
	}
	closed(t, x)
	cache := pebble.NewCache(0)
	defer cache.Unref()
	x, err := index.Open(t.Context(), index.Config{Dir: "index", FS: fs, Log: w.Ledger, Cache: cache})
	if err != nil {
		t.Fatal(err)
	}
	damage(t, fs, "index")
	running(t, x)
	q := index.Query{Where: map[index.Field][]string{index.Type: {"decision"}}}
	met := false
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		found, err := x.Search(t.Context(), q, ledger.Page{Limit: 10})
		if met = met || errors.Is(err, index.ErrAnew); met && err == nil && found.Size == x.Lag().Head {
			if found.Total != int64(want) {
				t.Errorf("%d found, want %d", found.Total, want)
			}
			return
		}
		if err != nil && !errors.Is(err, index.ErrAnew) {
			t.Fatal(err)
		}
		if err == nil && found.Size == x.Lag().Head && found.Total != int64(want) {
			t.Fatalf("a wrong answer of a damaged index: %d found, want %d", found.Total, want)
		}
		if time.Now().After(end) {
			t.Fatalf("not made anew: met %v, %d found, %v", met, found.Total, err)
		}
	}
}

// A smallDisk is a file system that says how much is free.
type smallDisk struct {
	vfs.FS
	free atomic.Uint64
}

func (d *smallDisk) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{AvailBytes: d.free.Load()}, nil
}

// TestFullDisk: an index without room waits, answers from what it has, and goes on.
func TestFullDisk(t *testing.T) {
	w := ledgertest.New(t, nil)
	decide(w, "before", nil)
	disk := &smallDisk{FS: vfs.NewMem()}
	if _, err := index.Open(t.Context(), index.Config{Dir: "index", FS: disk, Log: w.Ledger}); err == nil || !strings.Contains(err.Error(), "MB free") {
		t.Errorf("opened on a full disk: %v", err)
	}
	disk.free.Store(1 << 30)
	var said strings.Builder
	x, err := index.Open(t.Context(), index.Config{Dir: "index", FS: disk, Log: w.Ledger, Logger: slog.New(slog.NewTextHandler(&said, nil))})
	if err != nil {
		t.Fatal(err)
	}
	caughtUp(t, x)
	disk.free.Store(1 << 20)
	later := decide(w, "later", nil)
	if n, err := x.Catch(t.Context()); n != 0 || err == nil || !strings.Contains(err.Error(), "MB free") {
		t.Errorf("caught %d on a full disk, %v", n, err)
	}
	running(t, x)
	if got := ask(t, x, "case=before"); len(got) != 1 {
		t.Errorf("on a full disk: %v", got)
	}
	if lag := x.Lag(); lag.Size != later.Index || lag.Head != later.Index+1 {
		t.Errorf("lag on a full disk: %+v", lag)
	}
	disk.free.Store(1 << 30)
	if err := x.Wait(t.Context(), later.Index+1); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, x, "case=later"); len(got) != 1 {
		t.Errorf("with room again: %v", got)
	}
}

// TestCounts: combinations are counted as one would, record by record, also of fields
// of which a record has several values.
func TestCounts(t *testing.T) {
	w := ledgertest.New(t, nil)
	w.EveryType("Some words of a record.")
	for i := range 150 { // more than a row of few numbers has
		decide(w, fmt.Sprintf("counted-%d", i), func(d *record.Decision) { d.Severity = record.Severities[i%len(record.Severities)] })
	}
	x := opened(t, w, nil, t.TempDir())
	defer closed(t, x)
	values := map[index.Field]map[string][]int64{}
	fields := []index.Field{index.Type, index.Case, index.Holder, index.Standing, index.Severity, index.Clause}
	for _, f := range fields {
		values[f] = map[string][]int64{}
		counts, err := x.Count(t.Context(), index.Query{}, 1000, f)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range counts.Rows {
			found := ask(t, x, string(f)+"="+row.Values[0])
			if values[f][row.Values[0]] = found; int64(len(found)) != row.Count {
				t.Errorf("%s %v: %d counted, %d found", f, row.Values, row.Count, len(found))
			}
		}
	}
	r := rand.New(rand.NewPCG(5, 6))
	for range 40 {
		by := []index.Field{fields[r.IntN(len(fields))], fields[r.IntN(len(fields))], fields[r.IntN(len(fields))]}[:2+r.IntN(2)]
		want := map[string]int64{}
		tally(want, values, by, nil, "")
		counts, err := x.Count(t.Context(), index.Query{}, 100_000, by...)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range counts.Rows {
			if name := strings.Join(row.Values, "\n") + "\n"; want[name] != row.Count {
				t.Errorf("by %v: %q is %d, want %d", by, row.Values, row.Count, want[name])
			}
		}
		if len(counts.Rows) != len(want) {
			t.Errorf("by %v: %d rows, want %d", by, len(counts.Rows), len(want))
		}
	}
}

// tally counts the records that have the values of some fields; within holds them if it
// is set.
func tally(into map[string]int64, values map[index.Field]map[string][]int64, by []index.Field, within map[int64]bool, name string) {
	if len(by) == 0 {
		if len(within) > 0 {
			into[name] = int64(len(within))
		}
		return
	}
	for value, found := range values[by[0]] {
		both := map[int64]bool{}
		for _, n := range found {
			if within == nil || within[n] {
				both[n] = true
			}
		}
		tally(into, values, by[1:], both, name+value+"\n")
	}
}

// TestMetrics: what is measured is what happened.
func TestMetrics(t *testing.T) {
	w := ledgertest.New(t, nil)
	x := opened(t, w, nil, t.TempDir())
	defer closed(t, x)
	ask(t, x, "type=decision")
	decide(w, "later", nil)
	head := w.Ledger.Head().Checkpoint.Size
	registry := prometheus.NewRegistry()
	registry.MustRegister(x.Collectors()...)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		m := f.GetMetric()[0]
		got[f.GetName()] = m.GetGauge().GetValue() + m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
	}
	if want := map[string]float64{"docket_index_size": float64(head - 1), "docket_index_lag_records": 1, "docket_index_anew_total": 0,
		"docket_index_batch_seconds": 1, "docket_index_answer_seconds": 1}; !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
