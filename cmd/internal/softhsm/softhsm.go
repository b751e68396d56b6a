//go:build peers

// Package softhsm makes tokens for tests, with SoftHSM from Debian's package
// softhsm2. A test process has one folder of tokens: the module reads its
// configuration once.
package softhsm

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
)

// Module is where Debian puts the module.
const Module = "/usr/lib/softhsm/libsofthsm2.so"

const pin = "482913"

var count atomic.Int64

// A Token is one that is plugged in.
type Token struct {
	Label string
	// PIN is the file with the PIN.
	PIN string
	// Config is the file that SOFTHSM2_CONF names.
	Config string
}

// New makes a token, which is gone when the test ends. It sets SOFTHSM2_CONF.
func New(t *testing.T) Token {
	t.Helper()
	dir := t.TempDir()
	k := Token{Label: fmt.Sprintf("test %d-%d", os.Getpid(), count.Add(1)), PIN: filepath.Join(dir, "pin"), Config: filepath.Join(dir, "softhsm2.conf")}
	tokens := filepath.Join(dir, "tokens")
	for name, text := range map[string]string{k.PIN: pin + "\n", k.Config: "directories.tokendir = " + tokens + "\nlog.level = ERROR\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(tokens, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SOFTHSM2_CONF", k.Config)
	out, err := exec.Command("softhsm2-util", "--init-token", "--free", "--label", k.Label, "--pin", pin, "--so-pin", pin).CombinedOutput()
	if err != nil {
		t.Fatalf("softhsm2-util: %v: %s", err, out)
	}
	return k
}

// URI names a key in the token.
func (k Token) URI(object string) string {
	return "pkcs11:token=" + k.Label[:4] + "%20" + k.Label[5:] + ";object=" + object + "?module-path=" + Module + "&pin-source=" + k.PIN
}

// PullOut takes the token away and returns what plugs it in again.
func (k Token) PullOut(t *testing.T) (plugIn func()) {
	t.Helper()
	tokens := filepath.Join(filepath.Dir(k.Config), "tokens")
	move := func(from, to string) {
		t.Helper()
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	move(tokens, tokens+".out")
	return func() { move(tokens+".out", tokens) }
}
