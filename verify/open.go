package verify

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// The errors of Policy.Open that say what a checkpoint lacks. Any other error
// says that it is malformed.
var (
	// ErrUnknownLog means that no log of the policy signed the checkpoint.
	// Another policy may accept it.
	ErrUnknownLog = errors.New("not signed by a log of the policy")

	// ErrSignature means that a signature by a key of the policy does not
	// hold. The checkpoint was altered or its signer is broken.
	ErrSignature = errors.New("signature does not hold")

	// ErrOrigin means that the checkpoint names another log than the one
	// that signed it, or than the one it was expected from.
	ErrOrigin = errors.New("wrong origin")

	// ErrQuorum means that too few witnesses of the policy cosigned the
	// checkpoint; nothing else is wrong with it.
	ErrQuorum = errors.New("quorum not reached")
)

// Signed is a checkpoint whose log signature was checked. Only Policy.Open
// makes a useful one.
type Signed struct {
	Checkpoint Checkpoint

	// Note is the checkpoint as signed, with all its signature lines.
	Note []byte

	// LogKey is the log's key, the first one of the policy in the order of
	// the lines.
	LogKey VKey

	// Cosignatures are those by witnesses of the policy, in the order of the
	// lines. All were checked.
	Cosignatures []Cosignature

	// Ignored counts the signature lines of keys that the policy does not
	// name. They were not checked.
	Ignored int
}

// A Cosignature is that of a witness.
type Cosignature struct {
	Name string // in the policy

	// Time is when the witness says it signed, in seconds since the epoch.
	// 0 in an ML-DSA-44 cosignature means that it does not say.
	Time int64
}

// Open checks a signed checkpoint: at least one log of the policy whose name is
// the checkpoint's origin signed it, every signature by a log or witness of the
// policy holds, each at most once, and the cosignatures reach the quorum. It
// ignores signature lines of other keys.
//
// The error wraps ErrUnknownLog, ErrSignature, ErrOrigin or ErrQuorum, or says
// that the note or checkpoint is malformed. Along with ErrQuorum the checkpoint
// is returned, for everything else holds. signed is not retained.
func (p *Policy) Open(signed []byte) (Signed, error) {
	text, sigs, err := parseNote(signed)
	if err != nil {
		return Signed{}, err
	}
	cp, err := ParseCheckpoint(text)
	if err != nil {
		return Signed{}, err
	}
	s := Signed{Checkpoint: cp, Note: bytes.Clone(signed)}
	var logs []VKey // that signed
	var names []string
	seen := make(map[keyRef]bool)
	for _, sig := range sigs {
		ref := keyRef{sig.name, sig.id}
		m := p.keys[ref]
		if m == nil {
			s.Ignored++
			continue
		}
		if seen[ref] {
			return Signed{}, fmt.Errorf("checkpoint of %s: two signatures by %s+%08x", cp.Origin, ref.name, ref.id)
		}
		seen[ref] = true
		time, ok := m.key.verify(text, cp, sig.sig)
		if !ok {
			return Signed{}, fmt.Errorf("checkpoint of %s: %w: that of %s+%08x", cp.Origin, ErrSignature, ref.name, ref.id)
		}
		if m.log {
			logs = append(logs, m.key)
		}
		if m.witness != "" {
			s.Cosignatures = append(s.Cosignatures, Cosignature{m.witness, time})
			names = append(names, m.witness)
		}
	}
	if len(logs) == 0 {
		return Signed{}, fmt.Errorf("checkpoint of %s: %w", cp.Origin, ErrUnknownLog)
	}
	for _, key := range logs {
		if key.Name == cp.Origin && s.LogKey.Name == "" {
			s.LogKey = key
		}
	}
	if s.LogKey.Name == "" {
		return Signed{}, fmt.Errorf("checkpoint of %s: %w: signed by %s", cp.Origin, ErrOrigin, logs[0].Name)
	}
	if !p.Reached(names) {
		return s, fmt.Errorf("checkpoint of %s: %w: %s; cosigned by %s", cp.Origin, ErrQuorum, p.quorum, sentence(names))
	}
	return s, nil
}

// sentence lists names.
func sentence(names []string) string {
	if len(names) == 0 {
		return "no witness of the policy"
	}
	return strings.Join(names, ", ")
}
