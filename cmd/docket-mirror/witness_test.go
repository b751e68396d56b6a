package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/witness"
)

// A witnessProcess is docket-mirror witness as a process of its own.
type witnessProcess struct {
	t    *testing.T
	args []string
	cmd  *exec.Cmd
	url  string
}

// startWitness makes a key, unless the folder has one, and starts a witness.
func startWitness(t *testing.T, dir, policy string) *witnessProcess {
	t.Helper()
	key := filepath.Join(dir, "witness.key")
	if _, err := os.Stat(key); err != nil {
		if out, err := command("witness", "key", "--name", "w.example/docket", "--out", key).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	p := &witnessProcess{t: t, args: []string{"witness", "--key", key, "--dir", filepath.Join(dir, "state"), "--policy", policy, "--listen", "127.0.0.1:0"}}
	p.start()
	t.Cleanup(p.kill)
	return p
}

func (p *witnessProcess) start() {
	p.t.Helper()
	p.cmd = command(p.args...)
	stderr, err := p.cmd.StderrPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		p.t.Fatal(err)
	}
	lines := bufio.NewReader(stderr)
	line, err := lines.ReadString('\n')
	_, p.url, _ = strings.Cut(strings.TrimSpace(line), " on ")
	if err != nil || p.url == "" {
		p.t.Fatalf("said %q, %v", line, err)
	}
	go io.Copy(io.Discard, lines)
}

func (p *witnessProcess) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

func (p *witnessProcess) send(method, path string, body []byte) (*http.Response, string) {
	p.t.Helper()
	req, err := http.NewRequest(method, p.url+path, bytes.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	client := &http.Client{Timeout: 20 * time.Second}
	res, err := client.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return res, string(b)
}

// show asks for a cosignature of the checkpoint in the folder of a log.
func (p *witnessProcess) show(log string, old int64) (status int, body string) {
	p.t.Helper()
	note, err := os.ReadFile(filepath.Join(log, "checkpoint"))
	if err != nil {
		p.t.Fatal(err)
	}
	text, _, _ := bytes.Cut(note, []byte("\n\n"))
	cp, err := verify.ParseCheckpoint(string(text) + "\n")
	if err != nil {
		p.t.Fatal(err)
	}
	r := witness.Request{Old: old, Checkpoint: note}
	if old > 0 && old < cp.Size {
		tree := verify.NewTree(verify.DirSource(os.DirFS(log)), cp)
		if r.Proof, err = tlog.ProveTree(cp.Size, old, tree.Hashes(context.Background())); err != nil {
			p.t.Fatal(err)
		}
	}
	res, body := p.send("POST", "/add-checkpoint", r.Marshal())
	return res.StatusCode, body
}

// TestWitness: what a witness answers over HTTP, and that it keeps what it signed
// when it is killed.
func TestWitness(t *testing.T) {
	o := newOperator(t)
	first, grown, fork, forkGrown := o.log(100, "first"), o.log(300, "first"), o.log(100, "second"), o.log(300, "second")
	p := startWitness(t, t.TempDir(), o.policy)
	id := "/" + witness.ID("static.example/log") + "/checkpoint"
	if res, _ := p.send("GET", id, nil); res.StatusCode != 404 {
		t.Errorf("before anything was cosigned: %s", res.Status)
	}
	if status, body := p.show(first, 0); status != 200 || !strings.HasPrefix(body, "— w.example/docket ") {
		t.Errorf("%d, %q", status, body)
	}
	for range 2 {
		_, kept := p.send("GET", id, nil)
		note, err := os.ReadFile(filepath.Join(first, "checkpoint"))
		if err != nil || !strings.HasPrefix(kept, string(note)) || strings.Count(kept, "\n— ") != 2 {
			t.Errorf("keeps %q (%v)", kept, err)
		}
		if status, body := p.show(grown, 0); status != 409 || body != "100\n" {
			t.Errorf("from the wrong size: %d, %q", status, body)
		}
		if status, _ := p.show(forkGrown, 100); status != 422 {
			t.Errorf("a fork: %d", status)
		}
		if status, _ := p.show(fork, 100); status != 422 {
			t.Errorf("another tree of the size: %d", status)
		}
		p.kill()
		p.start()
	}
	if status, body := p.show(grown, 100); status != 200 {
		t.Errorf("%d, %q", status, body)
	}
	p.evidence(t, o)
	p.oddRequests(t, id)

	// A second one with the same folder would not know what this one signs.
	if out, err := command(p.args...).CombinedOutput(); err == nil || !strings.Contains(string(out), "in use by another witness") {
		t.Errorf("%v: %s", err, out)
	}
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("interrupted: %v", err)
	}
}

// evidence checks that the one file of the folder proves the fork.
func (p *witnessProcess) evidence(t *testing.T, o *operator) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(p.args[4], "fork-*.json"))
	if err != nil || len(files) != 1 {
		t.Fatalf("evidence in %q, %v", files, err)
	}
	b, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	e, err := verify.ParseEvidence(b)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(o.policy)
	if err != nil {
		t.Fatal(err)
	}
	policy, err := verify.ParsePolicy(text)
	if err != nil {
		t.Fatal(err)
	}
	a, errA := policy.Open([]byte(e.Old))
	b2, errB := policy.Open([]byte(e.New))
	if errA != nil || errB != nil || a.Checkpoint.Size != b2.Checkpoint.Size || a.Checkpoint.Root == b2.Checkpoint.Root {
		t.Errorf("%+v (%v) and %+v (%v)", a.Checkpoint, errA, b2.Checkpoint, errB)
	}
}

func (p *witnessProcess) oddRequests(t *testing.T, id string) {
	t.Helper()
	for _, test := range []struct {
		method, path string
		body         string
		status       int
	}{
		{"GET", "/", "", 404},
		{"GET", "/add-checkpoint", "", 405},
		{"PUT", "/add-checkpoint", "", 405},
		{"POST", id, "", 405},
		{"GET", "/" + strings.Repeat("0", 64) + "/checkpoint", "", 404},
		{"GET", "/..%2fwitness.key/checkpoint", "", 404},
		{"POST", "/add-checkpoint", "", 400},
		{"POST", "/add-checkpoint", "old 0\n\nelsewhere.example\n1\n", 404},
		{"POST", "/add-checkpoint", strings.Repeat("x", witness.MaxRequest+1), 413},
	} {
		if res, body := p.send(test.method, test.path, []byte(test.body)); res.StatusCode != test.status {
			t.Errorf("%s %s %.20q: %s %q, want %d", test.method, test.path, test.body, res.Status, body, test.status)
		}
	}
}

// TestWitnessKill kills a witness again and again while a log grows: what it has
// answered for it still has.
func TestWitnessKill(t *testing.T) {
	o := newOperator(t)
	p := startWitness(t, t.TempDir(), o.policy)
	old := int64(0)
	for i := range 8 {
		size := 10 + 7*i
		if status, body := p.show(o.log(size, "first"), old); status != 200 {
			t.Fatalf("from %d to %d: %d, %q", old, size, status, body)
		}
		old = int64(size)
		p.kill()
		p.start()
	}
	if status, body := p.show(o.log(5, "first"), 0); status != 409 || body != fmt.Sprintf("%d\n", old) {
		t.Errorf("%d, %q", status, body)
	}
}
