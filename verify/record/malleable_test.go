package record_test

import (
	"crypto"
	"encoding/base64"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/docket-ledger/docket/verify/record"
)

// A spelling is a record that says the same as a good one in other words, or
// almost. jose tells that go-jose alone takes it and finds its signature good,
// so that nothing but this package stands in its way.
type spelling struct {
	name string
	text string
	jose bool
	want fault
}

func checkSpellings(t *testing.T, key crypto.Signer, rows []spelling) {
	t.Helper()
	ring := ringOf(t, key)
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			if got := joseAccepts(row.text, key); got != row.jose {
				t.Errorf("go-jose accepts it: %v, the table says %v", got, row.jose)
			}
			_, err := record.Open([]byte(row.text), ring)
			row.want.check(t, err)
		})
	}
}

// loosen sets an unused bit of the last character of unpadded base64url.
func loosen(t testing.TB, s string) string {
	t.Helper()
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	if len(s)%4 == 0 {
		t.Fatalf("%q has no unused bits", s)
	}
	last := strings.IndexByte(alphabet, s[len(s)-1])
	return s[:len(s)-1] + alphabet[last|1:][:1]
}

const (
	strictWords = "strict base64url without padding (RFC 7515, Section 2)"
	sixtyFour   = "64 bytes in strict base64url without padding"
	canonical   = "canonical JSON (RFC 8785; no null, no empty or false member)"
)

