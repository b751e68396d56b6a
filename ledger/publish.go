package ledger

import (
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/ledger/tree"
	"github.com/docket-ledger/docket/verify"
)

// publish signs the checkpoint of a committed tree and makes it durable in the
// guard. It signs nothing that does not extend what it signed last.
func (w *writer) publish(head tree.Head) (*published, error) {
	if err := w.fits(head); err != nil {
		return nil, err
	}
	p := &published{
		Checkpoint: verify.Checkpoint{Origin: w.l.origin, Size: head.Size, Root: head.Root},
		nodes:      w.nodes.snapshot(),
		support:    &supportCache{made: map[int64]verify.Support{}},
	}
	if w.l.guard.last.Size == head.Size && w.l.signedNow(w.l.guard.note) {
		p.note = w.l.guard.note
		return p, nil
	}
	var err error
	if p.note, err = w.l.sign(head, w.l.signers()...); err != nil {
		return nil, err
	}
	return p, w.l.guard.write(p.note, p.Checkpoint)
}

// fits checks that head is the tree of w.nodes and extends what was signed last.
func (w *writer) fits(head tree.Head) error {
	if err := checkRoot(&w.nodes, head); err != nil {
		return err
	}
	return w.extends(w.l.guard.last, head)
}

// sign signs a checkpoint and checks the signatures, once for all receipts that
// rest on it.
func (l *Ledger) sign(head tree.Head, signers ...note.Signer) ([]byte, error) {
	c := verify.Checkpoint{Origin: l.origin, Size: head.Size, Root: head.Root}
	signed, err := c.Sign(signers...)
	if err != nil {
		return nil, fmt.Errorf("sign the checkpoint of size %d: %w", head.Size, err)
	}
	if _, err := l.own.Open(signed); err != nil {
		return nil, fmt.Errorf("the checkpoint of size %d that was just signed does not verify: %w", head.Size, err)
	}
	return signed, nil
}

// readGuard opens the guard, whose checkpoint must be signed by this ledger, with
// a key of now or a former one.
func (l *Ledger) readGuard() error {
	g, err := openGuard(l.cfg.Guard)
	if err != nil {
		return err
	}
	signed, err := l.own.Open(g.note)
	if err != nil {
		return errors.Join(fmt.Errorf("%w %s holds a checkpoint that this ledger's key did not sign: %w", ErrGuard, l.cfg.Guard, err), g.close())
	}
	g.last = signed.Checkpoint
	l.guard = g
	return nil
}

// extends checks that the tree of w.nodes, which is head, extends last.
func (w *writer) extends(last verify.Checkpoint, head tree.Head) error {
	if last.Size > head.Size {
		return fmt.Errorf("this ledger has signed a tree of size %d, but the log has only %d records: "+
			"records were lost, or an older copy was put in its place. Nothing is signed, since that would be a second history. "+
			"Put back the newer log, or restore it from a mirror; the guard file stays as it is", last.Size, head.Size)
	}
	root, err := tlog.TreeHash(last.Size, keptOrTiles{&w.nodes, w.l.tiles()})
	if err != nil {
		return err
	}
	if root != last.Root {
		return fmt.Errorf("this ledger has signed the root %v for size %d, but the log has the root %v there: "+
			"records were changed. Nothing is signed, since that would be a second history. "+
			"Restore the log from a mirror; the guard file stays as it is", last.Root, last.Size, root)
	}
	return nil
}
