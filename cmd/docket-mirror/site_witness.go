package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/docket-ledger/docket/cmd/internal/mirror"
	"github.com/docket-ledger/docket/cmd/internal/witnessing"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/witness"
)

// copyWait is how long a request to cosign waits until what it is about was
// copied. The copy goes on after that, and the log asks again.
const copyWait = 8 * time.Second

// copied lets a witness cosign only trees whose every file the mirror has.
type copied struct {
	ctx      context.Context // of the program
	logs     *verify.Policy
	policies verify.Policies
	dir      string
	store    *witnessing.Store
	follower *mirror.Follower // nil: another program copies
	log      *slog.Logger
	busy     chan struct{} // capacity 1: held by who copies
}

// check returns the status and the words of a refusal; 0 if the witness may judge
// the request: what it asks for is copied, or it will be refused anyhow.
func (c *copied) check(ctx context.Context, body []byte) (status int, words string) {
	r, err := witness.ParseRequest(body)
	if err != nil {
		return 0, ""
	}
	signed, err := c.logs.Open(r.Checkpoint)
	if err != nil || signed.Checkpoint.Size == 0 || r.Old != c.cosigned(signed.Checkpoint.Origin) {
		return 0, ""
	}
	if c.follower == nil {
		return c.answer(mirror.Has(ctx, c.dir, c.policies, signed))
	}
	select {
	case c.busy <- struct{}{}:
	default:
		return http.StatusServiceUnavailable, "the copy is under way; come again"
	}
	done := make(chan error, 1)
	go func() {
		defer func() { <-c.busy }()
		done <- c.follower.Ahead(c.ctx, signed) // whoever asks may give up
	}()
	timer := time.NewTimer(copyWait)
	defer timer.Stop()
	select {
	case err := <-done:
		return c.answer(err)
	case <-timer.C:
	case <-ctx.Done():
	}
	return http.StatusServiceUnavailable, "the copy is under way; come again"
}

// cosigned returns the size that was cosigned last, 0 if there is none or that is
// not known.
func (c *copied) cosigned(origin string) int64 {
	kept, err := c.store.Head(origin)
	if err != nil || kept == nil {
		return 0
	}
	signed, err := c.policies.Held(kept)
	if err != nil {
		return 0
	}
	return signed[0].Checkpoint.Size
}

func (c *copied) answer(err error) (status int, words string) {
	var contradiction *mirror.ContradictionError
	switch {
	case err == nil:
		return 0, ""
	case errors.As(err, &contradiction):
		path, keepErr := keep(evidence(contradiction), c.dir)
		c.log.Error("the log contradicts what it signed", slog.Any("error", err), slog.String("evidence", path), slog.Any("keep", keepErr))
		return witness.Unprocessable, "this is not what the log showed before: " + err.Error()
	}
	c.log.Warn("nothing is cosigned that is not copied", slog.Any("error", err))
	return http.StatusServiceUnavailable, "it is not copied yet; come again"
}
