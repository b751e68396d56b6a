// Package rules judges records: which are effective, which are void and why.
//
// The judgement is a pure function of the log. [Fold.Apply] takes the records
// one by one in the order of the log and gives each a [Standing]; it has no
// clock and no I/O but two small interfaces, [State] and [Roots]. A server uses
// it to admit records, an auditor runs the same code over the same records, so
// neither can call effective what the other would not. docs/format.md holds the
// rules in words, with the table of codes.
//
// A record is effective, or it is void with all the codes that apply. A void
// record changes nothing: no key, no number of a key, no policy, no case, no
// clock. A standing is fixed at the record's index for ever.
//
// This is rules version 0. It has the rules for the types of package record and
// is for demonstration only: it has no timemarks, so its clock is the newest iat
// that signers claimed, and everything that rests on it is claimed, not proven.
//
// # Not checked here
//
// Signatures are checked before, by package record. That the log holds the
// records, and in this order, is for package verify.
package rules

import (
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/verify/record"
)

// Version is the version of the rules of this package.
const Version = 0

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
}

// Effective reports whether the record counts.
func (s Standing) Effective() bool { return len(s.Codes) == 0 }

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

// A Fold judges the records of one log, in order. Its methods must not be used
// concurrently.
type Fold struct {
	state   State
	roots   Roots
	excerpt bool
	memo    memo
}

// New returns a Fold over the records that state has seen. It writes to state
// only in Apply, and only for effective records.
func New(state State, roots Roots) *Fold { return &Fold{state: state, roots: roots, memo: memo{}} }

// NewExcerpt returns a Fold for records that are some of a log, in order, as a
// receipt holds them. It leaves out what can't be judged without the records
// in between; NeedsWholeLog tells which codes that are.
func NewExcerpt() *Fold { return &Fold{state: Memory{}, excerpt: true, memo: memo{}} }

// Apply judges the record at index and, if it is effective, remembers what it
// changes. Records come in the order of the log, each once. The error is one of
// State or Roots; then nothing is known and nothing was changed, unless State
// failed in the middle of a Put.
func (f *Fold) Apply(index int64, r record.Checked) (Standing, error) {
	e := &exam{fold: f, index: index, record: r, puts: map[string][]byte{}}
	err := e.examine()
	if err != nil && err != errEnd {
		return Standing{}, err
	}
	if f.excerpt && index > 0 { // at index 0 nothing is left out
		e.codes = slices.DeleteFunc(e.codes, NeedsWholeLog)
		e.findings = slices.DeleteFunc(e.findings, NeedsWholeLog)
	}
	s := Standing{Index: index, ID: r.ID(), Codes: sorted(e.codes), Findings: sorted(e.findings)}
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
