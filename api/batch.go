package api

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/docket-ledger/docket/api/client"
	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/verify/record"
)

// typeNDJSON is JSON texts with a line feed after each (github.com/ndjson/ndjson-spec).
const typeNDJSON = "application/x-ndjson"

// Limits of a batch. What is beyond them is told to come again: the same lines
// are answered with their receipts.
const (
	maxBatches         = 16               // at once, from addresses that are known
	maxStrangerBatches = 4                // and from others, which have readTime for a first record whose signatures hold
	maxLines           = 1_000_000        // in one
	batchTime          = 30 * time.Minute // for one
)

// batch submits the records of the lines of the body, and answers a line for each
// as soon as its outcome and those before it are known.
func (s *server) batch(w *response, r *http.Request) error {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != typeNDJSON || r.Header.Get("Content-Encoding") != "" {
		w.Header().Set("Accept-Post", typeNDJSON)
		return errBatchType
	}
	if err := s.ledger.Ready(); err != nil {
		return err
	}
	known := s.limits.isKnown(r)
	leave, ok := s.limits.batches.take(known)
	if !ok {
		return errBatches
	}
	defer leave()
	c := http.NewResponseController(w)
	if err := c.EnableFullDuplex(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	w.Header().Set("Content-Type", typeNDJSON)
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	if err := c.Flush(); err != nil { // the client may wait for it
		return err
	}
	in := &lines{body: bufio.NewReaderSize(r.Body, record.MaxSize+2), c: c, began: time.Now(), known: known}
	defer in.stop()
	defer context.AfterFunc(s.stopping, func() { in.interrupt(ledger.ErrStopping) })()
	// Who has closed its side is still answered; who is gone can't be written to.
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.Context()))
	defer cancel()
	return s.answerLines(w, r.WithContext(ctx), c, in)
}

// answerLines writes the outcomes.
func (s *server) answerLines(w *response, r *http.Request, c *http.ResponseController, in *lines) error {
	out := bufio.NewWriterSize(w, 16<<10)
	n := int64(0)
	write := func(line client.BatchLine) error {
		n++
		line.Line = n
		b, err := json.Marshal(&line)
		if err != nil {
			return fmt.Errorf("encode the answer: %w", err)
		}
		if _, err := out.Write(append(b, '\n')); err != nil {
			return fmt.Errorf("write the answer: %w", err)
		}
		if n < in.handed.Load() {
			return nil // another outcome comes soon
		}
		if err := c.SetWriteDeadline(time.Now().Add(writeTime)); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return err
		}
		return errors.Join(out.Flush(), c.Flush())
	}
	for o, err := range s.ledger.SubmitAll(r.Context(), in.all, ledger.Options{Checked: s.slowed(r, in)}) {
		if unsigned(err) {
			if err := s.limits.waitAddress(r, strangerCost); err != nil {
				return err
			}
		}
		if err := write(s.batchLine(r, o, err)); err != nil {
			return err
		}
	}
	if in.err != nil {
		p := problemFor(in.err)
		return write(client.BatchLine{Status: p.Status, Code: p.Code, Detail: p.Detail})
	}
	return nil
}

// batchLine is the JSON form of one outcome.
func (s *server) batchLine(r *http.Request, o ledger.Outcome, err error) client.BatchLine {
	if err != nil {
		p := problemFor(err)
		if p.Status >= http.StatusInternalServerError {
			s.log.LogAttrs(r.Context(), slog.LevelError, "record of a batch failed", slog.Any("error", err))
		}
		return client.BatchLine{Status: p.Status, Code: p.Code, Codes: p.Codes, Detail: p.Detail}
	}
	line := client.BatchLine{Status: http.StatusCreated,
		Submitted: &client.Submitted{Standing: standing(o.Standing), Known: o.Known, Receipt: string(o.Receipt)}}
	line.Codes = line.Submitted.Standing.Codes
	if o.Known {
		line.Status = http.StatusOK
	}
	return line
}

// lines are the lines of a body.
type lines struct {
	body   *bufio.Reader
	c      *http.ResponseController
	began  time.Time
	handed atomic.Int64 // how many were handed on
	err    error        // why there are no more, nil at the end of the body

	mu      sync.Mutex
	known   bool  // the address, or the signature of a line has held
	ended   bool  // nothing is read any more
	stopped error // why no more is to be read
}

// all yields them.
func (l *lines) all(yield func([]byte) bool) {
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.ended = true
	}()
	for {
		if l.err = l.wait(); l.err != nil {
			return
		}
		line, err := l.next()
		if errors.Is(err, io.EOF) {
			// What has been read has all the time it needs. An error
			// would come up again when it is answered.
			_ = l.c.SetReadDeadline(time.Time{})
			return
		}
		if err != nil {
			l.err = l.why(fmt.Errorf("%w: %w", errBatchBody, err))
			return
		}
		l.handed.Add(1)
		if !yield(line) {
			return
		}
	}
}

// next returns a line without its end. One that is longer than a record may be is
// cut, to where it is too long still.
func (l *lines) next() ([]byte, error) {
	line, err := l.body.ReadSlice('\n')
	long := errors.Is(err, bufio.ErrBufferFull)
	line = bytes.TrimSuffix(bytes.Clone(line), []byte("\n"))
	for errors.Is(err, bufio.ErrBufferFull) {
		_, err = l.body.ReadSlice('\n')
	}
	if errors.Is(err, io.EOF) && len(line) > 0 {
		err = nil // the last line may lack its end
	}
	if !long {
		line = bytes.TrimSuffix(line, []byte("\r"))
	}
	return line, err
}

// wait sets until when the next line must have come, or says why none is read.
func (l *lines) wait() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped != nil {
		return l.stopped
	}
	until := l.began.Add(batchTime)
	if !l.known {
		until = l.began.Add(readTime)
	}
	now := time.Now()
	if l.handed.Load() >= maxLines || now.After(until) {
		return errBatchLong
	}
	if next := now.Add(readTime); next.Before(until) {
		until = next
	}
	if err := l.c.SetReadDeadline(until); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return fmt.Errorf("%w: %w", errBatchBody, err)
	}
	return nil
}

// proven notes that the signatures of a line have held.
func (l *lines) proven() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.known = true
}

// why returns the reason why a line could not be read: err, unless it was
// interrupted.
func (l *lines) why(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped != nil {
		return l.stopped
	}
	return err
}

// interrupt ends all for a reason, also while it waits for a line.
func (l *lines) interrupt(reason error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped == nil && !l.ended {
		_ = l.c.SetReadDeadline(time.Now()) // without deadlines there is no connection to wait for
		l.stopped = reason
	}
}

// stop is interrupt at the end of the request. Nothing is done with the connection
// afterwards.
func (l *lines) stop() { l.interrupt(http.ErrHandlerTimeout) }
