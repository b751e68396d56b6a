package main

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/cmd/internal/mirror"
	"github.com/docket-ledger/docket/verify"
)

// explain turns an error of a copy into words and an exit code: 1 if the log is
// not what it should be, 3 if that could not be found out. Evidence of a
// contradiction is kept in a file.
func explain(err error, dir string) error {
	var contradiction *mirror.ContradictionError
	var file *verify.FileError
	var entry *verify.EntryError
	switch {
	case errors.As(err, &contradiction):
		path, keepErr := keep(evidence(contradiction), dir)
		if keepErr != nil {
			return fmt.Errorf("%w. The mirror is as it was. The evidence could not be kept: %w. The log signed %q, and before %q", err, keepErr, contradiction.Now, contradiction.Before)
		}
		return fmt.Errorf("%w. The mirror is as it was; both checkpoints are in %s: keep that file, and show it to others who follow this log", err, path)
	case errors.As(err, &file), errors.As(err, &entry), errors.Is(err, verify.ErrCheckpoint), errors.Is(err, mirror.ErrForeign):
		return fmt.Errorf("%w. The mirror is as it was", err)
	}
	return cli.Unknown(fmt.Errorf("%w. What was copied is kept: the same command goes on from there", err))
}

// evidence is what proves a contradiction, or what is known of it.
func evidence(c *mirror.ContradictionError) verify.Evidence {
	var fork *verify.ForkError
	switch {
	case errors.As(c, &fork):
		return fork.Evidence()
	case errors.Is(c, mirror.ErrSmaller):
		return verify.RollbackEvidence(c.Before, c.Now)
	}
	return verify.Evidence{V: 1, Old: string(c.Before), New: string(c.Now)} // the files that would prove it are not there
}

// keep writes evidence durably to a file that is named after its contents,
// beside the mirror, or within it if that can't be.
func keep(e verify.Evidence, dir string) (path string, err error) {
	b, err := e.Marshal()
	if err != nil {
		return "", err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	name := fmt.Sprintf("fork-%x.json", sum[:8])
	var errs []error
	for _, path := range []string{dir + "." + name, filepath.Join(dir, name)} {
		err := create(path, b)
		if err == nil {
			return path, nil
		}
		errs = append(errs, err)
	}
	return "", errors.Join(errs...)
}

// create writes a file that may be there already, with the same contents.
func create(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if have, readErr := os.ReadFile(path); errors.Is(err, fs.ErrExist) && readErr == nil && bytes.Equal(have, b) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// A meter tells on a terminal how far a copy is, every second.
type meter struct {
	std   cli.Streams
	quiet bool
	start time.Time

	mu   sync.Mutex
	last time.Time // something was told
}

// show is called by the workers of a copy.
func (m *meter) show(done, of, fetched int64) {
	m.tell(done, of, fmt.Sprintf("files, %d new", fetched))
}

// entries is called by an audit.
func (m *meter) entries(done, of int64) { m.tell(done, of, "entries") }

func (m *meter) tell(done, of int64, what string) {
	if m.quiet || !m.mu.TryLock() {
		return
	}
	defer m.mu.Unlock()
	if took := time.Since(m.start); took >= time.Second && time.Since(m.last) >= time.Second && done > 0 {
		m.last = time.Now()
		rate := float64(done) / took.Seconds()
		left := time.Duration(float64(of-done) / rate * float64(time.Second)).Round(time.Second)
		fmt.Fprintf(m.std.Err, "\rdocket-mirror: %d of %d %s, %.0f a second, %v left \033[K", done, of, what, rate, left)
	}
}

// clear makes room for what is said in the end.
func (m *meter) clear() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.last.IsZero() {
		fmt.Fprint(m.std.Err, "\r\033[K")
	}
}

// restart begins anew, for the next copy.
func (m *meter) restart() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.start, m.last = time.Now(), time.Time{}
}
