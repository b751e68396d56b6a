package record_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/docket-ledger/docket/verify/record"
)

// The vectors. testdata/good holds records, one a file, and good.txt their ids;
// testdata/refused holds texts that are none, and refused.txt the error of
// each. The keys are those of edKey and ecKey for the names in goldenKeys. To
// write them anew: go test ./verify/record -run TestGolden -update
var update = flag.Bool("update", false, "write the vectors in testdata anew")

var goldenNames = []string{"ada", "bob", "dan", "eve", "filer", "safe"}

func goldenKeys(t testing.TB) map[string]crypto.Signer {
	keys := map[string]crypto.Signer{}
	for _, name := range goldenNames {
		keys[name] = edKey(name)
	}
	keys["eve"] = steady{ecKey(t, "eve")}
	return keys
}

func goldenRing(t testing.TB) ledger {
	ring := record.Keyring{}
	for _, key := range goldenKeys(t) {
		ring.Add(jwkOf(t, key))
	}
	return ledger{ring, origin}
}

// makeGolden returns the good and the refused vectors.
func makeGolden(t testing.TB) (good, refused map[string][]byte) {
	t.Helper()
	keys := goldenKeys(t)
	signed := func(p record.Payload, names ...string) []byte {
		u := draft(t, p)
		for i, name := range names {
			seen := record.SeenTree(int64(1000+i), sha256.Sum256([]byte(name)))
			if p.Head().Type == record.TypeCharter {
				seen = record.SeenNothing
			}
			var err error
			if u, err = u.Sign(keys[name], now+int64(i), int64(i+1), seen); err != nil {
				t.Fatal(err)
			}
		}
		return u.Bytes()
	}
	good = map[string][]byte{
		"charter":        signed(charter(t), "ada", "bob", "eve", "safe"),
		"key-enrol":      signed(enrol(t), "ada", "bob", "dan"),
		"key-revoke":     signed(revoke(t), "ada"),
		"policy-publish": signed(policy(t), "bob"),
		"policy-repeal":  signed(repeal(t), "bob"),
		"decision":       signed(decision(t), "dan", "eve"),
		"decision-plain": signed(plain(t), "dan"),
		"retrospective":  signed(retrospective(t), "eve", "dan"),
		"ratification":   signed(ratification(t), "ada", "bob"),
		"charter-amend":  signed(amend(t), "ada", "bob"),
		"intake":         signed(intake(), "ada"),
		"notice":         signed(proposed(), "dan"),
		"notice-of":      signed(delivered(), "dan"),
		"appeal":         signed(appeal(t), "ada", "filer"),
		"ruling":         signed(modified(), "ada", "bob"),
		"erratum":        signed(erratum(), "dan", "eve"),
		"execution":      signed(execution(), "eve"),
		"timemark":       signed(timemark(), "eve"),
		"export":         signed(export(), "eve"),
		"erasure":        signed(erasure(), "ada"),
	}

	one, two := string(good["decision-plain"]), string(good["decision"])
	change := func(text, old, new string) []byte {
		if strings.Count(text, old) != 1 {
			t.Fatalf("%q is not once in the record", old)
		}
		return []byte(strings.Replace(text, old, new, 1))
	}
	payload := func(old, new string) []byte { // signed as it stands
		p := string(change(string(draft(t, plain(t)).PayloadBytes()), old, new))
		return []byte(loose{b64(p), []looseSig{looseSign(t, edKey("dan"), header(t, edKey("dan")), p)}}.String())
	}
	protected := func(old, new string) []byte {
		p := string(draft(t, plain(t)).PayloadBytes())
		h := string(change(header(t, edKey("dan")), old, new))
		return []byte(loose{b64(p), []looseSig{looseSign(t, edKey("dan"), h, p)}}.String())
	}
	sigs := func(text string) (string, []string) {
		head, rest, _ := strings.Cut(strings.TrimSuffix(text, "]}"), `"signatures":[`)
		return head + `"signatures":[`, strings.SplitAfter(strings.ReplaceAll(rest, "},{", "},\x00{"), "\x00")
	}
	plainText := string(draft(t, plain(t)).PayloadBytes())
	head, each := sigs(two)
	slices.Reverse(each)
	reversed := head + strings.TrimSuffix(each[0], ",\x00") + "," + strings.TrimSuffix(each[1], ",\x00") + "]}"
	refused = map[string][]byte{
		"newline-in-base64":       change(one, `"payload":"`, `"payload":"\n`),
		"newline-at-end":          []byte(one + "\n"),
		"padding":                 change(one, `"}]}`, `=="}]}`),
		"unprotected-header":      change(one, `{"protected"`, `{"header":{"x":1},"protected"`),
		"unknown-member":          change(one, `{"payload"`, `{"note":"","payload"`),
		"disclosures":             change(one, `{"payload"`, `{"disclosures":[],"payload"`),
		"member-twice":            change(one, `{"payload"`, `{"payload":"","payload"`),
		"blank":                   change(one, `,"signatures"`, `, "signatures"`),
		"signatures-reversed":     []byte(reversed),
		"signature-twice":         change(one, `}]}`, `},`+one[strings.Index(one, `{"protected"`):len(one)-2]+`]}`),
		"no-signature":            draft(t, plain(t)).Bytes(),
		"high-s":                  highS(t, good["retrospective"]),
		"header-alg-none":         protected(`"EdDSA"`, `"none"`),
		"header-alg-rfc9864":      protected(`"EdDSA"`, `"Ed25519"`),
		"header-crit":             protected(`,"iat"`, `,"crit":["b64"],"iat"`),
		"header-seq-exponent":     protected(`"seq":1`, `"seq":1e3`),
		"header-seq-too-large":    protected(`"seq":1`, `"seq":9007199254740992`),
		"header-root-of-nothing":  protected(someRef, "A"+someRef[1:]),
		"payload-null":            payload(`"lang":"en"`, `"lang":null`),
		"payload-escape":          payload(`"facts":"facts"`, `"facts":"f\u0061cts"`),
		"payload-surrogate":       payload(`"facts":"facts"`, `"facts":"\ud800"`),
		"payload-fraction":        payload(`"v":1`, `"v":1.0`),
		"payload-unsorted":        payload(`"facts":"facts","lang":"en"`, `"lang":"en","facts":"facts"`),
		"payload-action":          payload(`"decline"`, `"ban"`),
		"payload-later-version":   payload(`"v":1`, `"v":2`),
		"payload-other-type":      payload(`"type":"decision"`, `"type":"verdict"`),
		"payload-missing":         payload(`,"reasons":"reasons"`, ``),
		"payload-other-ledger":    payload(origin, "ledger.example.org/2026"),
		"key-small-order":         smallOrderEnrol(t),
		"key-unknown":             sign(t, draft(t, plain(t)), edKey("stranger")).Bytes(),
		"signature-of-other-text": change(one, b64(plainText), b64(string(change(plainText, `"facts":"facts"`, `"facts":"fakes"`)))),
		"signature-of-other-key":  []byte(loose{b64(plainText), []looseSig{looseSign(t, edKey("ada"), header(t, edKey("dan")), plainText)}}.String()),
		"empty":                   {},
	}
	return good, refused
}

