package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/cmd/internal/keyfile"
	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/verify/record"
)

const origin = "ledger.example.com/2026"

func newSigner(t *testing.T) (note.Signer, string) {
	t.Helper()
	skey, vkey, err := note.GenerateKey(rand.Reader, origin)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	return signer, vkey
}

// staticLog returns the files of a log of these entries.
func staticLog(t *testing.T, signer note.Signer, entries ...string) map[string][]byte {
	t.Helper()
	var b [][]byte
	for _, e := range entries {
		b = append(b, []byte(e))
	}
	files, err := ledgertest.StaticLog(signer, b)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestSignRefusesFork signs a draft, and then meets a ledger with another
// history under the same key.
func TestSignRefusesFork(t *testing.T) {
	signer, vkey := newSigner(t)
	log := staticLog(t, signer, "a", "b")
	next := 1
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := strings.TrimPrefix(r.URL.Path, "/")
		switch {
		case log[path] != nil:
			w.Write(log[path])
		case path == "v1/log":
			fmt.Fprintf(w, `{"origin":%q,"vkey":%q}`, origin, vkey)
		case strings.HasPrefix(path, "v1/keys/"):
			fmt.Fprintf(w, `{"kid":%q,"holder":"dora","roles":["decider"],"next_seq":%d}`, strings.TrimPrefix(path, "v1/keys/"), next)
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()

	dir := t.TempDir()
	keyFile, draft := filepath.Join(dir, "dora.jwk"), filepath.Join(dir, "d.draft")
	key, err := keyfile.New(keyfile.EdDSA)
	if err != nil {
		t.Fatal(err)
	}
	if err := keyfile.Write(keyFile, key, nil); err != nil {
		t.Fatal(err)
	}
	d, err := readDecision(t, exampleDecision(now))
	if err != nil {
		t.Fatal(err)
	}
	sign := func() (header record.Header, code int, said string) {
		u, err := record.NewDraft(d)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(draft, u.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		err = run(context.Background(), []string{"sign", draft, "--key", keyFile, "--ledger", server.URL, "--yes"},
			cli.Streams{In: strings.NewReader(""), Out: &out, Err: &out})
		signed, readErr := readDraft(draft)
		if readErr != nil {
			t.Fatal(readErr)
		}
		if len(signed.Headers()) > 0 {
			header = signed.Headers()[0]
		}
		return header, cli.Code(err), fmt.Sprint(err)
	}

	// The number of the next signature: the ledger's, or, as long as the
	// last one was not submitted, the one after it.
	for _, c := range []struct{ next, want int }{{4, 4}, {4, 5}, {9, 9}} {
		next = c.next
		if h, code, said := sign(); code != 0 || h.Seq != int64(c.want) || h.Seen.Size != 2 {
			t.Fatalf("ledger says %d: signed %+v, exit code %d: %s; want seq %d, seen 2", c.next, h, code, said, c.want)
		}
	}

	for name, liar := range map[string]map[string][]byte{"fork": staticLog(t, signer, "a", "X", "c"), "shrunk": staticLog(t, signer, "a")} {
		log = liar
		if h, code, said := sign(); code != 1 || h.Seq != 0 || !strings.Contains(said, ".fork-") {
			t.Errorf("%s: signed %+v, exit code %d: %s; want a refusal", name, h, code, said)
		}
		evidence, err := filepath.Glob(keyFile + ".fork-*")
		if err != nil || len(evidence) != 1 {
			t.Fatalf("%s: %d files of evidence (%v), want 1", name, len(evidence), err)
		}
		if err := os.Remove(evidence[0]); err != nil {
			t.Fatal(err)
		}
	}
	server.Close()
	if _, code, said := sign(); code != 3 {
		t.Errorf("no answer: exit code %d: %s; want 3", code, said)
	}
}
