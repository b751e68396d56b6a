package ledgertest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/witness"
)

// A Peer is a witness of WitnessNames behind HTTP, as package witness judges: it
// remembers what it cosigned as long as it lives.
type Peer struct {
	Name string
	URL  string

	how  atomic.Int32
	core witness.Witness
	hang chan struct{}

	mu   sync.Mutex
	kept map[string][]byte
}

// How a Peer behaves.
const (
	Answers int32 = iota
	Refuses       // 503
	Hangs         // takes the request and never answers
)

// NewPeer starts a witness of the log with a verifier key.
func NewPeer(tb testing.TB, name, vkey string) *Peer {
	tb.Helper()
	cosigner, err := verify.NewCosigner(WitnessKey(name).Name, Key("witness "+name))
	if err != nil {
		tb.Fatal(err)
	}
	p := &Peer{Name: name, hang: make(chan struct{}), kept: map[string][]byte{}}
	p.core = witness.Witness{Cosigners: []verify.Cosigner{cosigner}, Store: p}
	p.Knows(tb, vkey)
	server := httptest.NewServer(p)
	p.URL = server.URL
	tb.Cleanup(func() {
		close(p.hang)
		server.CloseClientConnections()
		server.Close()
	})
	return p
}

// Knows sets the verifier keys of the logs that the witness takes checkpoints of. No
// request may be on its way.
func (p *Peer) Knows(tb testing.TB, vkeys ...string) {
	tb.Helper()
	logs, err := verify.ParsePolicy([]byte("log " + strings.Join(vkeys, "\nlog ") + "\nquorum none\n"))
	if err != nil {
		tb.Fatal(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.core.Logs = logs
}

// Behaves sets how the witness behaves from now on.
func (p *Peer) Behaves(how int32) { p.how.Store(how) }

// Line is the line of a policy that names the witness with its URL.
func (p *Peer) Line() string {
	return "witness " + p.Name + " " + WitnessKey(p.Name).String() + " " + p.URL + "/"
}

// PeerPolicy returns a policy without log lines that demands k of the peers.
func PeerPolicy(k string, peers ...*Peer) []byte {
	var lines, names []string
	for _, p := range peers {
		lines, names = append(lines, p.Line()), append(names, p.Name)
	}
	lines = append(lines, "group enough "+k+" "+strings.Join(names, " "), "quorum enough")
	return []byte(strings.Join(lines, "\n") + "\n")
}

// ServeHTTP implements http.Handler.
func (p *Peer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch p.how.Load() {
	case Refuses:
		http.Error(w, "come back later", http.StatusServiceUnavailable)
		return
	case Hangs:
		select {
		case <-p.hang:
		case <-r.Context().Done():
		}
		return
	}
	p.mu.Lock()
	core := p.core
	p.mu.Unlock()
	if r.Method == http.MethodGet {
		note, err := core.Newest(strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/"), "/checkpoint"))
		if err != nil || note == nil {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(note)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	a, err := core.Add(body, time.Now().Unix())
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", a.Type)
	w.WriteHeader(a.Status)
	_, _ = io.WriteString(w, a.Body)
}

// Head implements witness.Store.
func (p *Peer) Head(origin string) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.kept[origin], nil
}

// Swap implements witness.Store.
func (p *Peer) Swap(origin string, old, cosigned []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if string(p.kept[origin]) != string(old) {
		return witness.ErrConflict
	}
	p.kept[origin] = cosigned
	return nil
}
