package source_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/docket-ledger/docket/api/problem"
	"github.com/docket-ledger/docket/cmd/internal/source"
)

var errLasting = errors.New("will be the same")

func lasting(err error) bool { return errors.Is(err, errLasting) }

// An answer is one of a server: an error and how long it took.
type answer struct {
	err  error
	took time.Duration
}

// A moody source answers as listed, and then well. It notes when it was asked.
type moody struct {
	answers []answer
	start   time.Time

	mu    sync.Mutex
	asked []time.Duration
}

func (m *moody) ReadFile(ctx context.Context, _ string) ([]byte, error) {
	m.mu.Lock()
	m.asked = append(m.asked, time.Since(m.start))
	n := len(m.asked)
	m.mu.Unlock()
	if len(m.answers) < n {
		return []byte("good"), nil
	}
	a := m.answers[n-1]
	select {
	case <-time.After(a.took):
		return nil, a.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func TestPatient(t *testing.T) {
	status := func(status int, after time.Duration) answer {
		return answer{err: &problem.Problem{Status: status, RetryAfter: after}}
	}
	repeat := func(a answer, n int) (all []answer) {
		for range n {
			all = append(all, a)
		}
		return all
	}
	broken := answer{err: io.ErrUnexpectedEOF}
	for _, test := range []struct {
		name       string
		path       string
		answers    []answer
		asked      int
		good       bool
		least, max time.Duration // in all
	}{
		{"good", "tile/0/000", nil, 1, true, 0, 0},
		{"500 then good", "tile/0/000", repeat(status(500, 0), 3), 4, true, 875 * time.Millisecond, 2 * time.Second},
		{"broken off", "tile/0/000", []answer{broken}, 2, true, 125 * time.Millisecond, 250 * time.Millisecond},
		{"429", "tile/0/000", []answer{status(429, 20*time.Second)}, 2, true, 20 * time.Second, 21 * time.Second},
		{"503, come again", "checkpoint", repeat(status(503, time.Minute), 2), 3, true, 2 * time.Minute, 121 * time.Second},
		{"come tomorrow", "tile/0/000", repeat(status(503, 24*time.Hour), 9), 1, false, 0, 0},
		{"always 500", "tile/0/000", repeat(status(500, 0), 99), 8, false, 15 * time.Second, time.Minute},
		{"nobody there", "checkpoint", repeat(broken, 99), 3, false, 0, time.Second},
		{"always slow", "tile/0/000", repeat(answer{err: context.DeadlineExceeded, took: 2 * time.Minute}, 99), 3, false, 6 * time.Minute, 7 * time.Minute},
		{"403", "tile/0/000", []answer{status(403, 0)}, 1, false, 0, 0},
		{"404", "tile/0/000", []answer{status(404, time.Second)}, 1, false, 0, 0},
		{"the same", "tile/0/000", []answer{{err: errLasting}}, 1, false, 0, 0},
		{"no file", "tile/0/000", []answer{{err: fmt.Errorf("x: %w", fs.ErrNotExist)}}, 1, false, 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := &moody{answers: test.answers, start: time.Now()}
				b, err := source.Patient(m, lasting).ReadFile(t.Context(), test.path)
				took := time.Since(m.start)
				if (err == nil) != test.good || test.good != (string(b) == "good") || len(m.asked) != test.asked || took < test.least || took > test.max {
					t.Errorf("%q, %v after %v, asked at %v; want %d times, in %v to %v", b, err, took, m.asked, test.asked, test.least, test.max)
				}
			})
		})
	}
}

// TestPatientTogether: who is told to come again keeps the others from asking,
// too; and nobody waits longer than his context.
func TestPatientTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &moody{answers: []answer{{err: &problem.Problem{Status: 503, RetryAfter: 30 * time.Second}}}, start: time.Now()}
		p := source.Patient(m, lasting)
		first := make(chan error)
		go func() {
			_, err := p.ReadFile(t.Context(), "tile/0/000")
			first <- err
		}()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := p.ReadFile(ctx, "tile/0/001"); !errors.Is(err, context.DeadlineExceeded) || time.Since(m.start) != time.Second {
			t.Errorf("%v after %v", err, time.Since(m.start))
		}
		if _, err := p.ReadFile(t.Context(), "tile/0/001"); err != nil {
			t.Error(err)
		}
		if err := <-first; err != nil || len(m.asked) != 3 || m.asked[1] < 30*time.Second {
			t.Errorf("%v, asked at %v", err, m.asked)
		}
	})
}
