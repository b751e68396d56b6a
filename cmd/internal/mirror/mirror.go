// Package mirror copies a log into a folder, as the static files of
// c2sp.org/tlog-tiles, so that any web server can serve it and docket-verify
// audit it.
//
// A file gets its final name only once it was hashed to the root of a
// checkpoint that the trust policy accepts, and the checkpoint comes last: at
// every moment the folder is either empty or a whole log, and what is there is
// kept. A copy that is interrupted goes on where it was. A log that is not what
// the folder's checkpoint has grown to is evidence, and changes nothing.
package mirror

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/docket-ledger/docket/api/problem"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/tile"
)

// Config is read by Sync.
type Config struct {
	// Source is the log. Required.
	Source verify.Source
	// Policies say which checkpoints count, one for each epoch of the log's
	// keys. Required.
	Policies []*verify.Policy
	// Dir is the folder; it is made if it is not there. Required.
	Dir string
	// Parallel is how many files are fetched at once. Default 8, at most 64.
	Parallel int
	// Progress, if set, is called with how many files of the log are there,
	// of how many, and how many of them were fetched.
	Progress func(done, of, fetched int64)
}

// A Result says what Sync did.
type Result struct {
	Signed  verify.Signed // the checkpoint that the folder now has
	Files   int64         // of the log
	Fetched int64         // that were not there
}

// The errors of Sync that say something about the log. Both leave the folder as
// it was.
var (
	// ErrSmaller says that the log has fewer entries than the folder: it was
	// set back, or this is an old copy of it.
	ErrSmaller = errors.New("the log is smaller than this mirror of it")
	// ErrForeign says that the folder holds something else than a mirror of
	// this log.
	ErrForeign = errors.New("the folder is no mirror of this log")
)

// Sync copies what is new. The error wraps *verify.ForkError, *verify.FileError or
// *verify.EntryError if the log proves itself false, ErrSmaller, ErrForeign,
// verify.ErrCheckpoint, or is one of the source or of the disk.
func Sync(ctx context.Context, cfg Config) (*Result, error) {
	if cfg.Parallel == 0 {
		cfg.Parallel = 8
	}
	if cfg.Source == nil || len(cfg.Policies) == 0 || cfg.Dir == "" || cfg.Parallel < 1 || cfg.Parallel > 64 {
		return nil, errors.New("mirror: Source, Policies or Dir is missing, or Parallel is not 1 to 64")
	}
	note, err := patiently(ctx, func() ([]byte, error) { return cfg.Source.ReadFile(ctx, "checkpoint") })
	if err != nil {
		return nil, fmt.Errorf("read the checkpoint: %w", err)
	}
	signed, err := open(cfg.Policies, note)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", verify.ErrCheckpoint, err)
	}
	if err := os.MkdirAll(cfg.Dir, 0o755); err != nil {
		return nil, err
	}
	unlock, err := lock(cfg.Dir)
	if err != nil {
		return nil, err
	}
	defer unlock()
	// What an interrupted copy left without a name is of no use.
	if err := os.RemoveAll(filepath.Join(cfg.Dir, temporary)); err != nil {
		return nil, err
	}
	if err := os.Mkdir(filepath.Join(cfg.Dir, temporary), 0o700); err != nil {
		return nil, err
	}
	c := &copier{cfg: cfg, signed: signed, local: verify.DirSource(os.DirFS(cfg.Dir)), bad: map[string]bool{}, dirs: map[string]bool{}}
	old, err := c.compare(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.fetchAll(ctx); err != nil {
		return nil, err
	}
	if err := c.finish(old); err != nil {
		return nil, err
	}
	return &Result{Signed: signed, Files: c.total, Fetched: c.fetched.Load()}, nil
}

func open(policies []*verify.Policy, note []byte) (signed verify.Signed, err error) {
	for _, p := range policies {
		if signed, err = p.Open(note); err == nil || !errors.Is(err, verify.ErrUnknownLog) {
			return signed, err
		}
	}
	return signed, err
}

