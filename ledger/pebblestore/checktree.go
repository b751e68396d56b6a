package pebblestore

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"golang.org/x/mod/sumdb/tlog"
)

// treeCheck goes through the leaves of a tree and makes its tiles anew. It hashes
// with package tlog, and not with what made the tree.
type treeCheck struct {
	t     *tree
	opt   CheckOptions
	size  int64
	roots func(size int64, root func() [32]byte)

	whole  bool
	rows   [tileLevels][]tlog.Hash // the last tile of each level, not full
	first  [tileLevels]int64       // the number of that tile
	idents []uint64                // the first bytes of each leaf's identity
}

func (c *treeCheck) run(ctx context.Context) error {
	c.whole = true
	c.idents = make([]uint64, c.size)
	c.told(0)
	for start := int64(0); start < c.size && c.whole; start += tileWidth {
		if err := ctx.Err(); err != nil {
			return err
		}
		end := min(start+tileWidth, c.size)
		if err := c.tile(start, end); err != nil {
			return err
		}
		if c.opt.Progress != nil {
			c.opt.Progress(end, c.size)
		}
	}
	if c.whole {
		if err := c.partials(); err != nil {
			return err
		}
		return c.lookups()
	}
	return nil
}

// told gives out the root of a size.
func (c *treeCheck) told(size int64) {
	if c.roots != nil {
		c.roots(size, c.root)
	}
}

// fault tells what is broken with leaves.
func (c *treeCheck) fault(first, end int64, format string, args ...any) {
	c.opt.Found(Fault{First: first, End: end, Reason: fmt.Sprintf(format, args...)})
}

// tile checks the leaves start <= index < end, and their tile.
func (c *treeCheck) tile(start, end int64) error {
	stored, err := c.storedTile(0, start/tileWidth, end-start == tileWidth)
	if err != nil {
		return err
	}
	hashes, err := c.leaves(start, end, stored)
	if err != nil || !c.whole {
		return err
	}
	for i, h := range hashes {
		if stored != nil && h != tlog.Hash(stored[i*hashSize:][:hashSize]) {
			c.fault(start+int64(i), start+int64(i)+1, "its hash is %v, in its tile it is another", h)
		}
		if err := c.push(0, h); err != nil {
			return err
		}
		c.told(start + int64(i) + 1)
	}
	return nil
}

// storedTile returns a tile as stored; nil if it is not full, or can't be read,
// which is told.
func (c *treeCheck) storedTile(level int, n int64, full bool) ([]byte, error) {
	if !full {
		return nil, nil
	}
	raw, err := c.t.store.get(c.t.tileKey(level, n))
	switch {
	case err != nil:
		c.opt.Found(Fault{Reason: fmt.Sprintf("tile %d of level %d can't be read: %v", n, level, err)})
	case len(raw) != tileWidth*hashSize:
		c.opt.Found(Fault{Reason: fmt.Sprintf("tile %d of level %d has %d bytes, want %d", n, level, len(raw), tileWidth*hashSize)})
	default:
		return raw, nil
	}
	return nil, nil
}

// leaves returns the hashes of leaves. Where one is broken its hash is that of the
// tile, if there is one; else the tree is known only up to there.
func (c *treeCheck) leaves(start, end int64, stored []byte) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, 0, end-start)
	broken := func(first, after int64, reason string) {
		c.fault(first, after, "%s", reason)
		for i := first; i < after; i++ {
			if stored == nil {
				c.whole = false
				return
			}
			hashes = append(hashes, tlog.Hash(stored[(i-start)*hashSize:][:hashSize]))
		}
	}
	for next := start; next < end && c.whole; next = start + int64(len(hashes)) {
		err := c.t.store.scan(c.t.leafKey(next), c.t.leafKey(end), func(key, value []byte) (bool, error) {
			index := int64(binary.BigEndian.Uint64(key[len(key)-8:]))
			if at := start + int64(len(hashes)); index > at {
				broken(at, index, "missing")
			}
			if !c.whole {
				return false, nil
			}
			h, identity, reason := examine(value, index)
			if reason != "" {
				broken(index, index+1, reason)
				return c.whole, nil
			}
			c.idents[index] = binary.BigEndian.Uint64(identity)
			hashes = append(hashes, h)
			return true, nil
		})
		at := start + int64(len(hashes))
		switch {
		case !c.whole:
		case err != nil:
			broken(at, c.readable(at, end), "can't be read: "+err.Error())
		case at < end:
			broken(at, end, "missing")
		}
	}
	return hashes, nil
}

