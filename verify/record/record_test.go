package record_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"testing"

	"github.com/docket-ledger/docket/verify/record"
)

func edKey(t testing.TB, seed string) ed25519.PrivateKey {
	t.Helper()
	h := sha256.Sum256([]byte(seed))
	return ed25519.NewKeyFromSeed(h[:])
}

func ecKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

const ref = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"

func decision() *record.Decision {
	return &record.Decision{
		Common: record.Common{Ledger: "ledger.example.com/2026"},
		Action: record.Decline, Automation: record.Automation{Decision: "none", Detection: "manual"},
		Case: "case-1", DecidedAt: 1790000000, EffectiveAt: 1790000000, Facts: "f <&> \u2028 \U0001F600", Lang: "en", Reasons: "r",
		ServiceLayer: "security", Subject: record.Subject{Ref: ref, Type: "domain"},
		Trigger: record.Trigger{Kind: "own_initiative"},
	}
}

func TestSignAndOpen(t *testing.T) {
	d, err := record.NewDraft(decision())
	if err != nil {
		t.Fatal(err)
	}
	ring := record.Keyring{}
	u := d
	for _, k := range []string{"a", "b", "c"} {
		key := edKey(t, k)
		jwk, _ := record.NewJWK(key.Public())
		ring.Add(jwk)
		if u, err = u.Sign(key, 1790000000, 1, record.SeenNothing); err != nil {
			t.Fatal(err)
		}
	}
	ec := ecKey(t)
	jwk, _ := record.NewJWK(ec.Public())
	ring.Add(jwk)
	if u, err = u.Sign(ec, 1790000000, 1, record.SeenNothing); err != nil {
		t.Fatal(err)
	}
	c, err := record.Open(u.Bytes(), ring)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Headers()) != 4 {
		t.Errorf("%d signatures, want 4", len(c.Headers()))
	}
}

func BenchmarkOpen(b *testing.B) {
	d, _ := record.NewDraft(decision())
	key := edKey(b, "a")
	u, err := d.Sign(key, 1790000000, 1, record.SeenNothing)
	if err != nil {
		b.Fatal(err)
	}
	ring := record.Keyring{}
	jwk, _ := record.NewJWK(key.Public())
	ring.Add(jwk)
	b.Run("parse", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			record.Parse(u.Bytes())
		}
	})
	b.Run("open", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := record.Open(u.Bytes(), ring); err != nil {
				b.Fatal(err)
			}
		}
	})
}
