package pebblestore_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/ledger/pebblestore"
)

// checked is what a check of a store said.
type checked struct {
	size   int64
	root   [32]byte
	whole  bool
	faults []pebblestore.Fault
	roots  map[int64][32]byte // at some sizes
}

// look checks a store. It must not be open.
func look(t *testing.T, fs vfs.FS, dir string) (c checked, err error) {
	t.Helper()
	l, err := pebblestore.Look(dir, fs)
	if err != nil {
		return c, err
	}
	defer func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}()
	c.roots = map[int64][32]byte{}
	c.size, c.root, c.whole, err = l.Check(t.Context(), pebblestore.CheckOptions{Found: func(f pebblestore.Fault) { c.faults = append(c.faults, f) }},
		func(size int64, root func() [32]byte) {
			if size%97 == 0 {
				c.roots[size] = root()
			}
		})
	return c, err
}

// wideTree is the tree of the leaves of filled, by package tlog.
func wideTree(n int) *hashes {
	values := make([][]byte, n)
	for i := range values {
		values[i] = wide(i).LeafValue
	}
	return treeOf(values)
}

// TestCheck checks whole stores, in tables and in the WAL: the roots are those of
// another implementation, at every size.
func TestCheck(t *testing.T) {
	for _, n := range []int{50, 250, 300, 600} {
		for _, flush := range []bool{false, true} {
			c, err := look(t, fsOf(t, "store", filled(t, n, flush)), "store")
			if err != nil || !c.whole || c.size != int64(n) || len(c.faults) > 0 {
				t.Errorf("%d leaves, flushed %v: size %d, whole %v, faults %v, %v", n, flush, c.size, c.whole, c.faults, err)
				continue
			}
			tree := wideTree(n)
			c.roots[int64(n)] = c.root
			for size, got := range c.roots {
				if want, err := tree.root(size); err != nil || got != want {
					t.Errorf("%d leaves: at %d the root is %v, want %v, %v", n, size, tlog.Hash(got), want, err)
				}
			}
		}
	}
}

// TestCheckFlips flips bits of every table: each is found, and its file named.
func TestCheckFlips(t *testing.T) {
	files := filled(t, 600, true)
	met := 0
	for name, b := range files {
		if !strings.HasSuffix(name, ".sst") {
			continue
		}
		const flips = 40
		for i := range flips {
			at := (2*i + 1) * len(b) / (2 * flips)
			fs := fsOf(t, "store", damaged(files, name, at))
			c, err := look(t, fs, "store")
			if err != nil { // it can't be opened
				if tablesErr := pebblestore.CheckTables("store", fs, func(f pebblestore.Fault) { c.faults = append(c.faults, f) }); tablesErr != nil {
					t.Fatal(tablesErr)
				}
			}
			met++
			switch {
			case err != nil && !errors.Is(err, pebblestore.ErrDamaged):
				t.Errorf("%s, byte %d: %v is not ErrDamaged", name, at, err)
			case len(c.faults) == 0:
				t.Errorf("%s, byte %d of %d: not found (%v)", name, at, len(b), err)
			case c.faults[0].File != name:
				t.Errorf("%s, byte %d: %v names another file", name, at, c.faults[0])
			}
		}
	}
	if met == 0 {
		t.Error("no table")
	}
}

// TestCheckRows changes rows with everything around them in order, as nobody but a
// program can: the leaf is named, and the leaves after it are still compared.
func TestCheckRows(t *testing.T) {
	flip := func(at int) func([]byte) []byte {
		return func(row []byte) []byte { row[at] ^= 1; return row }
	}
	gone := func([]byte) []byte { return nil }
	for _, test := range []struct {
		name   string
		kind   byte
		number int64
		change func([]byte) []byte
		want   string // of the first fault
		whole  bool
	}{
		{"value", 'L', 100, func(row []byte) []byte { row[len(row)-1] ^= 1; return row }, "leaves [100, 101): its hash is", true},
		{"hash beside it", 'L', 100, flip(3), "leaves [100, 101): its hash is", true},
		{"missing", 'L', 100, gone, "leaves [100, 101): missing", true},
		{"missing at the end", 'L', 599, gone, "leaves [599, 600): missing", false},
		{"value at the end", 'L', 520, func(row []byte) []byte { row[len(row)-1] ^= 1; return row }, "leaves [520, 521): its hash is", false},
		{"short", 'L', 7, func([]byte) []byte { return []byte("x") }, "leaves [7, 8): ", true},
		{"tile", 'M', 0, flip(32 * 9), "leaves [9, 10): its hash is", true},
		{"tile missing", 'M', 0, gone, "leaves [0, 0): tile 0 of level 0 has 0 bytes", true},
		{"found elsewhere", 'I', 100, func([]byte) []byte { return []byte{0, 0, 0, 0, 0, 0, 0, 9} }, "is looked for at 9, and is not there", true},
		{"not found", 'I', 100, gone, "leaves [100, 101): can't be found by their hash", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			fs := fsOf(t, "store", filled(t, 600, true))
			s, err := pebblestore.Open("store", smallCache(t, pebblestore.Options{FS: fs}))
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Change(onlyLog(t, s).tree.TreeId, test.kind, test.number, test.change); err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			c, err := look(t, fs, "store")
			if err != nil || len(c.faults) == 0 {
				t.Fatalf("faults %v, %v", c.faults, err)
			}
			first := c.faults[0]
			if got := fmt.Sprintf("leaves [%d, %d): %s", first.First, first.End, first.Reason); !strings.Contains(got, test.want) || c.whole != test.whole {
				t.Errorf("got %q, whole %v, want %q, %v", got, c.whole, test.want, test.whole)
			}
		})
	}
}

