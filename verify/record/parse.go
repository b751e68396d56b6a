package record

import (
	"encoding/base64"
	"fmt"
	"strings"
	"sync"

	"github.com/go-json-experiment/json"
	"golang.org/x/mod/sumdb/tlog"
)

// jws is the General JSON Serialization, and all of it that is accepted.
type jws struct {
	Payload    string      `json:"payload"`
	Signatures []signature `json:"signatures"`
}

type signature struct {
	Protected string `json:"protected"`
	Signature string `json:"signature"`
}

// Unverified is a record or a draft whose spelling was checked, but not its
// signatures. It is not changed once made and may be used concurrently.
type Unverified struct {
	bytes   []byte
	jws     jws
	payload Payload
	headers []Header
	raw     [][]byte // the decoded signatures

	hashed sync.Once
	leaf   tlog.Hash // once hashed
}

// Bytes returns the record as received; the caller must not change it.
func (u *Unverified) Bytes() []byte { return u.bytes }

// Leaf returns the RFC 6962 leaf hash of the record.
func (u *Unverified) Leaf() tlog.Hash {
	u.hashed.Do(func() { u.leaf = tlog.RecordHash(u.bytes) })
	return u.leaf
}

// ID returns the record's id. A draft has the id that it would have if nobody
// else signed.
func (u *Unverified) ID() ID { return HashID(u.Leaf()) }

// Payload returns what the record states; the caller must not change it.
func (u *Unverified) Payload() Payload { return u.payload }

// PayloadBytes returns the decoded payload, canonical JSON.
func (u *Unverified) PayloadBytes() []byte {
	b, _ := decode64(u.jws.Payload) // was decoded once already
	return b
}

// Headers returns the protected headers, sorted by kid; the caller must not
// change them.
func (u *Unverified) Headers() []Header { return u.headers }

// Parse reads a record and checks that it is spelled as this package says. It
// does not check the signatures. The error is an *Error; its code is Malformed,
// or Unsupported for a type or version that has no rules. b is retained.
func Parse(b []byte) (*Unverified, error) { return parse(b, 1) }

// ParseDraft is Parse for a record that may still have no signature.
func ParseDraft(b []byte) (*Unverified, error) { return parse(b, 0) }

func parse(b []byte, minSignatures int) (*Unverified, error) {
	if len(b) > MaxSize {
		return nil, malformed("record", "", fmt.Sprintf("%d bytes", len(b)), fmt.Sprintf("at most %d", MaxSize))
	}
	u := &Unverified{bytes: b}
	err := decode("record", b, &u.jws, func(c *checker) {
		if u.jws.Payload == "" {
			c.missing("payload", "the payload in base64url")
		}
		if n := len(u.jws.Signatures); n < minSignatures || n > MaxSignatures {
			c.wrong("signatures", fmt.Sprintf("%d signatures", n), fmt.Sprintf("1 to %d", MaxSignatures))
		}
	})
	if err != nil {
		return nil, explainJWS(err)
	}
	if err := u.parseSignatures(); err != nil {
		return nil, err
	}
	payload, err := decode64(u.jws.Payload)
	if err != nil {
		return nil, malformed("record", "payload", quote(u.jws.Payload), "strict base64url without padding (RFC 7515, Section 2)")
	}
	u.payload, err = parsePayload(payload)
	if err != nil {
		return nil, err
	}
	return u, nil
}

// explainJWS adds to an error about the outer object what people most often
// did to get it.
func explainJWS(err error) error {
	e, ok := err.(*Error)
	if !ok {
		return err
	}
	switch {
	case strings.HasSuffix(e.Member, "/header"):
		e.Want = "no unprotected header: alg, kid and all else are protected"
	case e.Member == "protected" || e.Member == "signature":
		e.Want = "General JSON Serialization: a signatures array, also for one signature"
	}
	return e
}

func (u *Unverified) parseSignatures() error {
	u.headers = make([]Header, len(u.jws.Signatures))
	u.raw = make([][]byte, len(u.jws.Signatures))
	for i, s := range u.jws.Signatures {
		part := fmt.Sprintf("signature %d", i+1)
		protected, err := decode64(s.Protected)
		if err != nil {
			return malformed(part, "protected", quote(s.Protected), "strict base64url without padding (RFC 7515, Section 2)")
		}
		if u.raw[i], err = decode64(s.Signature); err != nil || len(u.raw[i]) != 64 {
			return malformed(part, "signature", quote(s.Signature), "64 bytes in strict base64url without padding")
		}
		h := &u.headers[i]
		if err := decode(part, protected, h, h.check); err != nil {
			return err
		}
		c := checker{part: part}
		if i > 0 && u.headers[i-1].KID == h.KID {
			c.wrong("kid", "a key that signed already", "one signature by each key")
		}
		if i > 0 && u.headers[i-1].KID > h.KID {
			c.wrong("kid", quote(h.KID)+" after "+quote(u.headers[i-1].KID), "signatures sorted by kid")
		}
		if h.Alg == algES256 && !lowS(u.raw[i]) {
			c.wrong("signature", "an ES256 signature with high s", "the one with s of at most n/2")
		}
		if c.err != nil {
			return c.err
		}
	}
	return nil
}

// parsePayload picks the schema by type and version, then accepts exactly one
// spelling of it.
func parsePayload(b []byte) (Payload, error) {
	var head struct {
		V    *int64 `json:"v"`
		Type Type   `json:"type"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return nil, jsonError("payload", b, err)
	}
	p := newPayload(head.Type)
	switch {
	case head.V == nil:
		return nil, malformed("payload", "v", "nothing", "1")
	case *head.V != 1:
		return nil, &Error{Code: Unsupported, Part: "payload", Member: "v", Found: fmt.Sprint(*head.V), Want: "1"}
	case head.Type == "":
		return nil, malformed("payload", "type", "nothing", "the type of the record")
	case p == nil:
		return nil, &Error{Code: Unsupported, Part: "payload", Member: "type", Found: quote(string(head.Type)),
			Want: "one of " + words(Types)}
	}
	if err := decode("payload", b, p, p.check); err != nil {
		return nil, err
	}
	return p, nil
}

// NewDraft returns a record without signatures that states p. It sets v and
// type. The error is an *Error that names the member at fault.
func NewDraft(p Payload) (*Unverified, error) {
	h := p.Head()
	h.V = 1
	h.Type = typeOf(p)
	c := checker{part: "payload"}
	if p.check(&c); c.err != nil {
		return nil, c.err
	}
	payload, err := encode(p)
	if err != nil {
		return nil, malformed("payload", "", err.Error(), "text in UTF-8")
	}
	return build(jws{Payload: base64.RawURLEncoding.EncodeToString(payload), Signatures: []signature{}})
}

// build encodes and parses again, so that nothing leaves this package that it
// would not accept.
func build(j jws) (*Unverified, error) {
	b, err := encode(j)
	if err != nil {
		return nil, err
	}
	return ParseDraft(b)
}
