package ledger

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/docket-ledger/docket/verify"
)

// The guard remembers, outside of the database, the last checkpoint that was
// signed. A ledger signs nothing that does not extend it: a log that lost its
// tail (a torn WAL, a restored backup) must not grow a second history.
//
// The file is two slots of slotSize bytes, written in turn:
//
//	number(8) length(4) checkpoint … zeros … SHA-256 of the slot before it(32)
//
// The valid slot with the higher number counts. If none is valid the file is
// refused. A write is one pwrite and one fdatasync, to blocks that exist.
type guard struct {
	file   *os.File
	number uint64
	note   []byte            // the last checkpoint, nil if the guard is new
	last   verify.Checkpoint // what note says
}

// slotSize has room for a note with an ML-DSA-44 line and more.
const slotSize = 8192

// ErrGuard is wrapped by Open's error if the guard file is missing or damaged.
var ErrGuard = errors.New("guard file")

// createGuard makes a guard file that holds note. It appears whole, under its
// name, or not at all; the caller has seen that there is none.
func createGuard(path string, note []byte, says verify.Checkpoint) error {
	f, err := os.OpenFile(path+".new", os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrGuard, err)
	}
	_, err = f.Write(make([]byte, 2*slotSize))
	if err == nil {
		err = (&guard{file: f}).write(note, says)
	}
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("%w: %w", ErrGuard, err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("%w: %w", ErrGuard, err)
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func openGuard(path string) (*guard, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w %s is missing: without it this log can't know what it signed last. "+
			"Put it back from where it was kept, or restore the ledger from a mirror", ErrGuard, path)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrGuard, err)
	}
	g := &guard{file: f}
	slots := make([]byte, 2*slotSize)
	if _, err := f.ReadAt(slots, 0); err != nil {
		return nil, errors.Join(fmt.Errorf("%w %s is damaged: %w", ErrGuard, path, err), f.Close())
	}
	g.number, g.note, _ = newestSlot(slots)
	if g.note == nil {
		return nil, errors.Join(fmt.Errorf("%w %s is damaged: neither of its two slots is whole. "+
			"Put a copy in its place, or restore the ledger from a mirror", ErrGuard, path), f.Close())
	}
	return g, nil
}

// newestSlot returns what counts of two slots, note nil if neither is whole, and
// how many are.
func newestSlot(slots []byte) (number uint64, note []byte, whole int) {
	for i := range 2 {
		n, text := parseSlot(slots[i*slotSize : (i+1)*slotSize])
		if text == nil {
			continue
		}
		whole++
		if n > number {
			number, note = n, text
		}
	}
	return number, note, whole
}

// ReadGuard returns the checkpoint in a guard file, as signed and not checked, and
// how many of its two slots are whole: one is enough, but it may be the older one.
// The guard may be in use. The error wraps ErrGuard, and fs.ErrNotExist if there is
// no such file.
func ReadGuard(path string) (note []byte, whole int, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, fmt.Errorf("%w: %w", ErrGuard, err)
	}
	slots := make([]byte, 2*slotSize)
	_, err = f.ReadAt(slots, 0)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, 0, fmt.Errorf("%w %s is damaged: %w", ErrGuard, path, err)
	}
	if _, note, whole = newestSlot(slots); note == nil {
		return nil, 0, fmt.Errorf("%w %s is damaged: neither of its two slots is whole", ErrGuard, path)
	}
	return note, whole, nil
}

// CreateGuard makes a guard file that holds a checkpoint, as signed. It appears
// whole, under its name, or not at all; the caller has seen that there is none.
func CreateGuard(path string, note []byte) error { return createGuard(path, note, verify.Checkpoint{}) }

func parseSlot(b []byte) (number uint64, note []byte) {
	sum := sha256.Sum256(b[:slotSize-32])
	n := binary.BigEndian.Uint32(b[8:])
	if !bytes.Equal(sum[:], b[slotSize-32:]) || n == 0 || n > slotSize-32-12 {
		return 0, nil
	}
	return binary.BigEndian.Uint64(b), bytes.Clone(b[12 : 12+n])
}

// write makes note, which says what says holds, the last checkpoint; it is on the
// disk when write returns. After an error the guard must not be used.
func (g *guard) write(note []byte, says verify.Checkpoint) error {
	if len(note) > slotSize-32-12 {
		return fmt.Errorf("%w: a checkpoint of %d bytes has no room", ErrGuard, len(note))
	}
	b := make([]byte, slotSize)
	g.number++
	binary.BigEndian.PutUint64(b, g.number)
	binary.BigEndian.PutUint32(b[8:], uint32(len(note)))
	copy(b[12:], note)
	sum := sha256.Sum256(b[:slotSize-32])
	copy(b[slotSize-32:], sum[:])
	if _, err := g.file.WriteAt(b, int64(g.number%2)*slotSize); err != nil {
		return fmt.Errorf("%w: %w", ErrGuard, err)
	}
	if err := datasync(g.file); err != nil {
		return fmt.Errorf("%w: %w", ErrGuard, err)
	}
	g.note, g.last = note, says
	return nil
}

func (g *guard) close() error { return g.file.Close() }
