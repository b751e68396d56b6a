package cosign_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/cosign"
	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/verify"
)

// routes sends what goes to a host of the witness policy to the server of a peer.
type routes map[string]*peer

func (r routes) RoundTrip(req *http.Request) (*http.Response, error) {
	p := r[req.URL.Host]
	if p == nil {
		return nil, errors.New("no such host")
	}
	u, err := url.Parse(p.server.URL)
	if err != nil {
		return nil, err
	}
	req = req.Clone(req.Context())
	req.URL.Scheme, req.URL.Host = u.Scheme, u.Host
	return http.DefaultTransport.RoundTrip(req)
}

// witnessed is a real ledger whose three witnesses answer over HTTP, and are asked
// until the function that it returns is called.
func witnessed(t testing.TB, interval time.Duration) (w *ledgertest.World, peers []*peer, stop func()) {
	t.Helper()
	w = ledgertest.NewWitnessed(t, nil)
	logs := parse(t, "log "+w.VKey(), "quorum none")
	hosts := routes{}
	for _, name := range ledgertest.WitnessNames {
		c, err := verify.NewCosigner(ledgertest.WitnessKey(name).Name, ledgertest.Key("witness "+name))
		if err != nil {
			t.Fatal(err)
		}
		p := newPeer(t, name, logs)
		p.core.Cosigners[0], p.now = c, w.Now
		hosts[name+".test.example"] = p
		peers = append(peers, p)
	}
	c, err := cosign.Open(cosign.Config{Log: w.Ledger, Policy: w.Config.WitnessPolicy, Dir: w.Config.Checkpoints,
		HTTP: &http.Client{Transport: hosts}, Interval: interval, Now: w.Now})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Agreed(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.Ledger.SetWitnesses(c.Witnesses)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(stop)
	w.Advance(time.Hour) // the first timemark says so, and the policy is in force
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if i, err := w.Ledger.Info(t.Context()); err != nil || i.Time >= w.Time(0) {
			return w, peers, stop
		}
		if time.Now().After(deadline) {
			t.Fatalf("no timemark: %+v", c.Witnesses())
		}
	}
}

// TestLedger: a record of a real ledger is witnessed; without the quorum recording
// goes on, and what was recorded meanwhile is witnessed when it is back.
func TestLedger(t *testing.T) {
	w, peers, stop := witnessed(t, 5*time.Millisecond)
	submit := func(name string) int64 {
		t.Helper()
		d := w.Decision(name)
		d.Grounds[0].Clause = "solo"
		return w.Submit(w.Sign(d, "dora")).Index
	}
	await := func(index int64, within time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), within)
		defer cancel()
		return w.Ledger.AwaitWitnessed(ctx, index)
	}
	if err := await(submit("first"), 20*time.Second); err != nil {
		t.Fatal(err)
	}
	away := func(w http.ResponseWriter, _ *http.Request, _ []byte) bool {
		w.WriteHeader(http.StatusBadGateway)
		return true
	}
	peers[0].lies(away)
	if err := await(submit("two-of-three"), 20*time.Second); err != nil {
		t.Fatal(err)
	}
	peers[1].lies(away)
	var last int64
	for i := range 20 {
		last = submit(fmt.Sprintf("meanwhile-%d", i))
	}
	if err := await(last, 50*time.Millisecond); !errors.Is(err, ledger.ErrPending) {
		t.Errorf("without a quorum: %v", err)
	}
	peers[0].lies(nil)
	if err := await(last, 20*time.Second); err != nil {
		t.Error(err)
	}
	// The older of two histories, from a backup, is not continued.
	head := w.Ledger.Head()
	stop()
	fork, _, stopFork := witnessed(t, time.Hour)
	stopFork()
	if head.Checkpoint.Size <= fork.Ledger.Head().Checkpoint.Size {
		t.Fatal("the second ledger is no older copy")
	}
	c, err := cosign.Open(cosign.Config{Log: fork.Ledger, Policy: w.Config.WitnessPolicy, Dir: t.TempDir(),
		HTTP: &http.Client{Transport: routes{"w1.test.example": peers[0], "w2.test.example": peers[1], "w3.test.example": peers[2]}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Agreed(t.Context()); !errors.Is(err, ledger.ErrNotExtended) || !strings.Contains(err.Error(), "evidence-") {
		t.Errorf("agreed: %v", err)
	}
}

// BenchmarkRecording submits from 256 callers without witnesses asked, with three,
// and with one of the three hanging.
func BenchmarkRecording(b *testing.B) {
	for _, asked := range []string{"none", "three", "one-hangs"} {
		b.Run("witnesses="+asked, func(b *testing.B) {
			w, peers, stop := witnessed(b, time.Second)
			switch asked {
			case "none":
				stop()
			case "one-hangs":
				peers[0].lies(func(_ http.ResponseWriter, r *http.Request, _ []byte) bool {
					<-r.Context().Done()
					return true
				})
			}
			records := make([][]byte, b.N)
			for i := range records {
				d := w.Decision(fmt.Sprintf("bench-%d", i))
				d.Grounds[0].Clause = "solo"
				d.Facts = strings.Repeat("What was found. ", 8)
				records[i] = w.Sign(d, []string{"dora", "erik"}[i%2])
			}
			var next atomic.Int64
			b.ResetTimer()
			var wg sync.WaitGroup
			for range min(256, b.N) {
				wg.Go(func() {
					for i := next.Add(1) - 1; i < int64(b.N); i = next.Add(1) - 1 {
						if _, err := w.Ledger.Submit(context.Background(), records[i], ledger.Options{}); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
		})
	}
}
