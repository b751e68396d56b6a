package ledger

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/docket-ledger/docket/ledger/state"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// A Page is a part of a listing: at most Limit items, those after After in the
// order of the listing, from the beginning if it is "". What is logged meanwhile
// does not move items that are there.
type Page struct {
	Limit int
	After string
}

// A List is one page of a listing.
type List[T any] struct {
	// Size is how many records the log had that it reflects. The checkpoint
	// of that tree may come a moment later.
	Size  int64
	Items []T
	// More says that there are further items.
	More bool
}

// page cuts a page out of the names of all items.
func page(names []string, p Page) (some []string, more bool) {
	slices.Sort(names)
	at, found := slices.BinarySearch(names, p.After)
	if found {
		at++
	}
	names = names[at:]
	if len(names) > p.Limit {
		return names[:p.Limit], true
	}
	return names, false
}

// viewed calls use with a view of the state.
func (l *Ledger) viewed(use func(v *state.View) error) error {
	v, err := l.cfg.State.View()
	if err != nil {
		return err
	}
	return errors.Join(use(v), v.Close())
}

// now returns the time of the listings in seconds since 1970: that of the clock,
// unless the ledger time is later.
func (l *Ledger) now(v *state.View) (int64, error) {
	t, err := rules.Clock(v)
	return max(t, l.cfg.Now().Unix()), err
}

// Policies lists the policies by name, as of now.
func (l *Ledger) Policies(_ context.Context, p Page) (List[rules.PolicyInfo], error) {
	var out List[rules.PolicyInfo]
	err := l.viewed(func(v *state.View) error {
		now, err := l.now(v)
		if err != nil {
			return err
		}
		var names []string
		if err := rules.Policies(v, func(name string) error { names = append(names, name); return nil }); err != nil {
			return err
		}
		out.Size = v.Size()
		names, out.More = page(names, p)
		for _, name := range names {
			info, err := rules.ReadPolicy(v, name, now)
			if err != nil {
				return err
			}
			out.Items = append(out.Items, *info)
		}
		return nil
	})
	return out, err
}

// Policy returns a policy as of now. The error wraps fs.ErrNotExist if it was
// never published.
func (l *Ledger) Policy(_ context.Context, name string) (rules.PolicyInfo, error) {
	var out rules.PolicyInfo
	err := l.viewed(func(v *state.View) error {
		now, err := l.now(v)
		if err != nil {
			return err
		}
		info, err := rules.ReadPolicy(v, name, now)
		if err != nil {
			return err
		}
		if info == nil {
			return fmt.Errorf("no policy %.70q in this ledger: %w", name, fs.ErrNotExist)
		}
		out = *info
		return nil
	})
	return out, err
}

// Keys lists the keys that were ever enrolled, by thumbprint.
func (l *Ledger) Keys(_ context.Context, p Page) (List[Key], error) {
	var out List[Key]
	err := l.viewed(func(v *state.View) error {
		var kids []string
		if err := rules.Keys(v, func(kid string, _ *rules.KeyInfo) error { kids = append(kids, kid); return nil }); err != nil {
			return err
		}
		out.Size = v.Size()
		kids, out.More = page(kids, p)
		for _, kid := range kids {
			k, err := readKey(v, kid)
			if err != nil {
				return err
			}
			out.Items = append(out.Items, k)
		}
		return nil
	})
	return out, err
}

// A Case is what the log holds of a case: one page of its records.
type Case struct {
	// List has every record that names the case, and every one that is about
	// one of them, in the order of the log; void ones, too.
	List[CaseRecord]
	Name string
	// Subject is the ref of its subject, Tip its newest effective act; both
	// "" if only void records name the case.
	Subject string
	Tip     record.ID
	// InForce is what may be acted on now, nil if nothing.
	InForce *InForce
}

// A CaseRecord is a record of a case.
type CaseRecord struct {
	Type     record.Type
	Standing rules.Standing
}

// InForce is the decision, or the ruling in its place, that is in force.
type InForce struct {
	Action   record.Action
	Decision record.ID
	Status   rules.Status
}

// Case returns a case, with the records at from and later of it, at most limit.
// The error wraps fs.ErrNotExist if no record names it.
func (l *Ledger) Case(ctx context.Context, name string, from int64, limit int) (Case, error) {
	out := Case{Name: name}
	err := l.viewed(func(v *state.View) error {
		some, err := v.Case(name, from, limit+1)
		if err != nil {
			return err
		}
		if len(some) == 0 {
			if any, err := v.Case(name, 0, 1); err != nil || len(any) == 0 {
				return errors.Join(err, fmt.Errorf("no record names the case %.70q: %w", name, fs.ErrNotExist))
			}
		}
		out.Size = v.Size()
		if out.More = len(some) > limit; out.More {
			some = some[:limit]
		}
		for _, n := range some {
			codes, findings, err := v.Standing(n.Index)
			if err != nil {
				return err
			}
			out.Items = append(out.Items, CaseRecord{n.Type, rules.Standing{Index: n.Index, ID: n.ID, Codes: codes, Findings: findings}})
		}
		return l.stand(ctx, v, &out)
	})
	return out, err
}

// stand adds where a case stands.
func (l *Ledger) stand(ctx context.Context, v *state.View, out *Case) error {
	info, err := rules.ReadCase(v, out.Name)
	if err != nil || info == nil {
		return err
	}
	var tip, last state.Named
	decided := info.Decided()
	for n, err := range v.Newest(out.Name) {
		if err != nil {
			return err
		}
		if info.IsTip(n.ID) {
			tip = n
		}
		if info.IsLast(n.ID) {
			last = n
		}
		if tip.ID != "" && (last.ID != "" || !decided) {
			break
		}
	}
	out.Tip = tip.ID
	if out.Subject, err = l.subject(ctx, v, out.Name); err != nil || !decided {
		return err
	}
	now, err := l.now(v)
	if err != nil {
		return err
	}
	d, err := rules.ReadStatus(v, out.Name, last.ID, now)
	if err != nil {
		return err
	}
	if d.Status.Acts() {
		out.InForce = &InForce{Action: d.Action, Decision: last.ID, Status: d.Status}
	}
	return nil
}

// subject returns the ref of the subject of a case: that of its first effective
// act, which opened it.
func (l *Ledger) subject(ctx context.Context, v *state.View, name string) (string, error) {
	for from := int64(0); ; {
		some, err := v.Case(name, from, 16)
		if err != nil || len(some) == 0 {
			return "", err
		}
		for _, n := range some {
			codes, _, err := v.Standing(n.Index)
			if err != nil {
				return "", err
			}
			if len(codes) > 0 {
				continue
			}
			u, err := l.parsed(ctx, n.Index)
			if err != nil {
				return "", err
			}
			var says struct {
				Subject record.Subject `json:"subject"`
			}
			if err := json.Unmarshal(u.PayloadBytes(), &says); err == nil && says.Subject.Ref != "" {
				return says.Subject.Ref, nil
			}
		}
		from = some[len(some)-1].Index + 1
	}
}

// readKey returns what a state knows of a key.
func readKey(s rules.State, kid string) (Key, error) {
	info, err := rules.ReadKey(s, kid)
	if err != nil {
		return Key{}, err
	}
	if info == nil {
		return Key{}, fmt.Errorf("no key %.60q in this ledger: %w", strings.ToValidUTF8(kid, "?"), fs.ErrNotExist)
	}
	next, err := rules.NextSeq(s, kid)
	return Key{KeyInfo: *info, KID: kid, NextSeq: next}, err
}
