package verify_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"strings"
	"testing"

	"filippo.io/mldsa"

	"github.com/docket-ledger/docket/verify"
)

// TestCosigner: what a cosigner signs is what the tests' own signer signs, and
// holds.
func TestCosigner(t *testing.T) {
	logKey := newSigner(t, origin, verify.Ed25519, "log")
	signed := signNote(t, testCheckpoint.Text(), logKey)
	seed := sha256.Sum256([]byte("w"))
	ml, err := mldsa.NewPrivateKey(mldsa.MLDSA44(), seed[:])
	if err != nil {
		t.Fatal(err)
	}
	ed, err := verify.NewCosigner("w.example/1", ed25519.NewKeyFromSeed(seed[:]))
	if err != nil {
		t.Fatal(err)
	}
	pq, err := verify.NewCosigner("w.example/1", ml)
	if err != nil {
		t.Fatal(err)
	}
	p := parsePolicy(t, "log "+logKey.String(), "witness ed "+ed.VKey().String(), "witness pq "+pq.VKey().String(), "group both all ed pq", "quorum both")
	for _, c := range []verify.Cosigner{ed, pq} {
		line, err := c.Cosign(testCheckpoint, 1790000000)
		if err != nil {
			t.Fatal(err)
		}
		if want := newSigner(t, "w.example/1", c.VKey().Alg, "w"); c.VKey().Alg == verify.Ed25519Cosignature && line != want.line(t, testCheckpoint.Text()) {
			t.Errorf("signed %q", line)
		}
		signed = append(signed, line...)
	}
	s, err := p.Open(signed)
	if err != nil || len(s.Cosignatures) != 2 || s.Cosignatures[0].Time != 1790000000 || s.Cosignatures[1].Time != 1790000000 {
		t.Errorf("%+v, %v", s.Cosignatures, err)
	}

	if line, err := ed.Cosign(testCheckpoint, -1); err == nil {
		t.Errorf("signed at a negative time: %q", line)
	}
	if line, err := ed.Cosign(verify.Checkpoint{Origin: origin}, 1); err == nil {
		t.Errorf("signed an empty tree with another root: %q", line)
	}
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := verify.NewCosigner("w.example", p256); err == nil {
		t.Error("a cosigner with a P-256 key")
	}
	if _, err := verify.NewCosigner("w example", ml); err == nil {
		t.Error("a cosigner with a space in its name")
	}
}

// TestKeepLines: what is kept is what names the keys, in the order of the note.
func TestKeepLines(t *testing.T) {
	a, b, c := newSigner(t, origin, verify.Ed25519, "a"), newSigner(t, "b", verify.Ed25519Cosignature, "b"), newSigner(t, origin, verify.MLDSA44Cosignature, "c")
	all := signNote(t, testCheckpoint.Text(), a, b, c)
	for _, test := range []struct{ keep, want []*signer }{
		{nil, nil}, {[]*signer{b}, []*signer{b}}, {[]*signer{c, a}, []*signer{a, c}}, {[]*signer{c, b, a}, []*signer{a, b, c}},
	} {
		var keys []verify.VKey
		for _, s := range test.keep {
			keys = append(keys, s.VKey)
		}
		got, err := verify.KeepLines(all, keys...)
		if err != nil || strings.Count(string(got), "— ") != len(test.want) || !strings.HasPrefix(string(got), testCheckpoint.Text()+"\n") {
			t.Errorf("%q, %v", got, err)
		}
		if len(test.want) > 0 && test.want[len(test.want)-1].Alg != verify.MLDSA44Cosignature && string(got) != string(signNote(t, testCheckpoint.Text(), test.want...)) {
			t.Errorf("%q", got)
		}
	}
	if _, err := verify.KeepLines([]byte("no note\n")); err == nil {
		t.Error("kept lines of what is no note")
	}
}
