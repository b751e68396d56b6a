package verify

import (
	"errors"
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/verify/record"
)

// What evidence may rest on: a log's own signature accuses the log, with or
// without witnesses. But a key that was retired may be in other hands: what only
// that key signed counts only if a quorum of the witnesses of its epoch cosigned
// it. An honest log that lost an old key can't be accused with it.

// ErrNoProof says that evidence proves nothing under the policies, though the
// file is in order: what it shows may happen to an honest log.
var ErrNoProof = errors.New("this proves nothing")

// An Accusation is what evidence proves.
type Accusation struct {
	Kind   Kind
	Origin string

	// Statements are the checkpoints that the log signed, the older tree first;
	// of KindRecord there is one.
	Statements []Statement

	// Against says whose signatures can't all be true: the log's, unless the
	// contradiction is only one witness's.
	Against Signature
	// Dates, in KindRollback, are when Against dated the larger checkpoint and
	// then the smaller one, in seconds since 1970.
	Dates [2]int64

	// Root, in KindFork, is the root that the larger tree had at the size of the
	// other one.
	Root tlog.Hash

	// Index is the place of Entries in KindEntry, and of the entry in
	// KindRecord. Leaves are their leaf hashes; an entry is nil where the file
	// has only that.
	Index   int64
	Entries [][]byte
	Leaves  []tlog.Hash

	// Code and Detail, in KindRecord, say what is wrong with the record.
	Code   record.Code
	Detail string
}

// A Statement is a checkpoint of an accusation.
type Statement struct {
	Checkpoint Checkpoint
	Note       []byte // as signed
	// Signatures are those by keys of the policies, all of which hold, in the
	// order of the lines.
	Signatures []Signature
	// Ignored counts the signature lines of other keys. They were not checked.
	Ignored int
}

// A Signature is a signature line that holds.
type Signature struct {
	Key     VKey
	Log     bool   // it is a log's
	Witness string // its name in the policy, if it is a witness's
	Time    int64  // when the key says it signed, in seconds since 1970; 0 if it does not say
}

// Both are witnesses of the policies that cosigned every statement: of a fork
// they have vouched for both sides.
func (a *Accusation) Both() []Signature {
	var both []Signature
	for _, s := range a.Statements[0].Signatures {
		if s.Witness != "" && !s.Log && len(a.Statements) == 2 && slices.ContainsFunc(a.Statements[1].Signatures, s.sameKey) {
			both = append(both, s)
		}
	}
	return both
}

func (s Signature) sameKey(o Signature) bool { return s.Key.String() == o.Key.String() }

// Prove reports what e proves to whoever trusts the keys of the policies. The
// error wraps ErrNoProof if nothing follows from what the file shows; any other
// one says what in the file does not hold.
func (ps Policies) Prove(e Evidence) (*Accusation, error) {
	if e.V != 1 {
		return nil, fmt.Errorf("evidence: version %d, want 1", e.V)
	}
	kind := e.Kind
	if kind == "" {
		switch {
		case e.Record != "":
			kind = KindSeen
		case e.Root != "":
			kind = KindFork
		default:
			kind = KindRollback
		}
	}
	prove := map[Kind]func(Evidence) (*Accusation, error){
		KindFork: ps.proveFork, KindRollback: ps.proveRollback, KindEntry: ps.proveEntry, KindRecord: ps.proveRecord, KindSeen: ps.proveSeen,
	}[kind]
	if prove == nil {
		return nil, fmt.Errorf("evidence of kind %.40q: a newer docket-verify may know it", kind)
	}
	if err := e.only(kind); err != nil {
		return nil, err
	}
	a, err := prove(e)
	if err != nil {
		return nil, fmt.Errorf("evidence: %w", err)
	}
	a.Kind = kind
	if len(a.Statements) == 2 && a.Statements[0].Checkpoint.Size > a.Statements[1].Checkpoint.Size {
		slices.Reverse(a.Statements)
		slices.Reverse(a.Entries)
		slices.Reverse(a.Leaves)
	}
	return a, nil
}

// only checks that e has no members that its kind does not have: what nobody
// checks must not be there.
func (e Evidence) only(kind Kind) error {
	two := kind == KindFork || kind == KindRollback
	switch {
	case (e.Old != "") != two,
		(e.New != "") != (two || kind == KindSeen),
		(e.Record != "") != (kind == KindSeen), (e.KID != "") != (kind == KindSeen),
		(e.Root != "" || len(e.Proof) > 0) && (kind == KindRollback || kind == KindEntry),
		(len(e.Places) == 2) != (kind == KindEntry || kind == KindRecord), len(e.Places) > 2,
		len(e.Keys) > 0 && kind != KindRecord, len(e.Keys) > 16:
		return fmt.Errorf("evidence of kind %s: members are missing, or there are some that this kind does not have", kind)
	}
	return nil
}

