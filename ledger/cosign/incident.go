package cosign

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"sync"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/witness"
)

// incident finds out what an answer means that no honest witness gives to an
// honest log. proof is what the witness was given to show that the head of the
// round extends size a.known; before is a checkpoint of which root and size are
// known to have been sent.
func (c *Cosigner) incident(ctx context.Context, a *answer, before verify.Checkpoint, proof []tlog.Hash, what error) {
	if err := c.selfCheck(ctx, a, before, proof); err != nil {
		a.err = fmt.Errorf("%w, and the log's own check: %w", what, err)
		if errors.Is(err, ledger.ErrNotExtended) || errors.Is(err, errProof) {
			c.halt(a, a.err)
		}
		return
	}
	kept, err := c.kept(ctx, a.w)
	if err != nil {
		a.faulty, a.err = true, fmt.Errorf("%w, which is wrong: the log's own check holds, and nothing that the log signed is shown against it: %w", what, err)
		return
	}
	switch err := c.cfg.Log.Extends(ctx, kept.Checkpoint); {
	case err == nil:
		if err = c.selfCheck(ctx, a, kept.Checkpoint, proof); err != nil {
			a.err = fmt.Errorf("%w, and the log's own check: %w", what, err)
			if errors.Is(err, errProof) {
				c.halt(a, a.err)
			}
			return
		}
		a.faulty, a.err = true, fmt.Errorf("%w, which is wrong: the log extends the checkpoint of size %d that it keeps", what, kept.Checkpoint.Size)
	case errors.Is(err, ledger.ErrNotExtended):
		c.halt(a, c.accuse(ctx, a.w, kept, err))
	default:
		a.err = fmt.Errorf("%w; whether the log extends what it keeps could not be found out: %w", what, err)
	}
}

// errProof says that the log has made a proof that does not hold.
var errProof = errors.New("the log's own proof does not hold")

// selfCheck checks that the log still is what it signed, and the proof that it
// made, if the root that this begins from is known.
func (c *Cosigner) selfCheck(ctx context.Context, a *answer, known verify.Checkpoint, proof []tlog.Hash) error {
	head := a.r.head.Checkpoint
	if err := c.cfg.Log.Extends(ctx, head); err != nil {
		return err
	}
	if known.Size == 0 || known.Size != a.known || known.Size > head.Size {
		return nil
	}
	if err := tlog.CheckTree(proof, head.Size, head.Root, known.Size, known.Root); err != nil {
		return fmt.Errorf("%w, from size %d to %d: %w", errProof, known.Size, head.Size, err)
	}
	return nil
}

// halt halts the log.
func (c *Cosigner) halt(a *answer, reason error) {
	a.err, a.halt = reason, reason
	c.cfg.Log.Halt(reason)
}

// kept fetches the newest checkpoint that a witness has cosigned. It bears a
// signature of this log that holds; the error wraps fs.ErrNotExist if the witness
// has none, or none for everybody to see.
func (c *Cosigner) kept(ctx context.Context, w *peer) (verify.Signed, error) {
	res, err := w.do(ctx, http.MethodGet, w.base+"/"+witness.ID(c.origin)+"/checkpoint", nil)
	switch {
	case err != nil:
		return verify.Signed{}, err
	case res.status == http.StatusNotFound:
		return verify.Signed{}, fmt.Errorf("it shows no checkpoint of this log: %w", fs.ErrNotExist)
	case res.status != http.StatusOK:
		return verify.Signed{}, res.refusal()
	}
	note, err := c.own.Open(res.body)
	if err != nil {
		return verify.Signed{}, fmt.Errorf("the checkpoint that it shows: %w", err)
	}
	return note, nil
}