// TestOuter: all that can be done to the JWS object itself.
func TestOuter(t *testing.T) {
	key := edKey("a")
	p := plain(t)
	for len(draft(t, p).PayloadBytes())%3 == 0 { // so that its base64 has unused bits
		p.Facts += "."
	}
	payload := string(draft(t, p).PayloadBytes())
	head := header(t, key)
	for len(head)%3 == 0 {
		head = strings.Replace(head, `"seq":1`, `"seq":10`, 1)
	}
	good := loose{b64(payload), []looseSig{looseSign(t, key, head, payload)}}
	sig := good.sigs[0]
	text := good.String()
	if _, err := record.Open([]byte(text), ringOf(t, key)); err != nil {
		t.Fatalf("the record that the rows change is refused: %v", err)
	}

	with := func(payload, protected, signature string) string {
		return loose{payload, []looseSig{{protected, signature}}}.String()
	}
	change := func(old, new string) string {
		if strings.Count(text, old) != 1 {
			t.Fatalf("%q is not once in the record", old)
		}
		return strings.Replace(text, old, new, 1)
	}
	middle := func(s, insert string) string { return s[:40] + insert + s[40:] }
	outer := func(member, found, want string) fault { return fault{record.Malformed, "record", member, found, want} }
	first := func(member, found, want string) fault {
		return fault{record.Malformed, "signature 1", member, found, want}
	}
	unprotected := func(members string) string { // signed without them
		h := head
		for _, m := range []string{`"alg":"EdDSA",`, `"kid":"` + jwkOf(t, key).KID() + `",`} {
			if strings.Contains(m, members) {
				h = strings.Replace(h, m, "", 1)
				s := looseSign(t, key, h, payload)
				return fmt.Sprintf(`{"payload":"%s","signatures":[{"header":{%s},"protected":"%s","signature":"%s"}]}`,
					b64(payload), strings.TrimSuffix(m, ","), s.protected, s.signature)
			}
		}
		t.Fatal(members)
		return ""
	}
	noHeader := "no unprotected header: alg, kid and all else are protected"
	general := "General JSON Serialization: a signatures array, also for one signature"

	checkSpellings(t, key, []spelling{
		{"newline in the payload", with(middle(good.payload, `\n`), sig.protected, sig.signature), true, outer("payload", `\n`, strictWords)},
		{"newline in the header", with(good.payload, middle(sig.protected, `\n`), sig.signature), true, first("protected", `\n`, strictWords)},
		{"newline in the signature", with(good.payload, sig.protected, middle(sig.signature, `\n`)), true, first("signature", `\n`, sixtyFour)},
		{"newline after the payload", with(good.payload+`\n`, sig.protected, sig.signature), true, outer("payload", `eyJ`, strictWords)},
		{"carriage return in the payload", with(middle(good.payload, `\r`), sig.protected, sig.signature), true, outer("payload", `\r`, strictWords)},
		{"carriage return in the header", with(good.payload, middle(sig.protected, `\r\n`), sig.signature), true, first("protected", `\r\n`, strictWords)},
		{"blank in the payload", with(middle(good.payload, ` `), sig.protected, sig.signature), false, outer("payload", ` `, strictWords)},
		{"trailing bits of the payload", with(loosen(t, good.payload), sig.protected, sig.signature), true, outer("payload", "eyJ", strictWords)},
		{"trailing bits of the header", with(good.payload, loosen(t, sig.protected), sig.signature), true, first("protected", "eyJ", strictWords)},
		{"trailing bits of the signature", with(good.payload, sig.protected, loosen(t, sig.signature)), true, first("signature", sig.signature[:20], sixtyFour)},
		{"padding of the payload", with(good.payload+"=", sig.protected, sig.signature), false, outer("payload", "eyJ", strictWords)},
		{"padding of the header", with(good.payload, sig.protected+"=", sig.signature), false, first("protected", "eyJ", strictWords)},
		{"padding of the signature", with(good.payload, sig.protected, sig.signature+"=="), false, first("signature", sig.signature[:20], sixtyFour)},
		{"other base64 alphabet", with(good.payload, sig.protected, std(sig.signature)), false, first("signature", `"+`, sixtyFour)},
		{"short signature", with(good.payload, sig.protected, sig.signature[:84]), false, first("signature", sig.signature[:20], sixtyFour)},
		{"empty payload", with("", sig.protected, sig.signature), false, outer("payload", "nothing", "the payload in base64url")},
		{"empty header", with(good.payload, "", sig.signature), false, first("", "\"\" at byte 0", "JSON")},
		{"empty signature", with(good.payload, sig.protected, ""), false, first("signature", `""`, sixtyFour)},

		{"extra member", change(`{"payload"`, `{"note":"x","payload"`), true, outer("note", "a member that is not known here", "it left out")},
		{"extra member at the end", change(`]}`, `],"zzz":1}`), true, outer("zzz", "a member that is not known here", "it left out")},
		{"disclosures", change(`{"payload"`, `{"disclosures":[],"payload"`), true, outer("disclosures", "a member that is not known here", "it left out")},
		{"extra member of a signature", change(`{"protected"`, `{"note":"x","protected"`), true, outer("signatures/0/note", "a member that is not known here", "it left out")},
		{"unprotected header", change(`{"protected"`, `{"header":{"x":1},"protected"`), true, outer("signatures/0/header", "a member that is not known here", noHeader)},
		{"empty unprotected header", change(`{"protected"`, `{"header":{},"protected"`), true, outer("signatures/0/header", "a member that is not known here", noHeader)},
		{"alg only unprotected", unprotected(`"alg"`), true, outer("signatures/0/header", "a member that is not known here", noHeader)},
		{"kid only unprotected", unprotected(`"kid"`), true, outer("signatures/0/header", "a member that is not known here", noHeader)},

		{"flattened", fmt.Sprintf(`{"payload":"%s","protected":"%s","signature":"%s"}`, good.payload, sig.protected, sig.signature), true,
			outer("protected", "a member that is not known here", general)},
		{"flattened, in another order", fmt.Sprintf(`{"signature":"%s","payload":"%s","protected":"%s"}`, sig.signature, good.payload, sig.protected), true,
			outer("signature", "a member that is not known here", general)},
		{"compact", sig.protected + "." + good.payload + "." + sig.signature, false, outer("", "eyJ", "JSON")},
		{"members in another order", fmt.Sprintf(`{"signatures":[{"protected":"%s","signature":"%s"}],"payload":"%s"}`, sig.protected, sig.signature, good.payload), true,
			outer("payload", `"{\"signatures`, canonical)},
		{"members of a signature in another order", fmt.Sprintf(`{"payload":"%s","signatures":[{"signature":"%s","protected":"%s"}]}`, good.payload, sig.signature, sig.protected), true,
			outer("signatures/0/protected", `{\"signature\"`, canonical)},

		{"blank in front", " " + text, true, outer("", `" {`, canonical)},
		{"blank within", change(`,"signatures"`, `, "signatures"`), true, outer("signatures", `, \"sig`, canonical)},
		{"newline at the end", text + "\n", true, outer("", `]}\n" at byte`, canonical)},
		{"byte order mark", "\ufeff" + text, false, outer("", `"\ufeff{`, "JSON")},
		{"bytes after it", text + "x", false, outer("", `"x" at byte`, "JSON")},
		{"a second one after it", text + text, false, outer("", `"{\"payload`, "JSON")},
		{"cut off", text[:len(text)-1], false, outer("", `"" at byte`, "JSON")},
		{"member twice", change(`{"payload"`, `{"payload":"","payload"`), false, outer("payload", "a member that stands twice", "each member once")},
		{"member of a signature twice", change(`"protected":`, `"protected":"","protected":`), false, outer("signatures/0/protected", "a member that stands twice", "each member once")},
		{"another letter case", change(`"payload"`, `"Payload"`), false, outer("Payload", "a member that is not known here", "it left out")},
		{"both letter cases", change(`{"payload"`, `{"Payload":"","payload"`), true, outer("Payload", "a member that is not known here", "it left out")},
		{"escape in a name", change(`"payload"`, `"payl\u006fad"`), true, outer("payload", `\\u006f`, canonical)},
		{"escape in a value", change(`"protected":"e`, `"protected":"\u0065`), true, outer("signatures/0/protected", `\\u0065`, canonical)},
		{"invalid UTF-8", change(`{"payload"`, "{\"x\xff\":1,\"payload\""), true, outer("", `\xff`, "JSON")},

		{"null", "null", false, outer("payload", "nothing", "the payload in base64url")},
		{"payload null", fmt.Sprintf(`{"payload":null,"signatures":[{"protected":"%s","signature":"%s"}]}`, sig.protected, sig.signature), false, outer("payload", "nothing", "the payload in base64url")},
		{"signatures null", fmt.Sprintf(`{"payload":"%s","signatures":null}`, good.payload), false, outer("signatures", "0 signatures", "1 to 16")},
		{"signatures missing", fmt.Sprintf(`{"payload":"%s"}`, good.payload), false, outer("signatures", "0 signatures", "1 to 16")},
		{"a signature null", change(`]}`, `,null]}`), false, outer("signatures/1", `null]}" at`, canonical)},
		{"payload not encoded", fmt.Sprintf(`{"payload":%s,"signatures":[{"protected":"%s","signature":"%s"}]}`, payload, sig.protected, sig.signature), false, outer("payload", "an object", "a string")},
		{"signatures no array", fmt.Sprintf(`{"payload":"%s","signatures":{}}`, good.payload), false, outer("signatures", "an object", "an array")},
		{"signature a number", change(`"signature":"`+sig.signature+`"`, `"signature":1`), false, outer("signatures/0/signature", "a number", "a string")},
		{"an array", "[" + text + "]", false, outer("", "an array", "an object")},
		{"a string", `"x"`, false, outer("", "a string", "an object")},
		{"empty", "", false, outer("", `"" at byte 0`, "JSON")},
		{"no JSON", "payload=1", false, outer("", `"payload=1" at byte 0`, "JSON")},

		{"no signature", fmt.Sprintf(`{"payload":"%s","signatures":[]}`, good.payload), false, outer("signatures", "0 signatures", "1 to 16")},
		{"signature twice", loose{good.payload, []looseSig{sig, sig}}.String(), true, fault{record.Malformed, "signature 2", "kid", "a key that signed already", "one signature by each key"}},
		{"too large", change(`{"payload"`, `{"note":"`+strings.Repeat("x", record.MaxSize+1-len(text)-len(`"note":"",`))+`","payload"`), true,
			outer("", "65536 bytes", "at most 65535")},
	})
}

