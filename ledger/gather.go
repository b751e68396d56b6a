package ledger

import (
	"context"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

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
	below, err := g.restsOn(g.index)
	if err != nil {
		return err
	}
	for _, i := range append(rests, below...) {
		if fits, err := g.add([]int64{i}); !fits || err != nil {
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
	if err := g.logKey(); err != nil {
		return err
	}
	return g.times()
}

// add adds records with all that they rest on, and links. It reports whether they
// fit; if not, it adds none.
func (g *gathering) add(indexes []int64, links ...verify.Link) (fits bool, err error) {
	var more []verify.Support
	room := g.room
	take := func(i int64) error {
		if g.have[i] || slices.ContainsFunc(more, func(s verify.Support) bool { return s.Index == i }) {
			return nil
		}
		s, err := g.l.support(g.ctx, i, g.head)
		more, room = append(more, s), room-s.Len()
		return err
	}
	for _, i := range indexes {
		rests, err := g.restsOn(i)
		if err != nil {
			return false, err
		}
		for _, j := range append(rests, i) {
			if err := take(j); err != nil {
				return false, err
			}
		}
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

// restsOn returns the indexes of what the record at index rests on and is not there
// yet: what it cites, and the enrolments of all who signed, up to the founders.
func (g *gathering) restsOn(index int64) ([]int64, error) {
	todo, found := []int64{index}, []int64(nil)
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

// logKey adds, if only a later amendment names the key that signs the checkpoints,
// the amendments up to that one.
func (g *gathering) logKey() error {
	for _, c := range g.terms {
		if !slices.Contains(c.terms.LogKeys, g.l.cfg.VKey) {
			continue
		}
		if c.index <= g.index {
			return nil
		}
		later, err := g.between(c.index)
		if err == nil {
			_, err = g.add(later)
		}
		return err
	}
	return nil
}

// times adds the timemarks that show when the record was signed and logged, and
// since when its clauses were public.
func (g *gathering) times() error {
	for _, part := range []func() (int64, []inTree, error){g.signedAfter, g.clausesPublic, g.loggedAfter, g.loggedBefore} {
		at, trees, err := part()
		if err != nil {
			return err
		}
		if at < 0 || at >= g.head.Size {
			continue
		}
		var links []verify.Link
		holds := true
		for _, t := range trees {
			l, ok, err := g.link(t)
			if err != nil {
				return err
			}
			links, holds = append(links, l), holds && ok
		}
		if !holds {
			continue
		}
		indexes := []int64{at}
		if at > g.index {
			between, err := g.between(at)
			if err != nil {
				return err
			}
			indexes = append(between, at)
		}
		if _, err := g.add(indexes, links...); err != nil {
			return err
		}
	}
	return nil
}

// An inTree is a tree in which the record at an index is to be proven.
type inTree struct {
	index, size int64
	root        tlog.Hash
}

// timemark returns the tree that the timemark at index covers, nil if there is no
// timemark.
func (g *gathering) timemark(index int64) (*verify.Checkpoint, error) {
	if index < 0 || index >= g.head.Size {
		return nil, nil
	}
	u, err := g.parsed(index)
	if err != nil {
		return nil, err
	}
	t, ok := u.Payload().(*record.Timemark)
	if !ok {
		return nil, nil
	}
	m, err := verify.Policies(nil).Mark(t, nil)
	return &m.Tree, err
}

// signedAfter returns the newest timemark in all trees that the signers have seen,
// and these trees.
func (g *gathering) signedAfter() (int64, []inTree, error) {
	seen := g.index
	var headers []record.Header
	for _, h := range g.record.Headers() {
		k, err := rules.ReadKey(g.l.cfg.State, h.KID)
		if err != nil {
			return -1, nil, err
		}
		if k != nil { // else it is a filer's, which does not count
			headers, seen = append(headers, h), min(seen, h.Seen.Size)
		}
	}
	at, err := g.markBefore(seen)
	if at < 0 || err != nil {
		return -1, nil, err
	}
	var trees []inTree
	for _, h := range headers {
		if t := (inTree{at, h.Seen.Size, h.Seen.Hash()}); !slices.Contains(trees, t) {
			trees = append(trees, t)
		}
	}
	return at, trees, nil
}

// clausesPublic returns the first timemark whose tree holds all policies that a
// decision cites, and this tree for each of them.
func (g *gathering) clausesPublic() (int64, []inTree, error) {
	d, ok := g.record.Payload().(*record.Decision)
	if !ok {
		return -1, nil, nil
	}
	var policies []int64
	for _, i := range g.cited(g.record) {
		u, err := g.parsed(i)
		if err != nil {
			return -1, nil, err
		}
		if slices.ContainsFunc(d.Grounds, func(c record.Ground) bool { return c.Record == u.ID() && c.Policy != "" }) && !slices.Contains(policies, i) {
			policies = append(policies, i)
		}
	}
	if len(policies) == 0 {
		return -1, nil, nil
	}
	at, err := rules.StepOver(g.l.cfg.State, slices.Max(policies))
	if at < 0 || at >= g.index || err != nil {
		return -1, nil, err
	}
	return g.markOver(at, policies)
}

// loggedAfter returns the newest timemark before the record.
func (g *gathering) loggedAfter() (int64, []inTree, error) {
	at, err := g.markBefore(g.index)
	return at, nil, err
}

// loggedBefore returns the first timemark whose tree holds the record, and this.
func (g *gathering) loggedBefore() (int64, []inTree, error) {
	at, err := rules.StepOver(g.l.cfg.State, g.index)
	if err != nil {
		return -1, nil, err
	}
	return g.markOver(at, []int64{g.index})
}

// markBefore returns the newest timemark below index, -1 if the ledger had no
// witnesses then.
func (g *gathering) markBefore(index int64) (int64, error) {
	at, err := rules.StepBefore(g.l.cfg.State, index)
	if err != nil {
		return -1, err
	}
	if t, err := g.timemark(at); t == nil || err != nil {
		return -1, err
	}
	return at, nil
}

// markOver returns the timemark at an index, with its tree for each of the records.
func (g *gathering) markOver(at int64, records []int64) (int64, []inTree, error) {
	t, err := g.timemark(at)
	if t == nil || err != nil {
		return -1, nil, err
	}
	var trees []inTree
	for _, i := range records {
		if i >= t.Size {
			return -1, nil, nil
		}
		trees = append(trees, inTree{i, t.Size, t.Root})
	}
	return at, trees, nil
}

// link proves a record in an earlier tree, and checks the proof as its reader will.
// ok is false if it does not hold: then the tree is not one of this log.
func (g *gathering) link(t inTree) (l verify.Link, ok bool, err error) {
	u, err := g.parsed(t.index)
	if err != nil {
		return l, false, err
	}
	proof, err := tlog.ProveRecord(t.size, t.index, keptOrTiles{&g.head.nodes, tileReader{g.ctx, g.l.cfg.Log}})
	if err != nil {
		return l, false, err
	}
	return verify.Link{Index: t.index, Size: t.size, Proof: proof}, tlog.CheckRecord(proof, t.size, t.root, t.index, u.Leaf()) == nil, nil
}
