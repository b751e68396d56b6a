package client

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
)

// MemoryEnding is the customary end of the name of a Memory's file.
const MemoryEnding = ".state"

// ErrMemoryUsed says that a memory was written by somebody else since it was
// read. Nothing was written: open it again, and do again what was to be
// remembered.
var ErrMemoryUsed = errors.New("it has changed since it was read: another program is using it")

// A Memory is what a client must not forget, in a file: per ledger the log's
// key, the newest checkpoint that was verified, and, if the client signs, the
// next number of its key. It has no secrets. One program at a time may use a
// file. A Memory may not be used concurrently but through a Follower.
type Memory struct {
	path    string // "" if it lasts no longer than the Memory
	kid     string
	ledgers map[string]*Remembered // by origin
	read    []byte                 // the file as it was read or written
}

type memoryFile struct {
	V       int64                  `json:"v"`
	KID     string                 `json:"kid,omitempty"`
	Ledgers map[string]*Remembered `json:"ledgers"`
}

// Remembered is what is remembered of one ledger.
type Remembered struct {
	// VKey signs the checkpoints: pinned on first use, or from a trust
	// policy.
	VKey string `json:"vkey"`
	// Former are keys that did before: what is remembered may be by them, and
	// nothing new is.
	Former []string `json:"former,omitempty"`
	// NextSeq is the number of the key's next signature.
	NextSeq int64 `json:"next_seq"`
	// Checkpoint is the newest one that was verified, as signed; empty
	// before there is one.
	Checkpoint string `json:"checkpoint,omitempty"`
	// Head is the newest one that the ledger served as its checkpoint, as
	// signed; empty before there is one. That of a receipt may be newer than
	// what witnesses have cosigned.
	Head string `json:"head,omitempty"`

	origin   string
	evidence string // the beginning of the names of files with evidence, "" for none
}

// OpenMemory reads the memory in a file, an empty one if there is none yet. kid
// is the thumbprint of the key that the client signs with, "" if it does not
// sign; the memory of another key is an error. With path "" it is lost when the
// program ends.
func OpenMemory(path, kid string) (*Memory, error) {
	m := &Memory{path: path, kid: kid, ledgers: map[string]*Remembered{}}
	if path == "" {
		return m, nil
	}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	if err != nil {
		return nil, err
	}
	f := memoryFile{Ledgers: map[string]*Remembered{}}
	if err := json.Unmarshal(b, &f, json.RejectUnknownMembers(true)); err != nil {
		return nil, fmt.Errorf("%s is damaged: %w", path, err)
	}
	if f.V != 1 || f.KID != kid {
		return nil, fmt.Errorf("%s belongs to another key, %q, or to a newer program", path, f.KID)
	}
	for origin, r := range f.Ledgers {
		if r == nil {
			return nil, fmt.Errorf("%s is damaged: nothing is said of %s", path, origin)
		}
		m.ledgers[origin] = r
	}
	m.read = b
	return m, nil
}

// Ledger returns what is remembered of a ledger, which the caller may change
// before Save.
func (m *Memory) Ledger(origin string) *Remembered {
	r := m.ledgers[origin]
	if r == nil {
		r = &Remembered{NextSeq: 1}
		m.ledgers[origin] = r
	}
	r.origin = origin
	if m.path != "" {
		r.evidence = strings.TrimSuffix(m.path, MemoryEnding) + ".fork-"
	}
	return r
}

// Origins returns the origins of the ledgers that are remembered, sorted.
func (m *Memory) Origins() []string {
	var origins []string
	for o, r := range m.ledgers {
		if r.Checkpoint != "" || r.NextSeq > 1 {
			origins = append(origins, o)
		}
	}
	slices.Sort(origins)
	return origins
}

// Save replaces the file, so that it is always whole; it is on the disk when
// Save returns. The error wraps ErrMemoryUsed if somebody else has written it
// meanwhile: two signatures must not have one number.
func (m *Memory) Save() error {
	if m.path == "" {
		return nil
	}
	now, err := os.ReadFile(m.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if !bytes.Equal(now, m.read) {
		return fmt.Errorf("%s: %w", m.path, ErrMemoryUsed)
	}
	b, err := json.Marshal(memoryFile{1, m.kid, m.ledgers}, json.Deterministic(true), jsontext.WithIndent("  "))
	if err != nil {
		return err
	}
	b = append(b, '\n')
	if bytes.Equal(b, m.read) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(m.path), 0o700); err != nil {
		return err
	}
	if err := replaceFile(m.path, b, 0o600); err != nil {
		return err
	}
	m.read = b
	return nil
}

// replaceFile writes a file beside path and renames it.
func replaceFile(path string, b []byte, mode fs.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", path, err), os.Remove(f.Name()))
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Seen returns the remembered checkpoint as a signature names it.
func (r *Remembered) Seen() (record.Seen, error) {
	if r.Checkpoint == "" {
		return record.SeenNothing, nil
	}
	s, err := r.signed(r.Checkpoint)
	return record.SeenTree(s.Checkpoint.Size, s.Checkpoint.Root), err
}

// signed opens a remembered checkpoint.
func (r *Remembered) signed(note string) (verify.Signed, error) {
	p, err := Pin(strings.Join(append([]string{r.VKey}, r.Former...), "\nlog "))
	if err != nil {
		return verify.Signed{}, fmt.Errorf("what is remembered of %s: %w", r.origin, err)
	}
	s, err := p.Open([]byte(note))
	if err != nil {
		return s, fmt.Errorf("what is remembered of %s: %w", r.origin, err)
	}
	return s, nil
}

// Pin returns the trust policy of one log key and no witnesses.
func Pin(vkey string) (*verify.Policy, error) {
	return verify.ParsePolicy([]byte("log " + vkey + "\nquorum none\n"))
}
