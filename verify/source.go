package verify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/docket-ledger/docket/verify/tile"
)

// A Source returns one file of a log by its c2sp.org/tlog-tiles path, such as
// "checkpoint" or "tile/0/001.p/17". The error wraps fs.ErrNotExist if the log
// has no such file. The caller does not change the bytes. ReadFile may be called
// concurrently.
//
// It checks nothing: whatever it returns is suspect until it was compared with a
// signed checkpoint. What it returns is bounded: a file of more than
// tile.MaxFile bytes is an error.
type Source interface {
	ReadFile(ctx context.Context, path string) ([]byte, error)
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
	b, err := readAll(f)
	closeErr := f.Close()
	switch {
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", path, err)
	case closeErr != nil:
		return nil, fmt.Errorf("read %s: %w", path, closeErr)
	case len(b) > tile.MaxFile:
		return nil, fmt.Errorf("%s has more than %d bytes", path, tile.MaxFile)
	}
	return b, nil
}

// readAll reads f to its end or just past tile.MaxFile bytes, into a buffer of
// the size that f claims to have.
func readAll(f fs.File) ([]byte, error) {
	var b bytes.Buffer
	if info, err := f.Stat(); err == nil && info.Size() > 0 && info.Size() <= tile.MaxFile {
		b.Grow(int(info.Size()) + bytes.MinRead) // or ReadFrom grows at the end
	}
	_, err := b.ReadFrom(io.LimitReader(f, tile.MaxFile+1))
	return b.Bytes(), err
}
