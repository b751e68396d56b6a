//go:build fleet

package fleet_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/trillian"
	"github.com/google/trillian/types"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/durationpb"
)

// kept is what a record has beside its number: they are of 700 bytes.
var kept = strings.Repeat("x", 660)

// analyze does what autovacuum does within a minute.
func analyze(b *testing.B) {
	b.Helper()
	if _, err := running.SQL(b.Context(), "analyze"); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkFleetAppend appends batches from one writer.
func BenchmarkFleetAppend(b *testing.B) {
	for _, n := range []int{1, 64, 256, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			log := open(b, newTree(b), b.TempDir())
			if _, err := log.Append(b.Context(), batchOf(5000, "before %s", kept)); err != nil {
				b.Fatal(err)
			}
			analyze(b)
			k := 0
			for b.Loop() {
				if _, err := log.Append(b.Context(), batchOf(n, "benchmark %d %s", k, kept)); err != nil {
					b.Fatal(err)
				}
				k++
			}
			b.ReportMetric(float64(n*k)/b.Elapsed().Seconds(), "leaves/s")
		})
	}
}

// BenchmarkFleetBare queues leaves on a LOG tree of the same database with the
// bare client, from so many callers at once that each wait for the root with it.
// One follows the root for all.
func BenchmarkFleetBare(b *testing.B) {
	for _, callers := range []int{1, 64, 256, 1000} {
		b.Run(fmt.Sprint(callers), func(b *testing.B) {
			conn, err := grpc.NewClient(running.Addresses[0], grpc.WithTransportCredentials(insecure.NewCredentials()))
			if err != nil {
				b.Fatal(err)
			}
			defer conn.Close()
			tree, err := trillian.NewTrillianAdminClient(conn).CreateTree(b.Context(), &trillian.CreateTreeRequest{Tree: &trillian.Tree{
				TreeState: trillian.TreeState_ACTIVE, TreeType: trillian.TreeType_LOG, MaxRootDuration: durationpb.New(0)}})
			if err != nil {
				b.Fatal(err)
			}
			log := trillian.NewTrillianLogClient(conn)
			if _, err := log.InitLog(b.Context(), &trillian.InitLogRequest{LogId: tree.TreeId}); err != nil {
				b.Fatal(err)
			}
			var queued atomic.Int64
			round := func(n int) {
				var wg sync.WaitGroup
				for range n {
					wg.Go(func() {
						value := fmt.Appendf(nil, "bare %d %s", queued.Add(1), kept)
						if _, err := log.QueueLeaf(b.Context(), &trillian.QueueLeafRequest{LogId: tree.TreeId, Leaf: &trillian.LogLeaf{LeafValue: value}}); err != nil {
							b.Error(err)
						}
					})
				}
				wg.Wait()
				for size := uint64(0); size < uint64(queued.Load()) && !b.Failed(); time.Sleep(5 * time.Millisecond) {
					r, err := log.GetLatestSignedLogRoot(b.Context(), &trillian.GetLatestSignedLogRootRequest{LogId: tree.TreeId})
					if err != nil {
						b.Fatal(err)
					}
					var root types.LogRootV1
					if err := root.UnmarshalBinary(r.SignedLogRoot.LogRoot); err != nil {
						b.Fatal(err)
					}
					size = root.TreeSize
				}
			}
			round(1000)
			analyze(b)
			before := queued.Load()
			for b.Loop() {
				round(callers)
			}
			b.ReportMetric(float64(queued.Load()-before)/b.Elapsed().Seconds(), "leaves/s")
		})
	}
}