// statement opens a checkpoint that is to accuse. A log key of the newest policy
// of its log signed it, or one of an earlier epoch together with a quorum of the
// witnesses of then.
func (ps Policies) statement(note string) (Statement, error) {
	err := errors.New("no trust policy")
	var found Signed
	for i := len(ps) - 1; i >= 0 && found.Note == nil; i-- {
		s, e := ps[i].Open([]byte(note))
		old := ps.superseded(i, s.Checkpoint.Origin)
		switch {
		case e == nil && (!old || ps[i].quorum != none), errors.Is(e, ErrQuorum) && !old:
			found = s
		case e == nil, errors.Is(e, ErrQuorum):
			err = fmt.Errorf("checkpoint of %s, size %d: %w: %w", s.Checkpoint.Origin, s.Checkpoint.Size, ErrRetired, ErrNoProof)
		case errors.Is(e, ErrUnknownLog):
			if !errors.Is(err, ErrRetired) {
				err = e
			}
		default:
			return Statement{}, e
		}
	}
	if found.Note == nil {
		return Statement{}, err
	}
	return ps.signatures(found)
}

// signatures finds the signature lines of all keys of the policies.
func (ps Policies) signatures(s Signed) (Statement, error) {
	st := Statement{Checkpoint: s.Checkpoint, Note: s.Note}
	text, sigs, err := parseNote(s.Note)
	if err != nil {
		return Statement{}, err
	}
	for _, sig := range sigs {
		var m *member
		for i := len(ps) - 1; i >= 0 && m == nil; i-- {
			m = ps[i].keys[keyRef{sig.name, sig.id}]
		}
		if m == nil {
			st.Ignored++
			continue
		}
		time, ok := m.key.verify(text, s.Checkpoint, sig.sig)
		if !ok {
			return Statement{}, fmt.Errorf("checkpoint of %s: %w: that of %s+%08x", s.Checkpoint.Origin, ErrSignature, sig.name, sig.id)
		}
		st.Signatures = append(st.Signatures, Signature{Key: m.key, Log: m.log, Witness: m.witness, Time: time})
	}
	return st, nil
}

// log returns the log's own signature.
func (s Statement) log() Signature {
	i := slices.IndexFunc(s.Signatures, func(g Signature) bool { return g.Log && g.Key.Name == s.Checkpoint.Origin })
	if i < 0 {
		return Signature{}
	}
	return s.Signatures[i]
}

// pair opens two checkpoints of one log.
func (ps Policies) pair(a, b string) (*Accusation, error) {
	first, err := ps.statement(a)
	if err != nil {
		return nil, err
	}
	second, err := ps.statement(b)
	if err != nil {
		return nil, err
	}
	if first.Checkpoint.Origin != second.Checkpoint.Origin {
		return nil, fmt.Errorf("one checkpoint is of %s, the other of %s: %w", first.Checkpoint.Origin, second.Checkpoint.Origin, ErrOrigin)
	}
	return &Accusation{Origin: first.Checkpoint.Origin, Statements: []Statement{first, second}, Against: second.log()}, nil
}

func (ps Policies) proveFork(e Evidence) (*Accusation, error) {
	a, err := ps.pair(e.Old, e.New)
	if err != nil {
		return nil, err
	}
	f := ForkError{Old: a.Statements[0].Checkpoint, New: a.Statements[1].Checkpoint, Root: a.Statements[1].Checkpoint.Root}
	switch {
	case !f.twoSizes():
		if f.Root, f.Proof, err = e.rootAndProof(); err != nil {
			return nil, err
		}
	case e.Root != "" || len(e.Proof) > 0:
		return nil, errors.New("both checkpoints have one root: there is nothing to prove with another")
	}
	if err := f.Check(); err != nil {
		return nil, err
	}
	a.Root = f.Root
	return a, nil
}

