package ledger

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/ledger/tree"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
)

// Succeed hands a log that nobody has open over to the keys of cfg, which the
// charter in force must name: it signs the newest head with old, the signers until
// now, and with the new ones, and writes that into the guard. It returns this
// handover checkpoint; Open with the same cfg serves it until the next record.
// cfg.Former names the old verifier keys.
//
// Without old the old key is lost: nothing but the charter then says that the new
// one speaks for the log. amendment, which may be nil, is logged before anything is
// signed: a charter.amend that names the new key, for a log that can't be served
// any more. It has to be in force at once.
//
// If Succeed is interrupted, or fails, calling it again is safe, as is going on
// with the old keys, unless an amendment was logged that drops them.
func Succeed(ctx context.Context, cfg Config, old []note.Signer, amendment []byte) ([]byte, error) {
	cfg, err := cfg.checked()
	if err != nil {
		return nil, err
	}
	l, err := newLedger(cfg)
	if err != nil {
		return nil, err
	}
	head, err := cfg.Log.Head(ctx)
	if err != nil {
		return nil, err
	}
	if head.Size == 0 {
		return nil, ErrEmpty
	}
	if err := l.readGuard(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrHalted, err)
	}
	signed, err := l.handOver(ctx, head, old, amendment)
	return signed, errors.Join(err, l.guard.close())
}

func (l *Ledger) handOver(ctx context.Context, head tree.Head, old []note.Signer, amendment []byte) ([]byte, error) {
	var err error
	if l.writer.nodes, err = loadNodes(ctx, l.cfg.Log, head.Size); err != nil {
		return nil, fmt.Errorf("read the tree: %w", err)
	}
	if err := l.writer.fits(head); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrHalted, err)
	}
	if err := l.replay(ctx, head); err != nil {
		return nil, err
	}
	if amendment != nil {
		if head, err = l.writer.amendAlone(ctx, head, amendment); err != nil {
			return nil, fmt.Errorf("the amendment: %w", err)
		}
	}
	if err := l.mayTakeOver(l.cfg.State); err != nil {
		return nil, err
	}
	signed, err := l.sign(head, append(old[:len(old):len(old)], l.signers()...)...)
	if err != nil {
		return nil, err
	}
	return signed, l.guard.write(signed, verify.Checkpoint{Origin: l.origin, Size: head.Size, Root: head.Root})
}

// amendAlone logs an amendment while nothing runs, unless the log has it.
func (w *writer) amendAlone(ctx context.Context, head tree.Head, b []byte) (tree.Head, error) {
	leaf := tlog.RecordHash(b)
	if _, err := w.l.cfg.Log.Index(ctx, leaf); !errors.Is(err, tree.ErrNotFound) {
		return head, err
	}
	r, err := record.Open(b, &w.l.keys)
	if err != nil {
		return head, &RefusedError{Codes: []record.Code{record.CodeOf(err)}, Detail: err}
	}
	if _, ok := r.Payload().(*record.CharterAmend); !ok {
		return head, fmt.Errorf("a %s, want a charter.amend", r.Payload().Head().Type)
	}
	if err := w.l.admissible(r); err != nil {
		return head, err
	}
	w.overlay = w.l.cfg.State.Overlay()
	s, err := w.fold.Apply(w.nodes.size, r)
	if err != nil {
		return head, err
	}
	if !s.Effective() {
		return head, &RefusedError{Codes: s.Codes}
	}
	if err := w.l.mayTakeOver(w); err != nil {
		return head, fmt.Errorf("it would not be in force at once: %w", err)
	}
	if err := w.overlay.Judged(s, r.PayloadBytes(), r.Payload()); err != nil {
		return head, err
	}
	w.nodes.add(leaf)
	if _, err := w.l.cfg.Log.Append(ctx, [][]byte{b}); err != nil {
		return head, err
	}
	if head, err = w.l.cfg.Log.Head(ctx); err != nil {
		return head, err
	}
	if err := w.fits(head); err != nil {
		return head, err
	}
	w.l.keys.forget()
	return head, w.l.cfg.State.Merge(w.overlay, head.Size, head.Root)
}
