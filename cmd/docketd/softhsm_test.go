//go:build peers && cgo

package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docket-ledger/docket/api/client"
	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/cmd/internal/softhsm"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
)

// TestPeerToken serves a ledger whose log key is in a token, hands it over to a
// second key there, and pulls the token out.
func TestPeerToken(t *testing.T) {
	token := softhsm.New(t)
	silent := cli.Streams{Out: io.Discard, Err: io.Discard}
	dir := t.TempDir()
	for _, args := range [][]string{{"--origin", "ledger.example.com/2026", "--pkcs11", token.URI("log")}, {"--next", "--pkcs11", token.URI("next")}} {
		if err := key(t.Context(), append(args, "--data", dir), silent); err != nil {
			t.Fatal(err)
		}
	}
	old, heir := line(t, dir, "log.vkey"), line(t, dir, "next.vkey")
	signed, err := charter(old+"\n"+heir, "ada", "ben", "rita")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "charter.jws")
	if err := os.WriteFile(file, signed, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := initialise(t.Context(), []string{"--data", dir, "--charter", file}, silent); err != nil {
		t.Fatal(err)
	}
	grow := func(n int, vkey string, more ...string) {
		t.Helper()
		url, stop := running(t, dir, more...)
		submitted(t, url, vkey, n)
		if err := stop(); err != nil {
			t.Errorf("serve: %v", err)
		}
	}
	grow(0, old)
	grow(1, old, "--log-key", token.URI("log"))
	if err := serve(t.Context(), []string{"--data", dir, "--listen", "127.0.0.1:0", "--log-key", token.URI("next")}, silent); err == nil || !strings.Contains(err.Error(), "is not the verifier key") {
		t.Errorf("served with another key of the token: %v", err)
	}
	if err := succeedKey(t.Context(), []string{"--data", dir}, silent); err != nil {
		t.Fatal(err)
	}
	grow(2, heir)

	url, stop := running(t, dir)
	pulled := token.PullOut(t)
	c, err := client.New(url)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := c.Submit(t.Context(), enrolment(t, 3, record.SeenNothing)); err == nil {
		t.Errorf("submitted without the token: %+v", out)
	}
	if err := stop(); err == nil || !strings.Contains(err.Error(), "does not sign") {
		t.Errorf("serve without the token: %v", err)
	}
	if err := serve(t.Context(), []string{"--data", dir, "--listen", "127.0.0.1:0"}, silent); err == nil {
		t.Error("started without the token")
	}
	pulled()
	grow(4, heir)
}

// line reads a file of keys/.
func line(t *testing.T, dir, file string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "keys", file))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

// submitted logs enrolment n, whose receipt must hold under the key.
func submitted(t *testing.T, url, vkey string, n int) {
	t.Helper()
	c, err := client.New(url)
	if err != nil {
		t.Fatal(err)
	}
	policy, err := verify.ParsePolicy([]byte("log " + vkey + "\nquorum none\n"))
	if err != nil {
		t.Fatal(err)
	}
	b := enrolment(t, n, record.SeenNothing)
	out, err := c.Submit(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	r, err := verify.ParseReceipt([]byte(out.Receipt))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Check(policy, b); err != nil {
		t.Error(err)
	}
}
