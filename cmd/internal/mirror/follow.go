package mirror

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"github.com/docket-ledger/docket/verify"
)

// A Follower keeps a folder up to date. Its methods may be used concurrently: one
// after the other has the folder.
type Follower struct {
	cfg Config
	mu  sync.Mutex
}

// NewFollower returns a Follower; Config.Check counts for the first Sync only.
func NewFollower(cfg Config) (*Follower, error) {
	cfg, err := cfg.checked()
	return &Follower{cfg: cfg}, err
}

// Sync copies what is new, as the function of that name.
func (f *Follower) Sync(ctx context.Context) (*Result, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	res, err := Sync(ctx, f.cfg)
	if err == nil {
		f.cfg.Check = false
	}
	return res, err
}

// Ahead copies the files of the tree of a checkpoint that the log has signed,
// before the log shows it: for a witness, who vouches only for what it has. The
// checkpoint of the folder stays. It returns nil once all these files are there,
// durably; errors are those of Sync. The signed checkpoint may be smaller than what
// the folder has; then it must be a part of it.
func (f *Follower) Ahead(ctx context.Context, signed verify.Signed) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	cfg := f.cfg
	cfg.Check, cfg.Progress = false, nil
	dir, err := openFolder(cfg.Dir)
	if err != nil {
		return err
	}
	defer dir.close()
	had, err := cfg.compare(ctx, dir, signed, true)
	if err != nil {
		return err
	}
	if had.verified.Note != nil && had.verified.Checkpoint.Size >= signed.Checkpoint.Size {
		return nil
	}
	if err := dir.begin(pending, signed.Note); err != nil {
		return err
	}
	if _, err := cfg.bring(ctx, dir, signed, had); err != nil {
		return err
	}
	return dir.whole(signed, had, pending)
}

// The longest pause of Run after failures.
const maxFollowPause = 10 * time.Minute

// Run copies what is new again and again, with a pause in between, until ctx ends,
// and then returns nil. It tells each result and each failure, with the pause until
// it tries again, which grows while failures follow each other. What will not be
// otherwise the next time ends it with that error: a log that has signed two
// histories, a folder of something else, and before the first success a checkpoint
// that the policy does not take (but for one that witnesses have still to cosign).
func (f *Follower) Run(ctx context.Context, every time.Duration, told func(res *Result, err error, pause time.Duration)) error {
	pause, once := every, false
	for {
		res, err := f.Sync(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err == nil:
			pause, once = every, true
		case final(err) || !once && errors.Is(err, verify.ErrCheckpoint) && !errors.Is(err, verify.ErrQuorum):
			return err
		default:
			pause = min(2*pause, max(every, maxFollowPause))
		}
		told(res, err, pause)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause - rand.N(pause/8+1)):
		}
	}
}

func final(err error) bool {
	var fork *verify.ForkError
	return errors.As(err, &fork) || errors.Is(err, ErrForeign)
}

// Has returns nil if a folder has all files of the tree of a checkpoint that the
// log has signed, as far as they were checked when they were written. It wraps
// ErrAhead if it has fewer, and *ContradictionError if it has others. Somebody else
// may write into the folder meanwhile.
func Has(ctx context.Context, dir string, policies verify.Policies, signed verify.Signed) error {
	src := verify.DirSource(os.DirFS(dir))
	note, err := src.ReadFile(ctx, verified)
	if errors.Is(err, fs.ErrNotExist) {
		return ErrAhead
	}
	if err != nil {
		return err
	}
	held, err := policies.Held(note)
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", verified, err)
	case held[0].Checkpoint.Size < signed.Checkpoint.Size:
		return fmt.Errorf("%w: %d entries of %d", ErrAhead, held[0].Checkpoint.Size, signed.Checkpoint.Size)
	}
	return within(ctx, signed, held[0], src)
}

// ErrAhead says that a checkpoint is of more than what was copied.
var ErrAhead = errors.New("the copy is not that far")
