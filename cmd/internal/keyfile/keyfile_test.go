package keyfile_test

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/docket-ledger/docket/cmd/internal/keyfile"
	"github.com/docket-ledger/docket/verify/record"
)

func secret(s string) func() ([]byte, error) {
	return func() ([]byte, error) { return []byte(s), nil }
}

func TestWriteAndRead(t *testing.T) {
	for _, alg := range []string{keyfile.EdDSA, keyfile.ES256} {
		for _, passphrase := range []string{"", "correct horse"} {
			path := filepath.Join(t.TempDir(), "key")
			key, err := keyfile.New(alg)
			if err != nil {
				t.Fatal(err)
			}
			if err := keyfile.Write(path, key, []byte(passphrase)); err != nil {
				t.Fatal(err)
			}
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: mode %v, %v, want 0600", alg, info.Mode(), err)
			}
			got, err := keyfile.Read(path, secret(passphrase))
			if err != nil {
				t.Fatal(err)
			}
			if !got.(interface{ Equal(crypto.PrivateKey) bool }).Equal(key) {
				t.Errorf("%s: another key came back", alg)
			}
			if err := keyfile.Write(path, key, nil); !errors.Is(err, fs.ErrExist) {
				t.Errorf("%s: overwriting: %v, want fs.ErrExist", alg, err)
			}
			if passphrase == "" {
				continue
			}
			if text, err := os.ReadFile(path); err != nil || bytes.Contains(text, []byte(`"d"`)) {
				t.Errorf("%s: the file is not encrypted", alg)
			}
			if _, err := keyfile.Read(path, secret("wrong")); !errors.Is(err, keyfile.ErrPassphrase) {
				t.Errorf("%s: wrong passphrase: %v", alg, err)
			}
			if _, err := keyfile.Read(path, nil); !errors.Is(err, keyfile.ErrPassphrase) {
				t.Errorf("%s: no passphrase: %v", alg, err)
			}
		}
	}
	if _, err := keyfile.New("RS256"); err == nil {
		t.Error("an RSA key was made")
	}
}

// encrypted returns a JWE of text as another tool might write it.
func encrypted(t *testing.T, alg jose.KeyAlgorithm, enc jose.ContentEncryption, iterations int, text []byte) []byte {
	t.Helper()
	e, err := jose.NewEncrypter(enc, jose.Recipient{Algorithm: alg, Key: []byte("pw"), PBES2Count: iterations}, nil)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := e.Encrypt(text)
	if err != nil {
		t.Fatal(err)
	}
	compact, err := sealed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return []byte(compact)
}

// withHeader replaces the protected header of a compact JWE.
func withHeader(compact []byte, header string) []byte {
	_, rest, _ := bytes.Cut(compact, []byte("."))
	return append([]byte(base64.RawURLEncoding.EncodeToString([]byte(header))+"."), rest...)
}

