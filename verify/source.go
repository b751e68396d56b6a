package verify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/verify/tile"
)

// A Source returns one file of a log by its c2sp.org/tlog-tiles path, such as
// "checkpoint" or "tile/0/001.p/17". The error wraps fs.ErrNotExist if the log
// has no such file. The caller does not change the bytes. ReadFile may be called
// concurrently.
//
// It checks nothing: whatever it returns is suspect until it was compared with a
// signed checkpoint. What it returns is bounded: a file of more than MaxFile
// bytes is an error.
type Source interface {
	ReadFile(ctx context.Context, path string) ([]byte, error)
}

// MaxFile returns the largest size, in bytes, of the file of a log at a path: what
// is longer can't be what it should be, and need not be read to its end.
func MaxFile(path string) int64 {
	id, err := tile.ParsePath(path)
	switch {
	case path == "checkpoint":
		return MaxNote
	case err == nil && id.Level != tile.Entries:
		return tile.FullWidth * tlog.HashSize
	case err == nil:
		return int64(id.Width) * (2 + tile.MaxEntry)
	}
	return tile.MaxFile
}

// DirSource returns the log whose files are in fsys: a folder, a zip.
func DirSource(fsys fs.FS) Source { return dirSource{fsys} }

type dirSource struct{ fsys fs.FS }

func (s dirSource) ReadFile(ctx context.Context, path string) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f, err := s.fsys.Open(path)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		return nil, errors.Join(fmt.Errorf("%s is no regular file", path), f.Close())
	}
	limit := MaxFile(path)
	b, err := readAll(f, limit)
	closeErr := f.Close()
	switch {
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", path, err)
	case closeErr != nil:
		return nil, fmt.Errorf("read %s: %w", path, closeErr)
	case int64(len(b)) > limit && path == "checkpoint":
		return nil, fmt.Errorf("%s has more than %d bytes", path, limit)
	case int64(len(b)) > limit:
		return nil, &FileError{path, fmt.Sprintf("it has more than %d bytes", limit)}
	}
	return b, nil
}

// readAll reads f to its end or just past a limit, into a buffer of the size that
// f claims to have.
func readAll(f fs.File, limit int64) ([]byte, error) {
	var b bytes.Buffer
	if info, err := f.Stat(); err == nil && info.Size() > 0 && info.Size() <= limit {
		b.Grow(int(info.Size()) + bytes.MinRead) // or ReadFrom grows at the end
	}
	_, err := b.ReadFrom(io.LimitReader(f, limit+1))
	return b.Bytes(), err
}
