package cosign_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/cosign"
	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/witness"
)

const origin = "log.example/cosigned"

// A testLog is a log in memory. Logs with one signer and different histories are
// forks of each other.
type testLog struct {
	t       testing.TB
	signer  note.Signer
	key     verify.VKey
	policy  func() *verify.Policy // whose quorum Cosigned checks
	history string

	mu       sync.Mutex
	entries  [][]byte
	stored   []tlog.Hash
	head     verify.Signed
	grown    chan struct{}
	cosigned [][]byte
	came     chan struct{} // closed and made anew with each of them
	halted   error
	lies     func(c verify.Checkpoint) error // what Extends says, if set
}

func newLog(t testing.TB, history string) *testLog {
	t.Helper()
	seed := sha256.Sum256([]byte("log key"))
	key := ed25519.NewKeyFromSeed(seed[:])
	l := &testLog{t: t, history: history, key: verify.VKey{Name: origin, Alg: verify.Ed25519, Key: key.Public().(ed25519.PublicKey)},
		grown: make(chan struct{}), came: make(chan struct{})}
	l.signer = logSigner{l.key, key}
	return l
}

// logSigner is a note.Signer.
type logSigner struct {
	verify.VKey
	key ed25519.PrivateKey
}

func (s logSigner) Name() string                    { return s.VKey.Name }
func (s logSigner) KeyHash() uint32                 { return s.ID() }
func (s logSigner) Sign(msg []byte) ([]byte, error) { return ed25519.Sign(s.key, msg), nil }

// ReadHashes is for whoever holds mu.
func (l *testLog) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	var out []tlog.Hash
	for _, x := range indexes {
		out = append(out, l.stored[x])
	}
	return out, nil
}

// grow makes the log n entries long and signs that.
func (l *testLog) grow(n int) *testLog {
	l.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.entries) < n {
		e := fmt.Appendf(nil, "%s %d", l.history, len(l.entries))
		hashes, err := tlog.StoredHashes(int64(len(l.entries)), e, l)
		if err != nil {
			l.t.Fatal(err)
		}
		l.entries, l.stored = append(l.entries, e), append(l.stored, hashes...)
	}
	l.head = l.at(n)
	close(l.grown)
	l.grown = make(chan struct{})
	return l
}

// at signs a size that the log had.
func (l *testLog) at(size int) verify.Signed {
	l.t.Helper()
	root, err := tlog.TreeHash(int64(size), l)
	if err != nil {
		l.t.Fatal(err)
	}
	cp := verify.Checkpoint{Origin: origin, Size: int64(size), Root: root}
	signed, err := cp.Sign(l.signer)
	if err != nil {
		l.t.Fatal(err)
	}
	return verify.Signed{Checkpoint: cp, Note: signed, LogKey: l.key}
}

func (l *testLog) Head() verify.Signed {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.head
}

func (l *testLog) Grown(size int64) <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.head.Checkpoint.Size > size {
		c := make(chan struct{})
		close(c)
		return c
	}
	return l.grown
}

func (l *testLog) Consistency(_ context.Context, old, cur int64) ([]tlog.Hash, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if old <= 0 || old > cur || cur > l.head.Checkpoint.Size {
		return nil, fmt.Errorf("no proof from %d to %d", old, cur)
	}
	return tlog.ProveTree(cur, old, l)
}

func (l *testLog) Extends(_ context.Context, c verify.Checkpoint) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lies != nil {
		return l.lies(c)
	}
	if c.Size > l.head.Checkpoint.Size {
		return fmt.Errorf("%w: %d records", ledger.ErrNotExtended, l.head.Checkpoint.Size)
	}
	if root, err := tlog.TreeHash(c.Size, l); err != nil || root != c.Root {
		return errors.Join(ledger.ErrNotExtended, err)
	}
	return nil
}

func (l *testLog) Cosigned(_ context.Context, note []byte) error {
	if _, err := l.policy().Open(note); err != nil {
		l.t.Errorf("was handed %q: %v", note, err)
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cosigned = append(l.cosigned, note)
	close(l.came)
	l.came = make(chan struct{})
	return nil
}

func (l *testLog) Halt(reason error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.halted = reason
}

func (l *testLog) haltedBy() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.halted
}

// ReadFile serves the tiles.
func (l *testLog) ReadFile(_ context.Context, path string) ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	files, err := ledgertest.StaticLog(l.signer, l.entries)
	if err != nil {
		return nil, err
	}
	if b, ok := files[path]; ok {
		return b, nil
	}
	return nil, fs.ErrNotExist
}

// await returns the first checkpoint of a size that was handed over with
// cosignatures by all of the witnesses.
func (l *testLog) await(size int64, witnesses ...string) verify.Signed {
	l.t.Helper()
	timeout := time.After(20 * time.Second)
	for {
		l.mu.Lock()
		notes, came := l.cosigned, l.came
		l.mu.Unlock()
		for _, n := range notes {
			s, err := l.policy().Open(n)
			if err != nil {
				l.t.Fatal(err)
			}
			var by []string
			for _, c := range s.Cosignatures {
				by = append(by, c.Name)
			}
			if s.Checkpoint.Size == size && subset(witnesses, by) {
				return s
			}
		}
		select {
		case <-came:
		case <-timeout:
			l.t.Fatalf("no checkpoint of size %d with cosignatures by %q among %q", size, witnesses, notes)
		}
	}
}

func subset(a, b []string) bool {
	for _, x := range a {
		if !strings.Contains(" "+strings.Join(b, " ")+" ", " "+x+" ") {
			return false
		}
	}
	return true
}

