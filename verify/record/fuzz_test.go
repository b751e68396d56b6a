package record_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"testing"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/docket-ledger/docket/verify/record"
)

// seed adds all vectors; vectors is fatal if there are none.
func seed(f *testing.F) {
	for _, dir := range []string{"good", "refused"} {
		for _, b := range vectors(f, dir) {
			f.Add(b)
		}
	}
}

// refusal demands of an error that it is one of this package's, with words.
func refusal(t *testing.T, err error) {
	var e *record.Error
	if !errors.As(err, &e) || e.Code == "" || e.Part == "" || e.Found == "" || e.Want == "" {
		t.Errorf("error %v (%T), want a *record.Error with all its words", err, err)
	}
}

// isCanonical demands that b is its own canonical JSON.
func isCanonical(t *testing.T, what string, b []byte) {
	value := jsontext.Value(bytes.Clone(b))
	if err := value.Canonicalize(); err != nil || !bytes.Equal(value, b) {
		t.Errorf("%s %q has the canonical form %q (%v)", what, b, value, err)
	}
}

// FuzzParse: what parses is canonical on each level and encodes again to the
// same bytes.
func FuzzParse(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		u, err := record.ParseDraft(b)
		if err != nil {
			refusal(t, err)
			return
		}
		if !bytes.Equal(u.Bytes(), b) || u.ID() != record.IDOf(b) {
			t.Errorf("%q is kept as %q", b, u.Bytes())
		}
		isCanonical(t, "record", b)
		isCanonical(t, "payload", u.PayloadBytes())
		sameAgain(t, u)
		var envelope struct {
			Payload    string
			Signatures []struct{ Protected, Signature string }
		}
		if err := json.Unmarshal(b, &envelope); err != nil {
			t.Fatal(err)
		}
		again := loose{payload: b64(string(u.PayloadBytes()))}
		for _, s := range envelope.Signatures {
			protected, _ := base64.RawURLEncoding.DecodeString(s.Protected)
			isCanonical(t, "header", protected)
			sig, _ := base64.RawURLEncoding.DecodeString(s.Signature)
			again.sigs = append(again.sigs, looseSig{b64(string(protected)), b64(string(sig))})
		}
		if again.String() != string(b) {
			t.Errorf("%q has a second spelling %q", b, again)
		}
		if _, err := record.Parse(b); (err == nil) != (len(u.Headers()) > 0) {
			t.Errorf("Parse: %v, with %d signatures", err, len(u.Headers()))
		}
	})
}

// FuzzPayload is FuzzParse below the base64.
func FuzzPayload(f *testing.F) {
	for _, b := range vectors(f, "good") {
		u, err := record.Parse(b)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(u.PayloadBytes())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		u, err := parsePayload(string(b))
		if err != nil {
			refusal(t, err)
			return
		}
		isCanonical(t, "payload", b)
		sameAgain(t, u)
	})
}

// FuzzHeader: a header that parses is canonical.
func FuzzHeader(f *testing.F) {
	f.Add([]byte(header(f, edKey("a"))))
	f.Add([]byte(header(f, ecKey(f, "a"))))
	payload := b64(string(draft(f, plain(f)).PayloadBytes()))
	signature := b64(string(make([]byte, 64)))
	f.Fuzz(func(t *testing.T, b []byte) {
		u, err := record.Parse([]byte(loose{payload, []looseSig{{b64(string(b)), signature}}}.String()))
		if err != nil {
			refusal(t, err)
			return
		}
		isCanonical(t, "header", b)
		h := u.Headers()[0]
		if h.Typ != record.Typ || h.Seq < 1 || h.Seq > record.MaxInt || h.Seen.Size < 0 || h.IAT < 1 || len(h.KID) != 43 {
			t.Errorf("accepted the header %+v", h)
		}
	})
}

// FuzzOpen: what opens has signatures that the standard library finds good.
func FuzzOpen(f *testing.F) {
	seed(f)
	ring := goldenRing(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := record.Open(b, ring)
		if err != nil {
			refusal(t, err)
			return
		}
		own := record.NewKeyring(c.Payload())
		var envelope struct {
			Payload    string
			Signatures []struct{ Protected, Signature string }
		}
		if err := json.Unmarshal(b, &envelope); err != nil {
			t.Fatal(err)
		}
		for i, h := range c.Headers() {
			s := envelope.Signatures[i]
			sig, _ := base64.RawURLEncoding.DecodeString(s.Signature)
			input := []byte(s.Protected + "." + envelope.Payload)
			key := own.Key(h.KID)
			if key == nil {
				key = ring.Key(h.KID)
			}
			holds := false
			switch key := key.(type) {
			case ed25519.PublicKey:
				holds = ed25519.Verify(key, input, sig)
			case *ecdsa.PublicKey:
				sum := sha256.Sum256(input)
				holds = ecdsa.Verify(key, sum[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:]))
			}
			if !holds {
				t.Errorf("%q opens, but its signature %d does not hold", b, i+1)
			}
		}
	})
}
