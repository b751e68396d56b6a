package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/docket-ledger/docket/api"
	"github.com/docket-ledger/docket/api/client/liartest"
	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/cmd/internal/watch"
	"github.com/docket-ledger/docket/ledger/ledgertest"
)

// trustFile writes a trust policy.
func trustFile(t *testing.T, policy []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "trust.policy")
	if err := os.WriteFile(path, policy, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// events reads the lines that a watch printed.
func events(t *testing.T, out string) (all []watch.Event) {
	t.Helper()
	for line := range strings.Lines(out) {
		var e watch.Event
		if !strings.HasPrefix(line, "{") {
			continue // what it says on standard error
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil || e.ID == "" || e.Detail == "" {
			t.Fatalf("%q: %v", line, err)
		}
		all = append(all, e)
	}
	return all
}

// about returns the codes of events on the log itself, and the evidence: that of a
// fork, or else the first.
func about(all []watch.Event) (codes []watch.Code, evidence string) {
	for _, e := range all {
		if c := string(e.Code); (strings.HasPrefix(c, "log.") || strings.HasPrefix(c, "checkpoint.")) && e.Level != watch.Info && !slices.Contains(codes, e.Code) {
			codes = append(codes, e.Code)
		}
		if evidence == "" || e.Code == watch.Fork {
			evidence = e.Evidence
		}
	}
	return codes, evidence
}

// TestWatchLies: a watch that has seen a log finds every lie of it, and keeps
// evidence that verifies. Another start in between, it does not say so again, and
// still exits with 1.
func TestWatchLies(t *testing.T) {
	o := liartest.History(t, "../../verify/testdata/history")
	trust := trustFile(t, o.Trust())
	want := map[liartest.Verdict][]watch.Code{
		liartest.Contradicts: {watch.Fork, watch.Smaller, watch.Altered},
		liartest.Broken:      {watch.Altered, watch.Malformed, watch.Unsigned, watch.BadSignature, watch.OtherLog},
		liartest.Missing:     {watch.Altered},
		liartest.Silent:      {watch.Unread, watch.Unreachable},
		liartest.Older:       {watch.Smaller}, // than what the same path showed: no witness explains that
	}
	for _, lie := range o.Lies() {
		t.Run(lie.Name, func(t *testing.T) {
			t.Parallel()
			state := filepath.Join(t.TempDir(), "log.watch")
			server := liartest.Serve(t, lie.First)
			look := func() (int, []watch.Event) {
				args := []string{"watch", "--once", "--policy", trust, "--state", state, server.URL}
				if lie.Endless {
					args = append(args, "--timeout", "500ms")
				}
				code, out, _ := run(t.Context(), args...)
				return code, events(t, out)
			}
			if _, found := look(); len(lie.First) > 0 {
				if codes, _ := about(found); len(codes) > 0 {
					t.Fatalf("the truth: %v", found)
				}
			}
			server.Show(lie.Then)
			code, found := look()
			codes, evidence := about(found)
			if lie.Verdict == liartest.Unseen {
				if len(codes) > 0 {
					t.Errorf("%v", found)
				}
				return
			}
			if len(codes) == 0 && len(lie.First) == 0 && lie.Verdict == liartest.Silent && code == 3 {
				return // nothing was there before, either
			}
			if len(codes) == 0 || slices.ContainsFunc(codes, func(c watch.Code) bool { return !slices.Contains(want[lie.Verdict], c) }) {
				t.Fatalf("codes %v, want of %v: %v", codes, want[lie.Verdict], found)
			}
			if lie.Verdict == liartest.Contradicts {
				proves(t, evidence, o.Policies(), lie)
			}
			again, found := look()
			if codes, _ := about(found); len(codes) > 0 || again != code || code == 0 {
				t.Errorf("the second time: %d and %d, %v", code, again, found)
			}
		})
	}
}

// TestWatchPeers: a log that shows one history here and another to a peer is
// caught from either side, and so is one that shows an old checkpoint here.
func TestWatchPeers(t *testing.T) {
	o := liartest.History(t, "../../verify/testdata/history")
	trust := trustFile(t, o.Trust())
	for _, test := range []struct {
		name  string
		here  liartest.Files
		there liartest.Files
		lag   string
		want  watch.Code
	}{
		{"the same", o.Log(300), o.Log(300), "0s", ""},
		{"a peer that is behind", o.Log(300), o.Log(256), "0s", ""},
		{"an empty peer", o.Log(300), o.Log(0), "0s", ""},
		{"a peer that is ahead for a moment", o.Log(256), o.Log(300), "10m", ""},
		{"an old checkpoint here", o.Log(256), o.Log(300), "0s", watch.Behind},
		{"another history there", o.Log(300), o.Fork(300, 299), "0s", watch.PeerFork},
		{"a smaller one there", o.Log(300), o.Fork(257, 256), "0s", watch.PeerFork},
		{"a larger one there", o.Log(257), o.Fork(300, 255), "0s", watch.PeerFork},
		{"another log there", o.Log(257), liartest.New(t, "elsewhere.example/1", 3).Log(3), "0s", watch.PeerInvalid},
		{"a page there", o.Log(257), liartest.Files{"checkpoint": []byte("<!doctype html>")}, "0s", watch.PeerInvalid},
		{"nothing there", o.Log(257), liartest.Files{}, "0s", watch.NoPeer},
	} {
		here, there := liartest.Serve(t, test.here), liartest.Serve(t, test.there)
		state := filepath.Join(t.TempDir(), "log.watch")
		_, out, err := run(t.Context(), "watch", "--once", "--policy", trust, "--state", state, "--max-lag", test.lag, "--peer", there.URL, here.URL)
		var codes []watch.Code
		for _, e := range events(t, out) {
			if strings.HasPrefix(string(e.Code), "peer.") || e.Code == watch.Behind {
				codes = append(codes, e.Code)
			}
			if e.Code == watch.PeerFork {
				proves(t, e.Evidence, o.Policies(), liartest.Lie{Verdict: liartest.Contradicts, Proof: "fork"})
			}
		}
		if test.want == "" && len(codes) > 0 || test.want != "" && !slices.Equal(codes, []watch.Code{test.want}) {
			t.Errorf("%s: %v, want %q: %s%v", test.name, codes, test.want, out, err)
		}
	}
}

// A hook is a webhook that first refuses a few times.
type hook struct {
	key     string
	refuses atomic.Int32

	mu     sync.Mutex
	bodies []string
	faults []string
}

func (h *hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	body, err := io.ReadAll(r.Body)
	var at int64
	var got string
	if _, scanErr := fmt.Sscanf(r.Header.Get("Docket-Signature"), "t=%d,v1=%s", &at, &got); err != nil || scanErr != nil {
		h.faults = append(h.faults, fmt.Sprint(r.Header, err, scanErr))
	}
	mac := hmac.New(sha256.New, []byte(h.key))
	fmt.Fprintf(mac, "%d.%s", at, body)
	if hex.EncodeToString(mac.Sum(nil)) != got || time.Since(time.Unix(at, 0)).Abs() > time.Minute {
		h.faults = append(h.faults, "signature "+r.Header.Get("Docket-Signature"))
	}
	if h.refuses.Add(-1) >= 0 {
		http.Error(w, "later", http.StatusServiceUnavailable)
		return
	}
	h.bodies = append(h.bodies, string(body))
}

// TestWatchDelivers: an alarm reaches the command and the webhook once each, though
// the webhook refuses at first, also in a later run; private addresses are refused
// unless they are asked for.
func TestWatchDelivers(t *testing.T) {
	o := liartest.New(t, "static.example/log", 5)
	dir := t.TempDir()
	trust, state, got := trustFile(t, o.Trust()), filepath.Join(dir, "s"), filepath.Join(dir, "got")
	h := &hook{key: strings.Repeat("k", 32)}
	receiver := httptest.NewServer(h)
	defer receiver.Close()
	key := filepath.Join(dir, "hook.key")
	if err := os.WriteFile(key, []byte(h.key+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	server := liartest.Serve(t, o.Log(5))
	args := []string{"watch", "--once", "--policy", trust, "--state", state, "--exec", "cat >>" + got + "; echo $DOCKET_CODE >>" + got, "--webhook", receiver.URL, "--webhook-key", key, server.URL}

	code, out, err := run(t.Context(), args...) // its entries are no records: an alarm each
	if code != 1 || err == nil || !strings.Contains(err.Error(), "not a public address") || len(h.bodies) > 0 {
		t.Fatalf("loopback: %d, %v, %v", code, err, h.bodies)
	}
	first := events(t, out)
	h.refuses.Store(2)
	if code, out, err = run(t.Context(), append(args, "--webhook-private")...); code != 1 || err == nil || len(events(t, out)) > 0 {
		t.Fatalf("%d, %s, %v", code, out, err)
	}
	var alarms []string
	for _, e := range first {
		if e.Level == watch.Alarm {
			alarms = append(alarms, e.ID)
		}
	}
	var delivered []string
	for _, e := range events(t, strings.Join(h.bodies, "\n")) {
		delivered = append(delivered, e.ID)
	}
	if len(alarms) < 5 || !slices.Equal(alarms, delivered) || len(h.faults) > 0 {
		t.Errorf("alarms %v, delivered %v, faults %v", alarms, delivered, h.faults)
	}
	b, err := os.ReadFile(got)
	if n := bytes.Count(b, []byte("\nlog.dishonest\n")); err != nil || n != len(alarms) || len(events(t, string(b))) != len(alarms) {
		t.Errorf("exec: %v, %s", err, b)
	}
	if err := os.Chmod(key, 0o644); err != nil {
		t.Fatal(err)
	}
	if code, _, err := run(t.Context(), args...); code != 3 || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a key that others read: %d, %v", code, err)
	}
}

// A pipe collects the lines of a watch that runs.
type pipe struct {
	lines chan string
	w     *io.PipeWriter
}

func newPipe() *pipe {
	r, w := io.Pipe()
	p := &pipe{make(chan string, 1000), w}
	go func() {
		for s := bufio.NewScanner(r); s.Scan(); {
			p.lines <- s.Text()
		}
	}()
	return p
}

// until waits for an event.
func (p *pipe) until(t *testing.T, code watch.Code) watch.Event {
	t.Helper()
	timeout := time.After(30 * time.Second)
	var seen []string
	for {
		select {
		case line := <-p.lines:
			seen = append(seen, line)
			if e := events(t, line); len(e) == 1 && e[0].Code == code {
				return e[0]
			}
		case <-timeout:
			t.Fatalf("no %s in %s", code, strings.Join(seen, "\n"))
		}
	}
}

// TestWatchRuns follows a ledger whose server is not there at first, through a
// restart of the watch, and shows metrics.
func TestWatchRuns(t *testing.T) {
	w := ledgertest.New(t, nil)
	trust, state := trustFile(t, w.TrustPolicy()), filepath.Join(t.TempDir(), "s")
	var up atomic.Bool
	handler := api.New(w.Ledger, api.Options{})
	server := httptest.NewServer(http.HandlerFunc(func(res http.ResponseWriter, req *http.Request) {
		if !up.Load() {
			http.Error(res, "starting", http.StatusServiceUnavailable)
			return
		}
		handler.ServeHTTP(res, req)
	}))
	defer server.Close()
	listen := freeAddress(t)
	start := func(more ...string) (*pipe, func()) {
		ctx, cancel := context.WithCancel(t.Context())
		p, done := newPipe(), make(chan error, 1)
		args := append([]string{"watch", "--policy", trust, "--state", state, "--interval", "100ms", server.URL}, more...)
		go func() {
			done <- program.Run(ctx, args, cli.Streams{In: strings.NewReader(""), Out: p.w, Err: io.Discard})
		}()
		return p, func() {
			cancel()
			if err := <-done; cli.Code(err) != 0 {
				t.Errorf("stopped: %v", err)
			}
		}
	}
	p, stop := start("--listen", listen)
	p.until(t, watch.Unreachable)
	up.Store(true)
	p.until(t, watch.Cleared)
	p.until(t, watch.Began)
	w.Submit(w.Sign(w.Decision("case-1"), "dora", "erik"))
	if e := p.until(t, watch.Grown); e.Size != 7 || e.Origin != ledgertest.Origin {
		t.Errorf("%+v", e)
	}
	if e := p.until(t, watch.Overdue); e.Level != watch.Alarm || !strings.Contains(e.Detail, "case-1") { // the ledger's clock is behind
		t.Errorf("%+v", e)
	}
	for _, want := range []string{"docket_watch_size_entries 7\n", `docket_watch_events_total{code="log.grown"} 1`, `docket_watch_looks_total{outcome="unknown"}`,
		`docket_watch_open_alarms{code="duty.overdue"} 1`} {
		if got := get(t, "http://"+listen+"/metrics", want); !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
	if health := get(t, "http://"+listen+"/healthz", "alarm"); health != "alarm\n" {
		t.Errorf("health %q", health)
	}
	stop()
	policy := ledgertest.Abuse()
	policy.Version, policy.EffectiveFrom = 2, w.Time(0)
	w.Submit(w.Sign(policy, "ada", "ben"))
	p, stop = start()
	if e := p.until(t, watch.PolicyPublished); e.Index == nil || *e.Index != 7 || e.Record == "" || e.Level != watch.Alarm {
		t.Errorf("%+v", e)
	}
	stop()
	if code, out, err := run(t.Context(), "watch", "--once", "--policy", trust, "--state", state, server.URL); code != 1 || out != "" {
		t.Errorf("nothing new, and something is overdue: %d, %s, %v", code, out, err)
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "127.0.0.1:" + strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

// get reads a page, until it has what is wanted, for a time.
func get(t *testing.T, url, want string) (page string) {
	t.Helper()
	for range 100 {
		if res, err := http.Get(url); err == nil {
			b, err := io.ReadAll(res.Body)
			if page = string(b); err == nil && strings.Contains(page, want) {
				res.Body.Close()
				return page
			}
			res.Body.Close()
		}
		time.Sleep(50 * time.Millisecond)
	}
	return page
}
