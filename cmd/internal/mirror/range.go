package mirror

import (
	"iter"

	"github.com/docket-ledger/docket/verify/tile"
)

// Which files a tree has that another one has not.

// levels yields, for each level of a tree and for its bundles, which tiles may
// differ from those of a tree of another size: first and those after it, up to
// end. Those before are full in both.
func levels(known, size int64) iter.Seq2[int, [2]int64] {
	return func(yield func(int, [2]int64) bool) {
		each := func(level, height int) bool {
			first := min(known, size) >> (tile.Height * (height + 1))
			items := size >> (tile.Height * height)
			end := items/tile.FullWidth + min(items%tile.FullWidth, 1)
			return yield(level, [2]int64{first, end})
		}
		for level := 0; size>>(tile.Height*level) > 0; level++ {
			if !each(level, level) {
				return
			}
		}
		each(tile.Entries, 0)
	}
}

// newFiles yields the files of a tree that one of size known has not, or not in
// this width, in the order of tile.All.
func newFiles(known, size int64) iter.Seq[tile.ID] {
	return func(yield func(tile.ID) bool) {
		for level, n := range levels(known, size) {
			for i := n[0]; i < n[1]; i++ {
				id := tile.ID{Level: level, N: i, Width: tile.Width(level, i, size)}
				if id.Width != tile.Width(level, i, known) && !yield(id) {
					return
				}
			}
		}
	}
}

// countNew counts what newFiles yields; a signed size may be far greater than
// what can be counted one by one.
func countNew(known, size int64) (count int64) {
	for level, n := range levels(known, size) {
		count += max(0, n[1]-n[0])
		if n[1] > n[0] && tile.Width(level, n[0], size) == tile.Width(level, n[0], known) {
			count--
		}
	}
	return count
}

// files counts all files of a tree.
func files(size int64) int64 { return countNew(0, size) }

// filled yields the tiles that are full in a tree of some size and were partial in
// the smaller one.
func filled(known, size int64) iter.Seq[tile.ID] {
	return func(yield func(tile.ID) bool) {
		for level, n := range levels(known, size) {
			id := tile.ID{Level: level, N: n[0], Width: tile.FullWidth}
			was, is := tile.Width(level, n[0], known), tile.Width(level, n[0], size)
			if was > 0 && was < is && is == tile.FullWidth && !yield(id) {
				return
			}
		}
	}
}
