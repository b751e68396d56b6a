// Package tile has the names and encodings of c2sp.org/tlog-tiles (v0.1.0), as
// far as a ledger needs them.
//
// A log of a given size is a finite set of files. Merkle tree hashes are at
//
//	tile/<L>/<N>[.p/<W>]
//
// and entries, 256 to a bundle, at
//
//	tile/entries/<N>[.p/<W>]
//
// L is the level, 0 to 63. N is the number of the tile within its level, in
// groups of three digits, all but the last prefixed by x: 5 is 005, 1234067 is
// x001/x234/067. A full tile holds 256 hashes; W, 1 to 255, is the width of a
// partial one. Item i of tile n at level l is the RFC 6962 hash of the perfect
// subtree of the entries from (256n+i)·256^l on, 256^l of them. A log of size s
// has floor(s / 256^l) such items at level l, and a tile that would be empty
// does not exist.
//
// For example, the log of size 70,000 is 273 full tiles and tile/0/273.p/112 at
// level 0, tile/1/000 and tile/1/001.p/17 at level 1, tile/2/000.p/1, and the
// bundles of the same numbers and widths as the tiles of level 0.
//
// A tile is its hashes, 32 bytes each, and nothing else. A bundle is its
// entries, each after its length as a big-endian uint16: an entry has at most
// 65,535 bytes.
//
// # Not checked here
//
// Whether hashes and entries are those of a signed checkpoint is for
// verify.Tree to say.
package tile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

const (
	// Height is the number of tree levels that a tile spans.
	Height = 8

	// FullWidth is the number of hashes of a full tile and of entries of a
	// full bundle.
	FullWidth = 1 << Height

	// MaxEntry is the largest entry, in bytes.
	MaxEntry = math.MaxUint16

	// MaxFile is the largest tile or bundle, in bytes.
	MaxFile = FullWidth * (2 + MaxEntry)

	// Entries is the Level of entry bundles.
	Entries = -1

	maxLevel = 63
	maxN     = math.MaxInt64/FullWidth - 1 // the index of every item fits an int64
)

// An ID names a tile or an entry bundle.
type ID struct {
	Level int   // 0 to 63, or Entries
	N     int64 // number within the level, from 0
	Width int   // 1 to 256; 256 is a full tile
}

// Path returns the path of t, relative to the log's prefix, without a leading
// slash. It is meaningful for the IDs that ParsePath returns.
func (t ID) Path() string {
	path := fmt.Sprintf("%03d", t.N%1000)
	for n := t.N / 1000; n > 0; n /= 1000 {
		path = fmt.Sprintf("x%03d/%s", n%1000, path)
	}
	level := "entries"
	if t.Level != Entries {
		level = strconv.Itoa(t.Level)
	}
	if t.Width != FullWidth {
		path += ".p/" + strconv.Itoa(t.Width)
	}
	return "tile/" + level + "/" + path
}

// Full returns t at full width.
func (t ID) Full() ID { return ID{t.Level, t.N, FullWidth} }

// ParsePath accepts exactly what Path prints for a valid ID.
func ParsePath(path string) (ID, error) {
	malformed := fmt.Errorf("malformed tile path %.100q", path)
	rest, ok := strings.CutPrefix(path, "tile/")
	if !ok || len(path) > 100 {
		return ID{}, malformed
	}
	t := ID{Width: FullWidth}
	level, rest, _ := strings.Cut(rest, "/")
	if level == "entries" {
		t.Level = Entries
	} else if l, err := strconv.Atoi(level); err != nil || l < 0 || l > maxLevel {
		return ID{}, malformed
	} else {
		t.Level = l
	}
	number, width, partial := strings.Cut(rest, ".p/")
	if partial {
		w, err := strconv.Atoi(width)
		if err != nil || w < 1 || w >= FullWidth {
			return ID{}, malformed
		}
		t.Width = w
	}
	for group := range strings.SplitSeq(number, "/") {
		d, err := strconv.Atoi(strings.TrimPrefix(group, "x"))
		if err != nil || d < 0 || d > 999 || t.N > (maxN-int64(d))/1000 {
			return ID{}, malformed
		}
		t.N = t.N*1000 + int64(d)
	}
	if t.Path() != path {
		return ID{}, malformed
	}
	return t, nil
}

// Width returns the width that tile n of a level has in a log of the given
// size, 0 if that log has no such tile.
func Width(level int, n, size int64) int {
	if level == Entries {
		level = 0
	}
	if level < 0 || level > maxLevel || n < 0 || size < 0 {
		return 0
	}
	items := size >> min(uint(level)*Height, 63)
	if n > items/FullWidth {
		return 0
	}
	return int(min(items-n*FullWidth, FullWidth))
}

// AppendEntry appends an entry to a bundle. The error says that the entry is
// longer than MaxEntry; the bundle is unchanged then.
func AppendEntry(bundle, entry []byte) ([]byte, error) {
	if len(entry) > MaxEntry {
		return bundle, fmt.Errorf("an entry of %d bytes, the most is %d", len(entry), MaxEntry)
	}
	bundle = binary.BigEndian.AppendUint16(bundle, uint16(len(entry)))
	return append(bundle, entry...), nil
}

// CutEntry cuts the first entry off what is left of a bundle. Both results are
// sub-slices of b.
func CutEntry(b []byte) (entry, rest []byte, err error) {
	if len(b) < 2 {
		return nil, b, fmt.Errorf("%d bytes where the length of an entry should be", len(b))
	}
	n := int(binary.BigEndian.Uint16(b))
	if len(b)-2 < n {
		return nil, b, fmt.Errorf("an entry of %d bytes of which %d are there", n, len(b)-2)
	}
	return b[2 : 2+n : 2+n], b[2+n:], nil
}

// ParseBundle returns the entries of a bundle, as sub-slices of b. It demands
// exactly width entries and nothing after them.
func ParseBundle(b []byte, width int) ([][]byte, error) {
	if width < 1 || width > FullWidth {
		return nil, errWidth(width)
	}
	entries := make([][]byte, width)
	for i := range entries {
		entry, rest, err := CutEntry(b)
		if err != nil {
			return nil, fmt.Errorf("entry %d of a bundle of %d: %w", i, width, err)
		}
		entries[i], b = entry, rest
	}
	if len(b) > 0 {
		return nil, fmt.Errorf("%d bytes after the last entry of a bundle of %d", len(b), width)
	}
	return entries, nil
}

// ParseHashes returns the hashes of a tile. It demands exactly width of them.
func ParseHashes(b []byte, width int) ([]tlog.Hash, error) {
	if width < 1 || width > FullWidth {
		return nil, errWidth(width)
	}
	if len(b) != width*tlog.HashSize {
		return nil, fmt.Errorf("a tile of %d bytes, want %d", len(b), width*tlog.HashSize)
	}
	hashes := make([]tlog.Hash, width)
	for i := range hashes {
		copy(hashes[i][:], b[i*tlog.HashSize:])
	}
	return hashes, nil
}

func errWidth(width int) error {
	return errors.New("a tile of width " + strconv.Itoa(width) + ", want 1 to 256")
}
