package main

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/api/client"
	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/verify"
)

// run runs the program in this process.
func run(ctx context.Context, args ...string) (code int, stdout string, err error) {
	var out bytes.Buffer
	err = program.Run(ctx, args, cli.Streams{In: strings.NewReader(""), Out: &out, Err: &out})
	return cli.Code(err), out.String(), err
}

// TestLiars: whatever a server does, nothing but the log gets a name, the exit
// code says what is known, and an honest server can be copied afterwards.
func TestLiars(t *testing.T) {
	root := os.DirFS(filepath.Join(history, "log"))
	honest := http.FileServerFS(root)
	const victim = "/tile/entries/000"
	var asked atomic.Int64
	for _, test := range []struct {
		name string
		lie  func(w http.ResponseWriter, r *http.Request, b []byte)
		code int
	}{
		{"flipped", func(w http.ResponseWriter, _ *http.Request, b []byte) {
			b[len(b)/2] ^= 1
			w.Write(b)
		}, 1},
		{"truncated", func(w http.ResponseWriter, _ *http.Request, b []byte) { w.Write(b[:len(b)-1]) }, 1},
		{"longer", func(w http.ResponseWriter, _ *http.Request, b []byte) { w.Write(append(b, 0)) }, 1},
		{"a page of HTML", func(w http.ResponseWriter, _ *http.Request, _ []byte) {
			fmt.Fprint(w, "<!doctype html><p>Our new site has moved")
		}, 1},
		{"nothing", func(http.ResponseWriter, *http.Request, []byte) {}, 1},
		{"missing", func(w http.ResponseWriter, r *http.Request, _ []byte) { http.NotFound(w, r) }, 3},
		{"forbidden", func(w http.ResponseWriter, _ *http.Request, _ []byte) { http.Error(w, "no", http.StatusForbidden) }, 3},
		{"huge, and says so", func(w http.ResponseWriter, _ *http.Request, _ []byte) {
			w.Header().Set("Content-Length", "1000000000000")
		}, 3},
		{"endless", func(w http.ResponseWriter, r *http.Request, b []byte) {
			for r.Context().Err() == nil {
				if _, err := w.Write(b); err != nil {
					return
				}
			}
		}, 3},
		{"elsewhere", func(w http.ResponseWriter, r *http.Request, _ []byte) {
			http.Redirect(w, r, "http://elsewhere.invalid/", http.StatusFound)
		}, 3},
		{"500 and then well", func(w http.ResponseWriter, _ *http.Request, b []byte) {
			if asked.Load() <= 2 {
				http.Error(w, "oops", http.StatusInternalServerError)
				return
			}
			w.Write(b)
		}, 0},
		{"breaks off and then well", func(w http.ResponseWriter, _ *http.Request, b []byte) {
			w.Header().Set("Content-Length", fmt.Sprint(len(b)))
			if asked.Load() <= 2 {
				b = b[:100]
			}
			w.Write(b)
		}, 0},
		{"busy for a second", func(w http.ResponseWriter, _ *http.Request, b []byte) {
			if asked.Load() == 1 {
				w.Header().Set("Retry-After", "1")
				http.Error(w, "busy", http.StatusTooManyRequests)
				return
			}
			w.Write(b)
		}, 0},
		{"slow", func(w http.ResponseWriter, _ *http.Request, b []byte) {
			for len(b) > 0 {
				n := min(len(b), len(b)/10+1)
				w.Write(b[:n])
				w.(http.Flusher).Flush()
				time.Sleep(time.Millisecond)
				b = b[n:]
			}
		}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			lies := true
			asked.Store(0)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if lies && r.URL.Path == victim {
					b, err := fs.ReadFile(root, victim[1:])
					if err != nil {
						t.Error(err)
					}
					asked.Add(1)
					test.lie(w, r, b)
					return
				}
				honest.ServeHTTP(w, r)
			}))
			defer server.Close()
			dir := filepath.Join(t.TempDir(), "mirror")
			args := []string{"sync", "--policy", filepath.Join(history, "trust.policy"), server.URL, dir}
			code, out, err := run(t.Context(), args...)
			if code != test.code || (code != 0) != (out == "") {
				t.Errorf("exit code %d, want %d; %q, %v", code, test.code, out, err)
			}
			if code > 0 && asked.Load() > 1 {
				t.Errorf("asked %d times for what will not change", asked.Load())
			}
			if _, err := os.Stat(filepath.Join(dir, "checkpoint")); (err == nil) != (code == 0) {
				t.Errorf("checkpoint: %v after exit code %d", err, code)
			}
			sound(t, dir, root)
			lies = false
			if code, _, err := run(t.Context(), args...); code != 0 {
				t.Errorf("honest again: %d, %v", code, err)
			}
			sound(t, dir, root)
		})
	}
}