// lock keeps others from writing into the folder.
func lock(dir string) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(dir, ".lock"), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("another docket-mirror is writing into %s: %w", dir, err), f.Close())
	}
	return func() { f.Close() }, nil // which frees the lock
}

// A copier copies one tree.
type copier struct {
	cfg     Config
	signed  verify.Signed
	local   verify.Source
	total   int64
	done    atomic.Int64
	fetched atomic.Int64

	mu   sync.Mutex
	bad  map[string]bool // local files that are not those of the tree
	dirs map[string]bool // that have to be synced
}

// compare holds the log to the checkpoint that the folder has; nil if it has
// none.
func (c *copier) compare(ctx context.Context) (*verify.Signed, error) {
	note, err := c.local.ReadFile(ctx, "checkpoint")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, c.mustBeEmpty()
	}
	if err != nil {
		return nil, err
	}
	old, err := open(c.cfg.Policies, note)
	if err != nil || old.Checkpoint.Origin != c.signed.Checkpoint.Origin {
		return nil, fmt.Errorf("%w: the checkpoint in %s does not hold under the trust policy for %s", ErrForeign, c.cfg.Dir, c.signed.Checkpoint.Origin)
	}
	if old.Checkpoint.Size > c.signed.Checkpoint.Size {
		return nil, fmt.Errorf("%w: %d entries, the mirror has %d", ErrSmaller, c.signed.Checkpoint.Size, old.Checkpoint.Size)
	}
	_, err = patiently(ctx, func() (struct{}, error) {
		return struct{}{}, c.signed.Tree(c.cfg.Source).ExtendsSigned(ctx, old)
	})
	return &old, err
}

// mustBeEmpty allows what an interrupted copy leaves.
func (c *copier) mustBeEmpty() error {
	list, err := os.ReadDir(c.cfg.Dir)
	if err != nil {
		return err
	}
	for _, e := range list {
		if name := e.Name(); !slices.Contains([]string{"tile", ".lock", temporary}, name) {
			return fmt.Errorf("%w: it has %s and no checkpoint; name an empty folder", ErrForeign, filepath.Join(c.cfg.Dir, name))
		}
	}
	return nil
}

// ReadFile implements verify.Source: what is in the folder, unless it was found
// to be bad, else what the log has.
func (c *copier) ReadFile(ctx context.Context, path string) ([]byte, error) {
	c.mu.Lock()
	bad := c.bad[path]
	c.mu.Unlock()
	if !bad {
		if b, err := c.local.ReadFile(ctx, path); err == nil {
			return b, nil
		}
	}
	return patiently(ctx, func() ([]byte, error) { return c.cfg.Source.ReadFile(ctx, path) })
}

// fetchAll brings every file of the tree into the folder.
func (c *copier) fetchAll(ctx context.Context) error {
	size := c.signed.Checkpoint.Size
	for range tile.All(size) {
		c.total++
	}
	tree := c.signed.Tree(c)
	for {
		err := c.fetchOnce(ctx, tree)
		again := c.distrust(err)
		if !again {
			return err
		}
		tree = c.signed.Tree(c) // without what the local files made of it
	}
}

func (c *copier) fetchOnce(ctx context.Context, tree *verify.Tree) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	c.done.Store(0)
	ids := make(chan tile.ID)
	var wg sync.WaitGroup
	for range c.cfg.Parallel {
		wg.Go(func() {
			for id := range ids {
				if err := c.file(ctx, tree, id); err != nil {
					cancel(err)
					return
				}
			}
		})
	}
	for id := range tile.All(c.signed.Checkpoint.Size) {
		select {
		case ids <- id:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
	}
	close(ids)
	wg.Wait()
	return context.Cause(ctx)
}

// file checks one file and writes it if the folder does not have it.
func (c *copier) file(ctx context.Context, tree *verify.Tree, id tile.ID) error {
	b, err := tree.File(ctx, id)
	if err != nil {
		return err
	}
	have, err := c.local.ReadFile(ctx, id.Path())
	if err != nil || string(have) != string(b) {
		if err := c.write(id.Path(), b); err != nil {
			return err
		}
		c.fetched.Add(1)
	}
	n := c.done.Add(1)
	if c.cfg.Progress != nil {
		c.cfg.Progress(n, c.total, c.fetched.Load())
	}
	return nil
}

