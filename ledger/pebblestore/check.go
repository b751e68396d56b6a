package pebblestore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/docket-ledger/docket/ledger/pebblestore/tables"
)

// A Fault is something that is broken in a database.
type Fault struct {
	// File is its name in the directory, "" if it is not known.
	File string
	// First and End are the leaves that can't be read, or are not what they
	// were: First <= index < End. Both are 0 if there are none.
	First, End int64
	// Reason says what is broken.
	Reason string
}

// CheckOptions are read by Check.
type CheckOptions struct {
	// FS is the file system; nil means the real one.
	FS vfs.FS
	// Found is called for each fault. Required.
	Found func(Fault)
	// Progress, if set, is called now and then with how many leaves are done,
	// of how many.
	Progress func(done, of int64)
}

// A Looked is a database that was opened for looking at it alone: nothing in it
// changes.
type Looked struct {
	store *Store
	opt   *pebble.Options
}

// Look opens the database in dir for reading. The error wraps ErrInUse if another
// process, or this one, has it open, and ErrDamaged if it can't be opened for that.
func Look(dir string, fs vfs.FS) (*Looked, error) {
	opt := Options{FS: fs}
	if fs == nil {
		opt.FS = vfs.Default
		var err error
		if dir, err = realPath(dir); err != nil {
			return nil, err
		}
	}
	cache := pebble.NewCache(64 << 20)
	defer cache.Unref()
	o := pebbleOptions(opt, cache, nil)
	db, err := tables.Open(dir, o)
	if errors.Is(err, tables.ErrInUse) {
		return nil, fmt.Errorf("%w: %w", ErrInUse, err)
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", dir, damage(err))
	}
	return &Looked{store: &Store{db: db, opt: opt, dir: dir, trees: map[int64]*tree{}}, opt: o}, nil
}

// Close closes the database.
func (l *Looked) Close() error { return l.store.db.Close() }

// CheckTables checks the blocks of all tables in dir, where Look has failed.
func CheckTables(dir string, fs vfs.FS, found func(Fault)) error {
	if fs == nil {
		fs = vfs.Default
	}
	cache := pebble.NewCache(1 << 20)
	defer cache.Unref()
	return tables.All(dir, pebbleOptions(Options{FS: fs}, cache, nil), func(f tables.Fault) {
		found(Fault{File: f.File, Reason: f.Reason})
	})
}

// trees returns the trees in the database.
func (l *Looked) trees() (all []*tree, err error) {
	err = l.store.scan([]byte{'T'}, []byte{'T' + 1}, func(key, value []byte) (bool, error) {
		if len(key) != 9 || len(value) < 4 {
			return false, fmt.Errorf("%w: tree", ErrDamaged)
		}
		id := int64(binary.BigEndian.Uint64(key[1:]))
		all = append(all, &tree{store: l.store, id: id, number: binary.BigEndian.Uint32(value)})
		return true, nil
	})
	return all, err
}

// one returns the one tree of the database and its newest root; nil if there is no
// root yet.
func (l *Looked) one() (*tree, *view, error) {
	all, err := l.trees()
	if err != nil {
		return nil, nil, err
	}
	if len(all) != 1 {
		return nil, nil, fmt.Errorf("%w: %d trees, want one", ErrDamaged, len(all))
	}
	t, v := all[0], &view{}
	if v.bytes, err = l.store.get(t.rootKey()); err != nil || v.bytes == nil {
		return t, nil, err
	}
	if err := v.root.UnmarshalBinary(v.bytes); err != nil {
		return nil, nil, fmt.Errorf("%w: root: %w", ErrDamaged, err)
	}
	return t, v, nil
}

// Root returns size and root hash of the one tree of the database, as stored.
func (l *Looked) Root() (size int64, root [32]byte, nanos uint64, err error) {
	_, v, err := l.one()
	if err != nil || v == nil {
		return 0, root, 0, err
	}
	if len(v.root.RootHash) != hashSize {
		return 0, root, 0, fmt.Errorf("%w: root", ErrDamaged)
	}
	return int64(v.root.TreeSize), [32]byte(v.root.RootHash), v.root.TimestampNanos, nil
}

// Check reads everything: every block of every table, every leaf, whose hash is
// computed anew, every tile, and the rows by which leaves are found. It returns the
// tree that the leaves make; whole is false if some can't be read, and the tree is
// known only up to there. roots is called for each size, in order, with what
// computes the root of that size.
//
// What is broken is told to opt.Found; the error says why it could not be found
// out. It takes 8 bytes of memory for each leaf.
func (l *Looked) Check(ctx context.Context, opt CheckOptions, roots func(size int64, root func() [32]byte)) (size int64, root [32]byte, whole bool, err error) {
	found := opt.Found
	opt.Found = func(f Fault) {
		f.Reason, _, _ = strings.Cut(f.Reason, "\n") // Pebble goes on for some lines
		found(f)
	}
	t, v, damaged := l.one()
	if damaged != nil && !errors.Is(damaged, ErrDamaged) {
		return 0, root, false, damaged
	}
	holds := func(_, _ []byte) string { return "" }
	if t != nil {
		holds = t.holds
	}
	if err := tables.Check(ctx, l.store.dir, l.store.db, l.opt, holds, func(f tables.Fault) {
		reason := f.Reason
		if f.Holds != "" {
			reason += " (" + f.Holds + ")"
		}
		opt.Found(Fault{File: f.File, Reason: reason})
	}); err != nil {
		return 0, root, false, err
	}
	if damaged != nil {
		opt.Found(Fault{Reason: "its root can't be read: " + damaged.Error()})
		return 0, root, false, nil
	}
	if v == nil {
		return 0, root, true, nil
	}
	c := &treeCheck{t: t, opt: opt, size: int64(v.root.TreeSize), roots: roots}
	if err := c.run(ctx); err != nil {
		return 0, root, false, err
	}
	if c.whole {
		if root = c.root(); string(root[:]) != string(v.root.RootHash) {
			opt.Found(Fault{Reason: fmt.Sprintf("the root of its %d leaves is %x, stored is %x", c.size, root, v.root.RootHash)})
		}
	}
	return c.size, root, c.whole, nil
}

// holds says what is between two keys.
func (t *tree) holds(first, last []byte) string {
	p := t.prefix('L')
	switch {
	case string(last) < string(p) || string(first) >= string(prefixEnd(p)):
		return "no records in it, but what they are found by, or tiles"
	case len(first) == len(p)+8 && len(last) == len(p)+8 && string(first[:len(p)]) == string(p) && string(last[:len(p)]) == string(p):
		return fmt.Sprintf("it holds records from %d to %d", binary.BigEndian.Uint64(first[len(p):]), binary.BigEndian.Uint64(last[len(p):]))
	case len(first) == len(p)+8 && string(first[:len(p)]) == string(p):
		return fmt.Sprintf("it holds records from %d on", binary.BigEndian.Uint64(first[len(p):]))
	case len(last) == len(p)+8 && string(last[:len(p)]) == string(p):
		return fmt.Sprintf("it holds records up to %d, and what they are found by", binary.BigEndian.Uint64(last[len(p):]))
	}
	return "it holds records, what they are found by, and tiles"
}

// Backup makes a database in dir, which must not be there, that is as this one was
// at some time while Backup ran. Writes go on meanwhile. On one file system the
// tables are links to those of this database, which never change; on another they
// are copies.
func (s *Store) Backup(dir string) error {
	if err := s.db.Checkpoint(dir, pebble.WithFlushedWAL()); err != nil {
		return fmt.Errorf("copy %s: %w", s.dir, damage(err))
	}
	return nil
}
