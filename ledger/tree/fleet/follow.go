package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"github.com/google/trillian"
	"github.com/google/trillian/types"
	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/ledger/tree"
)

// ranges makes compact ranges.
var ranges = &compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}

// headOf returns the tree of a compact range from 0 on.
func headOf(r *compact.Range) (tree.Head, error) {
	if r.End() == 0 {
		return tree.Head{Root: tlog.Hash(rfc6962.DefaultHasher.EmptyRoot())}, nil
	}
	b, err := r.GetRootHash(nil)
	if err != nil {
		return tree.Head{}, err
	}
	return tree.Head{Size: int64(r.End()), Root: tlog.Hash(b)}, nil
}

// An Incident is what servers told that contradicts what was followed, with
// what shows it. Written as JSON it is the evidence.
type Incident struct {
	// What says in a sentence what does not fit.
	What string `json:"what"`
	Tree int64  `json:"tree"`
	// Local is the tree that was followed until then; each of its records is
	// kept in this process.
	Local tree.Head `json:"local"`
	// Told is the root that a server told, a LogRootV1 of Trillian's, in which
	// Claimed is.
	Told    []byte    `json:"told"`
	Claimed tree.Head `json:"claimed"`
	// From is the index of the first of Leaves, which a server told after
	// Local, if it came to that, and Computed the tree that they make.
	From     int64      `json:"from"`
	Leaves   [][]byte   `json:"leaves,omitempty"`
	Computed *tree.Head `json:"computed,omitempty"`
	// Proof is what a server gave to show that Claimed continues Computed.
	Proof [][]byte `json:"proof,omitempty"`
}

// Error implements error.
func (i *Incident) Error() string {
	return fmt.Sprintf("tree %d at size %d, followed to size %d: %s", i.Tree, i.Claimed.Size, i.Local.Size, i.What)
}

// Unwrap implements the interface of errors.Is.
func (i *Incident) Unwrap() error { return tree.ErrDiverged }

// JSON returns the incident as it is kept for others to see.
func (i *Incident) JSON() ([]byte, error) { return json.MarshalIndent(i, "", "  ") }

// diverged keeps the log from going on, and reports the incident.
func (l *Log) diverged(i *Incident) error {
	i.Tree, i.Local = l.cfg.Tree, l.head
	l.stuck = i
	l.cfg.Logger.Error("the log servers contradict what was followed", "error", i)
	if l.cfg.Incident != nil {
		l.cfg.Incident(i)
	}
	return i
}

// told is a root as a server told it.
type told struct {
	tree.Head
	raw []byte
}

// newest asks for the newest root.
func (l *Log) newest(ctx context.Context) (told, error) {
	return read(ctx, l, "ask for the newest root", l.cfg.Timeout, func(ctx context.Context, rpc trillian.TrillianLogClient) (told, error) {
		r, err := rpc.GetLatestSignedLogRoot(ctx, &trillian.GetLatestSignedLogRootRequest{LogId: l.cfg.Tree})
		if err != nil {
			return told{}, err
		}
		return parse(r.GetSignedLogRoot().GetLogRoot())
	})
}

// parse reads a root.
func parse(raw []byte) (told, error) {
	var root types.LogRootV1
	if err := root.UnmarshalBinary(raw); err != nil {
		return told{}, err
	}
	if root.TreeSize > math.MaxInt64 || len(root.RootHash) != tlog.HashSize {
		return told{}, errors.New("the root is not one of a log with SHA-256")
	}
	return told{tree.Head{Size: int64(root.TreeSize), Root: tlog.Hash(root.RootHash)}, raw}, nil
}

// Follow implements tree.Shared. It asks for at most 1000 leaves at once, and
// takes each such part over before it asks for the next.
func (l *Log) Follow(ctx context.Context, most int64) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stuck != nil {
		return 0, l.stuck
	}
	ctx, stop := l.until(ctx)
	defer stop()
	root, err := l.newest(ctx)
	if err != nil {
		return 0, err
	}
	return root.Size, l.follow(ctx, root, l.head.Size+min(most, root.Size))
}

// until returns a context that ends with ctx or the log.
func (l *Log) until(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(l.ended, cancel)
	return ctx, func() { stop(); cancel() }
}

// follow takes over the leaves up to the smaller of end and a root that is the
// newest.
func (l *Log) follow(ctx context.Context, root told, end int64) error {
	if err := l.continues(root); err != nil {
		return err
	}
	for end = min(end, root.Size); l.head.Size < end; {
		leaves, err := l.fetch(ctx, l.head.Size, min(end-l.head.Size, maxLeaves))
		if err != nil {
			return err
		}
		if err := l.take(ctx, root, leaves); err != nil {
			return err
		}
	}
	return nil
}

