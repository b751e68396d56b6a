package verify

import (
	"bytes"
	"cmp"
	"crypto"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// ErrNotShown says that a receipt does not hold together with what is at hand:
// the keys of its signers are not in it. Nothing is known to be wrong; the full
// receipt, or further support, would tell.
var ErrNotShown = errors.New("not shown in this file")

// Proven is what a receipt proves under a trust policy: that the log holds the
// record at this place; and, if it is full, that the keys of these holders
// signed it and that it is effective as far as the file shows. It proves no
// absence: that a key was not revoked, or the decision not reversed since.
type Proven struct {
	Signed Signed // the checkpoint
	// Head extends that checkpoint, if CheckOptions named it.
	Head  *Signed
	Index int64
	ID    record.ID
	// Record was checked, signatures included, if Full is set; else only
	// its spelling was.
	Record *record.Unverified
	Full   bool

	// Times is between which times it was signed and logged. Of a bare
	// receipt only NotAfter is known.
	Times Times

	// The rest is there only if Full is set.

	// Standing is the record's, by the rules that need no other record than
	// those in the file.
	Standing rules.Standing
	Charter  *record.Charter
	Signers  []Signer
	Clauses  []CitedClause
}

// A Signer is a signature and the holder of its key.
type Signer struct {
	Header record.Header
	Holder string
	Roles  []record.Role
	// Enrolled is the index of the record that enrolled the key, 0 being
	// the charter.
	Enrolled int64
	Recovery bool
	// Filer says that it is the filer's own key of an appeal: its signature
	// is checked and shown, and does not count.
	Filer bool
}

// A CitedClause is a clause that a decision rests on, as it was published.
type CitedClause struct {
	Ground record.Ground
	Title  string // of the policy
	Clause record.Clause
	// Published is the index of the policy, PublishedAt its newest iat: a
	// claimed time.
	Published   int64
	PublishedAt record.Time
	// PublishedBy is since when it is in the log at the latest, as witnesses
	// show.
	PublishedBy Bound
	Historic    bool
}

// CheckOptions are what is at hand beside a receipt.
type CheckOptions struct {
	// Record is that of a bare receipt, nil for a full one.
	Record []byte
	// More is support that did not fit into the receipt.
	More []Support
	// Head, if set, is a checkpoint that the policies take and that extends
	// the receipt's: the caller has checked it with Tree.Extends. Then that
	// one needs no witnesses, and may be signed with a retired key.
	Head *Signed
}

// Check reports what r proves under p alone. rec is the record beside a bare
// receipt, nil for a full one; more is support that did not fit into it. See
// Policies.Check.
func (r Receipt) Check(p *Policy, rec []byte, more ...Support) (*Proven, error) {
	return Policies{p}.Check(r, CheckOptions{Record: rec, More: more})
}

// Check reports what r proves under the newest policy that takes its checkpoint.
// The error says why r does not hold; it wraps ErrNotShown if nothing is wrong but
// something is missing. A record that is void as far as the file shows is no
// error: see Proven.Standing.
func (ps Policies) Check(r Receipt, opt CheckOptions) (*Proven, error) {
	signed, err := ps.Open(r.Checkpoint)
	if opt.Head != nil && (errors.Is(err, ErrRetired) || errors.Is(err, ErrQuorum)) {
		err = nil
	}
	if err != nil {
		return nil, err
	}
	extra := Extra{Record: opt.Record}
	if r.Extra != nil {
		if extra, err = ParseExtra(r.Extra); err != nil {
			return nil, err
		}
		if opt.Record != nil && !bytes.Equal(opt.Record, extra.Record) {
			return nil, errors.New("the receipt is for another record than the one beside it")
		}
	}
	if extra.Record == nil {
		return nil, fmt.Errorf("a bare receipt: give the record it is for: %w", ErrNotShown)
	}
	if err := r.Included(signed.Checkpoint, tlog.RecordHash(extra.Record)); err != nil {
		return nil, err
	}
	u, err := record.Parse(extra.Record)
	if err != nil {
		return nil, err
	}
	proven := &Proven{Signed: signed, Index: r.Index, ID: u.ID(), Head: opt.Head, Record: u, Full: r.Extra != nil}
	c := newChecker(ps, signed)
	if proven.Full {
		if err := c.all(proven, extra, opt.More); err != nil {
			return nil, err
		}
	}
	for _, s := range []*Signed{&signed, opt.Head} {
		if s != nil {
			_, by := ps.Dated(signed.Checkpoint.Origin, c.terms, s.Note)
			proven.Times.NotAfter = proven.Times.NotAfter.Earlier(by)
		}
	}
	return proven, nil
}

func mergeSupport(a, b []Support) []Support {
	all := slices.Concat(a, b)
	slices.SortStableFunc(all, func(x, y Support) int { return cmp.Compare(x.Index, y.Index) })
	return slices.CompactFunc(all, func(x, y Support) bool { return x.Index == y.Index })
}

// ring is the keys that the support brings.
type ring struct {
	record.Keyring
	origin string
}

// Origin implements record.Keys.
func (r ring) Origin() string { return r.origin }

// checker judges the records of a receipt in order.
type checker struct {
	policies  Policies
	signed    Signed
	fold      *rules.Fold
	keys      ring
	supported []supported
	terms     *record.Terms // of the newest charter or amendment so far
	opened    *record.Terms // in force at the newest timemark
	marks     []mark
	linked    map[place]bool // the proofs of seen that hold
}

type supported struct {
	index  int64
	record record.Checked
}

func newChecker(ps Policies, signed Signed) *checker {
	c := &checker{policies: ps, signed: signed, keys: ring{record.Keyring{}, signed.Checkpoint.Origin}, linked: map[place]bool{}}
	c.fold = rules.NewExcerpt(func(origin string, terms *record.Terms, checkpoint string) (rules.Head, error) {
		c.opened = terms
		return OpenTimemark(origin, terms, checkpoint)
	})
	return c
}

// all judges what a full receipt holds, in the order of the log.
func (c *checker) all(p *Proven, extra Extra, more []Support) error {
	support := mergeSupport(extra.Support, more)
	after, found := slices.BinarySearchFunc(support, p.Index, func(s Support, index int64) int { return cmp.Compare(s.Index, index) })
	if found {
		return fmt.Errorf("support, record %d: it is the record itself", p.Index)
	}
	for _, s := range support[:after] {
		if err := c.support(s, false); err != nil {
			return fmt.Errorf("support, record %d: %w", s.Index, err)
		}
	}
	if err := c.judge(p); err != nil {
		return err
	}
	for _, s := range support[after:] {
		if err := c.support(s, true); err != nil {
			return fmt.Errorf("support, record %d: %w", s.Index, err)
		}
	}
	if err := c.logKey(p); err != nil {
		return err
	}
	if err := c.links(p, extra.Seen); err != nil {
		return err
	}
	c.times(p)
	return nil
}

// support proves and judges one supporting record: it must be effective. After
// the record itself stands only what says whose the log key is, and when the
// record was there.
func (c *checker) support(s Support, after bool) error {
	u, err := record.Parse(s.Record)
	if err != nil {
		return err
	}
	if after && !MayFollow(u.Payload()) {
		return fmt.Errorf("a %s that stands after the record", u.Payload().Head().Type)
	}
	if err := (Receipt{Index: s.Index, Proof: s.Proof}).Included(c.signed.Checkpoint, u.Leaf()); err != nil {
		return err
	}
	checked, err := u.Verify(c.keys)
	if record.CodeOf(err) == record.KeyUnknown {
		return fmt.Errorf("the key of a signer: %w", ErrNotShown)
	}
	if err != nil {
		return err
	}
	standing, err := c.fold.Apply(s.Index, checked)
	if err != nil {
		return err
	}
	if !standing.Effective() {
		return fmt.Errorf("it is void: %v", standing.Codes)
	}
	c.add(s.Index, checked)
	return c.effective(s.Index, checked.Payload())
}

// effective takes over what an effective record says of witnesses and of the time.
func (c *checker) effective(index int64, p record.Payload) error {
	switch p := p.(type) {
	case *record.Charter:
		c.terms = &p.Terms
	case *record.CharterAmend:
		c.terms = &p.Terms
	case *record.Timemark:
		m, err := c.policies.Mark(p, c.opened)
		if err != nil {
			return err
		}
		c.marks = append(c.marks, mark{index, m})
	}
	return nil
}

// SupportOf returns those of the records at hand that may support the one at index:
// what stands before it, and after it what MayFollow allows.
func SupportOf(index int64, from []Support) []Support {
	return slices.DeleteFunc(slices.Clone(from), func(s Support) bool {
		if s.Index <= index {
			return s.Index == index
		}
		u, err := record.Parse(s.Record)
		return err != nil || !MayFollow(u.Payload())
	})
}

// MayFollow reports whether a record may support one that stands before it.
func MayFollow(p record.Payload) bool {
	switch p.(type) {
	case *record.CharterAmend, *record.KeyEnrol, *record.Timemark:
		return true
	}
	return false
}

func (c *checker) add(index int64, r record.Checked) {
	for kid, key := range record.NewKeyring(r.Payload()) {
		c.keys.Keyring[kid] = key
	}
	c.supported = append(c.supported, supported{index, r})
}

// judge checks the record itself, and tells who signed it under which clauses.
func (c *checker) judge(p *Proven) error {
	checked, err := p.Record.Verify(c.keys)
	if record.CodeOf(err) == record.KeyUnknown {
		return fmt.Errorf("the key of a signer: %w", ErrNotShown)
	}
	if err != nil {
		return err
	}
	if p.Standing, err = c.fold.Apply(p.Index, checked); err != nil {
		return err
	}
	c.add(p.Index, checked)
	if p.Standing.Effective() {
		if err := c.effective(p.Index, checked.Payload()); err != nil {
			return err
		}
	}
	charter, ok := c.supported[0].record.Payload().(*record.Charter)
	if !ok || c.supported[0].index != 0 {
		return fmt.Errorf("the charter: %w", ErrNotShown)
	}
	p.Charter = charter
	for _, h := range checked.Headers() {
		p.Signers = append(p.Signers, c.signer(h))
	}
	if d, ok := checked.Payload().(*record.Decision); ok {
		for _, g := range d.Grounds {
			if clause, ok := c.clause(g); ok {
				p.Clauses = append(p.Clauses, clause)
			}
		}
	}
	return nil
}

// logKey checks that the ledger itself names the key that signed the checkpoint.
func (c *checker) logKey(p *Proven) error {
	switch {
	case c.namesLogKey(p):
		return nil
	case p.Charter.Rules == 0: // which is never amended
		return fmt.Errorf("the charter does not name the key that signed the checkpoint, %s", p.Signed.LogKey)
	}
	return fmt.Errorf("that the charter, or an amendment, names the key which signed the checkpoint, %s: %w; the receipt of that amendment would show it", p.Signed.LogKey, ErrNotShown)
}

// namesLogKey reports whether the charter or an amendment in the file names a key
// of the log.
func (c *checker) namesLogKey(p *Proven) bool {
	key := p.Signed.LogKey.String()
	return slices.ContainsFunc(c.supported, func(s supported) bool {
		if s.index == p.Index && !p.Standing.Effective() {
			return false
		}
		switch p := s.record.Payload().(type) {
		case *record.Charter:
			return slices.Contains(p.LogKeys, key)
		case *record.CharterAmend:
			return slices.Contains(p.LogKeys, key)
		}
		return false
	})
}

// Key implements record.Keys.
func (r ring) Key(kid string) crypto.PublicKey { return r.Keyring.Key(kid) }
