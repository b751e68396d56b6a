package client_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/go-json-experiment/json"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/api"
	"github.com/docket-ledger/docket/api/client"
	"github.com/docket-ledger/docket/api/problem"
	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
)

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

// forks returns the evidence beside a memory, and removes it.
func forks(t *testing.T, memory string) []client.Evidence {
	t.Helper()
	paths, err := filepath.Glob(strings.TrimSuffix(memory, client.MemoryEnding) + ".fork-*")
	if err != nil {
		t.Fatal(err)
	}
	var all []client.Evidence
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var e client.Evidence
		if err := json.Unmarshal(b, &e); err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// follower returns a Follower with the memory in a file.
func follower(t *testing.T, url string, policy *verify.Policy, memory string) *client.Follower {
	t.Helper()
	c, err := client.New(url)
	if err != nil {
		t.Fatal(err)
	}
	m, err := client.OpenMemory(memory, "")
	if err != nil {
		t.Fatal(err)
	}
	f, err := c.Follow(origin, policy, m)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func pin(t *testing.T, vkey string) *verify.Policy {
	t.Helper()
	p, err := client.Pin(vkey)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// checkFork checks evidence of two checkpoints with nothing but the log's key.
func checkFork(t *testing.T, policy *verify.Policy, e client.Evidence) {
	t.Helper()
	old, err := policy.Open([]byte(e.Old))
	if err != nil {
		t.Fatal(err)
	}
	cur, err := policy.Open([]byte(e.New))
	if err != nil {
		t.Fatal(err)
	}
	checkProof(t, old.Checkpoint, cur.Checkpoint, e)
	if _, err := (verify.Policies{policy}).Prove(e); err != nil {
		t.Errorf("docket-verify fork: %v", err)
	}
}

func checkProof(t *testing.T, old, cur verify.Checkpoint, e client.Evidence) {
	t.Helper()
	var err error
	proven := verify.ForkError{Old: old, New: cur}
	if proven.Root, err = tlog.ParseHash(e.Root); err != nil {
		t.Fatal(err)
	}
	for _, s := range e.Proof {
		h, err := tlog.ParseHash(s)
		if err != nil {
			t.Fatal(err)
		}
		proven.Proof = append(proven.Proof, h)
	}
	if err := proven.Check(); err != nil {
		t.Errorf("the evidence does not hold: %v", err)
	}
}

// TestHead follows a log that grows, and meets all that it should not show.
func TestHead(t *testing.T) {
	ctx := context.Background()
	signer, vkey := newSigner(t)
	policy := pin(t, vkey)
	var shown atomic.Pointer[map[string][]byte]
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, ok := (*shown.Load())[strings.TrimPrefix(r.URL.Path, "/")]
		if !ok {
			http.NotFound(w, r)
			return
		}
		if r.URL.Path == "/checkpoint" && r.Header.Get("Cache-Control") != "no-cache" {
			t.Error("a checkpoint was asked for that a cache may answer")
		}
		w.Write(b)
	}))
	defer server.Close()
	memory := filepath.Join(t.TempDir(), "log.state")
	head := func(log map[string][]byte) (verify.Signed, error) {
		shown.Store(&log)
		return follower(t, server.URL, policy, memory).Head(ctx) // each time a new process
	}
	for _, honest := range [][]string{{"a", "b", "c"}, {"a", "b", "c"}, {"a", "b", "c", "d", "e"}} {
		if got, err := head(staticLog(t, signer, honest...)); err != nil || got.Checkpoint.Size != int64(len(honest)) {
			t.Fatalf("%v: size %d, %v", honest, got.Checkpoint.Size, err)
		}
	}
	remembered := func() string {
		m, err := client.OpenMemory(memory, "")
		if err != nil {
			t.Fatal(err)
		}
		return m.Ledger(origin).Checkpoint
	}
	kept := remembered()
	other, _ := newSigner(t)
	missing := staticLog(t, signer, "a", "b", "c", "d", "e", "f")
	delete(missing, "tile/0/000.p/6")
	damaged := staticLog(t, signer, "a", "b", "c", "d", "e", "f")
	damaged["tile/0/000.p/6"] = damaged["tile/0/000.p/6"][:32]
	for _, c := range []struct {
		name   string
		log    map[string][]byte
		want   error
		proof  bool // the evidence holds by itself
		leaves int  // files of evidence
	}{
		{"larger fork", staticLog(t, signer, "a", "X", "c", "d", "e", "f"), client.ErrSplit, true, 1},
		{"fork of the same size", staticLog(t, signer, "a", "b", "c", "d", "X"), client.ErrSplit, true, 1},
		{"smaller", staticLog(t, signer, "a", "b", "c", "d"), client.ErrShrunk, false, 1},
		{"smaller, and nothing else to see", map[string][]byte{"checkpoint": staticLog(t, signer, "a")["checkpoint"]}, client.ErrShrunk, false, 1},
		{"a tile that is not that of the checkpoint", damaged, client.ErrSplit, false, 1},
		{"another key", staticLog(t, other, "a", "b", "c", "d", "e", "f"), client.ErrUnproven, false, 0},
		{"a tile is missing", missing, fs.ErrNotExist, false, 0},
		{"no checkpoint", map[string][]byte{}, fs.ErrNotExist, false, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			for range 2 { // the same evidence is kept once
				if _, err := head(c.log); !errors.Is(err, c.want) || errors.Is(err, client.ErrSplit) != (c.leaves > 0) {
					t.Fatalf("got %v, want %v", err, c.want)
				}
			}
			e := forks(t, memory)
			if len(e) != c.leaves {
				t.Fatalf("%d files of evidence, want %d", len(e), c.leaves)
			}
			if len(e) > 0 && !strings.Contains(e[0].Old+e[0].New, string(c.log["checkpoint"])) {
				t.Errorf("evidence without what was shown: %+v", e[0])
			}
			if len(e) > 0 && (e[0].Root != "") != c.proof {
				t.Errorf("evidence %+v, want proof %v", e[0], c.proof)
			}
			if c.proof {
				checkFork(t, policy, e[0])
			}
			if remembered() != kept {
				t.Error("the memory moved")
			}
		})
	}
}

