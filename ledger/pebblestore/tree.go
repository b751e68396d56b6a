package pebblestore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/trillian/storage"
	"github.com/google/trillian/types"
	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func notFound(err error) bool { return errors.Is(err, pebble.ErrNotFound) }

// tileHeight is how many levels a tile spans, tileWidth how many hashes a full
// one has.
const (
	tileHeight = 8
	tileWidth  = 1 << tileHeight
	tileLevels = 8 // 64 bits
)

// tree is what is known of a tree while the store is open.
type tree struct {
	store  *Store
	id     int64
	number uint32
	writer sync.Mutex // held by a ReadWriteTransaction
	now    atomic.Pointer[view]
	queue  queue
}

// view is a state of a tree on stable storage. It is not changed.
type view struct {
	root  types.LogRootV1
	bytes []byte // the root as stored, nil before there is one
	// rows are the partial tiles: for each tile level the hashes after its
	// last full tile.
	rows [tileLevels]partial
	// edge holds the nodes of the compact range of the tree.
	edge map[compact.NodeID][]byte
}

// partial is the partial tile of a level: its hashes, and the number of the
// first.
type partial struct {
	start  int64
	hashes []byte
}

func (p partial) end() int64 { return p.start + int64(len(p.hashes)/hashSize) }

// tree returns a tree by id. It reads what is needed of it when it is first
// asked for: not more than the partial tiles and the queue.
func (s *Store) tree(id int64) (*tree, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.trees[id]; t != nil {
		return t, nil
	}
	raw, err := s.get(treeKey(id))
	if err != nil {
		return nil, err
	}
	if len(raw) < 4 {
		return nil, status.Errorf(codes.NotFound, "tree %d not found", id)
	}
	t := &tree{store: s, id: id, number: binary.BigEndian.Uint32(raw)}
	t.queue.init(s.opt)
	v, err := t.load()
	if err != nil {
		return nil, fmt.Errorf("tree %d: %w", id, err)
	}
	t.now.Store(v)
	if s.opt.Queue == DurableQueue {
		if err := t.loadQueue(); err != nil {
			return nil, fmt.Errorf("tree %d: %w", id, err)
		}
	}
	s.trees[id] = t
	return t, nil
}

// load reads the newest root and the partial tiles, and checks that they agree.
func (t *tree) load() (*view, error) {
	v := &view{edge: map[compact.NodeID][]byte{}}
	var err error
	if v.bytes, err = t.store.get(t.rootKey()); err != nil || v.bytes == nil {
		return v, err
	}
	if err := v.root.UnmarshalBinary(v.bytes); err != nil {
		return nil, fmt.Errorf("%w: root: %w", ErrDamaged, err)
	}
	return v, t.loadRows(v)
}

func (t *tree) loadRows(v *view) error {
	size := int64(v.root.TreeSize)
	for level := range tileLevels {
		items := size >> (tileHeight * level)
		p := partial{start: items &^ (tileWidth - 1)}
		for i := p.start; i < items; i++ {
			h, err := t.loadNode(level, i)
			if err != nil {
				return err
			}
			p.hashes = append(p.hashes, h...)
		}
		v.rows[level] = p
	}
	for _, id := range compact.RangeNodes(0, uint64(size), nil) {
		h, err := t.node(v, id)
		if err != nil {
			return err
		}
		v.edge[id] = h
	}
	root, err := v.compute()
	if err != nil {
		return err
	}
	if size > 0 && !bytes.Equal(root, v.root.RootHash) {
		return fmt.Errorf("%w: the tiles of size %d have root %x, stored is %x", ErrDamaged, size, root, v.root.RootHash)
	}
	return nil
}

// loadNode reads one hash of a partial tile.
func (t *tree) loadNode(level int, i int64) ([]byte, error) {
	if level > 0 {
		h, err := t.store.get(t.nodeKey(level, i))
		if err == nil && len(h) != hashSize {
			err = fmt.Errorf("%w: node %d of tile level %d", ErrDamaged, i, level)
		}
		return h, err
	}
	l, err := t.leaf(i)
	if err == nil && l == nil {
		err = fmt.Errorf("%w: leaf %d is missing", ErrDamaged, i)
	}
	if err != nil {
		return nil, err
	}
	return l.MerkleLeafHash, nil
}

// compute returns the root hash from the edge.
func (v *view) compute() ([]byte, error) {
	var hashes [][]byte
	for _, id := range compact.RangeNodes(0, v.root.TreeSize, nil) {
		hashes = append(hashes, v.edge[id])
	}
	f := compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}
	r, err := f.NewRange(0, v.root.TreeSize, hashes)
	if err != nil {
		return nil, err
	}
	return r.GetRootHash(nil)
}

// tile returns the first width hashes of a tile as v has it, or nil.
func (t *tree) tile(v *view, level int, n int64, width int) ([]byte, error) {
	if level < 0 || level >= tileLevels || n < 0 || n > math.MaxInt64/tileWidth-1 || width < 1 || width > tileWidth {
		return nil, nil
	}
	p := v.rows[level]
	first := n * tileWidth
	switch {
	case first+int64(width) > p.end():
		return nil, nil
	case first >= p.start:
		from := (first - p.start) * hashSize
		return p.hashes[from:][: width*hashSize : width*hashSize], nil // appending must not write here
	}
	raw, err := t.store.get(t.tileKey(level, n))
	if err != nil {
		return nil, err
	}
	if len(raw) != tileWidth*hashSize {
		return nil, fmt.Errorf("%w: tile %d of level %d has %d bytes", ErrDamaged, n, level, len(raw))
	}
	return raw[: width*hashSize : width*hashSize], nil
}

// node returns the hash of a perfect subtree, computed from its tile.
func (t *tree) node(v *view, id compact.NodeID) ([]byte, error) {
	level, up := int(id.Level)/tileHeight, id.Level%tileHeight
	first := int64(id.Index) << up
	width := int64(1) << up
	n := first / tileWidth
	offset := first % tileWidth
	row, err := t.tile(v, level, n, int(offset+width))
	if err != nil {
		return nil, err
	}
	if row == nil {
		return nil, status.Errorf(codes.NotFound, "node %+v is not in the tree of size %d", id, v.root.TreeSize)
	}
	hashes := make([][]byte, width)
	for i := range hashes {
		hashes[i] = row[(offset+int64(i))*hashSize:][:hashSize]
	}
	for ; len(hashes) > 1; hashes = hashes[:len(hashes)/2] {
		for i := 0; i < len(hashes); i += 2 {
			hashes[i/2] = rfc6962.DefaultHasher.HashChildren(hashes[i], hashes[i+1])
		}
	}
	return bytes.Clone(hashes[0]), nil
}

// errNeedsInit is compared with ==, so it must not be wrapped.
var errNeedsInit = storage.ErrTreeNeedsInit
