package record

import (
	"bytes"
	"crypto"
	"crypto/elliptic"
	"fmt"
	"math/big"
	"slices"

	"github.com/go-jose/go-jose/v4"
)

// Keys are the public keys that a ledger has enrolled, whatever became of them
// since: whether a key counts at an index is for package rules. It may be used
// concurrently.
type Keys interface {
	// Origin returns the ledger's origin, or "" as long as it has no charter.
	Origin() string
	// Key returns the ed25519.PublicKey or P-256 *ecdsa.PublicKey with this
	// thumbprint, or nil if it was never enrolled.
	Key(kid string) crypto.PublicKey
}

// Checked is a record whose spelling and signatures were checked. Only Open and
// Unverified.Verify make a useful one.
type Checked struct{ *unverified }

// unverified has the methods of Unverified, and a name that no other package
// can set in a Checked.
type unverified = Unverified

// Open reads a record and checks its spelling and every signature. Keys come
// from keys, and from the payload where it brings some, see NewKeyring; for a
// charter from there alone. The error is an *Error. b is retained.
func Open(b []byte, keys Keys) (Checked, error) {
	u, err := Parse(b)
	if err != nil {
		return Checked{}, err
	}
	return u.Verify(keys)
}

// Verify checks every signature of u, see Open. That a record is for another
// ledger or a key is unknown is found before any curve operation.
func (u *Unverified) Verify(keys Keys) (Checked, error) {
	if len(u.headers) == 0 {
		return Checked{}, malformed("record", "signatures", "no signature", "1 to 16")
	}
	head := u.payload.Head()
	if origin := keys.Origin(); origin != "" && origin != head.Ledger {
		return Checked{}, &Error{Code: LedgerMismatch, Part: "payload", Member: "ledger", Found: quote(head.Ledger), Want: quote(origin)}
	}
	own := NewKeyring(u.payload)
	found := make([]crypto.PublicKey, len(u.headers))
	for i, h := range u.headers {
		if found[i] = own.Key(h.KID); found[i] == nil && head.Type != TypeCharter {
			found[i] = keys.Key(h.KID)
		}
		if found[i] == nil {
			return Checked{}, &Error{Code: KeyUnknown, Part: part(i), Member: "kid", Found: quote(h.KID), Want: "a key that is enrolled in this ledger"}
		}
	}
	for i, h := range u.headers {
		if alg(found[i]) != h.Alg {
			return Checked{}, &Error{Code: SignatureInvalid, Part: part(i), Member: "alg", Found: quote(h.Alg), Want: alg(found[i]) + ", as the key has it"}
		}
		if err := u.verifyOne(i, found[i]); err != nil {
			return Checked{}, err
		}
	}
	return Checked{u}, nil
}

func part(i int) string { return fmt.Sprintf("signature %d", i+1) }

// verifyOne lets go-jose check signature i, as a compact JWS of the same parts:
// each signature meets only the key that it names.
func (u *Unverified) verifyOne(i int, key crypto.PublicKey) error {
	s := u.jws.Signatures[i]
	compact := make([]byte, 0, len(s.Protected)+len(u.jws.Payload)+len(s.Signature)+2)
	compact = append(append(compact, s.Protected...), '.')
	compact = append(append(compact, u.jws.Payload...), '.')
	compact = append(compact, s.Signature...)
	parsed, err := jose.ParseSignedCompact(string(compact), []jose.SignatureAlgorithm{jose.EdDSA, jose.ES256})
	if err == nil {
		_, err = parsed.Verify(key)
	}
	if err != nil {
		return &Error{Code: SignatureInvalid, Part: part(i), Found: "a signature that does not hold for this text and key",
			Want: "the signature of " + u.headers[i].KID}
	}
	return nil
}

// A Keyring is a set of public keys by thumbprint, with no ledger. It is a Keys.
type Keyring map[string]crypto.PublicKey

// NewKeyring returns the keys that a payload brings with it: all keys of a
// charter, the recovery keys of an amendment, the new key of a key.enrol, the
// filer's key of an appeal, none otherwise.
func NewKeyring(p Payload) Keyring {
	ring := Keyring{}
	switch p := p.(type) {
	case *Charter:
		for _, f := range p.Founders {
			ring.Add(f.JWK)
		}
		for _, k := range p.Recovery.Keys {
			ring.Add(k)
		}
	case *CharterAmend:
		for _, k := range p.Recovery.Keys {
			ring.Add(k)
		}
	case *KeyEnrol:
		ring.Add(p.JWK)
	case *Appeal:
		if p.FilerJWK != nil {
			ring.Add(*p.FilerJWK)
		}
	}
	return ring
}

// Add adds a key; one that is no key is left out.
func (r Keyring) Add(k JWK) {
	if key, err := k.Key(); err == nil {
		r[k.KID()] = key
	}
}

// Origin returns "".
func (r Keyring) Origin() string { return "" }

// Key returns the key with this thumbprint, or nil.
func (r Keyring) Key(kid string) crypto.PublicKey { return r[kid] }

var halfOrder = new(big.Int).Rsh(elliptic.P256().Params().N, 1)

// lowS reports whether the s of an ES256 signature (r ‖ s) is at most n/2.
func lowS(sig []byte) bool {
	return new(big.Int).SetBytes(sig[32:]).Cmp(halfOrder) <= 0
}

// makeLowS replaces s by n-s where that is the lower one.
func makeLowS(sig []byte) []byte {
	if lowS(sig) {
		return sig
	}
	sig = slices.Clone(sig)
	s := new(big.Int).SetBytes(sig[32:])
	s.Sub(elliptic.P256().Params().N, s).FillBytes(sig[32:])
	return sig
}

// SamePayload reports whether two records state the same.
func SamePayload(a, b *Unverified) bool {
	return bytes.Equal([]byte(a.jws.Payload), []byte(b.jws.Payload))
}
