package verify

import (
	"context"
	"fmt"
)

// Common returns how many entries two trees of one log have in common from the
// beginning, at most the size of the smaller one: then that one is the beginning
// of the other. If it is less, it is the index of the first entry at which they
// part. It compares hashes of the trees, and reads no entries and only as many
// tiles as lie on some ways from the root: about 50 for a log of a billion.
//
// The error wraps ErrOrigin if they are of two logs.
func Common(ctx context.Context, a, b *Tree) (int64, error) {
	if a.cp.Origin != b.cp.Origin {
		return 0, fmt.Errorf("one copy is of %s, the other of %s: %w", a.cp.Origin, b.cp.Origin, ErrOrigin)
	}
	same := func(size int64) (bool, error) {
		x, err := a.Root(ctx, size)
		if err != nil {
			return false, err
		}
		y, err := b.Root(ctx, size)
		return x == y, err
	}
	low, high := int64(0), min(a.cp.Size, b.cp.Size)+1 // the roots of size low agree, those of high don't, or there are none
	for high-low > 1 {
		middle := low + (high-low)/2
		if low == 0 && high == min(a.cp.Size, b.cp.Size)+1 {
			middle = high - 1 // mostly they don't part
		}
		switch ok, err := same(middle); {
		case err != nil:
			return 0, err
		case ok:
			low = middle
		default:
			high = middle
		}
	}
	return low, nil
}

// Place returns the entry at index with its proof, for EntryEvidence. If the
// entry can't be read, the leaf hash stands for it, which the tree has.
func (t *Tree) Place(ctx context.Context, index int64) (Place, error) {
	proof, err := t.Prove(ctx, index)
	if err != nil {
		return Place{}, err
	}
	id, err := t.ID(ctx, index)
	if err != nil {
		return Place{}, err
	}
	leaf, err := id.Hash()
	if err != nil {
		return Place{}, err
	}
	entry, err := t.Entry(ctx, index)
	if err != nil {
		entry = nil
	}
	return NewPlace(t.note, index, entry, leaf, proof), ctx.Err()
}
