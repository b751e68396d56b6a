package mirror

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/tile"
)

// The names in a folder beside its tiles.
const (
	checkpoint = "checkpoint"
	next       = ".next"
	pending    = ".pending"
	verified   = ".verified"
	witnessed  = ".witness" // of who serves the folder and cosigns
	temporary  = ".tmp"
	lockFile   = ".lock"
	tiles      = "tile"
)

// Whoever serves the folder may read it, whatever the umask of who copies.
const (
	fileMode = 0o644
	dirMode  = 0o755
)

// A folder is where the copy is, while it is locked. It is the verify.Source of
// the files that it has.
type folder struct {
	verify.Source
	dir         string
	lock        *os.File
	interrupted bool // a copy before this one did not end

	mu   sync.Mutex
	dirs map[string]bool // whose names are to be made durable
	made string          // the folder that was last made or found
}

// openFolder makes the folder if it is not there, and locks it. The error wraps
// ErrForeign if it is something else than a mirror or empty: nothing is written
// then.
func openFolder(dir string) (*folder, error) {
	f := &folder{Source: verify.DirSource(os.DirFS(dir)), dir: dir, dirs: map[string]bool{}}
	if !f.has(lockFile) { // nobody writes there
		if err := f.ours(); err != nil {
			return nil, err
		}
	}
	if err := f.makeDirs(dir); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(f.path(lockFile), os.O_RDWR|os.O_CREATE, fileMode)
	if err != nil {
		return nil, err
	}
	f.lock = lock
	switch err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); {
	case errors.Is(err, syscall.EWOULDBLOCK):
		return nil, errors.Join(fmt.Errorf("another docket-mirror is writing into %s: wait until it has ended", dir), f.close())
	case err != nil:
		return nil, errors.Join(fmt.Errorf("lock %s: %w", f.path(lockFile), err), f.close())
	}
	if err := f.ours(); err != nil {
		return nil, errors.Join(err, f.close())
	}
	f.interrupted = f.has(next) || f.has(pending)
	return f, nil
}

// close frees the lock.
func (f *folder) close() error { return f.lock.Close() }

