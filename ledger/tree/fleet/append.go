package fleet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/trillian"
	"golang.org/x/mod/sumdb/tlog"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"

	"github.com/docket-ledger/docket/ledger/tree"
)

var (
	// errTaken is that another writer's leaf is where one was to be written.
	errTaken = errors.New("another leaf is at this index")
	// errRefused is that a server won't do the first try of a write.
	errRefused = errors.New("refused")
)

// Append implements tree.Shared.
func (l *Log) Append(ctx context.Context, leaves [][]byte) ([]int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stuck != nil {
		return nil, l.stuck
	}
	if err := ctx.Err(); err != nil || len(leaves) == 0 {
		return nil, err
	}
	ctx, stop := l.until(ctx)
	defer stop()
	if err := l.fresh(ctx, leaves); err != nil {
		return nil, err
	}
	root, err := l.newest(ctx)
	if err != nil {
		return nil, err
	}
	if err := l.here(root); err != nil {
		return nil, err
	}
	if err := l.await(ctx); err != nil {
		return nil, err
	}
	b := newBatch(l.head.Size, leaves)
	if err := l.write(ctx, b); err != nil {
		if errors.Is(err, tree.ErrMoved) { // wait for what is there, so that Follow finds it
			l.turn.end, l.turn.since = l.head.Size+1, time.Now()
			if err := l.await(ctx); errors.Is(err, tree.ErrDiverged) {
				return nil, err
			}
		}
		return nil, err
	}
	if err := l.settle(ctx, b); errors.Is(err, tree.ErrDiverged) {
		return nil, fmt.Errorf("%w: the leaves were written: %w", tree.ErrUnknown, err)
	} else if err != nil { // not wrapped: a full disk of this machine, for one, does not mean that nothing was appended
		return nil, fmt.Errorf("%w: the leaves were written: %v", tree.ErrUnknown, err)
	}
	indexes := make([]int64, len(leaves))
	for i := range indexes {
		indexes[i] = b.at + int64(i)
	}
	return indexes, nil
}

// fresh checks that leaves are fit for the log, not in it, and not twice in the
// batch.
func (l *Log) fresh(ctx context.Context, leaves [][]byte) error {
	seen := make(map[tlog.Hash]bool, len(leaves))
	for i, leaf := range leaves {
		if len(leaf) == 0 || len(leaf) > maxLeaf {
			return fmt.Errorf("item %d of the batch has %d bytes, and 1 to %d are allowed", i, len(leaf), maxLeaf)
		}
		hash := tlog.RecordHash(leaf)
		_, err := l.local.Index(ctx, hash)
		if err == nil || seen[hash] {
			return fmt.Errorf("%w: item %d of the batch", tree.ErrDuplicate, i)
		}
		if !errors.Is(err, tree.ErrNotFound) {
			return err
		}
		seen[hash] = true
	}
	return nil
}

// write writes a batch. Each turn begins with one leaf alone, which shows that
// nobody else has it; the others follow in larger parts until the turn is over,
// and then another begins. The error wraps tree.ErrUnknown unless nothing was
// written.
func (l *Log) write(ctx context.Context, b *batch) error {
	sure := true // no write before this one may have been done without our knowing
	for i := 0; i < len(b.leaves); {
		over := time.Now().Add(l.cfg.Turn)
		err := l.put(ctx, b, b.leaves[i:i+1], sure)
		switch {
		case err != nil && i == 0 && errors.Is(err, errTaken):
			return fmt.Errorf("%w: %w", tree.ErrMoved, err)
		case err != nil && i == 0 && errors.Is(err, errRefused):
			return fmt.Errorf("%w: %w", tree.ErrUnavailable, err)
		case err != nil:
			return fmt.Errorf("%w: %d of %d leaves were written: %w", tree.ErrUnknown, i, len(b.leaves), err)
		}
		i, sure = i+1, true
		for i < len(b.leaves) && sure {
			part := b.part(i)
			mine, cancel := context.WithDeadline(ctx, over)
			err := l.put(mine, b, part, true)
			cancel()
			switch {
			case err == nil:
				i += len(part)
			case ctx.Err() == nil && errors.Is(err, tree.ErrUnknown):
				sure = false // the turn is over
			default:
				return fmt.Errorf("%w: %d of %d leaves were written: %w", tree.ErrUnknown, i, len(b.leaves), err)
			}
		}
	}
	return nil
}