// TestEvidenceIsBounded: a ledger that lies again and again does not fill the
// disk.
func TestEvidenceIsBounded(t *testing.T) {
	signer, vkey := newSigner(t)
	memory := filepath.Join(t.TempDir(), "log.state")
	var log map[string][]byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Write(log[strings.TrimPrefix(r.URL.Path, "/")])
	}))
	defer server.Close()
	log = staticLog(t, signer, "a", "b")
	f := follower(t, server.URL, pin(t, vkey), memory)
	if _, err := f.Head(context.Background()); err != nil {
		t.Fatal(err)
	}
	for i := range 40 {
		log = staticLog(t, signer, "a", fmt.Sprint("lie ", i))
		if _, err := f.Head(context.Background()); !errors.Is(err, client.ErrSplit) {
			t.Fatal(err)
		}
	}
	if n := len(forks(t, memory)); n == 0 || n > 32 {
		t.Errorf("%d files of evidence, want 1 to 32", n)
	}
}

// A site is a real ledger over HTTP.
type site struct {
	*ledgertest.World
	url    string
	policy *verify.Policy
}

// newSite serves a World; wrap may change how it answers, nil for nothing.
func newSite(t *testing.T, wrap func(http.Handler) http.Handler) *site {
	t.Helper()
	w := ledgertest.New(t, nil)
	h := api.New(w.Ledger, api.Options{})
	if wrap != nil {
		h = wrap(h)
	}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return &site{w, server.URL, pin(t, w.VKey())}
}