// ours allows a folder with a checkpoint, which is judged elsewhere, an empty
// one, and what an interrupted first copy leaves.
func (f *folder) ours() error {
	if f.has(checkpoint) {
		return nil
	}
	list, err := os.ReadDir(f.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	allowed := []string{lockFile, temporary, next, pending, verified, witnessed, keptDir}
	if f.has(next) || f.has(pending) || f.has(verified) {
		allowed = append(allowed, tiles)
	}
	for _, e := range list {
		if !slices.Contains(allowed, e.Name()) {
			return fmt.Errorf("%w: it has %s and no checkpoint; name an empty folder", ErrForeign, f.path(e.Name()))
		}
	}
	return nil
}

func (f *folder) path(slashed string) string {
	return filepath.Join(f.dir, filepath.FromSlash(slashed))
}

func (f *folder) has(path string) bool {
	_, err := os.Lstat(f.path(path))
	return err == nil
}

// note returns a checkpoint of the folder, nil if there is none.
func (f *folder) note(name string) ([]byte, error) {
	b, err := f.ReadFile(context.Background(), name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return b, err
}

// begin notes durably what will be copied: what the log signed is not forgotten
// if the copy is interrupted. It removes what an interrupted one left without a
// name.
func (f *folder) begin(name string, note []byte) error {
	if err := os.RemoveAll(f.path(temporary)); err != nil {
		return err
	}
	if err := os.Mkdir(f.path(temporary), 0o700); err != nil {
		return err
	}
	if err := f.write(name, note); err != nil {
		return err
	}
	if f.interrupted { // names that it gave may not be durable yet
		if err := f.touchAll(); err != nil {
			return err
		}
	}
	return f.sync()
}

func (f *folder) touchAll() error {
	f.touched(filepath.Dir(f.dir))
	return filepath.WalkDir(f.dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && path != f.path(temporary) {
			f.touched(path)
		}
		return err
	})
}

// write gives a file its name once its bytes are on the disk. The name is
// durable after sync.
func (f *folder) write(path string, b []byte) error {
	name := f.path(path)
	if err := f.makeDirs(filepath.Dir(name)); err != nil {
		return err
	}
	t, err := os.CreateTemp(f.path(temporary), "*")
	if err != nil {
		return err
	}
	_, err = t.Write(b)
	err = errors.Join(err, t.Chmod(fileMode), t.Sync(), t.Close())
	if err == nil {
		err = os.Rename(t.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(t.Name()))
	}
	f.touched(filepath.Dir(name))
	return nil
}

// makeDirs makes the folders of a path that are not there.
func (f *folder) makeDirs(dir string) error {
	f.mu.Lock()
	known := f.made == dir
	f.mu.Unlock()
	if known {
		return nil
	}
	var made []string
	for d := dir; ; d = filepath.Dir(d) {
		if _, err := os.Lstat(d); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		made = append(made, d)
	}
	if len(made) == 0 { // or it is a file, which who writes into it is told
		f.mu.Lock()
		defer f.mu.Unlock()
		f.made = dir
		return nil
	}
	if err := os.MkdirAll(dir, dirMode); err != nil {
		return err
	}
	for _, d := range made {
		if err := os.Chmod(d, dirMode); err != nil {
			return err
		}
		f.touched(filepath.Dir(d))
	}
	return nil
}

func (f *folder) touched(dir string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dirs[dir] = true
}

// sync makes the names durable that were given since the last time, as far as
// the file system can.
func (f *folder) sync() error {
	for dir := range f.dirs {
		err := syncDir(dir)
		if err != nil && !errors.Is(err, fs.ErrPermission) && !errors.Is(err, syscall.EINVAL) {
			return err
		}
	}
	clear(f.dirs)
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// finish gives the folder a checkpoint whose files are all there, durably, and
// then removes what no reader needs any more.
func (f *folder) finish(signed verify.Signed, had held) error {
	if !bytes.Equal(had.note, signed.Note) {
		if err := f.keep(signed, had.note); err != nil {
			return err
		}
		if err := f.write(checkpoint, signed.Note); err != nil {
			return err
		}
		if err := f.sync(); err != nil {
			return err
		}
	}
	return f.whole(signed, had, next)
}

// whole notes durably that the files of a checkpoint are all there, and ends what
// begin has begun. What Ahead has brought beyond it stays known.
func (f *folder) whole(signed verify.Signed, had held, begun string) error {
	if err := f.tidy(had.verified.Checkpoint.Size, signed.Checkpoint.Size); err != nil {
		return err
	}
	if had.verified.Checkpoint.Size <= signed.Checkpoint.Size && !bytes.Equal(had.verified.Note, signed.Note) {
		if err := f.write(verified, signed.Note); err != nil {
			return err
		}
	}
	if err := f.sync(); err != nil {
		return err
	}
	if begun != pending && had.pending > 0 && had.pending <= signed.Checkpoint.Size {
		if err := os.Remove(f.path(pending)); err != nil {
			return err
		}
	}
	return errors.Join(os.Remove(f.path(begun)), os.Remove(f.path(temporary)))
}

// tidy removes the partial tiles of those that have become full. After a copy that
// was interrupted, or if nothing is known of the folder, it looks everywhere.
func (f *folder) tidy(known, size int64) error {
	var dirs []string
	if f.interrupted || known == 0 {
		err := filepath.WalkDir(f.path(tiles), func(path string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil // the empty log has none
			}
			if err == nil && d.IsDir() && strings.HasSuffix(path, ".p") {
				dirs = append(dirs, path)
			}
			return err
		})
		if err != nil {
			return err
		}
	} else {
		for id := range filled(known, size) {
			dirs = append(dirs, f.path(id.Path())+".p")
		}
	}
	for _, dir := range dirs {
		if err := f.removePartial(dir, size); err != nil {
			return err
		}
	}
	return nil
}

// removePartial removes the partial tiles in a folder of them if the tile is full
// in a tree of some size. It leaves alone what is not ours.
func (f *folder) removePartial(dir string, size int64) error {
	list, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	left := len(list)
	for _, e := range list {
		path := filepath.Join(dir, e.Name())
		name, err := filepath.Rel(f.dir, path)
		if err != nil {
			return err
		}
		id, err := tile.ParsePath(filepath.ToSlash(name))
		if err != nil || e.IsDir() || tile.Width(id.Level, id.N, size) < tile.FullWidth {
			continue
		}
		if err := os.Remove(path); err != nil {
			return err
		}
		left--
	}
	if left == 0 {
		return os.Remove(dir)
	}
	return nil
}
