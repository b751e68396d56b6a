// Package treetest decides what is fit to be a tree.Log. Run checks what every
// log must do, RunOrdered what one does that also keeps batches whole and in
// order. Trees are hashed with golang.org/x/mod/sumdb/tlog, and proofs are made
// from the log's tiles and checked against its head.
package treetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/ledger/tree"
)

// An Open returns the log that is kept under a name: a new, empty one at first,
// later the same again. The name is an empty directory that may be used. The
// suites close a log before they open it again.
type Open func(t testing.TB, name string) tree.Log

// Run checks what every log must do.
func Run(t *testing.T, open Open) {
	for _, test := range []struct {
		name string
		f    func(*harness)
	}{
		{"empty", empty},
		{"grow", grow},
		{"leaf sizes", leafSizes},
		{"duplicates", duplicates},
		{"beyond the head", beyond},
		{"cancelled", cancelled},
		{"reopen", reopen},
		{"closed", closed},
		{"concurrent", concurrent},
	} {
		t.Run(test.name, func(t *testing.T) { test.f(start(t, open)) })
	}
}

func empty(h *harness) {
	want := tree.Head{Root: sha256.Sum256(nil)}
	check := func(when string) {
		if got := h.head(); got != want {
			h.Errorf("%s: head is %v, want %v", when, got, want)
		}
	}
	check("new")
	if indexes, err := h.log.Append(h.ctx, nil); err != nil || len(indexes) != 0 {
		h.Errorf("Append of nothing: %v, %v", indexes, err)
	}
	check("nothing appended")
	h.same()
	h.reopen()
	check("opened again")
}

// grow passes the sizes at which tiles begin and end, by steps of all kinds.
func grow(h *harness) {
	sizes := []int64{1, 2, 3, 4, 7, 8, 100, 255, 256, 257, 300, 511, 512, 513, 768, 1025}
	widths := map[string][]byte{} // what a tile was when it was narrower
	for k, size := range sizes {
		h.append(batch(fmt.Sprintf("grow to %d", size), int(size)-len(h.leaves)))
		h.prove(sizes[:k]...)
		for level, count := 0, size; count > 0; level, count = level+1, count/256 {
			for n := int64(0); n*256 < count; n++ {
				width := int(min(256, count-n*256))
				b, err := h.log.Tile(h.ctx, level, n, width)
				if err != nil || len(b) != width*tlog.HashSize {
					h.Fatalf("size %d: tile %d of level %d, width %d: %d bytes, %v", size, n, level, width, len(b), err)
				}
				name := fmt.Sprint(level, n)
				if !bytes.HasPrefix(b, widths[name]) {
					h.Errorf("size %d: tile %d of level %d changed what it held before", size, n, level)
				}
				widths[name] = b
			}
		}
	}
	h.same()
	for name, b := range widths { // all the narrower ones are still there
		var level int
		var n int64
		if _, err := fmt.Sscan(name, &level, &n); err != nil {
			h.Fatal(err)
		}
		for width := 1; width <= len(b)/tlog.HashSize; width += 17 {
			if got, err := h.log.Tile(h.ctx, level, n, width); err != nil || !bytes.Equal(got, b[:width*tlog.HashSize]) {
				h.Errorf("tile %d of level %d, width %d: %d bytes, %v", n, level, width, len(got), err)
			}
		}
	}
}

func leafSizes(h *harness) {
	long := func(n int, b byte) []byte { return bytes.Repeat([]byte{b}, n) }
	if _, err := h.log.Append(h.ctx, [][]byte{{}}); err == nil { // it may be refused
		h.reckon([][]byte{{}}, []int64{0})
	}
	h.same()
	h.append([][]byte{{0}, long(65535, 'a'), long(65535, 'b'), {0, 0}})
	h.append([][]byte{long(65535, 'c')})
	h.same()
	h.prove(1, 4)
	h.reopen()
	h.same()
}

