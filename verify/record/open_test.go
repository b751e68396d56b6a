package record_test

import (
	"crypto"
	"crypto/ed25519"
	"fmt"
	"testing"

	"github.com/docket-ledger/docket/verify/record"
)

// TestOpen: where the keys come from, and what ends the examination.
func TestOpen(t *testing.T) {
	a, b := edKey("a"), ecKey(t, "b")
	u := sign(t, draft(t, plain(t)), a, b)
	unknown := func(n int, key crypto.Signer) fault {
		return fault{record.KeyUnknown, fmt.Sprintf("signature %d", n), "kid", jwkOf(t, key).KID(), "a key that is enrolled in this ledger"}
	}
	nth := func(u *record.Unverified, key crypto.Signer) int {
		for i, h := range u.Headers() {
			if h.KID == jwkOf(t, key).KID() {
				return i + 1
			}
		}
		t.Fatal("not signed by that key")
		return 0
	}
	_, err := record.Open(u.Bytes(), ringOf(t, a))
	unknown(nth(u, b), b).check(t, err)
	_, err = record.Open(u.Bytes(), ringOf(t, b))
	unknown(nth(u, a), a).check(t, err)
	_, err = record.Open(u.Bytes(), ledger{ringOf(t, a, b), "ledger.example.org/2027"})
	fault{record.LedgerMismatch, "payload", "ledger", `"` + origin + `"`, `"ledger.example.org/2027"`}.check(t, err)
	if _, err = record.Open(u.Bytes(), ledger{ringOf(t, a, b), origin}); err != nil {
		t.Error(err)
	}

	// Another ledger is said before an unknown key, that before a signature
	// that does not hold: no curve operation for strangers.
	_, err = record.Open(u.Bytes(), ledger{record.Keyring{}, "elsewhere.example.com"})
	if record.CodeOf(err) != record.LedgerMismatch {
		t.Errorf("%v, want ledger.mismatch first", err)
	}
	payload := string(draft(t, plain(t)).PayloadBytes())
	forged := looseSign(t, edKey("x"), header(t, a), payload)
	stranger := looseSign(t, edKey("s"), header(t, edKey("s")), payload)
	sigs := []looseSig{forged, stranger}
	if jwkOf(t, a).KID() > jwkOf(t, edKey("s")).KID() {
		sigs = []looseSig{stranger, forged}
	}
	_, err = record.Open([]byte(loose{b64(payload), sigs}.String()), ringOf(t, a))
	if record.CodeOf(err) != record.KeyUnknown {
		t.Errorf("%v, want key.unknown before signature.invalid", err)
	}
}

// TestOpenCharter: a charter is checked with its own keys only.
func TestOpenCharter(t *testing.T) {
	all := []crypto.Signer{edKey("ada"), edKey("bob"), ecKey(t, "eve"), edKey("safe")}
	u := sign(t, draft(t, charter(t)), all...)
	if _, err := record.Open(u.Bytes(), record.Keyring{}); err != nil {
		t.Error(err)
	}
	known := edKey("known elsewhere")
	u = sign(t, u, known)
	_, err := record.Open(u.Bytes(), ringOf(t, known))
	if record.CodeOf(err) != record.KeyUnknown {
		t.Errorf("a charter signed by a key that is not in it: %v, want key.unknown", err)
	}
}

// TestOpenEnrol: the new key comes from the payload, the others do not.
func TestOpenEnrol(t *testing.T) {
	u := sign(t, draft(t, enrol(t)), edKey("dan"), edKey("ada"))
	if _, err := record.Open(u.Bytes(), ringOf(t, edKey("ada"))); err != nil {
		t.Error(err)
	}
	if _, err := record.Open(u.Bytes(), record.Keyring{}); record.CodeOf(err) != record.KeyUnknown {
		t.Errorf("an enrolment with a registrar that nobody knows: %v, want key.unknown", err)
	}
	u = sign(t, draft(t, revoke(t)), edKey("dan"))
	if _, err := record.Open(u.Bytes(), record.Keyring{}); record.CodeOf(err) != record.KeyUnknown {
		t.Errorf("a revocation brings no key: %v, want key.unknown", err)
	}
}

// confused is a Keys that returns another key than the one asked for.
type confused struct{ crypto.PublicKey }

func (c confused) Origin() string              { return "" }
func (c confused) Key(string) crypto.PublicKey { return c.PublicKey }

// TestOpenConfused: whatever Keys returns, what does not fit does not hold.
func TestOpenConfused(t *testing.T) {
	u := sign(t, draft(t, plain(t)), edKey("a"))
	for _, key := range []crypto.PublicKey{edKey("b").Public(), ecKey(t, "a").Public(), "no key", edKey("a"), []byte("secret"), ed25519.PublicKey{}} {
		if _, err := record.Open(u.Bytes(), confused{key}); record.CodeOf(err) != record.SignatureInvalid {
			t.Errorf("with a key of type %T: %v, want signature.invalid", key, err)
		}
	}
}

// TestVerifyParsed: Parse and Verify together are Open.
func TestVerifyParsed(t *testing.T) {
	ring := goldenRing(t)
	for name, b := range vectors(t, "good") {
		u, err := record.Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		c, err := u.Verify(ring)
		if err != nil || c.ID() != record.IDOf(b) || string(c.Bytes()) != string(b) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
