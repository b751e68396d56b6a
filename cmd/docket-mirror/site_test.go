package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/tile"
	"github.com/docket-ledger/docket/verify/witness"
)

// startSite runs docket-mirror serve and returns its URL, and a function that ends it.
func startSite(t *testing.T, args ...string) (url string, stop func() error) {
	t.Helper()
	n, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := n.Addr().String()
	n.Close()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() {
		ended <- program.Run(ctx, append([]string{"serve", "--listen", address}, args...), cli.Streams{In: strings.NewReader(""), Out: io.Discard, Err: io.Discard})
	}()
	stop = func() error {
		cancel()
		err := <-ended
		ended <- err
		return err
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	until(t, func() bool {
		res, err := http.Get("http://" + address + "/metrics")
		if err != nil {
			return false
		}
		res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
	return "http://" + address, stop
}

func until(t *testing.T, done func() bool) {
	t.Helper()
	for range 400 {
		if done() {
			return
		}
		time.Sleep(25 * time.Millisecond)
	}
	t.Fatal("it does not come to pass")
}

func get(t *testing.T, url string, header ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(b)
}

// TestSite: a served copy is a log like the one that was copied, and nothing else
// of the disk is shown.
func TestSite(t *testing.T) {
	o := newOperator(t)
	log := o.log(300, "")
	dir := filepath.Join(t.TempDir(), "mirror")
	if code, _, err := run(t.Context(), "sync", "--policy", o.policy, log, dir); code != 0 {
		t.Fatal(err)
	}
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(secret, filepath.Join(dir, "tile", "0", "007")); err != nil {
		t.Fatal(err)
	}
	url, _ := startSite(t, dir)

	res, body := get(t, url+"/checkpoint")
	want, err := os.ReadFile(filepath.Join(log, "checkpoint"))
	if err != nil || body != string(want) || res.Header.Get("Content-Type") != "text/plain; charset=utf-8" || res.Header.Get("Cache-Control") != "no-cache" {
		t.Errorf("checkpoint: %q, %v, %v", body, res.Header, err)
	}
	for id := range tile.All(300) {
		res, body := get(t, url+"/"+id.Path())
		want, err := os.ReadFile(filepath.Join(log, filepath.FromSlash(id.Path())))
		h := res.Header
		if err != nil || body != string(want) || h.Get("Content-Type") != "application/octet-stream" ||
			!strings.Contains(h.Get("Cache-Control"), "immutable") || h.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: %d bytes, %v, %v", id.Path(), len(body), h, err)
		}
		if res, _ := get(t, url+"/"+id.Path(), "If-None-Match", h.Get("ETag")); res.StatusCode != http.StatusNotModified {
			t.Errorf("%s again: %s", id.Path(), res.Status)
		}
	}
	// The tile of an earlier size is the beginning of the one that is there.
	if _, body := get(t, url+"/tile/0/001.p/9"); len(body) != 9*32 {
		t.Errorf("a narrower tile has %d bytes", len(body))
	}
	if _, body := get(t, url+"/tile/entries/001.p/2"); body != "\x00\x04 256\x00\x04 257" {
		t.Errorf("a narrower bundle is %q", body)
	}
	for _, path := range []string{"/tile/0/002", "/tile/0/001.p/45", "/tile/0/001", "/tile/1/000.p/2", "/tile/0/007", "/tile/0/0", "/tile/x/000",
		"/.lock", "/.verified", "/.witness/", "/tile", "/tile/", "//tile/0/000", "/tile/../checkpoint", "/checkpoints/0000000000000300", "/checkpoints/1",
		"/v1/checkpoints?covers=3", "/add-checkpoint", "/nothing"} {
		res, _ := get(t, url+path)
		if res.StatusCode != http.StatusNotFound && !(path == "/tile/0/007" && res.StatusCode == http.StatusInternalServerError) {
			t.Errorf("%s: %s, want 404", path, res.Status)
		}
	}
	if res, body := get(t, url+"/"); !strings.Contains(body, "static.example/log") || !strings.Contains(body, "300") || !strings.Contains(body, "viewport") ||
		res.Header.Get("Content-Security-Policy") == "" {
		t.Errorf("page: %s", body)
	}
	if res, body := get(t, url+"/healthz"); res.StatusCode != http.StatusOK || !strings.HasPrefix(body, "ok: static.example/log, 300 entries") {
		t.Errorf("healthz: %s %q", res.Status, body)
	}
	if _, body := get(t, url+"/metrics"); !strings.Contains(body, "docket_mirror_size_entries 300") {
		t.Errorf("metrics: %s", body)
	}
	if res, err := http.Post(url+"/checkpoint", "text/plain", nil); err != nil || res.StatusCode != http.StatusMethodNotAllowed || res.Header.Get("Allow") == "" {
		t.Errorf("POST: %v, %v", res, err)
	}
	// Whoever copies the copy gets the log.
	if code, _, err := run(t.Context(), "sync", "--policy", o.policy, url, filepath.Join(t.TempDir(), "second")); code != 0 {
		t.Error(err)
	}
}

// TestSiteFollows: a site that follows serves what the log has become, and keeps
// the checkpoints that witnesses cosigned.
func TestSiteFollows(t *testing.T) {
	w := ledgertest.NewWitnessed(t, nil)
	dir := t.TempDir()
	policy := filepath.Join(dir, "trust.policy")
	if err := os.WriteFile(policy, w.WitnessPolicy(), 0o644); err != nil {
		t.Fatal(err)
	}
	first := w.Cosign("w1 w2").Checkpoint
	url := serveWorld(t, w)
	site, _ := startSite(t, filepath.Join(dir, "mirror"), "--from", url, "--every", "1s", "--policy", policy)
	shows := func(cp verify.Checkpoint) func() bool {
		return func() bool {
			_, body := get(t, site+"/checkpoint")
			return strings.HasPrefix(body, cp.Text())
		}
	}
	until(t, shows(first))
	d := w.Decision("grown")
	d.Grounds[0].Clause = "solo"
	w.Submit(w.Sign(d, "dora"))
	second := w.Cosign("w2 w3").Checkpoint
	if second.Size <= first.Size {
		t.Fatal("it has not grown")
	}
	until(t, shows(second))
	for _, cp := range []verify.Checkpoint{first, second} {
		if _, body := get(t, fmt.Sprintf("%s/checkpoints/%016d", site, cp.Size)); !strings.HasPrefix(body, cp.Text()) {
			t.Errorf("kept of size %d: %q", cp.Size, body)
		}
		if _, body := get(t, fmt.Sprintf("%s/v1/checkpoints?covers=%d", site, cp.Size-1)); !strings.HasPrefix(body, cp.Text()) {
			t.Errorf("covering %d: %q", cp.Size-1, body)
		}
	}
	if _, body := get(t, site+"/"); !strings.Contains(body, "2 with cosignatures") {
		t.Errorf("page: %s", body)
	}
}

// serveWorld serves the files of a ledger's log as they are when asked.
func serveWorld(t *testing.T, w *ledgertest.World) string {
	t.Helper()
	n, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		b, err := w.Ledger.ReadFile(r.Context(), strings.TrimPrefix(r.URL.Path, "/"))
		if err != nil {
			http.NotFound(rw, r)
			return
		}
		rw.Write(b)
	})}
	go server.Serve(n)
	t.Cleanup(func() { server.Close() })
	return "http://" + n.Addr().String()
}

