package ledger

import (
	"context"
	"errors"
	"sync"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/ledger/tree"
)

// nodesKept is how many hashes of a level are kept in memory at least.
const nodesKept = 2048

// nodes holds the hashes of the complete subtrees near the end of a tree, so
// that proofs for new records need no storage. Level l holds the subtrees of
// 2^l leaves, numbered from 0. A copy made by snapshot may be read while the
// original grows.
type nodes struct {
	size   int64
	levels []row
}

// row holds the nodes from number base on.
type row struct {
	base   int64
	hashes []tlog.Hash
}

// add appends a leaf.
func (n *nodes) add(leaf tlog.Hash) {
	n.size++
	n.push(0, leaf)
	for l := 0; (n.size>>l)&1 == 0; l++ {
		h := n.levels[l].hashes
		n.push(l+1, tlog.NodeHash(h[len(h)-2], h[len(h)-1]))
	}
}

func (n *nodes) push(level int, h tlog.Hash) {
	for len(n.levels) <= level {
		n.levels = append(n.levels, row{})
	}
	r := &n.levels[level]
	if len(r.hashes) >= 4*nodesKept { // a new array: snapshots keep the old one
		cut := len(r.hashes) - nodesKept
		r.base += int64(cut)
		r.hashes = append(make([]tlog.Hash, 0, 4*nodesKept+1), r.hashes[cut:]...)
	}
	r.hashes = append(r.hashes, h)
}

// snapshot returns a copy that add does not change.
func (n *nodes) snapshot() nodes {
	return nodes{size: n.size, levels: append([]row{}, n.levels...)}
}

var errNotKept = errors.New("ledger: node is not in memory")

// ReadHashes implements tlog.HashReader for what is kept.
func (n *nodes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		level, number := tlog.SplitStoredHashIndex(x)
		if level >= len(n.levels) {
			return nil, errNotKept
		}
		r := n.levels[level]
		if number < r.base || number-r.base >= int64(len(r.hashes)) {
			return nil, errNotKept
		}
		out[i] = r.hashes[number-r.base]
	}
	return out, nil
}

// root returns the root of the tree.
func (n *nodes) root() (tlog.Hash, error) { return tlog.TreeHash(n.size, n) }

// loadNodes reads, for each level of the tree of a size, its last complete
// subtree: all that growing the tree needs.
func loadNodes(ctx context.Context, log tree.Log, size int64) (nodes, error) {
	n := nodes{size: size}
	reader := tileReader{ctx, log}
	for l := 0; size>>l > 0; l++ {
		number := size>>l - 1
		h, err := reader.ReadHashes([]int64{tlog.StoredHashIndex(l, number)})
		if err != nil {
			return nodes{}, err
		}
		n.levels = append(n.levels, row{base: number, hashes: h})
	}
	return n, nil
}

// tileReader is a tlog.HashReader over the tiles of a tree.
type tileReader struct {
	ctx context.Context
	log tree.Log
}

func (r tileReader) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	return tree.Hashes(r.ctx, r.log).ReadHashes(indexes)
}

// keptOrTiles reads what is kept, and else tiles.
type keptOrTiles struct {
	kept  *nodes
	tiles tileReader
}

func (r keptOrTiles) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	if out, err := r.kept.ReadHashes(indexes); err == nil {
		return out, nil
	}
	out := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		h, err := r.kept.ReadHashes([]int64{x})
		if err != nil {
			h, err = r.tiles.ReadHashes([]int64{x})
		}
		if err != nil {
			return nil, err
		}
		out[i] = h[0]
	}
	return out, nil
}

// roots remembers the roots of earlier trees. It may be used concurrently.
type roots struct {
	log  tree.Log
	mu   sync.Mutex
	memo map[int64]tlog.Hash
}

// rootsKept bounds the memo.
const rootsKept = 1 << 16

// of returns the root of the first size records; the tree of kept is at least
// that large, and committed.
func (r *roots) of(ctx context.Context, size int64, kept *nodes) (tlog.Hash, error) {
	r.mu.Lock()
	h, ok := r.memo[size]
	r.mu.Unlock()
	if ok {
		return h, nil
	}
	h, err := tlog.TreeHash(size, keptOrTiles{kept, tileReader{ctx, r.log}})
	if err != nil {
		return tlog.Hash{}, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.memo) >= rootsKept {
		clear(r.memo)
	}
	r.memo[size] = h
	return h, nil
}
