package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/docket-ledger/docket/api"
	"github.com/docket-ledger/docket/api/client"
	"github.com/docket-ledger/docket/api/problem"
	"github.com/docket-ledger/docket/ledger/drafts"
	"github.com/docket-ledger/docket/ledger/index"
	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
)

// Submit a record that is signed, and keep its receipt. Nothing that the ledger
// says is believed: the receipt is verified under the trust policy.
func Example() {
	ledger := startLedger()
	defer ledger.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	c, err := client.New(ledger.URL)
	if err != nil {
		log.Fatal(err)
	}
	policy, err := verify.ParsePolicy(ledger.TrustPolicy) // from a file that the operator published
	if err != nil {
		log.Fatal(err)
	}
	memory, err := client.OpenMemory(filepath.Join(ledger.Dir, "ledger.state"), "")
	if err != nil {
		log.Fatal(err)
	}
	f, err := c.Follow("ledger.test.example/2026", policy, memory)
	if err != nil {
		log.Fatal(err)
	}
	signed := ledger.Sign(ledger.Decision("case-1"), "dora", "erik")
	logged, err := f.Submit(ctx, signed)
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(ledger.Dir, "case-1.tlog-proof"), logged.Receipt, 0o644); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("entry %d of %s\n", logged.Proven.Index, logged.Proven.Signed.Checkpoint.Origin)
	for _, s := range logged.Proven.Signers {
		fmt.Println("signed by", s.Holder)
	}
	// Unordered output:
	// entry 6 of ledger.test.example/2026
	// signed by dora
	// signed by erik
}

// A program that dies between sending a record and getting the answer sends the
// same bytes again when it is back. The ledger holds them once.
func ExampleFollower_Submit_again() {
	ledger := startLedger()
	defer ledger.Close()
	ctx := context.Background()
	outbox := filepath.Join(ledger.Dir, "case-1.draft")

	// Before anything is sent, the record is on the disk.
	signed := ledger.Sign(ledger.Decision("case-1"), "dora", "erik")
	if err := os.WriteFile(outbox, signed, 0o600); err != nil {
		log.Fatal(err)
	}
	ledger.LoseAnswers(true)
	_, err := ledger.Follow().Submit(ctx, signed)
	var p *problem.Problem
	switch {
	case err == nil:
		log.Fatal("the answer was lost")
	case errors.As(err, &p) && p.Status < 500:
		log.Fatal("refused: ", p.Codes) // would be refused again
	}
	fmt.Println("no answer")

	// The program starts again, and finds the record.
	ledger.LoseAnswers(false)
	signed, err = os.ReadFile(outbox)
	if err != nil {
		log.Fatal(err)
	}
	logged, err := ledger.Follow().Submit(ctx, signed)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("known:", logged.Known, "as entry", logged.Proven.Index)
	// Output:
	// no answer
	// known: true as entry 6
}

