package verify_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/tile"
)

// files returns the files of the log of f at its size, but for the checkpoint.
func (f *foreignTree) files(t testing.TB, entry func(i int) []byte) fstest.MapFS {
	t.Helper()
	files := make(fstest.MapFS)
	size := int64(f.size)
	for level := range tile.Height {
		for n := int64(0); ; n++ {
			width := tile.Width(level, n, size)
			if width == 0 {
				break
			}
			var hashes, bundle []byte
			for i := n * tile.FullWidth; i < n*tile.FullWidth+int64(width); i++ {
				hashes = append(hashes, f.nodes[compact.NewNodeID(uint(level*tile.Height), uint64(i))]...)
				if level > 0 {
					continue
				}
				var err error
				if bundle, err = tile.AppendEntry(bundle, entry(int(i))); err != nil {
					t.Fatal(err)
				}
			}
			files[tile.ID{Level: level, N: n, Width: width}.Path()] = &fstest.MapFile{Data: hashes}
			if level == 0 {
				files[tile.ID{Level: tile.Entries, N: n, Width: width}.Path()] = &fstest.MapFile{Data: bundle}
			}
		}
	}
	return files
}

// A testLog is a log that package merkle built.
type testLog struct {
	*foreignTree
	files fstest.MapFS
	cp    verify.Checkpoint
}

func newTestLog(t testing.TB, size int) *testLog {
	t.Helper()
	f := &foreignTree{uint64(size), bigTree().nodes}
	return &testLog{f, f.files(t, testEntry), verify.Checkpoint{Origin: origin, Size: int64(size), Root: f.root(t, size)}}
}

func (l *testLog) tree() *verify.Tree { return verify.NewTree(verify.DirSource(l.files), l.cp) }

// readAll reads all bundles and returns the entries.
func readAll(tree *verify.Tree) ([][]byte, error) {
	var all [][]byte
	for n := int64(0); n*tile.FullWidth < tree.Checkpoint().Size; n++ {
		entries, err := tree.Bundle(context.Background(), n)
		if err != nil {
			return nil, err
		}
		all = append(all, entries...)
	}
	return all, nil
}

func TestTree(t *testing.T) {
	ctx := context.Background()
	for _, size := range []int{0, 1, 2, 3, 255, 256, 257, 511, 512, 513, 1000, 65535, 65536, 65537, 70000} {
		l := newTestLog(t, size)
		tree := l.tree()
		entries, err := readAll(tree)
		if err != nil || len(entries) != size {
			t.Fatalf("size %d: %d entries, %v", size, len(entries), err)
		}
		indexes := []int{0, 1, 254, 255, 256, 257, size / 2, size - 2, size - 1}
		for range 20 {
			indexes = append(indexes, rand.IntN(size+1))
		}
		for _, i := range indexes {
			if i < 0 || i >= size {
				continue
			}
			if !bytes.Equal(entries[i], testEntry(i)) {
				t.Fatalf("size %d: entry %d is %q", size, i, entries[i])
			}
			if e, err := tree.Entry(ctx, int64(i)); err != nil || !bytes.Equal(e, testEntry(i)) {
				t.Fatalf("size %d: Entry(%d) = %q, %v", size, i, e, err)
			}
			p, err := tree.Prove(ctx, int64(i))
			if err != nil || !slices.Equal(p, l.prove(t, i)) {
				t.Fatalf("size %d: Prove(%d) = %v, %v", size, i, p, err)
			}
			var hashes [][]byte
			for _, h := range p {
				hashes = append(hashes, h[:])
			}
			leaf := rfc6962.DefaultHasher.HashLeaf(testEntry(i))
			if err := proof.VerifyInclusion(rfc6962.DefaultHasher, uint64(i), uint64(size), leaf, hashes, l.cp.Root[:]); err != nil {
				t.Fatalf("size %d: proof of %d: %v", size, i, err)
			}
		}
		for _, at := range append(indexes, size) {
			if at < 0 || at > size {
				continue
			}
			for range 2 { // computed, remembered
				if root, err := tree.Root(ctx, int64(at)); err != nil || root != l.root(t, at) {
					t.Fatalf("size %d: Root(%d) = %v, %v", size, at, root, err)
				}
			}
		}
		for name, err := range map[string]error{
			"Root(-1)":       second(tree.Root(ctx, -1)),
			"Root(size+1)":   second(tree.Root(ctx, int64(size)+1)),
			"Prove(-1)":      second(tree.Prove(ctx, -1)),
			"Prove(size)":    second(tree.Prove(ctx, int64(size))),
			"Entry(-1)":      second(tree.Entry(ctx, -1)),
			"Entry(size)":    second(tree.Entry(ctx, int64(size))),
			"Bundle(-1)":     second(tree.Bundle(ctx, -1)),
			"Bundle(beyond)": second(tree.Bundle(ctx, int64(size+255)/256)),
			"hash -1":        second(tree.Hashes(ctx).ReadHashes([]int64{-1})),
			"hash beyond":    second(tree.Hashes(ctx).ReadHashes([]int64{tlog.StoredHashCount(int64(size))})),
		} {
			if err == nil {
				t.Errorf("size %d: %s is accepted", size, name)
			}
		}
	}
}

