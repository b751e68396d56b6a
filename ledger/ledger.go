// Package ledger takes records into a log and answers with proofs.
//
// A record's way, each stage in the file of its name:
//
//	submit.go   known already? spelling and signatures   in the caller, in parallel
//	admit.go    the rules, on the tip of the log          the one writer
//	append.go   into the tree: one synced commit          the one writer
//	publish.go  sign the checkpoint, sync the guard       the one writer
//	receipt.go  prove inclusion, check the proof          in the caller again
//
// Witnesses cosign the checkpoints later (heads.go), and when they have, the
// writer may log a timemark (timemark.go).
//
// A stage calls the next one and never an earlier one. While one batch is on its
// way to the disk the next one gathers. Nobody is answered before the record is
// in a durable tree whose checkpoint is signed and guarded, and everybody who
// waits is answered on every way out.
//
// What the rules refuse leaves no trace; see Options.LogVoid for the exception.
package ledger

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/ledger/state"
	"github.com/docket-ledger/docket/ledger/tree"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/rules"
)

// Config is read by Open and Init; later changes have no effect.
type Config struct {
	// Log keeps the records, State what is derived from them. Required.
	// Close does not close them. A tree.Shared is followed: other ledgers with
	// the same keys may append to it.
	Log   tree.Log
	State *state.Store

	// Signer signs checkpoints; its name is the ledger's origin. VKey is
	// its verifier key. Required.
	Signer note.Signer
	VKey   string

	// PQ, if set, adds the log's own ML-DSA-44 cosignature to each checkpoint
	// while the charter in force names its key; see Ledger.PQ.
	PQ *verify.LogSigner

	// Former are verifier keys that signed checkpoints of this log before:
	// what was signed last, and is kept, may be by them.
	Former []string

	// Guard is the path of the guard file. Required. It is best kept on
	// another disk than Log.
	Guard string

	// Checkpoints is the directory of the witnessed checkpoints; it is made if
	// it is not there. Empty means that none are kept.
	Checkpoints string

	// WitnessPolicy says which cosignatures make a checkpoint a witnessed one:
	// it names VKey as a log. Who asks the witnesses calls Cosigned. nil, or
	// one with the quorum none, means that there are no witnesses.
	WitnessPolicy *verify.Policy

	// Machine is the key that signs timemarks, which the charter names, or a
	// record enrols, with the role machine. nil means that none are made.
	Machine crypto.Signer

	// BeforeSigning, if set, is called by Open when the log was read and fits
	// what was signed before, and nothing is signed yet: l answers Head,
	// Extends and Consistency for the tree that is about to be signed. An error
	// ends Open.
	BeforeSigning func(ctx context.Context, l *Ledger) error

	// Now is the clock of admission; nil means time.Now.
	Now func() time.Time

	// QueueSize is how many records may be on their way at once; more are
	// answered ErrBusy. Default 4096, at most 65536.
	QueueSize int

	// VoidsPerDay is how many refused records Options.LogVoid may log in a
	// day (UTC). Default 8.
	VoidsPerDay int

	// Logger gets one line a batch, and what went wrong. nil means no log.
	Logger *slog.Logger

	// Metrics are counted into if set; see NewMetrics.
	Metrics *Metrics
}

