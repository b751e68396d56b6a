package record_test

import (
	"crypto"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math/big"
	"slices"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/docket-ledger/docket/verify/record"
)

// TestThumbprint: RFC 8037, Appendix A.3, and the P-256 key of RFC 7517,
// Appendix A.1.
func TestThumbprint(t *testing.T) {
	ed := record.JWK{Crv: "Ed25519", Kty: "OKP", X: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
	if got, want := ed.KID(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"; got != want {
		t.Errorf("thumbprint %s, want %s", got, want)
	}
	ec := record.JWK{Crv: "P-256", Kty: "EC", X: "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", Y: "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}
	sum := sha256.Sum256([]byte(`{"crv":"P-256","kty":"EC","x":"` + ec.X + `","y":"` + ec.Y + `"}`))
	if got, want := ec.KID(), base64.RawURLEncoding.EncodeToString(sum[:]); got != want {
		t.Errorf("thumbprint %s, want %s", got, want)
	}
	for _, jwk := range []record.JWK{ed, ec} {
		key, err := jwk.Key()
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := (&jose.JSONWebKey{Key: key}).Thumbprint(crypto.SHA256)
		if err != nil || base64.RawURLEncoding.EncodeToString(theirs) != jwk.KID() {
			t.Errorf("go-jose has thumbprint %x (%v), want %s", theirs, err, jwk.KID())
		}
		if again, err := record.NewJWK(key); err != nil || again != jwk {
			t.Errorf("%v comes back as %v, %v", jwk, again, err)
		}
	}
}

func TestNewJWKRefuses(t *testing.T) {
	for _, key := range []crypto.PublicKey{nil, "key", ed25519.PublicKey{1, 2}, edKey("a"), ecKey(t, "a")} {
		if jwk, err := record.NewJWK(key); err == nil {
			t.Errorf("NewJWK(%T) = %v, want an error", key, jwk)
		}
	}
}

// A curve point in affine coordinates; a second implementation of Curve25519 in
// Edwards form, from its equation -x²+y² = 1+dx²y² (RFC 8032, Section 5.1).
type point struct{ x, y *big.Int }

var (
	prime = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	curve = mod(new(big.Int).Mul(big.NewInt(-121665), new(big.Int).ModInverse(big.NewInt(121666), prime)))
)

func mod(n *big.Int) *big.Int { return new(big.Int).Mod(n, prime) }

func mul(factors ...*big.Int) *big.Int {
	n := big.NewInt(1)
	for _, f := range factors {
		n = mod(new(big.Int).Mul(n, f))
	}
	return n
}

func add(p, q point) point {
	dxy := mul(curve, p.x, q.x, p.y, q.y)
	one := big.NewInt(1)
	x := mul(new(big.Int).Add(mul(p.x, q.y), mul(p.y, q.x)), new(big.Int).ModInverse(mod(new(big.Int).Add(one, dxy)), prime))
	y := mul(new(big.Int).Add(mul(p.y, q.y), mul(p.x, q.x)), new(big.Int).ModInverse(mod(new(big.Int).Sub(one, dxy)), prime))
	return point{x, y}
}

func (p point) times(n *big.Int) point {
	sum := point{big.NewInt(0), big.NewInt(1)}
	for i := n.BitLen() - 1; i >= 0; i-- {
		if sum = add(sum, sum); n.Bit(i) == 1 {
			sum = add(sum, p)
		}
	}
	return sum
}

// atY returns a point with this y, if there is one.
func atY(y *big.Int) (point, bool) {
	yy := mul(y, y)
	xx := mul(new(big.Int).Sub(yy, big.NewInt(1)), new(big.Int).ModInverse(mod(new(big.Int).Add(mul(curve, yy), big.NewInt(1))), prime))
	x := new(big.Int).ModSqrt(xx, prime)
	return point{x, y}, x != nil
}

// spell returns 32 bytes, little endian, with the sign on top.
func spell(y *big.Int, sign uint) []byte {
	b := y.FillBytes(make([]byte, 32))
	slices.Reverse(b)
	b[31] |= byte(sign << 7)
	return b
}

// smallOrder computes the eight points whose eighth multiple is the neutral one.
func smallOrder(t *testing.T) []point {
	t.Helper()
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	neutral := point{big.NewInt(0), big.NewInt(1)}
	for y := int64(2); y < 100; y++ {
		p, ok := atY(big.NewInt(y))
		if !ok {
			continue
		}
		g := p.times(order)
		if g.times(big.NewInt(4)).y.Cmp(neutral.y) == 0 {
			continue // of order 4 or less
		}
		var all []point
		for i := range int64(8) {
			all = append(all, g.times(big.NewInt(i)))
		}
		if again := g.times(big.NewInt(8)); again.x.Sign() != 0 || again.y.Cmp(neutral.y) != 0 {
			t.Fatalf("eight times %v is %v", g, again)
		}
		return all
	}
	t.Fatal("no point of order 8 found")
	return nil
}

func keyFault(t *testing.T, jwk record.JWK, want string) {
	t.Helper()
	if _, err := jwk.Key(); err == nil || err.Error() != want {
		t.Errorf("key %+v: %v, want %s", jwk, err, want)
	}
	p := enrol(t)
	p.JWK = jwk
	_, err := record.NewDraft(p)
	fault{record.Malformed, "payload", "jwk", "a key with " + want, "an Ed25519 or P-256 public key (RFC 8037, RFC 7518)"}.check(t, err)
}

func ed25519JWK(b []byte) record.JWK {
	return record.JWK{Crv: "Ed25519", Kty: "OKP", X: base64.RawURLEncoding.EncodeToString(b)}
}

// TestSmallOrder: under a key of small order, signatures hold for any text.
func TestSmallOrder(t *testing.T) {
	spellings := map[string]bool{}
	for _, p := range smallOrder(t) {
		for sign := range uint(2) {
			spellings[string(spell(p.y, sign))] = true
			keyFault(t, ed25519JWK(spell(p.y, sign)), "a point of small order")
		}
	}
	if len(spellings) != 10 { // y of 1, -1, 0 and two more, each with both signs
		t.Errorf("%d spellings, want 10", len(spellings))
	}
	// That there is a reason: the neutral point as key, and as R with S of 0.
	neutral := spell(big.NewInt(1), 0)
	if sig := append(slices.Clone(neutral), make([]byte, 32)...); !ed25519.Verify(neutral, []byte("anything"), sig) {
		t.Error("the key of small order did not verify anything")
	}
}

// TestNotCanonical: a y of 2^255-19 or more is the same point as y minus that.
func TestNotCanonical(t *testing.T) {
	for i := range int64(19) {
		for sign := range uint(2) {
			keyFault(t, ed25519JWK(spell(new(big.Int).Add(prime, big.NewInt(i)), sign)), "a point that is not canonical")
		}
	}
	for i := range int64(3) { // the largest that are canonical
		y := new(big.Int).Sub(prime, big.NewInt(i+2))
		if _, err := ed25519JWK(spell(y, 0)).Key(); err != nil {
			t.Errorf("2^255-19-%d: %v", i+2, err)
		}
	}
}

// TestOffCurve25519: a key with no point is no use, since it must sign.
func TestOffCurve25519(t *testing.T) {
	y := big.NewInt(2)
	for _, ok := atY(y); ok; _, ok = atY(y) {
		y.Add(y, big.NewInt(1))
	}
	p := enrol(t)
	p.JWK = ed25519JWK(spell(y, 0))
	payload := string(draft(t, p).PayloadBytes())
	head := fmt.Sprintf(`{"alg":"EdDSA","iat":1,"kid":"%s","seen":{"root":"%s","size":0},"seq":1,"typ":"docket-record"}`, p.JWK.KID(), someRef)
	s := looseSign(t, edKey("a"), head, payload)
	_, err := record.Open([]byte(loose{b64(payload), []looseSig{s}}.String()), record.Keyring{})
	fault{record.SignatureInvalid, "signature 1", "", "a signature that does not hold", p.JWK.KID()}.check(t, err)
}

func TestJWK(t *testing.T) {
	ed, ec := jwkOf(t, edKey("a")), jwkOf(t, ecKey(t, "a"))
	with := func(jwk record.JWK, change func(*record.JWK)) record.JWK {
		change(&jwk)
		return jwk
	}
	beyond := new(big.Int).Add(elliptic.P256().Params().P, big.NewInt(5)) // the coordinate 5, spelled otherwise
	offCurve := "P256 point not on curve"
	for name, row := range map[string]struct {
		jwk  record.JWK
		want string
	}{
		"no key":              {record.JWK{}, "x is not 32 bytes of base64url"},
		"x too short":         {with(ed, func(k *record.JWK) { k.X = k.X[:42] }), "x is not 32 bytes of base64url"},
		"x with padding":      {with(ed, func(k *record.JWK) { k.X += "=" }), "x is not 32 bytes of base64url"},
		"x with unused bits":  {with(ed, func(k *record.JWK) { k.X = loosen(t, k.X) }), "x is not 32 bytes of base64url"},
		"x with a newline":    {with(ed, func(k *record.JWK) { k.X = k.X[:9] + "\n" + k.X[9:] }), "x is not 32 bytes of base64url"},
		"an Ed25519 y":        {with(ed, func(k *record.JWK) { k.Y = ec.Y }), `kty "OKP" with crv "Ed25519" is not OKP with Ed25519 or EC with P-256`},
		"X25519":              {with(ed, func(k *record.JWK) { k.Crv = "X25519" }), `kty "OKP" with crv "X25519" is not OKP with Ed25519 or EC with P-256`},
		"Ed25519 as EC":       {with(ed, func(k *record.JWK) { k.Kty = "EC" }), `kty "EC" with crv "Ed25519" is not OKP with Ed25519 or EC with P-256`},
		"P-256 as OKP":        {with(ec, func(k *record.JWK) { k.Kty = "OKP" }), `kty "OKP" with crv "P-256" is not OKP with Ed25519 or EC with P-256`},
		"P-384":               {with(ec, func(k *record.JWK) { k.Crv = "P-384" }), `kty "EC" with crv "P-384" is not OKP with Ed25519 or EC with P-256`},
		"secp256k1":           {with(ec, func(k *record.JWK) { k.Crv = "secp256k1" }), `kty "EC" with crv "secp256k1" is not OKP with Ed25519 or EC with P-256`},
		"small letters":       {with(ed, func(k *record.JWK) { k.Kty = "okp" }), `kty "okp" with crv "Ed25519" is not OKP with Ed25519 or EC with P-256`},
		"no y":                {with(ec, func(k *record.JWK) { k.Y = "" }), "y is not 32 bytes of base64url"},
		"y too long":          {with(ec, func(k *record.JWK) { k.Y += "AA" }), "y is not 32 bytes of base64url"},
		"off the curve":       {with(ec, func(k *record.JWK) { k.Y = k.X }), offCurve},
		"the point 0, 0":      {with(ec, func(k *record.JWK) { k.X, k.Y = ed25519JWK(make([]byte, 32)).X, ed25519JWK(make([]byte, 32)).X }), offCurve},
		"x beyond the field":  {with(ec, func(k *record.JWK) { k.X = base64.RawURLEncoding.EncodeToString(beyond.Bytes()) }), "invalid P256 element encoding"},
		"the other y is fine": {with(ec, func(k *record.JWK) { k.Y = otherY(t, k.Y) }), ""},
	} {
		t.Run(name, func(t *testing.T) {
			if row.want == "" {
				if _, err := row.jwk.Key(); err != nil {
					t.Error(err)
				}
				return
			}
			keyFault(t, row.jwk, row.want)
		})
	}
}

// otherY returns p-y: the point with the same x on the other side.
func otherY(t *testing.T, y string) string {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(y)
	if err != nil {
		t.Fatal(err)
	}
	n := new(big.Int).Sub(elliptic.P256().Params().P, new(big.Int).SetBytes(b))
	return base64.RawURLEncoding.EncodeToString(n.FillBytes(make([]byte, 32)))
}

// TestJWKMembers: the ones that RFC 7638 hashes and no others; no private key.
func TestJWKMembers(t *testing.T) {
	for _, member := range []string{"d", "kid", "alg", "use", "x5c"} {
		changed := tree(t, "key.enrol")
		edit(t, changed, "jwk/"+member, "x")
		_, err := parseTree(t, changed)
		fault{record.Malformed, "payload", "jwk/" + member, "a member that is not known here", "it left out"}.check(t, err)
	}
}

func TestKeyring(t *testing.T) {
	ring := record.NewKeyring(charter(t))
	for _, key := range []crypto.Signer{edKey("ada"), edKey("bob"), ecKey(t, "eve"), edKey("safe")} {
		if got := ring.Key(jwkOf(t, key).KID()); got == nil || !key.Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(got) {
			t.Errorf("key %s of the charter is %v", jwkOf(t, key).KID(), got)
		}
	}
	if n := len(ring); n != 4 {
		t.Errorf("%d keys, want 4", n)
	}
	if got := record.NewKeyring(enrol(t)); len(got) != 1 || got.Key(jwkOf(t, edKey("dan")).KID()) == nil {
		t.Errorf("keys of an enrolment: %v, want dan's", got)
	}
	if got := record.NewKeyring(revoke(t)); len(got) != 0 || got.Key("") != nil || got.Origin() != "" {
		t.Errorf("keys of a revocation: %v, want none", got)
	}
	ring.Add(record.JWK{})
	if len(ring) != 4 {
		t.Error("added a key that is none")
	}
}
