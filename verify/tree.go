package verify

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/verify/tile"
)

const (
	maxTiles = 512     // in the cache of a Tree, 16 KiB each
	maxRoots = 1 << 16 // in the memory of Tree.Root
)

// A Tree is a log at a checkpoint, read through a Source. Whatever it returns
// was hashed to the root of the checkpoint. It reads a tile once, as long as the
// most recently used ones suffice, and keeps their interior nodes; its memory
// does not grow with the log. All methods may be used concurrently.
//
// Errors of the Source are wrapped: nothing is known then about the log. A
// *FileError or *EntryError says that the log is not that of the checkpoint, and
// where.
type Tree struct {
	src  Source
	cp   Checkpoint
	note []byte // cp as signed, or nil

	edge    atomic.Pointer[edge]
	loading chan struct{} // capacity 1: held by who loads the edge
	tiles   tileCache

	mu    sync.Mutex
	roots map[int64]tlog.Hash
}

// NewTree returns the log of cp. It reads nothing yet. cp is trusted: it comes
// from Policy.Open.
func NewTree(src Source, cp Checkpoint) *Tree {
	return &Tree{src: src, cp: cp, loading: make(chan struct{}, 1), roots: make(map[int64]tlog.Hash)}
}

// Tree returns the log of s. Its evidence of a fork has the signed notes.
func (s Signed) Tree(src Source) *Tree {
	t := NewTree(src, s.Checkpoint)
	t.note = s.Note
	return t
}

// Checkpoint returns the checkpoint that t was made with.
func (t *Tree) Checkpoint() Checkpoint { return t.cp }

// A FileError says that a tile or bundle is not that of the checkpoint.
type FileError struct {
	// Path is the file, as it was read. Where several files can't be told
	// apart it names them all, separated by commas.
	Path   string
	Reason string
}

func (e *FileError) Error() string { return e.Path + ": " + e.Reason }

// An EntryError says that an entry is not the one in the tree of the
// checkpoint. It is the first one of its bundle that differs.
type EntryError struct {
	Index int64  // of the entry, from 0
	Path  string // of the bundle, as it was read
	Cut   bool   // the bundle ends within the entry

	// Want is the entry's leaf hash in the tree, Got that of what was read
	// (unless Cut).
	Want, Got tlog.Hash
}

func (e *EntryError) Error() string {
	if e.Cut {
		return fmt.Sprintf("entry %d was altered: %s ends within it", e.Index, e.Path)
	}
	return fmt.Sprintf("entry %d was altered: its leaf hash in %s is %v, in the tree it is %v", e.Index, e.Path, e.Got, e.Want)
}

// Hashes returns a reader of the tree's hashes, by their tlog.StoredHashIndex,
// for the functions of package tlog. ctx bounds its reads.
func (t *Tree) Hashes(ctx context.Context) tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		hashes := make([]tlog.Hash, len(indexes))
		for i, x := range indexes {
			h, err := t.hash(ctx, x)
			if err != nil {
				return nil, err
			}
			hashes[i] = h
		}
		return hashes, nil
	})
}

func (t *Tree) hash(ctx context.Context, index int64) (tlog.Hash, error) {
	if index < 0 || index >= tlog.StoredHashCount(t.cp.Size) {
		return tlog.Hash{}, fmt.Errorf("hash %d is not in a tree of size %d", index, t.cp.Size)
	}
	level, n := tlog.SplitStoredHashIndex(index)
	up := uint(level % tile.Height) // above the bottom of the tile
	across := uint(tile.Height) - up
	nodes, err := t.tile(ctx, level/tile.Height, n>>across)
	if err != nil {
		return tlog.Hash{}, err
	}
	return nodes[up][n&(1<<across-1)], nil
}

// Root returns the root that the tree had at an earlier size,
// 0 <= size <= Checkpoint().Size. It remembers what it returned.
func (t *Tree) Root(ctx context.Context, size int64) (tlog.Hash, error) {
	if size < 0 || size > t.cp.Size {
		return tlog.Hash{}, fmt.Errorf("no root of size %d in a tree of size %d", size, t.cp.Size)
	}
	switch size {
	case 0:
		return EmptyRoot, nil
	case t.cp.Size:
		return t.cp.Root, nil
	}
	t.mu.Lock()
	root, ok := t.roots[size]
	t.mu.Unlock()
	if ok {
		return root, nil
	}
	root, err := tlog.TreeHash(size, t.Hashes(ctx))
	if err != nil {
		return tlog.Hash{}, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.roots) >= maxRoots {
		clear(t.roots)
	}
	t.roots[size] = root
	return root, nil
}

// Prove returns the proof that the entry at index is in the tree, for
// tlog.CheckRecord.
func (t *Tree) Prove(ctx context.Context, index int64) ([]tlog.Hash, error) {
	if index < 0 || index >= t.cp.Size {
		return nil, t.noEntry(index)
	}
	return tlog.ProveRecord(t.cp.Size, index, t.Hashes(ctx))
}

