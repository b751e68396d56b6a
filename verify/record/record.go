// Package record defines the one statement that a ledger holds, and the only
// spelling of it that anyone accepts. docs/format.md says the same in words.
//
// A record is a JWS in General JSON Serialization (RFC 7515, Section 7.2.1)
// with one to sixteen signatures:
//
//	{"payload":"<base64url>","signatures":[{"protected":"<base64url>","signature":"<base64url>"}, …]}
//
// The object, each decoded protected header and the decoded payload are RFC 8785
// canonical JSON of strings, integers, booleans, arrays and objects; base64url
// is strict and without padding; signatures are sorted by kid, each kid once.
// The protected header is [Header], the payload one of the types that implement
// [Payload]. What parses encodes again to the same bytes, so a record has one
// spelling and one [ID]: its bytes, unchanged, are a leaf of the log (RFC 6962,
// Section 2.1).
//
// # Not checked here
//
// [Parse] checks the spelling, [Open] also the signatures. Whether the signers
// were entitled to say it is for package rules; whether the log holds it, for
// package verify.
package record

import (
	"encoding/base64"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

const (
	// MaxSize is the most bytes a record may have: the largest entry of a
	// c2sp.org/tlog-tiles bundle.
	MaxSize = 65535

	// MaxSignatures is the most signatures a record may carry.
	MaxSignatures = 16

	// MaxInt is the largest integer in a record, 2^53-1; the smallest is
	// its negative (RFC 8785, Section 3.2.2.3; RFC 7493, Section 2.2).
	MaxInt = 1<<53 - 1

	// Typ is the typ of every protected header.
	Typ = "docket-record"

	// ContentType is the media type of a record in HTTP.
	ContentType = "application/jose+json"
)

// An ID names a record: "d-" and the unpadded base64url of the RFC 6962 leaf
// hash of its bytes, 45 characters in all.
type ID string

// IDOf returns the id of the record with these bytes.
func IDOf(record []byte) ID { return HashID(tlog.RecordHash(record)) }

// HashID returns the id of the record with this leaf hash.
func HashID(leaf tlog.Hash) ID {
	return ID("d-" + base64.RawURLEncoding.EncodeToString(leaf[:]))
}

// Hash returns the leaf hash that id names. The error says what is wrong with
// an id that is not one.
func (id ID) Hash() (tlog.Hash, error) {
	var h tlog.Hash
	if len(id) != 45 || id[:2] != "d-" {
		return h, fmt.Errorf("record id %.60q is not d- and 43 characters of base64url", string(id))
	}
	b, err := decode64(string(id[2:]))
	if err != nil || len(b) != len(h) {
		return h, fmt.Errorf("record id %q is not d- and 43 characters of base64url", string(id))
	}
	return tlog.Hash(b), nil
}

// A Header is the protected header of one signature (RFC 7515, Section 4).
type Header struct {
	// Alg is EdDSA (Ed25519, RFC 8037) or ES256 (RFC 7518, low s only).
	Alg string `json:"alg"`
	// IAT is when the signer says it signed, in seconds since 1970.
	IAT int64 `json:"iat"`
	// KID is the RFC 7638 thumbprint of the signer's key.
	KID string `json:"kid"`
	// Seen is the newest checkpoint that the signer had verified.
	Seen Seen `json:"seen"`
	// Seq counts what this key has signed in this ledger: 1, 2, 3 …
	Seq int64 `json:"seq"`
	// Typ is the constant of this package.
	Typ string `json:"typ"`
}

// Seen is a tree that a signer had verified when it signed: the signature is
// not older than that tree.
type Seen struct {
	// Root is the unpadded base64url of the root hash; at size 0 of the
	// root of the empty tree.
	Root string `json:"root"`
	// Size counts the records of that tree; at most the index of the record.
	Size int64 `json:"size"`
}

// SeenTree returns the Seen of a tree.
func SeenTree(size int64, root tlog.Hash) Seen {
	return Seen{Root: base64.RawURLEncoding.EncodeToString(root[:]), Size: size}
}

// emptyRoot is the root of the tree of size 0, SHA-256 of nothing.
const emptyRoot = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"

// SeenNothing is the Seen of a signer before there is a checkpoint.
var SeenNothing = Seen{Root: emptyRoot}

// Hash returns the root hash. It is meaningful for a Seen that was parsed.
func (s Seen) Hash() tlog.Hash {
	var h tlog.Hash
	b, _ := base64.RawURLEncoding.DecodeString(s.Root)
	copy(h[:], b)
	return h
}

func (h *Header) check(c *checker) {
	c.oneOf("alg", h.Alg, algEdDSA, algES256)
	c.between("iat", h.IAT, 1, maxTime)
	c.hash("kid", h.KID)
	c.hash("seen/root", h.Seen.Root)
	c.between("seen/size", h.Seen.Size, 0, MaxInt)
	if h.Seen.Size == 0 && h.Seen.Root != emptyRoot {
		c.wrong("seen/root", quote(h.Seen.Root), "the root of the empty tree, "+emptyRoot+", for size 0")
	}
	c.between("seq", h.Seq, 1, MaxInt)
	c.oneOf("typ", h.Typ, Typ)
}
