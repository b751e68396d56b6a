package fleet

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/trillian"
	"golang.org/x/mod/sumdb/tlog"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/docket-ledger/docket/ledger/tree"
)

// copyBatch is how many records are copied at once.
const copyBatch = 1000

// Copy appends the records of a log to this one, which has to be its beginning, also
// an empty one, so that both have one root in the end. If it is interrupted, calling it
// again goes on. progress, if set, is told how many are there, of how many. An error that
// wraps tree.ErrDiverged says that this log is not the beginning of the other.
func (l *Log) Copy(ctx context.Context, from tree.Log, progress func(done, of int64)) error {
	want, err := from.Head(ctx)
	if err != nil {
		return err
	}
	for {
		size, err := l.Follow(ctx, copyBatch)
		if err != nil {
			return err
		}
		head, err := l.Head(ctx)
		if err != nil {
			return err
		}
		if err := begins(ctx, head, from, want); err != nil {
			return err
		}
		if head.Size < size {
			continue
		}
		if progress != nil {
			progress(head.Size, want.Size)
		}
		if head.Size == want.Size {
			return nil
		}
		leaves, err := from.Leaves(ctx, head.Size, min(head.Size+copyBatch, want.Size))
		if err != nil {
			return err
		}
		if _, err := l.Append(ctx, leaves); err != nil && !errors.Is(err, tree.ErrMoved) {
			return err
		}
	}
}

// begins checks that a head is one that a log had.
func begins(ctx context.Context, head tree.Head, log tree.Log, of tree.Head) error {
	if head.Size <= of.Size {
		root, err := tlog.TreeHash(head.Size, tree.Hashes(ctx, log))
		if err != nil || root == head.Root {
			return err
		}
	}
	return fmt.Errorf("%w: the servers have %d records with root %v, and the ledger's %d records do not begin with these", tree.ErrDiverged, head.Size, head.Root, of.Size)
}

// Freeze keeps everybody from appending to a tree. It can be done again.
func Freeze(ctx context.Context, servers Servers, id int64) error {
	client, err := dial(servers)
	if err != nil {
		return err
	}
	defer client.Close()
	for _, conn := range client.conns {
		if _, err = trillian.NewTrillianAdminClient(conn).UpdateTree(ctx, &trillian.UpdateTreeRequest{
			Tree:       &trillian.Tree{TreeId: id, TreeState: trillian.TreeState_FROZEN},
			UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"tree_state"}}}); err == nil {
			return nil
		}
	}
	return unreachable("freeze the tree", err)
}
