// Package tables opens a Pebble database to look at it, and checks the files
// that it consists of. It writes nothing but the lock file.
package tables

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// ErrInUse is wrapped by the error of Open if another process, or this one, has
// the database open.
var ErrInUse = errors.New("the database is in use")

// A Fault is something that is broken.
type Fault struct {
	File   string // name of the file in the directory, "" if it is not known
	Holds  string // what the file holds, "" if that is not known
	Reason string
}

// Open opens the database in opt.FS below dir for reading. It need not be on a
// file system that can be written to. opt is changed.
func Open(dir string, opt *pebble.Options) (*pebble.DB, error) {
	opt.FS = lookFS{opt.FS}
	opt.ReadOnly, opt.ErrorIfNotExists = true, true
	lock, err := pebble.LockDirectory(dir, opt.FS)
	if err != nil {
		var noFile *fs.PathError
		if errors.As(err, &noFile) {
			return nil, err
		}
		return nil, fmt.Errorf("%w: %s: %w", ErrInUse, dir, err)
	}
	opt.Lock = lock
	db, err := pebble.Open(dir, opt)
	// The lock is referred to twice while the database is open.
	return db, errors.Join(err, lock.Close())
}

// lookFS is a file system on which nothing can be locked where nothing can be
// written: nobody writes there then.
type lookFS struct{ vfs.FS }

// Lock implements vfs.FS.
func (l lookFS) Lock(name string) (io.Closer, error) {
	c, err := l.FS.Lock(name)
	var noFile *fs.PathError
	if errors.As(err, &noFile) && (errors.Is(err, fs.ErrPermission) || readOnly(err)) {
		return io.NopCloser(nil), nil
	}
	return c, err
}

// Unwrap implements vfs.FS.
func (l lookFS) Unwrap() vfs.FS { return l.FS }

// Check reads every block of every table of a database that Open has opened with
// opt, and the order of all its rows, and calls found for what is broken. holds,
// if set, says what a table from one key to another holds. The error says why it
// could not be found out.
func Check(ctx context.Context, dir string, db *pebble.DB, opt *pebble.Options, holds func(first, last []byte) string, found func(Fault)) error {
	levels, err := db.SSTables()
	if err != nil {
		return err
	}
	whole := true
	seen := map[string]bool{}
	for _, t := range slices.Concat(levels...) {
		if err := ctx.Err(); err != nil {
			return err
		}
		name := fmt.Sprintf("%06d.sst", uint64(t.BackingSSTNum))
		if seen[name] {
			continue
		}
		seen[name] = true
		err := Blocks(opt, opt.FS.PathJoin(dir, name))
		if err == nil {
			continue
		}
		whole = false
		f := Fault{File: name, Reason: err.Error()}
		if holds != nil {
			f.Holds = holds(t.Smallest.UserKey, t.Largest.UserKey)
		}
		found(f)
	}
	if !whole {
		return nil // the order of rows can't be read
	}
	if err := db.CheckLevels(nil); err != nil {
		found(Fault{Reason: "the order of its rows is broken: " + err.Error()})
	}
	return nil
}

// Blocks reads every block of a table.
func Blocks(opt *pebble.Options, path string) (err error) {
	defer func() { // Pebble takes some damage for a mistake of its own
		if r := recover(); r != nil {
			err = fmt.Errorf("its blocks can't be read: %v", r)
		}
	}()
	f, err := opt.FS.Open(path)
	if err != nil {
		return err
	}
	readable, err := sstable.NewSimpleReadable(f)
	if err != nil {
		return errors.Join(err, f.Close())
	}
	r, err := sstable.NewReader(context.Background(), readable, opt.MakeReaderOptions())
	if err != nil {
		return err // it has closed the file
	}
	return errors.Join(r.ValidateBlockChecksums(), r.Close())
}

// All checks the blocks of all tables of a directory, for a database that can't be
// opened.
func All(dir string, opt *pebble.Options, found func(Fault)) error {
	names, err := opt.FS.List(dir)
	if err != nil {
		return err
	}
	slices.Sort(names)
	for _, name := range names {
		if !strings.HasSuffix(name, ".sst") {
			continue
		}
		if err := Blocks(opt, opt.FS.PathJoin(dir, name)); err != nil {
			found(Fault{File: name, Reason: err.Error()})
		}
	}
	return nil
}
