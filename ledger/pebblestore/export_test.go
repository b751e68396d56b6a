package pebblestore

import "github.com/cockroachdb/pebble/v2/vfs"

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