func second[T any](_ T, err error) error { return err }

// TestEarlierSize reads logs whose partial tiles are gone where the full ones
// are there.
func TestEarlierSize(t *testing.T) {
	ctx := context.Background()
	l := newTestLog(t, 70000)
	for path := range l.files {
		if strings.Contains(path, ".p/") {
			delete(l.files, path)
		}
	}
	for _, size := range []int{1, 2, 255, 256, 257, 300, 65535, 65536, 65537, 65792} {
		cp := verify.Checkpoint{Origin: origin, Size: int64(size), Root: l.root(t, size)}
		if size >= 65536 { // level 1 is partial in the larger log, too
			l.files["tile/2/000.p/1"] = &fstest.MapFile{Data: l.nodesAt(16, 0, 1)}
			l.files["tile/1/001.p/1"] = &fstest.MapFile{Data: l.nodesAt(8, 256, 1)}
		}
		tree := verify.NewTree(verify.DirSource(l.files), cp)
		if entries, err := readAll(tree); err != nil || len(entries) != size {
			t.Errorf("size %d: %d entries, %v", size, len(entries), err)
		}
		if e, err := tree.Entry(ctx, int64(size-1)); err != nil || !bytes.Equal(e, testEntry(size-1)) {
			t.Errorf("size %d: %q, %v", size, e, err)
		}
	}
}

// nodesAt returns count nodes of a level from start on.
func (f *foreignTree) nodesAt(level uint, start, count int64) []byte {
	var b []byte
	for i := start; i < start+count; i++ {
		b = append(b, f.nodes[compact.NewNodeID(level, uint64(i))]...)
	}
	return b
}

// A countingSource counts reads and fails the first failures of them.
type countingSource struct {
	verify.Source
	mu       sync.Mutex
	reads    map[string]int
	failures int
}

var errSource = errors.New("source is out of order")

func (s *countingSource) ReadFile(ctx context.Context, path string) ([]byte, error) {
	s.mu.Lock()
	s.reads[path]++
	s.failures--
	fail := s.failures >= 0
	s.mu.Unlock()
	if fail {
		return nil, errSource
	}
	return s.Source.ReadFile(ctx, path)
}

