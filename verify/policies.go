package verify

import (
	"errors"
	"fmt"
)

// ErrRetired says that only a policy of an earlier epoch takes a checkpoint, and
// that this one has no witnesses: a key that its log retired, and that others may
// have by now, proves nothing alone. A head of the log as it is now, which extends
// the checkpoint, would: see CheckOptions.Head.
var ErrRetired = errors.New("signed with a key of an earlier epoch, and no witnesses vouch for it")

// Policies are trust policies, the oldest first: one for each epoch of the keys
// and witnesses of a log, as the files of --policy are given. Of those that name
// the same origin the last one is that of the current epoch: what it says holds as
// it stands. An earlier one counts only for what a quorum of its witnesses
// cosigned; with a quorum of none it counts for nothing.
//
// A policy that stands alone can't tell that its log key was retired since.
type Policies []*Policy

// Open opens a checkpoint under the newest policy that takes it. One that knows
// the log key and misses its quorum leaves the checkpoint to the others.
//
// The error is that of Policy.Open which says most, or wraps ErrRetired. Along
// with ErrRetired and ErrQuorum the checkpoint is returned: a log key of some
// policy signed it.
func (ps Policies) Open(signed []byte) (Signed, error) {
	s, _, err := ps.open(signed)
	return s, err
}

// open is Open, and returns the policy, too.
func (ps Policies) open(signed []byte) (Signed, *Policy, error) {
	var best Signed
	err := errors.New("no trust policy")
	for i := len(ps) - 1; i >= 0; i-- {
		s, e := ps[i].Open(signed)
		if e == nil && ps[i].quorum == none && ps.superseded(i, s.Checkpoint.Origin) {
			e = fmt.Errorf("checkpoint of %s, size %d: %w (of several policies for one log the last is that of its current keys)",
				s.Checkpoint.Origin, s.Checkpoint.Size, ErrRetired)
		}
		switch {
		case e == nil:
			return s, ps[i], nil
		case errors.Is(e, ErrRetired):
			best, err = s, e
		case errors.Is(e, ErrQuorum):
			if !errors.Is(err, ErrRetired) {
				best, err = s, e
			}
		case errors.Is(e, ErrUnknownLog):
			if best.Note == nil {
				err = e
			}
		default:
			return Signed{}, nil, e
		}
	}
	return best, nil, err
}

// held opens a checkpoint that an auditor holds: a log key of some policy signed
// it. Witnesses and epochs don't matter, for it proves nothing; it is what the log
// has to live up to.
func (ps Policies) held(signed []byte) (Signed, error) {
	s, err := ps.Open(signed)
	if errors.Is(err, ErrRetired) || errors.Is(err, ErrQuorum) {
		return s, nil
	}
	return s, err
}

// Held opens checkpoints that an auditor holds, for AuditOptions.Earlier: a log
// key of some policy signed each, with or without witnesses.
func (ps Policies) Held(notes ...[]byte) ([]Signed, error) {
	var all []Signed
	for _, note := range notes {
		s, err := ps.held(note)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

// superseded reports whether a later policy names the log of policy i.
func (ps Policies) superseded(i int, origin string) bool {
	for _, p := range ps[i+1:] {
		for _, l := range p.logs {
			if l.Key.Name == origin {
				return true
			}
		}
	}
	return false
}
