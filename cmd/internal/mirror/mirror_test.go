package mirror_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/docket-ledger/docket/cmd/internal/mirror"
	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/tile"
)

// A source is a log as files; lie changes what it says.
type source struct {
	mu    sync.Mutex
	files map[string][]byte
	lie   func(path string, b []byte) ([]byte, error)
	reads int
}

func (s *source) ReadFile(_ context.Context, path string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads++
	b, ok := s.files[path]
	if !ok {
		return nil, fs.ErrNotExist
	}
	if s.lie != nil {
		return s.lie(path, bytes.Clone(b))
	}
	return b, nil
}

// log is a ledger with some records.
func log(t *testing.T, n int) (*ledgertest.World, *source, *verify.Policy) {
	t.Helper()
	w := ledgertest.New(t, nil)
	grow(w, "first", n)
	p, err := verify.ParsePolicy(w.TrustPolicy())
	if err != nil {
		t.Fatal(err)
	}
	return w, &source{files: w.Files()}, p
}

func grow(w *ledgertest.World, name string, n int) {
	for i := range n {
		d := w.Decision(name + "-" + strings.Repeat("x", i%40+1) + string(rune('a'+i/40)))
		d.Grounds[0].Clause = "solo"
		w.Submit(w.Sign(d, "dora"))
	}
}

func sync1(src verify.Source, p *verify.Policy, dir string) (*mirror.Result, error) {
	return mirror.Sync(context.Background(), mirror.Config{Source: src, Policies: []*verify.Policy{p}, Dir: dir, Check: true})
}

// whole audits a mirror.
func whole(t *testing.T, dir string, p *verify.Policy, size int64) {
	t.Helper()
	sum, err := verify.Audit(context.Background(), verify.DirSource(os.DirFS(dir)), p, verify.AuditOptions{})
	if err != nil || sum.Broken > 0 || sum.Entries != size {
		t.Errorf("audit of the mirror: %+v, %v; want %d entries", sum, err, size)
	}
}

// names lists the files of a folder.
func names(t *testing.T, dir string) (list []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			name, _ := filepath.Rel(dir, path)
			list = append(list, filepath.ToSlash(name))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestGrowth: what is there is not fetched again, and what only the smaller tree
// needed is removed.
func TestGrowth(t *testing.T) {
	w, src, p := log(t, 260)
	dir := filepath.Join(t.TempDir(), "mirror")
	res, err := sync1(src, p, dir)
	if err != nil || res.Fetched != res.Files {
		t.Fatalf("%+v, %v", res, err)
	}
	whole(t, dir, p, 266)
	if res, err = sync1(src, p, dir); err != nil || res.Fetched != 0 {
		t.Errorf("a second time: %+v, %v", res, err)
	}
	grow(w, "second", 300)
	src.files, src.reads = w.Files(), 0
	res, err = sync1(src, p, dir)
	if err != nil || res.Fetched >= res.Files || src.reads > int(res.Fetched)+12 {
		t.Errorf("grown: %+v, %v, %d reads", res, err, src.reads)
	}
	whole(t, dir, p, 566)
	want := map[string]bool{"checkpoint": true, ".lock": true, ".verified": true, "tile/1/000.p/1": true} // the tile is not full
	for id := range tile.All(566) {
		want[id.Path()] = true
	}
	for _, name := range names(t, dir) {
		if !want[name] {
			t.Errorf("%s is left", name)
		}
	}
	info, err := os.Stat(filepath.Join(dir, "tile", "0", "000"))
	if err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("a web server can't read it: %v, %v", info.Mode(), err)
	}
}

