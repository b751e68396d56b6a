package verify

import (
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// proveRecord checks that a ledger logged what no honest server logs, not even as
// void: a record whose signer saw another tree than this log's, one for another
// ledger, or one with a signature that does not hold. That the log is a ledger
// of these rules is for its charter to say.
func (ps Policies) proveRecord(e Evidence) (*Accusation, error) {
	if e.Places[0].Checkpoint != e.Places[1].Checkpoint || e.Places[0].Index != 0 || e.Places[1].Index == 0 {
		return nil, errors.New("it wants the charter, entry 0, and another entry in the same checkpoint")
	}
	s, err := ps.statement(e.Places[0].Checkpoint)
	if err != nil {
		return nil, err
	}
	a := &Accusation{Origin: s.Checkpoint.Origin, Statements: []Statement{s}, Against: s.log()}
	for _, p := range e.Places {
		if err := a.place(p, s.Checkpoint); err != nil {
			return nil, err
		}
	}
	charter, err := record.Open(a.Entries[0], record.Keyring{})
	if err != nil {
		return nil, fmt.Errorf("entry 0 is no charter: %w: %w", err, ErrNoProof)
	}
	if c, ok := charter.Payload().(*record.Charter); !ok || c.Ledger != a.Origin {
		return nil, fmt.Errorf("entry 0 is no charter of %s: %w", a.Origin, ErrNoProof)
	}
	u, err := record.Parse(a.Entries[1])
	if err != nil {
		return nil, fmt.Errorf("entry %d is no record of version 1, but it may be one of a later version: %w: %w", a.Index, err, ErrNoProof)
	}
	a.Entries, a.Leaves = a.Entries[1:], a.Leaves[1:]
	return a, a.misfit(e, u)
}

// misfit finds what is wrong with a record of a ledger.
func (a *Accusation) misfit(e Evidence, u *record.Unverified) error {
	if ledger := u.Payload().Head().Ledger; ledger != a.Origin {
		a.Code, a.Detail = record.LedgerMismatch, fmt.Sprintf("it is a record for the ledger %s", ledger)
		return e.bare()
	}
	if len(e.Keys) > 0 {
		ring := record.Keyring{}
		for _, k := range e.Keys {
			ring.Add(k)
		}
		_, err := u.Verify(ring)
		if record.CodeOf(err) != record.SignatureInvalid || e.Root != "" || len(e.Proof) > 0 {
			return fmt.Errorf("no signature of entry %d is shown not to hold (%v): %w", a.Index, err, ErrNoProof)
		}
		a.Code, a.Detail = record.SignatureInvalid, err.Error()
		return nil
	}
	if _, ok := u.Payload().(*record.Charter); ok {
		return fmt.Errorf("entry %d is a second charter, which is void but may be logged: %w", a.Index, ErrNoProof)
	}
	for _, h := range u.Headers() {
		if h.Seen.Size > a.Index {
			a.Code, a.Detail = rules.SeenMismatch, fmt.Sprintf("the key %s says that it saw a tree of %d entries, and this is entry %d", h.KID, h.Seen.Size, a.Index)
			return e.bare()
		}
	}
	root, proof, err := e.rootAndProof()
	if err != nil {
		return err
	}
	cp := a.Statements[0].Checkpoint
	for _, h := range u.Headers() {
		if h.Seen.Size == 0 || root == h.Seen.Hash() || tlog.CheckTree(proof, cp.Size, cp.Root, h.Seen.Size, root) != nil {
			continue
		}
		a.Code, a.Detail, a.Root = rules.SeenMismatch, fmt.Sprintf("the key %s says that it saw the root %v at size %d, where this log has %v", h.KID, h.Seen.Hash(), h.Seen.Size, root), root
		return nil
	}
	return fmt.Errorf("no signer of entry %d is shown to have seen another tree: %w", a.Index, ErrNoProof)
}

// bare checks that e has nothing that nobody checks.
func (e Evidence) bare() error {
	if e.Root != "" || len(e.Proof) > 0 || len(e.Keys) > 0 {
		return errors.New("there is more in the file than this needs")
	}
	return nil
}
