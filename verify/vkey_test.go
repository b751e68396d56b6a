package verify_test

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/docket-ledger/docket/verify"
)

func TestVKey(t *testing.T) {
	for _, alg := range []verify.Alg{verify.Ed25519, verify.Ed25519Cosignature, verify.MLDSA44Cosignature} {
		k := newSigner(t, "w.example.com/größe", alg, "k").VKey
		got, err := verify.ParseVKey(k.String())
		if err != nil || got.String() != k.String() || got.Name != k.Name || got.Alg != alg || got.ID() != k.ID() {
			t.Errorf("ParseVKey(%.60s) = %+v, %v", k, got, err)
		}
	}
	// The example of golang.org/x/mod/sumdb/note.
	const peter = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
	k, err := verify.ParseVKey(peter)
	if err != nil || k.ID() != 0xc74f20a3 {
		t.Errorf("ParseVKey(%s) = %+v, %v", peter, k, err)
	}
}

func TestMalformedVKeys(t *testing.T) {
	ed := newSigner(t, origin, verify.Ed25519, "k").VKey
	good := ed.String()
	name, id, b64 := origin, good[len(origin)+1:len(origin)+9], good[len(origin)+10:]
	spell := func(alg verify.Alg, key []byte) string {
		return verify.VKey{Name: origin, Alg: alg, Key: key}.String()
	}
	point := func(s string) []byte {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for what, vkey := range map[string]string{
		"nothing":           "",
		"only a name":       name,
		"no key":            name + "+" + id,
		"empty key":         name + "+" + id + "+",
		"no name":           "+" + id + "+" + b64,
		"name with space":   "a b+" + id + "+" + b64,
		"another name":      "x" + good,
		"another ID":        name + "+00000000+" + b64,
		"ID in upper case":  name + "+" + strings.ToUpper(id) + "+" + b64,
		"short ID":          name + "+" + id[1:] + "+" + b64,
		"more padding":      good + "=",
		"line end":          good + "\n",
		"line end inside":   good[:len(good)-4] + "\n" + good[len(good)-4:],
		"space":             good + " ",
		"base64url":         name + "+" + id + "+" + base64.URLEncoding.EncodeToString(append([]byte{1}, ed.Key...)) + "-",
		"long name":         verify.VKey{Name: strings.Repeat("a", 256), Alg: verify.Ed25519, Key: ed.Key}.String(),
		"type 0x00":         spell(0, ed.Key),
		"type 0x02":         spell(2, ed.Key),
		"type 0x05":         spell(5, ed.Key),
		"type 0xff":         spell(255, ed.Key),
		"31 bytes":          spell(verify.Ed25519, ed.Key[:31]),
		"33 bytes":          spell(verify.Ed25519, append(ed.Key[:32:32], 0)),
		"no bytes":          spell(verify.Ed25519, nil),
		"ML-DSA, 32 bytes":  spell(verify.MLDSA44Cosignature, ed.Key),
		"order 4":           spell(verify.Ed25519, make([]byte, 32)),
		"order 1":           spell(verify.Ed25519Cosignature, point("0100000000000000000000000000000000000000000000000000000000000000")),
		"order 8":           spell(verify.Ed25519, point("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")),
		"y is p":            spell(verify.Ed25519, point("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")),
		"y is p+3":          spell(verify.Ed25519, point("f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")),
		"private key":       "PRIVATE+KEY+" + good,
		"control character": "a\x01b" + good,
	} {
		if k, err := verify.ParseVKey(vkey); err == nil {
			t.Errorf("%s: ParseVKey(%q) = %+v, want an error", what, vkey, k)
		}
	}
}

// FuzzVKey also demands that note.NewVerifier accepts the Ed25519 keys that
// ParseVKey does.
func FuzzVKey(f *testing.F) {
	f.Add(newSigner(f, origin, verify.Ed25519, "k").VKey.String())
	f.Add(newSigner(f, origin, verify.Ed25519Cosignature, "k").VKey.String())
	f.Fuzz(func(t *testing.T, s string) {
		k, err := verify.ParseVKey(s)
		if err != nil {
			return
		}
		if k.String() != s {
			t.Errorf("%q has a second spelling %q", s, k)
		}
		if k.Alg == verify.Ed25519 {
			if v, err := note.NewVerifier(s); err != nil || v.KeyHash() != k.ID() {
				t.Errorf("note.NewVerifier(%q): %v", s, err)
			}
		}
	})
}