// TestLies: whatever a server says that is not its signed log, nothing of it
// gets a name, and what the mirror had stays.
func TestLies(t *testing.T) {
	_, src, p := log(t, 270)
	entries := func(path string) bool { return strings.HasPrefix(path, "tile/entries/") }
	for name, lie := range map[string]func(path string, b []byte) ([]byte, error){
		"a byte of a tile": func(path string, b []byte) ([]byte, error) {
			if path == "tile/0/000" {
				b[100] ^= 1
			}
			return b, nil
		},
		"a byte of an entry": func(path string, b []byte) ([]byte, error) {
			if entries(path) {
				b[100] ^= 1
			}
			return b, nil
		},
		"cut": func(path string, b []byte) ([]byte, error) {
			if entries(path) {
				b = b[:len(b)/2]
			}
			return b, nil
		},
		"missing": func(path string, b []byte) ([]byte, error) {
			if path == "tile/entries/000" {
				return nil, fs.ErrNotExist
			}
			return b, nil
		},
		"checkpoint": func(path string, b []byte) ([]byte, error) {
			if path == "checkpoint" {
				b = bytes.Replace(b, []byte("\n2"), []byte("\n1"), 1)
			}
			return b, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "mirror")
			honest := &source{files: src.files, lie: lie}
			if _, err := sync1(honest, p, dir); err == nil {
				t.Fatal("the lie was taken")
			}
			if _, err := os.Stat(filepath.Join(dir, "checkpoint")); err == nil {
				t.Error("there is a checkpoint")
			}
			honest.lie = nil
			if _, err := sync1(honest, p, dir); err != nil { // what was named is good
				t.Fatal(err)
			}
			whole(t, dir, p, 276)
		})
	}
}

// TestDamagedMirror: a file of the mirror that went bad is fetched again.
func TestDamagedMirror(t *testing.T) {
	_, src, p := log(t, 270)
	dir := filepath.Join(t.TempDir(), "mirror")
	if _, err := sync1(src, p, dir); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"tile/0/000", "tile/entries/000", "tile/1/000.p/1", "tile/0/001.p/20"} {
		path := filepath.Join(dir, filepath.FromSlash(name))
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		b[len(b)/2] ^= 1
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		if res, err := sync1(src, p, dir); err != nil || res.Fetched == 0 {
			t.Errorf("%s damaged: %+v, %v", name, res, err)
		}
		whole(t, dir, p, 276)
	}
}

// TestForkAndShrink: another history and a smaller log change nothing.
func TestForkAndShrink(t *testing.T) {
	w, src, p := log(t, 20)
	dir := filepath.Join(t.TempDir(), "mirror")
	small := &source{files: w.Files()}
	grow(w, "more", 10)
	src.files = w.Files()
	if _, err := sync1(src, p, dir); err != nil {
		t.Fatal(err)
	}
	var c *mirror.ContradictionError
	if _, err := sync1(small, p, dir); !errors.Is(err, mirror.ErrSmaller) || !errors.As(err, &c) ||
		!bytes.Equal(c.Before, src.files["checkpoint"]) || !bytes.Equal(c.Now, small.files["checkpoint"]) {
		t.Errorf("smaller: %v", err)
	}
	other := ledgertest.New(t, nil) // the same key and people, another history
	grow(other, "other", 40)
	var fork *verify.ForkError
	if _, err := sync1(&source{files: other.Files()}, p, dir); !errors.As(err, &fork) || fork.Check() != nil ||
		!errors.As(err, &c) || !bytes.Equal(c.Before, src.files["checkpoint"]) {
		t.Errorf("fork: %v", err)
	}
	// The files of the one history under the checkpoint of the other prove
	// nothing, but what was signed is told.
	mixed := maps.Clone(src.files)
	mixed["checkpoint"] = other.Files()["checkpoint"]
	var file *verify.FileError
	if _, err := sync1(&source{files: mixed}, p, dir); err == nil {
		t.Error("a mixture was taken")
	} else if errors.As(err, &file) && (!errors.As(err, &c) || !bytes.Equal(c.Now, mixed["checkpoint"])) {
		t.Errorf("mixture: %v", err)
	}
	whole(t, dir, p, 36)
}