func duplicates(h *harness) {
	h.append(batch("first", 5))
	fresh := batch("fresh", 3)
	for _, c := range []struct {
		name   string
		leaves [][]byte
	}{
		{"one that is there", h.leaves[2:3]},
		{"all that are there", h.leaves},
		{"last of a batch", [][]byte{fresh[0], fresh[1], h.leaves[4]}},
		{"first of a batch", [][]byte{h.leaves[0], fresh[0], fresh[1]}},
		{"twice in a batch", [][]byte{fresh[0], fresh[1], fresh[0]}},
	} {
		for _, again := range []bool{false, true} {
			if again {
				h.reopen()
			}
			if indexes, err := h.log.Append(h.ctx, c.leaves); !errors.Is(err, tree.ErrDuplicate) || indexes != nil {
				h.Errorf("%s: Append = %v, %v, want ErrDuplicate", c.name, indexes, err)
			}
			h.same()
			for i, leaf := range fresh {
				if at, err := h.log.Index(h.ctx, tlog.RecordHash(leaf)); !errors.Is(err, tree.ErrNotFound) {
					h.Errorf("%s: fresh leaf %d has index %d, %v", c.name, i, at, err)
				}
			}
		}
	}
	h.append(fresh)
	h.same()
}

func beyond(h *harness) {
	for _, size := range []int64{0, 3, 257} {
		if size > 0 {
			h.append(batch(fmt.Sprintf("beyond %d", size), int(size)-len(h.leaves)))
		}
		for _, r := range [][2]int64{{size, size + 1}, {0, size + 1}, {size + 1, size + 1}, {-1, 0}, {size + 1, size}, {0, math.MaxInt64}} {
			if got, err := h.log.Leaves(h.ctx, r[0], r[1]); !errors.Is(err, tree.ErrNotFound) {
				h.Errorf("size %d: Leaves(%d, %d) = %d leaves, %v, want ErrNotFound", size, r[0], r[1], len(got), err)
			}
		}
		if got, err := h.log.Leaves(h.ctx, size, size); err != nil || len(got) != 0 {
			h.Errorf("size %d: Leaves(%d, %d) = %d leaves, %v, want none", size, size, size, len(got), err)
		}
		last, width := size/256, int(size%256)
		for _, c := range []tlog.Tile{
			{L: 0, N: last, W: width + 1}, {L: 0, N: last + 1, W: 1}, {L: 0, N: math.MaxInt64, W: 1}, {L: 0, N: math.MaxInt64 >> 8, W: 256},
			{L: 0, N: -1, W: 1}, {L: 1, N: 0, W: int(size/256) + 1}, {L: 2, N: 0, W: 1}, {L: 63, N: 0, W: 1}, {L: 64, N: 0, W: 1},
			{L: -1, N: 0, W: 1}, {L: 0, N: 0, W: 0}, {L: 0, N: 0, W: 257}, {L: 0, N: 0, W: -1},
		} {
			if b, err := h.log.Tile(h.ctx, c.L, c.N, c.W); !errors.Is(err, tree.ErrNotFound) {
				h.Errorf("size %d: Tile(%d, %d, %d) = %d bytes, %v, want ErrNotFound", size, c.L, c.N, c.W, len(b), err)
			}
		}
		if at, err := h.log.Index(h.ctx, tlog.Hash{1}); !errors.Is(err, tree.ErrNotFound) {
			h.Errorf("size %d: Index of a leaf that is not there = %d, %v", size, at, err)
		}
	}
}

// cancelled: a call whose context has ended does nothing.
func cancelled(h *harness) {
	h.append(batch("before", 3))
	ctx, cancel := context.WithCancel(h.ctx)
	cancel()
	leaves := batch("cancelled", 3)
	if indexes, err := h.log.Append(ctx, leaves); !errors.Is(err, context.Canceled) {
		h.Errorf("Append = %v, %v, want context.Canceled", indexes, err)
	}
	if _, err := h.log.Leaves(ctx, 0, 3); err != nil && !errors.Is(err, context.Canceled) {
		h.Errorf("Leaves: %v", err)
	}
	h.same()
	h.append(leaves)
	h.same()
}

