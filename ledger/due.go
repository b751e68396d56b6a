package ledger

import (
	"context"
	"fmt"

	"github.com/docket-ledger/docket/ledger/state"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// Due is what is owed at a time.
type Due struct {
	// Size is that of the log it reflects.
	Size int64
	// Time is the time it was asked for, or the ledger time if that is
	// later.
	Time   record.Time
	Duties []verify.Owed
}

// Due returns what is owed at a time in seconds since 1970, or at the ledger time
// if that is later: 0 asks for that. It looks at every case.
func (l *Ledger) Due(ctx context.Context, at int64) (Due, error) {
	var due Due
	err := l.viewed(func(v *state.View) error {
		now, err := rules.Clock(v)
		if err != nil {
			return err
		}
		at = max(at, now)
		duties, err := rules.Duties(v, at)
		if err != nil {
			return err
		}
		due = Due{Size: v.Size(), Time: record.Time(at)}
		for _, d := range duties {
			o := verify.Owed{Duty: d}
			if d.Index >= 0 {
				leaves, err := l.cfg.Log.Leaves(ctx, d.Index, d.Index+1)
				if err != nil {
					return fmt.Errorf("read record %d: %w", d.Index, err)
				}
				o.ID = record.IDOf(leaves[0])
			}
			due.Duties = append(due.Duties, o)
		}
		return nil
	})
	return due, err
}