func (c Config) checked() (Config, error) {
	if c.QueueSize == 0 {
		c.QueueSize = 4096
	}
	if c.VoidsPerDay == 0 {
		c.VoidsPerDay = 8
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Metrics == nil {
		c.Metrics = NewMetrics()
	}
	switch {
	case c.Log == nil || c.State == nil:
		return c, errors.New("ledger: Config.Log or Config.State is missing")
	case c.Signer == nil || c.VKey == "":
		return c, errors.New("ledger: Config.Signer or Config.VKey is missing")
	case c.Guard == "":
		return c, errors.New("ledger: Config.Guard is missing")
	case c.QueueSize < 1 || c.QueueSize > 65536:
		return c, fmt.Errorf("ledger: Config.QueueSize is %d, want 1 to 65536", c.QueueSize)
	}
	return c, nil
}

// A Ledger takes records and answers questions about them. Its methods may be
// used concurrently.
type Ledger struct {
	cfg    Config
	origin string
	own    *verify.Policy // this ledger's own keys, also former ones, without witnesses
	pq     atomic.Bool    // the charter in force names Config.PQ
	guard  *guard
	keys   keyring
	roots  roots
	head   atomic.Pointer[published]
	heads  heads
	shared tree.Shared     // Config.Log if it is one, else nil
	told   atomic.Int64    // the size that its servers told last
	trying context.Context // ends some time after Close has begun
	giveUp context.CancelFunc
	looks  chan chan struct{} // each is closed when the writer has followed

	// The queue. slots bounds all records on their way, so a send on queue
	// never blocks.
	slots chan struct{}
	queue chan *waiter

	mu       sync.Mutex // guards closing and the Add of callers
	closing  bool
	callers  sync.WaitGroup // who is between enter and Done
	halted   chan struct{}  // closed when the ledger stops for good
	haltOnce sync.Once
	haltErr  error
	closed   chan struct{} // closed when Close begins
	marks    chan struct{} // capacity 1: there may be a timemark to make
	done     chan struct{} // closed when the writer has ended
	writer   writer
}

// published is a signed head and what proves records in it. It is not changed.
type published struct {
	verify.Checkpoint
	note    []byte // the checkpoint as signed
	nodes   nodes
	support *supportCache
}

// Open opens a ledger that Init has begun. It recovers: a tree that was
// committed but not signed is signed, state that lags is replayed. It returns
// ErrEmpty if the log is empty, and an error that wraps ErrHalted if the guard
// holds a head that the log does not extend; then nothing was signed.
func Open(ctx context.Context, cfg Config) (*Ledger, error) {
	cfg, err := cfg.checked()
	if err != nil {
		return nil, err
	}
	l, err := newLedger(cfg)
	if err != nil {
		return nil, err
	}
	if err := l.catchUp(ctx); err != nil {
		return nil, err
	}
	if err := l.load(ctx); err != nil {
		return nil, err
	}
	cfg.Metrics.Reached.Set(1)
	go l.writer.run()
	return l, nil
}

func newLedger(cfg Config) (*Ledger, error) {
	own, err := ownPolicy(cfg)
	if err != nil {
		return nil, fmt.Errorf("ledger: Config.VKey, PQ or Former: %w", err)
	}
	l := &Ledger{
		cfg: cfg, origin: cfg.Signer.Name(), own: own, keys: keyring{store: cfg.State},
		slots: make(chan struct{}, cfg.QueueSize), queue: make(chan *waiter, cfg.QueueSize),
		halted: make(chan struct{}), closed: make(chan struct{}), marks: make(chan struct{}, 1), done: make(chan struct{}),
	}
	if l.heads.policy, err = asksWitnesses(cfg); err != nil {
		return nil, err
	}
	l.heads.moved, l.heads.waits = make(chan struct{}), map[int64]chan struct{}{}
	l.shared, _ = cfg.Log.(tree.Shared)
	l.looks = make(chan chan struct{})
	l.trying, l.giveUp = context.WithCancel(context.Background())
	l.roots = roots{log: cfg.Log, memo: map[int64]tlog.Hash{}}
	l.writer = writer{l: l, voided: map[tlog.Hash]bool{}}
	l.writer.fold = rules.New(&l.writer, &l.writer, verify.OpenTimemark)
	return l, nil
}

// Close stops taking records, answers everyone who waits, and returns. It does
// not close Config.Log and Config.State. It may be called again.
func (l *Ledger) Close() error {
	l.mu.Lock()
	again := l.closing
	l.closing = true
	l.mu.Unlock()
	if again {
		<-l.done
		return nil
	}
	close(l.closed)
	defer time.AfterFunc(closeGrace, l.giveUp).Stop()
	l.callers.Wait()
	close(l.queue)
	<-l.done
	l.giveUp()
	return l.guard.close()
}

// Halted is closed when the ledger has stopped for good; Ready says why. The
// process should end then: the next start reads back what happened.
func (l *Ledger) Halted() <-chan struct{} { return l.halted }

// Ready returns nil, or why no record is taken now: an error that wraps
// ErrHalted or ErrStopping.
func (l *Ledger) Ready() error {
	select {
	case <-l.halted:
		return l.haltErr
	default:
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closing {
		return ErrStopping
	}
	return nil
}

// halt stops the ledger for good.
func (l *Ledger) halt(reason error) error {
	l.haltOnce.Do(func() {
		l.haltErr = fmt.Errorf("%w: %w", ErrHalted, reason)
		l.cfg.Logger.Error("ledger halted", slog.Any("error", reason))
		close(l.halted)
	})
	return l.haltErr
}
