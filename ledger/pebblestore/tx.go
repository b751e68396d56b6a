package pebblestore

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"maps"
	"math"
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
	dequeued  map[identity]*queued
	sequenced []*queued           // of those dequeued
	leaves    []*trillian.LogLeaf // the same, with their indexes
	nodes     []stree.Node
	root      *types.LogRootV1
	bytes     []byte
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
		late := func(l *trillian.LogLeaf) bool { return l.QueueTimestamp.AsTime().After(cutoff) }
		if i := slices.IndexFunc(leaves, late); i >= 0 {
			leaves = leaves[:i] // what follows must wait for it
		}
		return leaves, err
	}
	items := tx.tree.queue.take(limit, cutoff, tx.update.dequeued)
	if tx.update.dequeued == nil {
		tx.update.dequeued = make(map[identity]*queued, len(items))
	}
	leaves := make([]*trillian.LogLeaf, len(items))
	for i, item := range items {
		tx.update.dequeued[item.identity()] = item
		leaves[i] = item.copy()
	}
	return leaves, nil
}

// UpdateSequencedLeaves implements storage.LogTreeTX. A leaf must have been
// dequeued in this transaction, must come once, and can't replace another.
func (tx *logTX) UpdateSequencedLeaves(_ context.Context, leaves []*trillian.LogLeaf) error {
	if tx.update == nil {
		return errReadOnly
	}
	u := tx.update
	done := make(map[identity]bool, len(leaves))
	for _, i := range u.sequenced {
		done[i.identity()] = true
	}
	for _, l := range leaves {
		var item *queued
		if len(l.LeafIdentityHash) == hashSize && len(l.MerkleLeafHash) == hashSize {
			item = u.dequeued[identity(l.LeafIdentityHash)]
		}
		if item == nil || done[item.identity()] {
			return status.Errorf(codes.FailedPrecondition, "leaf %x was not dequeued in this transaction, or comes twice", l.LeafIdentityHash)
		}
		if size := tx.view.root.TreeSize; l.LeafIndex < 0 || uint64(l.LeafIndex) < size {
			return status.Errorf(codes.FailedPrecondition, "leaf %x has index %d in a tree of size %d", l.LeafIdentityHash, l.LeafIndex, size)
		}
		done[item.identity()] = true
		u.sequenced = append(u.sequenced, item)
	}
	u.leaves = append(u.leaves, leaves...)
	return nil
}

// SetMerkleNodes implements storage.LogTreeTX. Nodes only ever append to the
// tree: one that is there already must be the same.
func (tx *logTX) SetMerkleNodes(_ context.Context, nodes []stree.Node) error {
	if tx.update == nil {
		return errReadOnly
	}
	for _, n := range nodes {
		if len(n.Hash) != hashSize || n.ID.Level >= tileLevels*tileHeight || n.ID.Index > math.MaxInt64>>n.ID.Level {
			return status.Errorf(codes.InvalidArgument, "node %+v with a hash of %d bytes", n.ID, len(n.Hash))
		}
	}
	tx.update.nodes = append(tx.update.nodes, nodes...)
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
	t.queue.drop(u.sequenced) // what was only dequeued stays
	return b.Close()
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
		for _, i := range u.sequenced {
			if err := b.Delete(t.queueKey(uint64(i.nanos), i.sequence), nil); err != nil {
				return nil, err
			}
		}
	}
	next := *tx.view
	if err := tx.writeNodes(b, &next); err != nil {
		return nil, err
	}
	if u.root != nil {
		next.root, next.bytes = *u.root, u.bytes
		if err := b.Set(t.rootKey(), u.bytes, nil); err != nil {
			return nil, err
		}
		next.edge = tx.nextEdge(u.root.TreeSize)
	}
	return &next, nil
}

// writeNodes appends the tile items among the nodes to the rows of next. Full
// tiles are written as rows M; of partial ones above level 0 each hash alone.
//
// The rows share memory with those of the view before, which readers hold: what
// is appended lies beyond the length of theirs, and there is one writer, which
// starts from the published view, also after a transaction that failed.
func (tx *logTX) writeNodes(b *pebble.Batch, next *view) error {
	var items [tileLevels][]stree.Node
	for _, n := range tx.update.nodes {
		if n.ID.Level%tileHeight == 0 {
			level := n.ID.Level / tileHeight
			items[level] = append(items[level], n)
		}
	}
	for level, nodes := range items {
		slices.SortFunc(nodes, func(a, b stree.Node) int { return cmp.Compare(a.ID.Index, b.ID.Index) })
		p := &next.rows[level]
		for k, n := range nodes {
			i := int64(n.ID.Index)
			if k > 0 && nodes[k-1].ID == n.ID && bytes.Equal(nodes[k-1].Hash, n.Hash) {
				continue
			}
			if i < p.end() {
				if err := tx.sameNode(level, i, n.Hash); err != nil {
					return err
				}
				continue
			}
			if i > p.end() {
				return status.Errorf(codes.FailedPrecondition, "node %d of tile level %d does not follow the %d that are there", i, level, p.end())
			}
			if err := tx.tree.writeNode(b, level, p, n.Hash); err != nil {
				return err
			}
		}
	}
	return nil
}

// sameNode returns an error if a hash is not the one that is there already.
func (tx *logTX) sameNode(level int, i int64, hash []byte) error {
	old, err := tx.tree.tile(tx.view, level, i/tileWidth, int(i%tileWidth)+1)
	if err != nil {
		return err
	}
	if old == nil || !bytes.Equal(old[len(old)-hashSize:], hash) {
		return status.Errorf(codes.FailedPrecondition, "node %d of tile level %d is there already and differs", i, level)
	}
	return nil
}

// writeNode appends a hash to a row; a row that becomes full is written.
func (t *tree) writeNode(b *pebble.Batch, level int, p *partial, hash []byte) error {
	i := p.end()
	if p.hashes == nil {
		p.hashes = make([]byte, 0, tileWidth*hashSize)
	}
	p.hashes = append(p.hashes, hash...)
	if len(p.hashes) == tileWidth*hashSize {
		err := t.writeTile(b, level, *p)
		*p = partial{start: p.end()}
		return err
	}
	if level > 0 {
		return b.Set(t.nodeKey(level, i), hash, nil)
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
	ids := compact.RangeNodes(0, size, make([]compact.NodeID, 0, 64))
	edge := make(map[compact.NodeID][]byte, len(ids))
	for _, id := range ids {
		edge[id] = tx.view.edge[id]
	}
	for _, n := range tx.update.nodes {
		if _, wanted := edge[n.ID]; wanted {
			edge[n.ID] = n.Hash
		}
	}
	maps.DeleteFunc(edge, func(_ compact.NodeID, hash []byte) bool { return hash == nil })
	return edge
}