// distrust notes which local files an error of the tree is about. It reports
// whether there are any that were trusted so far: then the log itself may be
// right.
func (c *copier) distrust(err error) bool {
	var file *verify.FileError
	var entry *verify.EntryError
	var paths []string
	switch {
	case errors.As(err, &entry):
		paths = []string{entry.Path}
	case errors.As(err, &file):
		paths = strings.Split(file.Path, ", ")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	found := false
	for _, path := range paths {
		if _, err := os.Stat(filepath.Join(c.cfg.Dir, filepath.FromSlash(path))); err == nil && !c.bad[path] {
			c.bad[path], found = true, true
		}
	}
	return found
}

// temporary is the folder of files that have no name yet.
const temporary = ".tmp"

// write gives a file its name once its bytes are on the disk.
func (c *copier) write(path string, b []byte) error {
	name := filepath.Join(c.cfg.Dir, filepath.FromSlash(path))
	dir := filepath.Dir(name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Join(c.cfg.Dir, temporary), "*")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for ; len(dir) >= len(filepath.Clean(c.cfg.Dir)) && !c.dirs[dir]; dir = filepath.Dir(dir) {
		c.dirs[dir] = true
	}
	return nil
}

// finish makes the names durable, then writes the checkpoint, then removes what
// only the tree before needed.
func (c *copier) finish(old *verify.Signed) error {
	for dir := range c.dirs {
		if err := syncDir(dir); err != nil {
			return err
		}
	}
	if err := c.write("checkpoint", c.signed.Note); err != nil {
		return err
	}
	if err := syncDir(c.cfg.Dir); err != nil {
		return err
	}
	sizes := []int64{c.signed.Checkpoint.Size}
	if old != nil {
		sizes = append(sizes, old.Checkpoint.Size)
	}
	for _, size := range sizes {
		if err := c.tidy(size); err != nil {
			return err
		}
	}
	return os.Remove(filepath.Join(c.cfg.Dir, temporary))
}

// tidy removes partial tiles at the right edge of a tree that the tree of the
// folder does not have.
func (c *copier) tidy(size int64) error {
	for level := tile.Entries; level == tile.Entries || size>>(tile.Height*level) > 0; level++ {
		n := size >> tile.Height
		if level > 0 {
			n = size >> (tile.Height * (level + 1))
		}
		full := tile.ID{Level: level, N: n, Width: tile.FullWidth}
		dir := filepath.Join(c.cfg.Dir, filepath.FromSlash(full.Path())+".p")
		list, err := os.ReadDir(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		keep := strconv.Itoa(tile.Width(level, n, c.signed.Checkpoint.Size))
		empty := true
		for _, e := range list {
			if e.Name() == keep {
				empty = false
			} else if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
		if empty {
			if err := os.Remove(dir); err != nil {
				return err
			}
		}
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// tries is how often a file is asked for.
const tries = 5

// patiently does what may be done again, a few times with longer and longer
// pauses, unless the error says something about the log.
func patiently[T any](ctx context.Context, do func() (T, error)) (T, error) {
	pause := 200 * time.Millisecond
	for try := 1; ; try++ {
		v, err := do()
		if err == nil || try == tries || lasting(err) || ctx.Err() != nil {
			return v, err
		}
		wait := pause
		var p *problem.Problem
		if errors.As(err, &p) {
			wait = max(wait, min(p.RetryAfter, time.Minute))
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return v, ctx.Err()
		}
		pause *= 2
	}
}

// lasting reports whether an error will be the same the next time.
func lasting(err error) bool {
	var fork *verify.ForkError
	var file *verify.FileError
	var entry *verify.EntryError
	var p *problem.Problem
	if errors.As(err, &p) && p.Status < 500 && p.Status != http.StatusTooManyRequests {
		return true
	}
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, verify.ErrOrigin) ||
		errors.As(err, &fork) || errors.As(err, &file) || errors.As(err, &entry)
}
