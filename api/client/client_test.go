package client_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/docket-ledger/docket/api/client"
	"github.com/docket-ledger/docket/api/problem"
	"github.com/docket-ledger/docket/verify/tile"
)

func TestNew(t *testing.T) {
	for url, good := range map[string]bool{
		"https://ledger.example.com": true, "http://127.0.0.1:8440/": true, "https://ledger.example.com/2026/": true,
		"": false, "ledger.example.com": false, "file:///etc/passwd": false, "https://": false,
		"https://ada:secret@ledger.example.com": false, "https://x/?y": false, "https://x/#y": false, ":": false,
	} {
		_, err := client.New(url)
		if (err == nil) != good {
			t.Errorf("New(%q): %v", url, err)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("New tells the password: %v", err)
		}
	}
}

// TestHostile asks servers that answer what no ledger would.
func TestHostile(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("a redirect was followed to another host")
	}))
	defer elsewhere.Close()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/l/static":
			http.NotFound(w, r)
		case "/l/away":
			http.Redirect(w, r, elsewhere.URL, http.StatusFound)
		case "/l/round":
			http.Redirect(w, r, "/l/round", http.StatusFound)
		case "/l/moved":
			http.Redirect(w, r, "/l/here", http.StatusFound)
		case "/l/here":
			fmt.Fprint(w, "found")
		case "/l/endless":
			for r.Context().Err() == nil {
				if _, err := w.Write(make([]byte, 1<<20)); err != nil {
					return
				}
			}
		case "/l/large":
			w.Header().Set("Content-Length", fmt.Sprint(tile.MaxFile+1))
		case "/l/broken":
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, "half")
		case "/l/v1/log":
			fmt.Fprint(w, "<html>")
		case "/l/v1/keys/k":
			w.Header().Set("Content-Type", problem.ContentType)
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(503)
			fmt.Fprint(w, `{"type":"about:blank","status":503,"code":"ledger.busy","detail":"\u001b[2Jbusy"}`)
		}
	}))
	defer server.Close()
	c, err := client.New(server.URL + "/l/")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for path, want := range map[string]string{
		"away": "refused to be redirected", "round": "redirected too often", "endless": "more than", "large": "more than", "broken": "unexpected EOF",
	} {
		if _, err := c.ReadFile(ctx, path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	if b, err := c.ReadFile(ctx, "moved"); err != nil || string(b) != "found" {
		t.Errorf("moved: %q, %v", b, err)
	}
	if _, err := c.ReadFile(ctx, "static"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("static: %v, want fs.ErrNotExist", err)
	}
	if _, err := c.Info(ctx); err == nil || !strings.Contains(err.Error(), "not what a ledger answers") {
		t.Errorf("info: %v", err)
	}
	var p *problem.Problem
	if _, err := c.Key(ctx, "k"); !errors.As(err, &p) || p.Code != problem.Busy || p.RetryAfter != 7*time.Second || strings.Contains(err.Error(), "\x1b") {
		t.Errorf("key: %v", err)
	}
	server.Close()
	if _, err := c.Info(ctx); err == nil || errors.As(err, &p) && p.Status != 503 || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("nobody there: %v", err)
	}
}
