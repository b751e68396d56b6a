package proof_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"

	"github.com/docket-ledger/docket/api/proof"
	"github.com/docket-ledger/docket/verify/record"
)

const target = "https://ledger.example.com/2026/v1/drafts"

var (
	now    = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	staff  = ed25519.NewKeyFromSeed([]byte("a seed of thirty-two bytes: staff"[:32]))
	errKey = errors.New("no key in force")
)

func kid(t testing.TB, key crypto.Signer) string {
	t.Helper()
	jwk, err := record.NewJWK(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return jwk.KID()
}

func p256(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// checker takes proofs of the keys given.
func checker(t testing.TB, keys ...crypto.Signer) *proof.Checker {
	known := map[string]bool{}
	for _, k := range keys {
		known[kid(t, k)] = true
	}
	return &proof.Checker{Key: func(kid string) error {
		if !known[kid] {
			return errKey
		}
		return nil
	}}
}

func sign(t testing.TB, key crypto.Signer, method, url string, body []byte, at time.Time) string {
	t.Helper()
	p, err := proof.Sign(key, method, url, body, at)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestHolds(t *testing.T) {
	ec := p256(t)
	c := checker(t, staff, ec)
	for i, key := range []crypto.Signer{staff, ec} {
		for _, test := range []struct {
			signed, asked string
			body          string
			ahead         time.Duration
		}{
			{target, target, "", 0},
			{target, target, "{}", 0},
			{target + "?limit=3#top", target + "?limit=4", "", 0},
			{target, "//ledger.example.com/2026/v1/drafts", "", 0},
			{target, "//ledger.example.com:443/2026/v1/drafts", "", 0},
			{"HTTPS://Ledger.example.com:443/2026/v1/drafts", target, "", 0},
			{"http://127.0.0.1:8440/v1/drafts", "//127.0.0.1:8440/v1/drafts", "", 0},
			{"http://h:80/v1/drafts", "//h/v1/drafts", "", 0},
			{"http://h:443/v1/drafts", "//h:443/v1/drafts", "", 0},
			{"https://h", "//h/", "", 0},
			{target, target, "", time.Minute},
			{target, target, "", -time.Minute},
		} {
			p := sign(t, key, "POST", test.signed, []byte(test.body), now.Add(test.ahead))
			got, err := c.Check([]string{p}, proof.Request{Method: "POST", URL: test.asked, Body: []byte(test.body)}, now, time.Minute)
			if err != nil || got != kid(t, key) {
				t.Errorf("key %d, proof for %s of %s %q: got %q, %v", i, test.signed, test.asked, test.body, got, err)
			}
		}
	}
}

// made is a proof in parts that a test can change.
type made struct {
	header, claims map[string]any
	alg            jose.SignatureAlgorithm
	key            any
}

func newMade(t *testing.T) *made {
	t.Helper()
	jwk, err := record.NewJWK(staff.Public())
	if err != nil {
		t.Fatal(err)
	}
	return &made{
		header: map[string]any{"typ": "dpop+jwt", "jwk": map[string]any{"kty": jwk.Kty, "crv": jwk.Crv, "x": jwk.X}},
		claims: map[string]any{"jti": strings.Repeat("j", 22), "htm": "POST", "htu": target, "iat": now.Unix()},
		alg:    jose.EdDSA, key: staff,
	}
}

// proof signs what there is; by hand, since go-jose would not make bad ones.
func (m *made) proof(t *testing.T) string {
	t.Helper()
	part := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(b)
	}
	if _, ok := m.header["alg"]; !ok {
		m.header["alg"] = "EdDSA"
	}
	input := part(m.header) + "." + part(m.claims)
	return input + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(m.key.(ed25519.PrivateKey), []byte(input)))
}

func TestRefused(t *testing.T) {
	stranger := ed25519.NewKeyFromSeed(make([]byte, 32))
	jwkOf := func(m *made) map[string]any { return m.header["jwk"].(map[string]any) }
	for _, test := range []struct {
		what   string
		change func(m *made)
		want   error
		text   string
	}{
		{"nothing", func(m *made) {}, nil, ""},
		{"another typ", func(m *made) { m.header["typ"] = "JWT" }, proof.ErrInvalid, "typ"},
		{"a record's typ", func(m *made) { m.header["typ"] = record.Typ }, proof.ErrInvalid, "typ"},
		{"no alg", func(m *made) { m.header["alg"] = "" }, proof.ErrInvalid, "alg"},
		{"alg none", func(m *made) { m.header["alg"] = "none" }, proof.ErrInvalid, "alg"},
		{"alg HS256", func(m *made) { m.header["alg"] = "HS256" }, proof.ErrInvalid, "alg"},
		{"alg of another key", func(m *made) { m.header["alg"] = "ES256" }, proof.ErrInvalid, "alg"},
		{"crit", func(m *made) { m.header["crit"] = []string{"x"} }, proof.ErrInvalid, "crit"},
		{"no jwk", func(m *made) { delete(m.header, "jwk") }, errKey, ""},
		{"a private jwk", func(m *made) { jwkOf(m)["d"] = "AAAA" }, proof.ErrInvalid, "private"},
		{"a jwk with more", func(m *made) { jwkOf(m)["y"] = "AAAA" }, errKey, ""},
		{"jwk not an object", func(m *made) { m.header["jwk"] = "x" }, proof.ErrInvalid, "part 1"},
		{"a stranger's jwk", func(m *made) {
			jwk, err := record.NewJWK(stranger.Public())
			if err != nil {
				t.Fatal(err)
			}
			jwkOf(m)["x"], m.key = jwk.X, stranger
		}, errKey, ""},
		{"signed by another", func(m *made) { m.key = stranger }, proof.ErrInvalid, "signature"},
		{"no jti", func(m *made) { delete(m.claims, "jti") }, proof.ErrInvalid, "jti"},
		{"a short jti", func(m *made) { m.claims["jti"] = strings.Repeat("j", 21) }, proof.ErrInvalid, "jti"},
		{"a long jti", func(m *made) { m.claims["jti"] = strings.Repeat("j", 129) }, proof.ErrInvalid, "jti"},
		{"jti a number", func(m *made) { m.claims["jti"] = 1 }, proof.ErrInvalid, "part 2"},
		{"no htm", func(m *made) { delete(m.claims, "htm") }, proof.ErrInvalid, "htm"},
		{"another htm", func(m *made) { m.claims["htm"] = "GET" }, proof.ErrInvalid, "htm"},
		{"htm in lower case", func(m *made) { m.claims["htm"] = "post" }, proof.ErrInvalid, "htm"},
		{"no htu", func(m *made) { delete(m.claims, "htu") }, proof.ErrInvalid, "htu"},
		{"htu of another path", func(m *made) { m.claims["htu"] = target + "/" }, proof.ErrInvalid, "htu"},
		{"htu of another host", func(m *made) { m.claims["htu"] = "https://example.com/2026/v1/drafts" }, proof.ErrInvalid, "htu"},
		{"htu of another port", func(m *made) { m.claims["htu"] = "https://ledger.example.com:8440/2026/v1/drafts" }, proof.ErrInvalid, "htu"},
		{"htu of another scheme", func(m *made) { m.claims["htu"] = "http://ledger.example.com/2026/v1/drafts" }, proof.ErrInvalid, "htu"},
		{"htu a path", func(m *made) { m.claims["htu"] = "/2026/v1/drafts" }, proof.ErrInvalid, "htu"},
		{"htu without scheme", func(m *made) { m.claims["htu"] = "//ledger.example.com/2026/v1/drafts" }, proof.ErrInvalid, "htu"},
		{"htu of a file", func(m *made) { m.claims["htu"] = "file://ledger.example.com/2026/v1/drafts" }, proof.ErrInvalid, "htu"},
		{"htu with a user", func(m *made) { m.claims["htu"] = "https://u@ledger.example.com/2026/v1/drafts" }, proof.ErrInvalid, "htu"},
		{"no iat", func(m *made) { delete(m.claims, "iat") }, proof.ErrInvalid, "clock"},
		{"iat too old", func(m *made) { m.claims["iat"] = now.Unix() - 61 }, proof.ErrInvalid, "clock"},
		{"iat ahead", func(m *made) { m.claims["iat"] = now.Unix() + 61 }, proof.ErrInvalid, "clock"},
		{"iat far ahead", func(m *made) { m.claims["iat"] = int64(1) << 60 }, proof.ErrInvalid, "clock"},
		{"iat in words", func(m *made) { m.claims["iat"] = "now" }, proof.ErrInvalid, "part 2"},
		{"a body that is not there", func(m *made) { m.claims["body"] = strings.Repeat("A", 43) }, proof.ErrInvalid, "body"},
		{"the hash of no body", func(m *made) { m.claims["body"] = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU" }, proof.ErrInvalid, "body"},
	} {
		m := newMade(t)
		test.change(m)
		_, err := checker(t, staff).Check([]string{m.proof(t)}, proof.Request{Method: "POST", URL: target}, now, time.Minute)
		if !errors.Is(err, test.want) || err != nil && !strings.Contains(err.Error(), test.text) {
			t.Errorf("%s: got %v, want %v with %q", test.what, err, test.want, test.text)
		}
	}
}

// TestBody: a proof is for one body.
func TestBody(t *testing.T) {
	p := sign(t, staff, "POST", target, []byte("one"), now)
	for _, body := range []string{"", "two", "one "} {
		_, err := checker(t, staff).Check([]string{p}, proof.Request{Method: "POST", URL: target, Body: []byte(body)}, now, time.Minute)
		if !errors.Is(err, proof.ErrInvalid) || !strings.Contains(err.Error(), "body") {
			t.Errorf("body %q: got %v, want it refused", body, err)
		}
	}
}

func TestFields(t *testing.T) {
	p := newMade(t).proof(t)
	c := checker(t, staff)
	want := proof.Request{Method: "POST", URL: target}
	for _, test := range []struct {
		fields []string
		want   error
	}{
		{nil, proof.ErrMissing},
		{[]string{p, p}, proof.ErrInvalid},
		{[]string{""}, proof.ErrInvalid},
		{[]string{"..."}, proof.ErrInvalid},
		{[]string{p + "="}, proof.ErrInvalid},
		{[]string{p[:len(p)-1]}, proof.ErrInvalid},
		{[]string{p + "." + p}, proof.ErrInvalid},
		{[]string{strings.Repeat("A", 5000)}, proof.ErrInvalid},
		{[]string{`{"payload":"","signatures":[]}`}, proof.ErrInvalid},
		{[]string{p}, nil}, // none of these used it up
	} {
		if _, err := c.Check(test.fields, want, now, time.Minute); !errors.Is(err, test.want) {
			t.Errorf("%.60q: got %v, want %v", test.fields, err, test.want)
		}
	}
}

// TestReplay: a proof counts once, as long as it could count at all.
func TestReplay(t *testing.T) {
	other := p256(t)
	c := checker(t, staff, other)
	want := proof.Request{Method: "GET", URL: target}
	ahead := sign(t, staff, "GET", target, nil, now.Add(time.Minute)) // counts until now + 2 min
	if _, err := c.Check([]string{ahead}, want, now, time.Minute); err != nil {
		t.Fatal(err)
	}
	for _, after := range []time.Duration{0, time.Second, time.Minute, 2 * time.Minute} {
		at := now.Add(after)
		if _, err := c.Check([]string{sign(t, staff, "GET", target, nil, at)}, want, at, time.Minute); err != nil {
			t.Errorf("another proof after %s: %v", after, err)
		}
		if _, err := c.Check([]string{ahead}, want, at, time.Minute); !errors.Is(err, proof.ErrReplayed) {
			t.Errorf("the same after %s: got %v, want it refused", after, err)
		}
	}
	late := now.Add(2*time.Minute + time.Second)
	if _, err := c.Check([]string{ahead}, want, late, time.Minute); !errors.Is(err, proof.ErrInvalid) {
		t.Errorf("the same when it is too old: got %v", err)
	}
	if _, err := c.Check([]string{sign(t, other, "GET", target, nil, late.Add(time.Hour))}, want, late.Add(time.Hour), time.Minute); err != nil {
		t.Errorf("after a long time: %v", err)
	}
}

// TestFull: what is remembered is bounded, for each key on its own, and with
// time there is room again.
func TestFull(t *testing.T) {
	other := p256(t)
	c := checker(t, staff, other)
	full := proof.Fill(c, kid(t, staff), now)
	if !errors.Is(full, proof.ErrFull) {
		t.Fatalf("got %v, want ErrFull", full)
	}
	want := proof.Request{Method: "GET", URL: target}
	if _, err := c.Check([]string{sign(t, other, "GET", target, nil, now)}, want, now, time.Minute); err != nil {
		t.Errorf("another key: %v", err)
	}
	later := now.Add(2*time.Minute + time.Second)
	if _, err := c.Check([]string{sign(t, staff, "GET", target, nil, later)}, want, later, time.Minute); err != nil {
		t.Errorf("later: %v", err)
	}
}

func TestSignRefuses(t *testing.T) {
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := proof.Sign(p384, "GET", target, nil, now); err == nil {
		t.Errorf("P-384: got %s, want an error", p)
	}
	if p, err := proof.Sign(staff, "GET", "http://a b/", nil, now); err == nil {
		t.Errorf("no URL: got %s, want an error", p)
	}
}

// TestEveryByteCounts changes each character of a proof.
func TestEveryByteCounts(t *testing.T) {
	good := sign(t, staff, "GET", target, nil, now)
	want := proof.Request{Method: "GET", URL: target}
	for i := range good {
		bad := []byte(good)
		if bad[i]++; good[i] == 'z' {
			bad[i] = 'a'
		}
		if _, err := checker(t, staff).Check([]string{string(bad)}, want, now, time.Minute); err == nil {
			t.Errorf("taken with byte %d (%q) changed", i, good[i])
		}
	}
}

// FuzzCheck: nothing panics, and what is taken is a proof by the key.
func FuzzCheck(f *testing.F) {
	f.Add(sign(f, staff, "GET", target, nil, now))
	f.Add(sign(f, p256(f), "GET", target, nil, now))
	f.Add(sign(f, staff, "POST", target, []byte("body"), now))
	f.Add("e30.e30.")
	f.Fuzz(func(t *testing.T, p string) {
		got, err := checker(t, staff).Check([]string{p}, proof.Request{Method: "GET", URL: target}, now, time.Minute)
		if err != nil {
			if got != "" {
				t.Errorf("%q: %q with %v", p, got, err)
			}
			return
		}
		signed, err := jose.ParseSignedCompact(p, []jose.SignatureAlgorithm{jose.EdDSA})
		if err != nil || got != kid(t, staff) {
			t.Fatalf("took %q by %q: %v", p, got, err)
		}
		if _, err := signed.Verify(staff.Public()); err != nil {
			t.Errorf("took %q: %v", p, err)
		}
	})
}

func ExampleSign() {
	p, err := proof.Sign(staff, "GET", "https://ledger.example.com/v1/drafts", nil, time.Now())
	if err != nil {
		panic(err)
	}
	fmt.Println(strings.Count(p, "."))
	// Output: 2
}
