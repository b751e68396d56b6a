// Package proof proves to a ledger, with each request, that who sends it holds a
// key: DPoP as in RFC 9449, without an access token.
//
// The proof is a JWS in compact serialization in the header field DPoP. Its
// protected header has typ "dpop+jwt", alg EdDSA (Ed25519) or ES256, and the
// public key as jwk. Its claims:
//
//	jti   new for each request: at least 16 random bytes in unpadded base64url
//	htm   the method of the request
//	htu   the URL of the request, without query and fragment
//	iat   when the proof was made, in seconds since 1970
//	body  the unpadded base64url SHA-256 of the body; absent if there is none
//
// body is not of RFC 9449: with it a proof is good for one content, too. Other
// members are ignored, but crit is refused.
//
// # Not checked here
//
// Whether a key is one that may do what is asked is for the caller: Check asks
// Checker.Key before it spends a curve operation.
package proof

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/docket-ledger/docket/verify/record"
)

const (
	// Header is the header field of a proof.
	Header = "DPoP"
	// Typ is the typ of every proof.
	Typ = "dpop+jwt"

	// maxProof bounds a proof, in bytes.
	maxProof = 4096
	// minID and maxID bound jti, in characters: 16 bytes of base64url are 22.
	minID, maxID = 22, 128
)

// claims are what a proof states.
type claims struct {
	Body string `json:"body,omitempty"`
	HTM  string `json:"htm"`
	HTU  string `json:"htu"`
	IAT  int64  `json:"iat"`
	JTI  string `json:"jti"`
}

