package tile

import "iter"

// All yields every tile and bundle of a log of a size, in the widths that its
// checkpoint covers: for each level from 0 up its tiles from left to right, then
// the bundles. With the checkpoint they are the whole log.
func All(size int64) iter.Seq[ID] {
	return func(yield func(ID) bool) {
		for level := 0; size>>(Height*level) > 0 && level <= maxLevel/Height; level++ {
			if !yieldLevel(level, size, yield) {
				return
			}
		}
		yieldLevel(Entries, size, yield)
	}
}

func yieldLevel(level int, size int64, yield func(ID) bool) bool {
	for n := int64(0); ; n++ {
		w := Width(level, n, size)
		if w == 0 {
			return true
		}
		if !yield(ID{Level: level, N: n, Width: w}) {
			return false
		}
	}
}
