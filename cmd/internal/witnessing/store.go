package witnessing

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/witness"
)

// maxForks is how many files of evidence a witness keeps: a log that signs fork
// after fork does not fill the disk.
const maxForks = 32

// A Store is the witness.Store in a folder that is locked: for each log one file,
// named after its origin's SHA-256, with the newest checkpoint that was cosigned. It may be used concurrently.
type Store struct {
	dir  string
	lock *os.File
	mu   sync.Mutex
}

// OpenStore makes the folder if it is not there, and locks it: the error says so if
// another witness has it. Close ends the use.
func OpenStore(dir string) (*Store, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(dir, ".lock"), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		err = fmt.Errorf("%s is in use by another witness (%w): two of them could cosign two histories", dir, err)
		return nil, errors.Join(err, lock.Close())
	}
	return &Store{dir: dir, lock: lock}, nil
}

// Close frees the lock. What is kept stays.
func (s *Store) Close() { _ = s.lock.Close() } // nothing else is open

func (s *Store) path(origin string) string {
	return filepath.Join(s.dir, witness.ID(origin)+".checkpoint")
}

// Head implements witness.Store.
func (s *Store) Head(origin string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.read(origin)
}

func (s *Store) read(origin string) ([]byte, error) {
	b, err := os.ReadFile(s.path(origin))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return b, err
}

// Swap implements witness.Store.
func (s *Store) Swap(origin string, old, cosigned []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	kept, err := s.read(origin)
	if err != nil {
		return err
	}
	if !bytes.Equal(kept, old) {
		return witness.ErrConflict
	}
	return s.replace(s.path(origin), cosigned)
}

// replace writes a file so that after a crash it has the old contents or the new
// ones; it is on the disk when replace returns.
func (s *Store) replace(path string, b []byte) error {
	temporary := filepath.Join(s.dir, ".new")
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(temporary, path); err != nil {
		return err
	}
	d, err := os.Open(s.dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// keepEvidence writes evidence to a file that is named after its contents.
func (s *Store) keepEvidence(e verify.Evidence) (path string, err error) {
	b, err := e.Marshal()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	path = filepath.Join(s.dir, fmt.Sprintf("fork-%x.json", sum[:8]))
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if kept, err := filepath.Glob(filepath.Join(s.dir, "fork-*.json")); err != nil || len(kept) >= maxForks {
		return "", fmt.Errorf("%d of them are kept already (%v)", len(kept), err)
	}
	return path, s.replace(path, b)
}
