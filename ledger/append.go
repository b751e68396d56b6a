package ledger

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/docket-ledger/docket/ledger/tree"
)

// errMoved says that a shared log may have grown: what was to be appended must be judged
// again after that.
var errMoved = errors.New("the log has grown")

// append puts the batch into the tree: as a whole, in this order, or not at
// all. An error other than ErrDiskFull, ErrUnreachable and errMoved halts the ledger.
func (w *writer) append(in []*waiter) (*published, error) {
	if err := w.l.Ready(); errors.Is(err, ErrHalted) {
		return nil, err // the rules could not be asked
	}
	start := time.Now()
	leaves := make([][]byte, len(in))
	for i, item := range in {
		leaves[i] = item.record.Bytes()
	}
	ctx := w.l.trying // what was begun is finished, whoever waits
	indexes, err := w.l.cfg.Log.Append(ctx, leaves)
	if w.l.shared != nil && (errors.Is(err, tree.ErrMoved) || errors.Is(err, tree.ErrUnknown) && ctx.Err() == nil) {
		return nil, errMoved // what is in the log says what came of it
	}
	if errors.Is(err, tree.ErrUnavailable) {
		w.l.cfg.Logger.Error("the servers of the log can't be reached", slog.Any("error", err))
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	if errors.Is(err, tree.ErrFull) {
		w.l.cfg.Logger.Error("disk full", slog.Any("error", err))
		return nil, fmt.Errorf("%w: %w", ErrDiskFull, err)
	}
	if err != nil {
		return nil, w.l.halt(fmt.Errorf("append %d records: %w", len(in), err))
	}
	if first := w.nodes.size - int64(len(in)); indexes[0] != first || indexes[len(indexes)-1] != w.nodes.size-1 {
		return nil, w.l.halt(fmt.Errorf("records were put at %d to %d, not from %d on: someone else writes to this log",
			indexes[0], indexes[len(indexes)-1], first))
	}
	head, err := w.l.cfg.Log.Head(ctx)
	if err != nil {
		return nil, w.l.halt(err)
	}
	p, err := w.publish(head)
	if err != nil {
		return nil, w.l.halt(err)
	}
	if err := w.l.cfg.State.Merge(w.overlay, head.Size, head.Root); err != nil {
		return nil, w.l.halt(err)
	}
	if w.overlay.Amended() {
		w.l.keys.forget()
		if err := w.amended(); err != nil {
			return nil, w.l.halt(err)
		}
	}
	w.l.head.Store(p)
	w.l.heads.grew(p.Size)
	took := time.Since(start)
	w.l.cfg.Metrics.integrated(head, len(in), took)
	w.l.cfg.Logger.LogAttrs(ctx, slog.LevelInfo, "batch integrated",
		slog.Int64("size", head.Size), slog.Int("entries", len(in)), slog.Duration("took", took))
	return p, nil
}

// checkRoot compares the root that the tree reports with the one that this
// package computed by itself: two implementations must agree before a signature.
func checkRoot(n *nodes, head tree.Head) error {
	if n.size != head.Size {
		return fmt.Errorf("the tree has %d records, and %d were expected", head.Size, n.size)
	}
	root, err := n.root()
	if err != nil {
		return err
	}
	if root != head.Root {
		return fmt.Errorf("the tree reports root %v for size %d, but its records have root %v", head.Root, head.Size, root)
	}
	return nil
}