// std rewrites base64url in the other alphabet, with a + in it in any case.
func std(s string) string { return "+" + strings.NewReplacer("-", "+", "_", "/").Replace(s[1:]) }

// TestSeveral: what can be done to a record of several signatures.
func TestSeveral(t *testing.T) {
	keys := []crypto.Signer{edKey("a"), edKey("b"), ecKey(t, "c")}
	slices.SortFunc(keys, func(a, b crypto.Signer) int {
		return strings.Compare(jwkOf(t, a).KID(), jwkOf(t, b).KID())
	})
	payload := string(draft(t, plain(t)).PayloadBytes())
	var sigs []looseSig
	for _, key := range keys {
		sigs = append(sigs, looseSign(t, key, header(t, key), payload))
	}
	text := func(sigs ...looseSig) string { return loose{b64(payload), sigs}.String() }
	if _, err := record.Open([]byte(text(sigs...)), ringOf(t, keys...)); err != nil {
		t.Fatalf("the record that the rows change is refused: %v", err)
	}
	again := looseSign(t, keys[0], strings.Replace(header(t, keys[0]), `"seq":1`, `"seq":2`, 1), payload)
	unsorted := func(n int) fault {
		return fault{record.Malformed, fmt.Sprintf("signature %d", n), "kid", " after ", "signatures sorted by kid"}
	}
	repeated := func(n int) fault {
		return fault{record.Malformed, fmt.Sprintf("signature %d", n), "kid", "a key that signed already", "one signature by each key"}
	}
	many := make([]looseSig, 17)
	for i := range many {
		many[i] = sigs[0]
	}
	checkSpellings(t, keys[0], []spelling{
		{"reversed", text(sigs[2], sigs[1], sigs[0]), true, unsorted(2)},
		{"two changed over", text(sigs[0], sigs[2], sigs[1]), true, unsorted(3)},
		{"one twice", text(sigs[0], sigs[1], sigs[1], sigs[2]), true, repeated(3)},
		{"one twice, apart", text(sigs[0], sigs[1], sigs[0]), true, unsorted(3)},
		{"a key twice, with two numbers", text(sigs[0], again, sigs[1]), true, repeated(2)},
		{"seventeen", text(many...), true, fault{record.Malformed, "record", "signatures", "17 signatures", "1 to 16"}},
	})
}

