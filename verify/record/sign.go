package record

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"encoding/asn1"

	"github.com/go-jose/go-jose/v4"
)

// Sign returns u with one more signature, by key: an Ed25519 or P-256
// crypto.Signer, so keys in hardware or an agent work too. An earlier signature
// by the same key is replaced. iat is in seconds since 1970; seq is the key's
// next number in this ledger; seen is the newest checkpoint that the signer has
// verified. u itself is unchanged.
func (u *Unverified) Sign(key crypto.Signer, iat, seq int64, seen Seen) (*Unverified, error) {
	jwk, err := NewJWK(key.Public())
	if err != nil {
		return nil, err
	}
	kid := jwk.KID()
	opaque := OpaqueSigner(key)
	opts := (&jose.SignerOptions{}).WithType(Typ).WithHeader("kid", kid).WithHeader("iat", iat).
		WithHeader("seq", seq).WithHeader("seen", map[string]any{"root": seen.Root, "size": seen.Size})
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(alg(key.Public())), Key: opaque}, opts)
	if err != nil {
		return nil, err
	}
	signed, err := signer.Sign(u.PayloadBytes())
	if err != nil {
		return nil, fmt.Errorf("sign as %s: %w", kid, err)
	}
	compact, err := signed.CompactSerialize()
	if err != nil {
		return nil, err
	}
	parts := strings.Split(compact, ".")
	out := jws{Payload: u.jws.Payload}
	for i, s := range u.jws.Signatures {
		if u.headers[i].KID != kid {
			out.Signatures = append(out.Signatures, s)
		}
	}
	at, _ := slices.BinarySearchFunc(out.Signatures, kid, func(s signature, kid string) int {
		return strings.Compare(headerKID(s), kid)
	})
	out.Signatures = slices.Insert(out.Signatures, at, signature{Protected: parts[0], Signature: parts[2]})
	return build(out)
}

// Merge returns u with the signatures of other added, which must state the
// same. Where both have a signature by one key, that of other is taken.
func (u *Unverified) Merge(other *Unverified) (*Unverified, error) {
	if !SamePayload(u, other) {
		return nil, errors.New("the two drafts state different things and can't be merged")
	}
	byKID := map[string]signature{}
	for i, h := range u.headers {
		byKID[h.KID] = u.jws.Signatures[i]
	}
	for i, h := range other.headers {
		byKID[h.KID] = other.jws.Signatures[i]
	}
	out := jws{Payload: u.jws.Payload, Signatures: []signature{}}
	for _, s := range byKID {
		out.Signatures = append(out.Signatures, s)
	}
	slices.SortFunc(out.Signatures, func(a, b signature) int { return strings.Compare(headerKID(a), headerKID(b)) })
	return build(out)
}

func headerKID(s signature) string {
	var h Header
	b, err := base64.RawURLEncoding.DecodeString(s.Protected)
	if err != nil || decode("", b, &h, h.check) != nil {
		return "" // only signatures that were parsed or just made come here
	}
	return h.KID
}

// OpaqueSigner lets go-jose sign with an Ed25519 or P-256 crypto.Signer, such as
// a key in hardware or in an agent. ES256 signatures get their low s.
func OpaqueSigner(key crypto.Signer) jose.OpaqueSigner { return opaqueSigner{key} }

// Alg returns the JWS algorithm (RFC 7518, RFC 8037) that goes with an
// ed25519.PublicKey or *ecdsa.PublicKey, or "".
func Alg(key crypto.PublicKey) string { return alg(key) }

type opaqueSigner struct{ crypto.Signer }

func (o opaqueSigner) Public() *jose.JSONWebKey { return &jose.JSONWebKey{Key: o.Signer.Public()} }

func (o opaqueSigner) Algs() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{jose.EdDSA, jose.ES256}
}

func (o opaqueSigner) SignPayload(payload []byte, _ jose.SignatureAlgorithm) ([]byte, error) {
	switch o.Signer.Public().(type) {
	case ed25519.PublicKey:
		return o.Sign(rand.Reader, payload, crypto.Hash(0))
	case *ecdsa.PublicKey:
		h := crypto.SHA256.New()
		h.Write(payload)
		der, err := o.Sign(rand.Reader, h.Sum(nil), crypto.SHA256)
		if err != nil {
			return nil, err
		}
		var rs struct{ R, S *big.Int }
		if rest, err := asn1.Unmarshal(der, &rs); err != nil || len(rest) > 0 || rs.R.BitLen() > 256 || rs.S.BitLen() > 256 {
			return nil, errors.New("the key made a signature that is not ECDSA on P-256")
		}
		sig := make([]byte, 64)
		rs.R.FillBytes(sig[:32])
		rs.S.FillBytes(sig[32:])
		return makeLowS(sig), nil
	}
	return nil, errors.New("neither an Ed25519 nor a P-256 key")
}