// highS gives the ES256 signature of a record its other s.
func highS(t testing.TB, b []byte) []byte {
	t.Helper()
	u, err := record.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	var envelope struct {
		Signatures []struct{ Signature string }
	}
	if err := json.Unmarshal(b, &envelope); err != nil {
		t.Fatal(err)
	}
	for i, h := range u.Headers() {
		if h.Alg != "ES256" {
			continue
		}
		raw, err := base64.RawURLEncoding.DecodeString(envelope.Signatures[i].Signature)
		if err != nil {
			t.Fatal(err)
		}
		flipS(new(big.Int).SetBytes(raw[32:])).FillBytes(raw[32:])
		text = strings.Replace(text, envelope.Signatures[i].Signature, b64(string(raw)), 1)
	}
	return []byte(text)
}

// smallOrderEnrol enrols the neutral point, whose "signature" holds.
func smallOrderEnrol(t testing.TB) []byte {
	good := jwkOf(t, edKey("dan"))
	one := ed25519JWK(spell(big.NewInt(1), 0))
	p := strings.Replace(string(draft(t, enrol(t)).PayloadBytes()), good.X, one.X, 1)
	h := strings.Replace(header(t, edKey("dan")), good.KID(), one.KID(), 1)
	sig := looseSig{b64(h), b64(string(spell(big.NewInt(1), 0)) + string(make([]byte, 32)))}
	return []byte(loose{b64(p), []looseSig{sig}}.String())
}

// vectors reads a directory of testdata. It is fatal if there is nothing.
func vectors(t testing.TB, dir string) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", dir, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no vectors in testdata/%s (%v)", dir, err)
	}
	all := map[string][]byte{}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimSuffix(filepath.Base(file), ".json")] = b
	}
	return all
}

// list reads good.txt or refused.txt: a name, a blank, the rest of the line.
func list(t testing.TB, file string) map[string]string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for line := range strings.Lines(string(b)) {
		name, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		all[name] = rest
	}
	return all
}

