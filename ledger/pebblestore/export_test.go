package pebblestore

import (
	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// For tests outside of the package.
var (
	AppendLeaf  = appendLeaf
	ParseLeaf   = parseLeaf
	LeafRowSize = leafRowSize
)

// Flush writes what is in memory to tables.
func (s *Store) Flush() error { return s.db.Flush() }

// Rows returns how many rows there are.
func (s *Store) Rows() (int, error) {
	n := 0
	err := s.scan(nil, nil, func(_, _ []byte) (bool, error) { n++; return true, nil })
	return n, err
}

// FS returns the file system.
func (s *Store) FS() vfs.FS { return s.opt.FS }

// Change rewrites the row of a leaf, of the full tile 0 of a level or of the
// identity of a leaf, as damage that has a right checksum. A nil row is deleted.
func (s *Store) Change(treeID int64, kind byte, number int64, change func(row []byte) []byte) error {
	t, err := s.tree(treeID)
	if err != nil {
		return err
	}
	key := t.leafKey(number)
	switch kind {
	case 'M':
		key = t.tileKey(int(number), 0)
	case 'I':
		l, err := t.leaf(number)
		if err != nil {
			return err
		}
		key = t.identityKey(l.LeafIdentityHash)
	}
	row, err := s.get(key)
	if err != nil {
		return err
	}
	if row = change(row); row == nil {
		return s.db.Delete(key, pebble.Sync)
	}
	return s.db.Set(key, row, pebble.Sync)
}