// examine computes the hash of a stored leaf; reason says what is wrong with it.
func examine(value []byte, index int64) (h tlog.Hash, identity []byte, reason string) {
	l, err := parseLeaf(value, index)
	if err != nil {
		return h, nil, err.Error()
	}
	h = tlog.RecordHash(l.LeafValue)
	if !bytes.Equal(h[:], l.MerkleLeafHash) {
		return h, nil, fmt.Sprintf("its hash is %v, stored beside it is %x", h, l.MerkleLeafHash)
	}
	return h, l.LeafIdentityHash, ""
}

// readable returns the first leaf after one that can't be read that can be read
// again, at most end.
func (c *treeCheck) readable(bad, end int64) int64 {
	for i := bad + 1; i < end; i++ {
		if l, err := c.t.leaf(i); err == nil && l != nil {
			return i
		}
	}
	return end
}

// push appends a hash to a level. A tile that is full is compared with the stored
// one, and its root goes to the level above.
func (c *treeCheck) push(level int, h tlog.Hash) error {
	c.rows[level] = append(c.rows[level], h)
	if len(c.rows[level]) < tileWidth {
		return nil
	}
	row, n := c.rows[level], c.first[level]
	if level > 0 { // level 0 was compared leaf by leaf
		stored, err := c.storedTile(level, n, true)
		if err != nil {
			return err
		}
		for i, h := range row {
			if stored != nil && h != tlog.Hash(stored[i*hashSize:][:hashSize]) {
				c.opt.Found(Fault{Reason: fmt.Sprintf("tile %d of level %d is not that of the leaves below it, from hash %d on", n, level, i)})
				break
			}
		}
	}
	c.rows[level], c.first[level] = nil, n+1
	if level+1 == tileLevels {
		return nil
	}
	return c.push(level+1, fold(row))
}

// fold returns the root of 2^k hashes.
func fold(hashes []tlog.Hash) tlog.Hash {
	row := append([]tlog.Hash{}, hashes...)
	for ; len(row) > 1; row = row[:len(row)/2] {
		for i := 0; i < len(row); i += 2 {
			row[i/2] = tlog.NodeHash(row[i], row[i+1])
		}
	}
	return row[0]
}

// root returns the root of the leaves so far: its perfect subtrees, from the right
// of the tree to the left.
func (c *treeCheck) root() [32]byte {
	var root tlog.Hash
	none := true
	for _, row := range c.rows {
		for k := 0; len(row)>>k > 0; k++ {
			width := 1 << k
			if len(row)&width == 0 {
				continue
			}
			end := len(row) &^ (width - 1)
			left := fold(row[end-width : end])
			if none {
				root, none = left, false
			} else {
				root = tlog.NodeHash(left, root)
			}
		}
	}
	if none {
		root, _ = tlog.TreeHash(0, nil)
	}
	return root
}

// partials compares the stored hashes of the partial tiles above level 0.
func (c *treeCheck) partials() error {
	for level := 1; level < tileLevels; level++ {
		for i, h := range c.rows[level] {
			index := c.first[level]*tileWidth + int64(i)
			raw, err := c.t.store.get(c.t.nodeKey(level, index))
			if err != nil {
				c.opt.Found(Fault{Reason: fmt.Sprintf("hash %d of level %d can't be read: %v", index, level, err)})
			} else if !bytes.Equal(raw, h[:]) {
				c.opt.Found(Fault{Reason: fmt.Sprintf("hash %d of level %d is not that of the leaves below it", index, level)})
			}
		}
	}
	return nil
}

// lookups checks that each leaf is found by its identity, and nothing else is.
func (c *treeCheck) lookups() error {
	p := c.t.prefix('I')
	it, err := c.t.store.db.NewIter(&pebble.IterOptions{LowerBound: p, UpperBound: prefixEnd(p)})
	if err != nil {
		return err
	}
	found := make([]bool, c.size)
	for ok := it.First(); ok; ok = it.Next() {
		v, err := it.ValueAndErr()
		key := it.Key()
		if err != nil {
			break // told below
		}
		if len(v) != 8 || len(key) != len(p)+hashSize {
			c.opt.Found(Fault{Reason: fmt.Sprintf("the row by which the leaf %x is found is damaged", key[len(p):])})
			continue
		}
		index := int64(binary.BigEndian.Uint64(v))
		if index < 0 || index >= c.size || c.idents[index] != binary.BigEndian.Uint64(key[len(p):]) {
			c.opt.Found(Fault{Reason: fmt.Sprintf("the leaf %x is looked for at %d, and is not there", key[len(p):], index)})
			continue
		}
		found[index] = true
	}
	if err := it.Close(); err != nil {
		c.opt.Found(Fault{Reason: "the rows by which leaves are found can't be read: " + err.Error()})
		return nil
	}
	for i := int64(0); i < c.size; i++ {
		if found[i] {
			continue
		}
		first := i
		for i < c.size && !found[i] {
			i++
		}
		c.fault(first, i, "can't be found by their hash")
	}
	return nil
}
