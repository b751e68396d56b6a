package main

import (
	"bytes"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docket-ledger/docket/api"
	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
)

// TestWitnessedReceipts takes receipts before and after the witnesses have
// cosigned, by submit and by receipt upgrade.
func TestWitnessedReceipts(t *testing.T) {
	w := ledgertest.NewWitnessed(t, func(c *ledger.Config) { c.Machine = nil })
	server := httptest.NewServer(api.New(w.Ledger, api.Options{Now: w.Now}))
	defer server.Close()
	dir := t.TempDir()
	file := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	trust, plain := file("trust.policy", w.WitnessPolicy()), file("plain.policy", w.TrustPolicy())
	draft := func(name string) string {
		return file(name+".draft", w.Sign(&record.KeyEnrol{Holder: name, JWK: ledgertest.JWK(name), Roles: []record.Role{record.RoleDecider}}, "ada", "ben", name))
	}
	docket := func(args ...string) (code int, said string) {
		var b bytes.Buffer
		err := run(t.Context(), args, cli.Streams{Out: &b, Err: &b})
		if err != nil {
			b.WriteString(err.Error())
		}
		return cli.Code(err), b.String()
	}
	holds := func(path string) bool {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		r, err := verify.ParseReceipt(b)
		if err != nil {
			t.Fatal(err)
		}
		p, err := verify.ParsePolicy(w.WitnessPolicy())
		if err != nil {
			t.Fatal(err)
		}
		_, err = r.Check(p, nil)
		return err == nil
	}
	gil := filepath.Join(dir, "gil.tlog-proof")
	step := func(wantCode int, want string, wantHolds bool, args ...string) {
		t.Helper()
		code, said := docket(append(args, "--ledger", server.URL)...)
		if code != wantCode || !strings.Contains(said, want) {
			t.Errorf("docket %s: %d, want %d and %q:\n%s", strings.Join(args, " "), code, wantCode, want, said)
		}
		if holds(gil) != wantHolds {
			t.Errorf("docket %s: the receipt holds under the witnesses: %v", strings.Join(args, " "), !wantHolds)
		}
	}
	step(0, "docket receipt upgrade", false, "submit", draft("gil"), "--policy", trust)
	step(3, "too few witnesses have cosigned it so far", false, "receipt", "upgrade", gil, "--policy", trust, "--wait", "1s")
	step(3, "docket receipt upgrade", false, "submit", filepath.Join(dir, "gil.draft"), "--policy", trust, "--wait-witnessed", "1s")
	step(2, "names no witnesses", false, "receipt", "upgrade", gil, "--policy", plain)
	w.Cosign("w1 w3")
	step(0, "witnessed by w1, w3", true, "receipt", "upgrade", gil, "--policy", trust)
	step(0, "witnessed already", true, "receipt", "upgrade", gil, "--policy", trust)

	hal := draft("hal")
	cosigned, grown := make(chan bool), w.Ledger.Grown(w.Ledger.Head().Checkpoint.Size)
	go func() {
		defer close(cosigned)
		<-grown
		time.Sleep(100 * time.Millisecond) // it holds whether the request waits by then or not
		w.Cosign("w2 w3")
	}()
	code, said := docket("submit", hal, "--policy", trust, "--ledger", server.URL, "--wait-witnessed", "20s")
	if code != 0 || !strings.Contains(said, "witnessed by w2, w3") || !holds(filepath.Join(dir, "hal.tlog-proof")) {
		t.Errorf("submit that waits: %d %s", code, said)
	}

	<-cosigned

	other := ledgertest.New(t, nil) // another history under the same key
	forked := httptest.NewServer(api.New(other.Ledger, api.Options{Now: other.Now}))
	defer forked.Close()
	kept, err := os.ReadFile(gil)
	if err != nil {
		t.Fatal(err)
	}
	code, said = docket("receipt", "upgrade", gil, "--policy", trust, "--ledger", forked.URL, "--out", filepath.Join(dir, "other"))
	if now, err := os.ReadFile(gil); code == 0 || err != nil || !bytes.Equal(now, kept) {
		t.Errorf("upgrade from another history: %d %s %v", code, said, err)
	}
}
