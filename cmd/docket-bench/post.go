package main

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/docket-ledger/docket/api/client"
	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/cmd/internal/keyfile"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
)

// clock is when records are signed.
var clock = time.Now

// A signer is a key with the number of its next signature.
type signer struct {
	key crypto.Signer
	seq int64
}

// A load is what is posted, and what came of it.
type load struct {
	records [][]byte
	urls    []string
	next    atomic.Int64 // record to be posted

	mu     sync.Mutex
	took   []time.Duration // of those that were taken
	failed int
	first  error // that was met
}

// result is what --json prints.
type result struct {
	Records int     `json:"records"` // that were taken
	Failed  int     `json:"failed"`
	Bytes   int     `json:"bytes"` // of a record
	Workers int     `json:"workers"`
	Nodes   int     `json:"nodes"`
	Seconds float64 `json:"seconds"`
	Rate    float64 `json:"rate"` // records a second
	P50     float64 `json:"p50"`  // seconds until a record was answered with its receipt
	P99     float64 `json:"p99"`
	Max     float64 `json:"max"`
}

// post posts decisions that take no measure, each in a case of its own. They are signed
// before the clock runs.
func post(ctx context.Context, args []string, std cli.Streams) error {
	flags := cli.Flags("docket-bench post")
	var paths []string
	flags.Func("key", "key `file` of a decider, without a passphrase; as often as the ledger wants deciders", func(path string) error {
		paths = append(paths, path)
		return nil
	})
	records := flags.Int("records", 2000, "how `many` records are posted")
	workers := flags.Int("workers", 256, "how `many` are on their way at once")
	asJSON := flags.Bool("json", false, "print one JSON object")
	if err := flags.ParseArgs(args, 1, 16, "URL...", postExample); err != nil {
		return err
	}
	if len(paths) == 0 {
		return cli.Usage(errors.New("--key is missing"))
	}
	if *records < 1 || *workers < 1 || *workers > 4096 {
		return cli.Usage(errors.New("--records and --workers are 1 or more, --workers at most 4096"))
	}
	l := &load{urls: flags.Args()}
	if err := l.sign(ctx, paths, *records); err != nil {
		return err
	}
	seconds, err := l.run(ctx, *workers)
	if err != nil {
		return err
	}
	r := l.result(seconds, *workers)
	if err := r.print(std, *asJSON); err != nil {
		return err
	}
	if l.failed > 0 {
		return fmt.Errorf("%d records were not taken, the first because: %w", l.failed, l.first)
	}
	return nil
}

// sign makes the records.
func (l *load) sign(ctx context.Context, paths []string, n int) error {
	c, err := client.New(l.urls[0])
	if err != nil {
		return cli.Usage(err)
	}
	info, err := c.Info(ctx)
	if err != nil {
		return cli.Unknown(err)
	}
	text, _, _ := strings.Cut(info.Checkpoint, "\n\n")
	cp, err := verify.ParseCheckpoint(text + "\n")
	if err != nil {
		return cli.Unknown(err)
	}
	var signers []signer
	for _, path := range paths {
		key, err := keyfile.Read(path, nil)
		if err != nil {
			return cli.Unknown(err)
		}
		jwk, err := record.NewJWK(key.Public())
		if err != nil {
			return cli.Unknown(err)
		}
		k, err := c.Key(ctx, jwk.KID())
		if err != nil {
			return cli.Unknown(fmt.Errorf("%s: %w", path, err))
		}
		signers = append(signers, signer{key, k.NextSeq})
	}
	l.records = make([][]byte, n)
	name := strings.ToLower(rand.Text()[:12])
	var errs []error
	var mu sync.Mutex
	var wg sync.WaitGroup
	for w := range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := w; i < n; i += runtime.GOMAXPROCS(0) {
				b, err := decision(info.Origin, fmt.Sprintf("bench-%s-%d", name, i), record.SeenTree(cp.Size, cp.Root), signers, int64(i))
				if err != nil {
					mu.Lock()
					errs = append(errs, err)
					mu.Unlock()
					return
				}
				l.records[i] = b
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// decision returns a signed decision to take no measure.
func decision(origin, name string, seen record.Seen, signers []signer, after int64) ([]byte, error) {
	ref, now := sha256.Sum256([]byte(name)), clock().Unix()
	u, err := record.NewDraft(&record.Decision{
		Common: record.Common{Ledger: origin}, Action: record.Decline, Automation: record.Automation{Decision: "none", Detection: "manual"}, Case: name,
		DecidedAt: record.Time(now), EffectiveAt: record.Time(now), Facts: "A measurement. " + strings.Repeat("Nothing happened. ", 16), Lang: "en",
		Reasons: "There is nothing to decide about.", ServiceLayer: "other",
		Subject: record.Subject{Ref: base64.RawURLEncoding.EncodeToString(ref[:]), Type: "other"}, Trigger: record.Trigger{Kind: "own_initiative"},
	})
	if err != nil {
		return nil, err
	}
	for _, s := range signers {
		if u, err = u.Sign(s.key, now, s.seq+after, seen); err != nil {
			return nil, err
		}
	}
	return u.Bytes(), nil
}

// run posts all records, and returns how long that took. Each worker has a node, and
// connections of its own.
func (l *load) run(ctx context.Context, workers int) (seconds float64, err error) {
	clients := make([]*client.Client, workers)
	for i := range clients {
		if clients[i], err = client.New(l.urls[i%len(l.urls)]); err != nil {
			return 0, cli.Usage(err)
		}
	}
	var wg sync.WaitGroup
	start := time.Now()
	for _, c := range clients {
		wg.Go(func() {
			for i := l.next.Add(1) - 1; i < int64(len(l.records)) && ctx.Err() == nil; i = l.next.Add(1) - 1 {
				begun := time.Now()
				_, err := c.Submit(ctx, l.records[i])
				l.done(time.Since(begun), err)
			}
		})
	}
	wg.Wait()
	if ctx.Err() != nil {
		return 0, cli.Unknown(ctx.Err())
	}
	return time.Since(start).Seconds(), nil
}

func (l *load) done(took time.Duration, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		l.took = append(l.took, took)
		return
	}
	l.failed++
	if l.first == nil {
		l.first = err
	}
}

func (l *load) result(seconds float64, workers int) result {
	r := result{Records: len(l.took), Failed: l.failed, Bytes: len(l.records[0]), Workers: workers, Nodes: len(l.urls), Seconds: seconds, Rate: float64(len(l.took)) / seconds}
	if len(l.took) > 0 {
		slices.Sort(l.took)
		at := func(share float64) float64 { return l.took[int(share*float64(len(l.took)-1))].Seconds() }
		r.P50, r.P99, r.Max = at(0.5), at(0.99), at(1)
	}
	return r
}

func (r result) print(std cli.Streams, asJSON bool) error {
	if asJSON {
		b, err := json.Marshal(r)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(std.Out, "%s\n", b)
		return err
	}
	_, err := fmt.Fprintf(std.Out, "%d records of %d bytes by %d workers to %d nodes in %.1f s: %.0f a second; p50 %.1f ms, p99 %.1f ms, max %.1f ms; %d failed\n",
		r.Records, r.Bytes, r.Workers, r.Nodes, r.Seconds, r.Rate, 1000*r.P50, 1000*r.P99, 1000*r.Max, r.Failed)
	return err
}
