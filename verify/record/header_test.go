package record_test

import (
	"strings"
	"testing"

	"github.com/docket-ledger/docket/verify/record"
)

// TestHeader: all that a protected header may not be. Each is signed as it
// stands, so the signature holds.
func TestHeader(t *testing.T) {
	key := edKey("a")
	kid := jwkOf(t, key).KID()
	good := header(t, key)
	payload := string(draft(t, plain(t)).PayloadBytes())
	first := func(member, found, want string) fault {
		return fault{record.Malformed, "signature 1", member, found, want}
	}
	const unknown, leftOut = "a member that is not known here", "it left out"
	const seq = "an integer from 1 to 9007199254740991"
	rows := []struct {
		name, old, new string
		jose           bool
		want           fault
	}{
		{"crit", `"alg":"EdDSA",`, `"alg":"EdDSA","crit":["exp"],`, false, first("crit", unknown, leftOut)},
		{"empty crit", `"alg":"EdDSA",`, `"alg":"EdDSA","crit":[],`, true, first("crit", unknown, leftOut)},
		{"b64 false", `"alg":"EdDSA",`, `"alg":"EdDSA","b64":false,"crit":["b64"],`, false, first("b64", unknown, leftOut)},
		{"b64 true", `"alg":"EdDSA",`, `"alg":"EdDSA","b64":true,"crit":["b64"],`, true, first("b64", unknown, leftOut)},
		{"jwk", `"iat"`, `"jwk":{"crv":"Ed25519","kty":"OKP","x":"` + jwkOf(t, key).X + `"},"iat"`, true, first("jwk", unknown, leftOut)},
		{"cty", `"iat"`, `"cty":"json","iat"`, true, first("cty", unknown, leftOut)},
		{"member of seen", `"size":0`, `"size":0,"time":1`, true, first("seen/time", unknown, leftOut)},
		{"no alg", `"alg":"EdDSA",`, ``, false, first("alg", "nothing", "one of EdDSA, ES256")},
		{"no iat", `"iat":1790000000,`, ``, true, first("iat", "0", "an integer from 1 to 253402300799")},
		{"no kid", `"kid":"` + kid + `",`, ``, true, first("kid", "nothing", "43 characters of unpadded base64url (32 bytes)")},
		{"no seen", `"seen":{"root":"` + someRef + `","size":0},`, ``, true, first("seen/root", "nothing", "43 characters")},
		{"no seq", `"seq":1,`, ``, true, first("seq", "0", seq)},
		{"no typ", `,"typ":"docket-record"`, ``, true, first("typ", "nothing", "docket-record")},
		{"alg twice", `"alg":"EdDSA",`, `"alg":"EdDSA","alg":"EdDSA",`, false, first("alg", "a member that stands twice", "each member once")},
		{"another letter case", `"typ":`, `"Typ":`, true, first("Typ", unknown, leftOut)},

		{"alg none", `"EdDSA"`, `"none"`, false, first("alg", `"none"`, "one of EdDSA, ES256")},
		{"alg HS256", `"EdDSA"`, `"HS256"`, false, first("alg", `"HS256"`, "one of EdDSA, ES256")},
		{"alg RS256", `"EdDSA"`, `"RS256"`, false, first("alg", `"RS256"`, "one of EdDSA, ES256")},
		{"alg ES384", `"EdDSA"`, `"ES384"`, false, first("alg", `"ES384"`, "one of EdDSA, ES256")},
		{"alg of RFC 9864", `"EdDSA"`, `"Ed25519"`, false, first("alg", `"Ed25519"`, "one of EdDSA, ES256")},
		{"alg of RFC 9864 for P-256", `"EdDSA"`, `"ESP256"`, false, first("alg", `"ESP256"`, "one of EdDSA, ES256")},
		{"alg in small letters", `"EdDSA"`, `"eddsa"`, false, first("alg", `"eddsa"`, "one of EdDSA, ES256")},
		{"alg of the other kind", `"EdDSA"`, `"ES256"`, false, fault{record.SignatureInvalid, "signature 1", "alg", `"ES256"`, "EdDSA, as the key has it"}},
		{"typ of a JWT", `"docket-record"`, `"JWT"`, true, first("typ", `"JWT"`, "docket-record")},
		{"kid of another key", kid, jwkOf(t, edKey("b")).KID(), true, fault{record.KeyUnknown, "signature 1", "kid", jwkOf(t, edKey("b")).KID(), "a key that is enrolled in this ledger"}},
		{"kid too short", kid, kid[:42], true, first("kid", kid[:42], "43 characters")},
		{"kid with padding", kid, kid + "=", true, first("kid", kid+"=", "43 characters")},
		{"kid with unused bits", kid, loosen(t, kid), true, first("kid", kid[:40], "43 characters")},
		{"kid with a newline", kid, kid[:20] + `\n` + kid[20:], true, first("kid", `\n`, "43 characters")},
		{"kid a number", `"` + kid + `"`, `1`, false, first("kid", "a number", "a string")},

		{"iat null", `1790000000`, `null`, true, first("iat", "0", "an integer from 1")},
		{"iat a fraction", `1790000000`, `1790000000.0`, true, first("iat", "the number 1790000000.0", "an integer")},
		{"iat with an exponent", `1790000000`, `179e7`, true, first("iat", "the number 179e7", "an integer")},
		{"iat below 0", `1790000000`, `-1790000000`, true, first("iat", "-1790000000", "an integer from 1")},
		{"iat beyond the year 9999", `1790000000`, `253402300800`, true, first("iat", "253402300800", "to 253402300799")},
		{"iat a string", `1790000000`, `"1790000000"`, true, first("iat", "a string", "an integer")},
		{"seq 0", `"seq":1`, `"seq":0`, true, first("seq", "0", seq)},
		{"seq -1", `"seq":1`, `"seq":-1`, true, first("seq", "-1", seq)},
		{"seq 2^53", `"seq":1`, `"seq":9007199254740992`, true, first("seq", "9007199254740992", seq)},
		{"seq 2^53+1", `"seq":1`, `"seq":9007199254740993`, true, first("seq", "9007199254740993", seq)},
		{"seq 2^64", `"seq":1`, `"seq":18446744073709551616`, true, first("seq", "the number 18446744073709551616", "an integer")},
		{"seq 1e3", `"seq":1`, `"seq":1e3`, true, first("seq", "the number 1e3", "an integer")},
		{"seq 1.0", `"seq":1`, `"seq":1.0`, true, first("seq", "the number 1.0", "an integer")},
		{"seq 01", `"seq":1`, `"seq":01`, false, first("", `"1,\"typ\":\"doc" at byte`, "JSON")},
		{"seen.size -0", `"size":0`, `"size":-0`, true, first("seen/size", "-0", canonical)},
		{"seen.size below 0", `"size":0`, `"size":-1`, true, first("seen/size", "-1", "an integer from 0 to 9007199254740991")},
		{"seen.size 2^53", `"size":0`, `"size":9007199254740992`, true, first("seen/size", "9007199254740992", "an integer from 0 to 9007199254740991")},
		{"another root of the empty tree", someRef, "A" + someRef[1:], true, first("seen/root", `"A7DEQ`, "the root of the empty tree, "+someRef+", for size 0")},
		{"root in the other alphabet", someRef, strings.NewReplacer("-", "+", "_", "/").Replace(someRef) + "=", true, first("seen/root", "/", "43 characters")},
		{"root null", `"` + someRef + `"`, "null", true, first("seen/root", "nothing", "43 characters")},
		{"seen no object", `{"root":"` + someRef + `","size":0}`, "[]", true, first("seen", "an array", "an object")},
		{"seen null", `{"root":"` + someRef + `","size":0}`, "null", true, first("seen/root", "nothing", "43 characters")},

		{"blank", `,"iat"`, `, "iat"`, true, first("iat", `, \"iat`, canonical)},
		{"blank at the end", `"docket-record"}`, `"docket-record"} `, true, first("", `rd\"} "`, canonical)},
		{"another order", `"alg":"EdDSA","iat":1790000000`, `"iat":1790000000,"alg":"EdDSA"`, true, first("alg", `{\"iat`, canonical)},
		{"an escape", `"docket-record"`, `"docket\u002drecord"`, true, first("typ", `\\u002d`, canonical)},
		{"invalid UTF-8", `"docket-record"`, "\"docket\xff\"", true, first("typ", `\xff`, "JSON")},
		{"bytes after it", `"docket-record"}`, `"docket-record"}{}`, false, first("", `"{}" at byte`, "JSON")},
		{"null", good, "null", false, first("alg", "nothing", "one of EdDSA, ES256")},
		{"an array", good, "[]", false, first("", "an array", "an object")},
		{"no JSON", good, "x", false, first("", `"x" at byte 0`, "JSON")},
	}
	var spellings []spelling
	for _, row := range rows {
		if strings.Count(good, row.old) != 1 {
			t.Fatalf("%s: %q is not once in the header", row.name, row.old)
		}
		s := looseSign(t, key, strings.Replace(good, row.old, row.new, 1), payload)
		spellings = append(spellings, spelling{row.name, loose{b64(payload), []looseSig{s}}.String(), row.jose, row.want})
	}
	checkSpellings(t, key, spellings)
}
