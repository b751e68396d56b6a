package treetest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/docket-ledger/docket/ledger/tree"
)

// RunOrdered checks what a log does that keeps batches whole and in order: the
// index of item k is the size before + k.
func RunOrdered(t *testing.T, open Open) {
	t.Run("in order", func(t *testing.T) { inOrder(start(t, open)) })
	t.Run("in order/concurrent", func(t *testing.T) { inOrderConcurrent(start(t, open)) })
}

// from returns n numbers from a first one on.
func from(first int64, n int) []int64 {
	out := make([]int64, n)
	for i := range out {
		out[i] = first + int64(i)
	}
	return out
}

func inOrder(h *harness) {
	for k, n := range []int{1, 2, 64, 1, 256, 3, 1000} {
		want := from(int64(len(h.leaves)), n)
		leaves := batch(fmt.Sprintf("batch %d", k), n)
		if k%2 == 1 {
			slices.Reverse(leaves) // not in the order of their bytes
		}
		if got := h.append(leaves); !slices.Equal(got, want) {
			h.Errorf("batch of %d: indexes %v, want %v", n, got, want)
		}
		if _, err := h.log.Append(h.ctx, append(batch("lost", 2), leaves[0])); !errors.Is(err, tree.ErrDuplicate) {
			h.Errorf("duplicate: %v", err)
		}
	}
	h.same()
}

func inOrderConcurrent(h *harness) {
	const writers, batches, n = 8, 20, 5
	var mu sync.Mutex
	first := map[int64]bool{}
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for k := range batches {
				got, err := h.log.Append(h.ctx, batch(fmt.Sprintf("writer %d, batch %d", w, k), n))
				if err != nil || len(got) != n || !slices.Equal(got, from(got[0], n)) {
					h.Errorf("batch of %d: indexes %v, %v", n, got, err)
					return
				}
				mu.Lock()
				first[got[0]] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for i := range int64(writers * batches) {
		if !first[i*n] {
			h.Errorf("no batch begins at %d", i*n)
		}
	}
	if got := h.head().Size; got != writers*batches*n {
		h.Errorf("size is %d, want %d", got, writers*batches*n)
	}
}