// put writes leaves that fit in a request, again until an answer says how it
// went: the same leaf can be at its index but once. If an earlier try may have
// been done, what is at the indexes is looked at. The error is errTaken, or wraps
// tree.ErrUnknown if ctx ended before it was certain, or tree.ErrDiverged, or is
// errRefused.
func (l *Log) put(ctx context.Context, b *batch, leaves []*trillian.LogLeaf, sure bool) error {
	for try := 0; ; try++ {
		var r *trillian.AddSequencedLeavesResponse
		err := l.client.do(ctx, l.cfg.Timeout, func(ctx context.Context, conn *grpc.ClientConn) (err error) {
			r, err = trillian.NewTrillianLogClient(conn).AddSequencedLeaves(ctx, &trillian.AddSequencedLeavesRequest{LogId: l.cfg.Tree, Leaves: leaves})
			return err
		})
		switch {
		case err == nil && len(r.GetResults()) == len(leaves):
			stored := 0
			for _, result := range r.Results {
				if codes.Code(result.GetStatus().GetCode()) == codes.OK {
					stored++
				}
			}
			if stored == len(leaves) {
				return nil
			}
			if stored > 0 || sure {
				return fmt.Errorf("%w: %d of %d leaves could be written from %d on", errTaken, stored, len(leaves), leaves[0].LeafIndex)
			}
			return l.ours(ctx, b, leaves)
		case err != nil && sure && refused(err):
			return fmt.Errorf("%w: %w", errRefused, err)
		}
		sure = false
		l.cfg.Logger.Warn("a write to the log servers is tried again", slog.Int64("index", leaves[0].LeafIndex), slog.Any("error", err))
		if ended := pause(ctx, try); ended != nil {
			return fmt.Errorf("%w: %w: %w", tree.ErrUnknown, ended, err)
		}
	}
}

// ours looks at what is where leaves were to be written. It returns nil if it is
// they, and errTaken if not.
func (l *Log) ours(ctx context.Context, b *batch, leaves []*trillian.LogLeaf) error {
	for start, end := leaves[0].LeafIndex, leaves[len(leaves)-1].LeafIndex+1; start < end; {
		root, err := l.grown(ctx, start+1)
		if err != nil {
			return err
		}
		got, err := l.fetch(ctx, start, min(end, root.Size)-start)
		if err != nil && ctx.Err() == nil {
			continue
		}
		if err != nil {
			return fmt.Errorf("%w: %w", tree.ErrUnknown, err)
		}
		for _, leaf := range got {
			if !b.wrote(leaf) {
				return fmt.Errorf("%w: %d", errTaken, leaf.LeafIndex)
			}
		}
		start += int64(len(got))
	}
	return nil
}

// grown waits until the log has a size. The error wraps tree.ErrUnknown if ctx
// ended before that.
func (l *Log) grown(ctx context.Context, size int64) (told, error) {
	for try := 0; ; try++ {
		root, err := l.newest(ctx)
		if err == nil && root.Size >= size {
			return root, nil
		}
		if err == nil {
			if err := l.continues(root); err != nil {
				return told{}, err
			}
		} else if ctx.Err() == nil {
			l.cfg.Logger.Warn("the log servers are asked again", slog.Any("error", err))
		}
		if err := poll(ctx, try); err != nil {
			return told{}, fmt.Errorf("%w: %w", tree.ErrUnknown, err)
		}
	}
}

// poll waits before the newest root is asked for again: 10 ms, and longer once
// it took seconds.
func poll(ctx context.Context, try int) error { return pause(ctx, max(0, try-200)/20) }

// settle waits until a batch that was written is integrated, and takes it over.
// Its leaves need not be asked for: they are those with which the tree has the
// servers' root, or else what is in their place is an incident.
func (l *Log) settle(ctx context.Context, b *batch) error {
	end := b.at + int64(len(b.leaves))
	for {
		root, err := l.grown(ctx, end)
		if err != nil {
			return err
		}
		next, incident, err := l.weigh(ctx, root, b.leaves)
		if err == nil && incident == nil {
			return l.keep(ctx, root, b.leaves, next)
		}
		if err == nil { // a server took leaves, and others are there, which are the evidence
			if err = l.follow(ctx, root, end); err == nil {
				incident.What = "a server took leaves, and others are in their place"
				return l.diverged(incident)
			}
		}
		if !errors.Is(err, tree.ErrUnavailable) {
			return err
		}
	}
}
