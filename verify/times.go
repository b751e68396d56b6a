package verify

import (
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/verify/record"
)

// A Bound is an end of an interval of time.
type Bound struct {
	At int64 // in seconds since 1970, 0 where it is not known
	// Proven says that a quorum of the trust policy's own witnesses shows it;
	// else only witnesses that the ledger's charter names do.
	Proven bool
}

// Times is between which times a record was signed and logged. docs/format.md,
// section 6.1, says why each of them holds.
type Times struct {
	// NotBefore: every signature that counts is younger.
	NotBefore Bound
	// Logged: it was put into the log no earlier, the ledger time T.
	Logged Bound
	// NotAfter: it was in the log by then, with its signatures.
	NotAfter Bound
}

// Dated returns what the cosignatures under a checkpoint of a log prove of the
// time: that it is younger than notBefore, and older than notAfter. They are
// proven if the quorum of one of the policies shows them, else claimed if the
// witnesses of terms do, else not known. terms may be nil.
func (ps Policies) Dated(origin string, terms *record.Terms, checkpoint []byte) (notBefore, notAfter Bound) {
	for i := len(ps) - 1; i >= 0; i-- {
		s, err := ps[i].Open(checkpoint)
		if err != nil || s.Checkpoint.Origin != origin {
			continue
		}
		if before, after, ok := ps[i].Times(s.Cosignatures); ok {
			return Bound{before, true}, Bound{after, true}
		}
	}
	if terms == nil {
		return Bound{}, Bound{}
	}
	head, err := OpenTimemark(origin, terms, string(checkpoint))
	if err != nil {
		return Bound{}, Bound{}
	}
	return Bound{At: head.NotBefore}, Bound{At: head.NotAfter}
}

// Later returns the better of two lower bounds: what is proven beats what is
// claimed, then the later one.
func (b Bound) Later(other Bound) Bound {
	if b.At == 0 || other.At != 0 && (other.Proven && !b.Proven || other.Proven == b.Proven && other.At > b.At) {
		return other
	}
	return b
}

// Earlier returns the better of two upper bounds.
func (b Bound) Earlier(other Bound) Bound {
	if b.At == 0 || other.At != 0 && (other.Proven && !b.Proven || other.Proven == b.Proven && other.At < b.At) {
		return other
	}
	return b
}

// and returns the lower bound of two things together: no better than either.
func (b Bound) and(other Bound) Bound {
	if b.At == 0 || other.At == 0 {
		return Bound{}
	}
	return Bound{min(b.At, other.At), b.Proven && other.Proven}
}

// A Mark is what a timemark shows: whatever names its bytes by a hash is younger
// than NotBefore, and what is in Tree is older than NotAfter. That Tree is one of
// the log which holds the timemark is not checked.
type Mark struct {
	Tree                Checkpoint
	NotBefore, NotAfter Bound
}

// Mark reads a timemark under the terms of the charter, which may be nil. The error
// says that it holds no checkpoint.
func (ps Policies) Mark(t *record.Timemark, terms *record.Terms) (Mark, error) {
	text, _, err := parseNote([]byte(t.Checkpoint))
	if err != nil {
		return Mark{}, err
	}
	m := Mark{}
	if m.Tree, err = ParseCheckpoint(text); err != nil {
		return Mark{}, err
	}
	m.NotBefore, m.NotAfter = ps.Dated(t.Ledger, terms, []byte(t.Checkpoint))
	return m, nil
}

// A mark is a timemark of a receipt, with its index.
type mark struct {
	index int64
	Mark
}

// place is a record in a tree of a size.
type place struct{ index, size int64 }

// links checks the proofs of seen: each record that one names is in every tree of
// that size which a signer or a timemark names, and there is one.
func (c *checker) links(p *Proven, links []Link) error {
	roots := map[int64][]tlog.Hash{}
	for _, h := range p.Record.Headers() {
		roots[h.Seen.Size] = append(roots[h.Seen.Size], h.Seen.Hash())
	}
	for _, m := range c.marks {
		roots[m.Tree.Size] = append(roots[m.Tree.Size], m.Tree.Root)
	}
	leaves := map[int64]tlog.Hash{}
	for _, s := range c.supported {
		leaves[s.index] = s.record.Leaf()
	}
	for _, l := range links {
		leaf, ok := leaves[l.Index]
		if !ok || len(roots[l.Size]) == 0 {
			return fmt.Errorf("seen: record %d in the tree of size %d: the file does not hold that record, or nothing in it names that tree", l.Index, l.Size)
		}
		for _, root := range roots[l.Size] {
			if err := tlog.CheckRecord(l.Proof, l.Size, root, l.Index, leaf); err != nil {
				return fmt.Errorf("seen: record %d is not proven in the tree of size %d that the file names: %w", l.Index, l.Size, err)
			}
		}
		c.linked[place{l.Index, l.Size}] = true
	}
	return nil
}

// times finds out what is proven of the time of the record and of its clauses.
func (c *checker) times(p *Proven) {
	for _, m := range c.marks {
		if m.index < p.Index {
			p.Times.Logged = p.Times.Logged.Later(m.NotBefore)
		}
	}
	p.Times.NotAfter = p.Times.NotAfter.Earlier(c.publicBy(p.Index))
	for i := range p.Clauses {
		p.Clauses[i].PublishedBy = c.publicBy(p.Clauses[i].Published)
	}
	first := true
	for _, s := range p.Signers {
		if s.Filer {
			continue
		}
		signed := c.youngerThan(s.Header.Seen.Size)
		if first {
			p.Times.NotBefore, first = signed, false
		} else {
			p.Times.NotBefore = p.Times.NotBefore.and(signed)
		}
	}
}

// youngerThan returns what a signature over the root of a tree of that size is
// younger than: the timemarks that are proven in it.
func (c *checker) youngerThan(seen int64) (b Bound) {
	for _, m := range c.marks {
		if c.linked[place{m.index, seen}] {
			b = b.Later(m.NotBefore)
		}
	}
	return b
}

// publicBy returns what the record at index is older than: the cosignatures on
// the trees in which it is proven.
func (c *checker) publicBy(index int64) (b Bound) {
	for _, m := range c.marks {
		if c.linked[place{index, m.Tree.Size}] {
			b = b.Earlier(m.NotAfter)
		}
	}
	return b
}
