package ledger_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/ledger/tree/embedded"
	"github.com/docket-ledger/docket/verify/record"
)

// TestMain sets what docketd sets, for the benchmarks.
func TestMain(m *testing.M) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
	os.Exit(m.Run())
}

// benchRecords returns n effective records of about 1 KB with one Ed25519
// signature each, by two signers in turn.
func benchRecords(w *ledgertest.World, n int) [][]byte {
	out := make([][]byte, n)
	var wg sync.WaitGroup
	for part := range 2 {
		name := []string{"dora", "erik"}[part]
		wg.Go(func() {
			for i := part; i < n; i += 2 {
				d := w.Decision(fmt.Sprintf("bench-%d", i))
				d.Grounds[0].Clause = "solo"
				d.Facts = strings.Repeat("What was found. ", 8)
				out[i] = w.Sign(d, name)
			}
		})
	}
	wg.Wait()
	return out
}

// BenchmarkSubmit submits from many callers at once. Every record is checked,
// judged, durable, signed for and proven before its caller goes on.
func BenchmarkSubmit(b *testing.B) {
	for _, callers := range []int{1, 256} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			w := ledgertest.New(b, nil)
			records := benchRecords(w, b.N)
			took := make([]time.Duration, b.N)
			var next atomic.Int64
			b.SetBytes(int64(len(records[0])))
			b.ResetTimer()
			var wg sync.WaitGroup
			for range min(callers, b.N) {
				wg.Go(func() {
					for i := next.Add(1) - 1; i < int64(b.N); i = next.Add(1) - 1 {
						start := time.Now()
						if _, err := w.Ledger.Submit(context.Background(), records[i], ledger.Options{}); err != nil {
							b.Error(err)
							return
						}
						took[i] = time.Since(start)
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			slices.Sort(took)
			ms := func(q float64) float64 { return took[int(q*float64(len(took)-1))].Seconds() * 1000 }
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
			b.ReportMetric(ms(0.5), "p50-ms")
			b.ReportMetric(ms(0.99), "p99-ms")
		})
	}
}

// BenchmarkCeiling measures apart what a submission can't do without: the
// signature check on one core, and the bare tree at the batch sizes of the
// writer.
func BenchmarkCeiling(b *testing.B) {
	w := ledgertest.New(b, nil)
	records := benchRecords(w, 512)
	b.Run("check", func(b *testing.B) {
		keys := map[string]any{}
		for _, name := range []string{"dora", "erik"} {
			keys[ledgertest.JWK(name).KID()] = ledgertest.Key(name).Public()
		}
		for i := 0; b.Loop(); i++ {
			jws, err := jose.ParseSignedJSON(string(records[i%len(records)]), []jose.SignatureAlgorithm{jose.EdDSA, jose.ES256})
			if err != nil {
				b.Fatal(err)
			}
			if _, _, _, err := jws.VerifyMulti(keys[jws.Signatures[0].Protected.KeyID]); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "checks/s")
	})
	b.Run("append", func(b *testing.B) {
		const batch = 128
		log, err := embedded.Open(b.Context(), embedded.Config{Dir: filepath.Join(b.TempDir(), "log")})
		if err != nil {
			b.Fatal(err)
		}
		defer log.Close()
		leaves := make([][][]byte, (b.N+batch-1)/batch)
		for i := range leaves {
			for j := range batch {
				leaves[i] = append(leaves[i], fmt.Appendf(nil, "%08d%s", i*batch+j, records[j]))
			}
		}
		b.ResetTimer()
		for _, l := range leaves {
			if _, err := log.Append(context.Background(), l); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(len(leaves)*batch)/b.Elapsed().Seconds(), "appends/s")
	})
}

// BenchmarkReceipt makes full receipts on demand, all in one checkpoint.
func BenchmarkReceipt(b *testing.B) {
	w := ledgertest.New(b, nil)
	var ids []record.ID
	for _, r := range benchRecords(w, 300) {
		ids = append(ids, w.Submit(r).ID)
	}
	size := 0
	b.ResetTimer()
	for i := range b.N {
		receipt, err := w.Ledger.Receipt(context.Background(), ids[i%len(ids)])
		if err != nil {
			b.Fatal(err)
		}
		size = len(receipt)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "receipts/s")
	b.ReportMetric(float64(size), "bytes")
}