// Entry returns the entry at index. The error may be an *EntryError for this or
// an earlier entry of the same bundle.
func (t *Tree) Entry(ctx context.Context, index int64) ([]byte, error) {
	if index < 0 || index >= t.cp.Size {
		return nil, t.noEntry(index)
	}
	n, i := index/tile.FullWidth, int(index%tile.FullWidth)
	bundle, leaves, err := t.bundle(ctx, n)
	if err != nil {
		return nil, err
	}
	rest := bundle.data
	for range i {
		if _, rest, err = tile.CutEntry(rest); err != nil {
			break
		}
	}
	if entry, _, err := tile.CutEntry(rest); err == nil && tlog.RecordHash(entry) == leaves[i] {
		return entry, nil
	}
	if _, err := bundle.entries(leaves); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("entry %d differs from itself", index) // it was among them
}

// Bundle returns the entries of bundle n, 256 or in the last bundle fewer. If
// one is not that of the tree, the error is an *EntryError for the first of
// these. The entries share one buffer, which t does not keep.
func (t *Tree) Bundle(ctx context.Context, n int64) ([][]byte, error) {
	bundle, leaves, err := t.bundle(ctx, n)
	if err != nil {
		return nil, err
	}
	return bundle.entries(leaves)
}

// bundle reads bundle n and the leaf hashes that its entries must have.
func (t *Tree) bundle(ctx context.Context, n int64) (bundleFile, []tlog.Hash, error) {
	id := tile.ID{Level: tile.Entries, N: n, Width: tile.Width(tile.Entries, n, t.cp.Size)}
	if id.Width == 0 {
		return bundleFile{}, nil, fmt.Errorf("no bundle %d in a log of size %d", n, t.cp.Size)
	}
	nodes, err := t.tile(ctx, 0, n)
	if err != nil {
		return bundleFile{}, nil, err
	}
	data, read, err := readFile(ctx, t.src, id)
	if err != nil {
		return bundleFile{}, nil, err
	}
	return bundleFile{read, data}, nodes[0], nil
}

// A bundleFile is an entry bundle as it was read, at least as wide as asked for.
type bundleFile struct {
	id   tile.ID
	data []byte
}

// entries returns the first entries of b, whose hashes must be leaves.
func (b bundleFile) entries(leaves []tlog.Hash) ([][]byte, error) {
	entries := make([][]byte, len(leaves))
	rest := b.data
	for i, want := range leaves {
		index := b.id.N*tile.FullWidth + int64(i)
		entry, after, err := tile.CutEntry(rest)
		if err != nil {
			return nil, &EntryError{Index: index, Path: b.id.Path(), Cut: true, Want: want}
		}
		if got := tlog.RecordHash(entry); got != want {
			return nil, &EntryError{Index: index, Path: b.id.Path(), Want: want, Got: got}
		}
		entries[i], rest = entry, after
	}
	if len(rest) > 0 && len(leaves) == b.id.Width {
		return nil, &FileError{b.id.Path(), fmt.Sprintf("%d bytes after the last entry", len(rest))}
	}
	return entries, nil
}

// readFile reads a tile or bundle. If a partial one is not there, it reads the
// full one instead, as c2sp.org/tlog-tiles allows a log to keep only that; read
// says which it was.
func readFile(ctx context.Context, src Source, id tile.ID) (data []byte, read tile.ID, err error) {
	data, err = src.ReadFile(ctx, id.Path())
	if err != nil && id.Width < tile.FullWidth && errors.Is(err, fs.ErrNotExist) {
		if full, fullErr := src.ReadFile(ctx, id.Full().Path()); fullErr == nil {
			return full, id.Full(), nil
		} else if !errors.Is(fullErr, fs.ErrNotExist) {
			return nil, id, fmt.Errorf("%s: %w", id.Full().Path(), fullErr)
		}
	}
	if err != nil {
		return nil, id, fmt.Errorf("%s: %w", id.Path(), err)
	}
	return data, id, nil
}

func (t *Tree) noEntry(index int64) error {
	return fmt.Errorf("no entry %d in a log of size %d", index, t.cp.Size)
}

// File returns the bytes of a tile or bundle of the tree, in the width that the
// tree gives it (tile.Width): what a copy of the log holds under id.Path.
func (t *Tree) File(ctx context.Context, id tile.ID) ([]byte, error) {
	if w := tile.Width(id.Level, id.N, t.cp.Size); w == 0 || w != id.Width {
		return nil, fmt.Errorf("%s is not in a log of size %d", id.Path(), t.cp.Size)
	}
	if id.Level == tile.Entries {
		bundle, leaves, err := t.bundle(ctx, id.N)
		if err != nil {
			return nil, err
		}
		entries, err := bundle.entries(leaves)
		if err != nil {
			return nil, err
		}
		size := 0
		for _, e := range entries {
			size += 2 + len(e)
		}
		return bundle.data[:size:size], nil // the entries, in the only spelling
	}
	nodes, err := t.tile(ctx, id.Level, id.N)
	if err != nil {
		return nil, err
	}
	b := make([]byte, 0, id.Width*tlog.HashSize)
	for _, h := range nodes[0] {
		b = append(b, h[:]...)
	}
	return b, nil
}