// TestSubmitVerified: what Submit returns was verified, and what was tampered
// with on the way is not believed.
func TestSubmitVerified(t *testing.T) {
	var change atomic.Pointer[func(path string, body []byte) []byte]
	s := newSite(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			f := change.Load()
			if f == nil {
				h.ServeHTTP(w, r)
				return
			}
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, r)
			w.WriteHeader(rec.Code)
			w.Write((*f)(r.URL.Path, rec.Body.Bytes()))
		})
	})
	ctx := context.Background()
	memory := filepath.Join(t.TempDir(), "l.state")
	f := follower(t, s.url, s.policy, memory)
	b := s.Sign(s.Decision("case-1"), "dora", "erik")
	for _, known := range []bool{false, true} {
		l, err := f.Submit(ctx, b)
		if err != nil {
			t.Fatal(err)
		}
		if l.Known != known || l.Proven.ID != record.IDOf(b) || !l.Proven.Full || len(l.Proven.Signers) != 2 || !l.Proven.Standing.Effective() {
			t.Errorf("known %v: %+v", known, l)
		}
		receipt, err := verify.ParseReceipt(l.Receipt)
		if err != nil {
			t.Fatal(err)
		}
		if p, err := receipt.Check(s.policy, nil); err != nil || p.ID != record.IDOf(b) {
			t.Errorf("the receipt: %v", err)
		}
	}
	m, err := client.OpenMemory(memory, "")
	if err != nil {
		t.Fatal(err)
	}
	if seen, err := m.Ledger(origin).Seen(); err != nil || seen.Size != s.Seen().Size {
		t.Errorf("remembered %+v, %v, want the head of the receipt", seen, err)
	}

	first := string(s.Sign(s.Decision("case-2"), "dora", "erik"))
	other := s.Submit(s.Sign(s.Decision("case-3"), "dora", "erik"))
	otherReceipt, err := s.Ledger.Receipt(ctx, other.ID)
	if err != nil {
		t.Fatal(err)
	}
	for name, tamper := range map[string]func(path string, body []byte) []byte{
		"the receipt of another record": func(path string, body []byte) []byte {
			if strings.HasSuffix(path, "/receipt") {
				return otherReceipt
			}
			return body
		},
		"a proof that does not hold": func(path string, body []byte) []byte {
			if path == "/v1/records" {
				return []byte(strings.Replace(string(body), `\n\n`, `\n`+base64.StdEncoding.EncodeToString(make([]byte, 32))+`\n\n`, 1))
			}
			return body
		},
		"no receipt at all": func(path string, body []byte) []byte {
			if strings.HasSuffix(path, "/receipt") {
				return []byte("thank you")
			}
			return body
		},
	} {
		change.Store(&tamper)
		if l, err := f.Submit(ctx, []byte(first)); !errors.Is(err, client.ErrUnproven) || l != nil {
			t.Errorf("%s: believed, %v", name, err)
		}
	}
	change.Store(nil)
	if l, err := f.Submit(ctx, []byte(first)); err != nil || !l.Known {
		t.Errorf("after all: %+v, %v", l, err)
	}
	var p *problem.Problem
	if _, err := f.Submit(ctx, s.Sign(s.Decision("case-4"), "dora")); !errors.As(err, &p) || p.Code != "quorum.short" {
		t.Errorf("too few signatures: %v", err)
	}
	if v, err := f.SubmitVoid(ctx, ledgertest.Key("dora"), s.Sign(s.Decision("case-4"), "dora")); err != nil || v.Proven.Standing.Effective() || v.Known {
		t.Errorf("logged as void: %+v, %v", v, err)
	}
	if _, err := f.SubmitVoid(ctx, ledgertest.Key("erik"), s.Sign(s.Decision("case-5"), "dora")); !errors.As(err, &p) || p.Status != http.StatusForbidden {
		t.Errorf("as void by one who did not sign: %v", err)
	}
	if _, err := f.Submit(ctx, []byte("{}")); record.CodeOf(err) != record.Malformed {
		t.Errorf("no record: %v", err)
	}
	if _, err := f.Receipt(ctx, record.IDOf([]byte("x"))); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no such record: %v", err)
	}
	_, otherVKey := newSigner(t)
	stranger := follower(t, s.url, pin(t, otherVKey), "")
	if _, err := stranger.Submit(ctx, b); !errors.Is(err, client.ErrUnproven) || !errors.Is(err, verify.ErrUnknownLog) {
		t.Errorf("under another policy: %v", err)
	}
}

// TestKilledBeforeTheAnswer: a client that dies after the ledger has the record
// and before it has the answer gets the receipt the next time, also as a new
// process.
func TestKilledBeforeTheAnswer(t *testing.T) {
	dead, kill := context.WithCancel(context.Background())
	var posts atomic.Int64
	s := newSite(t, func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost && posts.Add(1) == 1 {
				rec := httptest.NewRecorder()
				h.ServeHTTP(rec, r) // the ledger has it
				if rec.Code != http.StatusCreated {
					t.Errorf("the ledger answered %d: %s", rec.Code, rec.Body)
				}
				kill()
				<-r.Context().Done()
				panic(http.ErrAbortHandler)
			}
			h.ServeHTTP(w, r)
		})
	})
	memory := filepath.Join(t.TempDir(), "l.state")
	b := s.Sign(s.Decision("case-1"), "dora", "erik")
	size := s.Seen().Size
	if _, err := follower(t, s.url, s.policy, memory).Submit(dead, b); !errors.Is(err, context.Canceled) {
		t.Fatalf("killed: %v", err)
	}
	l, err := follower(t, s.url, s.policy, memory).Submit(context.Background(), b)
	if err != nil || !l.Known || l.Proven.ID != record.IDOf(b) || l.Proven.Index != size {
		t.Fatalf("again: %+v, %v", l, err)
	}
	if s.Seen().Size != size+1 {
		t.Errorf("%d entries more, want 1", s.Seen().Size-size)
	}
}

