package pebblestore_test

import (
	"bytes"
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/docket-ledger/docket/ledger/pebblestore"
)

// damaged returns a log's files with one bit of one of them changed.
func damaged(files map[string][]byte, name string, at int) map[string][]byte {
	out := maps.Clone(files)
	out[name] = bytes.Clone(files[name])
	out[name][at] ^= 1 << (at % 8)
	return out
}

// filled makes a store of n leaves of 200 bytes and returns its files.
func filled(t *testing.T, n int, flush bool) map[string][]byte {
	t.Helper()
	fs := vfs.NewMem()
	s, err := pebblestore.Open("store", smallCache(t, pebblestore.Options{FS: fs}))
	if err != nil {
		t.Fatal(err)
	}
	l := newLog(t, s)
	for i := 0; i < n; i += 50 {
		batch := leaves(i, 50)
		for k := range batch {
			batch[k] = wide(i + k)
		}
		l.mustAppend(t, batch...)
	}
	if flush {
		if err := s.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return filesOf(t, fs, "store")
}

// largest returns the largest file with a suffix.
func largest(t *testing.T, files map[string][]byte, suffix string) string {
	t.Helper()
	best := ""
	for name, b := range files {
		if strings.HasSuffix(name, suffix) && len(b) >= len(files[best]) {
			best = name
		}
	}
	if best == "" {
		t.Fatalf("no %s file", suffix)
	}
	return best
}

// readAll reads everything of a store of n leaves. What it gets must be right;
// it returns the errors, which must have a name, and how many leaves there are.
func readAll(t *testing.T, files map[string][]byte, where string, at, n int) (errs []error, size int) {
	t.Helper()
	note := func(err error) bool {
		if err != nil {
			if !errors.Is(err, pebblestore.ErrDamaged) {
				t.Errorf("%s, byte %d: %v is not ErrDamaged", where, at, err)
			}
			errs = append(errs, err)
		}
		return err == nil
	}
	s, err := pebblestore.Open("store", smallCache(t, pebblestore.Options{FS: fsOf(t, "store", files)}))
	if !note(err) {
		return errs, 0
	}
	defer s.Close()
	ids, err := s.Log().GetActiveLogIDs(t.Context())
	if !note(err) || len(ids) != 1 {
		if err == nil {
			t.Errorf("%s, byte %d: %d trees", where, at, len(ids))
		}
		return errs, 0
	}
	root, err := s.Root(ids[0])
	if !note(err) {
		return errs, 0
	}
	size = int(root.TreeSize)
	for i := 0; i < size; i += 10 {
		end := min(i+10, size)
		got, err := s.LeafValues(ids[0], int64(i), int64(end))
		if !note(err) {
			got = nil
		}
		for k := range got {
			if !bytes.Equal(got[k], wide(i+k).LeafValue) {
				t.Fatalf("%s, byte %d: leaf %d is wrong", where, at, i+k)
			}
		}
		index, err := s.IndexOf(ids[0], wide(i).LeafIdentityHash)
		if note(err) && index != int64(i) {
			t.Fatalf("%s, byte %d: leaf %d is found at %d", where, at, i, index)
		}
	}
	for i := range int64(size / 256) {
		b, err := s.Tile(ids[0], 0, i, 256)
		if !note(err) {
			continue
		}
		for k := range 256 {
			if want := rfc6962.DefaultHasher.HashLeaf(wide(int(i)*256 + k).LeafValue); !bytes.Equal(b[k*32:][:32], want) {
				t.Fatalf("%s, byte %d: hash %d of tile %d is wrong", where, at, k, i)
			}
		}
	}
	return errs, size
}

// TestDamagedTable flips bits of a table: reads of what is damaged are errors
// with a name, and all else is right.
func TestDamagedTable(t *testing.T) {
	const n = 600
	files := filled(t, n, true)
	table := largest(t, files, ".sst")
	met := 0
	const flips = 60
	for i := range flips {
		at := (2*i + 1) * len(files[table]) / (2 * flips)
		errs, size := readAll(t, damaged(files, table, at), table, at, n)
		if len(errs) > 0 {
			met++
		} else if size != n {
			t.Errorf("byte %d: size is %d, want %d", at, size, n)
		}
	}
	if met < flips/2 {
		t.Errorf("%d of %d flips were noticed", met, flips)
	}
}

// TestDamagedWAL flips bits of the WAL. Opening is an error with a name, or all
// that was acknowledged is there; except near the end, where damage is taken for
// it, as the package says: the commits here have some 16 KiB.
func TestDamagedWAL(t *testing.T) {
	const n, block = 600, 32 << 10
	files := filled(t, n, false)
	wal := largest(t, files, ".log")
	length := len(files[wal])
	if length < 3*block {
		t.Fatalf("the WAL has only %d bytes", length)
	}
	met := 0
	const flips = 30
	for i := range flips {
		at := (2*i + 1) * length / (2 * flips)
		errs, size := readAll(t, damaged(files, wal, at), wal, at, n)
		if len(errs) > 0 {
			met++
		} else if size != n && at < length-2*block {
			t.Errorf("byte %d of %d: size is %d, want %d, and no error", at, length, size, n)
		}
	}
	if met < flips/3 {
		t.Errorf("%d of %d flips were noticed", met, flips)
	}
}