func reopen(h *harness) {
	for k, n := range []int{1, 2, 252, 1, 1, 300} {
		before := int64(len(h.leaves))
		h.append(batch(fmt.Sprintf("reopen %d", k), n))
		h.reopen()
		h.same()
		h.prove(slices.DeleteFunc([]int64{before}, func(n int64) bool { return n == 0 })...)
	}
}

func closed(h *harness) {
	h.append(batch("closed", 2))
	if err := h.log.Close(); err != nil {
		h.Fatal(err)
	}
	if indexes, err := h.log.Append(h.ctx, batch("late", 1)); err == nil {
		h.Errorf("Append after Close = %v", indexes)
	}
	if head, err := h.log.Head(h.ctx); err == nil {
		h.Errorf("Head after Close = %v", head)
	}
	if err := h.log.Close(); err != nil {
		h.Errorf("second Close: %v", err)
	}
	h.log = h.open(h, h.name)
	h.same()
}

// concurrent appends and reads at once. Whatever head a reader sees is there.
func concurrent(h *harness) {
	const writers, batches = 4, 40
	var writing, reading sync.WaitGroup
	done := make(chan struct{})
	for w := range writers {
		writing.Go(func() {
			for k := range batches {
				leaves := batch(fmt.Sprintf("writer %d, batch %d", w, k), 1+(w*7+k)%9)
				indexes, err := h.log.Append(h.ctx, leaves)
				if err != nil || len(indexes) != len(leaves) {
					h.Errorf("Append: %v, %v", indexes, err)
					return
				}
				for i, at := range indexes { // at once
					got, err := h.log.Leaves(h.ctx, at, at+1)
					if err != nil || !bytes.Equal(got[0], leaves[i]) {
						h.Errorf("leaf %d is not what was appended: %q, %v", at, got, err)
					}
				}
			}
		})
	}
	for range 2 {
		reading.Go(func() {
			last := tree.Head{}
			for {
				select {
				case <-done:
					return
				default:
				}
				head, err := h.log.Head(h.ctx)
				if err == nil && head.Size > last.Size {
					err = seen(h.ctx, h.log, last, head)
				}
				if err != nil || head.Size < last.Size {
					h.Errorf("head %v after %v: %v", head, last, err)
					return
				}
				last = head
			}
		})
	}
	writing.Wait()
	close(done)
	reading.Wait()
	head := h.head()
	leaves, err := h.log.Leaves(h.ctx, 0, head.Size)
	if err != nil {
		h.Fatal(err)
	}
	for i, leaf := range leaves {
		if err := prove(h.ctx, h.log, head, leaf, int64(i)); err != nil {
			h.Fatal(err)
		}
	}
}

// seen checks that a head is whole, and continues an earlier one.
func seen(ctx context.Context, log tree.Log, last, head tree.Head) error {
	leaves, err := log.Leaves(ctx, head.Size-1, head.Size)
	if err != nil {
		return err
	}
	if at, err := log.Index(ctx, tlog.RecordHash(leaves[0])); err != nil || at != head.Size-1 {
		return fmt.Errorf("the last leaf of %d has index %d, %w", head.Size, at, err)
	}
	if err := prove(ctx, log, head, leaves[0], head.Size-1); err != nil || last.Size == 0 {
		return err
	}
	reader := tlog.TileHashReader(tlog.Tree{N: head.Size, Hash: head.Root}, tiles{ctx, log})
	proof, err := tlog.ProveTree(head.Size, last.Size, reader)
	if err != nil {
		return err
	}
	return tlog.CheckTree(proof, head.Size, head.Root, last.Size, last.Root)
}