// The client remembers the newest head that it has verified, also when it starts
// again. A ledger that shows another history from then on is found out.
func ExampleMemory() {
	ledger := startLedger()
	defer ledger.Close()
	ctx := context.Background()

	head, err := ledger.Follow().Head(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("verified", head.Checkpoint.Size, "records")

	ledger.Submit(ledger.Sign(ledger.Decision("case-1"), "dora", "erik"))
	if head, err = ledger.Follow().Head(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println("verified", head.Checkpoint.Size, "records, which extend those")

	ledger.ShowOldHead()
	_, err = ledger.Follow().Head(ctx)
	fmt.Println("contradicts itself:", errors.Is(err, client.ErrSplit))
	evidence, err := filepath.Glob(filepath.Join(ledger.Dir, "ledger.fork-*.json"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("files of evidence:", len(evidence))
	// Output:
	// verified 6 records
	// verified 7 records, which extend those
	// contradicts itself: true
	// files of evidence: 1
}

// A record waits in the ledger's inbox until somebody else has signed it, too.
func ExampleClient_PostDraft() {
	ledger := startLedger()
	defer ledger.Close()
	ctx := context.Background()
	c, err := client.New(ledger.URL)
	if err != nil {
		log.Fatal(err)
	}

	dora, erik := ledgertest.Key("dora"), ledgertest.Key("erik") // any crypto.Signer
	posted, err := c.PostDraft(ctx, dora, ledger.Sign(ledger.Decision("case-1"), "dora"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("case", posted.Case, "is signed by", posted.Signers[0].Holder)

	// Erik looks what there is, checks who has signed it, and signs.
	waiting, err := c.Drafts(ctx, erik)
	if err != nil {
		log.Fatal(err)
	}
	draft, err := record.ParseDraft(waiting[0].Record)
	if err != nil {
		log.Fatal(err)
	}
	f := ledger.Follow()
	keys, err := f.Signers(ctx, draft)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("verified signatures:", len(keys))
	head, err := f.Head(ctx)
	if err != nil {
		log.Fatal(err)
	}
	own, err := c.Key(ctx, ledgertest.JWK("erik").KID())
	if err != nil {
		log.Fatal(err)
	}
	seen := record.SeenTree(head.Checkpoint.Size, head.Checkpoint.Root)
	if draft, err = draft.Sign(erik, ledger.Now().Unix(), own.NextSeq, seen); err != nil {
		log.Fatal(err)
	}
	logged, err := f.Submit(ctx, draft.Bytes())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("entry", logged.Proven.Index)
	// Output:
	// case case-1 is signed by dora
	// verified signatures: 1
	// entry 6
}

// Look up what was decided, and count it. What an index says is the ledger's word: the
// receipt of what is found proves it.
func ExampleClient_Search() {
	ledger := startLedger()
	defer ledger.Close()
	ctx := context.Background()
	c, err := client.New(ledger.URL)
	if err != nil {
		log.Fatal(err)
	}
	last := ledger.Submit(ledger.Sign(ledger.Decision("case-1"), "dora", "erik"))

	query := url.Values{"q": {"malware"}, "action": {"suspend"}, "at_least": {fmt.Sprint(last.Index + 1)}}
	found, err := c.Search(ctx, query)
	if err != nil {
		log.Fatal(err)
	}
	for _, one := range found.Records {
		fmt.Printf("entry %d, case %s: %s\n", one.Index, one.Case, one.Standing.Standing)
	}
	counts, err := c.Counts(ctx, url.Values{"type": {"decision"}}, 0, "action", "layer")
	if err != nil {
		log.Fatal(err)
	}
	for _, row := range counts.Rows {
		fmt.Println(row.Values, row.Count)
	}
	// Output:
	// entry 6, case case-1: effective
	// [suspend hosting] 1
}

// Follow the log: what is there first, then each record as it is logged. A connection that
// breaks is taken up where it broke.
func ExampleClient_Stream() {
	ledger := startLedger()
	defer ledger.Close()
	c, err := client.New(ledger.URL)
	if err != nil {
		log.Fatal(err)
	}
	for one, err := range c.Stream(context.Background(), 5) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(one.Index, one.Type)
		if one.Type == record.TypeDecision {
			break
		}
		ledger.Submit(ledger.Sign(ledger.Decision("case-1"), "dora", "erik"))
	}
	// Output:
	// 5 policy.publish
	// 6 decision
}

// A receipt is checked without the ledger: under a trust policy, and nothing else.
func ExampleClient_Receipt() {
	ledger := startLedger()
	defer ledger.Close()
	ctx := context.Background()
	c, err := client.New(ledger.URL)
	if err != nil {
		log.Fatal(err)
	}
	logged := ledger.Submit(ledger.Sign(ledger.Decision("case-1"), "dora", "erik"))

	b, err := c.Receipt(ctx, logged.ID)
	if err != nil {
		log.Fatal(err)
	}
	receipt, err := verify.ParseReceipt(b)
	if err != nil {
		log.Fatal(err)
	}
	policy, err := verify.ParsePolicy(ledger.TrustPolicy)
	if err != nil {
		log.Fatal(err)
	}
	proven, err := receipt.Check(policy, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("entry", proven.Index, "under the clause", proven.Clauses[0].Ground.Clause)
	// Output:
	// entry 6 under the clause hosting
}

// An exampleLedger is a real ledger over HTTP, in a directory of its own.
type exampleLedger struct {
	*ledgertest.World
	URL         string
	TrustPolicy []byte
	Dir         string // for the client's files

	server *httptest.Server
	tb     *exampleTB
	loses  atomic.Bool
	old    atomic.Bool
}

// exampleTB is what ledgertest wants of a test, for an example.
type exampleTB struct {
	testing.TB
	dir      string
	cleanups []func()
}

func (*exampleTB) Helper()                   {}
func (t *exampleTB) TempDir() string         { return t.dir }
func (t *exampleTB) Cleanup(f func())        { t.cleanups = append(t.cleanups, f) }
func (*exampleTB) Fatal(args ...any)         { log.Fatal(args...) }
func (*exampleTB) Fatalf(f string, a ...any) { log.Fatalf(f, a...) }

func startLedger() *exampleLedger {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	l := &exampleLedger{Dir: dir, tb: &exampleTB{dir: filepath.Join(dir, "ledger")}}
	l.World = ledgertest.New(l.tb, nil)
	l.TrustPolicy = l.World.TrustPolicy()
	waiting, err := drafts.Open(drafts.Config{Dir: filepath.Join(dir, "drafts"), Life: func() time.Duration { return 720 * time.Hour }, Now: l.Now})
	if err != nil {
		log.Fatal(err)
	}
	old, err := l.Ledger.ReadFile(context.Background(), "checkpoint")
	if err != nil {
		log.Fatal(err)
	}
	lookup, err := index.Open(context.Background(), index.Config{Dir: filepath.Join(dir, "index"), Log: l.Ledger})
	if err != nil {
		log.Fatal(err)
	}
	running, stop := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- lookup.Run(running) }()
	l.tb.Cleanup(func() {
		stop()
		if err := errors.Join(<-ran, lookup.Close()); err != nil {
			log.Fatal(err)
		}
	})
	handler := api.New(l.Ledger, api.Options{Drafts: waiting, Index: lookup})
	l.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if l.old.Load() && r.URL.Path == "/checkpoint" {
			w.Write(old)
			return
		}
		if r.Method == http.MethodPost && l.loses.Load() {
			handler.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		}
		handler.ServeHTTP(w, r)
	}))
	l.URL = l.server.URL
	return l
}

// Follow is a new process with the same memory.
func (l *exampleLedger) Follow() *client.Follower {
	c, err := client.New(l.URL)
	if err != nil {
		log.Fatal(err)
	}
	policy, err := verify.ParsePolicy(l.TrustPolicy)
	if err != nil {
		log.Fatal(err)
	}
	memory, err := client.OpenMemory(filepath.Join(l.Dir, "ledger.state"), "")
	if err != nil {
		log.Fatal(err)
	}
	f, err := c.Follow(ledgertest.Origin, policy, memory)
	if err != nil {
		log.Fatal(err)
	}
	return f
}

// LoseAnswers lets submissions arrive, and their answers get lost.
func (l *exampleLedger) LoseAnswers(yes bool) { l.loses.Store(yes) }

// ShowOldHead goes back to the first head.
func (l *exampleLedger) ShowOldHead() { l.old.Store(true) }

func (l *exampleLedger) Close() {
	l.server.Close()
	for _, f := range l.tb.cleanups {
		f()
	}
	os.RemoveAll(l.Dir)
}
