package record

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
)

const (
	algEdDSA = "EdDSA"
	algES256 = "ES256"
)

// A JWK is a public key: the members that RFC 7638 hashes, and no others.
// Ed25519 (RFC 8037) has crv, kty and x; P-256 (RFC 7518) also y.
type JWK struct {
	Crv string `json:"crv"`
	Kty string `json:"kty"`
	X   string `json:"x"`
	Y   string `json:"y,omitempty"`
}

// NewJWK returns the JWK of an ed25519.PublicKey or a P-256 *ecdsa.PublicKey.
// Other keys are an error.
func NewJWK(key crypto.PublicKey) (JWK, error) {
	b64 := base64.RawURLEncoding.EncodeToString
	switch key := key.(type) {
	case ed25519.PublicKey:
		if len(key) != ed25519.PublicKeySize {
			return JWK{}, fmt.Errorf("an Ed25519 key of %d bytes", len(key))
		}
		return JWK{Crv: "Ed25519", Kty: "OKP", X: b64(key)}, nil
	case *ecdsa.PublicKey:
		point, err := key.Bytes()
		if err != nil || key.Curve != elliptic.P256() {
			return JWK{}, fmt.Errorf("an ECDSA key that is not on P-256")
		}
		return JWK{Crv: "P-256", Kty: "EC", X: b64(point[1:33]), Y: b64(point[33:])}, nil
	}
	return JWK{}, fmt.Errorf("a key of type %T, want Ed25519 or P-256", key)
}

// KID returns the RFC 7638 thumbprint (SHA-256, unpadded base64url).
func (k JWK) KID() string {
	b, err := encode(k)
	if err != nil {
		return "" // a JWK that was parsed or made by NewJWK encodes
	}
	sum := sha256.Sum256(b)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Key returns the ed25519.PublicKey or *ecdsa.PublicKey that k spells. It
// refuses points that are not canonical, not on the curve or of small order.
func (k JWK) Key() (crypto.PublicKey, error) {
	x, err := decode64(k.X)
	if err != nil || len(x) != 32 {
		return nil, fmt.Errorf("x is not 32 bytes of base64url")
	}
	switch {
	case k.Kty == "OKP" && k.Crv == "Ed25519" && k.Y == "":
		if err := checkEd25519(x); err != nil {
			return nil, err
		}
		return ed25519.PublicKey(x), nil
	case k.Kty == "EC" && k.Crv == "P-256":
		y, err := decode64(k.Y)
		if err != nil || len(y) != 32 {
			return nil, fmt.Errorf("y is not 32 bytes of base64url")
		}
		point := append(append([]byte{4}, x...), y...)
		return ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	}
	return nil, fmt.Errorf("kty %q with crv %q is not OKP with Ed25519 or EC with P-256", k.Kty, k.Crv)
}

func (k JWK) check(c *checker, member string) {
	if _, err := k.Key(); err != nil {
		c.wrong(member, "a key with "+err.Error(), "an Ed25519 or P-256 public key (RFC 8037, RFC 7518)")
	}
}

// alg returns the algorithm that goes with a public key, or "".
func alg(key crypto.PublicKey) string {
	switch key.(type) {
	case ed25519.PublicKey:
		return algEdDSA
	case *ecdsa.PublicKey:
		return algES256
	}
	return ""
}

// smallOrder holds the y coordinates, little endian, of the eight points of
// small order on Curve25519: 0, 1, -1 and the two of order 8.
var smallOrder = [][32]byte{
	unhex("0000000000000000000000000000000000000000000000000000000000000000"),
	unhex("0100000000000000000000000000000000000000000000000000000000000000"),
	unhex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
	unhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
	unhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
}

func unhex(s string) (b [32]byte) {
	if n, err := hex.Decode(b[:], []byte(s)); err != nil || n != 32 {
		panic("bad constant " + s)
	}
	return b
}

// checkEd25519 refuses keys for which a signature would mean nothing (small
// order) or that have a second spelling (y of 2^255-19 or more). That the point
// is on the curve is left to the first signature: nothing verifies with one
// that is not.
func checkEd25519(key []byte) error {
	y := [32]byte(key)
	y[31] &= 0x7f // the sign of x
	for _, small := range smallOrder {
		if y == small {
			return fmt.Errorf("a point of small order")
		}
	}
	if y[31] == 0x7f && y[0] >= 0xed {
		for _, b := range y[1:31] {
			if b != 0xff {
				return nil
			}
		}
		return fmt.Errorf("a point that is not canonical")
	}
	return nil
}
