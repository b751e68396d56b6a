package client

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/docket-ledger/docket/api/problem"
)

// How a stream that breaks is taken up again.
const (
	streamPause   = 500 * time.Millisecond // first; doubled with each attempt that brings nothing
	streamPauses  = 30 * time.Second       // at most
	streamSilence = 50 * time.Second       // after which a connection is given up: a ledger speaks every 15 seconds
	maxStreamLine = 1 << 20                // bytes
)

// Stream yields each record from an index on, in the order of the log, and then those
// that are logged from now on, until ctx ends, which is its last error. A connection that
// breaks is taken up again where it broke; the error of one that is refused ends it.
// What it yields is the ledger's word: fetch the receipt of what matters, and check it.
func (c *Client) Stream(ctx context.Context, from int64) iter.Seq2[Found, error] {
	return func(yield func(Found, error) bool) {
		next, pause := from, streamPause
		for {
			before := next
			err := c.streamOnce(ctx, &next, func(f Found) bool { return yield(f, nil) })
			var refused *problem.Problem
			switch {
			case errors.Is(err, errEnough):
				return
			case ctx.Err() != nil:
				yield(Found{}, ctx.Err())
				return
			case errors.As(err, &refused) && refused.Status < 500 && refused.Status != http.StatusTooManyRequests:
				yield(Found{}, err)
				return
			case errors.As(err, &refused):
				pause = max(pause, refused.RetryAfter)
			case next > before:
				pause = streamPause
			}
			select {
			case <-time.After(pause):
			case <-ctx.Done():
			}
			pause = min(2*pause, streamPauses)
		}
	}
}

var errEnough = errors.New("enough")

// streamOnce reads one connection to its end.
func (c *Client) streamOnce(ctx context.Context, next *int64, use func(Found) bool) error {
	ctx, giveUp := context.WithCancel(ctx)
	defer giveUp()
	silence := time.AfterFunc(streamSilence, giveUp)
	defer silence.Stop()
	req, err := c.request(ctx, http.MethodGet, "v1/stream?from="+strconv.FormatInt(*next, 10), nil, "text/event-stream")
	if err != nil {
		return err
	}
	endless := &http.Client{Transport: c.http.Transport, CheckRedirect: stay}
	res, err := answered(endless, req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, maxStreamLine)
	for lines.Scan() {
		silence.Reset(streamSilence)
		data, ok := bytes.CutPrefix(lines.Bytes(), []byte("data: "))
		if !ok {
			continue // the id stands in the data, too; comments show that it lives
		}
		var f Found
		if err := json.Unmarshal(data, &f); err != nil {
			return fmt.Errorf("read the stream: %w", err)
		}
		if f.Index != *next {
			return fmt.Errorf("read the stream: record %d came, want %d", f.Index, *next)
		}
		*next++
		if !use(f) {
			return errEnough
		}
	}
	return lines.Err()
}