// TestStretching: what Write writes asks for the iterations that the package
// promises.
func TestStretching(t *testing.T) {
	key, err := keyfile.New(keyfile.EdDSA)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "key")
	if err := keyfile.Write(path, key, []byte("pw")); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	header, _, _ := bytes.Cut(text, []byte("."))
	b, err := base64.RawURLEncoding.DecodeString(string(header))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"p2c":600000`, `"alg":"PBES2-HS512+A256KW"`, `"enc":"A256GCM"`} {
		if !strings.Contains(string(b), want) {
			t.Errorf("header %s lacks %s", b, want)
		}
	}
}

func TestReadForeign(t *testing.T) {
	dir := t.TempDir()
	key, err := keyfile.New(keyfile.EdDSA)
	if err != nil {
		t.Fatal(err)
	}
	if err := keyfile.Write(filepath.Join(dir, "plain"), key, nil); err != nil {
		t.Fatal(err)
	}
	plain, err := os.ReadFile(filepath.Join(dir, "plain"))
	if err != nil {
		t.Fatal(err)
	}
	weak := encrypted(t, jose.PBES2_HS256_A128KW, jose.A256GCM, 1000, plain)
	read := func(text []byte) (crypto.Signer, bool, error) {
		path, asked := filepath.Join(dir, "key"), false
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := keyfile.Read(path, func() ([]byte, error) { asked = true; return []byte("pw"), nil })
		return got, asked, err
	}
	if got, asked, err := read(weak); err != nil || !asked || !got.(interface{ Equal(crypto.PrivateKey) bool }).Equal(key) {
		t.Errorf("PBES2-HS256+A128KW of another tool: %v", err)
	}
	rsa := []byte(`{"kty":"RSA","n":"AQAB","e":"AQAB"}`)
	seed := bytes.Replace(plain, []byte(`"d":"`), []byte(`"d":"A`), 1)
	half := len(weak) / 2
	for _, c := range []struct {
		name, want string
		text       []byte
	}{
		{"iterations without end", "iterations", withHeader(weak, `{"alg":"PBES2-HS256+A128KW","enc":"A256GCM","p2c":2000000000,"p2s":"AAAAAAAAAAAAAAAA"}`)},
		{"iterations that overflow", "iterations", withHeader(weak, `{"alg":"PBES2-HS256+A128KW","enc":"A256GCM","p2c":99999999999999999999,"p2s":"AAAAAAAAAAAAAAAA"}`)},
		{"no iterations", "iterations", withHeader(weak, `{"alg":"PBES2-HS256+A128KW","enc":"A256GCM","p2s":"AAAAAAAAAAAAAAAA"}`)},
		{"header changed", "wrong passphrase", withHeader(weak, `{"alg":"PBES2-HS256+A128KW","enc":"A256GCM","p2c":2000,"p2s":"AAAAAAAAAAAAAAAA"}`)},
		{"JWE cut short", "cut short", weak[:half]},
		{"JWE cut at the end", "wrong passphrase, or the file is damaged", weak[:len(weak)-2]},
		{"another JWE", "neither a JWK", encrypted(t, jose.PBES2_HS512_A256KW, jose.A128CBC_HS256, 1000, plain)},
		{"no key inside", "not a private JWK", encrypted(t, jose.PBES2_HS256_A128KW, jose.A256GCM, 1000, []byte("hello"))},
		{"JWK cut short", "cut short", plain[:len(plain)/2]},
		{"x and d of two keys", "not a private JWK", seed},
		{"an RSA key", "no private key", rsa},
		{"an SSH key", "neither a JWK", []byte("-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n")},
		{"nothing", "neither a JWK", nil},
		{"too much", "more than 65536 bytes", bytes.Repeat([]byte(" "), 65<<10)},
	} {
		got, asked, err := read(c.text)
		if err == nil || got != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
		if asked != strings.HasPrefix(c.want, "wrong") && c.name != "no key inside" {
			t.Errorf("%s: asked for the passphrase: %v", c.name, asked)
		}
	}
}

func TestReadPublic(t *testing.T) {
	dir := t.TempDir()
	key, err := keyfile.New(keyfile.EdDSA)
	if err != nil {
		t.Fatal(err)
	}
	if err := keyfile.Write(filepath.Join(dir, "private"), key, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := keyfile.ReadPublic(filepath.Join(dir, "private")); err == nil || !strings.Contains(err.Error(), "docket key show") {
		t.Errorf("a private key as a public one: %v", err)
	}
	want, err := record.NewJWK(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"plain":     `{"crv":"Ed25519","kty":"OKP","x":"` + want.X + `"}`,
		"with more": `{"kid":"k","use":"sig","kty":"OKP","crv":"Ed25519","x":"` + want.X + `"}` + "\n",
	} {
		path := filepath.Join(dir, "public")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := keyfile.ReadPublic(path); err != nil || got != want {
			t.Errorf("%s: ReadPublic = %+v, %v, want %+v", name, got, err, want)
		}
		if _, err := keyfile.Read(path, nil); err == nil {
			t.Errorf("%s: read as a private key", name)
		}
	}
}

func TestCanonical(t *testing.T) {
	for _, c := range []struct{ kind, name, want string }{
		{"domain", "example.com", "domain:example.com"},
		{"domain", " Example.COM. ", "domain:example.com"},
		{"domain", "Bücher.example", "domain:xn--bcher-kva.example"},
		{"url", "HTTPS://Example.com:443#top", "url:https://example.com/"},
		{"url", "http://example.com:8080/A/b?q=1", "url:http://example.com:8080/A/b?q=1"},
		{"url", "http://[2001:DB8::1]/", "url:http://[2001:db8::1]/"},
		{"ip_address", "::ffff:192.0.2.1", "ip_address:192.0.2.1"},
		{"ip_address", "2001:0DB8::0001", "ip_address:2001:db8::1"},
		{"account", " Ann ", "account:Ann"},
		{"other", "e\u0301", "other:\u00e9"},
	} {
		if got, err := keyfile.Canonical(c.kind, c.name); err != nil || got != c.want {
			t.Errorf("Canonical(%q, %q) = %q, %v, want %q", c.kind, c.name, got, err, c.want)
		}
	}
	for _, c := range [][2]string{{"domain", "exam ple.com"}, {"domain", "example"}, {"url", "example.com/x"},
		{"url", "https://ann:pw@example.com/"}, {"ip_address", "192.0.2"}, {"site", "example.com"}, {"other", " "}} {
		if got, err := keyfile.Canonical(c[0], c[1]); err == nil {
			t.Errorf("Canonical(%q, %q) = %q, want an error", c[0], c[1], got)
		}
	}
}

// TestRef has a value that another implementation can check: HMAC-SHA-256 under
// 32 zero bytes of "domain:example.com".
func TestRef(t *testing.T) {
	const want = "MAFXv9MUQk7kpAYqUc8Zr6cjgVUZBzhcprKBzx5PB0g"
	got, err := keyfile.SubjectKey{}.Ref("domain", "EXAMPLE.com.")
	if err != nil || got != want {
		t.Errorf("Ref = %s, %v, want %s", got, err, want)
	}
	path := filepath.Join(t.TempDir(), "subject.key")
	k, err := keyfile.NewSubjectKey(path)
	if err != nil {
		t.Fatal(err)
	}
	if read, err := keyfile.ReadSubjectKey(path); err != nil || read != k {
		t.Errorf("ReadSubjectKey = %v, %v", read, err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v, want 0600", info.Mode(), err)
	}
	if _, err := keyfile.NewSubjectKey(path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("overwriting: %v", err)
	}
}
