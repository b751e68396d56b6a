package ledger

import (
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// times adds the timemarks that show when the record was signed and logged, and
// since when its clauses were public.
func (g *gathering) times() error {
	if !slices.ContainsFunc(g.terms, func(c change) bool { return !slices.Equal(c.terms.Witnesses, []string{rules.NoWitnesses}) }) {
		return nil
	}
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