// TestSigners: who has signed a draft is checked, and what they saw.
func TestSigners(t *testing.T) {
	ctx := context.Background()
	s := newSite(t, nil)
	memory := filepath.Join(t.TempDir(), "l.state")
	f := follower(t, s.url, s.policy, memory)
	if _, err := f.Head(ctx); err != nil {
		t.Fatal(err)
	}
	draft := func(who string, seen record.Seen) *record.Unverified {
		d := s.Decision("case-1")
		d.Ledger = origin
		u, err := record.NewDraft(d)
		if err != nil {
			t.Fatal(err)
		}
		if u, err = u.Sign(ledgertest.Key(who), s.Now().Unix(), 1, seen); err != nil {
			t.Fatal(err)
		}
		return u
	}
	if keys, err := f.Signers(ctx, draft("dora", s.Seen())); err != nil || keys[ledgertest.JWK("dora").KID()].Holder != "dora" {
		t.Errorf("honest: %+v, %v", keys, err)
	}
	if keys, err := f.Signers(ctx, draft("stranger", s.Seen())); err != nil || len(keys) != 0 {
		t.Errorf("a key that nobody enrolled: %+v, %v", keys, err)
	}
	broken, err := record.ParseDraft([]byte(tampered(t, draft("dora", s.Seen()))))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Signers(ctx, broken); record.CodeOf(err) != record.SignatureInvalid {
		t.Errorf("a signature that does not hold: %v", err)
	}

	// dora saw another tree of size 3 than there is, and a larger one.
	lie := draft("dora", record.SeenTree(3, tlog.Hash{1}))
	if _, err := f.Signers(ctx, lie); !errors.Is(err, client.ErrSplit) || errors.Is(err, client.ErrShrunk) {
		t.Errorf("another tree: %v", err)
	}
	e := forks(t, memory)
	if len(e) != 1 || e[0].Record == "" || e[0].KID != ledgertest.JWK("dora").KID() {
		t.Fatalf("evidence: %+v", e)
	}
	cur, err := s.policy.Open([]byte(e[0].New))
	if err != nil {
		t.Fatal(err)
	}
	checkProof(t, verify.Checkpoint{Origin: origin, Size: 3, Root: tlog.Hash{1}}, cur.Checkpoint, e[0])
	if _, err := record.Parse([]byte(e[0].Record)); err != nil {
		t.Errorf("the record in the evidence: %v", err)
	}
	if _, err := f.Signers(ctx, draft("dora", record.SeenTree(1000, tlog.Hash{1}))); !errors.Is(err, client.ErrShrunk) || !errors.Is(err, client.ErrSplit) {
		t.Errorf("a larger tree: %v", err)
	}
	if e := forks(t, memory); len(e) != 1 {
		t.Errorf("%d files of evidence, want 1", len(e))
	}
}

// tampered returns the draft with another case, and the signatures that it had.
func tampered(t *testing.T, u *record.Unverified) string {
	t.Helper()
	was := base64.RawURLEncoding.EncodeToString(u.PayloadBytes())
	is := base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(u.PayloadBytes()), "case-1", "case-2", 1)))
	return strings.Replace(string(u.Bytes()), was, is, 1)
}

// TestFollow: without a trust policy the key must be remembered.
func TestFollow(t *testing.T) {
	c, err := client.New("http://127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	m, err := client.OpenMemory("", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Follow(origin, nil, m); !errors.Is(err, client.ErrUnpinned) {
		t.Errorf("no key: %v", err)
	}
	m.Ledger(origin).VKey = "nonsense"
	if _, err := c.Follow(origin, nil, m); err == nil {
		t.Error("a key that is none was taken")
	}
	_, vkey := newSigner(t)
	m.Ledger(origin).VKey = vkey
	if _, err := c.Follow(origin, nil, m); err != nil {
		t.Error(err)
	}
}

// serveFiles serves the files of a log.
func serveFiles(files map[string][]byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, ok := files[strings.TrimPrefix(r.URL.Path, "/")]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Write(b)
	})
}
