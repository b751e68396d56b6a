// Package rules judges records: which are effective, which are void and why.
//
// The judgement is a pure function of the log. [Fold.Apply] takes the records
// one by one in the order of the log and gives each a [Standing]; it has no
// clock and no I/O but two small interfaces, [State] and [Roots]. A server uses
// it to admit records, an auditor runs the same code over the same records, so
// neither can call effective what the other would not. docs/format.md holds the
// rules in words, with the tables of codes, of transitions and of grounds.
//
// A record is effective, or it is void with all the codes that apply. A void
// record changes nothing: no key, no number of a key, no policy, no case, no
// clock. A standing is fixed at the record's index for ever. What becomes of an
// effective decision later (ratified, lapsed, reversed, run out) is its
// [Status]; what somebody owes is a [Duty].
//
// This is rules version 1. Version 0, which a charter may still name, is the
// same without the types and members that record.MinRules says came with 1; it
// is for demonstration only.
//
// # Not checked here
//
// Signatures are checked before, by package record; those under the checkpoint of
// a timemark by the [Opener] that the caller gives. That the log holds the
// records, and in this order, is for package verify.
package rules

import (
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/verify/record"
)

// Version is the newest version of the rules.
const Version = 1

// A Standing is what the rules say of the record at an index.
type Standing struct {
	Index int64
	ID    record.ID
	// Codes are the reasons why the record is void, sorted; none if it is
	// effective.
	Codes []Code
	// Findings are what readers should know and what does not make it void,
	// sorted.
	Findings []Code
	// Details are what there is to say beyond the sentence of a code: which
	// key, which numbers, which entry.
	Details []Detail
}

// A Detail is the evidence for a code or a finding of a Standing.
type Detail struct {
	Code Code
	Text string
}

// Effective reports whether the record counts.
func (s Standing) Effective() bool { return len(s.Codes) == 0 }

// Detail returns the sentence for a code, with the evidence where there is some.
func (s Standing) Detail(code Code) string {
	for _, d := range s.Details {
		if d.Code == code {
			return Explain(code) + " (" + d.Text + ")"
		}
	}
	return Explain(code)
}

// Void returns the standing of an entry that package record refuses: with the
// code of err alone. The code is record.malformed if err is no *record.Error.
func Void(index int64, entry []byte, err error) Standing {
	code := record.CodeOf(err)
	if code == "" {
		code = record.Malformed
	}
	return Standing{Index: index, ID: record.IDOf(entry), Codes: []Code{code}}
}

// Roots gives the roots of earlier trees of the log that is judged.
type Roots interface {
	// Root returns the root of the tree of the first size records. It is
	// asked only for sizes up to the index of the record under examination.
	Root(size int64) (tlog.Hash, error)
}

// A Head is what the checkpoint of a timemark proves. Times are in seconds since
// 1970.
type Head struct {
	Size int64
	Root tlog.Hash
	// NotBefore is the greatest time such that the cosignatures of then or
	// later reach the quorum: the tree existed when they were made, so what
	// comes after the timemark is younger.
	NotBefore int64
	// NotAfter is the least time such that the cosignatures of then or
	// before reach the quorum: what is in the tree is older.
	NotAfter int64
}

// An Opener checks the checkpoint of a timemark against the log keys and the
// witnesses of a charter. verify.OpenTimemark is the one to use; it is given
// here because that package stands above this one. It is a pure function.
type Opener func(origin string, terms *record.Terms, checkpoint string) (Head, error)

// A Fold judges the records of one log, in order. Its methods must not be used
// concurrently.
type Fold struct {
	state   State
	roots   Roots
	open    Opener
	excerpt bool
	memo    memo
}

// New returns a Fold over the records that state has seen. It writes to state
// only in Apply, and only for effective records.
func New(state State, roots Roots, open Opener) *Fold {
	return &Fold{state: state, roots: roots, open: open, memo: memo{}}
}

// NewExcerpt returns a Fold for records that are some of a log, in order, as a
// receipt holds them. It leaves out what can't be judged without the records
// in between; NeedsWholeLog tells which codes that are.
func NewExcerpt(open Opener) *Fold {
	return &Fold{state: NewMemory(), open: open, excerpt: true, memo: memo{}}
}

// Apply judges the record at index and, if it is effective, remembers what it
// changes. Records come in the order of the log, each once. The error is one of
// State or Roots; then nothing is known and nothing was changed, unless State
// failed in the middle of a Put.
func (f *Fold) Apply(index int64, r record.Checked) (Standing, error) {
	e := &exam{fold: f, index: index, record: r, puts: map[string][]byte{}}
	e.rows = rows{get: e.getRow, memo: f.memo}
	err := e.examine()
	if err != nil && err != errEnd {
		return Standing{}, err
	}
	if f.excerpt && index > 0 { // at index 0 nothing is left out
		e.codes = slices.DeleteFunc(e.codes, NeedsWholeLog)
		e.findings = slices.DeleteFunc(e.findings, NeedsWholeLog)
	}
	s := Standing{Index: index, ID: r.ID(), Codes: sorted(e.codes), Findings: sorted(e.findings), Details: e.details}
	if !s.Effective() {
		return s, nil
	}
	for _, key := range e.order {
		if err := f.state.Put(key, e.puts[key]); err != nil {
			return Standing{}, err
		}
	}
	return s, nil
}

func sorted(codes []Code) []Code {
	slices.Sort(codes)
	return slices.Compact(codes)
}
