package pebblestore

import (
	"encoding/binary"

	"github.com/google/trillian/types"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// What a server of tiles reads, besides Trillian's interfaces. All of it sees
// only what is on stable storage. Trees are named by Trillian's id.

// Root returns the newest root of a tree, or storage.ErrTreeNeedsInit.
func (s *Store) Root(treeID int64) (types.LogRootV1, error) {
	t, err := s.tree(treeID)
	if err != nil {
		return types.LogRootV1{}, err
	}
	v := t.now.Load()
	if v.bytes == nil {
		return types.LogRootV1{}, errNeedsInit
	}
	return v.root, nil
}

// Tile returns the first width hashes of tile n of a tile level, 32 bytes each;
// the tile of an earlier, smaller tree is a prefix of that of a later one. The
// error has the code NotFound if the tree has not so many. The caller must not
// change the bytes.
func (s *Store) Tile(treeID int64, level int, n int64, width int) ([]byte, error) {
	t, err := s.tree(treeID)
	if err != nil {
		return nil, err
	}
	b, err := t.tile(t.now.Load(), level, n, width)
	if err == nil && b == nil {
		err = status.Errorf(codes.NotFound, "no %d hashes in tile %d of level %d", width, n, level)
	}
	return b, err
}

// LeafValues returns the values of the leaves start <= index < end, which lie
// below the newest root; else the error has the code OutOfRange.
func (s *Store) LeafValues(treeID, start, end int64) ([][]byte, error) {
	t, err := s.tree(treeID)
	if err != nil {
		return nil, err
	}
	if size := int64(t.now.Load().root.TreeSize); start < 0 || start > end || end > size {
		return nil, status.Errorf(codes.OutOfRange, "leaves [%d, %d) are not within a tree of size %d", start, end, size)
	}
	out := make([][]byte, 0, end-start)
	err = s.scan(t.leafKey(start), t.leafKey(end), func(key, value []byte) (bool, error) {
		l, err := parseLeaf(value, int64(binary.BigEndian.Uint64(key[len(key)-8:])))
		if err == nil {
			out = append(out, l.LeafValue)
		}
		return true, err
	})
	if err == nil && int64(len(out)) != end-start {
		err = status.Errorf(codes.DataLoss, "only %d of the leaves [%d, %d) are there", len(out), start, end)
	}
	return out, err
}

// IndexOf returns the index of the integrated leaf with an identity hash, or -1.
func (s *Store) IndexOf(treeID int64, identity []byte) (int64, error) {
	t, err := s.tree(treeID)
	if err != nil {
		return -1, err
	}
	size := t.now.Load().root.TreeSize
	index, _, err := t.indexOf(identity)
	if err != nil || index >= int64(size) {
		return -1, err
	}
	return index, nil
}
