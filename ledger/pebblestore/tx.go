package pebblestore

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/trillian"
	stree "github.com/google/trillian/storage/tree"
	"github.com/google/trillian/types"
	"github.com/transparency-dev/merkle/compact"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// logTX is a transaction on a tree: a view, and what changes it.
type logTX struct {
	tree   *tree
	kind   trillian.TreeType
	view   *view
	update *update // nil if the transaction only reads
}

// update is what a transaction will write.
type update struct {
	dequeued []*queued
	leaves   []*trillian.LogLeaf
	nodes    map[compact.NodeID][]byte
	root     *types.LogRootV1
	bytes    []byte
}

var errReadOnly = status.Error(codes.Internal, "transaction is read-only")

// Commit implements storage.ReadOnlyLogTreeTX; it has nothing to do.
func (tx *logTX) Commit(context.Context) error { return nil }

// Close implements storage.ReadOnlyLogTreeTX; it has nothing to do.
func (tx *logTX) Close() error { return nil }

// LatestSignedLogRoot implements storage.ReadOnlyLogTreeTX.
func (tx *logTX) LatestSignedLogRoot(context.Context) (*trillian.SignedLogRoot, error) {
	if tx.view.bytes == nil {
		return nil, errNeedsInit
	}
	return &trillian.SignedLogRoot{LogRoot: bytes.Clone(tx.view.bytes)}, nil
}

// GetMerkleNodes implements storage.ReadOnlyLogTreeTX.
func (tx *logTX) GetMerkleNodes(_ context.Context, ids []compact.NodeID) ([]stree.Node, error) {
	out := make([]stree.Node, len(ids))
	for i, id := range ids {
		hash := tx.view.edge[id]
		if hash == nil {
			var err error
			if hash, err = tx.tree.node(tx.view, id); err != nil {
				return nil, err
			}
		}
		out[i] = stree.Node{ID: id, Hash: hash}
	}
	return out, nil
}

// GetLeavesByRange implements storage.ReadOnlyLogTreeTX.
func (tx *logTX) GetLeavesByRange(_ context.Context, start, count int64) ([]*trillian.LogLeaf, error) {
	return tx.leavesByRange(start, count)
}

// GetLeavesByHash implements storage.ReadOnlyLogTreeTX.
func (tx *logTX) GetLeavesByHash(_ context.Context, hashes [][]byte, ordered bool) ([]*trillian.LogLeaf, error) {
	out, err := tx.leavesByHash(hashes)
	if ordered {
		slices.SortFunc(out, func(a, b *trillian.LogLeaf) int { return cmp.Compare(a.LeafIndex, b.LeafIndex) })
	}
	return out, err
}

// DequeueLeaves implements storage.LogTreeTX.
func (tx *logTX) DequeueLeaves(_ context.Context, limit int, cutoff time.Time) ([]*trillian.LogLeaf, error) {
	if tx.update == nil {
		return nil, errReadOnly
	}
	if tx.kind == trillian.TreeType_PREORDERED_LOG {
		if tx.view.bytes == nil || limit < 1 {
			return nil, nil
		}
		leaves, err := tx.leavesByRange(int64(tx.view.root.TreeSize), int64(limit))
		return slices.DeleteFunc(leaves, func(l *trillian.LogLeaf) bool { return l.QueueTimestamp.AsTime().After(cutoff) }), err
	}
	items := tx.tree.queue.take(limit, cutoff, tx.update.dequeued)
	tx.update.dequeued = append(tx.update.dequeued, items...)
	leaves := make([]*trillian.LogLeaf, len(items))
	for i, item := range items {
		leaves[i] = item.leaf
	}
	return leaves, nil
}

// UpdateSequencedLeaves implements storage.LogTreeTX.
func (tx *logTX) UpdateSequencedLeaves(_ context.Context, leaves []*trillian.LogLeaf) error {
	if tx.update == nil {
		return errReadOnly
	}
	held := make(map[string]bool, len(tx.update.dequeued))
	for _, i := range tx.update.dequeued {
		held[string(i.leaf.LeafIdentityHash)] = true
	}
	for _, l := range leaves {
		if !held[string(l.LeafIdentityHash)] {
			return status.Errorf(codes.FailedPrecondition, "leaf %x was not dequeued in this transaction", l.LeafIdentityHash)
		}
	}
	tx.update.leaves = append(tx.update.leaves, leaves...)
	return nil
}

// SetMerkleNodes implements storage.LogTreeTX. Nodes only ever append to the
// tree: one that is there already must be the same.
func (tx *logTX) SetMerkleNodes(_ context.Context, nodes []stree.Node) error {
	if tx.update == nil {
		return errReadOnly
	}
	if tx.update.nodes == nil {
		tx.update.nodes = make(map[compact.NodeID][]byte, len(nodes))
	}
	for _, n := range nodes {
		tx.update.nodes[n.ID] = n.Hash
	}
	return nil
}

// StoreSignedLogRoot implements storage.LogTreeTX. Metadata are not supported.
func (tx *logTX) StoreSignedLogRoot(_ context.Context, root *trillian.SignedLogRoot) error {
	if tx.update == nil {
		return errReadOnly
	}
	r := &types.LogRootV1{}
	if err := r.UnmarshalBinary(root.LogRoot); err != nil {
		return status.Errorf(codes.InvalidArgument, "log root: %v", err)
	}
	if len(r.Metadata) > 0 {
		return status.Error(codes.Unimplemented, "log roots with metadata")
	}
	if prev := tx.latest(); prev != nil && r.TimestampNanos <= prev.TimestampNanos {
		return status.Errorf(codes.AlreadyExists, "a root of time %d is there, this one has %d", prev.TimestampNanos, r.TimestampNanos)
	}
	tx.update.root, tx.update.bytes = r, bytes.Clone(root.LogRoot)
	return nil
}

