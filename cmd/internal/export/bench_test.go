package export

import (
	"flag"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

var (
	benchWritten = flag.Int64("written", 20_000, "how many records BenchmarkWrite writes")
	benchLogged  = flag.Int("logged", 2000, "how many records the log of BenchmarkRun and BenchmarkWrite has")
)

// mirrored writes a log of records that differ to a folder.
func mirrored(b *testing.B) (verify.Source, verify.Policies) {
	b.Helper()
	w := ledgertest.NewVaried(b, *benchLogged)
	dir := b.TempDir()
	for name, text := range w.Files() {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			b.Fatal(err)
		}
	}
	p, err := verify.ParsePolicy(w.TrustPolicy())
	if err != nil {
		b.Fatal(err)
	}
	w.Close() // of its memory
	return verify.DirSource(os.DirFS(dir)), verify.Policies{p}
}

// BenchmarkRun exports a log, its audit included.
func BenchmarkRun(b *testing.B) {
	src, policies := mirrored(b)
	for _, f := range Formats {
		b.Run(f.Name, func(b *testing.B) {
			records := int64(0)
			tell := watchMemory(b)
			for b.Loop() {
				m, err := Run(b.Context(), Config{Source: src, Policies: policies, Format: f, Dir: filepath.Join(b.TempDir(), "out")})
				if err != nil {
					b.Fatal(err)
				}
				records += m.Size
			}
			tell(records)
		})
	}
}

// BenchmarkWrite writes records that were audited before, the same ones again and
// again: what an export takes besides the audit.
func BenchmarkWrite(b *testing.B) {
	src, policies := mirrored(b)
	type judged struct {
		r record.Checked
		s rules.Standing
	}
	var all []judged
	sum, err := policies.Audit(b.Context(), src, verify.AuditOptions{
		Each: func(_ int64, r record.Checked, s rules.Standing) { all = append(all, judged{r, s}) }})
	if err != nil || sum.Broken > 0 {
		b.Fatalf("%+v, %v", sum, err)
	}
	for _, f := range Formats {
		b.Run(f.Name, func(b *testing.B) {
			tell := watchMemory(b)
			for b.Loop() {
				d, err := newFolder(filepath.Join(b.TempDir(), "out"))
				if err != nil {
					b.Fatal(err)
				}
				w, err := f.Begin(d)
				if err != nil {
					b.Fatal(err)
				}
				for i := range *benchWritten {
					one := all[i%int64(len(all))]
					if err := w.Add(i, one.r, one.s); err != nil {
						b.Fatal(err)
					}
				}
				if err := w.Finish(sum); err != nil {
					b.Fatal(err)
				}
				if _, err := d.close(); err != nil {
					b.Fatal(err)
				}
				if err := d.discard(); err != nil {
					b.Fatal(err)
				}
			}
			tell(*benchWritten * int64(b.N))
		})
	}
}

// watchMemory finds the most memory that this process gets from now on, besides what
// it uses now. What it returns tells that, and how many records were done a second.
func watchMemory(b *testing.B) (tell func(records int64)) {
	held := func() uint64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapInuse + m.StackInuse
	}
	runtime.GC()
	before, peak := held(), uint64(0)
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			peak = max(peak, held())
			select {
			case <-done:
				return
			case <-tick.C:
			}
		}
	})
	return func(records int64) {
		close(done)
		wg.Wait()
		b.ReportMetric(float64(records)/b.Elapsed().Seconds(), "records/s")
		b.ReportMetric(float64(max(peak, before)-before)/(1<<20), "peak-MiB")
	}
}
