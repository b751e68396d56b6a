package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
)

// Init begins a ledger: it logs the charter as index 0, signs the checkpoint of
// size 1 and writes the guard. It refuses a charter that does not name the log
// key, and a log that holds anything, with an error that wraps fs.ErrExist. If
// it is interrupted, calling it again with the same charter finishes it.
func Init(ctx context.Context, cfg Config, charter []byte) (Outcome, error) {
	cfg, err := cfg.checked()
	if err != nil {
		return Outcome{}, err
	}
	r, err := openCharter(cfg, charter)
	if err != nil {
		return Outcome{}, err
	}
	l, err := newLedger(cfg)
	if err != nil {
		return Outcome{}, err
	}
	if err := l.catchUp(ctx); err != nil {
		return Outcome{}, err
	}
	head, err := cfg.Log.Head(ctx)
	if err != nil {
		return Outcome{}, err
	}
	_, err = os.Stat(cfg.Guard)
	guarded := !errors.Is(err, fs.ErrNotExist)
	switch {
	case head.Size == 0 && guarded:
		return Outcome{}, fmt.Errorf("%w: the log is empty, but the guard file %s is there: its log was lost. Restore it from a mirror", fs.ErrExist, cfg.Guard)
	case head.Size > 1 || head.Size == 1 && guarded:
		return Outcome{}, fmt.Errorf("%w: this ledger has begun already", fs.ErrExist)
	case head.Size == 1:
		leaves, err := cfg.Log.Leaves(ctx, 0, 1)
		if err != nil {
			return Outcome{}, err
		}
		if !bytes.Equal(leaves[0], charter) {
			return Outcome{}, fmt.Errorf("%w: this ledger has begun already, with another charter", fs.ErrExist)
		}
	}
	if err := l.writer.begin(r, head.Size == 0); err != nil {
		return Outcome{}, err
	}
	if head, err = cfg.Log.Head(ctx); err != nil {
		return Outcome{}, err
	}
	if err := l.checkKeys(r.Payload().(*record.Charter).Terms); err != nil {
		return Outcome{}, err
	}
	note, err := l.sign(head, l.signers()...)
	if err != nil {
		return Outcome{}, err
	}
	says := verify.Checkpoint{Origin: l.origin, Size: head.Size, Root: head.Root}
	if err := createGuard(cfg.Guard, note, says); err != nil {
		return Outcome{}, err
	}
	return l.begun(ctx, r)
}

// openCharter checks what does not need the log.
func openCharter(cfg Config, charter []byte) (record.Checked, error) {
	r, err := record.Open(charter, record.Keyring{})
	if err != nil {
		return r, &RefusedError{Codes: []record.Code{record.CodeOf(err)}, Detail: err}
	}
	p, ok := r.Payload().(*record.Charter)
	if !ok {
		return r, fmt.Errorf("a ledger begins with a charter, not with a %s", r.Payload().Head().Type)
	}
	if p.Ledger != cfg.Signer.Name() {
		return r, fmt.Errorf("the charter founds %q, but the log key is named %q", p.Ledger, cfg.Signer.Name())
	}
	if !slices.Contains(p.LogKeys, cfg.VKey) {
		return r, fmt.Errorf("the charter does not name this ledger's log key among its log_keys: %s", cfg.VKey)
	}
	for _, k := range p.LogKeys {
		if _, err := verify.ParseVKey(k); err != nil {
			return r, fmt.Errorf("log_keys of the charter: %w", err)
		}
	}
	return r, nil
}

// begin judges the charter and appends it, if it is not there from a call that
// was interrupted.
func (w *writer) begin(r record.Checked, fresh bool) error {
	if err := w.l.cfg.State.Reset(); err != nil {
		return err
	}
	w.overlay = w.l.cfg.State.Overlay()
	s, err := w.fold.Apply(0, r)
	if err != nil {
		return err
	}
	if !s.Effective() {
		return &RefusedError{Codes: s.Codes}
	}
	if !fresh {
		return nil
	}
	_, err = w.l.cfg.Log.Append(context.Background(), [][]byte{r.Bytes()})
	return err
}

// begun opens the new ledger as every start does, and answers for the charter.
func (l *Ledger) begun(ctx context.Context, r record.Checked) (Outcome, error) {
	opened, err := Open(ctx, l.cfg)
	if err != nil {
		return Outcome{}, err
	}
	out, err := opened.knownAt(ctx, 0, tlog.RecordHash(r.Bytes()), opened.head.Load())
	if err := errors.Join(err, opened.Close()); err != nil {
		return Outcome{}, err
	}
	out.Known = false
	return *out, nil
}
