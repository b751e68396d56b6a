package verify_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/tile"
)

// TestEveryFileIsNamed flips one bit in each file of a log, in each hash and
// most bytes of entries, and wants the file or the entry named.
func TestEveryFileIsNamed(t *testing.T) {
	l := newTestLog(t, 2*256+3)
	for path, file := range l.files {
		id, err := tile.ParsePath(path)
		if err != nil {
			t.Fatal(err)
		}
		good := file.Data
		first := l.starts(id)
		step := 3
		if id.Level != tile.Entries {
			step = 31
		}
		for i := 0; i < len(good); i += step {
			file.Data = bytes.Clone(good)
			file.Data[i] ^= 1 << rand.IntN(8)
			_, err := readAll(l.tree())
			var inFile *verify.FileError
			var inEntry *verify.EntryError
			switch {
			case id.Level != tile.Entries && (!errors.As(err, &inFile) || inFile.Path != path):
				t.Errorf("byte %d of %s changed: %v", i, path, err)
			case id.Level == tile.Entries && (!errors.As(err, &inEntry) || inEntry.Path != path || inEntry.Index != first(i)):
				t.Errorf("byte %d of %s (of entry %d) changed: %v", i, path, first(i), err)
			}
		}
		file.Data = good
	}
	if _, err := readAll(l.tree()); err != nil {
		t.Fatal(err)
	}
}

// starts returns a function from a byte's offset in a bundle to its entry.
func (l *testLog) starts(id tile.ID) func(offset int) int64 {
	return func(offset int) int64 {
		index, end := id.N*tile.FullWidth, 0
		for {
			if end += 2 + len(testEntry(int(index))); offset < end {
				return index
			}
			index++
		}
	}
}

// TestDamage has files that are too short, too long, exchanged or gone.
func TestDamage(t *testing.T) {
	ctx := context.Background()
	l := newTestLog(t, 65536+256+5)
	for _, tt := range []struct {
		name   string
		damage func(files fstest.MapFS)
		want   string // path of a *FileError, or the entry of an *EntryError
	}{
		{"tile cut", func(f fstest.MapFS) { cut(f, "tile/0/000") }, "tile/0/000"},
		{"tile empty", func(f fstest.MapFS) { f["tile/0/007"].Data = nil }, "tile/0/007"},
		{"tile longer", func(f fstest.MapFS) { f["tile/0/000"].Data = append(f["tile/0/000"].Data, 0) }, "tile/0/000"},
		{"edge tile cut", func(f fstest.MapFS) { cut(f, "tile/0/257.p/5") }, "tile/0/257.p/5"},
		{"tiles exchanged", func(f fstest.MapFS) { f["tile/0/001"], f["tile/0/002"] = f["tile/0/002"], f["tile/0/001"] }, "tile/0/001"},
		{"flip at level 1", func(f fstest.MapFS) { flip(f, "tile/1/000", 100) }, "tile/1/000"},
		{"flip at the edge, level 0", func(f fstest.MapFS) { flip(f, "tile/0/257.p/5", 100) }, "tile/0/257.p/5"},
		{"flip at the edge, level 1", func(f fstest.MapFS) { flip(f, "tile/1/001.p/1", 3) }, "tile/1/001.p/1"},
		{"flip at the edge, level 2", func(f fstest.MapFS) { flip(f, "tile/2/000.p/1", 31) }, "tile/2/000.p/1"},
		{"two flips at the edge", func(f fstest.MapFS) {
			flip(f, "tile/2/000.p/1", 31)
			flip(f, "tile/0/257.p/5", 31)
		}, "tile/0/257.p/5, tile/1/001.p/1, tile/2/000.p/1"},
		{"entries exchanged", func(f fstest.MapFS) {
			f["tile/entries/003"].Data = bytes.Replace(f["tile/entries/003"].Data, []byte("entry 800"), []byte("entry 801"), 1)
		}, "entry 800 was altered"},
		{"bundle cut", func(f fstest.MapFS) { cut(f, "tile/entries/003") }, "entry 1023 was altered"},
		{"bundle empty", func(f fstest.MapFS) { f["tile/entries/257.p/5"].Data = nil }, "entry 65792 was altered"},
		{"bundle longer", func(f fstest.MapFS) { f["tile/entries/003"].Data = append(f["tile/entries/003"].Data, 0, 0) }, "tile/entries/003"},
		{"bundles exchanged", func(f fstest.MapFS) {
			f["tile/entries/003"], f["tile/entries/004"] = f["tile/entries/004"], f["tile/entries/003"]
		}, "entry 768 was altered"},
	} {
		files := make(fstest.MapFS)
		for path, file := range l.files {
			files[path] = &fstest.MapFile{Data: slices.Clip(file.Data)}
		}
		tt.damage(files)
		_, err := readAll(verify.NewTree(verify.DirSource(files), l.cp))
		var inFile *verify.FileError
		var inEntry *verify.EntryError
		switch {
		case errors.As(err, &inFile) && inFile.Path == tt.want:
		case errors.As(err, &inEntry) && strings.HasPrefix(err.Error(), tt.want+":"):
		default:
			t.Errorf("%s: %v, want %s", tt.name, err, tt.want)
		}
	}

	// Entry names the first altered entry of the bundle that it needs.
	flip(l.files, "tile/entries/003", 1) // the length of the first
	_, err := l.tree().Entry(ctx, 900)
	var altered *verify.EntryError
	if !errors.As(err, &altered) || altered.Index != 768 {
		t.Errorf("Entry of a damaged bundle: %v", err)
	}
	// A file that is not there is no proof of anything.
	for _, path := range []string{"tile/0/000", "tile/1/001.p/1", "tile/0/257.p/5", "tile/entries/000", "tile/2/000.p/1"} {
		files := maps.Clone(l.files)
		delete(files, path)
		_, err := readAll(verify.NewTree(verify.DirSource(files), l.cp))
		var inFile *verify.FileError
		if !errors.Is(err, fs.ErrNotExist) || errors.As(err, &inFile) || !strings.HasPrefix(err.Error(), path) {
			t.Errorf("without %s: %v", path, err)
		}
	}
	// The files of one log do not fit the checkpoint of another.
	other := l.cp
	other.Root[0] ^= 1
	_, err = readAll(verify.NewTree(verify.DirSource(newTestLog(t, 65536+256+5).files), other))
	if err == nil || !strings.Contains(err.Error(), "another tree of size 65797") {
		t.Errorf("files of another log: %v", err)
	}
}

func cut(f fstest.MapFS, path string) { f[path].Data = f[path].Data[:len(f[path].Data)-1] }

func flip(f fstest.MapFS, path string, i int) {
	f[path].Data = bytes.Clone(f[path].Data)
	f[path].Data[i] ^= 1
}
