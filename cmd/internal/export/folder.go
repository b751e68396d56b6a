package export

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// ErrInUse is returned by Run if there is something under the name of the folder.
var ErrInUse = errors.New("it is not an empty folder")

const (
	dirMode  = 0o755
	fileMode = 0o644
)

// A Folder is an export while it is written, under another name in the same folder.
type Folder struct {
	final, now string
	files      []*File
	scratch    []*os.File
}

// newFolder makes a folder that keep gives its name.
func newFolder(dir string) (*Folder, error) {
	final, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(final)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err == nil && len(entries) == 0:
	case err == nil:
		return nil, fmt.Errorf("%s: %w: it has %s", dir, ErrInUse, entries[0].Name())
	default:
		if info, statErr := os.Stat(final); statErr == nil && !info.IsDir() {
			return nil, fmt.Errorf("%s: %w", dir, ErrInUse)
		}
		return nil, err
	}
	now, err := os.MkdirTemp(filepath.Dir(final), "."+filepath.Base(final)+".unfinished-")
	if err != nil {
		return nil, err
	}
	return &Folder{final: final, now: now}, os.Chmod(now, dirMode)
}

// Create adds a file to the export. Its name has no folder.
func (d *Folder) Create(name string) (*File, error) {
	f, err := os.OpenFile(filepath.Join(d.now, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return nil, err
	}
	out := &File{name: name, file: f, sum: sha256.New(), writing: newBackground()}
	out.buffer = bufio.NewWriterSize(hashed{out}, 1<<16)
	d.files = append(d.files, out)
	return out, nil
}

// Scratch returns a file for what is read again before the end. It is no part of the
// export: the folder closes and removes it.
func (d *Folder) Scratch() (*os.File, error) {
	f, err := os.CreateTemp(d.now, ".scratch-")
	if err != nil {
		return nil, err
	}
	d.scratch = append(d.scratch, f)
	return f, nil
}

// close closes all files and returns what the manifest says of them.
func (d *Folder) close() ([]FileInfo, error) {
	for _, f := range d.scratch {
		if err := errors.Join(f.Close(), os.Remove(f.Name())); err != nil {
			return nil, err
		}
	}
	var all []FileInfo
	for _, f := range d.files {
		info, err := f.close()
		if err != nil {
			return nil, err
		}
		all = append(all, info)
	}
	slices.SortFunc(all, func(a, b FileInfo) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// describe adds the manifest, and the hashes of all files.
func (d *Folder) describe(m *Manifest) error {
	text, err := m.encode()
	if err != nil {
		return err
	}
	for _, f := range []struct {
		name string
		text []byte
	}{{manifestName, text}, {sumsName, m.sums(text)}} {
		out, err := d.Create(f.name)
		if err != nil {
			return err
		}
		if _, err := out.Write(f.text); err != nil {
			return err
		}
		if _, err := out.close(); err != nil {
			return err
		}
	}
	return syncDir(d.now)
}

// keep gives the folder its name, in place of an empty one.
func (d *Folder) keep() error {
	if err := os.Remove(d.final); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Rename(d.now, d.final); err != nil {
		return err
	}
	return syncDir(filepath.Dir(d.final))
}

// discard removes everything.
func (d *Folder) discard() error {
	for _, f := range d.files {
		f.file.Close() // which may have been closed before
	}
	for _, f := range d.scratch {
		f.Close()
	}
	return os.RemoveAll(d.now)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// A File is one of an export; it is hashed while it is written.
type File struct {
	// Rows counts what is in it, as its format says.
	Rows int64

	name    string
	file    *os.File
	buffer  *bufio.Writer
	writing background
	spare   [2][]byte // what is written, and what is next
	sum     hash.Hash
	size    int64
}

// Write writes to the file.
func (f *File) Write(b []byte) (int, error) { return f.buffer.Write(b) }

// hashed is a file behind its buffer.
type hashed struct{ f *File }

func (h hashed) Write(b []byte) (int, error) {
	f := h.f
	next := append(f.spare[1][:0], b...)
	f.spare[0], f.spare[1] = next, f.spare[0]
	return len(b), f.writing.run(func() error {
		f.sum.Write(next)
		n, err := f.file.Write(next)
		f.size += int64(n)
		return err
	})
}

func (f *File) close() (FileInfo, error) {
	err := f.buffer.Flush()
	err = errors.Join(err, f.writing.wait(), f.file.Sync(), f.file.Close())
	return FileInfo{Name: f.name, SHA256: hex.EncodeToString(f.sum.Sum(nil)), Size: f.size, Rows: f.Rows}, err
}
