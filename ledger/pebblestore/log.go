package pebblestore

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/trillian"
	"github.com/google/trillian/storage"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// Log returns the storage.LogStorage of the store.
func (s *Store) Log() storage.LogStorage { return logStorage{s} }

type logStorage struct{ s *Store }

// CheckDatabaseAccessible implements storage.ReadOnlyLogStorage.
func (l logStorage) CheckDatabaseAccessible(context.Context) error {
	_, err := l.s.get([]byte("T"))
	return err
}

// GetActiveLogIDs implements storage.ReadOnlyLogStorage.
func (l logStorage) GetActiveLogIDs(context.Context) ([]int64, error) {
	var ids []int64
	err := l.s.eachTree(func(t *trillian.Tree) {
		active := t.TreeState == trillian.TreeState_ACTIVE || t.TreeState == trillian.TreeState_DRAINING
		if active && !t.Deleted {
			ids = append(ids, t.TreeId)
		}
	})
	return ids, err
}

// SnapshotForTree implements storage.ReadOnlyLogStorage. The transaction holds
// no resources; for a tree without root it comes with ErrTreeNeedsInit.
func (l logStorage) SnapshotForTree(_ context.Context, tree *trillian.Tree) (storage.ReadOnlyLogTreeTX, error) {
	t, err := l.s.tree(tree.TreeId)
	if err != nil {
		return nil, err
	}
	tx := &logTX{tree: t, kind: tree.TreeType, view: t.now.Load()}
	if tx.view.bytes == nil {
		return tx, errNeedsInit
	}
	return tx, nil
}

// ReadWriteTransaction implements storage.LogStorage. It does not retry.
func (l logStorage) ReadWriteTransaction(ctx context.Context, tree *trillian.Tree, f storage.LogTXFunc) error {
	t, err := l.s.tree(tree.TreeId)
	if err != nil {
		return err
	}
	t.writer.Lock()
	defer t.writer.Unlock()
	tx := &logTX{tree: t, kind: tree.TreeType, view: t.now.Load(), update: &update{}}
	if err := f(ctx, tx); err != nil {
		return err
	}
	return tx.commit()
}

// QueueLeaves implements storage.LogStorage.
func (l logStorage) QueueLeaves(_ context.Context, tree *trillian.Tree, leaves []*trillian.LogLeaf, at time.Time) ([]*trillian.QueuedLogLeaf, error) {
	t, err := l.s.tree(tree.TreeId)
	if err != nil {
		return nil, err
	}
	if t.now.Load().bytes == nil {
		return nil, errNeedsInit
	}
	return t.queueLeaves(leaves, at)
}

// AddSequencedLeaves implements storage.LogStorage. Leaves may come out of order
// and leave holes.
func (l logStorage) AddSequencedLeaves(_ context.Context, tree *trillian.Tree, leaves []*trillian.LogLeaf, at time.Time) ([]*trillian.QueuedLogLeaf, error) {
	t, err := l.s.tree(tree.TreeId)
	if err != nil {
		return nil, err
	}
	if err := l.s.room(); err != nil {
		return nil, err
	}
	t.writer.Lock()
	defer t.writer.Unlock()
	b := l.s.db.NewBatch()
	defer b.Close()
	out := make([]*trillian.QueuedLogLeaf, len(leaves))
	indexes, identities := map[int64]*trillian.LogLeaf{}, map[string]*trillian.LogLeaf{}
	for i, leaf := range leaves {
		if len(leaf.LeafIdentityHash) != hashSize || len(leaf.MerkleLeafHash) != hashSize || leaf.LeafIndex < 0 {
			return nil, status.Errorf(codes.InvalidArgument, "leaf %d has no hashes of %d bytes, or no index", i, hashSize)
		}
		there, code, err := t.occupied(leaf, indexes, identities)
		if err != nil {
			return nil, err
		}
		if there != nil {
			out[i] = &trillian.QueuedLogLeaf{Leaf: there, Status: status.Newf(code, "leaf %d: %v", leaf.LeafIndex, code).Proto()}
			continue
		}
		if err := t.putLeaf(b, leaf, at, time.Unix(0, 0)); err != nil {
			return nil, err
		}
		indexes[leaf.LeafIndex], identities[string(leaf.LeafIdentityHash)] = leaf, leaf
		out[i] = &trillian.QueuedLogLeaf{Leaf: leaf, Status: status.New(codes.OK, "OK").Proto()}
	}
	if b.Empty() {
		return out, nil
	}
	return out, b.Commit(pebble.Sync)
}

