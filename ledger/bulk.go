package ledger

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"runtime/debug"
	"slices"

	"github.com/docket-ledger/docket/verify/record"
)

// bulkWindow is how many records of one SubmitAll wait at once between two
// stages.
const bulkWindow = 256

// A job is one record of many.
type job struct {
	bytes   []byte
	w       *waiter
	known   *Outcome
	err     error
	checked chan struct{} // closed when it was examined
	settled chan struct{} // closed when its outcome is known
}

// SubmitAll submits records as Submit does, many at once, and yields an outcome
// for each, in their order; an error is one of Submit and concerns that record
// alone. They are logged in their order, too, so one may follow another: it may
// continue the case of that, or be signed by the key that it enrols.
//
// Where Submit says ErrBusy it waits. If ctx ends, or the loop is left, what was
// not yielded may or may not be recorded. records is called on another goroutine,
// which ends when records yields again or returns.
func (l *Ledger) SubmitAll(ctx context.Context, records iter.Seq[[]byte], opt Options) iter.Seq2[Outcome, error] {
	return func(yield func(Outcome, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		if l.shared != nil {
			l.look(ctx) // what they rest on may have been recorded elsewhere
		}
		window := max(1, min(bulkWindow, cap(l.slots)/4))
		examined, enqueued := make(chan *job, window), make(chan *job, window)
		go l.examineAll(ctx, records, opt, examined)
		go l.enqueueAll(ctx, opt, examined, enqueued)
		for j := range enqueued {
			out, err := Outcome{}, j.err
			if err == nil {
				out, err = l.outcome(ctx, j.w, j.known)
			}
			close(j.settled)
			if ctx.Err() != nil || !yield(out, err) {
				return
			}
		}
	}
}

// examineAll examines records in parallel.
func (l *Ledger) examineAll(ctx context.Context, records iter.Seq[[]byte], opt Options, to chan<- *job) {
	defer close(to)
	workers := make(chan struct{}, runtime.GOMAXPROCS(0)) // single submissions have their turn, too
	for b := range records {
		select {
		case workers <- struct{}{}:
		case <-ctx.Done():
			return
		}
		j := &job{bytes: b, checked: make(chan struct{}), settled: make(chan struct{})}
		go func() {
			l.examineOne(ctx, j, opt)
			close(j.checked)
			<-workers
		}()
		select {
		case to <- j:
		case <-ctx.Done():
			return
		}
	}
}

// examineOne examines a record. A panic is the error of this one.
func (l *Ledger) examineOne(ctx context.Context, j *job, opt Options) {
	defer func() {
		if v := recover(); v != nil {
			j.err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		}
	}()
	j.w, j.known, j.err = l.examined(ctx, j.bytes, opt)
}

// enqueueAll hands what was examined to the writer, in order.
func (l *Ledger) enqueueAll(ctx context.Context, opt Options, from <-chan *job, to chan<- *job) {
	defer close(to)
	var before *job
	for j := range from {
		<-j.checked
		if before != nil && unknownKey(j.err) { // one before it may enrol the key
			select {
			case <-before.settled:
				l.examineOne(ctx, j, opt)
			case <-ctx.Done():
				return
			}
		}
		if j.err == nil && j.w != nil {
			j.err = l.enqueue(ctx, j.w, true)
		}
		select {
		case to <- j:
		case <-ctx.Done():
			return
		}
		before = j
	}
}

func unknownKey(err error) bool {
	var refused *RefusedError
	return errors.As(err, &refused) && slices.Contains(refused.Codes, record.KeyUnknown)
}
