package verify

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// What an audit does before it reads the entries, and after.

// compare holds the tree to the checkpoints that the auditor has, and takes over
// an earlier audit if the tree extends it.
func (a *audit) compare(ctx context.Context) error {
	for _, old := range a.opt.Earlier {
		behind, err := a.behind(ctx, old)
		if err == nil && !behind {
			_, err = a.extends(ctx, old)
		}
		if err != nil {
			return err
		}
	}
	saved := a.opt.Resume
	if saved == nil {
		return nil
	}
	old, err := a.policies.held(saved.Checkpoint())
	if err != nil || old.Checkpoint.Origin != a.tree.cp.Origin {
		return fmt.Errorf("%w: it is of %s, and no policy here names the log key that signed its checkpoint", ErrSaved, saved.Origin())
	}
	if ok, err := a.extends(ctx, old); !ok || err != nil {
		return err // the whole log is read anew
	}
	a.from, a.state = old.Checkpoint.Size, saved.state.Clone()
	a.sum.Resumed, a.sum.Entries = a.from, a.from
	a.sum.Effective, a.sum.Void = saved.head.Effective, saved.head.Void
	for t, n := range saved.head.ByType {
		a.sum.ByType[t] = n
	}
	return rules.Keys(a.state, func(_ string, key *rules.KeyInfo) error {
		a.keys.keys.Add(key.JWK)
		return nil
	})
}

// behind reports whether the log is smaller than old, and shows that old is what it
// has grown to: a receipt, or what the log has signed, may be newer than the
// checkpoint that is served, which witnesses have to cosign. It tells so, or that
// there are two histories.
func (a *audit) behind(ctx context.Context, old Signed) (bool, error) {
	if old.Checkpoint.Size <= a.tree.cp.Size {
		return false, nil
	}
	newer := old.Tree(a.tree.src)
	err := newer.ExtendsSigned(ctx, a.sum.Signed)
	if err == nil { // the log has the rest, too
		_, err = newer.Entry(ctx, old.Checkpoint.Size-1)
	}
	var fork *ForkError
	var file *FileError
	var entry *EntryError
	switch {
	case err == nil:
		a.found(Finding{Severity: Note, Code: AuditBehind, Index: -1,
			Detail: fmt.Sprintf("the log shows %d entries, of the %d that it has signed: its tiles prove that these are the first of them", a.tree.cp.Size, old.Checkpoint.Size)})
	case errors.As(err, &fork):
		a.forked(fork)
	case errors.As(err, &file), errors.As(err, &entry), errors.Is(err, fs.ErrNotExist):
		return false, nil // nothing shows it
	default:
		return false, fmt.Errorf("compare with the checkpoint of size %d: %w", old.Checkpoint.Size, err)
	}
	return true, nil
}

// extends reports whether the tree is what old has grown to, and tells if not.
func (a *audit) extends(ctx context.Context, old Signed) (bool, error) {
	if old.Checkpoint.Size > a.tree.cp.Size {
		e := RollbackEvidence(old.Note, a.sum.Signed.Note)
		a.found(Finding{Severity: Broken, Code: AuditSmaller, Index: -1, Evidence: &e,
			Detail: fmt.Sprintf("the log has %d entries, and it signed a checkpoint of %d before", a.tree.cp.Size, old.Checkpoint.Size)})
		return false, nil
	}
	err := a.tree.ExtendsSigned(ctx, old)
	var fork *ForkError
	var file *FileError
	switch {
	case errors.As(err, &fork):
		a.forked(fork)
	case errors.As(err, &file):
		a.found(Finding{Severity: Broken, Code: AuditFile, Index: -1, Detail: file.Error()})
	case err != nil:
		return false, fmt.Errorf("compare with the checkpoint of size %d: %w", old.Checkpoint.Size, err)
	}
	return err == nil, nil
}

func (a *audit) forked(fork *ForkError) {
	e := fork.Evidence()
	a.found(Finding{Severity: Broken, Code: AuditFork, Index: -1, Detail: fork.Error(), Fork: fork, Evidence: &e})
}

// finish looks at what only the whole log shows.
func (a *audit) finish(ctx context.Context) error {
	a.sum.state = a.state
	if a.blind {
		return nil
	}
	charter, err := rules.ReadCharter(a.state)
	if err != nil {
		return err
	}
	if key := a.sum.Signed.LogKey.String(); charter != nil && !slices.Contains(charter.Charter.LogKeys, key) {
		a.found(Finding{Severity: Broken, Code: AuditLogKey, Index: 0,
			Detail: "the charter does not name the key that signed the checkpoint, " + key})
	}
	if a.sum.Time, err = rules.Clock(a.state); err != nil {
		return err
	}
	if before, _, ok := a.policy.Times(a.sum.Signed.Cosignatures); ok {
		a.sum.Time, a.sum.Witnessed = max(a.sum.Time, before), true
	}
	duties, err := rules.Duties(a.state, a.sum.Time)
	if err != nil {
		return err
	}
	for _, d := range duties {
		o := Owed{Duty: d}
		if d.Index >= 0 {
			if o.ID, err = a.tree.ID(ctx, d.Index); err != nil {
				return err
			}
		}
		a.sum.Duties = append(a.sum.Duties, o)
	}
	if a.sum.Gaps, err = rules.Gaps(a.state); err != nil || a.sum.Broken > 0 {
		return err
	}
	a.sum.saved = &Saved{state: a.state, head: savedHead{
		V: 1, Rules: rules.Version, Origin: a.tree.cp.Origin, Checkpoint: string(a.sum.Signed.Note),
		Effective: a.sum.Effective, Void: a.sum.Void, ByType: a.sum.ByType,
	}}
	return nil
}

// ID returns the id of the entry at index: its leaf hash in the tree. It does
// not read the entry.
func (t *Tree) ID(ctx context.Context, index int64) (record.ID, error) {
	if index < 0 || index >= t.cp.Size {
		return "", t.noEntry(index)
	}
	h, err := t.hash(ctx, tlog.StoredHashIndex(0, index))
	return record.HashID(h), err
}

// edge reads the right edge of the tree, on which all else rests. It reports
// whether that is the one of the checkpoint: if not, nothing can be said of any
// entry, and none is read.
func (a *audit) edge(ctx context.Context) (bool, error) {
	if a.tree.cp.Size == 0 {
		return true, nil
	}
	_, err := a.tree.loadEdge(ctx)
	var file *FileError
	if !errors.As(err, &file) && !errors.Is(err, fs.ErrNotExist) {
		return err == nil, err
	}
	a.faulty(err, a.from)
	a.sum.Unjudged = a.tree.cp.Size - a.from
	return false, nil
}
