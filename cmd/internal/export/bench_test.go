package export

import (
	"context"
	"flag"
	"runtime"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

var replayed = flag.Int64("records", 20_000, "how many records BenchmarkExport writes")

// BenchmarkExport writes records that differ, 2,000 of them again and again, and
// tells the most memory that was in use meanwhile.
func BenchmarkExport(b *testing.B) {
	w := ledgertest.NewVaried(b, 2000)
	files := fstest.MapFS{}
	for name, text := range w.Files() {
		files[name] = &fstest.MapFile{Data: text}
	}
	p, err := verify.ParsePolicy(w.TrustPolicy())
	if err != nil {
		b.Fatal(err)
	}
	type judged struct {
		r record.Checked
		s rules.Standing
	}
	var all []judged
	sum, err := verify.Audit(context.Background(), verify.DirSource(files), p, verify.AuditOptions{
		Each: func(_ int64, r record.Checked, s rules.Standing) { all = append(all, judged{r, s}) }})
	if err != nil || sum.Broken > 0 {
		b.Fatalf("%+v, %v", sum, err)
	}
	for _, f := range Formats {
		b.Run(f.Name, func(b *testing.B) {
			peak, end := watchMemory()
			for b.Loop() {
				folder, err := newFolder(b.TempDir())
				if err != nil {
					b.Fatal(err)
				}
				out, err := f.Begin(folder)
				if err != nil {
					b.Fatal(err)
				}
				for i := range *replayed {
					one := all[i%int64(len(all))]
					if err := out.Add(i, one.r, one.s); err != nil {
						b.Fatal(err)
					}
				}
				if err := out.Finish(sum); err != nil {
					b.Fatal(err)
				}
				infos, err := folder.close()
				if err != nil {
					b.Fatal(err)
				}
				size := int64(0)
				for _, f := range infos {
					size += f.Size
				}
				b.ReportMetric(float64(size)/float64(*replayed), "B/record")
				if err := folder.discard(); err != nil {
					b.Fatal(err)
				}
			}
			end()
			b.ReportMetric(float64(*replayed)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
			b.ReportMetric(float64(*peak)/(1<<20), "peak-MiB")
		})
	}
}

// watchMemory finds the most bytes that the heap has in use until end is called.
func watchMemory() (peak *uint64, end func()) {
	peak = new(uint64)
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		var m runtime.MemStats
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			runtime.ReadMemStats(&m)
			*peak = max(*peak, m.HeapInuse)
			select {
			case <-done:
				return
			case <-tick.C:
			}
		}
	})
	return peak, func() { close(done); wg.Wait() }
}
