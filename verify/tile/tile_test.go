package tile_test

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/verify/tile"
)

func TestPath(t *testing.T) {
	for _, tt := range []struct {
		id   tile.ID
		path string
	}{
		{tile.ID{Level: 0, N: 5, Width: 256}, "tile/0/005"},
		{tile.ID{Level: 0, N: 5, Width: 1}, "tile/0/005.p/1"},
		{tile.ID{Level: 0, N: 0, Width: 255}, "tile/0/000.p/255"},
		{tile.ID{Level: 1, N: 999, Width: 256}, "tile/1/999"},
		{tile.ID{Level: 1, N: 1000, Width: 256}, "tile/1/x001/000"},
		{tile.ID{Level: 63, N: 1234067, Width: 8}, "tile/63/x001/x234/067.p/8"},
		{tile.ID{Level: tile.Entries, N: 0, Width: 256}, "tile/entries/000"},
		{tile.ID{Level: tile.Entries, N: 70000, Width: 17}, "tile/entries/x070/000.p/17"},
		{tile.ID{Level: 0, N: math.MaxInt64/256 - 1, Width: 256}, "tile/0/x036/x028/x797/x018/x963/966"},
	} {
		if got := tt.id.Path(); got != tt.path {
			t.Errorf("%+v.Path() = %q, want %q", tt.id, got, tt.path)
		}
		if got, err := tile.ParsePath(tt.path); err != nil || got != tt.id {
			t.Errorf("ParsePath(%q) = %+v, %v, want %+v", tt.path, got, err, tt.id)
		}
	}
}

func TestMalformedPaths(t *testing.T) {
	for _, path := range []string{
		"", "tile", "tile/", "tile/0", "tile/0/", "/tile/0/000", "tile//000", "tile/0//000", "tile/0/000/",
		"checkpoint", "tile/-1/000", "tile/64/000", "tile/00/000", "tile/+1/000", "tile/data/000", "tile/Entries/000",
		"tile/0/0", "tile/0/00", "tile/0/0000", "tile/0/x000", "tile/0/x000/000", "tile/0/000/001", "tile/0/x001",
		"tile/0/X001/000", "tile/0/xx01/000", "tile/0/x001/x000", "tile/0/-01", "tile/0/+01", "tile/0/ 01", "tile/0/1e2",
		"tile/0/000.p", "tile/0/000.p/", "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/01", "tile/0/000.p/+1",
		"tile/0/000.p/-1", "tile/0/000.p/1/", "tile/0/000.p/1.p/1", "tile/0/000.P/1", "tile/0/x000.p/1",
		"tile/0/000\n", "tile/0/٠٠٠", "tile/0/../0/000", "tile/0/000%2f",
		"tile/0/x036/x028/x797/x018/x963/967", "tile/0/x999/x999/x999/x999/x999/x999/999",
		"tile/0/" + strings.Repeat("x000/", 1000) + "000",
	} {
		if id, err := tile.ParsePath(path); err == nil {
			t.Errorf("ParsePath(%q) = %+v, want an error", path, id)
		}
	}
}

func FuzzPath(f *testing.F) {
	f.Add("tile/0/x001/x234/067.p/8")
	f.Add("tile/entries/000")
	f.Fuzz(func(t *testing.T, path string) {
		id, err := tile.ParsePath(path)
		if err != nil {
			return
		}
		if again := id.Path(); again != path {
			t.Errorf("%q has a second spelling %q", path, again)
		}
		if id.Width < 1 || id.Width > tile.FullWidth || id.N < 0 || id.Level < tile.Entries || id.Level > 63 {
			t.Errorf("ParsePath(%q) = %+v", path, id)
		}
		if id.Full().Width != tile.FullWidth {
			t.Errorf("Full of %+v is %+v", id, id.Full())
		}
	})
}

