// Package fleet is a tree.Log kept by a fleet of Trillian log servers over their
// gRPC API: a PREORDERED_LOG tree in their database, which any number of
// processes may append to.
//
// Nothing that a server says is believed. The log is followed into a local one of
// this process: each leaf is hashed here, and what is taken over hashes to the
// servers' root or is a prefix of what does. Reads are those of the local log.
//
// The writers take turns. A batch begins with its first leaf alone, written at
// the index where the log ends; the database holds one leaf an index, so one
// writer wins, and the others append after its batch. See docs/notes/fleet.md.
package fleet

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/transparency-dev/merkle/compact"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/ledger/tree"
)

// Config is read by Open.
type Config struct {
	// Servers are how the log servers are reached.
	Servers Servers
	// Tree is the id of the tree, as Init returned it.
	Tree int64
	// Local is where the log is followed into, a log that keeps order (see
	// treetest.RunOrdered) and is written by nobody else. It may be lost: into
	// an empty one everything is followed anew. Close closes it.
	Local tree.Log
	// Timeout bounds a call of a server, 0 meaning 3 s; leaves may take four
	// times as long. Then another server is asked.
	Timeout time.Duration
	// Turn is how long a writer may take to write a batch before the others
	// no longer wait for it, 0 meaning 10 s. It must be the same in all
	// processes.
	Turn time.Duration
	// Logger gets what went wrong and is tried again; nil means nothing is
	// said.
	Logger *slog.Logger
	// Incident, if set, is called once when the servers contradict what was
	// followed.
	Incident func(*Incident)
}

// Servers are the log servers of a fleet, any of which will do.
type Servers struct {
	// Addresses are HOST:PORT, one at least.
	Addresses []string
	// TLS says how the servers are known; nil means not at all and no
	// encryption, which is allowed only if all addresses are loopback ones.
	TLS *tls.Config
}

// A Log is a tree.Shared. All methods may be used concurrently; appends and
// follows run one at a time.
type Log struct {
	cfg    Config
	client *client
	local  tree.Log
	ended  context.Context // ends with Close
	end    context.CancelFunc

	mu    sync.Mutex     // held by Append and Follow
	head  tree.Head      // of the local tree
	edge  *compact.Range // of the local tree
	turn  turn           // whose turn it is at the head
	stuck error          // set once nothing more can be appended or followed
}

var _ tree.Shared = (*Log)(nil)

// Open returns the log whose head is that of cfg.Local. The servers need not be
// there; the first Follow or Append asks them. If there is an error, cfg.Local is
// still open.
func Open(ctx context.Context, cfg Config) (*Log, error) {
	if cfg.Timeout == 0 {
		cfg.Timeout = 3 * time.Second
	}
	if cfg.Turn == 0 {
		cfg.Turn = 10 * time.Second
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	client, err := dial(cfg.Servers)
	if err != nil {
		return nil, err
	}
	l := &Log{cfg: cfg, client: client, local: cfg.Local}
	if l.head, err = l.local.Head(ctx); err == nil {
		l.edge, err = edge(ctx, l.local, l.head)
	}
	if err != nil {
		return nil, errors.Join(err, client.Close())
	}
	l.turn.known = l.head.Size == 0
	l.ended, l.end = context.WithCancel(context.Background())
	return l, nil
}

// edge returns the compact range of a tree's records.
func edge(ctx context.Context, log tree.Log, head tree.Head) (*compact.Range, error) {
	var indexes []int64
	for _, id := range compact.RangeNodes(0, uint64(head.Size), nil) {
		indexes = append(indexes, tlog.StoredHashIndex(int(id.Level), int64(id.Index)))
	}
	hashes, err := tree.Hashes(ctx, log).ReadHashes(indexes)
	if err != nil {
		return nil, err
	}
	nodes := make([][]byte, len(hashes))
	for i := range hashes {
		nodes[i] = hashes[i][:]
	}
	r, err := ranges.NewRange(0, uint64(head.Size), nodes)
	if err != nil {
		return nil, err
	}
	switch got, err := headOf(r); {
	case err != nil:
		return nil, err
	case got != head:
		return nil, fmt.Errorf("the local tree of %d records has root %v, but its tiles have %v", head.Size, head.Root, got.Root)
	}
	return r, nil
}

// Head implements tree.Log: it is that of the local tree.
func (l *Log) Head(ctx context.Context) (tree.Head, error) { return l.local.Head(ctx) }

// Tile implements tree.Log.
func (l *Log) Tile(ctx context.Context, level int, n int64, width int) ([]byte, error) {
	return l.local.Tile(ctx, level, n, width)
}

// Leaves implements tree.Log.
func (l *Log) Leaves(ctx context.Context, start, end int64) ([][]byte, error) {
	return l.local.Leaves(ctx, start, end)
}

// Index implements tree.Log.
func (l *Log) Index(ctx context.Context, leafHash tlog.Hash) (int64, error) {
	return l.local.Index(ctx, leafHash)
}

// Close implements tree.Log. An Append that waits for the servers ends with
// ErrUnknown. It may be called again.
func (l *Log) Close() error {
	l.end()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stuck == errClosed {
		return nil
	}
	l.stuck = errClosed
	return errors.Join(l.local.Close(), l.client.Close())
}

// errClosed is returned by calls after Close.
var errClosed = errors.New("the log is closed")