// TestSignatureOfKey: what can be done with the curves.
func TestSignatureOfKey(t *testing.T) {
	ec, ed := ecKey(t, "a"), edKey("a")
	payload := string(draft(t, plain(t)).PayloadBytes())
	good := looseSign(t, ec, header(t, ec), payload)
	raw, err := base64.RawURLEncoding.DecodeString(good.signature)
	if err != nil {
		t.Fatal(err)
	}
	part := func(r, s []byte) looseSig {
		return looseSig{good.protected, base64.RawURLEncoding.EncodeToString(append(slices.Clone(r), s...))}
	}
	flipped := flipS(new(big.Int).SetBytes(raw[32:])).FillBytes(make([]byte, 32))
	zero := make([]byte, 32)
	text := func(s looseSig) string { return loose{b64(payload), []looseSig{s}}.String() }
	invalid := func(member, found, want string) fault {
		return fault{record.SignatureInvalid, "signature 1", member, found, want}
	}
	holdsNot := func(key crypto.Signer) fault {
		return invalid("", "a signature that does not hold for this text and key", "the signature of "+jwkOf(t, key).KID())
	}
	checkSpellings(t, ec, []spelling{
		{"high s", text(part(raw[:32], flipped)), true,
			fault{record.Malformed, "signature 1", "signature", "an ES256 signature with high s", "the one with s of at most n/2"}},
		{"r of 0", text(part(zero, raw[32:])), false, holdsNot(ec)},
		{"s of 0", text(part(raw[:32], zero)), false, holdsNot(ec)},
		{"EdDSA said, ES256 key", text(looseSign(t, ec, strings.Replace(header(t, ec), "ES256", "EdDSA", 1), payload)), false,
			invalid("alg", `"EdDSA"`, "ES256, as the key has it")},
		{"another payload", loose{b64(strings.Replace(payload, `"facts":"facts"`, `"facts":"fakes"`, 1)), []looseSig{good}}.String(), false, holdsNot(ec)},
	})
	own := looseSign(t, ed, header(t, ed), payload)
	edRaw, err := base64.RawURLEncoding.DecodeString(own.signature)
	if err != nil {
		t.Fatal(err)
	}
	// S + L is the same number for a careless verifier (RFC 8032, Section 8.4).
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	s := slices.Clone(edRaw[32:])
	slices.Reverse(s)
	plusL := new(big.Int).Add(new(big.Int).SetBytes(s), order).FillBytes(make([]byte, 32))
	slices.Reverse(plusL)
	checkSpellings(t, ed, []spelling{
		{"S of L or more", text(looseSig{own.protected, b64(string(edRaw[:32]) + string(plusL))}), false, holdsNot(ed)},
		{"ES256 said, Ed25519 key", text(looseSig{b64(strings.Replace(header(t, ed), "EdDSA", "ES256", 1)), b64(string(edRaw[:32]) + string(zero))}), false,
			invalid("alg", `"ES256"`, "EdDSA, as the key has it")},
		{"signature of another key", text(looseSign(t, edKey("b"), header(t, ed), payload)), false, holdsNot(ed)},
		{"header of another record", text(looseSig{b64(strings.Replace(header(t, ed), `"seq":1`, `"seq":2`, 1)), own.signature}), false, holdsNot(ed)},
	})
}