// memory is a witness.Store.
type memory struct {
	mu   sync.Mutex
	kept map[string][]byte
}

func (m *memory) Head(origin string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.kept[origin], nil
}

func (m *memory) Swap(origin string, old, cosigned []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !bytes.Equal(m.kept[origin], old) {
		return witness.ErrConflict
	}
	m.kept[origin] = cosigned
	return nil
}

// A peer is a witness that is reached over HTTP.
type peer struct {
	name   string
	core   *witness.Witness
	server *httptest.Server
	now    func() time.Time

	mu    sync.Mutex
	asked int
	// lie answers in place of the witness, if set: it says whether it did.
	lie func(w http.ResponseWriter, r *http.Request, body []byte) bool
}

// newPeer makes a witness that knows the keys of a policy.
func newPeer(t testing.TB, name string, logs *verify.Policy) *peer {
	t.Helper()
	seed := sha256.Sum256([]byte("witness " + name))
	c, err := verify.NewCosigner(name+".example/w", ed25519.NewKeyFromSeed(seed[:]))
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{name: name, now: time.Now, core: &witness.Witness{Logs: logs, Cosigners: []verify.Cosigner{c}, Store: &memory{kept: map[string][]byte{}}}}
	p.server = httptest.NewServer(p)
	t.Cleanup(func() {
		p.server.CloseClientConnections()
		p.server.Close()
	})
	return p
}

func (p *peer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	p.mu.Lock()
	lie := p.lie
	if r.Method == http.MethodPost {
		p.asked++
	}
	p.mu.Unlock()
	if lie != nil && lie(w, r, body) {
		return
	}
	p.honest(w, r, body)
}

func (p *peer) honest(w http.ResponseWriter, r *http.Request, body []byte) {
	if r.Method == http.MethodPost && r.URL.Path == "/add-checkpoint" {
		a, err := p.core.Add(body, p.now().Unix())
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", a.Type)
		w.WriteHeader(a.Status)
		io.WriteString(w, a.Body)
		return
	}
	id := strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/"), "/checkpoint")
	if note, err := p.core.Newest(id); err == nil && note != nil {
		w.Write(note)
		return
	}
	http.NotFound(w, r)
}

// lies lets a peer lie from now on; nil makes it honest.
func (p *peer) lies(lie func(w http.ResponseWriter, r *http.Request, body []byte) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lie = lie
}

func (p *peer) times() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked
}

// feed shows a head to a witness, as the log would.
func (p *peer) feed(t testing.TB, head verify.Signed) {
	t.Helper()
	a, err := p.core.Add(witness.Request{Checkpoint: head.Note}.Marshal(), time.Now().Unix())
	if err != nil || a.Status != witness.OK {
		t.Fatalf("%+v, %v", a, err)
	}
}

// feedFrom shows the head of a log to a witness that has a smaller one.
func (p *peer) feedFrom(t testing.TB, old int64, l *testLog) {
	t.Helper()
	head := l.Head()
	proof, err := l.Consistency(context.Background(), old, head.Checkpoint.Size)
	if err != nil {
		t.Fatal(err)
	}
	a, err := p.core.Add(witness.Request{Old: old, Proof: proof, Checkpoint: head.Note}.Marshal(), time.Now().Unix())
	if err != nil || a.Status != witness.OK {
		t.Fatalf("%+v, %v", a, err)
	}
}

// A bench is a log with three witnesses, of whom two are the quorum.
type bench struct {
	t      *testing.T
	log    *testLog
	peers  []*peer
	config cosign.Config
	c      *cosign.Cosigner
	stop   func() error // stops Run and returns what it returned
}

func newBench(t *testing.T, size int) *bench {
	t.Helper()
	log := newLog(t, "first").grow(size)
	b := &bench{t: t, log: log}
	for _, name := range []string{"w1", "w2", "w3"} {
		b.peers = append(b.peers, newPeer(t, name, parse(t, "log "+log.key.String(), "quorum none")))
	}
	log.policy = b.policy
	b.config = cosign.Config{Log: log, Policy: b.policy(), Dir: t.TempDir(), Interval: 5 * time.Millisecond,
		Deadline: 2 * time.Second, Grace: 500 * time.Millisecond, Heartbeat: time.Hour, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))}
	return b
}

func (b *bench) policy() *verify.Policy {
	lines := []string{"log " + b.log.key.String()}
	for _, p := range b.peers {
		lines = append(lines, "witness "+p.name+" "+p.core.Cosigners[0].VKey().String()+" "+p.server.URL)
	}
	return parse(b.t, append(lines, "group both 2 w1 w2 w3", "quorum both")...)
}

func parse(t testing.TB, lines ...string) *verify.Policy {
	t.Helper()
	p, err := verify.ParsePolicy([]byte(strings.Join(lines, "\n") + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// run opens the cosigner and runs it until stop, or until the test ends.
func (b *bench) run() *bench {
	b.t.Helper()
	c, err := cosign.Open(b.config)
	if err != nil {
		b.t.Fatal(err)
	}
	b.c = c
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	b.stop = sync.OnceValue(func() error {
		cancel()
		select {
		case err := <-ended:
			return err
		case <-time.After(20 * time.Second):
			return errors.New("Run does not end")
		}
	})
	b.t.Cleanup(func() { _ = b.stop() })
	return b
}

// until waits until a witness is as it should be.
func (b *bench) until(name, what string, is func(ledger.Witness) bool) ledger.Witness {
	b.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		for _, w := range b.c.Witnesses() {
			if w.Name == name && is(w) {
				return w
			}
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("%s is not %s: %+v", name, what, b.c.Witnesses())
		}
	}
}
