//go:build peers && cgo

package pkcs11key_test

import (
	"crypto"
	"crypto/ed25519"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/docket-ledger/docket/cmd/internal/pkcs11key"
	"github.com/docket-ledger/docket/cmd/internal/softhsm"
)

// TestPeerSoftHSM makes a key in a token, which stays there, and signs with it.
func TestPeerSoftHSM(t *testing.T) {
	token := softhsm.New(t)
	if _, err := pkcs11key.Open(token.URI("log")); err == nil || !strings.Contains(err.Error(), "0 private and 0 public") {
		t.Errorf("a key that is not there: %v", err)
	}
	k, err := pkcs11key.Create(token.URI("log"))
	if err != nil {
		t.Fatal(err)
	}
	public := k.Public().(ed25519.PublicKey)
	again, err := pkcs11key.Create(token.URI("log"))
	if err != nil || !public.Equal(again.Public()) {
		t.Fatalf("the key again: %v, %v", again, err)
	}
	other, err := pkcs11key.Create(token.URI("next"))
	if err != nil || public.Equal(other.Public()) {
		t.Fatalf("another key: %v, %v", other, err)
	}
	var wg sync.WaitGroup
	for _, k := range []*pkcs11key.Key{k, again, other} {
		for range 8 {
			wg.Go(func() {
				sig, err := k.Sign(nil, []byte("message"), crypto.Hash(0))
				if err != nil || !ed25519.Verify(k.Public().(ed25519.PublicKey), []byte("message"), sig) {
					t.Errorf("sign: %v", err)
				}
			})
		}
	}
	wg.Wait()
	if _, err := k.Sign(nil, make([]byte, 32), crypto.SHA256); err == nil {
		t.Error("signed a hash")
	}
	for _, k := range []*pkcs11key.Key{k, other, again} {
		if err := k.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
}

// TestPeerSoftHSMRefused: what is wrong is said, and never the PIN.
func TestPeerSoftHSMRefused(t *testing.T) {
	token := softhsm.New(t)
	open := filepath.Join(t.TempDir(), "open")
	wrong := filepath.Join(t.TempDir(), "wrong")
	for file, mode := range map[string]os.FileMode{open: 0o644, wrong: 0o600} {
		if err := os.WriteFile(file, []byte("999999\n"), mode); err != nil {
			t.Fatal(err)
		}
	}
	good := token.URI("log")
	for name, test := range map[string]struct{ uri, want string }{
		"a PIN for everybody": {strings.Replace(good, token.PIN, open, 1), "chmod 600"},
		"another PIN":         {strings.Replace(good, token.PIN, wrong, 1), "log in with the PIN of"},
		"no PIN":              {strings.Replace(good, token.PIN, "/nowhere", 1), "no such file"},
		"another token":       {strings.Replace(good, "token=", "token=x", 1), "0 tokens of this name"},
		"no module":           {strings.Replace(good, "module-path=", "module-path=/nowhere", 1), "can't be loaded"},
	} {
		_, err := pkcs11key.Create(test.uri)
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "999999") {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		}
	}
}
