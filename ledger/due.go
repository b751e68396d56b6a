package ledger

import (
	"context"
	"errors"
	"fmt"

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
func (l *Ledger) Due(ctx context.Context, at int64) (due Due, err error) {
	snap := l.cfg.State.Snapshot()
	defer func() { err = errors.Join(err, snap.Close()) }()
	head := l.head.Load()
	now, err := rules.Clock(snap)
	if err != nil {
		return Due{}, err
	}
	at = max(at, now)
	duties, err := rules.Duties(snap, at)
	if err != nil {
		return Due{}, err
	}
	due = Due{Size: head.Size, Time: record.Time(at)}
	for _, d := range duties {
		o := verify.Owed{Duty: d}
		if d.Index >= 0 {
			leaves, err := l.cfg.Log.Leaves(ctx, d.Index, d.Index+1)
			if err != nil {
				return Due{}, fmt.Errorf("read record %d: %w", d.Index, err)
			}
			o.ID = record.IDOf(leaves[0])
		}
		due.Duties = append(due.Duties, o)
	}
	return due, nil
}
