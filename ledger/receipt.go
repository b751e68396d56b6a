package ledger

import (
	"bytes"
	"context"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/verify"
)

// receipted adds the bare receipt to the answer of the writer.
func (l *Ledger) receipted(ctx context.Context, w *waiter, a answer) (Outcome, error) {
	if a.outcome.Receipt != nil {
		return a.outcome, nil
	}
	receipt, err := l.bare(ctx, a.outcome.Index, w.leaf, a.head)
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

// bare makes the bare receipt of a record and checks it the way its holder
// will: nothing leaves that package verify would not accept.
func (l *Ledger) bare(ctx context.Context, index int64, leaf tlog.Hash, head *published) ([]byte, error) {
	proof, err := l.prove(ctx, index, head)
	if err != nil {
		return nil, err
	}
	text := verify.Receipt{Index: index, Proof: proof, Checkpoint: head.note}.Marshal()
	if err := checkReceipt(text, leaf, head); err != nil {
		return nil, err
	}
	return text, nil
}

// checkReceipt reads a receipt back. The signature of its checkpoint was
// checked when it was made, once for all receipts.
func checkReceipt(text []byte, leaf tlog.Hash, head *published) error {
	r, err := verify.ParseReceipt(text)
	if err != nil {
		return fmt.Errorf("the receipt that was just made does not parse: %w", err)
	}
	if !bytes.Equal(r.Checkpoint, head.note) {
		return fmt.Errorf("the receipt for record %d holds another checkpoint", r.Index)
	}
	if err := r.Included(head.Checkpoint, leaf); err != nil {
		return fmt.Errorf("the receipt for record %d that was just made does not hold: %w", r.Index, err)
	}
	return nil
}
