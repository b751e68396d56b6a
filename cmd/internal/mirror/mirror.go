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
// A copy reads only what is new: that the signed tree extends the one whose files
// were all checked when they were written, is proven first. Config.Check reads
// everything again. Partial tiles stay until the tile is full, for those who read
// the log at an earlier checkpoint.
//
// Beside the files of the log the folder has
//
//	.lock        held by who writes
//	.next        the checkpoint of a copy under way, until that is whole
//	.pending     the same of Ahead
//	.verified    the checkpoint whose files are all there and were checked
//	.tmp         files that have no name yet
//	checkpoints  those with cosignatures that were met, by size
package mirror

import (
	"bytes"
	"cmp"
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
	// Check reads and hashes again what the folder has, and mends it.
	Check bool
	// Parallel is how many files are fetched at once. Default 8, at most 64.
	Parallel int
	// Progress, if set, is called with how many of the files that are to be
	// checked were, of how many, and how many of them were fetched; by several
	// goroutines.
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

// checked fills in what is not set.
func (cfg Config) checked() (Config, error) {
	cfg.Parallel = cmp.Or(cfg.Parallel, 8)
	if cfg.Source == nil || len(cfg.Policies) == 0 || cfg.Dir == "" || cfg.Parallel < 1 || cfg.Parallel > 64 {
		return cfg, errors.New("mirror: Source, Policies or Dir is missing, or Parallel is not 1 to 64")
	}
	return cfg, nil
}

// Sync copies what is new. The error wraps *ContradictionError, *verify.FileError
// or *verify.EntryError if the log proves itself false; ErrForeign;
// verify.ErrCheckpoint; or it is one of the source or of the disk. Whatever it
// is, the folder has the checkpoint that it had, and all files of it. Sync may be
// called again.
func Sync(ctx context.Context, cfg Config) (*Result, error) {
	cfg, err := cfg.checked()
	if err != nil {
		return nil, err
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
	had, err := cfg.compare(ctx, f, signed, false)
	if errors.Is(err, ErrSmaller) {
		// Another Sync may have had the folder since head was asked.
		if signed, err = cfg.head(ctx); err != nil {
			return nil, err
		}
		had, err = cfg.compare(ctx, f, signed, false)
	}
	if err != nil {
		return nil, err
	}
	res := &Result{Signed: signed, Before: had.size, Files: files(signed.Checkpoint.Size)}
	if !cfg.Check && !f.interrupted && bytes.Equal(had.note, signed.Note) && bytes.Equal(had.verified.Note, signed.Note) {
		return res, nil
	}
	if err := f.begin(next, signed.Note); err != nil {
		return nil, err
	}
	if res.Fetched, err = cfg.bring(ctx, f, signed, had); err != nil {
		return nil, err
	}
	return res, f.finish(signed, had)
}

// bring copies the files of the tree of a checkpoint that are not known to be
// there. It returns how many it fetched, once their names are durable.
func (cfg Config) bring(ctx context.Context, f *folder, signed verify.Signed, had held) (fetched int64, err error) {
	known := had.verified.Checkpoint.Size
	if cfg.Check {
		known = 0
	}
	c := newCopier(cfg, f, signed, known)
	if err := c.run(ctx); err != nil {
		return 0, err
	}
	return c.fetched, f.sync()
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

// held is what a folder has.
type held struct {
	note     []byte        // its checkpoint, nil if there is none
	size     int64         // of that
	verified verify.Signed // whose files are all there, the zero one if that is not known
	pending  int64         // the size of what Ahead was interrupted in, 0 if it was not
}

// compare holds the log to the checkpoints that the folder has: that of its
// files and that of a copy which was interrupted. That the witnesses of an
// earlier checkpoint would not suffice today changes nothing: the log signed it.
//
// What the folder has by Ahead may be larger than what the log shows, which lags
// behind what it signs; then that must extend signed. With ahead, so may all.
func (cfg Config) compare(ctx context.Context, f *folder, signed verify.Signed, ahead bool) (had held, err error) {
	now := signed.Checkpoint
	for _, name := range []string{checkpoint, next, verified, pending} {
		note, err := f.note(name)
		if err != nil {
			return held{}, err
		}
		if note == nil {
			continue
		}
		opened, err := cfg.Policies.Held(note)
		if err != nil && name == verified {
			continue // damaged, so nothing is known
		}
		if err != nil {
			return held{}, fmt.Errorf("%w, %s: its %s: %w", ErrForeign, now.Origin, name, err)
		}
		old := opened[0]
		if old.Checkpoint.Origin != now.Origin {
			return held{}, fmt.Errorf("%w, %s: it is one of %s", ErrForeign, now.Origin, old.Checkpoint.Origin)
		}
		if old.Checkpoint.Size > now.Size && (ahead || name == verified || name == pending) {
			err = within(ctx, signed, old, either{f, cfg.Source})
		} else {
			err = extends(ctx, signed, old, cfg.Source, f)
		}
		if err != nil {
			return held{}, err
		}
		switch name {
		case checkpoint:
			had.note, had.size = note, old.Checkpoint.Size
		case verified:
			had.verified = old
		case pending:
			had.pending = old.Checkpoint.Size
		}
	}
	return had, nil
}

// within checks that larger is what signed grows to.
func within(ctx context.Context, signed, larger verify.Signed, src verify.Source) error {
	err := larger.Tree(src).ExtendsSigned(ctx, signed)
	var fork *verify.ForkError
	if errors.As(err, &fork) {
		return &ContradictionError{Before: larger.Note, Now: signed.Note, err: err}
	}
	if err != nil {
		return fmt.Errorf("the log has signed %d entries and shows %d; whether they go together is not known: %w", larger.Checkpoint.Size, signed.Checkpoint.Size, err)
	}
	return nil
}

// either is what one source has, or else the other.
type either struct{ first, second verify.Source }

func (e either) ReadFile(ctx context.Context, path string) ([]byte, error) {
	if b, err := e.first.ReadFile(ctx, path); err == nil {
		return b, nil
	}
	return e.second.ReadFile(ctx, path)
}

// extends checks that signed is what old has grown to. If it is smaller, what own
// has of the old tree may prove that it is not even its beginning.
func extends(ctx context.Context, signed, old verify.Signed, src, own verify.Source) error {
	contradiction := func(err error) error { return &ContradictionError{Before: old.Note, Now: signed.Note, err: err} }
	var fork *verify.ForkError
	if old.Checkpoint.Size > signed.Checkpoint.Size {
		if errors.As(old.Tree(own).ExtendsSigned(ctx, signed), &fork) {
			return contradiction(fork)
		}
		return contradiction(fmt.Errorf("%w: it shows %d entries, and showed %d before", ErrSmaller, signed.Checkpoint.Size, old.Checkpoint.Size))
	}
	err := signed.Tree(src).ExtendsSigned(ctx, old)
	var file *verify.FileError
	if errors.As(err, &fork) || errors.As(err, &file) {
		return contradiction(err)
	}
	return err
}
