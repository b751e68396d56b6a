package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/docket-ledger/docket/api/problem"
	"github.com/docket-ledger/docket/verify"
)

// How patient a patient source is with one file.
const (
	tries      = 8               // requests
	firstTries = 3               // the same for the checkpoint: is anybody there?
	firstPause = time.Second / 4 // between requests, then twice as much, and so on
	maxPause   = 15 * time.Second
	maxAfter   = 10 * time.Minute // that a server may ask for
	maxTime    = 5 * time.Minute  // in all, besides what servers ask for
)

// Patient returns a source over a network that does not give up at once: what
// may be otherwise the next time is asked again, a few times, with longer and
// longer pauses. A server that says when to come again is not asked anything
// before. lasting knows which errors of src will be the same the next time,
// besides those that are a *problem.Problem or wrap fs.ErrNotExist.
func Patient(src verify.Source, lasting func(error) bool) verify.Source {
	return &patient{src: src, lasting: lasting}
}

type patient struct {
	src     verify.Source
	lasting func(error) bool

	mu    sync.Mutex
	until time.Time // when the server may be asked again
}

// ReadFile implements verify.Source.
func (p *patient) ReadFile(ctx context.Context, path string) ([]byte, error) {
	most := tries
	if path == "checkpoint" {
		most = firstTries
	}
	pause, spent := firstPause, time.Duration(0)
	for try := 1; ; try++ {
		if err := p.wait(ctx); err != nil {
			return nil, err
		}
		start := time.Now()
		b, err := p.src.ReadFile(ctx, path)
		if err == nil || ctx.Err() != nil || !p.passing(err) {
			return b, err
		}
		after := retryAfter(err)
		spent += time.Since(start) + pause
		if try == most || spent > maxTime || after > maxAfter {
			if after > 0 {
				return nil, fmt.Errorf("%w (the server asks to come again in %v)", err, after)
			}
			return nil, err
		}
		p.postpone(after)
		if err := sleep(ctx, pause/2+rand.N(pause/2)); err != nil {
			return nil, err
		}
		pause = min(2*pause, maxPause)
	}
}

// postpone keeps every caller from asking for a time.
func (p *patient) postpone(d time.Duration) {
	if d == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if until := time.Now().Add(d); until.After(p.until) {
		p.until = until
	}
}

// wait returns when the server may be asked.
func (p *patient) wait(ctx context.Context) error {
	p.mu.Lock()
	until := p.until
	p.mu.Unlock()
	return sleep(ctx, time.Until(until))
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func retryAfter(err error) time.Duration {
	var p *problem.Problem
	if errors.As(err, &p) {
		return p.RetryAfter
	}
	return 0
}

// passing reports whether it may go well the next time.
func (p *patient) passing(err error) bool {
	var answer *problem.Problem
	if errors.As(err, &answer) {
		return answer.Status >= 500 || answer.Status == http.StatusTooManyRequests || answer.Status == http.StatusRequestTimeout
	}
	return !errors.Is(err, fs.ErrNotExist) && !p.lasting(err)
}
