package ledger

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/ledger/tree"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

func (l *Ledger) tiles() tileReader { return tileReader{context.Background(), l.cfg.Log} }

// load is what every start does, after a crash or not: find the head, check it
// against the guard, replay what the state has not seen, sign the head if it is not
// signed yet and the charter names the key. It reads the right edge of the tree and the state's cursor, not the
// log.
func (l *Ledger) load(ctx context.Context) error {
	head, err := l.cfg.Log.Head(ctx)
	if err != nil {
		return err
	}
	if head.Size == 0 {
		return ErrEmpty
	}
	if err := l.readGuard(); err != nil {
		return fmt.Errorf("%w: %w", ErrHalted, err)
	}
	if err := l.loadHead(ctx, head); err != nil {
		return errors.Join(err, l.guard.close())
	}
	return nil
}

func (l *Ledger) loadHead(ctx context.Context, head tree.Head) error {
	n, err := loadNodes(ctx, l.cfg.Log, head.Size)
	if err != nil {
		return fmt.Errorf("read the tree: %w", err)
	}
	l.writer.nodes = n
	if err := l.mayGoOn(ctx, head); err != nil {
		return err
	}
	if err := l.replay(ctx, head); err != nil { // who may sign is in the log
		return err
	}
	info, err := l.keys.charter()
	if err != nil {
		return err
	}
	if info.Charter.Ledger != l.origin {
		return fmt.Errorf("the log key is named %q, but the charter founds %q", l.origin, info.Charter.Ledger)
	}
	if err := l.checkKeys(info.Charter.Terms); err != nil {
		return err
	}
	p, err := l.writer.publish(head)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrHalted, err)
	}
	l.head.Store(p)
	l.heads.began = p
	if why := l.unmarkable(l.cfg.State); why != "" {
		l.unmarked(why)
	}
	l.cfg.Metrics.integrated(head, 0, 0)
	return nil
}

// mayGoOn checks, before anything is signed, that the log fits what was signed
// before, and asks Config.BeforeSigning.
func (l *Ledger) mayGoOn(ctx context.Context, head tree.Head) error {
	if err := l.writer.fits(head); err != nil {
		return fmt.Errorf("%w: %w", ErrHalted, err)
	}
	if err := l.loadWitnessed(head); err != nil {
		return err
	}
	if l.cfg.BeforeSigning == nil {
		return nil
	}
	l.head.Store(&published{Checkpoint: verify.Checkpoint{Origin: l.origin, Size: head.Size, Root: head.Root}, nodes: l.writer.nodes.snapshot()})
	err := l.cfg.BeforeSigning(ctx, l)
	l.head.Store(nil) // the rules read the tree without it
	return err
}

// replayChunk is how many records are replayed with one merge.
const replayChunk = 256

// replay brings the state to head. A state that saw another log is emptied
// first.
func (l *Ledger) replay(ctx context.Context, head tree.Head) error {
	size, root := l.cfg.State.Cursor()
	same := size <= head.Size
	if same && size > 0 {
		have, err := tlog.TreeHash(size, tileReader{ctx, l.cfg.Log})
		if err != nil {
			return err
		}
		same = have == root
	}
	if !same {
		if err := l.cfg.State.Reset(); err != nil {
			return err
		}
		size = 0
	}
	grown, err := loadNodes(ctx, l.cfg.Log, size)
	if err != nil {
		return err
	}
	tip := l.writer.nodes
	l.writer.nodes = grown
	for size < head.Size {
		end := min(size+replayChunk, head.Size)
		if err := l.replayRange(ctx, size, end); err != nil {
			return fmt.Errorf("replay records %d to %d: %w", size, end-1, err)
		}
		size = end
	}
	l.writer.nodes = tip
	return nil
}

func (l *Ledger) replayRange(ctx context.Context, start, end int64) error {
	leaves, err := l.cfg.Log.Leaves(ctx, start, end)
	if err != nil {
		return err
	}
	records, errs := l.reopen(leaves)
	w := &l.writer
	w.overlay = l.cfg.State.Overlay()
	for i, leaf := range leaves {
		index := start + int64(i)
		var s rules.Standing
		var payload []byte
		var says record.Payload
		if errs[i] != nil {
			s = rules.Void(index, leaf, errs[i])
		} else {
			if s, err = w.fold.Apply(index, records[i]); err != nil {
				return err
			}
			payload, says = records[i].PayloadBytes(), records[i].Payload()
		}
		if !s.Effective() {
			w.voided[tlog.RecordHash(leaf)] = true
		}
		if err := w.overlay.Judged(s, payload, says); err != nil {
			return err
		}
		w.nodes.add(tlog.RecordHash(leaf))
	}
	root, err := w.nodes.root()
	if err != nil {
		return err
	}
	return l.cfg.State.Merge(w.overlay, end, root)
}

// reopen opens records of the log in parallel. Keys that the records themselves
// enrol are known to all of them; whether a key counted yet is for the rules.
func (l *Ledger) reopen(leaves [][]byte) ([]record.Checked, []error) {
	records := make([]record.Checked, len(leaves))
	errs := make([]error, len(leaves))
	parsed := make([]*record.Unverified, len(leaves))
	keys := ringOn{record.Keyring{}, &l.keys}
	for i, leaf := range leaves {
		if parsed[i], errs[i] = record.Parse(leaf); errs[i] == nil {
			for kid, key := range record.NewKeyring(parsed[i].Payload()) {
				keys.Keyring[kid] = key
			}
		}
	}
	var wg sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	for n := range workers {
		wg.Go(func() {
			for i := n; i < len(leaves); i += workers {
				if errs[i] == nil {
					records[i], errs[i] = parsed[i].Verify(keys)
				}
			}
		})
	}
	wg.Wait()
	return records, errs
}

// ringOn is a keyring on top of another.
type ringOn struct {
	record.Keyring
	below *keyring
}

// Key implements record.Keys.
func (r ringOn) Key(kid string) crypto.PublicKey {
	if key := r.Keyring.Key(kid); key != nil {
		return key
	}
	return r.below.Key(kid)
}
