package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/verify"
)

// readState reads an audit that was kept; nil if there is no file, or none is
// named.
func readState(path string) (*verify.Saved, error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, cli.Unknown(err)
	}
	saved, err := verify.ReadSaved(f)
	if closeErr := f.Close(); err == nil && closeErr != nil {
		return nil, cli.Unknown(closeErr)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w; remove that file to audit the whole log", path, err)
	}
	return saved, nil
}

// keepState writes an audit, whole or not at all. Nothing is written if no file
// is named or the audit did not hold.
func keepState(path string, saved *verify.Saved) error {
	if path == "" || saved == nil {
		return nil
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return cli.Unknown(err)
	}
	err = saved.Write(f)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return cli.Unknown(errors.Join(err, os.Remove(f.Name())))
	}
	return nil
}

func readFiles(paths []string) ([][]byte, error) {
	var all [][]byte
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			return nil, cli.Unknown(err)
		}
		all = append(all, b)
	}
	return all, nil
}
