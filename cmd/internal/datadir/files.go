package datadir

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// A Place is where a directory is made that appears whole, under its name, or not
// at all: it is made under another name beside it. Nobody else makes one in the
// same folder meanwhile.
type Place struct {
	// Partial is the directory while it is made. It is not there yet.
	Partial string

	final  string
	parent *os.File // locked
}

// NewPlace prepares a directory, which must not be there, or be empty. What an
// interrupted one left under the other name is removed. The error wraps fs.ErrExist
// if something is there.
func NewPlace(dir string) (*Place, error) {
	final, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := vacant(final); err != nil {
		return nil, err
	}
	parent, err := os.Open(filepath.Dir(final))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the folder %s is not there: make it first: %w", filepath.Dir(final), err)
	}
	if err != nil {
		return nil, err
	}
	p := &Place{Partial: final + ".partial", final: final, parent: parent}
	if err := syscall.Flock(int(parent.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("another docketd is writing into %s: wait until it has ended: %w", parent.Name(), err), parent.Close())
	}
	if err := p.clear(); err != nil {
		return nil, errors.Join(err, parent.Close())
	}
	return p, nil
}

// vacant allows what is not there, and an empty folder.
func vacant(dir string) error {
	list, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("%s is a file: name a folder that is not there, or is empty: %w", dir, fs.ErrExist)
	case err != nil:
		return err
	case len(list) > 0:
		return fmt.Errorf("%s has something in it (%s): name a folder that is not there, or is empty: %w", dir, list[0].Name(), fs.ErrExist)
	}
	return nil
}

// clear removes what an interrupted run left.
func (p *Place) clear() error {
	if _, err := os.Lstat(p.Partial); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, mark := range marks {
		if _, err := os.Lstat(filepath.Join(p.Partial, mark)); err == nil {
			return p.remove()
		}
	}
	if vacant(p.Partial) == nil {
		return os.Remove(p.Partial)
	}
	return fmt.Errorf("%s is in the way, and no docketd has made it: move it away: %w", p.Partial, fs.ErrExist)
}

// marks are the first file of what this package makes, one of them.
var marks = []string{backupMark, restoredMark}

// remove removes what was not finished. The mark goes last: whoever comes after an
// interrupted remove knows whose it is.
func (p *Place) remove() error {
	list, err := os.ReadDir(p.Partial)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range list {
		if !slices.Contains(marks, e.Name()) {
			err = errors.Join(err, os.RemoveAll(filepath.Join(p.Partial, e.Name())))
		}
	}
	if err != nil {
		return err
	}
	return os.RemoveAll(p.Partial)
}

// Finish gives the directory its name, durably.
func (p *Place) Finish() error {
	if err := os.Remove(p.final); err != nil && !errors.Is(err, fs.ErrNotExist) { // an empty folder
		return err
	}
	if err := os.Rename(p.Partial, p.final); err != nil {
		return err
	}
	return p.parent.Sync()
}

// Close gives up what was not finished.
func (p *Place) Close() error {
	return errors.Join(p.remove(), p.parent.Close())
}

// copyFolder copies the files of a folder, if it is there, but not those of its
// folders. Files that go away meanwhile, and those without a final name yet, are
// left out. skip, if set, says which are, too.
func copyFolder(from, to string, skip func(name string) bool) error {
	list, err := os.ReadDir(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := os.Mkdir(to, 0o700); err != nil {
		return err
	}
	for _, e := range list {
		if !e.Type().IsRegular() || strings.HasSuffix(e.Name(), ".new") || skip != nil && skip(e.Name()) {
			continue
		}
		if err := copyFile(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return syncDir(to)
}

// copyFile copies a file with its mode and time. It is on the disk then, its name
// after syncDir.
func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, info.Mode().Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if err := errors.Join(err, out.Sync(), out.Close()); err != nil {
		return fmt.Errorf("copy %s: %w", from, err)
	}
	return os.Chtimes(to, info.ModTime(), info.ModTime())
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