func writeVectors(t *testing.T, dir string, all map[string][]byte, line func([]byte) string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join("testdata", dir), 0o755); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for name, b := range all {
		if err := os.WriteFile(filepath.Join("testdata", dir, name+".json"), b, 0o644); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, name+" "+line(b)+"\n")
	}
	slices.Sort(lines)
	if err := os.WriteFile(filepath.Join("testdata", dir+".txt"), []byte(strings.Join(lines, "")), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestGolden: the vectors are what this code makes, and it opens the good ones
// and refuses the others in the words that are checked in.
func TestGolden(t *testing.T) {
	makeGood, makeRefused := makeGolden(t)
	ring := goldenRing(t)
	refusal := func(b []byte) string {
		if _, err := record.Open(b, ring); err != nil {
			return err.Error()
		}
		return ""
	}
	if *update {
		writeVectors(t, "good", makeGood, func(b []byte) string { return string(record.IDOf(b)) })
		writeVectors(t, "refused", makeRefused, refusal)
	}
	same := func(dir string, made, kept map[string][]byte) {
		for name, b := range kept {
			if !bytes.Equal(made[name], b) {
				t.Errorf("testdata/%s/%s.json\n%s\nnow\n%s", dir, name, b, made[name])
			}
		}
		if len(made) != len(kept) {
			t.Errorf("%d vectors in testdata/%s, want %d", len(kept), dir, len(made))
		}
	}
	good, refused := vectors(t, "good"), vectors(t, "refused")
	same("good", makeGood, good)
	same("refused", makeRefused, refused)

	ids := list(t, "good.txt")
	for name, b := range good {
		c, err := record.Open(b, ring)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if string(c.ID()) != ids[name] {
			t.Errorf("%s has id %s, want %s", name, c.ID(), ids[name])
		}
		sameAgain(t, c)
	}
	errs := list(t, "refused.txt")
	for name, b := range refused {
		if got := refusal(b); got == "" || got != errs[name] {
			t.Errorf("%s: %q, want %q", name, got, errs[name])
		}
	}
	if len(ids) != len(good) || len(errs) != len(refused) {
		t.Errorf("%d ids and %d errors for %d and %d vectors", len(ids), len(errs), len(good), len(refused))
	}
}

// TestGoldenIndependently checks the good vectors with the standard library
// alone: ids, canonical JSON as it would be typed, thumbprints and signatures.
func TestGoldenIndependently(t *testing.T) {
	thumbprints := map[string]crypto.PublicKey{}
	for _, key := range goldenKeys(t) {
		var members string
		switch key := key.Public().(type) {
		case ed25519.PublicKey:
			members = fmt.Sprintf(`{"crv":"Ed25519","kty":"OKP","x":"%s"}`, b64(string(key)))
		case *ecdsa.PublicKey:
			point, err := key.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			members = fmt.Sprintf(`{"crv":"P-256","kty":"EC","x":"%s","y":"%s"}`, b64(string(point[1:33])), b64(string(point[33:])))
		}
		sum := sha256.Sum256([]byte(members))
		thumbprints[b64(string(sum[:]))] = key.Public()
	}
	ids := list(t, "good.txt")
	for name, b := range vectors(t, "good") {
		leaf := sha256.Sum256(append([]byte{0}, b...))
		if got := "d-" + b64(string(leaf[:])); got != ids[name] {
			t.Errorf("%s has id %s, want %s", name, got, ids[name])
		}
		var envelope struct {
			Payload    string
			Signatures []struct{ Protected, Signature string }
		}
		if err := json.Unmarshal(b, &envelope); err != nil || len(envelope.Signatures) == 0 {
			t.Fatalf("%s: %v, %d signatures", name, err, len(envelope.Signatures))
		}
		before := ""
		for i, s := range envelope.Signatures {
			head, err := base64.RawURLEncoding.Strict().DecodeString(s.Protected)
			if err != nil {
				t.Fatal(err)
			}
			var h struct{ Alg, KID, Typ string }
			if err := json.Unmarshal(head, &h); err != nil {
				t.Fatal(err)
			}
			sig, err := base64.RawURLEncoding.Strict().DecodeString(s.Signature)
			if err != nil || len(sig) != 64 {
				t.Fatalf("%s: signature %d: %d bytes, %v", name, i+1, len(sig), err)
			}
			holds := false
			input := []byte(s.Protected + "." + envelope.Payload)
			switch key := thumbprints[h.KID].(type) {
			case ed25519.PublicKey:
				holds = h.Alg == "EdDSA" && ed25519.Verify(key, input, sig)
			case *ecdsa.PublicKey:
				sum := sha256.Sum256(input)
				holds = h.Alg == "ES256" && ecdsa.Verify(key, sum[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:]))
			}
			if !holds || h.Typ != "docket-record" || h.KID <= before {
				t.Errorf("%s: signature %d (%+v, after kid %q): holds %v", name, i+1, h, before, holds)
			}
			before = h.KID
		}
	}
}

// TestEveryByteCounts: no byte of a record can be another one.
func TestEveryByteCounts(t *testing.T) {
	ring := goldenRing(t)
	for name, good := range vectors(t, "good") {
		if _, err := record.Open(good, ring); err != nil {
			t.Fatal(err)
		}
		for i := range good {
			bad := bytes.Clone(good)
			bad[i] ^= 1 << (i % 8)
			_, err := record.Open(bad, ring)
			if err == nil {
				t.Errorf("%s: accepted with byte %d (%q) changed to %q", name, i, good[i], bad[i])
			} else if record.CodeOf(err) == "" {
				t.Errorf("%s: byte %d changed: %v, want a *record.Error", name, i, err)
			}
			if i%4 > 0 {
				continue
			}
			if _, err := record.Open(good[:i], ring); err == nil {
				t.Errorf("%s: accepted when cut off after %d bytes", name, i)
			}
		}
	}
}
