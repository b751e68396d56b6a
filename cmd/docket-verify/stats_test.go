package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/docket-ledger/docket/api"
	"github.com/docket-ledger/docket/api/client"
	"github.com/docket-ledger/docket/ledger/ledgertest"
)

// A liar is a ledger over HTTP that changes what it says of its numbers.
type liar struct {
	honest http.Handler
	change func(body []byte) []byte
}

func (l *liar) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/v1/stats" || l.change == nil {
		l.honest.ServeHTTP(w, r)
		return
	}
	answer := httptest.NewRecorder()
	l.honest.ServeHTTP(answer, r)
	b := l.change(answer.Body.Bytes())
	if b == nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(b) // who asks has gone
}

// TestStatsCompared: the numbers of a ledger are those of its log, and one that is not is
// found.
func TestStatsCompared(t *testing.T) {
	w := ledgertest.NewVaried(t, 80)
	dir := t.TempDir()
	mirror, trust := filepath.Join(dir, "mirror"), filepath.Join(dir, "trust.policy")
	for path, b := range w.Files() {
		path = filepath.Join(mirror, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(trust, w.TrustPolicy(), 0o644); err != nil {
		t.Fatal(err)
	}
	l := &liar{honest: api.New(w.Ledger, api.Options{})}
	server := httptest.NewServer(l)
	defer server.Close()
	check := func(name string, wantCode int, want string, args ...string) {
		t.Helper()
		code, out, err := run(t.Context(), append([]string{"stats", "--policy", trust}, args...)...)
		if code != wantCode || !strings.Contains(out+fmt.Sprint(err), want) {
			t.Errorf("%s: exit code %d, want %d and %q: %s%v", name, code, wantCode, want, out, err)
		}
	}
	size := w.Ledger.Head().Checkpoint.Size
	same := fmt.Sprintf("the server says the same of the first %d records", size)
	check("the ledger itself", 0, same, server.URL)
	check("a mirror of it", 0, same, "--compare", server.URL, mirror)
	check("a mirror alone", 0, "all decisions", mirror)

	number := regexp.MustCompile(`"[a-z_]+":-?[0-9]+`)
	var text []byte
	l.change = func(b []byte) []byte { text = b; return b }
	check("unchanged", 0, same, server.URL)
	places := number.FindAllIndex(text, -1)
	for i := 1; i < len(places); i += 1 + len(places)/40 { // the first is the size
		l.change = func(b []byte) []byte {
			field := b[places[i][0]:places[i][1]]
			name, n, _ := strings.Cut(string(field), ":")
			value, err := strconv.Atoi(n)
			if err != nil {
				t.Error(err)
			}
			return fmt.Appendf(nil, "%s%s:%d%s", b[:places[i][0]], name, value+1, b[places[i][1]:])
		}
		check("one more of "+string(text[places[i][0]:places[i][1]]), 1, "the server's numbers are not those of the log", "--compare", server.URL, mirror)
	}

	edit := func(change func(s *client.Stats)) {
		l.change = func(b []byte) []byte {
			var s client.Stats
			if err := json.Unmarshal(b, &s); err != nil {
				t.Error(err)
			}
			change(&s)
			b, err := json.Marshal(s)
			if err != nil {
				t.Error(err)
			}
			return b
		}
	}
	edit(func(s *client.Stats) { s.Root = "AAAA" })
	check("another root", 1, "has counted another log", server.URL)
	edit(func(s *client.Stats) { s.Origin = "elsewhere" })
	check("another ledger", 1, `of the log "elsewhere"`, server.URL)
	edit(func(s *client.Stats) { s.Size++ })
	check("more than the copy has", 3, "docket-mirror sync brings the rest", server.URL)
	l.change = func([]byte) []byte { return nil }
	check("a copy that says no numbers", 0, "all decisions", server.URL)
	check("one that was asked for", 3, "ask the ledger for its numbers", "--compare", server.URL, mirror)
	l.change = nil
	w.Submit(w.Sign(w.Decision("later"), "dora", "erik"))
	check("a mirror that is older", 3, "docket-mirror sync brings the rest", "--compare", server.URL, mirror)
	check("the ledger, grown", 0, fmt.Sprintf("the first %d records", size+1), server.URL)
	check("no URL", 2, "--compare", "--compare", "mirror", mirror)
}
