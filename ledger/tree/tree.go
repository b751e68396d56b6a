// Package tree is the seam between a ledger and the Merkle log that keeps its
// records: the one place where an embedded and a distributed log differ. What is
// fit to be one is decided by package treetest.
//
// Leaves are hashed as RFC 6962, Section 2.1 says; tiles are those of
// c2sp.org/tlog-tiles. Counts and indexes start at 0 and are never negative.
package tree

import (
	"context"
	"errors"

	"golang.org/x/mod/sumdb/tlog"
)

// A Head is a tree of the first Size leaves.
type Head struct {
	Size int64
	Root tlog.Hash // at size 0 the root of the empty tree, SHA-256 of nothing
}

var (
	// ErrNotFound is returned by reads of what is not below the head.
	ErrNotFound = errors.New("tree: not in the log")

	// ErrDuplicate is returned by Append if a leaf is in the log already, or
	// twice in the batch. Nothing was appended.
	ErrDuplicate = errors.New("tree: leaf is in the log already")

	// ErrFull is returned by Append if there is too little room on the
	// disk. Nothing was appended; making room helps.
	ErrFull = errors.New("tree: too little room on the disk")

	// ErrUnknown is returned by Append if the leaves may or may not have
	// been appended. Stop, close the log, open it again and read its Head.
	ErrUnknown = errors.New("tree: state unknown, open the log again")

	// ErrMoved is returned by Append of a Shared log if another writer was
	// first: the log no longer ends where this one's Head does. Nothing was
	// appended. Follow, judge the leaves again by what is new, and append.
	ErrMoved = errors.New("tree: the log has grown by another's hand")

	// ErrUnavailable is returned if the servers of a Shared log can't be
	// reached, or can't do it now. Nothing was appended; try again later.
	ErrUnavailable = errors.New("tree: the log can't be reached")

	// ErrDiverged is returned by a Shared log from the moment its servers told
	// a history that is not the one followed so far. Nothing more is
	// appended or followed; what was followed can still be read.
	ErrDiverged = errors.New("tree: the log contradicts what it told before")

	// ErrInUse is returned when a log is opened that another process, or
	// this one, has open.
	ErrInUse = errors.New("tree: log is in use")
)

// A Log is an append-only Merkle tree on stable storage. All methods may be used
// concurrently; reads see only what is on stable storage, also while Append
// runs.
type Log interface {
	// Append returns once all leaves are integrated and the tree that holds
	// them is on stable storage, with the index of each. An error wraps
	// ErrDuplicate, ErrFull or ErrUnknown, or ctx ended before anything
	// began, or a read met damage; only after ErrUnknown may something have
	// been appended. A leaf has at most 65,535 bytes; one of no bytes may be
	// refused. The leaves are retained and must not be changed.
	Append(ctx context.Context, leaves [][]byte) (indexes []int64, err error)

	// Head returns the newest head.
	Head(ctx context.Context) (Head, error)

	// Tile returns the first width (1 to 256) hashes, 32 bytes each, of hash
	// tile n of a level (0 to 63). The caller must not change them. The tile
	// of an earlier head is a prefix of that of a later one.
	Tile(ctx context.Context, level int, n int64, width int) ([]byte, error)

	// Leaves returns the leaves start <= index < end, which lie below the
	// head.
	Leaves(ctx context.Context, start, end int64) ([][]byte, error)

	// Index returns where the leaf with this hash is.
	Index(ctx context.Context, leafHash tlog.Hash) (int64, error)

	// Close releases the log. Calls that run end first; later ones are
	// errors, except Close.
	Close() error
}

// A Shared log has writers in other processes, too. It is followed: its Head
// grows only by Append and by Follow, so that one goroutine that calls both
// knows what is in the log.
//
// Append appends right after Head and nowhere else, all leaves in their order. Its
// error may also wrap ErrMoved, ErrUnavailable or ErrDiverged. What was begun is
// pursued until it is certain, however long the servers are away; if ctx ends
// meanwhile, the error wraps ErrUnknown.
type Shared interface {
	Log

	// Follow takes over at most most leaves that are new, and returns the
	// size that the servers tell, which is the Head's Size if there is nothing
	// more. An error wraps ErrUnavailable, ErrDiverged or ErrFull, or ctx
	// ended; what was taken over before it stays.
	Follow(ctx context.Context, most int64) (size int64, err error)
}
