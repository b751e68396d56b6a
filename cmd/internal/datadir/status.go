package datadir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/pebblestore"
	"github.com/docket-ledger/docket/ledger/pebblestore/tables"
	"github.com/docket-ledger/docket/ledger/tree"
	"github.com/docket-ledger/docket/verify"
)

// A Status says how a ledger stands.
type Status struct {
	Running bool   `json:"running"` // a docketd serves it
	Origin  string `json:"origin"`
	VKey    string `json:"vkey"`
	Size    int64  `json:"size"` // records in the log
	Root    string `json:"root"` // base64
	// HeadAt is when the newest records came, by this machine's clock: RFC
	// 3339, UTC.
	HeadAt string      `json:"head_at,omitempty"`
	Guard  GuardStatus `json:"guard"`
	// Checkpoints are the witnessed ones that are kept, Witnessed the size of
	// the newest.
	Checkpoints int   `json:"checkpoints"`
	Witnessed   int64 `json:"witnessed"`
	// Free is how many bytes are free on the disk of the data directory.
	Free uint64 `json:"free"`
	// Marks are BACKUP and RESTORED, if they are there.
	Marks []string `json:"marks"`

	// The rest is told by a docketd that runs.
	Version  string `json:"version,omitempty"`
	Started  string `json:"started,omitempty"` // RFC 3339, UTC
	Uptime   int64  `json:"uptime,omitempty"`  // seconds
	Ready    string `json:"ready,omitempty"`   // "yes", or why it takes no records
	Queue    int    `json:"queue"`             // records on their way
	QueueMax int    `json:"queue_max,omitempty"`
	// Witnesses are those that are asked to cosign.
	Witnesses []WitnessStatus `json:"witnesses,omitempty"`
}

// A WitnessStatus says how a witness is. Times are RFC 3339, UTC.
type WitnessStatus struct {
	Name    string `json:"name"`
	URL     string `json:"url,omitempty"`
	Size    int64  `json:"size"`         // the largest tree that it cosigned
	At      string `json:"at,omitempty"` // when it last did, by its own clock
	Error   string `json:"error,omitempty"`
	ErrorAt string `json:"error_at,omitempty"`
	Faulty  bool   `json:"faulty"` // it answered what no honest witness can
}

// A GuardStatus says what the guard file holds.
type GuardStatus struct {
	Path  string `json:"path"`
	Size  int64  `json:"size"`            // of the tree that it remembers
	Slots int    `json:"slots"`           // how many of its two are whole
	Error string `json:"error,omitempty"` // what is wrong with it
}

// Stand returns the status of a ledger that no process serves. It changes nothing.
// The error wraps tree.ErrInUse if a process has the directory open.
func Stand(dir, guard string) (*Status, error) {
	vkey, err := os.ReadFile(filepath.Join(dir, "keys", "log.vkey"))
	if err != nil {
		return nil, err
	}
	s := &Status{VKey: strings.TrimSpace(string(vkey))}
	if _, err := os.Stat(filepath.Join(dir, "log")); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s has no log: %w", dir, ledger.ErrEmpty)
	}
	l, err := pebblestore.Look(filepath.Join(dir, "log"), nil)
	if errors.Is(err, pebblestore.ErrInUse) {
		return nil, fmt.Errorf("%w: %s", tree.ErrInUse, dir)
	}
	if err != nil {
		return nil, err
	}
	size, root, nanos, err := l.Root()
	if err := errors.Join(err, l.Close()); err != nil {
		return nil, err
	}
	s.Size, s.Root = size, verify.Checkpoint{Root: root}.Root.String()
	if size > 0 {
		s.HeadAt = stamp(time.Unix(0, int64(nanos)))
	}
	return s, s.disk(dir, guard)
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// second is a time in seconds since 1970, 0 meaning none.
func second(at int64) string {
	if at == 0 {
		return ""
	}
	return stamp(time.Unix(at, 0))
}

// Status returns the status of an open ledger, but for what the process knows of
// itself.
func (d *Dir) Status(ctx context.Context) (*Status, error) {
	info, err := d.Ledger.Info(ctx)
	if err != nil {
		return nil, err
	}
	s := &Status{Running: true, VKey: info.VKey, Size: info.Size, Root: info.Root}
	s.Queue, s.QueueMax = d.Ledger.Waiting()
	if s.Ready = "yes"; d.Ledger.Ready() != nil {
		s.Ready = d.Ledger.Ready().Error()
	}
	for _, w := range info.Witnesses {
		s.Witnesses = append(s.Witnesses, WitnessStatus{Name: w.Name, URL: w.URL, Size: w.Size, At: second(w.At), Error: w.Error, ErrorAt: second(w.ErrorAt), Faulty: w.Faulty})
	}
	at, err := d.parts.log.Time(ctx)
	if err != nil {
		return nil, err
	}
	s.HeadAt = stamp(at)
	return s, s.disk(d.parts.dir, d.parts.cfg.Guard)
}

// disk adds what the files beside the databases say.
func (s *Status) disk(dir, guard string) error {
	s.Origin, _, _ = strings.Cut(s.VKey, "+")
	if guard == "" {
		guard = filepath.Join(dir, "guard")
	}
	s.Guard.Path = guard
	own, err := ownPolicy(dir)
	if err != nil {
		return err
	}
	var signed verify.Signed
	note, whole, err := ledger.ReadGuard(guard)
	if s.Guard.Slots = whole; err == nil {
		signed, err = own.Open(note)
	}
	if s.Guard.Size = signed.Checkpoint.Size; err != nil {
		s.Guard.Error = err.Error()
	}
	list, err := os.ReadDir(filepath.Join(dir, "checkpoints"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range list {
		if strings.Trim(e.Name(), "0123456789") == "" {
			s.Checkpoints++
		}
	}
	if b, err := os.ReadFile(filepath.Join(dir, "checkpoints", "newest")); err == nil {
		if signed, err := own.Open(b); err == nil {
			s.Witnessed = signed.Checkpoint.Size
		}
	}
	s.Marks = []string{}
	for _, mark := range []string{backupMark, restoredMark} {
		if _, err := os.Lstat(filepath.Join(dir, mark)); err == nil {
			s.Marks = append(s.Marks, mark)
		}
	}
	s.Free, err = tables.Free(dir)
	return err
}
