package verify_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"testing"

	"github.com/docket-ledger/docket/verify"
)

// TestLogSigner signs checkpoints of its log, with keys of both types, and nothing
// else.
func TestLogSigner(t *testing.T) {
	ed, ml := newSigner(t, origin, verify.Ed25519, "log"), newSigner(t, origin, verify.MLDSA44Cosignature, "log")
	for _, key := range []crypto.Signer{ed.ed, ml.ml} {
		s, err := verify.NewLogSigner(origin, key)
		if err != nil {
			t.Fatal(err)
		}
		signed, err := testCheckpoint.Sign(s)
		if err != nil {
			t.Fatal(err)
		}
		got, err := parsePolicy(t, "log "+s.VKey().String(), "quorum none").Open(signed)
		if err != nil || got.LogKey.String() != s.VKey().String() {
			t.Errorf("%T: opened as %+v, %v", key, got, err)
		}
		other := testCheckpoint
		other.Origin = "other.example.com"
		for _, text := range []string{other.Text(), testCheckpoint.Text() + "extension\n", "message"} {
			if _, err := s.Sign([]byte(text)); err == nil {
				t.Errorf("%T: signed %q", key, text)
			}
		}
		if _, err := verify.NewLogSigner("a b", key); err == nil {
			t.Errorf("%T: a name with a space", key)
		}
	}
	foreign, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := verify.NewLogSigner(origin, foreign); err == nil {
		t.Error("a log key of P-256")
	}
}
