package verify

import (
	"container/list"
	"context"
	"fmt"
	"strings"
	"sync"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/verify/tile"
)

// How the tiles of a tree are authenticated, each once:
//
// The partial tiles of a tree, at most one a level, are its right edge. Together
// they cover the tree, and their hashes give its root: that is compared with the
// checkpoint. Every other tile is full, and its root is an item of the tile
// above it, which is authenticated first.

// tileNodes are the nodes of a tile: [k][i] is the hash of the tile's items from
// i·2^k on, 2^k of them; [0] are the items.
type tileNodes [tile.Height][]tlog.Hash

// newTileNodes computes the interior nodes of a tile.
func newTileNodes(items []tlog.Hash) *tileNodes {
	var nodes tileNodes
	all := make([]tlog.Hash, 0, 2*len(items))
	all = append(all, items...)
	nodes[0] = all
	for k := 1; k < tile.Height; k++ {
		below, start := nodes[k-1], len(all)
		for i := 0; i+1 < len(below); i += 2 {
			all = append(all, tlog.NodeHash(below[i], below[i+1]))
		}
		nodes[k] = all[start:]
	}
	return &nodes
}

// root returns the root of a full tile.
func (n *tileNodes) root() tlog.Hash {
	top := n[tile.Height-1]
	return tlog.NodeHash(top[0], top[1])
}

// tile returns the authenticated nodes of tile n of a level, which the tree has.
func (t *Tree) tile(ctx context.Context, level int, n int64) (*tileNodes, error) {
	e, err := t.loadEdge(ctx)
	if err != nil {
		return nil, err
	}
	id := tile.ID{Level: level, N: n, Width: tile.Width(level, n, t.cp.Size)}
	if id.Width < tile.FullWidth {
		return e[level], nil
	}
	return t.tiles.get(ctx, id, func() (*tileNodes, error) {
		above, err := t.tile(ctx, level+1, n/tile.FullWidth)
		if err != nil {
			return nil, err
		}
		nodes, read, err := readTile(ctx, t.src, id)
		if err != nil {
			return nil, err
		}
		if nodes.root() != above[0][n%tile.FullWidth] {
			return nil, &FileError{read.Path(), "its hashes are not those of the tree"}
		}
		return nodes, nil
	})
}

// readTile reads a tile and computes its nodes. It authenticates nothing.
func readTile(ctx context.Context, src Source, id tile.ID) (nodes *tileNodes, read tile.ID, err error) {
	data, read, err := readFile(ctx, src, id)
	if err != nil {
		return nil, read, err
	}
	hashes, err := tile.ParseHashes(data, read.Width)
	if err != nil {
		return nil, read, &FileError{read.Path(), err.Error()}
	}
	return newTileNodes(hashes[:id.Width]), read, nil
}

// An edge has the partial tiles of a tree by level; nil where there is none.
type edge [tile.Height]*tileNodes

// root returns the root of the tree. There is at least one tile.
func (e *edge) root() tlog.Hash {
	var root tlog.Hash
	first := true
	for _, nodes := range e { // from the right of the tree to the left
		if nodes == nil {
			continue
		}
		width := len(nodes[0])
		for k := range nodes {
			if width>>k&1 == 0 {
				continue
			}
			if left := nodes[k][width>>k-1]; first {
				root, first = left, false
			} else {
				root = tlog.NodeHash(left, root)
			}
		}
	}
	return root
}

// edgeID returns the partial tile of a level; its width may be 0.
func (t *Tree) edgeID(level int) tile.ID {
	n := t.cp.Size >> (tile.Height * (level + 1))
	return tile.ID{Level: level, N: n, Width: tile.Width(level, n, t.cp.Size)}
}