// accuse keeps evidence of a checkpoint that this log's key signed and its tree
// does not extend, as why says, and returns what is to be told.
func (c *Cosigner) accuse(ctx context.Context, w *peer, kept verify.Signed, why error) error {
	err := fmt.Errorf("the witness %s shows a checkpoint of size %d that this log's key signed, and %w", w.Name, kept.Checkpoint.Size, why)
	e, madeErr := c.evidence(ctx, kept)
	if madeErr != nil {
		return fmt.Errorf("%w. Evidence could not be made: %w. The checkpoint is %q", err, madeErr, kept.Note)
	}
	path, keptErr := c.keepEvidence(e)
	if keptErr != nil {
		return fmt.Errorf("%w. Evidence could not be kept: %w. The checkpoint is %q", err, keptErr, kept.Note)
	}
	return fmt.Errorf("%w. There are two histories, or this log was set back. Both checkpoints are in %s: keep that file", err, path)
}

// evidence compares the newest head with a checkpoint that it does not extend.
func (c *Cosigner) evidence(ctx context.Context, kept verify.Signed) (verify.Evidence, error) {
	head := c.cfg.Log.Head()
	if head.Note == nil {
		return verify.Evidence{}, errors.New("the log has signed nothing since it was opened")
	}
	if kept.Checkpoint.Size > head.Checkpoint.Size {
		return verify.RollbackEvidence(kept.Note, head.Note), nil
	}
	err := head.Tree(c.cfg.Source).ExtendsSigned(ctx, kept)
	var fork *verify.ForkError
	if !errors.As(err, &fork) {
		return verify.Evidence{}, fmt.Errorf("the tiles of the log: %w", err)
	}
	return fork.Evidence(), nil
}

// Agreed asks all witnesses for the newest checkpoint of this log that they keep.
// It returns nil if so many answered that the quorum is reached, and the log
// extends everything of it that bears a signature of the log. A witness that never
// cosigned, and says that it has none, has answered.
//
// The error wraps ledger.ErrNotExtended if the log is not what a witness has, whose
// checkpoint is kept as evidence if the log has signed since: nothing may be signed
// then. Else it wraps ErrNotReached, and says who did not answer: try again later.
func (c *Cosigner) Agreed(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*c.cfg.Deadline)
	defer cancel()
	errs := make([]error, len(c.peers))
	var wg sync.WaitGroup
	for i, w := range c.peers {
		wg.Go(func() { errs[i] = c.agrees(ctx, w) })
	}
	wg.Wait()
	var names []string
	for i, w := range c.peers {
		switch {
		case errs[i] == nil:
			names = append(names, w.Name)
		case errors.Is(errs[i], ledger.ErrNotExtended):
			return errs[i]
		}
	}
	if c.cfg.Policy.Reached(names) {
		return nil
	}
	return fmt.Errorf("%w: of %s only %q answered: %w", ErrNotReached, c.cfg.Policy.Quorum(), names, errors.Join(errs...))
}

// ErrNotReached is returned by Agreed if too few witnesses answered.
var ErrNotReached = errors.New("too few witnesses say what they have cosigned")

// agrees asks one witness.
func (c *Cosigner) agrees(ctx context.Context, w *peer) error {
	if w.base == "" {
		return fmt.Errorf("%s: the witness policy has no URL", w.Name)
	}
	kept, err := c.kept(ctx, w)
	c.mu.Lock()
	cosigned := c.sent.by[keyName(w.Key)].Cosigned
	c.mu.Unlock()
	switch {
	case errors.Is(err, fs.ErrNotExist) && cosigned == 0:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s: it has cosigned size %d, and does not show what it keeps", w.Name, cosigned)
	case err != nil:
		return fmt.Errorf("%s: %w", w.Name, err)
	}
	if err := c.cfg.Log.Extends(ctx, kept.Checkpoint); errors.Is(err, ledger.ErrNotExtended) {
		return c.accuse(ctx, w, kept, err)
	} else if err != nil {
		return err
	}
	signed, err := c.cfg.Policy.Open(kept.Note)
	if err != nil && !errors.Is(err, verify.ErrQuorum) {
		return fmt.Errorf("%s: the checkpoint that it shows: %w", w.Name, err)
	}
	if !slices.ContainsFunc(signed.Cosignatures, func(s verify.Cosignature) bool { return s.Name == w.Name }) {
		return fmt.Errorf("%s: it shows a checkpoint that it has not cosigned", w.Name)
	}
	return nil
}
