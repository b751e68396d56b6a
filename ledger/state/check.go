package state

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/ledger/pebblestore/tables"
)

// ErrInUse is wrapped by the error of Check if another process, or this one, has
// the state open.
var ErrInUse = errors.New("the rules state is in use")

// Backup copies the state as it is at some time while Backup runs into dir, which
// must not be there; merges go on. See pebblestore.Store.Backup.
func (s *Store) Backup(dir string) error {
	if err := s.db.Checkpoint(dir, pebble.WithFlushedWAL()); err != nil {
		return fmt.Errorf("copy the rules state: %w", err)
	}
	return nil
}

// A Checked is what Check saw.
type Checked struct {
	// Size and Root are the cursor: how many records the state has seen, and
	// the root of their tree.
	Size int64
	Root tlog.Hash
	// Old says that the rows are of another version: the state will be made
	// anew.
	Old bool
}

// Check reads every block of every table of the state in dir, and the cursor. It
// writes nothing. What is broken, by the name of its file or "", is told to found;
// the error says why it could not be found out.
func Check(ctx context.Context, dir string, found func(file, reason string)) (Checked, error) {
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return Checked{}, err
	}
	opts := options(Config{FS: vfs.Default})
	quiet := pebble.MakeLoggingEventListener(logger{})
	quiet.DataCorruption = func(pebble.DataCorruptionInfo) {} // the default ends the process
	opts.EventListener = &quiet
	tell := func(f tables.Fault) {
		first, _, _ := strings.Cut(f.Reason, "\n") // Pebble goes on for some lines
		found(f.File, first)
	}
	db, err := tables.Open(dir, opts)
	switch {
	case errors.Is(err, tables.ErrInUse):
		return Checked{}, fmt.Errorf("%w: %w", ErrInUse, err)
	case err != nil:
		tell(tables.Fault{Reason: "it can't be opened: " + err.Error()})
		return Checked{}, tables.All(dir, opts, tell)
	}
	c, err := check(ctx, dir, db, opts, tell)
	return c, errors.Join(err, db.Close())
}

func check(ctx context.Context, dir string, db *pebble.DB, opts *pebble.Options, tell func(tables.Fault)) (c Checked, err error) {
	if err := tables.Check(ctx, dir, db, opts, nil, tell); err != nil {
		return c, err
	}
	get := func(key string) ([]byte, error) { return read(db, key) }
	made, err := get("v")
	if err != nil {
		tell(tables.Fault{Reason: err.Error()})
		return c, nil
	}
	c.Old = string(made) != version
	if c.Size, c.Root, err = cursor(get); err != nil {
		tell(tables.Fault{Reason: err.Error()})
	}
	return c, nil
}
