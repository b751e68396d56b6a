package ledger

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// supportCache keeps what many receipts of one checkpoint share: the charter,
// enrolments and policies with their proofs.
type supportCache struct {
	mu   sync.Mutex
	made map[int64]verify.Support
}

// Receipt returns the full receipt of a record in the newest checkpoint: a
// c2sp.org/tlog-proof whose extra holds the record and what supports it. What
// does not fit into verify.MaxExtra is left out, and the verifier names it. The
// error wraps fs.ErrNotExist if the log does not hold the record.
func (l *Ledger) Receipt(ctx context.Context, id record.ID) ([]byte, error) {
	head := l.head.Load()
	index, leaf, err := l.find(ctx, id, head)
	if err != nil {
		return nil, err
	}
	u, err := l.parsed(ctx, index)
	if err != nil {
		return nil, err
	}
	extra := verify.Extra{Record: u.Bytes()}
	room := verify.MaxExtra - extra.Len()
	needed, err := l.supports(ctx, index, u)
	if err != nil {
		return nil, err
	}
	for _, i := range needed {
		s, err := l.support(ctx, i, head)
		if err != nil {
			return nil, err
		}
		if room -= s.Len(); room < 0 {
			break
		}
		extra.Support = append(extra.Support, s)
	}
	slices.SortFunc(extra.Support, func(a, b verify.Support) int { return cmp.Compare(a.Index, b.Index) })
	encoded, err := extra.Marshal()
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

// supports returns the indexes of the records that support the one at index, the
// most important first: the charter and its amendments, what the record rests on,
// and the enrolments of all who signed these, up to the founders.
func (l *Ledger) supports(ctx context.Context, index int64, u *record.Unverified) ([]int64, error) {
	if index == 0 {
		return nil, nil
	}
	info, err := rules.ReadCharter(l.cfg.State)
	if err != nil {
		return nil, err
	}
	found := []int64{0}
	add := func(i int64) {
		if i < index && !slices.Contains(found, i) {
			found = append(found, i)
		}
	}
	visit := func(at int64, u *record.Unverified) error {
		for _, id := range record.Cited(u.Payload()) {
			hash, err := id.Hash()
			if err != nil {
				return err
			}
			if i, err := l.cfg.Log.Index(ctx, hash); err == nil {
				add(i)
			}
		}
		for _, h := range u.Headers() {
			k, err := rules.ReadKey(l.cfg.State, h.KID)
			if err != nil {
				return err
			}
			if k == nil {
				continue
			}
			if n, _ := slices.BinarySearch(k.Indexes, at); n > 0 {
				add(k.Indexes[n-1])
			}
		}
		return nil
	}
	for _, i := range info.Amendments {
		add(i)
	}
	if err := visit(index, u); err != nil {
		return nil, err
	}
	for n := 1; n < len(found); n++ { // found grows while it is walked
		s, err := l.parsed(ctx, found[n])
		if err != nil {
			return nil, err
		}
		if err := visit(found[n], s); err != nil {
			return nil, err
		}
	}
	return found, nil
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