// occupied returns the leaf that keeps another from being stored, and why.
func (t *tree) occupied(leaf *trillian.LogLeaf, indexes map[int64]*trillian.LogLeaf, identities map[string]*trillian.LogLeaf) (*trillian.LogLeaf, codes.Code, error) {
	there := indexes[leaf.LeafIndex]
	if there == nil {
		var err error
		if there, err = t.leaf(leaf.LeafIndex); err != nil {
			return nil, codes.OK, err
		}
	}
	if there != nil {
		if string(there.LeafIdentityHash) == string(leaf.LeafIdentityHash) && string(there.LeafValue) == string(leaf.LeafValue) {
			return there, codes.AlreadyExists, nil
		}
		return there, codes.FailedPrecondition, nil
	}
	if there = identities[string(leaf.LeafIdentityHash)]; there == nil {
		var err error
		if _, there, err = t.indexOf(leaf.LeafIdentityHash); err != nil {
			return nil, codes.OK, err
		}
	}
	if there != nil {
		return there, codes.FailedPrecondition, nil
	}
	return nil, codes.OK, nil
}

// putLeaf writes the rows of a leaf that has an index.
func (t *tree) putLeaf(b *pebble.Batch, l *trillian.LogLeaf, queued, integrated time.Time) error {
	row := b.SetDeferred(len(t.leafKey(0)), leafRowSize(l)) // written in place
	copy(row.Key, t.leafKey(l.LeafIndex))
	appendLeaf(row.Value[:0], l, queued, integrated)
	if err := row.Finish(); err != nil {
		return err
	}
	var index [8]byte
	binary.BigEndian.PutUint64(index[:], uint64(l.LeafIndex))
	if err := b.Set(t.identityKey(l.LeafIdentityHash), index[:], nil); err != nil {
		return err
	}
	if string(l.LeafIdentityHash) != string(l.MerkleLeafHash) {
		return b.Set(append(t.merklePrefix(l.MerkleLeafHash), index[:]...), nil, nil)
	}
	return nil
}

// eachTree calls f for every tree.
func (s *Store) eachTree(f func(*trillian.Tree)) error {
	return s.scan([]byte{'T'}, []byte{'T' + 1}, func(_, value []byte) (bool, error) {
		t, err := parseTree(value)
		if err == nil {
			f(t)
		}
		return true, err
	})
}

func parseTree(row []byte) (*trillian.Tree, error) {
	t := &trillian.Tree{}
	if len(row) < 4 {
		return nil, fmt.Errorf("%w: tree", ErrDamaged)
	}
	if err := proto.Unmarshal(row[4:], t); err != nil {
		return nil, fmt.Errorf("%w: tree: %w", ErrDamaged, err)
	}
	return t, nil
}

// leavesByRange implements GetLeavesByRange.
func (tx *logTX) leavesByRange(start, count int64) ([]*trillian.LogLeaf, error) {
	if start < 0 || count <= 0 {
		return nil, status.Errorf(codes.InvalidArgument, "leaves from %d, %d of them", start, count)
	}
	size := int64(tx.view.root.TreeSize)
	end := start + min(count, math.MaxInt64-start)
	if tx.kind == trillian.TreeType_LOG {
		if start >= size {
			return nil, status.Errorf(codes.OutOfRange, "leaf %d is not in a tree of size %d", start, size)
		}
		end = min(end, size)
	}
	out := []*trillian.LogLeaf{}
	err := tx.tree.store.scan(tx.tree.leafKey(start), tx.tree.leafKey(end), func(key, value []byte) (bool, error) {
		index := int64(binary.BigEndian.Uint64(key[len(key)-8:]))
		if index != start+int64(len(out)) {
			return false, nil
		}
		l, err := parseLeaf(value, index)
		out = append(out, l)
		return true, err
	})
	if err != nil {
		return nil, err
	}
	if next := start + int64(len(out)); next < min(end, size) {
		return nil, status.Errorf(codes.Internal, "leaf %d is missing below the tree size %d", next, size)
	}
	return out, nil
}

// leavesByHash implements GetLeavesByHash: by Merkle hash, below the root.
func (tx *logTX) leavesByHash(hashes [][]byte) ([]*trillian.LogLeaf, error) {
	var out []*trillian.LogLeaf
	t := tx.tree
	add := func(index int64, hash []byte) error {
		l, err := t.leaf(index)
		if err == nil && l != nil && string(l.MerkleLeafHash) == string(hash) && index < int64(tx.view.root.TreeSize) {
			out = append(out, l)
		}
		return err
	}
	for _, h := range hashes {
		if len(h) != hashSize {
			return nil, status.Errorf(codes.InvalidArgument, "hash of %d bytes", len(h))
		}
		raw, err := t.store.get(t.identityKey(h))
		if err != nil {
			return nil, err
		}
		if len(raw) == 8 {
			if err := add(int64(binary.BigEndian.Uint64(raw)), h); err != nil {
				return nil, err
			}
		}
		p := t.merklePrefix(h)
		var indexes []int64
		if err := t.store.scan(p, prefixEnd(p), func(key, _ []byte) (bool, error) {
			indexes = append(indexes, int64(binary.BigEndian.Uint64(key[len(key)-8:])))
			return true, nil
		}); err != nil {
			return nil, err
		}
		for _, i := range indexes {
			if err := add(i, h); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}
