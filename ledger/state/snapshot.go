package state

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/docket-ledger/docket/verify/rules"
)

// A Snapshot is the state as of one merge, whatever is merged meanwhile. It is a
// rules.Lister. Its user closes it.
type Snapshot struct {
	snap *pebble.Snapshot
}

var _ rules.Lister = (*Snapshot)(nil)

// Snapshot returns the state as it is now.
func (s *Store) Snapshot() *Snapshot { return &Snapshot{s.db.NewSnapshot()} }

// Close frees what the snapshot holds.
func (s *Snapshot) Close() error { return s.snap.Close() }

// Get implements rules.State.
func (s *Snapshot) Get(key string) ([]byte, error) {
	v, closer, err := s.snap.Get([]byte("r" + key))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the rules state: %w", err)
	}
	out := append([]byte{}, v...)
	return out, closer.Close()
}

// Put refuses: see Overlay.
func (s *Snapshot) Put(string, []byte) error {
	return errors.New("state: a snapshot is not written to")
}

// List implements rules.Lister.
func (s *Snapshot) List(prefix string, yield func(key string, value []byte) error) error {
	low := []byte("r" + prefix)
	high := append([]byte{}, low...)
	high[len(high)-1]++ // no prefix ends with the last byte
	it, err := s.snap.NewIter(&pebble.IterOptions{LowerBound: low, UpperBound: high})
	if err != nil {
		return fmt.Errorf("read the rules state: %w", err)
	}
	for ok := it.First(); ok; ok = it.Next() {
		if err := yield(string(it.Key()[1:]), it.Value()); err != nil {
			return errors.Join(err, it.Close())
		}
	}
	return it.Close()
}
