package verify

import (
	"crypto"
	"crypto/ed25519"
	"fmt"

	"filippo.io/mldsa"
	"golang.org/x/mod/sumdb/note"
)

// A LogSigner signs the checkpoints of a log with one of its keys. It is a
// note.Signer for Checkpoint.Sign and may be used concurrently if its key may.
//
// A key of Ed25519 makes the signature of c2sp.org/signed-note, one of ML-DSA-44 a
// cosignature of c2sp.org/tlog-cosignature that says no time: what a log claims of
// the time proves nothing.
type LogSigner struct {
	vkey VKey
	key  crypto.Signer
}

var _ note.Signer = (*LogSigner)(nil)

// NewLogSigner returns the signer of a log with this origin. key is of Ed25519 or
// ML-DSA-44: in memory, or in a token that never gives it away.
func NewLogSigner(origin string, key crypto.Signer) (*LogSigner, error) {
	s := &LogSigner{key: key}
	switch public := key.Public().(type) {
	case ed25519.PublicKey:
		s.vkey = VKey{Name: origin, Alg: Ed25519, Key: public}
	case *mldsa.PublicKey:
		s.vkey = VKey{Name: origin, Alg: MLDSA44Cosignature, Key: public.Bytes()}
	default:
		return nil, fmt.Errorf("log key: one of type %T, want Ed25519 or ML-DSA-44", public)
	}
	if err := checkName(origin); err != nil {
		return nil, fmt.Errorf("log key: %w", err)
	}
	if err := s.vkey.check(); err != nil {
		return nil, fmt.Errorf("log key: %w", err)
	}
	return s, nil
}

// VKey returns the verifier key.
func (s *LogSigner) VKey() VKey { return s.vkey }

// Name implements note.Signer: the origin.
func (s *LogSigner) Name() string { return s.vkey.Name }

// KeyHash implements note.Signer.
func (s *LogSigner) KeyHash() uint32 { return s.vkey.ID() }

// Sign implements note.Signer. text is that of a checkpoint of the log; nothing
// else is signed. The signature is not checked: a token may be broken.
func (s *LogSigner) Sign(text []byte) ([]byte, error) {
	cp, err := ParseCheckpoint(string(text))
	if err != nil {
		return nil, err
	}
	if cp.Origin != s.vkey.Name {
		return nil, fmt.Errorf("%w: a checkpoint of %s, and the key is that of %s", ErrOrigin, cp.Origin, s.vkey.Name)
	}
	message, stamp := text, []byte(nil)
	if s.vkey.Alg == MLDSA44Cosignature {
		message, stamp = cosignedMessage(s.vkey.Name, 0, cp), make([]byte, 8)
	}
	sig, err := s.key.Sign(nil, message, crypto.Hash(0))
	if err != nil {
		return nil, err
	}
	return append(stamp, sig...), nil
}
