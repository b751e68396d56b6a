// Package liartest is for tests of programs that read logs: operators who show
// what they should not, and the table of it. A test lets a program read what the
// server shows at First, then the Lie, and holds it to what the table says.
package liartest

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"

	"golang.org/x/mod/sumdb/note"

	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/tile"
)

// An Operator has a log key, and signs what it likes.
type Operator struct {
	Signer note.Signer
	VKey   string

	tb      testing.TB
	entries [][]byte // the true history
}

// New returns the operator of a log of size entries of anything.
func New(tb testing.TB, origin string, size int) *Operator {
	o := newOperator(tb, origin, origin)
	for i := range size {
		o.entries = append(o.entries, fmt.Appendf(nil, "entry %d", i))
	}
	return o
}

// History returns the operator of the golden history, a ledger of 322 records;
// dir is verify/testdata/history.
func History(tb testing.TB, dir string) *Operator {
	tb.Helper()
	o := newOperator(tb, "ledger.example.com/2026", "ledger.example.com/2026")
	for name, width := range map[string]int{"000": 256, "001.p/66": 66} {
		b, err := os.ReadFile(filepath.Join(dir, "log", "tile", "entries", filepath.FromSlash(name)))
		if err != nil {
			tb.Fatal(err)
		}
		entries, err := tile.ParseBundle(b, width)
		if err != nil {
			tb.Fatal(err)
		}
		if width == 256 {
			o.entries = append(entries, o.entries...)
		} else {
			o.entries = append(o.entries, entries...)
		}
	}
	return o
}

// newOperator makes a key of a seed.
func newOperator(tb testing.TB, origin, seed string) *Operator {
	tb.Helper()
	sum := sha256.Sum256([]byte(seed))
	key := verify.VKey{Name: origin, Alg: verify.Ed25519, Key: ed25519.NewKeyFromSeed(sum[:]).Public().(ed25519.PublicKey)}
	secret := base64.StdEncoding.EncodeToString(append([]byte{byte(verify.Ed25519)}, sum[:]...))
	signer, err := note.NewSigner(fmt.Sprintf("PRIVATE+KEY+%s+%08x+%s", origin, key.ID(), secret))
	if err != nil {
		tb.Fatal(err)
	}
	return &Operator{Signer: signer, VKey: key.String(), tb: tb}
}

// Trust is a trust policy that names the operator's key.
func (o *Operator) Trust() []byte { return []byte("log " + o.VKey + "\nquorum none\n") }

// Policies are those of Trust.
func (o *Operator) Policies() verify.Policies {
	p, err := verify.ParsePolicy(o.Trust())
	if err != nil {
		o.tb.Fatal(err)
	}
	return verify.Policies{p}
}

// Files are those of a log, by path.
type Files map[string][]byte

// FS returns the files as a file system.
func (f Files) FS() fstest.MapFS {
	m := fstest.MapFS{}
	for path, b := range f {
		m[path] = &fstest.MapFile{Data: b}
	}
	return m
}

// ServeHTTP serves the files as any web server does.
func (f Files) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b, ok := f[strings.TrimPrefix(r.URL.Path, "/")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Write(b)
}

// Log returns the first entries of the true history.
func (o *Operator) Log(size int) Files { return o.signed(o.Signer, o.entries[:size]) }

// Fork returns a log of size entries that from one on has others.
func (o *Operator) Fork(size, from int) Files {
	entries := append([][]byte{}, o.entries[:from]...)
	for i := from; i < size; i++ {
		entries = append(entries, fmt.Appendf(nil, "another entry %d", i))
	}
	return o.signed(o.Signer, entries)
}

func (o *Operator) signed(key note.Signer, entries [][]byte) Files {
	o.tb.Helper()
	files, err := ledgertest.StaticLog(key, entries)
	if err != nil {
		o.tb.Fatal(err)
	}
	return files
}

// checkpoint signs what is no log's.
func (o *Operator) checkpoint(cp verify.Checkpoint) []byte {
	signed, err := cp.Sign(o.Signer)
	if err != nil {
		o.tb.Fatal(err)
	}
	return signed
}

// head returns the checkpoint of a log.
func (o *Operator) head(f Files) verify.Checkpoint {
	s, err := o.Policies().Open(f["checkpoint"])
	if err != nil {
		o.tb.Fatal(err)
	}
	return s.Checkpoint
}

// A Server shows one thing after another.
type Server struct {
	URL   string
	shown atomic.Pointer[http.Handler]
}

// Serve starts a server, which is stopped at the end of the test.
func Serve(tb testing.TB, first http.Handler) *Server {
	s := &Server{}
	s.Show(first)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*s.shown.Load()).ServeHTTP(w, r) }))
	tb.Cleanup(func() {
		server.CloseClientConnections() // some lies never end
		server.Close()
	})
	s.URL = server.URL
	return s
}

// Show makes the server show something else from now on.
func (s *Server) Show(h http.Handler) { s.shown.Store(&h) }
