package ledger

import (
	"context"
	"errors"

	"github.com/docket-ledger/docket/ledger/state"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// Stands is where a case stands at a time.
type Stands struct {
	// Size is that of the log it reflects.
	Size int64
	// Time is that of the clock, or the ledger time if that is later.
	Time record.Time
	// Decided has those of the decisions and rulings asked for that are
	// effective.
	Decided map[record.ID]rules.Decided
	// Duties are what is owed in the case.
	Duties []rules.Duty
}

// Stands returns where the decisions and rulings of a case stand now, and what is
// owed. A case that does not exist has neither.
func (l *Ledger) Stands(_ context.Context, name string, ids ...record.ID) (Stands, error) {
	out := Stands{Decided: map[record.ID]rules.Decided{}}
	err := l.viewed(func(v *state.View) error {
		now, err := l.now(v)
		if err != nil {
			return err
		}
		out.Size, out.Time = v.Size(), record.Time(now)
		for _, id := range ids {
			d, err := rules.ReadStatus(v, name, id, now)
			if errors.Is(err, rules.ErrNoDecision) {
				continue
			}
			if err != nil {
				return err
			}
			out.Decided[id] = *d
		}
		out.Duties, err = rules.DutiesOf(v, name, now)
		return err
	})
	return out, err
}