// continues checks that a root that is the newest is not behind the head, nor
// another one of its size.
func (l *Log) continues(root told) error {
	switch {
	case root.Size < l.head.Size:
		return l.diverged(&Incident{What: "the log became shorter", Told: root.raw, Claimed: root.Head})
	case root.Size == l.head.Size && root.Root != l.head.Root:
		return l.diverged(&Incident{What: "the root is another one", Told: root.raw, Claimed: root.Head})
	}
	return nil
}

// fetch asks for up to n leaves that lie below the newest root, and gets one at
// least.
func (l *Log) fetch(ctx context.Context, start, n int64) ([]*trillian.LogLeaf, error) {
	return read(ctx, l, "ask for leaves", 4*l.cfg.Timeout, func(ctx context.Context, rpc trillian.TrillianLogClient) ([]*trillian.LogLeaf, error) {
		r, err := rpc.GetLeavesByRange(ctx, &trillian.GetLeavesByRangeRequest{LogId: l.cfg.Tree, StartIndex: start, Count: n})
		if err != nil {
			return nil, err
		}
		leaves := r.GetLeaves()
		if len(leaves) == 0 {
			return nil, fmt.Errorf("no leaf at %d", start)
		}
		leaves = leaves[:min(int64(len(leaves)), n)]
		for i, leaf := range leaves {
			if leaf.LeafIndex != start+int64(i) {
				return nil, fmt.Errorf("a leaf of index %d at %d", leaf.LeafIndex, start+int64(i))
			}
		}
		return leaves, nil
	})
}

// take takes over leaves that follow the head, if they lead to the root.
func (l *Log) take(ctx context.Context, root told, leaves []*trillian.LogLeaf) error {
	next, i, err := l.weigh(ctx, root, leaves)
	if err != nil {
		return err
	}
	if i != nil {
		return l.diverged(i)
	}
	return l.keep(ctx, root, leaves, next)
}

// weigh hashes leaves that follow the head, and returns the compact range with
// them, or an incident if they do not lead to the root.
func (l *Log) weigh(ctx context.Context, root told, leaves []*trillian.LogLeaf) (*compact.Range, *Incident, error) {
	next, err := ranges.NewRange(0, l.edge.End(), l.edge.Hashes())
	if err != nil {
		return nil, nil, err
	}
	for _, leaf := range leaves {
		if err := next.Append(rfc6962.DefaultHasher.HashLeaf(leaf.LeafValue), nil); err != nil {
			return nil, nil, err
		}
	}
	head, err := headOf(next)
	if err != nil {
		return nil, nil, err
	}
	hashes, err := l.proof(ctx, head, root)
	if err != nil {
		return nil, nil, err
	}
	if proof.VerifyConsistency(rfc6962.DefaultHasher, uint64(head.Size), uint64(root.Size), hashes, head.Root[:], root.Root[:]) == nil {
		return next, nil, nil
	}
	return nil, &Incident{What: "the leaves do not make the root", Told: root.raw, Claimed: root.Head,
		From: l.head.Size, Leaves: values(leaves), Computed: &head, Proof: hashes}, nil
}

// keep appends leaves, with which the compact range is next, to the local log.
func (l *Log) keep(ctx context.Context, root told, leaves []*trillian.LogLeaf, next *compact.Range) error {
	head, err := headOf(next)
	if err != nil {
		return err
	}
	if _, err := l.local.Append(ctx, values(leaves)); errors.Is(err, tree.ErrDuplicate) {
		return l.diverged(&Incident{What: "a leaf is in the log twice", Told: root.raw, Claimed: root.Head,
			From: l.head.Size, Leaves: values(leaves), Computed: &head})
	} else if err != nil {
		return err
	}
	l.head, l.edge = head, next
	l.turn.saw(leaves[len(leaves)-1], head.Size)
	return nil
}

// values returns what leaves hold.
func values(leaves []*trillian.LogLeaf) [][]byte {
	out := make([][]byte, len(leaves))
	for i, leaf := range leaves {
		out[i] = leaf.LeafValue
	}
	return out
}

// proof asks for the proof that a root continues a head; none is needed if they
// are of one size.
func (l *Log) proof(ctx context.Context, head tree.Head, root told) ([][]byte, error) {
	if head.Size == root.Size {
		return nil, nil
	}
	return read(ctx, l, "ask for a consistency proof", l.cfg.Timeout, func(ctx context.Context, rpc trillian.TrillianLogClient) ([][]byte, error) {
		r, err := rpc.GetConsistencyProof(ctx, &trillian.GetConsistencyProofRequest{
			LogId: l.cfg.Tree, FirstTreeSize: head.Size, SecondTreeSize: root.Size,
		})
		if err != nil {
			return nil, err
		}
		if r.GetProof() == nil {
			return nil, fmt.Errorf("no proof from %d to %d", head.Size, root.Size)
		}
		return r.GetProof().GetHashes(), nil
	})
}