// loadEdge returns the authenticated right edge. The first caller reads it.
func (t *Tree) loadEdge(ctx context.Context) (*edge, error) {
	if e := t.edge.Load(); e != nil {
		return e, nil
	}
	select {
	case t.loading <- struct{}{}:
		defer func() { <-t.loading }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if e := t.edge.Load(); e != nil {
		return e, nil
	}
	if t.cp.Size < 1 || t.cp.Size > MaxSize {
		return nil, fmt.Errorf("no tiles in a log of size %d", t.cp.Size)
	}
	var e edge
	var read []tile.ID
	for level := range tile.Height - 1 { // 56 bits, more than MaxSize has
		id := t.edgeID(level)
		if id.Width == 0 {
			continue
		}
		nodes, file, err := readTile(ctx, t.src, id)
		if err != nil {
			return nil, err
		}
		e[level] = nodes
		read = append(read, file)
	}
	if e.root() != t.cp.Root {
		return nil, t.blame(ctx, e, read)
	}
	t.edge.Store(&e)
	return &e, nil
}

// maxBlame is how many files are read, at most, to name the one that makes the
// edge wrong. Nothing is authenticated then, so a liar chooses how many there
// are to read: up to 1,307 in a log of MaxSize. In one of up to 2^24 entries all of
// them are read, 4 MB and a bundle.
const maxBlame = 512

// blame finds the file of a wrong edge: the tile without which the root is
// right, if its hashes are computed anew from the level below instead.
func (t *Tree) blame(ctx context.Context, e edge, read []tile.ID) error {
	var paths []string
	agree, left := true, maxBlame
	for _, id := range read {
		paths = append(paths, id.Path())
		own := t.edgeID(id.Level)
		need := own.Width
		if own.Level == 0 {
			need = 1 // a bundle
		}
		if need > left {
			agree = false
			continue
		}
		left -= need
		below, err := t.recompute(ctx, own)
		if err != nil {
			agree = false
			continue
		}
		mended := e
		mended[id.Level] = below
		if mended.root() == t.cp.Root {
			return &FileError{id.Path(), "its hashes are not those of the tree"}
		}
		agree = agree && mended.root() == e.root()
	}
	reason := "not all of them belong to the tree of the checkpoint"
	if agree {
		reason = fmt.Sprintf("they and the files below them are of another tree of size %d than the checkpoint's", t.cp.Size)
	}
	return &FileError{strings.Join(paths, ", "), reason}
}

// recompute computes a tile from the files of the level below, unauthenticated.
func (t *Tree) recompute(ctx context.Context, id tile.ID) (*tileNodes, error) {
	items := make([]tlog.Hash, id.Width)
	if id.Level == 0 {
		data, _, err := readFile(ctx, t.src, tile.ID{Level: tile.Entries, N: id.N, Width: id.Width})
		if err != nil {
			return nil, err
		}
		for i := range items {
			entry, rest, err := tile.CutEntry(data)
			if err != nil {
				return nil, err
			}
			items[i], data = tlog.RecordHash(entry), rest
		}
		return newTileNodes(items), nil
	}
	for i := range items {
		child := tile.ID{Level: id.Level - 1, N: id.N*tile.FullWidth + int64(i), Width: tile.FullWidth}
		nodes, _, err := readTile(ctx, t.src, child)
		if err != nil {
			return nil, err
		}
		items[i] = nodes.root()
	}
	return newTileNodes(items), nil
}

// A tileCache keeps the most recently used full tiles. The zero value is empty.
type tileCache struct {
	mu    sync.Mutex
	tiles map[tile.ID]*list.Element // of *cachedTile
	order list.List                 // most recently used first
}

// A cachedTile is being loaded until ready is closed. Only those that were
// loaded without error stay in the cache.
type cachedTile struct {
	id    tile.ID
	ready chan struct{}
	nodes *tileNodes
}

// get returns the tile, which load makes if it is not there. One caller loads,
// the others wait for it; if it meets an error, the next one tries.
func (c *tileCache) get(ctx context.Context, id tile.ID, load func() (*tileNodes, error)) (*tileNodes, error) {
	for {
		c.mu.Lock()
		el, ok := c.tiles[id]
		if !ok {
			entry := c.add(id) // unlocks
			return c.fill(entry, load)
		}
		c.order.MoveToFront(el)
		c.mu.Unlock()
		entry := el.Value.(*cachedTile)
		select {
		case <-entry.ready:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if entry.nodes != nil {
			return entry.nodes, nil
		}
	}
}

// add puts a tile that is to be loaded into the cache, whose lock it releases.
func (c *tileCache) add(id tile.ID) *cachedTile {
	defer c.mu.Unlock()
	if c.tiles == nil {
		c.tiles = make(map[tile.ID]*list.Element)
	}
	entry := &cachedTile{id: id, ready: make(chan struct{})}
	c.tiles[id] = c.order.PushFront(entry)
	for len(c.tiles) > maxTiles {
		oldest := c.order.Back()
		delete(c.tiles, c.order.Remove(oldest).(*cachedTile).id)
	}
	return entry
}

// fill loads a tile. It forgets the tile if there was an error, and then lets
// the others go on.
func (c *tileCache) fill(entry *cachedTile, load func() (*tileNodes, error)) (*tileNodes, error) {
	defer close(entry.ready)
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if el := c.tiles[entry.id]; entry.nodes == nil && el != nil && el.Value == any(entry) {
			c.order.Remove(el)
			delete(c.tiles, entry.id)
		}
	}()
	nodes, err := load()
	if err != nil {
		return nil, err
	}
	entry.nodes = nodes
	return nodes, nil
}
