// Package mirror copies a log into a folder, as the static files of
// c2sp.org/tlog-tiles, so that any web server can serve it and docket-verify
// audit it.
//
// A file gets its final name only once it was hashed to the root of a
// checkpoint that the trust policy accepts, and the checkpoint comes last: at
// every moment the folder has no checkpoint or is the whole log of the one it
// has. What is there is kept, a copy that is interrupted goes on where it was. A
// log that is not what the folder's checkpoint has grown to is evidence, and
// changes nothing.
//
// Beside the files of the log the folder has
//
//	.lock   held by who writes
//	.next   the checkpoint of a copy under way, until that is whole
//	.tmp    files that have no name yet
package mirror

import (
	"context"
	"errors"
	"fmt"

	"github.com/docket-ledger/docket/verify"
)

// Config is read by Sync.
type Config struct {
	// Source is the log. Required. Patient makes one that asks again.
	Source verify.Source
	// Policies say which checkpoints count, one for each epoch of the log's
	// keys, the oldest first. Required.
	Policies verify.Policies
	// Dir is the folder; it is made if it is not there. Required.
	Dir string
	// Parallel is how many files are fetched at once. Default 8, at most 64.
	Parallel int
	// Progress, if set, is called with how many files of the log are there,
	// of how many, and how many of them were fetched; by several goroutines.
	Progress func(done, of, fetched int64)
}

// A Result says what Sync did.
type Result struct {
	Signed  verify.Signed // the checkpoint that the folder now has
	Before  int64         // how many entries the folder had
	Files   int64         // of the log
	Fetched int64         // that were not there
}

// The errors of Sync that say something about the log or the folder. Both leave
// the folder as it was.
var (
	// ErrSmaller says that the log has fewer entries than it showed before:
	// it was set back, or this is an old copy of it.
	ErrSmaller = errors.New("the log is smaller than it was")
	// ErrForeign says that the folder holds something else than a mirror of
	// this log.
	ErrForeign = errors.New("the folder is no mirror of this log")
)

// A ContradictionError says that the log shows a checkpoint which does not go
// with one that it signed before. It wraps *verify.ForkError, which proves it,
// ErrSmaller, or *verify.FileError: then the files that would prove it are not
// those of the checkpoint.
type ContradictionError struct {
	Before, Now []byte // what the folder has and what the log shows, as signed
	err         error
}

func (e *ContradictionError) Error() string { return e.err.Error() }
func (e *ContradictionError) Unwrap() error { return e.err }

// Sync copies what is new. The error wraps *ContradictionError, *verify.FileError
// or *verify.EntryError if the log proves itself false; ErrForeign;
// verify.ErrCheckpoint; or it is one of the source or of the disk. Whatever it
// is, the folder has the checkpoint that it had, and all files of it. Sync may be
// called again.
func Sync(ctx context.Context, cfg Config) (*Result, error) {
	if cfg.Parallel == 0 {
		cfg.Parallel = 8
	}
	if cfg.Source == nil || len(cfg.Policies) == 0 || cfg.Dir == "" || cfg.Parallel < 1 || cfg.Parallel > 64 {
		return nil, errors.New("mirror: Source, Policies or Dir is missing, or Parallel is not 1 to 64")
	}
	signed, err := cfg.head(ctx)
	if err != nil {
		return nil, err
	}
	f, err := openFolder(cfg.Dir)
	if err != nil {
		return nil, err
	}
	defer f.close()
	before, err := cfg.compare(ctx, f, signed)
	if errors.Is(err, ErrSmaller) {
		// Another Sync may have had the folder since head was asked.
		if signed, err = cfg.head(ctx); err != nil {
			return nil, err
		}
		before, err = cfg.compare(ctx, f, signed)
	}
	if err != nil {
		return nil, err
	}
	if err := f.begin(signed.Note); err != nil {
		return nil, err
	}
	c := newCopier(cfg, f, signed)
	if err := c.run(ctx); err != nil {
		return nil, err
	}
	if err := f.finish(signed); err != nil {
		return nil, err
	}
	return &Result{Signed: signed, Before: before, Files: c.total, Fetched: c.fetched}, nil
}

// head asks for the newest checkpoint.
func (cfg Config) head(ctx context.Context) (verify.Signed, error) {
	note, err := cfg.Source.ReadFile(ctx, checkpoint)
	if err != nil {
		return verify.Signed{}, fmt.Errorf("read the checkpoint: %w", err)
	}
	signed, err := cfg.Policies.Open(note)
	if err != nil {
		return verify.Signed{}, fmt.Errorf("%w: %w", verify.ErrCheckpoint, err)
	}
	return signed, nil
}

// compare holds the log to the checkpoints that the folder has: that of its
// files and that of a copy which was interrupted. It returns how many entries
// the folder has. That the witnesses of an earlier checkpoint would not suffice
// today changes nothing: the log signed it.
func (cfg Config) compare(ctx context.Context, f *folder, signed verify.Signed) (before int64, err error) {
	now := signed.Checkpoint
	for _, name := range []string{checkpoint, next} {
		note, err := f.note(name)
		if err != nil {
			return 0, err
		}
		if note == nil {
			continue
		}
		held, err := cfg.Policies.Held(note)
		if err != nil {
			return 0, fmt.Errorf("%w, %s: its %s: %w", ErrForeign, now.Origin, name, err)
		}
		old := held[0]
		if old.Checkpoint.Origin != now.Origin {
			return 0, fmt.Errorf("%w, %s: it is one of %s", ErrForeign, now.Origin, old.Checkpoint.Origin)
		}
		if err := extends(ctx, signed, old, cfg.Source); err != nil {
			return 0, err
		}
		if name == checkpoint {
			before = old.Checkpoint.Size
		}
	}
	return before, nil
}

// extends checks that signed is what old has grown to.
func extends(ctx context.Context, signed, old verify.Signed, src verify.Source) error {
	contradiction := func(err error) error { return &ContradictionError{Before: old.Note, Now: signed.Note, err: err} }
	if old.Checkpoint.Size > signed.Checkpoint.Size {
		return contradiction(fmt.Errorf("%w: it shows %d entries, and showed %d before", ErrSmaller, signed.Checkpoint.Size, old.Checkpoint.Size))
	}
	err := signed.Tree(src).ExtendsSigned(ctx, old)
	var fork *verify.ForkError
	var file *verify.FileError
	if errors.As(err, &fork) || errors.As(err, &file) {
		return contradiction(err)
	}
	return err
}
