package api_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"strings"
	"testing"

	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/verify/record"
)

var b64 = base64.RawURLEncoding

// forged is a record taken apart, to be put together wrongly.
type forged struct {
	Payload    string      `json:"payload"`
	Signatures []forgedSig `json:"signatures"`
}

type forgedSig struct {
	Header    map[string]any `json:"header,omitempty"`
	Protected string         `json:"protected"`
	Signature string         `json:"signature"`
}

// forge returns a record with something changed.
func forge(t *testing.T, rec []byte, change func(*forged)) []byte {
	t.Helper()
	var f forged
	if err := json.Unmarshal(rec, &f); err != nil {
		t.Fatal(err)
	}
	change(&f)
	b, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// replaced returns base64url of the decoded text with old replaced by new; old
// must be there.
func replaced(t *testing.T, encoded, old, new string) string {
	t.Helper()
	b, err := b64.DecodeString(encoded)
	if err != nil || !strings.Contains(string(b), old) {
		t.Fatalf("%q is not in %q (%v)", old, b, err)
	}
	return b64.EncodeToString([]byte(strings.Replace(string(b), old, new, 1)))
}

// resign makes the first signature hold again, by the key of a name.
func resign(f *forged, name string) {
	sig := ed25519.Sign(ledgertest.Key(name), []byte(f.Signatures[0].Protected+"."+f.Payload))
	f.Signatures[0].Signature = b64.EncodeToString(sig)
}

// highS signs a record with a P-256 key, and with the s that is not accepted.
func highS(t *testing.T, rec []byte) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	jwk, err := record.NewJWK(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return forge(t, rec, func(f *forged) {
		f.Signatures = f.Signatures[:1]
		var h record.Header
		b, err := b64.DecodeString(f.Signatures[0].Protected)
		if err != nil || json.Unmarshal(b, &h) != nil {
			t.Fatalf("header %q: %v", b, err)
		}
		protected := replaced(t, f.Signatures[0].Protected, `"EdDSA"`, `"ES256"`)
		protected = replaced(t, protected, h.KID, jwk.KID())
		digest := sha256.Sum256([]byte(protected + "." + f.Payload))
		r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
		if err != nil {
			t.Fatal(err)
		}
		n := elliptic.P256().Params().N
		if s.Cmp(new(big.Int).Rsh(n, 1)) <= 0 {
			s.Sub(n, s)
		}
		sig := make([]byte, 64)
		r.FillBytes(sig[:32])
		s.FillBytes(sig[32:])
		f.Signatures[0] = forgedSig{Protected: protected, Signature: b64.EncodeToString(sig)}
	})
}