func (ps Policies) proveRollback(e Evidence) (*Accusation, error) {
	a, err := ps.pair(e.Old, e.New)
	if err != nil {
		return nil, err
	}
	smaller, before := a.Statements[0], a.Statements[1]
	if smaller.Checkpoint.Size >= before.Checkpoint.Size {
		return nil, fmt.Errorf("the checkpoint of size %d is not smaller than that of size %d", smaller.Checkpoint.Size, before.Checkpoint.Size)
	}
	for _, s := range smaller.Signatures {
		for _, b := range before.Signatures {
			if s.sameKey(b) && b.Time != 0 && s.Time > b.Time && (a.Dates[0] == 0 || s.Log) {
				a.Against, a.Dates = s, [2]int64{b.Time, s.Time}
			}
		}
	}
	if a.Dates[0] == 0 {
		return nil, fmt.Errorf("%w: %s signed a tree of %d entries and one of %d, and no key says that it signed the smaller one later: it may be an old copy",
			ErrNoProof, a.Origin, before.Checkpoint.Size, smaller.Checkpoint.Size)
	}
	return a, nil
}

func (ps Policies) proveEntry(e Evidence) (*Accusation, error) {
	a, err := ps.pair(e.Places[0].Checkpoint, e.Places[1].Checkpoint)
	if err != nil {
		return nil, err
	}
	for i, p := range e.Places {
		if err := a.place(p, a.Statements[i].Checkpoint); err != nil {
			return nil, err
		}
	}
	if e.Places[0].Index != e.Places[1].Index {
		return nil, fmt.Errorf("one entry stands at %d, the other at %d", e.Places[0].Index, e.Places[1].Index)
	}
	if a.Leaves[0] == a.Leaves[1] {
		return nil, fmt.Errorf("both trees hold the same entry %d", a.Index)
	}
	return a, nil
}

// place checks that a checkpoint holds an entry, and adds it to a.
func (a *Accusation) place(p Place, cp Checkpoint) error {
	var entry []byte
	var leaf tlog.Hash
	var err error
	switch {
	case (p.Entry == "") == (p.Leaf == ""):
		return fmt.Errorf("entry %d has to have its bytes or its leaf hash", p.Index)
	case p.Leaf != "":
		leaf, err = parseHash(p.Leaf)
	default:
		entry, err = decode64(p.Entry)
		leaf = tlog.RecordHash(entry)
	}
	if err != nil {
		return fmt.Errorf("entry %d: %w", p.Index, err)
	}
	proof, err := parseHashes(p.Proof)
	if err != nil {
		return err
	}
	if err := (Receipt{Index: p.Index, Proof: proof}).Included(cp, leaf); err != nil {
		return err
	}
	a.Index = p.Index
	a.Entries, a.Leaves = append(a.Entries, entry), append(a.Leaves, leaf)
	return nil
}

// proveSeen says why a record in which somebody saw another tree is no proof.
func (ps Policies) proveSeen(e Evidence) (*Accusation, error) {
	s, err := ps.statement(e.New)
	if err != nil {
		return nil, err
	}
	u, err := record.Parse([]byte(e.Record))
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(u.Headers(), func(h record.Header) bool { return h.KID == e.KID })
	if i < 0 {
		return nil, fmt.Errorf("the key %q is no signer of the record", e.KID)
	}
	seen, cp := u.Headers()[i].Seen, s.Checkpoint
	what := fmt.Sprintf("%s signed a tree of %d entries, and the key %s says in a record that it saw one of %d", cp.Origin, cp.Size, e.KID, seen.Size)
	if e.Root != "" {
		f := ForkError{Old: Checkpoint{cp.Origin, seen.Size, seen.Hash()}, New: cp}
		if f.Root, f.Proof, err = e.rootAndProof(); err != nil {
			return nil, err
		}
		if err := f.Check(); err != nil {
			return nil, err
		}
		what += fmt.Sprintf(" with another root, %v", seen.Hash())
	}
	return nil, fmt.Errorf("%w against the log alone: %s. Either lied; the checkpoint that the signer saw would show which", ErrNoProof, what)
}

func (e Evidence) rootAndProof() (root tlog.Hash, proof []tlog.Hash, err error) {
	if root, err = parseHash(e.Root); err != nil {
		return root, nil, fmt.Errorf("root: %w", err)
	}
	proof, err = parseHashes(e.Proof)
	return root, proof, err
}

// parseHashes reads a proof.
func parseHashes(texts []string) ([]tlog.Hash, error) {
	if len(texts) > 2*maxProof {
		return nil, fmt.Errorf("a proof of %d hashes", len(texts))
	}
	var hashes []tlog.Hash
	for _, s := range texts {
		h, err := parseHash(s)
		if err != nil {
			return nil, fmt.Errorf("proof: %w", err)
		}
		hashes = append(hashes, h)
	}
	return hashes, nil
}
