package ledger

import (
	"context"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/verify"
)

// receipted adds the bare receipt to the answer of the writer.
func (l *Ledger) receipted(ctx context.Context, a answer) (Outcome, error) {
	if a.head == nil {
		return a.outcome, nil
	}
	receipt, err := l.bare(ctx, a.outcome.Index, a.leaf, a.head)
	if err != nil {
		return Outcome{}, err
	}
	a.outcome.Receipt = receipt
	return a.outcome, nil
}

// prove returns the inclusion proof of the record at index in head.
func (l *Ledger) prove(ctx context.Context, index int64, head *published) ([]tlog.Hash, error) {
	proof, err := tlog.ProveRecord(head.Size, index, keptOrTiles{&head.nodes, tileReader{ctx, l.cfg.Log}})
	if err != nil {
		return nil, fmt.Errorf("prove record %d in the tree of size %d: %w", index, head.Size, err)
	}
	return proof, nil
}

// bare makes the bare receipt of a record.
func (l *Ledger) bare(ctx context.Context, index int64, leaf tlog.Hash, head *published) ([]byte, error) {
	return l.receipt(ctx, index, leaf, head, nil)
}

// receipt makes a receipt and checks it with package verify, as its holder will:
// nothing leaves that does not hold. The signature of its checkpoint was checked
// when it was made, once for all receipts.
func (l *Ledger) receipt(ctx context.Context, index int64, leaf tlog.Hash, head *published, extra []byte) ([]byte, error) {
	proof, err := l.prove(ctx, index, head)
	if err != nil {
		return nil, err
	}
	r := verify.Receipt{Extra: extra, Index: index, Proof: proof, Checkpoint: head.note}
	if err := r.Included(head.Checkpoint, leaf); err != nil {
		return nil, fmt.Errorf("the receipt for record %d that was just made does not hold: %w", index, err)
	}
	return r.Marshal(), nil
}
