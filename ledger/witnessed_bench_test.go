package ledger_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/cosign"
	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/verify"
)

// BenchmarkWitnessed compares submitting from 256 callers with nobody asked, with
// three witnesses that are asked, and with one of these that takes requests and
// never answers. It measures in turns, so that what else the machine does falls on
// all alike, and reports the rates in relation to the first.
func BenchmarkWitnessed(b *testing.B) {
	names := []string{"none", "three", "one-hangs"}
	worlds := make([]*ledgertest.World, len(names))
	for i, name := range names {
		worlds[i] = witnessedWorld(b, name)
	}
	records := make([][][]byte, len(names))
	for i, w := range worlds {
		records[i] = benchRecords(w, b.N)
	}
	const turn = 4096
	took := make([]float64, len(names))
	b.ResetTimer()
	for from := 0; from < b.N; from += turn {
		for k := range names {
			i := (k + from/turn) % len(names) // none is always the first
			before := b.Elapsed()
			submitAll(b, worlds[i], records[i][from:min(from+turn, b.N)])
			took[i] += (b.Elapsed() - before).Seconds()
		}
	}
	b.StopTimer()
	for i, name := range names {
		b.ReportMetric(float64(b.N)/took[i], name+"-records/s")
		if i > 0 {
			b.ReportMetric(took[0]/took[i], name+"/none")
		}
	}
	for i, w := range worlds[1:] {
		info, err := w.Ledger.Info(context.Background())
		if err != nil || len(info.Witnessed) == 0 && b.N > turn {
			b.Errorf("%s: nothing was cosigned: %v", names[i+1], err)
		}
	}
}

// submitAll submits records from 256 callers.
func submitAll(b *testing.B, w *ledgertest.World, records [][]byte) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(256, len(records)) {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(records)); i = next.Add(1) - 1 {
				if _, err := w.Ledger.Submit(context.Background(), records[i], ledger.Options{}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// witnessedWorld is a ledger that is cosigned as its name says.
func witnessedWorld(b *testing.B, name string) *ledgertest.World {
	if name == "none" {
		return ledgertest.New(b, nil)
	}
	var peers []*ledgertest.Peer
	w := ledgertest.New(b, func(c *ledger.Config) {
		for _, name := range ledgertest.WitnessNames {
			peers = append(peers, ledgertest.NewPeer(b, name, c.VKey))
		}
		policy, err := verify.ParsePolicy(append([]byte("log "+c.VKey+"\n"), ledgertest.PeerPolicy("2", peers...)...))
		if err != nil {
			b.Fatal(err)
		}
		c.WitnessPolicy, c.Checkpoints = policy, filepath.Join(b.TempDir(), "checkpoints")
	})
	if name == "one-hangs" {
		peers[0].Behaves(ledgertest.Hangs)
	}
	c, err := cosign.Open(cosign.Config{Log: w.Ledger, Policy: w.Config.WitnessPolicy, Dir: w.Config.Checkpoints})
	if err != nil {
		b.Fatal(fmt.Errorf("%s: %w", name, err))
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	b.Cleanup(func() { // before the ledger closes
		cancel()
		if err := <-done; err != nil {
			b.Error(err)
		}
	})
	return w
}
