package treetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/ledger/tree"
)

// harness is a log and what must be in it.
type harness struct {
	*testing.T
	open Open
	name string
	log  tree.Log
	ctx  context.Context

	leaves [][]byte    // by index
	hashes []tlog.Hash // as tlog.StoredHashes has them
}

func start(t *testing.T, open Open) *harness {
	h := &harness{T: t, open: open, name: t.TempDir(), ctx: t.Context()}
	h.log = open(t, h.name)
	t.Cleanup(func() {
		if err := h.log.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return h
}

// reopen closes the log and opens it again.
func (h *harness) reopen() {
	h.Helper()
	if err := h.log.Close(); err != nil {
		h.Fatalf("Close: %v", err)
	}
	h.log = h.open(h, h.name)
}

// batch returns n leaves that nobody else has.
func batch(name string, n int) [][]byte {
	out := make([][]byte, n)
	for i := range out {
		out[i] = fmt.Appendf(nil, "%s, leaf %d of %d", name, i, n)
	}
	return out
}

// append appends leaves, one at least, and checks the indexes and the new head.
func (h *harness) append(leaves [][]byte) []int64 {
	h.Helper()
	size := int64(len(h.leaves))
	indexes, err := h.log.Append(h.ctx, leaves)
	if err != nil {
		h.Fatalf("append %d leaves at size %d: %v", len(leaves), size, err)
	}
	h.reckon(leaves, indexes)
	return indexes
}

// reckon adds leaves to what must be in the log, and checks their indexes and
// the new head.
func (h *harness) reckon(leaves [][]byte, indexes []int64) {
	h.Helper()
	size := int64(len(h.leaves))
	if len(indexes) != len(leaves) {
		h.Fatalf("append %d leaves: %d indexes", len(leaves), len(indexes))
	}
	added := make([][]byte, len(leaves))
	for i, at := range indexes {
		if at < size || at >= size+int64(len(leaves)) || added[at-size] != nil {
			h.Fatalf("append %d leaves at size %d: indexes %v", len(leaves), size, indexes)
		}
		added[at-size] = append([]byte{}, leaves[i]...)
	}
	for i, leaf := range added {
		hashes, err := tlog.StoredHashes(size+int64(i), leaf, tlog.HashReaderFunc(h.stored))
		if err != nil {
			h.Fatal(err)
		}
		h.hashes = append(h.hashes, hashes...)
	}
	h.leaves = append(h.leaves, added...)
	if got, want := h.head(), (tree.Head{Size: int64(len(h.leaves)), Root: h.root(int64(len(h.leaves)))}); got != want {
		h.Fatalf("head is %v, want %v", got, want)
	}
}

// stored reads what the tree must be, as tlog stores it.
func (h *harness) stored(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, at := range indexes {
		out[i] = h.hashes[at]
	}
	return out, nil
}

// root returns the root that the tree of a size must have.
func (h *harness) root(size int64) tlog.Hash {
	h.Helper()
	if size == 0 {
		return sha256.Sum256(nil)
	}
	root, err := tlog.TreeHash(size, tlog.HashReaderFunc(h.stored))
	if err != nil {
		h.Fatal(err)
	}
	return root
}

func (h *harness) head() tree.Head {
	h.Helper()
	head, err := h.log.Head(h.ctx)
	if err != nil {
		h.Fatalf("Head: %v", err)
	}
	return head
}

// same checks that the log holds exactly the leaves it must, and finds them.
func (h *harness) same() {
	h.Helper()
	size := int64(len(h.leaves))
	if got := h.head(); got.Size != size || got.Root != h.root(size) {
		h.Fatalf("head is %v, want size %d and root %v", got, size, h.root(size))
	}
	got, err := h.log.Leaves(h.ctx, 0, size)
	if err != nil || !slices.EqualFunc(got, h.leaves, bytes.Equal) {
		h.Fatalf("Leaves(0, %d): %d leaves that are not those appended, or %v", size, len(got), err)
	}
	for want, leaf := range h.leaves {
		if at, err := h.log.Index(h.ctx, tlog.RecordHash(leaf)); err != nil || at != int64(want) {
			h.Fatalf("Index of leaf %d: %d, %v", want, at, err)
		}
	}
}

// tiles reads the tiles of a log for tlog.
type tiles struct {
	ctx context.Context
	log tree.Log
}

func (r tiles) Height() int { return 8 }

func (r tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func (r tiles) ReadTiles(want []tlog.Tile) ([][]byte, error) {
	out := make([][]byte, len(want))
	for i, tile := range want {
		b, err := r.log.Tile(r.ctx, tile.L, tile.N, tile.W)
		if err != nil {
			return nil, fmt.Errorf("tile %s: %w", tile.Path(), err)
		}
		out[i] = b
	}
	return out, nil
}

// prove makes a proof for a leaf from the tiles at a head, and checks it. The
// tiles must hash to the root.
func prove(ctx context.Context, log tree.Log, head tree.Head, leaf []byte, index int64) error {
	reader := tlog.TileHashReader(tlog.Tree{N: head.Size, Hash: head.Root}, tiles{ctx, log})
	proof, err := tlog.ProveRecord(head.Size, index, reader)
	if err != nil {
		return fmt.Errorf("prove leaf %d at size %d: %w", index, head.Size, err)
	}
	if err := tlog.CheckRecord(proof, head.Size, head.Root, index, tlog.RecordHash(leaf)); err != nil {
		return fmt.Errorf("leaf %d at size %d: %w", index, head.Size, err)
	}
	return nil
}

// prove checks proofs for some leaves at the newest head, and that each of some
// earlier heads is a prefix.
func (h *harness) prove(earlier ...int64) {
	h.Helper()
	head := h.head()
	for _, i := range []int64{0, 1, head.Size / 2, head.Size - 2, head.Size - 1} {
		if i < 0 || i >= head.Size {
			continue
		}
		if err := prove(h.ctx, h.log, head, h.leaves[i], i); err != nil {
			h.Error(err)
		}
	}
	reader := tlog.TileHashReader(tlog.Tree{N: head.Size, Hash: head.Root}, tiles{h.ctx, h.log})
	for _, size := range earlier {
		proof, err := tlog.ProveTree(head.Size, size, reader)
		if err != nil {
			h.Errorf("prove size %d at %d: %v", size, head.Size, err)
		} else if err := tlog.CheckTree(proof, head.Size, head.Root, size, h.root(size)); err != nil {
			h.Errorf("size %d at %d: %v", size, head.Size, err)
		}
	}
}
