package index

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"github.com/docket-ledger/docket/ledger"
)

// batchSize is how many records are indexed at once.
const batchSize = 1024

// retryAfter is how long Run waits when the log can't be read, or the disk is full.
const retryAfter = time.Second

// leastFree is how much of the disk the index leaves free, in bytes: Pebble ends the
// process if it can't write its list of files, and others write there too.
const leastFree = 128 << 20

var (
	errLog  = errors.New("read the log")
	errFull = fmt.Errorf("the disk of the index has less than %d MB free: the index waits for more", leastFree>>20)
)

// Run follows the log until ctx ends, which is no error. It waits while the log can't be
// read or the disk is full. A database that is damaged is made anew; the error says why
// that does not help.
func (x *Index) Run(ctx context.Context) error {
	failedAt := int64(-1)
	waiting := ""
	for ctx.Err() == nil {
		size := x.Lag().Size
		grown := x.cfg.Log.Grown(size)
		n, err := x.Catch(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, errLog), errors.Is(err, errFull):
			if waiting != err.Error() { // say it once
				waiting = err.Error()
				x.cfg.Logger.Error("the index waits", slog.Any("error", err))
			}
			pause(ctx, retryAfter)
			continue
		case err != nil && size == failedAt:
			return x.stopped(err)
		case err != nil:
			failedAt = size
			err = x.anew(ctx, err)
		case n == 0:
			select {
			case <-grown:
			case damage := <-x.damage: // that a reader met
				err = x.anew(ctx, damage)
			case <-ctx.Done():
			}
		}
		if waiting = ""; err != nil {
			return x.stopped(err)
		}
	}
	return nil
}

// pause returns after a while, or when ctx ends.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// stopped lets those go on who wait, and returns the error that they get.
func (x *Index) stopped(err error) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.err = fmt.Errorf("index: %w", err)
	close(x.grown)
	x.grown = make(chan struct{})
	return x.err
}

// Catch indexes the next records, at most a batch, and returns how many. Run does it
// all the time; only one may.
func (x *Index) Catch(ctx context.Context) (int, error) {
	from := x.Lag().Size
	entries, err := x.cfg.Log.Entries(ctx, from, batchSize)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errLog, err)
	}
	if len(entries) == 0 {
		return 0, nil
	}
	if err := x.room(); err != nil {
		return 0, err
	}
	start := time.Now()
	docs := readAll(entries)
	x.gate.RLock()
	defer x.gate.RUnlock()
	if x.db == nil {
		return 0, errClosed
	}
	b := newBatch(x.db, from)
	for i, e := range entries {
		if err := errors.Join(docs[i].place(b), b.put(e, docs[i])); err != nil {
			return 0, errors.Join(err, b.rows.Close())
		}
	}
	last := entries[len(entries)-1]
	if err := b.commit(last); err != nil {
		return 0, err
	}
	x.reached(last.Index+1, last.ID)
	x.metrics.Batch.Observe(time.Since(start).Seconds())
	return len(entries), nil
}

// room returns errFull if the disk is all but full. A file system that can't tell has
// room.
func (x *Index) room() error {
	usage, err := x.cfg.FS.GetDiskUsage(x.cfg.Dir)
	if err == nil && usage.AvailBytes < leastFree {
		return errFull
	}
	return nil
}

// readAll reads records, several at once.
func readAll(entries []ledger.Entry) []*doc {
	docs := make([]*doc, len(entries))
	const each = 16
	var wg sync.WaitGroup
	workers := make(chan struct{}, runtime.GOMAXPROCS(0))
	for from := 0; from < len(entries); from += each {
		workers <- struct{}{}
		wg.Go(func() {
			for i := from; i < min(from+each, len(entries)); i++ {
				docs[i] = read(entries[i])
			}
			<-workers
		})
	}
	wg.Wait()
	return docs
}
