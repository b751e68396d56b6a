package ledger

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"

	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// Examine opens a record as Submit would before the rules see it: spelling,
// signatures, age. Nothing is logged. The error is a *RefusedError if the record
// is at fault. b is retained and must not be changed.
func (l *Ledger) Examine(_ context.Context, b []byte) (record.Checked, error) {
	r, err := record.Open(b, &l.keys)
	if err != nil {
		return r, &RefusedError{Codes: []rules.Code{record.CodeOf(err)}, Detail: err}
	}
	return r, l.admissible(r)
}

// Stated returns the id of the effective record with this payload. The error
// wraps fs.ErrNotExist if there is none.
func (l *Ledger) Stated(ctx context.Context, payload []byte) (record.ID, error) {
	index, ok, err := l.cfg.State.Payload(payload)
	if err != nil {
		return "", err
	}
	if ok && index < l.head.Load().Size {
		leaf, same, err := l.samePayload(ctx, index, payload)
		if err != nil || same {
			return record.HashID(leaf), err
		}
	}
	return "", fmt.Errorf("no effective record states this: %w", fs.ErrNotExist)
}

// Terms returns the terms of the charter in force.
func (l *Ledger) Terms(context.Context) (record.Terms, error) {
	info, err := rules.ReadCharter(l.cfg.State)
	if err != nil {
		return record.Terms{}, err
	}
	if info == nil {
		return record.Terms{}, fmt.Errorf("the ledger has no charter: %w", fs.ErrNotExist)
	}
	return info.Charter.Terms, nil
}

// ErrKeyNotInForce is wrapped by errors of InForce, which say what is wrong.
var ErrKeyNotInForce = errors.New("not a key in force in this ledger")

// InForce returns nil if a key is enrolled, not revoked and, by the clock, not
// expired. A recovery key is in force while the charter names it.
func (l *Ledger) InForce(ctx context.Context, kid string) error {
	k, err := rules.ReadKey(l.cfg.State, kid)
	if err != nil {
		return err
	}
	switch {
	case k == nil:
		return fmt.Errorf("%w: %s was never enrolled", ErrKeyNotInForce, strconv.QuoteToASCII(kid))
	case k.Revoked != nil:
		return fmt.Errorf("%w: %s was revoked (%s)", ErrKeyNotInForce, kid, k.Revoked.Reason)
	case k.ValidUntil != 0 && l.cfg.Now().Unix() >= k.ValidUntil.Unix():
		return fmt.Errorf("%w: %s expired at %s", ErrKeyNotInForce, kid, k.ValidUntil)
	case k.Recovery && len(k.Roles) == 0:
		terms, err := l.Terms(ctx)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(terms.Recovery.Keys, func(j record.JWK) bool { return j.KID() == kid }) {
			return fmt.Errorf("%w: %s is no longer a recovery key", ErrKeyNotInForce, kid)
		}
	}
	return nil
}