// TestBackup copies a store while leaves are appended: each copy is whole, and what
// was acknowledged before it is in it.
func TestBackup(t *testing.T) {
	fs := vfs.NewMem()
	s, err := pebblestore.Open("store", smallCache(t, pebblestore.Options{FS: fs}))
	if err != nil {
		t.Fatal(err)
	}
	l := newLog(t, s)
	const rounds = 12
	for i := range rounds {
		batch := leaves(i*50, 50)
		for k := range batch {
			batch[k] = wide(i*50 + k)
		}
		copied := make(chan error, 1)
		dir := fmt.Sprintf("copy%d", i)
		go func() { copied <- s.Backup(dir) }()
		l.mustAppend(t, batch...)
		if err := <-copied; err != nil {
			t.Fatal(err)
		}
		if i == rounds/2 {
			if err := s.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	tree := wideTree(rounds * 50)
	for i := range rounds {
		c, err := look(t, fs, fmt.Sprintf("copy%d", i))
		if err != nil || !c.whole || len(c.faults) > 0 || c.size < int64(i)*50 || c.size > int64(i+1)*50 {
			t.Errorf("copy %d: size %d, whole %v, faults %v, %v", i, c.size, c.whole, c.faults, err)
			continue
		}
		if want, err := tree.root(c.size); c.size > 0 && (err != nil || c.root != want) {
			t.Errorf("copy %d: the root of %d is %x, want %v, %v", i, c.size, c.root, want, err)
		}
	}
}

// TestBackupFull: where the copy finds no room it is an error, nothing of it is left,
// and the store goes on.
func TestBackupFull(t *testing.T) {
	under := vfs.NewMem()
	full := errorfs.Wrap(under, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if strings.HasPrefix(op.Path, "copy/") && op.Kind.ReadOrWrite() == errorfs.OpIsWrite && strings.Contains(op.Path, "MANIFEST") {
			return syscall.ENOSPC
		}
		return nil
	}))
	s, err := pebblestore.Open("store", smallCache(t, pebblestore.Options{FS: full, Free: plenty}))
	if err != nil {
		t.Fatal(err)
	}
	l := newLog(t, s)
	l.mustAppend(t, leaves(0, 20)...)
	if err := s.Backup("copy"); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("got %v, want that there is no room", err)
	}
	if _, err := under.Stat("copy"); err == nil {
		t.Error("something of the copy is left")
	}
	l.mustAppend(t, leaves(20, 20)...)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// barred is a file system that nobody may write to.
type barred struct{ vfs.FS }

func (barred) Lock(name string) (io.Closer, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: syscall.EROFS}
}

// TestLookReadOnly looks at a store that can't be locked, since nothing can be
// written there.
func TestLookReadOnly(t *testing.T) {
	c, err := look(t, barred{fsOf(t, "store", filled(t, 300, true))}, "store")
	if err != nil || !c.whole || c.size != 300 || len(c.faults) > 0 {
		t.Errorf("%+v, %v", c, err)
	}
}

// TestLookInUse: nobody looks while a store is open, and looking keeps others out.
func TestLookInUse(t *testing.T) {
	dir := t.TempDir()
	s, err := pebblestore.Open(dir, smallCache(t, pebblestore.Options{}))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pebblestore.Look(dir, nil); !errors.Is(err, pebblestore.ErrInUse) {
		t.Errorf("look at an open store: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	l, err := pebblestore.Look(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pebblestore.Open(dir, smallCache(t, pebblestore.Options{})); !errors.Is(err, pebblestore.ErrInUse) {
		t.Errorf("open one that is looked at: %v", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := pebblestore.Look(dir+"/none", nil); err == nil {
		t.Error("looked at nothing")
	}
}
