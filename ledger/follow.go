package ledger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/docket-ledger/docket/ledger/tree"
)

// A log may have other writers: ledgers in other processes, of the same keys and
// over the same tree.Shared. The writer then takes over what they appended, a few
// times a second and whenever one of them was first; it judges that by the rules,
// and signs the head, as it does at every start. What it was about to append is
// judged anew on top, so that what rests on a tip that is none any more is refused
// here, and never logged.

// followEvery is how often a shared log is asked what is new.
const followEvery = 200 * time.Millisecond

// closeGrace is how long Close waits for servers that don't answer.
const closeGrace = 20 * time.Second

// catchUp takes over what a shared log has, before anything is read. Servers that
// can't be reached are no error if there is something to serve.
func (l *Ledger) catchUp(ctx context.Context) error {
	if l.shared == nil {
		return nil
	}
	for said := time.Now(); ; {
		size, err := l.shared.Follow(ctx, maxFollow)
		head, headErr := l.cfg.Log.Head(ctx)
		switch {
		case headErr != nil:
			return headErr
		case errors.Is(err, tree.ErrUnavailable) && head.Size > 0:
			l.cfg.Logger.Warn("the servers of the log can't be reached; what was followed is served", slog.Any("error", err))
			return nil
		case errors.Is(err, tree.ErrUnavailable):
			return fmt.Errorf("%w: %w", ErrUnreachable, err)
		case err != nil:
			return fmt.Errorf("%w: follow the log: %w", ErrHalted, err)
		case head.Size >= size:
			return nil
		case time.Since(said) > time.Second:
			said = time.Now()
			l.cfg.Logger.Info("catching up with the log", slog.Int64("size", head.Size), slog.Int64("of", size))
		}
	}
}

// maxFollow is how many records are taken over at once at a start.
const maxFollow = 8192

// follow takes over what others appended, until there is nothing more. The error
// wraps ErrUnreachable, or ErrHalted.
func (w *writer) follow(ctx context.Context) error {
	l := w.l
	for {
		size, err := l.shared.Follow(ctx, replayChunk)
		if errors.Is(err, tree.ErrUnavailable) || err != nil && ctx.Err() != nil {
			return fmt.Errorf("%w: %w", ErrUnreachable, err)
		}
		if err != nil {
			return l.halt(fmt.Errorf("follow the log: %w", err))
		}
		l.told.Store(size)
		head, err := l.cfg.Log.Head(ctx)
		if err != nil {
			return l.halt(err)
		}
		if head.Size > w.nodes.size {
			if err := w.takeOver(ctx, head); err != nil {
				return l.halt(fmt.Errorf("take over records %d to %d: %w", w.nodes.size, head.Size-1, err))
			}
		}
		if head.Size >= size {
			return nil
		}
	}
}

// takeOver judges the records up to head, which others appended, and signs head.
func (w *writer) takeOver(ctx context.Context, head tree.Head) error {
	if err := w.l.replayRange(ctx, w.nodes.size, head.Size); err != nil {
		return err
	}
	p, err := w.publish(head)
	if err != nil {
		return err
	}
	if w.overlay.Amended() {
		w.l.keys.forget()
		if err := w.amended(); err != nil {
			return err
		}
	}
	w.l.head.Store(p)
	w.l.heads.grew(p.Size)
	w.l.cfg.Metrics.integrated(head, 0, 0)
	return nil
}

// lookTime bounds how long look waits for the writer.
const lookTime = 5 * time.Second

// look has the writer take over what is new now, and reports whether there was anything.
func (l *Ledger) look(ctx context.Context) (grown bool) {
	before := l.head.Load().Size
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	looked := make(chan struct{})
	select {
	case l.looks <- looked:
	case <-ctx.Done():
		return false
	case <-l.done:
		return false
	}
	select {
	case <-looked:
	case <-ctx.Done():
	}
	return l.head.Load().Size > before
}

// Behind is how many records a shared log has, as far as its servers said, that this
// ledger has not taken over yet; 0 without one.
func (l *Ledger) Behind() int64 { return max(0, l.told.Load()-l.head.Load().Size) }
