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
	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/ledger/state"
	"github.com/docket-ledger/docket/ledger/tree/embedded"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
	"github.com/docket-ledger/docket/verify/tile"
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
	for _, run := range []struct {
		callers int
		pq      bool // each checkpoint gets an ML-DSA-44 line, too
	}{{1, false}, {256, false}, {1, true}, {256, true}} {
		callers := run.callers
		name := fmt.Sprintf("callers=%d", callers)
		if run.pq {
			name += "/pq"
		}
		b.Run(name, func(b *testing.B) {
			w := ledgertest.New(b, func(c *ledger.Config) {
				if run.pq {
					c.PQ = pqKey(b, "pq")
				}
			})
			if run.pq {
				w.Submit(w.Sign(amendment(w, w.VKey(), w.Config.PQ.VKey().String()), "ada", "ben"))
			}
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

// BenchmarkFold is the rules alone, on the server's state: an overlay of a batch
// of 256 on Pebble, merged after each.
func BenchmarkFold(b *testing.B) {
	w := ledgertest.New(b, nil)
	records := benchRecords(w, 10_000)
	before := w.Files()
	checked := make([]record.Checked, 0, len(records)+8)
	log := &stored{}
	entries, err := tile.ParseBundle(before["tile/entries/000.p/6"], 6)
	if err != nil {
		b.Fatal(err)
	}
	ring := record.Keyring{}
	for _, e := range append(entries, records...) {
		u, err := record.Parse(e)
		if err != nil {
			b.Fatal(err)
		}
		for kid, key := range record.NewKeyring(u.Payload()) {
			ring[kid] = key
		}
		c, err := u.Verify(ring)
		if err != nil {
			b.Fatal(err)
		}
		checked = append(checked, c)
		log.add(b, e)
	}
	for b.Loop() {
		store, err := state.Open(state.Config{Dir: b.TempDir()})
		if err != nil {
			b.Fatal(err)
		}
		on := &onOverlay{overlay: store.Overlay()}
		fold := rules.New(on, log, verify.OpenTimemark)
		start, merging := time.Now(), time.Duration(0)
		for i, c := range checked {
			if s, err := fold.Apply(int64(i), c); err != nil || !s.Effective() {
				b.Fatalf("%+v, %v", s, err)
			}
			if i%256 == 255 {
				began := time.Now()
				if err := store.Merge(on.overlay, int64(i+1), tlog.Hash{}); err != nil {
					b.Fatal(err)
				}
				on.overlay = store.Overlay()
				merging += time.Since(began)
			}
		}
		perRecord := func(d time.Duration) float64 { return float64(d.Microseconds()) / float64(len(checked)) }
		b.ReportMetric(perRecord(time.Since(start)-merging), "µs/record")
		b.ReportMetric(perRecord(merging), "merge-µs/record")
		if err := store.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// onOverlay is the rules.State of the overlay of the moment.
type onOverlay struct{ overlay *state.Overlay }

func (o *onOverlay) Get(key string) ([]byte, error)     { return o.overlay.Get(key) }
func (o *onOverlay) Put(key string, value []byte) error { return o.overlay.Put(key, value) }

// stored keeps the hashes of a tree as tlog stores them, and is its rules.Roots.
type stored struct {
	size   int64
	hashes []tlog.Hash
	memo   map[int64]tlog.Hash
}

func (s *stored) ReadHashes(at []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(at))
	for i, x := range at {
		out[i] = s.hashes[x]
	}
	return out, nil
}

func (s *stored) add(b *testing.B, e []byte) {
	hashes, err := tlog.StoredHashes(s.size, e, s)
	if err != nil {
		b.Fatal(err)
	}
	s.hashes = append(s.hashes, hashes...)
	s.size++
}

// Root implements rules.Roots. The ledger looks roots up before the rules ask.
func (s *stored) Root(size int64) (tlog.Hash, error) {
	if s.memo == nil {
		s.memo = map[int64]tlog.Hash{}
	}
	h, ok := s.memo[size]
	if ok {
		return h, nil
	}
	h, err := tlog.TreeHash(size, s)
	s.memo[size] = h
	return h, err
}
