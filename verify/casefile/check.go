package casefile

import (
	"errors"
	"fmt"
	"slices"

	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
	"github.com/docket-ledger/docket/verify/telling"
)

// Check proves every receipt under one of the policies, and that the effective
// acts follow each other without a gap from the one that opened the case. It
// returns what is to be told. The error says what does not hold; it wraps
// verify.ErrNotShown if nothing is wrong but something is missing.
func (f *File) Check(policies verify.Policies) (*telling.Case, error) {
	c := &checker{file: f, policies: policies, trees: map[int64]verify.Checkpoint{},
		support: map[string][]verify.Support{}, known: map[record.ID]bool{}}
	story := &telling.Case{Name: f.Case, Origin: f.Origin}
	for _, e := range f.Entries {
		p, err := c.proven(e)
		if err == nil {
			err = c.follows(p, e.SaidVoid)
		}
		if err != nil {
			return nil, fmt.Errorf("entry %d: %w", e.Index, err)
		}
		c.known[p.ID] = true
		story.Size = max(story.Size, p.Signed.Checkpoint.Size)
		story.Entries = append(story.Entries, telling.Entry{Index: p.Index, ID: p.ID, Payload: p.Record.Payload(), Standing: p.Standing,
			Signers: p.Signers, Clauses: p.Clauses, Times: p.Times, Interval: claimed(p), SaidVoid: e.SaidVoid})
	}
	return story, nil
}

// checker checks the records of a file in order.
type checker struct {
	file     *File
	policies verify.Policies
	trees    map[int64]verify.Checkpoint // of the receipts, by size
	// support is what the receipts so far hold, by their checkpoints: what did
	// not fit into one may be in another.
	support map[string][]verify.Support
	tip     record.ID          // the newest effective act, "" if there is none
	known   map[record.ID]bool // the records so far
}

// proven proves the receipt of e, and that it is what the list says.
func (c *checker) proven(e Entry) (*verify.Proven, error) {
	receipt, err := verify.ParseReceipt(e.Receipt)
	if err != nil {
		return nil, err
	}
	p, err := c.prove(receipt)
	if err != nil {
		return nil, err
	}
	cp := p.Signed.Checkpoint
	tree, other := c.trees[cp.Size]
	switch {
	case cp.Origin != c.file.Origin || p.Index != e.Index || p.ID != e.ID || p.Record.Payload().Head().Type != e.Type:
		return nil, fmt.Errorf("the receipt is of entry %d, %s, of %s, and not of what case.json says", p.Index, p.ID, cp.Origin)
	case other && tree != cp:
		return nil, fmt.Errorf("the log signed two trees of size %d, and both are in this file", cp.Size)
	}
	c.trees[cp.Size] = cp
	return p, c.keep(receipt, p, e.SaidVoid)
}

// prove checks a receipt under the newest policy that takes its checkpoint.
func (c *checker) prove(r verify.Receipt) (*verify.Proven, error) {
	if r.Extra == nil {
		return nil, errors.New("a bare receipt, where a full one belongs")
	}
	p, err := c.policies.Check(r, verify.CheckOptions{})
	if more := c.support[string(r.Checkpoint)]; errors.Is(err, verify.ErrNotShown) && len(more) > 0 {
		return c.policies.Check(r, verify.CheckOptions{More: verify.SupportOf(r.Index, more)})
	}
	return p, err
}

// keep keeps what a receipt can add to later ones.
func (c *checker) keep(r verify.Receipt, p *verify.Proven, saidVoid bool) error {
	extra, err := verify.ParseExtra(r.Extra)
	if err != nil {
		return err
	}
	if p.Standing.Effective() && !saidVoid {
		extra.Support = append(extra.Support, verify.Support{Index: r.Index, Record: extra.Record, Proof: r.Proof})
	}
	all := c.support[string(r.Checkpoint)]
	for _, s := range extra.Support {
		if !slices.ContainsFunc(all, func(t verify.Support) bool { return t.Index == s.Index }) {
			all = append(all, s)
		}
	}
	c.support[string(r.Checkpoint)] = all
	return nil
}

// follows holds a record to its place: acts of this case in their chain, others
// about one of them.
func (c *checker) follows(p *verify.Proven, saidVoid bool) error {
	act, ok := p.Record.Payload().(record.Act)
	if !ok {
		if !slices.ContainsFunc(record.Cited(p.Record.Payload()), func(id record.ID) bool { return c.known[id] }) {
			return errors.New("it neither belongs to the case nor speaks about a record of it")
		}
		return nil
	}
	name, prev := act.Place()
	switch {
	case name != c.file.Case:
		return fmt.Errorf("it is an act of case %s", name)
	case saidVoid || !p.Standing.Effective():
		return nil
	case prev == c.tip:
		c.tip = p.ID
		return nil
	case prev == "":
		return errors.New("it opens the case, which was open")
	case c.known[prev]:
		return fmt.Errorf("it follows %s, which is void or not the newest act before it", prev)
	}
	return fmt.Errorf("it follows %s, which is not here: %w", prev, verify.ErrNotShown)
}

// claimed is between which times a record was signed, as its signers say.
func claimed(p *verify.Proven) rules.Interval {
	i := rules.Interval{}
	for _, h := range p.Record.Headers() {
		if i.NotBefore == 0 || h.IAT < i.NotBefore {
			i.NotBefore = h.IAT
		}
		i.NotAfter = max(i.NotAfter, h.IAT)
	}
	return i
}