// TestSiteCosigns: a site with a key cosigns a head that the log does not show yet,
// once it has every file of it, and nothing that it can't copy.
func TestSiteCosigns(t *testing.T) {
	w := ledgertest.NewWitnessed(t, nil)
	dir := t.TempDir()
	policy, key := filepath.Join(dir, "trust.policy"), filepath.Join(dir, "witness.key")
	if err := os.WriteFile(policy, w.WitnessPolicy(), 0o644); err != nil {
		t.Fatal(err)
	}
	if code, _, err := run(t.Context(), "witness", "key", "--name", "w.example", "--out", key); code != 0 {
		t.Fatal(err)
	}
	mirror := filepath.Join(dir, "mirror")
	lost := filepath.Join(dir, "lost")
	if err := os.Mkdir(lost, 0o755); err != nil {
		t.Fatal(err)
	}
	site, _ := startSite(t, mirror, "--from", serveWorld(t, w), "--every", "1s", "--policy", policy, "--witness", key)
	alone, _ := startSite(t, filepath.Join(dir, "alone"), "--from", lost, "--every", "1s", "--policy", policy, "--witness", key)

	head := w.Ledger.Head()
	ask := func(site string, r witness.Request) (int, string) {
		t.Helper()
		res, err := http.Post(site+"/add-checkpoint", "", strings.NewReader(string(r.Marshal())))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(b)
	}
	if status, body := ask(alone, witness.Request{Checkpoint: head.Note}); status != http.StatusServiceUnavailable {
		t.Errorf("what can't be copied: %d %s", status, body)
	}
	status, body := ask(site, witness.Request{Checkpoint: head.Note})
	if status != http.StatusOK || !strings.HasPrefix(body, "— w.example ") {
		t.Fatalf("%d %s", status, body)
	}
	for id := range tile.All(head.Checkpoint.Size) {
		if _, err := os.Stat(filepath.Join(mirror, filepath.FromSlash(id.Path()))); err != nil {
			t.Error(err)
		}
	}
	if status, body := ask(site, witness.Request{Checkpoint: head.Note}); status != http.StatusConflict || body != fmt.Sprintf("%d\n", head.Checkpoint.Size) {
		t.Errorf("from 0 again: %d %s", status, body)
	}
	if res, _ := get(t, site+"/checkpoint"); res.StatusCode != http.StatusNotFound {
		t.Errorf("a checkpoint without its quorum is served: %s", res.Status)
	}
	if _, kept := get(t, site+"/"+witness.ID(head.Checkpoint.Origin)+"/checkpoint"); !strings.HasPrefix(kept, head.Checkpoint.Text()) {
		t.Errorf("newest cosigned: %q", kept)
	}
	w.Cosign("w1 w2")
	until(t, func() bool { res, _ := get(t, site+"/checkpoint"); return res.StatusCode == http.StatusOK })
}