// Sign returns the proof for one request, signed by key: an Ed25519 or P-256
// crypto.Signer, so keys in hardware or an agent work too. rawURL is the URL of
// the request; body is nil or empty if it has none.
func Sign(key crypto.Signer, method, rawURL string, body []byte, now time.Time) (string, error) {
	alg := record.Alg(key.Public())
	if alg == "" {
		return "", fmt.Errorf("prove a request with a key of type %T, want Ed25519 or P-256", key.Public())
	}
	u, err := url.Parse(rawURL)
	if err != nil {
		return "", fmt.Errorf("prove a request: %w", err)
	}
	u.RawQuery, u.ForceQuery, u.Fragment, u.RawFragment, u.User = "", false, "", "", nil
	var id [16]byte
	rand.Read(id[:]) // never fails
	payload, err := json.Marshal(claims{
		Body: bodyHash(body), HTM: method, HTU: u.String(), IAT: now.Unix(), JTI: base64.RawURLEncoding.EncodeToString(id[:]),
	})
	if err != nil {
		return "", fmt.Errorf("prove a request: %w", err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(alg), Key: record.OpaqueSigner(key)},
		(&jose.SignerOptions{EmbedJWK: true}).WithType(Typ))
	if err != nil {
		return "", fmt.Errorf("prove a request: %w", err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("prove a request: %w", err)
	}
	return signed.CompactSerialize()
}

// bodyHash returns the claim body.
func bodyHash(body []byte) string {
	if len(body) == 0 {
		return ""
	}
	sum := sha256.Sum256(body)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// A Request is what a proof must be about.
type Request struct {
	Method string
	// URL is the URL of the request; its query and fragment don't count. If
	// it has no scheme (//host/path), a proof for http and one for https
	// will do: who serves behind a proxy can't tell.
	URL  string
	Body []byte
}

// Errors of Check. Each is wrapped with what is wrong in words.
var (
	// ErrMissing: there is no proof. Send one.
	ErrMissing = errors.New("this needs a proof of an enrolled key in the header field DPoP (RFC 9449)")
	// ErrInvalid: the proof does not hold, or not for this request now. Make
	// a new one.
	ErrInvalid = errors.New("the proof in the header field DPoP does not hold")
	// ErrReplayed: the proof was used before. Make a new one for each request.
	ErrReplayed = errors.New("the proof in the header field DPoP was used before: make a new one for each request")
	// ErrFull: so many proofs were made lately that a replay could not be
	// told. Wait.
	ErrFull = errors.New("too many proofs were made lately")
)

// A Checker checks proofs. It may be used concurrently.
type Checker struct {
	// Key says whether a key, by its thumbprint, may prove anything here;
	// its error is returned as it is. It is asked before the signature is
	// checked. Required.
	Key func(kid string) error

	used used
}

// header is the protected header of a proof.
type header struct {
	Alg string `json:"alg"`
	Typ string `json:"typ"`
	JWK struct {
		record.JWK
		// D must not be there: a private key.
		D jsontext.Value `json:"d"`
	} `json:"jwk"`
	Crit jsontext.Value `json:"crit"`
}

// Check checks the values of the header field DPoP of a request, and that the
// proof was not used before. The clocks of prover and checker may differ by
// tolerance. It returns the thumbprint of the key. The error wraps one of this
// package's, or is that of c.Key.
func (c *Checker) Check(fields []string, want Request, now time.Time, tolerance time.Duration) (kid string, err error) {
	if len(fields) == 0 {
		return "", ErrMissing
	}
	if len(fields) > 1 {
		return "", fmt.Errorf("%w: there are %d", ErrInvalid, len(fields))
	}
	h, cl, err := parse(fields[0])
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if err := cl.fit(want, now, tolerance); err != nil {
		return "", fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if kid = h.JWK.KID(); kid == "" {
		return "", fmt.Errorf("%w: jwk is no key", ErrInvalid)
	}
	if err := c.Key(kid); err != nil {
		return "", err
	}
	if err := h.verify(fields[0]); err != nil {
		return "", fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if err := c.used.add(kid, cl.JTI, now, 2*tolerance); err != nil {
		return "", err
	}
	return kid, nil
}

// parse takes a proof apart.
func parse(proof string) (*header, *claims, error) {
	if len(proof) > maxProof {
		return nil, nil, fmt.Errorf("it has %d bytes, more than %d", len(proof), maxProof)
	}
	parts := strings.Split(proof, ".")
	if len(parts) != 3 {
		return nil, nil, errors.New("it is no compact JWS, which is three parts with full stops between")
	}
	var h header
	var cl claims
	for i, v := range []any{&h, &cl, nil} {
		b, err := base64.RawURLEncoding.Strict().DecodeString(parts[i])
		if err != nil {
			return nil, nil, fmt.Errorf("part %d is no unpadded base64url", i+1)
		}
		if v == nil {
			break // the signature
		}
		if err := json.Unmarshal(b, v); err != nil {
			return nil, nil, fmt.Errorf("part %d is not the JSON object that it should be", i+1)
		}
	}
	switch {
	case h.Typ != Typ:
		return nil, nil, fmt.Errorf("typ is %.40q, want %q", h.Typ, Typ)
	case h.JWK.D != nil:
		return nil, nil, errors.New("jwk is a private key: make a new key, this one was just shown to others")
	case h.Crit != nil:
		return nil, nil, errors.New("crit names what is not known here")
	}
	return &h, &cl, nil
}

// fit checks that a proof is for this request, and for now.
func (cl *claims) fit(want Request, now time.Time, tolerance time.Duration) error {
	htu, err := normal(cl.HTU)
	if err != nil {
		return fmt.Errorf("htu is %.80q, want the URL of the request", cl.HTU)
	}
	wantURL := want.URL
	if strings.HasPrefix(wantURL, "//") {
		wantURL = htu.scheme + ":" + wantURL
	}
	url, err := normal(wantURL)
	if err != nil {
		return fmt.Errorf("the URL of the request, %.80q, is none", want.URL)
	}
	at := time.Unix(cl.IAT, 0)
	switch {
	case len(cl.JTI) < minID || len(cl.JTI) > maxID:
		return fmt.Errorf("jti has %d characters, want %d to %d", len(cl.JTI), minID, maxID)
	case cl.HTM != want.Method:
		return fmt.Errorf("htm is %.20q, want %q", cl.HTM, want.Method)
	case htu != url:
		return fmt.Errorf("htu is %.80q, want %.80q, the URL of the request", cl.HTU, want.URL)
	case at.Before(now.Add(-tolerance)) || at.After(now.Add(tolerance)):
		return fmt.Errorf("it was made at %s, and here it is %s, more than %s apart: set the clock",
			record.Time(cl.IAT), record.Time(now.Unix()), tolerance)
	case cl.Body != bodyHash(want.Body):
		return errors.New("body is not the hash of the body of the request")
	}
	return nil
}

// A target is a URL in the one form in which two are compared (RFC 9449,
// Section 4.3; RFC 3986, Sections 6.2.2 and 6.2.3).
type target struct{ scheme, host, path string }

func normal(raw string) (target, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return target{}, err
	}
	t := target{scheme: u.Scheme, host: strings.ToLower(u.Host), path: u.EscapedPath()}
	switch {
	case u.Opaque != "" || u.User != nil || u.Host == "":
		return target{}, errors.New("not scheme, host and path")
	case u.Scheme == "http":
		t.host = strings.TrimSuffix(t.host, ":80")
	case u.Scheme == "https":
		t.host = strings.TrimSuffix(t.host, ":443")
	default:
		return target{}, errors.New("neither http nor https")
	}
	if t.path == "" {
		t.path = "/"
	}
	return t, nil
}

// verify checks the signature with the key in the header.
func (h *header) verify(proof string) error {
	key, err := h.JWK.Key()
	if err != nil {
		return fmt.Errorf("jwk is no key: %w", err)
	}
	if h.Alg != record.Alg(key) {
		return fmt.Errorf("alg is %.20q, want %q for this key", h.Alg, record.Alg(key))
	}
	parsed, err := jose.ParseSignedCompact(proof, []jose.SignatureAlgorithm{jose.EdDSA, jose.ES256})
	if err == nil {
		_, err = parsed.Verify(key)
	}
	if err != nil {
		return errors.New("the signature is not one by the key in jwk")
	}
	return nil
}