// TestConcurrentReads has many readers, the first of whom meet errors. After
// those every tile is read once.
func TestConcurrentReads(t *testing.T) {
	l := newTestLog(t, 5*256+7)
	src := &countingSource{Source: verify.DirSource(l.files), reads: make(map[string]int), failures: 20}
	tree := verify.NewTree(src, l.cp)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Go(func() {
			for i := range 30 {
				if g%4 == 0 {
					if _, err := tree.Bundle(ctx, int64(i%6)); err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, errSource) {
						t.Errorf("with a context that has ended: %v", err)
					}
				}
				for {
					entries, err := tree.Bundle(context.Background(), int64(i%6))
					if errors.Is(err, errSource) {
						continue
					}
					if err != nil || !bytes.Equal(entries[3], testEntry(i%6*256+3)) {
						t.Errorf("bundle %d: %v", i%6, err)
					}
					break
				}
				size := rand.IntN(5*256 + 7)
				if root, err := tree.Root(context.Background(), int64(size)); err != nil || root != l.root(t, size) {
					t.Errorf("root of size %d: %v, %v", size, root, err)
				}
			}
		})
	}
	wg.Wait()
	tiles := 0
	for path, n := range src.reads {
		if !strings.HasPrefix(path, "tile/entries/") {
			tiles += n
		}
	}
	if most := 5 + 1 + 1 + 20 + 4*30; tiles > most {
		t.Errorf("%d reads of 7 tiles, 20 of them failed", tiles)
	}
}

// TestTilesAreReadOnce also checks that the cache is bounded.
func TestTilesAreReadOnce(t *testing.T) {
	size := (verify.MaxTiles + 10) * 256
	l := newTestLog(t, size)
	src := &countingSource{Source: verify.DirSource(l.files), reads: make(map[string]int)}
	tree := verify.NewTree(src, l.cp)
	if _, err := readAll(tree); err != nil {
		t.Fatal(err)
	}
	for path, n := range src.reads {
		if n != 1 {
			t.Errorf("%s was read %d times", path, n)
		}
	}
	if len(src.reads) != len(l.files) {
		t.Errorf("%d files were read, the log has %d", len(src.reads), len(l.files))
	}
	if n := tree.Tiles(); n != verify.MaxTiles {
		t.Errorf("%d tiles are kept, want %d", n, verify.MaxTiles)
	}
}