// TestStalled: a server that never ends its answer does not keep the program
// from being stopped.
func TestStalled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "ledger.example.com/2026\n")
		w.(http.Flusher).Flush()
		cancel()
		<-r.Context().Done()
	}))
	defer server.Close()
	dir := filepath.Join(t.TempDir(), "mirror")
	code, out, err := run(ctx, "sync", "--policy", filepath.Join(history, "trust.policy"), server.URL, dir)
	if code != 3 || out != "" {
		t.Errorf("%d, %q, %v; want exit code 3", code, out, err)
	}
}

// TestEvidence: of a fork, and of a log that was set back, there is one file, and
// it proves to others what it says.
func TestEvidence(t *testing.T) {
	o := newOperator(t)
	dir := filepath.Join(t.TempDir(), "mirror")
	from := func(log string) (int, error) {
		code, _, err := run(t.Context(), "sync", "--policy", o.policy, log, dir)
		return code, err
	}
	small, first, other := o.log(100, "first"), o.log(300, "first"), o.log(600, "other")
	if code, err := from(first); code != 0 {
		t.Fatal(err)
	}
	evidence := func(err error) (path string, e client.Evidence) {
		t.Helper()
		files, globErr := filepath.Glob(dir + ".fork-*.json")
		if globErr != nil || len(files) != 1 || !strings.Contains(err.Error(), files[0]) {
			t.Fatalf("evidence in %q (%v), told was %v", files, globErr, err)
		}
		b, err := os.ReadFile(files[0])
		if err == nil {
			err = json.Unmarshal(b, &e)
		}
		if err != nil {
			t.Fatal(err)
		}
		return files[0], e
	}
	open := func(log, signed string) verify.Checkpoint {
		t.Helper()
		text, err := os.ReadFile(o.policy)
		if err != nil {
			t.Fatal(err)
		}
		p, err := verify.ParsePolicy(text)
		if err != nil {
			t.Fatal(err)
		}
		if want, err := os.ReadFile(filepath.Join(log, "checkpoint")); err != nil || string(want) != signed {
			t.Errorf("evidence has %q, want the checkpoint of %s", signed, log)
		}
		s, err := p.Open([]byte(signed))
		if err != nil {
			t.Fatal(err)
		}
		return s.Checkpoint
	}

	var path string
	for range 2 {
		code, err := from(other)
		if code != 1 {
			t.Errorf("a fork: %d, %v", code, err)
		}
		var e client.Evidence
		path, e = evidence(err)
		fork := verify.ForkError{Old: open(first, e.Old), New: open(other, e.New)}
		if fork.Root, err = tlog.ParseHash(e.Root); err != nil {
			t.Error(err)
		}
		for _, s := range e.Proof {
			h, err := tlog.ParseHash(s)
			if err != nil {
				t.Error(err)
			}
			fork.Proof = append(fork.Proof, h)
		}
		if err := fork.Check(); err != nil {
			t.Error(err)
		}
	}

	// What is in the way of the file is not written to: it is kept in the mirror.
	if err := os.WriteFile(path, []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	within := filepath.Join(dir, strings.TrimPrefix(filepath.Base(path), "mirror."))
	if code, err := from(other); code != 1 || !strings.Contains(err.Error(), within) {
		t.Errorf("a fork: %d, %v; want the evidence in %s", code, err, within)
	}
	if _, err := os.Stat(within); err != nil {
		t.Error(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}

	code, err := from(small)
	if code != 1 || !strings.Contains(err.Error(), "shows 100 entries, and showed 300 before") {
		t.Errorf("set back: %d, %v", code, err)
	}
	_, e := evidence(err)
	open(small, e.Old)
	open(first, e.New)
	sound(t, dir, os.DirFS(first))
}
