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

// Statuses returns where effective decisions and rulings stand now, by their ids,
// each with the name of its case; others are left out.
func (l *Ledger) Statuses(_ context.Context, cases map[record.ID]string) (map[record.ID]rules.Decided, error) {
	out := map[record.ID]rules.Decided{}
	err := l.viewed(func(v *state.View) error {
		now, err := l.now(v)
		if err != nil {
			return err
		}
		for id, name := range cases {
			if err := addStatus(v, out, name, id, now); err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}

func addStatus(v *state.View, to map[record.ID]rules.Decided, name string, id record.ID, now int64) error {
	d, err := rules.ReadStatus(v, name, id, now)
	if errors.Is(err, rules.ErrNoDecision) {
		return nil
	}
	if err == nil {
		to[id] = *d
	}
	return err
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
			if err := addStatus(v, out.Decided, name, id, now); err != nil {
				return err
			}
		}
		out.Duties, err = rules.DutiesOf(v, name, now)
		return err
	})
	return out, err
}
