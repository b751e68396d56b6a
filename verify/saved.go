package verify

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/go-json-experiment/json"

	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// ErrSaved says that a saved audit can't be used: it is damaged, of another
// version, or of another log. Audit the whole log without it.
var ErrSaved = errors.New("the saved audit can't be used")

// A Saved is what an audit that held knew at its end. With it the next audit
// reads only what is new and still proves the whole: the tree must extend the
// one that was audited. The gate answers from it.
//
// As a file it is a first line that says what it is, a line of JSON, the rows of
// the rules state, and a SHA-256 over all before: it protects against accidents,
// not against who can write the file, who can make the next audit say anything.
type Saved struct {
	head  savedHead
	state *rules.Memory
}

// savedHead is the line of JSON.
type savedHead struct {
	V int64 `json:"v"`
	// Rules is the version of the rules that judged.
	Rules      int64                 `json:"rules"`
	Origin     string                `json:"origin"`
	At         int64                 `json:"at"`
	Checkpoint string                `json:"checkpoint"` // as signed
	Effective  int64                 `json:"effective"`
	Void       int64                 `json:"void"`
	ByType     map[record.Type]int64 `json:"by_type"`
}

const savedMagic = "docket audit state v1\n"

// Write writes s as a file.
func (s *Saved) Write(w io.Writer) error {
	head, err := json.Marshal(s.head, json.Deterministic(true))
	if err != nil {
		return err
	}
	sum := sha256.New()
	out := bufio.NewWriter(io.MultiWriter(w, sum))
	out.WriteString(savedMagic)
	out.Write(append(head, '\n'))
	var size []byte
	for key, value := range s.state.All() {
		size = binary.AppendUvarint(size[:0], uint64(len(key)))
		size = binary.AppendUvarint(size, uint64(len(value)))
		out.Write(size)
		out.WriteString(key)
		out.Write(value)
	}
	out.WriteByte(0) // no key is empty
	if err := out.Flush(); err != nil {
		return err
	}
	_, err = w.Write(sum.Sum(nil))
	return err
}

// maxSavedRow bounds a row of a saved audit, in bytes.
const maxSavedRow = 1 << 20

// ReadSaved reads what Write wrote. The error wraps ErrSaved if that is not what
// r holds.
func ReadSaved(r io.Reader) (*Saved, error) {
	in := &summed{in: bufio.NewReader(r), sum: sha256.New()}
	magic := make([]byte, len(savedMagic))
	if _, err := io.ReadFull(in, magic); err != nil || string(magic) != savedMagic {
		return nil, fmt.Errorf("%w: it does not begin with %q", ErrSaved, savedMagic)
	}
	line, err := in.line()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSaved, err)
	}
	s := &Saved{state: rules.NewMemory()}
	if err := json.Unmarshal(line, &s.head, json.RejectUnknownMembers(true)); err != nil {
		return nil, fmt.Errorf("%w: its head is damaged", ErrSaved)
	}
	if s.head.V != 1 || s.head.Rules != rules.Version {
		return nil, fmt.Errorf("%w: version %d with rules %d, this program has 1 and %d", ErrSaved, s.head.V, s.head.Rules, rules.Version)
	}
	if err := s.readRows(in); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSaved, err)
	}
	want := in.sum.Sum(nil)
	got := make([]byte, len(want))
	if _, err := io.ReadFull(in.in, got); err != nil || !bytes.Equal(got, want) {
		return nil, fmt.Errorf("%w: it was cut or changed", ErrSaved)
	}
	if _, err := in.in.ReadByte(); err != io.EOF {
		return nil, fmt.Errorf("%w: something follows its end", ErrSaved)
	}
	return s, nil
}

func (s *Saved) readRows(in *summed) error {
	for {
		keySize, err := binary.ReadUvarint(in)
		if err != nil || keySize == 0 {
			return err
		}
		valueSize, err := binary.ReadUvarint(in)
		if err != nil {
			return err
		}
		if keySize > maxSavedRow || valueSize > maxSavedRow {
			return errors.New("a row is too large")
		}
		row := make([]byte, keySize+valueSize)
		if _, err := io.ReadFull(in, row); err != nil {
			return err
		}
		if err := s.state.Put(string(row[:keySize]), row[keySize:]); err != nil {
			return err
		}
	}
}

// Origin returns the origin of the log that was audited.
func (s *Saved) Origin() string { return s.head.Origin }

// Checkpoint returns the checkpoint of the audit, as signed.
func (s *Saved) Checkpoint() []byte { return []byte(s.head.Checkpoint) }

// At returns when the audit began by the auditor's clock, in seconds since 1970.
func (s *Saved) At() int64 { return s.head.At }

// State returns the state of the rules. It must not be written to.
func (s *Saved) State() rules.Lister { return s.state }

// summed reads through a hash.
type summed struct {
	in  *bufio.Reader
	sum hash.Hash
}

func (s *summed) Read(b []byte) (int, error) {
	n, err := s.in.Read(b)
	s.sum.Write(b[:n])
	return n, err
}

// ReadByte implements io.ByteReader.
func (s *summed) ReadByte() (byte, error) {
	b, err := s.in.ReadByte()
	if err == nil {
		s.sum.Write([]byte{b})
	}
	return b, err
}

// line reads a line of at most maxSavedRow bytes.
func (s *summed) line() ([]byte, error) {
	var line []byte
	for {
		b, err := s.ReadByte()
		switch {
		case err != nil:
			return nil, err
		case b == '\n':
			return line, nil
		case len(line) >= maxSavedRow:
			return nil, errors.New("its head is too long")
		}
		line = append(line, b)
	}
}
