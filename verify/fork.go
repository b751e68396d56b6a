package verify

import (
	"context"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"
)

// A ForkError proves that a log signed two histories. With both notes it is
// complete: whoever knows the log's public key can check it offline.
type ForkError struct {
	Old, New Checkpoint // Old.Size <= New.Size

	// OldNote and NewNote are the checkpoints as signed, or nil where only
	// their contents are known.
	OldNote, NewNote []byte

	// Root is the root that the tree of New had at Old.Size, which is not
	// Old.Root. Proof is the consistency proof of that, for tlog.CheckTree;
	// it is empty if Old.Size is 0 or New.Size. If one root has two sizes, which
	// no tree has, Root is that one, and there is no proof.
	Root  tlog.Hash
	Proof []tlog.Hash
}

func (e *ForkError) Error() string {
	if e.twoSizes() {
		return fmt.Sprintf("%s signed one root with two sizes, %d and %d: no log has %v at both", e.Old.Origin, e.Old.Size, e.New.Size, e.Root)
	}
	return fmt.Sprintf("%s has two different histories: at size %d its root was %v, in its tree of size %d that is %v",
		e.Old.Origin, e.Old.Size, e.Old.Root, e.New.Size, e.Root)
}

// twoSizes reports whether one root has two sizes.
func (e *ForkError) twoSizes() bool { return e.Old.Root == e.New.Root && e.Old.Size != e.New.Size }

// Check reports whether e holds together: the tree of New does not extend that
// of Old. Whether the log signed both is for Policy.Open to say of the notes.
func (e *ForkError) Check() error {
	old, cur := e.Old, e.New
	var err error
	switch {
	case old.Origin != cur.Origin || old.Size < 0 || old.Size > cur.Size:
		err = fmt.Errorf("%s of size %d and %s of size %d can't be compared", old.Origin, old.Size, cur.Origin, cur.Size)
	case e.twoSizes() && e.Root == cur.Root && len(e.Proof) == 0:
	case e.Root == old.Root:
		err = fmt.Errorf("both trees have the root %v at size %d", e.Root, old.Size)
	case old.Size == 0:
		if e.Root != EmptyRoot || len(e.Proof) > 0 {
			err = fmt.Errorf("the root of size 0 is %v", EmptyRoot)
		}
	default:
		err = tlog.CheckTree(e.Proof, cur.Size, cur.Root, old.Size, e.Root)
	}
	if err != nil {
		return fmt.Errorf("fork evidence: %w", err)
	}
	return nil
}

// Extends checks that t is what old has grown to. If it is not, the error is a
// *ForkError, without the old note. It wraps ErrOrigin if old is of another log.
// That old is larger than t is another error, and no proof of anything: t may be
// out of date.
func (t *Tree) Extends(ctx context.Context, old Checkpoint) error {
	if old.Origin != t.cp.Origin {
		return fmt.Errorf("checkpoint of %s: %w: this is the tree of %s", old.Origin, ErrOrigin, t.cp.Origin)
	}
	if old.Size > t.cp.Size {
		return fmt.Errorf("the log of size %d is smaller than the %d entries it had", t.cp.Size, old.Size)
	}
	if old.Size < t.cp.Size && old.Root == t.cp.Root {
		return &ForkError{Old: old, New: t.cp, NewNote: t.note, Root: t.cp.Root}
	}
	root, err := t.Root(ctx, old.Size)
	if err != nil || root == old.Root {
		return err
	}
	fork := &ForkError{Old: old, New: t.cp, NewNote: t.note, Root: root}
	if old.Size > 0 {
		if fork.Proof, err = tlog.ProveTree(t.cp.Size, old.Size, t.Hashes(ctx)); err != nil {
			return err
		}
	}
	return fork
}

// ExtendsSigned is Extends with the old note in the evidence.
func (t *Tree) ExtendsSigned(ctx context.Context, old Signed) error {
	err := t.Extends(ctx, old.Checkpoint)
	if fork, ok := err.(*ForkError); ok {
		fork.OldNote = old.Note
	}
	return err
}