// latest returns the newest root, that of this transaction included.
func (tx *logTX) latest() *types.LogRootV1 {
	switch {
	case tx.update.root != nil:
		return tx.update.root
	case tx.view.bytes != nil:
		return &tx.view.root
	}
	return nil
}

// commit writes the update as one synced batch, then shows it to readers.
func (tx *logTX) commit() error {
	u := tx.update
	if len(u.leaves) == 0 && len(u.nodes) == 0 && u.root == nil {
		return nil
	}
	t := tx.tree
	if err := t.store.room(); err != nil {
		return err
	}
	b := t.store.db.NewBatch()
	next, err := tx.write(b)
	if err != nil {
		return errors.Join(err, b.Close())
	}
	if err := b.Commit(pebble.Sync); err != nil {
		return errors.Join(err, b.Close())
	}
	t.now.Store(next)
	t.queue.drop(slices.DeleteFunc(u.dequeued, func(i *queued) bool { return !u.has(i) }))
	return b.Close()
}

// has reports whether a dequeued item was also sequenced; others stay queued.
func (u *update) has(i *queued) bool {
	return slices.Contains(u.leaves, i.leaf) ||
		slices.ContainsFunc(u.leaves, func(l *trillian.LogLeaf) bool { return bytes.Equal(l.LeafIdentityHash, i.leaf.LeafIdentityHash) })
}

// write puts the update into a batch and returns the view after it.
func (tx *logTX) write(b *pebble.Batch) (*view, error) {
	u, t := tx.update, tx.tree
	for _, l := range u.leaves {
		if err := t.putLeaf(b, l, l.QueueTimestamp.AsTime(), l.IntegrateTimestamp.AsTime()); err != nil {
			return nil, err
		}
	}
	if t.store.opt.Queue == DurableQueue {
		for _, i := range u.dequeued {
			if u.has(i) {
				if err := b.Delete(t.queueKey(uint64(i.nanos), i.sequence), nil); err != nil {
					return nil, err
				}
			}
		}
	}
	next := *tx.view
	if err := tx.writeNodes(b, &next); err != nil {
		return nil, err
	}
	if u.root != nil {
		next.root, next.bytes = *u.root, u.bytes
		if err := b.Set(t.rootKey(u.root.TimestampNanos), u.bytes, nil); err != nil {
			return nil, err
		}
		next.edge = tx.nextEdge(u.root.TreeSize)
	}
	return &next, nil
}

// writeNodes appends the tile items among the nodes to the rows of next. Full
// tiles are written as rows M; of partial ones above level 0 each hash alone.
func (tx *logTX) writeNodes(b *pebble.Batch, next *view) error {
	t := tx.tree
	var items [tileLevels][]int64
	for id := range tx.update.nodes {
		if id.Level%tileHeight == 0 {
			level := id.Level / tileHeight
			items[level] = append(items[level], int64(id.Index))
		}
	}
	for level, indexes := range items {
		slices.Sort(indexes)
		p := next.rows[level]
		for _, i := range indexes {
			hash := tx.update.nodes[compact.NodeID{Level: uint(level) * tileHeight, Index: uint64(i)}]
			switch {
			case i < p.end():
				old, err := t.tile(tx.view, level, i/tileWidth, int(i%tileWidth)+1)
				if err != nil {
					return err
				}
				if old == nil || !bytes.Equal(old[len(old)-hashSize:], hash) {
					return status.Errorf(codes.FailedPrecondition, "node %d of tile level %d is there already and differs", i, level)
				}
				continue
			case i > p.end():
				return status.Errorf(codes.FailedPrecondition, "node %d of tile level %d does not follow the %d that are there", i, level, p.end())
			}
			p.hashes = append(p.hashes, hash...)
			if level > 0 {
				if err := b.Set(t.nodeKey(level, i), hash, nil); err != nil {
					return err
				}
			}
			if len(p.hashes) == tileWidth*hashSize {
				if err := t.writeTile(b, level, p); err != nil {
					return err
				}
				p = partial{start: p.end()}
			}
		}
		next.rows[level] = p
	}
	return nil
}

// writeTile writes a full tile and removes the rows of its parts.
func (t *tree) writeTile(b *pebble.Batch, level int, p partial) error {
	err := b.Set(t.tileKey(level, p.start/tileWidth), p.hashes, nil)
	if level > 0 {
		err = errors.Join(err, b.DeleteRange(t.nodeKey(level, p.start), t.nodeKey(level, p.end()), nil))
	}
	return err
}

// nextEdge returns the compact range of the new tree: its nodes are new, or were
// in the old one. Where neither holds (a root without its nodes) it lacks them,
// and readers look in the tiles.
func (tx *logTX) nextEdge(size uint64) map[compact.NodeID][]byte {
	edge := map[compact.NodeID][]byte{}
	for _, id := range compact.RangeNodes(0, size, nil) {
		if h := tx.update.nodes[id]; h != nil {
			edge[id] = h
		} else if h := tx.view.edge[id]; h != nil {
			edge[id] = h
		}
	}
	return edge
}