func TestExtends(t *testing.T) {
	ctx := context.Background()
	log := newSigner(t, origin, verify.Ed25519, "log")
	p := parsePolicy(t, "log "+log.VKey.String(), "quorum none")
	l := newTestLog(t, 1000)
	open := func(size int, root tlog.Hash) verify.Signed {
		signed, err := verify.Checkpoint{Origin: origin, Size: int64(size), Root: root}.Sign(log)
		if err != nil {
			t.Fatal(err)
		}
		s, err := p.Open(signed)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	cur := open(1000, l.cp.Root)
	tree := cur.Tree(verify.DirSource(l.files))
	for _, size := range []int{0, 1, 2, 255, 256, 257, 512, 768, 999, 1000} {
		if err := tree.ExtendsSigned(ctx, open(size, l.root(t, size))); err != nil {
			t.Errorf("size %d: %v", size, err)
		}
		if size == 0 {
			continue
		}
		old := open(size, tlog.RecordHash(fmt.Append(nil, size)))
		var fork *verify.ForkError
		if err := tree.ExtendsSigned(ctx, old); !errors.As(err, &fork) {
			t.Errorf("size %d, another root: %v", size, err)
			continue
		}
		if !bytes.Equal(fork.OldNote, old.Note) || !bytes.Equal(fork.NewNote, cur.Note) || fork.Check() != nil {
			t.Errorf("size %d: the evidence is %+v, %v", size, fork, fork.Check())
		}
		// Another implementation accepts the evidence, and no other root.
		var hashes [][]byte
		for _, h := range fork.Proof {
			hashes = append(hashes, h[:])
		}
		if err := proof.VerifyConsistency(rfc6962.DefaultHasher, uint64(size), 1000, hashes, fork.Root[:], l.cp.Root[:]); err != nil {
			t.Errorf("size %d: %v", size, err)
		}
		for name, change := range map[string]func(e *verify.ForkError){
			"roots agree":    func(e *verify.ForkError) { e.Root = e.Old.Root },
			"another root":   func(e *verify.ForkError) { e.Root[0] ^= 1 },
			"another origin": func(e *verify.ForkError) { e.Old.Origin = "other" },
			"larger":         func(e *verify.ForkError) { e.Old.Size = 1001 },
			"size 0":         func(e *verify.ForkError) { e.Old.Size = 0 },
			"negative":       func(e *verify.ForkError) { e.Old.Size = -1 },
			"longer proof":   func(e *verify.ForkError) { e.Proof = append(slices.Clip(e.Proof), tlog.Hash{}) },
		} {
			bad := *fork
			if change(&bad); bad.Check() == nil {
				t.Errorf("size %d: evidence holds with %s", size, name)
			}
		}
	}
	if err := tree.Extends(ctx, verify.Checkpoint{Origin: "other", Size: 1, Root: l.root(t, 1)}); !errors.Is(err, verify.ErrOrigin) {
		t.Errorf("another origin: %v", err)
	}
	var fork *verify.ForkError
	if err := tree.Extends(ctx, verify.Checkpoint{Origin: origin, Size: 1001}); err == nil || errors.As(err, &fork) {
		t.Errorf("larger than the tree: %v", err)
	}
	if err := tree.Extends(ctx, verify.Checkpoint{Origin: origin, Size: 0}); !errors.As(err, &fork) || fork.Check() != nil {
		t.Errorf("size 0 with a root: %v", err)
	}
}

func TestDirSource(t *testing.T) {
	src := verify.DirSource(fstest.MapFS{
		"checkpoint":           {Data: []byte("x")},
		"tile/0/000":           {Data: make([]byte, 8192+1)},
		"tile/0/001":           {Data: make([]byte, 8192)},
		"tile/entries/000":     {Data: make([]byte, tile.MaxFile+1)},
		"tile/entries/001":     {Data: make([]byte, tile.MaxFile)},
		"tile/entries/002.p/1": {Data: make([]byte, 2+tile.MaxEntry+1)},
	})
	ctx, cancel := context.WithCancel(context.Background())
	if b, err := src.ReadFile(ctx, "checkpoint"); err != nil || string(b) != "x" {
		t.Errorf("%q, %v", b, err)
	}
	for path, most := range map[string]int{"tile/0/001": 8192, "tile/entries/001": tile.MaxFile} {
		if b, err := src.ReadFile(ctx, path); err != nil || len(b) != most {
			t.Errorf("the largest file: %s, %d bytes, %v", path, len(b), err)
		}
	}
	var file *verify.FileError
	if _, err := src.ReadFile(ctx, "tile/0/000"); !errors.As(err, &file) || file.Path != "tile/0/000" {
		t.Errorf("a tile that is too long: %v", err)
	}
	for _, path := range []string{"", ".", "tile", "/checkpoint", "../checkpoint", "tile/0/000", "tile/0/002", "tile/entries/000", "tile/entries/002.p/1"} {
		if _, err := src.ReadFile(ctx, path); err == nil {
			t.Errorf("%q was read", path)
		}
	}
	if _, err := src.ReadFile(ctx, "tile/0/002"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	cancel()
	if _, err := src.ReadFile(ctx, "checkpoint"); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of the context: %v", err)
	}
}

// BenchmarkBundles reads a log of 1 KB entries; what matters is how much it adds
// to hashing the entries.
func BenchmarkBundles(b *testing.B) {
	const size = 100 * 256
	pad := bytes.Repeat([]byte("x"), 1000)
	entry := func(i int) []byte { return fmt.Appendf(nil, "%d %s", i, pad) }
	f := newForeignTree(size, entry)
	cp := verify.Checkpoint{Origin: origin, Size: size, Root: f.root(b, size)}
	src := verify.DirSource(f.files(b, entry))
	b.Run("tree", func(b *testing.B) {
		for b.Loop() {
			if _, err := readAll(verify.NewTree(src, cp)); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/size, "ns/entry")
	})
	b.Run("hashing", func(b *testing.B) {
		for b.Loop() {
			for i := range size {
				tlog.RecordHash(pad[i%8:])
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/size, "ns/entry")
	})
	b.Run("prove", func(b *testing.B) {
		tree := verify.NewTree(src, cp)
		for i := 0; b.Loop(); i++ {
			if _, err := tree.Prove(context.Background(), int64(i*7919%size)); err != nil {
				b.Fatal(err)
			}
		}
	})
}
