// Package figures keeps the numbers of a log, so that who asks for them need not wait
// until everything is counted again. Package stats of verify counts.
package figures

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/stats"
)

// A Log is what is counted. *ledger.Ledger is one.
type Log interface {
	verify.Source
	Entries(ctx context.Context, from int64, limit int) ([]ledger.Entry, error)
}

const (
	// batchSize is how many records are read at once.
	batchSize = 1024
	// patience is how long one who asks counts what is not counted yet, before
	// hearing how far it has got.
	patience = 3 * time.Second
	// idle is how many times as long as it took to sum up, the sum is good for:
	// a log that grows all the time does not keep a processor busy with sums.
	idle = 20
)

// Figures are the numbers of a log at a checkpoint.
type Figures struct {
	// Checkpoint is one that the log gave to readers, so that whoever has it can
	// count the same.
	Checkpoint verify.Checkpoint
	stats.Figures
}

// A CountingError says that the records of the log are being counted.
type CountingError struct{ Counted, Size int64 }

// Error says how far it has got.
func (e *CountingError) Error() string {
	return fmt.Sprintf("the records are being counted, %d of %d so far; ask again in a moment", e.Counted, e.Size)
}

// A Keeper keeps the numbers of one log, in memory: some 300 bytes of each decision.
// It does nothing by itself; who asks counts what is new. Its methods may be used
// concurrently.
type Keeper struct {
	log     Log
	turn    chan struct{} // holds one token, for what follows
	counter *stats.Counter
	counted atomic.Int64 // changed by who has the turn
	last    *Figures
	at      time.Time     // when last was summed up
	took    time.Duration // how long that took
}

// New returns a Keeper that has counted nothing.
func New(log Log) *Keeper {
	k := &Keeper{log: log, turn: make(chan struct{}, 1), counter: stats.NewCounter()}
	k.turn <- struct{}{}
	return k
}

// Figures returns the numbers at the checkpoint that readers of the log are given, or at
// one of a moment ago with at least a number of records; 0 means any. They are shared:
// nobody changes them. The error is a *CountingError if there is more to count than can
// be waited for, and each further call counts on.
func (k *Keeper) Figures(ctx context.Context, least int64) (*Figures, error) {
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	cp, err := k.checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	select {
	case <-k.turn:
	case <-waiting.Done():
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		return nil, &CountingError{k.counted.Load(), cp.Size}
	}
	defer func() { k.turn <- struct{}{} }()
	if l := k.last; l != nil && l.Size >= least && (l.Size >= cp.Size || time.Since(k.at) < idle*k.took) {
		return l, nil
	}
	if err := k.count(waiting, cp.Size); err != nil {
		if waiting.Err() != nil && ctx.Err() == nil {
			return nil, &CountingError{k.counted.Load(), cp.Size}
		}
		return nil, err
	}
	start := time.Now()
	k.last = &Figures{cp, k.counter.Figures()}
	k.at, k.took = time.Now(), time.Since(start)
	return k.last, nil
}

// All counts what there is, so that the first who asks need not wait. It returns early if
// ctx ends, or with what keeps it from counting.
func (k *Keeper) All(ctx context.Context) error {
	for {
		_, err := k.Figures(ctx, 0)
		var more *CountingError
		if !errors.As(err, &more) {
			return err
		}
	}
}

// checkpoint returns the one that readers of the log are given.
func (k *Keeper) checkpoint(ctx context.Context) (verify.Checkpoint, error) {
	note, err := k.log.ReadFile(ctx, "checkpoint")
	if err != nil {
		return verify.Checkpoint{}, err
	}
	text, _, _ := strings.Cut(string(note), "\n\n")
	return verify.ParseCheckpoint(text + "\n")
}

// count counts the records before size that were not counted yet.
func (k *Keeper) count(ctx context.Context, size int64) error {
	for from := k.counted.Load(); from < size; from = k.counted.Load() {
		if err := ctx.Err(); err != nil {
			return err
		}
		entries, err := k.log.Entries(ctx, from, int(min(batchSize, size-from)))
		if err != nil {
			return err
		}
		if len(entries) == 0 {
			return errors.New("the log ends before its checkpoint")
		}
		for _, e := range entries {
			r, err := record.Parse(e.Record)
			if err != nil {
				return fmt.Errorf("record %d: %w", e.Index, err)
			}
			k.counter.Add(r, e.Standing)
			k.counted.Add(1)
		}
	}
	return nil
}
