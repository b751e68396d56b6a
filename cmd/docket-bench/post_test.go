package main

import (
	"bytes"
	"encoding/json"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docket-ledger/docket/api"
	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/cmd/internal/keyfile"
	"github.com/docket-ledger/docket/ledger/ledgertest"
)

func run(t *testing.T, args ...string) (code int, out string, err error) {
	t.Helper()
	var b bytes.Buffer
	err = program.Run(t.Context(), args, cli.Streams{In: strings.NewReader(""), Out: &b, Err: &b})
	return cli.Code(err), b.String(), err
}

// TestPost posts to a real ledger, and what it says is what the ledger has.
func TestPost(t *testing.T) {
	w := ledgertest.New(t, nil)
	clock = w.Now
	server := httptest.NewServer(api.New(w.Ledger, api.Options{}))
	defer server.Close()
	var keys []string
	for _, name := range []string{"dora", "erik", "ada"} {
		path := filepath.Join(t.TempDir(), name+".jwk")
		if err := keyfile.Write(path, ledgertest.Key(name), nil); err != nil {
			t.Fatal(err)
		}
		keys = append(keys, path)
	}
	before := w.Ledger.Head().Checkpoint.Size
	code, out, err := run(t, "post", "--key", keys[0], "--key", keys[1], "--records", "30", "--workers", "8", "--json", server.URL, server.URL)
	var r result
	if code != 0 || json.Unmarshal([]byte(out), &r) != nil {
		t.Fatalf("%d: %s%v", code, out, err)
	}
	if r.Records != 30 || r.Failed != 0 || r.Nodes != 2 || r.Rate <= 0 || r.P50 <= 0 || r.P50 > r.P99 || r.P99 > r.Max || r.Max > r.Seconds {
		t.Errorf("%+v", r)
	}
	if size := w.Ledger.Head().Checkpoint.Size; size != before+30 {
		t.Errorf("the log has %d records more", size-before)
	}
	if code, out, err := run(t, "post", "--key", keys[0], "--key", keys[1], "--records", "5", server.URL); code != 0 || !strings.Contains(out, "5 records of ") {
		t.Errorf("again: %d: %s%v", code, out, err)
	}
	for want, args := range map[string][]string{
		"5 records were not taken":      {"post", "--key", keys[2], "--records", "5", server.URL},
		"--key is missing":              {"post", server.URL},
		"URL is missing":                {"post", "--key", keys[0]},
		"--records and --workers are 1": {"post", "--key", keys[0], "--records", "0", server.URL},
		"no such file":                  {"post", "--key", "nobody.jwk", server.URL},
		"not the URL of a ledger":       {"post", "--key", keys[0], "mirror"},
	} {
		if code, out, err := run(t, args...); code == 0 || !strings.Contains(out+err.Error(), want) {
			t.Errorf("%q: %d: %s%v", args, code, out, err)
		}
	}
}
