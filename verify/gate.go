package verify

import (
	"errors"
	"fmt"

	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// The answers of Gate beside yes.
var (
	// ErrForbidden says that the decision does not permit what was asked.
	// Nothing may be done.
	ErrForbidden = errors.New("not permitted by this decision")
	// ErrStale says that the saved audit is too old, or does not reach as
	// far as the receipt: audit again, and ask again.
	ErrStale = errors.New("the saved audit is too old to tell")
)

// An Ask is what an enforcement system is about to do.
type Ask struct {
	Action       record.Action
	ServiceLayer record.ServiceLayer
	// SubjectRef is the keyed pseudonym of the subject, as in the decision.
	SubjectRef string
	// Now is the clock of the caller, in seconds since 1970.
	Now int64
	// MaxAge is how old the saved audit may be, in seconds. Its age is that
	// of the cosignatures if the policy has witnesses, else that of the
	// audit by the auditor's clock.
	MaxAge int64
}

// Gate answers an enforcement system that is about to act on a decision. It
// returns what the receipt proves, and no error, only if
//
//   - the full receipt holds under p, the quorum of its witnesses included;
//   - the audited log holds the decision as effective, and it may be acted on
//     now: it has begun, and was not reversed, replaced or run out, did not
//     lapse, and waits for no confirmation after the loss of a key;
//   - it was not recorded afterwards;
//   - it decides exactly this action on this service layer about this subject.
//
// That it was not used before is for the caller to keep. The error wraps
// ErrForbidden, ErrStale, ErrNotShown, or says why the receipt does not hold.
func Gate(p *Policy, saved *Saved, receipt Receipt, ask Ask) (*Proven, error) {
	return Policies{p}.Gate(saved, receipt, ask)
}

// Gate is Gate under several policies, each checkpoint under the newest one that
// takes it.
func (ps Policies) Gate(saved *Saved, receipt Receipt, ask Ask) (*Proven, error) {
	proven, err := ps.Check(receipt, CheckOptions{})
	if err != nil {
		return nil, err
	}
	if !proven.Standing.Effective() {
		return nil, fmt.Errorf("%w: it is void, %v", ErrForbidden, proven.Standing.Codes)
	}
	d, ok := proven.Record.Payload().(*record.Decision)
	if !ok {
		return nil, fmt.Errorf("%w: the receipt is of a %s", ErrForbidden, proven.Record.Payload().Head().Type)
	}
	audited, p, err := ps.open(saved.Checkpoint())
	if err != nil {
		return nil, fmt.Errorf("%w: its checkpoint does not hold: %w", ErrStale, err)
	}
	if audited.Checkpoint.Origin != proven.Signed.Checkpoint.Origin {
		return nil, fmt.Errorf("%w: it is of %s, the receipt of %s", ErrStale, audited.Checkpoint.Origin, proven.Signed.Checkpoint.Origin)
	}
	at, err := gateTime(p, saved, audited, ask)
	if err != nil {
		return nil, err
	}
	if proven.Index >= audited.Checkpoint.Size {
		return nil, fmt.Errorf("%w: it covers %d entries, the decision is entry %d", ErrStale, audited.Checkpoint.Size, proven.Index)
	}
	if err := asked(d, ask); err != nil {
		return nil, err
	}
	return proven, gateStatus(saved, d, proven, at)
}

// gateTime returns the time to judge at, unless the audit is too old.
func gateTime(p *Policy, saved *Saved, audited Signed, ask Ask) (int64, error) {
	fresh := saved.At()
	if p.Quorum() != none {
		before, _, ok := p.Times(audited.Cosignatures)
		if !ok {
			return 0, fmt.Errorf("%w: its checkpoint is cosigned without a time", ErrStale)
		}
		fresh = before
	}
	if age := ask.Now - fresh; age > ask.MaxAge {
		return 0, fmt.Errorf("%w: %d seconds, the most is %d", ErrStale, age, ask.MaxAge)
	}
	clock, err := rules.Clock(saved.state)
	return max(clock, ask.Now), err
}

func asked(d *record.Decision, ask Ask) error {
	switch {
	case d.Action != ask.Action:
		return fmt.Errorf("%w: it is to %s, asked was to %s", ErrForbidden, d.Action, ask.Action)
	case d.ServiceLayer != ask.ServiceLayer:
		return fmt.Errorf("%w: it is about %s, asked was about %s", ErrForbidden, d.ServiceLayer, ask.ServiceLayer)
	case d.Subject.Ref != ask.SubjectRef:
		return fmt.Errorf("%w: it is about another subject", ErrForbidden)
	case d.Retrospective != nil:
		return fmt.Errorf("%w: it was recorded afterwards", ErrForbidden)
	}
	return nil
}

func gateStatus(saved *Saved, d *record.Decision, proven *Proven, at int64) error {
	s, err := rules.ReadStatus(saved.state, d.Case, proven.ID, at)
	switch {
	case errors.Is(err, rules.ErrNoDecision):
		return fmt.Errorf("%w: the audited log does not hold it as effective", ErrForbidden)
	case err != nil:
		return err
	case s.Index != proven.Index:
		return fmt.Errorf("%w: the audited log holds it as entry %d, the receipt says %d", ErrForbidden, s.Index, proven.Index)
	case !s.Status.Acts():
		return fmt.Errorf("%w: its status is %s", ErrForbidden, s.Status)
	case s.Contested:
		return fmt.Errorf("%w: a key that signed in its case may have been in other hands, and nobody has confirmed it", ErrForbidden)
	case d.EffectiveAt.Unix() > at:
		return fmt.Errorf("%w: it takes effect at %s", ErrForbidden, d.EffectiveAt)
	}
	return nil
}
