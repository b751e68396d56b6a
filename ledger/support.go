package ledger

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
)

// supportCache keeps what many receipts of one checkpoint share: the charter,
// enrolments and policies with their proofs.
type supportCache struct {
	mu   sync.Mutex
	made map[int64]verify.Support
}

// Receipt returns the full receipt of a record, in the newest witnessed checkpoint
// if that covers it, else in the newest one: a c2sp.org/tlog-proof whose extra holds the record and what supports it. What
// does not fit into verify.MaxExtra is left out, and the verifier names it. The
// error wraps fs.ErrNotExist if the log does not hold the record.
func (l *Ledger) Receipt(ctx context.Context, id record.ID) ([]byte, error) {
	index, leaf, err := l.find(ctx, id, l.head.Load())
	if err != nil {
		return nil, err
	}
	head := l.covering(index)
	u, err := l.parsed(ctx, index)
	if err != nil {
		return nil, err
	}
	g := &gathering{l: l, ctx: ctx, head: head, index: index, record: u,
		extra: verify.Extra{Record: u.Bytes()}, have: map[int64]bool{index: true}, read: map[int64]*record.Unverified{index: u}}
	g.room = verify.MaxExtra - g.extra.Len()
	if err := g.all(); err != nil {
		return nil, fmt.Errorf("what supports record %d: %w", index, err)
	}
	slices.SortFunc(g.extra.Support, func(a, b verify.Support) int { return cmp.Compare(a.Index, b.Index) })
	slices.SortFunc(g.extra.Seen, func(a, b verify.Link) int { return cmp.Or(cmp.Compare(a.Size, b.Size), cmp.Compare(a.Index, b.Index)) })
	encoded, err := g.extra.Marshal()
	if err != nil {
		return nil, err
	}
	return l.receipt(ctx, index, leaf, head, encoded)
}

// parsed returns the record at index, without checking it again.
func (l *Ledger) parsed(ctx context.Context, index int64) (*record.Unverified, error) {
	leaves, err := l.cfg.Log.Leaves(ctx, index, index+1)
	if err != nil {
		return nil, fmt.Errorf("read record %d: %w", index, err)
	}
	u, err := record.Parse(leaves[0])
	if err != nil {
		return nil, fmt.Errorf("record %d: %w", index, err)
	}
	return u, nil
}

// support returns a record with its proof in head.
func (l *Ledger) support(ctx context.Context, index int64, head *published) (verify.Support, error) {
	c := head.support
	c.mu.Lock()
	s, ok := c.made[index]
	c.mu.Unlock()
	if ok {
		return s, nil
	}
	leaves, err := l.cfg.Log.Leaves(ctx, index, index+1)
	if err != nil {
		return s, err
	}
	proof, err := l.prove(ctx, index, head)
	if err != nil {
		return s, err
	}
	s = verify.Support{Index: index, Record: leaves[0], Proof: proof}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.made[index] = s
	return s, nil
}
