package record_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/docket-ledger/docket/verify/record"
)

const (
	origin  = "ledger.example.com/2026"
	now     = 1790000000 // 2026-09-21T14:13:20Z
	someRef = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"
	someID  = "d-" + someRef
)

// edKey returns the Ed25519 key whose seed is the SHA-256 of a name.
func edKey(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

// ecKey returns the P-256 key whose number is the SHA-256 of a name.
func ecKey(t testing.TB, name string) *ecdsa.PrivateKey {
	t.Helper()
	d := sha256.Sum256([]byte(name))
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), d[:])
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// steady signs as RFC 6979 says, without chance, so that vectors stay the same.
type steady struct{ *ecdsa.PrivateKey }

func (s steady) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return s.PrivateKey.Sign(nil, digest, opts)
}

func jwkOf(t testing.TB, key crypto.Signer) record.JWK {
	t.Helper()
	jwk, err := record.NewJWK(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return jwk
}

func ringOf(t testing.TB, keys ...crypto.Signer) record.Keyring {
	t.Helper()
	ring := record.Keyring{}
	for _, key := range keys {
		ring.Add(jwkOf(t, key))
	}
	if len(ring) != len(keys) {
		t.Fatalf("a ring of %d keys, want %d", len(ring), len(keys))
	}
	return ring
}

// ledger is a Keys with an origin.
type ledger struct {
	record.Keyring
	origin string
}

func (l ledger) Origin() string { return l.origin }

func draft(t testing.TB, p record.Payload) *record.Unverified {
	t.Helper()
	u, err := record.NewDraft(p)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func sign(t testing.TB, u *record.Unverified, keys ...crypto.Signer) *record.Unverified {
	t.Helper()
	for _, key := range keys {
		var err error
		if u, err = u.Sign(key, now, 1, record.SeenNothing); err != nil {
			t.Fatal(err)
		}
	}
	return u
}

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// A loose record is put together from text, so that it can be wrong in ways
// that Sign does not offer.
type loose struct {
	payload string // base64url
	sigs    []looseSig
}

type looseSig struct{ protected, signature string } // base64url

func (l loose) String() string {
	var sigs []string
	for _, s := range l.sigs {
		sigs = append(sigs, fmt.Sprintf(`{"protected":"%s","signature":"%s"}`, s.protected, s.signature))
	}
	return fmt.Sprintf(`{"payload":"%s","signatures":[%s]}`, l.payload, strings.Join(sigs, ","))
}

// looseSign signs header and payload, whatever they are, as RFC 7515 says.
func looseSign(t testing.TB, key crypto.Signer, header, payload string) looseSig {
	t.Helper()
	input := []byte(b64(header) + "." + b64(payload))
	var sig []byte
	switch key := key.(type) {
	case ed25519.PrivateKey:
		sig = ed25519.Sign(key, input)
	case *ecdsa.PrivateKey:
		sum := sha256.Sum256(input)
		der, err := key.Sign(nil, sum[:], crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		var rs struct{ R, S *big.Int }
		if _, err := asn1.Unmarshal(der, &rs); err != nil {
			t.Fatal(err)
		}
		if flipped := flipS(rs.S); flipped.Cmp(rs.S) < 0 {
			rs.S = flipped
		}
		sig = append(rs.R.FillBytes(make([]byte, 32)), rs.S.FillBytes(make([]byte, 32))...)
	}
	return looseSig{b64(header), b64(string(sig))}
}

// flipS returns n-s: with it a signature holds as well.
func flipS(s *big.Int) *big.Int { return new(big.Int).Sub(elliptic.P256().Params().N, s) }

// header is a good protected header.
func header(t testing.TB, key crypto.Signer) string {
	t.Helper()
	alg := "EdDSA"
	if _, ok := key.(*ecdsa.PrivateKey); ok {
		alg = "ES256"
	}
	return fmt.Sprintf(`{"alg":"%s","iat":%d,"kid":"%s","seen":{"root":"%s","size":0},"seq":1,"typ":"docket-record"}`,
		alg, now, jwkOf(t, key).KID(), someRef)
}

// joseAccepts reports whether go-jose, left to itself, parses a JWS and finds
// in it a signature of key that holds.
func joseAccepts(text string, key crypto.Signer) bool {
	parsed, err := jose.ParseSignedJSON(text, []jose.SignatureAlgorithm{jose.EdDSA, jose.ES256})
	if err != nil {
		return false
	}
	if len(parsed.Signatures) == 1 {
		_, err = parsed.Verify(key.Public())
	} else {
		_, _, _, err = parsed.VerifyMulti(key.Public())
	}
	return err == nil
}

// A fault is what an error of this package must say. Empty members of it must
// be empty there; found and want need only be contained.
type fault struct {
	code                      record.Code
	part, member, found, want string
}

func (f fault) check(t testing.TB, err error) {
	t.Helper()
	var e *record.Error
	switch {
	case err == nil:
		t.Errorf("accepted, want %s", f.code)
	case !errors.As(err, &e):
		t.Errorf("error %v of type %T, want a *record.Error", err, err)
	case e.Code != f.code || e.Part != f.part || e.Member != f.member ||
		!strings.Contains(e.Found, f.found) || !strings.Contains(e.Want, f.want):
		t.Errorf("error %q\nwant  %q", err, (&record.Error{Code: f.code, Part: f.part, Member: f.member, Found: f.found, Want: f.want}).Error())
	case f.found == "" || f.want == "":
		t.Errorf("the row does not say what the words of %q should be", err)
	}
}
