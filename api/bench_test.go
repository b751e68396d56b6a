package api_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/docket-ledger/docket/api"
	"github.com/docket-ledger/docket/api/client"
	"github.com/docket-ledger/docket/ledger/ledgertest"
)

// BenchmarkBulk submits as many records in batches as 256 clients submit one by
// one, in the same run; ratio is how many times as fast the batches are. Targets:
// design, section 10.
func BenchmarkBulk(b *testing.B) {
	w := ledgertest.New(b, nil)
	server := httptest.NewServer(api.New(w.Ledger, api.Options{}))
	defer server.Close()
	c, err := client.New(server.URL)
	if err != nil {
		b.Fatal(err)
	}
	const n, clients, batches = 4096, 256, 4
	serial := 0
	records := func() [][]byte {
		out := make([][]byte, n)
		for i := range out {
			serial++
			d := w.Decision(fmt.Sprintf("bench-%d", serial))
			d.Grounds[0].Clause, d.Facts = "solo", strings.Repeat("What was found. ", 8)
			out[i] = w.Sign(d, "dora")
		}
		return out
	}
	for b.Loop() {
		b.StopTimer()
		one, all := records(), records()
		b.StartTimer()
		var next atomic.Int64
		start := b.Elapsed()
		var wg sync.WaitGroup
		for range clients {
			hc := from(b, "127.0.0.1")
			wg.Go(func() {
				for i := next.Add(1) - 1; i < n; i = next.Add(1) - 1 {
					if status := post(hc, server.URL, one[i]); status != 201 {
						b.Errorf("single: status %d", status)
					}
				}
			})
		}
		wg.Wait()
		singles := b.Elapsed() - start
		start = b.Elapsed()
		for part := range batches {
			wg.Go(func() {
				for line, err := range c.SubmitBatch(context.Background(), slices.Values(all[part*n/batches:(part+1)*n/batches])) {
					if err != nil || line.Status != 201 {
						b.Errorf("batch: %+v, %v", line, err)
					}
				}
			})
		}
		wg.Wait()
		bulk := b.Elapsed() - start
		b.ReportMetric(n/singles.Seconds(), "single/s")
		b.ReportMetric(n/bulk.Seconds(), "bulk/s")
		b.ReportMetric(float64(singles)/float64(bulk), "ratio")
	}
}
