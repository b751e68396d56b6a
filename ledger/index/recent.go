package index

import (
	"sync"

	"github.com/RoaringBitmap/roaring/v2"
)

// maxRecent is how many texts are remembered.
const maxRecent = 16

// recent remembers which records have the texts that were searched for last, of one
// size of the index: a page asks again for each of its facets, and its reader for the
// next page.
type recent struct {
	mu   sync.Mutex
	size int64
	sets map[string]*roaring.Bitmap
}

// get returns a copy of what is remembered of a text, or nil.
func (r *recent) get(size int64, text string) *roaring.Bitmap {
	r.mu.Lock()
	defer r.mu.Unlock()
	if set := r.sets[text]; set != nil && r.size == size {
		return set.Clone()
	}
	return nil
}

// put remembers a copy.
func (r *recent) put(size int64, text string, set *roaring.Bitmap) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sets == nil || r.size != size || len(r.sets) >= maxRecent {
		r.size, r.sets = size, map[string]*roaring.Bitmap{}
	}
	r.sets[text] = set.Clone()
}