// TestWidth compares Width with the tiles that another implementation lists.
func TestWidth(t *testing.T) {
	for _, size := range []int64{0, 1, 2, 255, 256, 257, 511, 512, 65535, 65536, 65537, 70000, 1<<24 + 3} {
		want := make(map[tile.ID]bool)
		for _, id := range tlog.NewTiles(tile.Height, 0, size) {
			want[tile.ID{Level: id.L, N: id.N, Width: id.W}] = true
		}
		got := 0
		for level := 0; level <= 63; level++ {
			n := int64(0)
			for ; ; n++ {
				w := tile.Width(level, n, size)
				if w == 0 {
					break
				}
				if got++; !want[tile.ID{Level: level, N: n, Width: w}] {
					t.Fatalf("Width(%d, %d, %d) = %d: there is no such tile", level, n, size, w)
				}
				if level == 0 && tile.Width(tile.Entries, n, size) != w {
					t.Fatalf("bundle %d of size %d is not as wide as its tile", n, size)
				}
			}
		}
		if got != len(want) {
			t.Errorf("size %d has %d tiles, want %d", size, got, len(want))
		}
	}
	for _, tt := range []struct {
		level   int
		n, size int64
		want    int
	}{
		{0, 273, 70000, 112}, {1, 1, 70000, 17}, {2, 0, 70000, 1}, {3, 0, 70000, 0}, {1, 0, 256, 1}, {0, 1, 256, 0},
		{0, -1, 70000, 0}, {0, 0, -1, 0}, {64, 0, 70000, 0}, {-2, 0, 70000, 0}, {0, math.MaxInt64, math.MaxInt64, 0},
		{0, math.MaxInt64 / 256, math.MaxInt64, 255}, {7, 0, math.MaxInt64, 127}, {8, 0, math.MaxInt64, 0}, {63, 0, math.MaxInt64, 0},
	} {
		if got := tile.Width(tt.level, tt.n, tt.size); got != tt.want {
			t.Errorf("Width(%d, %d, %d) = %d, want %d", tt.level, tt.n, tt.size, got, tt.want)
		}
	}
}

func TestBundle(t *testing.T) {
	entries := [][]byte{[]byte("one"), {}, bytes.Repeat([]byte("x"), tile.MaxEntry)}
	var bundle []byte
	for _, e := range entries {
		var err error
		if bundle, err = tile.AppendEntry(bundle, e); err != nil {
			t.Fatal(err)
		}
	}
	if want := "\x00\x03one\x00\x00\xff\xffx"; !bytes.HasPrefix(bundle, []byte(want)) {
		t.Errorf("bundle begins with %q, want %q", bundle[:len(want)], want)
	}
	if again, err := tile.AppendEntry(bundle, make([]byte, tile.MaxEntry+1)); err == nil || len(again) != len(bundle) {
		t.Errorf("an entry of %d bytes was accepted", tile.MaxEntry+1)
	}
	got, err := tile.ParseBundle(bundle, 3)
	if err != nil || !slices.EqualFunc(got, entries, bytes.Equal) {
		t.Errorf("ParseBundle returned other entries, %v", err)
	}
	if _ = append(got[0], 'x'); bundle[5] != 0 {
		t.Error("an entry can grow into the next one")
	}
	for name, bad := range map[string]struct {
		bundle []byte
		width  int
	}{
		"one entry too few":  {bundle, 4},
		"one entry too many": {bundle, 2},
		"a byte too few":     {bundle[:len(bundle)-1], 3},
		"a byte too many":    {append(bytes.Clone(bundle), 0), 3},
		"half a length":      {[]byte{0}, 1},
		"nothing":            {nil, 1},
		"width 0":            {nil, 0},
		"width 257":          {make([]byte, 2*257), 257},
		"width -1":           {nil, -1},
	} {
		if _, err := tile.ParseBundle(bad.bundle, bad.width); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func FuzzBundle(f *testing.F) {
	f.Add([]byte("\x00\x03one\x00\x00\x00\x03two"), 3)
	f.Fuzz(func(t *testing.T, b []byte, width int) {
		entries, err := tile.ParseBundle(b, width)
		if err != nil {
			return
		}
		var again []byte
		for _, e := range entries {
			if again, err = tile.AppendEntry(again, e); err != nil {
				t.Fatal(err)
			}
		}
		if len(entries) != width || !bytes.Equal(again, b) {
			t.Errorf("%q of width %d has a second spelling %q", b, width, again)
		}
	})
}

func TestHashes(t *testing.T) {
	b := make([]byte, 3*tlog.HashSize)
	b[tlog.HashSize] = 7
	got, err := tile.ParseHashes(b, 3)
	if err != nil || len(got) != 3 || got[1][0] != 7 {
		t.Errorf("ParseHashes = %v, %v", got, err)
	}
	for _, width := range []int{-1, 0, 2, 4, 256, 257} {
		if _, err := tile.ParseHashes(b, width); err == nil {
			t.Errorf("%d bytes were accepted as %d hashes", len(b), width)
		}
	}
	if _, err := tile.ParseHashes(make([]byte, 257*32), 257); err == nil {
		t.Error("257 hashes were accepted")
	}
}
