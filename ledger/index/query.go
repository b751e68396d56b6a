package index

import (
	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/verify/record"
)

// A Field is what records are looked up by, besides their words. Its values are
// text as in the record, or as said here.
type Field string

// The fields.
const (
	Type     Field = "type"     // record.Type
	Case     Field = "case"     // of an act, or of the record that another speaks about
	Policy   Field = "policy"   // name of a cited policy, or of one that is published or repealed
	Version  Field = "version"  // "name/2": a version of it
	Clause   Field = "clause"   // "name/2/clause"
	Action   Field = "action"   // of a decision, or of a ruling that modifies
	Layer    Field = "layer"    // record.ServiceLayer
	Trigger  Field = "trigger"  // its kind
	Signer   Field = "signer"   // thumbprint of a key that signed
	Holder   Field = "holder"   // pseudonym of a signer, as enrolled at that index
	Subject  Field = "subject"  // subject.ref
	Standing Field = "standing" // "effective" or "void"
	Code     Field = "code"     // a code or finding of its standing
	Month    Field = "month"    // "2026-11", of Time
	Severity Field = "severity" //
	Outcome  Field = "outcome"  // of a ruling
	Mode     Field = "mode"     // "emergency", "retrospective", "automated" (automation.decision)
	About    Field = "about"    // id of a record that this one names (prev, about, decision, appeal)
)

// Fields are all fields, in the order of the pages.
var Fields = []Field{Type, Action, Layer, Policy, Version, Clause, Trigger, Severity, Outcome, Mode, Standing, Code, Month, Case, Subject, Signer, Holder, About}

// A Query says which records are asked for. Its zero value asks for all.
type Query struct {
	// Text holds words that all occur in the public texts of a record, in
	// any letter case and form; "in quotes", next to each other; -word, not
	// at all; word*, its beginning.
	Text string
	// Where demands of each field one of its values.
	Where map[Field][]string
	// Not leaves out what has one of these values. ParseQuery does not set it.
	Not map[Field][]string
	// From and Until bound Time: From <= Time < Until; 0 is no bound.
	From, Until record.Time
	// Oldest asks for the oldest first; else the newest come first. The order is that of the log.
	Oldest bool
}

// A Hit is a record that was found.
type Hit struct {
	ledger.Entry
	Payload record.Payload
	Headers []record.Header
	// Time is when it says it happened: decided_at of a decision, received_at of an
	// intake or appeal, else the newest iat. It is claimed, not proven.
	Time record.Time
}

// Found is a page of what a query finds.
type Found struct {
	ledger.List[Hit]
	// Total is how many there are in all.
	Total int64
	// Next is the cursor of the next page, for ledger.Page.After; "" after the last. It stays valid
	// while the log grows: what is logged later appears on no later page of newest first, and at the end of oldest first.
	Next string
}

// Counts says how many records of a query have each combination of values of some fields.
type Counts struct {
	Size  int64 // of the log that it reflects
	Total int64 // records that the query finds
	Rows  []Count
	// More says that there are more rows than Limit; those with the largest counts are there.
	More bool
}

// A Count is a combination of values.
type Count struct {
	Values []string // one for each field asked for
	Count  int64
}

// A Lag says how far the index is behind the log.
type Lag struct {
	Size int64 // records indexed
	Head int64 // records in the log
}

// A QueryError says what is wrong with a query; it is the caller's fault.
type QueryError struct {
	// Part is the parameter that is at fault: "q", a field, "from", "cursor".
	Part string
	// Detail says what is wrong and what to do, in a sentence.
	Detail string
}

func (e *QueryError) Error() string { return e.Part + ": " + e.Detail }
