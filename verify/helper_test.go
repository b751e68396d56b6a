package verify_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"filippo.io/mldsa"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/verify"
)

const origin = "ledger.example.com/2026"

// A signer signs notes in one of the three ways; it is a note.Signer.
type signer struct {
	verify.VKey
	time uint64 // of cosignatures
	ed   ed25519.PrivateKey
	ml   *mldsa.PrivateKey
}

func newSigner(t testing.TB, name string, alg verify.Alg, seed string) *signer {
	t.Helper()
	h := sha256.Sum256([]byte(seed))
	s := &signer{VKey: verify.VKey{Name: name, Alg: alg}, time: 1790000000}
	if alg == verify.MLDSA44Cosignature {
		key, err := mldsa.NewPrivateKey(mldsa.MLDSA44(), h[:])
		if err != nil {
			t.Fatal(err)
		}
		s.ml, s.Key = key, key.PublicKey().Bytes()
		return s
	}
	s.ed = ed25519.NewKeyFromSeed(h[:])
	s.Key = s.ed.Public().(ed25519.PublicKey)
	return s
}

func (s *signer) Name() string    { return s.VKey.Name }
func (s *signer) KeyHash() uint32 { return s.ID() }

func (s *signer) Sign(text []byte) ([]byte, error) {
	stamp := binary.BigEndian.AppendUint64(nil, s.time)
	switch s.Alg {
	case verify.Ed25519:
		return ed25519.Sign(s.ed, text), nil
	case verify.Ed25519Cosignature:
		msg := fmt.Sprintf("cosignature/v1\ntime %d\n%s", s.time, text)
		return append(stamp, ed25519.Sign(s.ed, []byte(msg))...), nil
	}
	cp, err := verify.ParseCheckpoint(string(text))
	if err != nil {
		return nil, err
	}
	msg := "subtree/v1\n\x00" + string(rune(len(s.Name()))) + s.Name() + string(stamp) +
		string(rune(len(cp.Origin))) + cp.Origin + strings.Repeat("\x00", 8) +
		string(binary.BigEndian.AppendUint64(nil, uint64(cp.Size))) + string(cp.Root[:])
	sig, err := s.ml.SignDeterministic([]byte(msg), nil)
	return append(stamp, sig...), err
}

// line returns the signature line of s under text.
func (s *signer) line(t testing.TB, text string) string {
	t.Helper()
	sig, err := s.Sign([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	raw := append(binary.BigEndian.AppendUint32(nil, s.ID()), sig...)
	return "— " + s.Name() + " " + base64.StdEncoding.EncodeToString(raw) + "\n"
}

// signNote returns text signed by all of the signers.
func signNote(t testing.TB, text string, signers ...*signer) []byte {
	t.Helper()
	b := text + "\n"
	for _, s := range signers {
		b += s.line(t, text)
	}
	return []byte(b)
}

func parsePolicy(t testing.TB, lines ...string) *verify.Policy {
	t.Helper()
	p, err := verify.ParsePolicy([]byte(strings.Join(lines, "\n") + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// testCheckpoint is a checkpoint of a log of 1,234 entries that nobody has.
var testCheckpoint = verify.Checkpoint{Origin: origin, Size: 1234, Root: tlog.RecordHash([]byte("root"))}
