package watch

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/docket-ledger/docket/verify"
)

// A memory is what a watch knows, in a file: what the log showed, what was said of
// it, and which events are still to be delivered. Beside it, in a file with the
// suffix .audit, is the last audit that held; the two need not fit, for each is
// compared with the log.
type memory struct {
	V      int64  `json:"v"` // 1
	Origin string `json:"origin,omitempty"`
	// Since is when the watch began, in seconds since 1970 as all times here.
	Since int64 `json:"since"`
	// Newest is the largest checkpoint that a log key signed and that is of the
	// one history, whoever showed it. Served is the last one that the log served,
	// and ServedSince when it first did.
	Newest      string `json:"newest,omitempty"`
	Served      string `json:"served,omitempty"`
	ServedSince int64  `json:"served_since,omitzero"`
	// Known is of how many entries the events were told, if Began: before that
	// nothing was.
	Began bool  `json:"began,omitzero"`
	Known int64 `json:"known,omitzero"`
	// AuditedAt is when an audit last came to an end, CheckedAt when one that
	// read the whole log did.
	AuditedAt int64 `json:"audited_at,omitzero"`
	CheckedAt int64 `json:"checked_at,omitzero"`
	// Ahead is since when peers and witnesses have more than the log serves.
	Ahead map[string]int64 `json:"ahead,omitempty"`
	// Open are the events that last, by key.
	Open map[string]lasting `json:"open,omitempty"`
	// Pending are the events that were not delivered yet, the oldest first.
	Pending []pending `json:"pending,omitempty"`
}

// A lasting event is over when a look at the same part no longer finds it.
type lasting struct {
	Part   string `json:"part"`
	Level  Level  `json:"level"`
	Code   Code   `json:"code"`
	Source string `json:"source"`
	Since  int64  `json:"since"`
}

// A pending event is still to go to the named ones.
type pending struct {
	Event Event    `json:"event"`
	To    []string `json:"to"`
}

// maxMemory bounds the file of a memory, in bytes.
const maxMemory = 64 << 20

// readMemory reads a memory; a new one if there is no file.
func readMemory(path string) (*memory, error) {
	m := &memory{Ahead: map[string]int64{}, Open: map[string]lasting{}}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		m.V = 1
		return m, nil
	}
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(f, maxMemory+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(b, m, json.RejectUnknownMembers(true)); err != nil || len(b) > maxMemory || m.V != 1 {
		return nil, fmt.Errorf("%s: %w", path, ErrState)
	}
	if m.Ahead == nil {
		m.Ahead = map[string]int64{}
	}
	if m.Open == nil {
		m.Open = map[string]lasting{}
	}
	return m, nil
}

// ErrState is returned by New if the file with the state is damaged, or is none.
// Restore it from a backup: without it nothing is known of what the log showed.
var ErrState = errors.New("this is not the state of a watch, or it is damaged; restore it, or move it away to begin anew, which forgets what the log showed before")

// write replaces the file of a memory, whole or not at all.
func (m *memory) write(path string) error {
	b, err := json.Marshal(m, json.Deterministic(true), jsontext.WithIndent("  "))
	if err != nil {
		return err
	}
	return replace(path, func(w io.Writer) error {
		_, err := w.Write(append(b, '\n'))
		return err
	})
}

// readAudit reads the audit that was kept; nil if there is none. What can't be
// used is no loss: the whole log is read again.
func readAudit(path string) (*verify.Saved, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	saved, err := verify.ReadSaved(f)
	return saved, errors.Join(err, f.Close())
}

// replace makes a file durable under its name, or leaves the old one.
func replace(path string, write func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
