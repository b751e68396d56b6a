package ledger

import (
	"context"
	"slices"

	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// A gathering collects what goes into a receipt beside its record, as long as
// there is room: the most important first.
type gathering struct {
	l      *Ledger
	ctx    context.Context
	head   *published
	index  int64 // of the record
	record *record.Unverified

	extra verify.Extra
	room  int
	have  map[int64]bool // what is in extra, the record itself included
	read  map[int64]*record.Unverified
	terms []change // of the charter and all amendments
}

// all collects, in this order: the charter, its amendments and what the record
// rests on; timemarks without which an amendment would not be in force; whose the
// log key is; what shows the time.
func (g *gathering) all() error {
	info, err := rules.ReadCharter(g.l.cfg.State)
	if err != nil {
		return err
	}
	amendments := slices.DeleteFunc(slices.Clone(info.Amendments), func(i int64) bool { return i >= g.head.Size })
	rests := []int64{0}
	for _, i := range amendments {
		if i < g.index {
			rests = append(rests, i)
		}
	}
	below, err := g.restsOn(append([]int64{g.index}, rests...)...)
	if err != nil {
		return err
	}
	for _, i := range append(rests, below...) {
		if fits, err := g.take([]int64{i}); !fits || err != nil {
			return err
		}
	}
	if g.terms, err = g.readTerms(info, amendments); err != nil {
		return err
	}
	waited, err := g.inForce(g.index)
	if err != nil {
		return err
	}
	for _, at := range waited {
		if fits, err := g.add([]int64{at}); !fits || err != nil {
			return err
		}
	}
	if err := g.logKeys(); err != nil {
		return err
	}
	return g.times()
}

// add adds records with all that they rest on, and links. It reports whether they
// fit; if not, it adds none.
func (g *gathering) add(indexes []int64, links ...verify.Link) (fits bool, err error) {
	rests, err := g.restsOn(indexes...)
	if err != nil {
		return false, err
	}
	return g.take(append(rests, indexes...), links...)
}

// take is add without what the records rest on.
func (g *gathering) take(indexes []int64, links ...verify.Link) (fits bool, err error) {
	var more []verify.Support
	room := g.room
	for _, i := range indexes {
		if g.have[i] || slices.ContainsFunc(more, func(s verify.Support) bool { return s.Index == i }) {
			continue
		}
		s, err := g.l.support(g.ctx, i, g.head)
		if err != nil {
			return false, err
		}
		more, room = append(more, s), room-s.Len()
	}
	links = slices.DeleteFunc(links, func(l verify.Link) bool {
		return slices.ContainsFunc(g.extra.Seen, func(o verify.Link) bool { return o.Index == l.Index && o.Size == l.Size })
	})
	for _, l := range links {
		room -= l.Len()
	}
	if room < 0 {
		return false, nil
	}
	for _, s := range more {
		g.have[s.Index] = true
	}
	g.room, g.extra.Support, g.extra.Seen = room, append(g.extra.Support, more...), append(g.extra.Seen, links...)
	return true, nil
}

// restsOn returns the indexes of what records rest on and is not there yet, these
// records aside: what they cite, and the enrolments of all who signed, up to the
// founders.
func (g *gathering) restsOn(indexes ...int64) ([]int64, error) {
	todo, found := slices.Clone(indexes), []int64(nil)
	add := func(i, below int64) {
		if i < below && !g.have[i] && !slices.Contains(todo, i) {
			todo, found = append(todo, i), append(found, i)
		}
	}
	for n := 0; n < len(todo); n++ { // todo grows while it is walked
		at := todo[n]
		u, err := g.parsed(at)
		if err != nil {
			return nil, err
		}
		for _, i := range g.cited(u) {
			add(i, at)
		}
		for _, h := range u.Headers() {
			k, err := rules.ReadKey(g.l.cfg.State, h.KID)
			if err != nil {
				return nil, err
			}
			if k == nil {
				continue
			}
			if n, _ := slices.BinarySearch(k.Indexes, at); n > 0 {
				add(k.Indexes[n-1], at)
			}
		}
	}
	return found, nil
}

func (g *gathering) parsed(index int64) (*record.Unverified, error) {
	if u := g.read[index]; u != nil {
		return u, nil
	}
	u, err := g.l.parsed(g.ctx, index)
	g.read[index] = u
	return u, err
}

// cited returns the indexes of the records that u names.
func (g *gathering) cited(u *record.Unverified) (all []int64) {
	for _, id := range record.Cited(u.Payload()) {
		hash, err := id.Hash()
		if err != nil {
			continue
		}
		if i, err := g.l.cfg.Log.Index(g.ctx, hash); err == nil {
			all = append(all, i)
		}
	}
	return all
}

// A change is the terms that the charter or an amendment sets.
type change struct {
	index int64
	terms *record.Terms
}

// readTerms returns the terms of the charter and of each amendment; without
// amendments no record is read.
func (g *gathering) readTerms(info *rules.CharterInfo, amendments []int64) ([]change, error) {
	if len(amendments) == 0 {
		return []change{{0, &info.Charter.Terms}}, nil
	}
	var all []change
	for _, i := range append([]int64{0}, amendments...) {
		u, err := g.parsed(i)
		if err != nil {
			return nil, err
		}
		switch p := u.Payload().(type) {
		case *record.Charter:
			all = append(all, change{i, &p.Terms})
		case *record.CharterAmend:
			all = append(all, change{i, &p.Terms})
		}
	}
	return all, nil
}

// inForce returns, for each amendment below an index that may have had to wait, the
// timemarks that began and ended its time: without them a verifier would judge by
// the terms before.
func (g *gathering) inForce(below int64) (marks []int64, err error) {
	for n, c := range g.terms {
		if c.index >= below {
			break
		}
		for _, old := range g.terms[:n] {
			if !rules.Weaker(old.terms, c.terms) {
				continue
			}
			since, err := rules.PublicSince(g.l.cfg.State, c.index)
			if err != nil {
				return nil, err
			}
			begin, err := rules.StepOver(g.l.cfg.State, c.index)
			if err != nil {
				return nil, err
			}
			end, err := rules.StepReaching(g.l.cfg.State, since+old.terms.PolicyLead*3600)
			if err != nil {
				return nil, err
			}
			for _, at := range []int64{begin, end} {
				if at >= below || slices.Contains(marks, at) {
					continue
				}
				t, err := g.timemark(at)
				if err != nil {
					return nil, err
				}
				if t != nil {
					marks = append(marks, at)
				}
			}
		}
	}
	return marks, nil
}

// between returns the amendments after the record up to an index, and what it takes
// for them to be in force there.
func (g *gathering) between(last int64) ([]int64, error) {
	marks, err := g.inForce(last)
	if err != nil {
		return nil, err
	}
	for _, c := range g.terms {
		if c.index > g.index && c.index <= last {
			marks = append(marks, c.index)
		}
	}
	return marks, nil
}

// logKeys adds, for each key that signs the checkpoints now and that only a later
// amendment names, the amendments up to that one.
func (g *gathering) logKeys() error {
	keys := []string{g.l.cfg.VKey}
	if g.l.PQ() {
		keys = append(keys, g.l.cfg.PQ.VKey().String())
	}
	for _, key := range keys {
		n := slices.IndexFunc(g.terms, func(c change) bool { return slices.Contains(c.terms.LogKeys, key) })
		if n < 0 || g.terms[n].index <= g.index {
			continue
		}
		later, err := g.between(g.terms[n].index)
		if err != nil {
			return err
		}
		if _, err := g.add(later); err != nil {
			return err
		}
	}
	return nil
}
