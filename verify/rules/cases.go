package rules

import (
	"slices"

	"github.com/docket-ledger/docket/verify/record"
)

// Measures are the actions that stay in force until something ends them, from
// the mildest to the hardest.
var Measures = []record.Action{record.Restrict, record.Suspend, record.Terminate}

// The states of a case beside the actions that are in force.
const (
	stateNew      = ""         // no such case
	stateOpen     = "open"     // nothing decided, or a mild decision was reversed
	stateReversed = "reversed" // a ruling reversed the measure
	stateLapsed   = "lapsed"   // nobody ratified the measure in time
	stateExpired  = "expired"  // the measure ran out
)

// states are those that a caseRow can hold.
var states = append([]string{stateOpen, stateReversed}, actionNames()...)

func actionNames() (names []string) {
	for _, a := range record.Actions {
		names = append(names, string(a))
	}
	return names
}

// mild are the actions that leave a measure in force as it is, or end one that
// lapsed or ran out.
var mild = []record.Action{record.Warn, record.Decline, record.Forward}

var (
	any7 = record.Actions
	any6 = []record.Action{record.Terminate, record.Suspend, record.Restrict, record.Warn, record.Decline, record.Forward}
)

// Transitions is the table of what may be decided after what: the rows are what
// is in force in the case, "" for a case that is opened.
var Transitions = map[string][]record.Action{
	stateNew:      any6,
	stateOpen:     any6,
	"decline":     any6,
	"forward":     any6,
	"warn":        any6,
	"reinstate":   any6,
	"restrict":    any7,
	"suspend":     any7,
	"terminate":   {record.Decline, record.Forward, record.Reinstate},
	stateLapsed:   any7,
	stateExpired:  any7,
	stateReversed: {record.Warn, record.Decline, record.Forward, record.Reinstate},
}

// caseRow is where a case stands.
type caseRow struct {
	state   string // one of states: what is in force, or was decided last
	tip     string // its newest act, as shortID
	subject string // the beginning of the subject's ref, see subjectHash
	by      string // the decision or ruling that made the state, as shortID; "" if none
	intake  bool   // a report or an order was taken in
	// proposed is the newest notice since the last decision, with what it
	// announces and until when it waits for an answer.
	proposed  *period
	announced record.Action
	respondBy int64
	signers   []int64 // numbers of the keys that signed its acts, sorted
}

func (c *caseRow) encode() []byte {
	flags := int64(0)
	if c.by != "" {
		flags |= 1
	}
	if c.intake {
		flags |= 2
	}
	if c.proposed != nil {
		flags |= 4
	}
	var e encoder
	e.int(flags<<4 | int64(slices.Index(states, c.state)))
	e.bytes(c.tip)
	e.bytes(c.subject)
	e.bytes(c.by)
	if c.proposed != nil {
		e.int(c.proposed.index)
		e.int(c.proposed.begin)
		e.int(int64(slices.Index(record.Actions, c.announced)))
		e.int(c.respondBy)
	}
	e.ints(c.signers)
	return e
}

// caseAt returns the case of a name, nil if there is none.
func (r *rows) caseAt(name string) (*caseRow, error) {
	raw, err := r.get(rowCase + name)
	if err != nil || len(raw) == 0 {
		return nil, err
	}
	return parseCase(name, raw)
}

func parseCase(name string, raw []byte) (*caseRow, error) {
	d := decoder{raw}
	head := d.int()
	c := &caseRow{tip: d.bytes(idBytes), subject: d.bytes(idBytes)}
	flags, state := head>>4, head&15
	if flags&1 != 0 {
		c.by = d.bytes(idBytes)
	}
	c.intake = flags&2 != 0
	announced := int64(0)
	if flags&4 != 0 {
		c.proposed = &period{index: d.int(), begin: d.int()}
		announced = d.int()
		c.respondBy = d.int()
	}
	c.signers = d.ints()
	if int(state) >= len(states) || int(announced) >= len(record.Actions) {
		d.rest = damaged
	} else {
		c.state, c.announced = states[state], record.Actions[announced]
	}
	return c, d.end(rowCase + name)
}

// caseOf returns the case that an act continues: nil if it opens one. prev must
// be the newest act of the case, and the subject that of the case.
func (e *exam) caseOf(act record.Act, subject string) (*caseRow, error) {
	name, prev := act.Place()
	c, err := e.caseAt(name)
	if err != nil {
		return nil, err
	}
	switch {
	case c != nil && prev == "":
		e.void(CaseExists)
	case c == nil && prev != "", c != nil && c.tip != shortID(prev):
		e.void(CasePrevMismatch)
	}
	if c != nil && subject != "" && c.subject != subject {
		e.void(CaseSubject)
	}
	return c, nil
}

// subjectHash returns the beginning of the hash that a subject's ref spells.
func subjectHash(s record.Subject) string { return shortID(record.ID("d-" + s.Ref)) }

// moved writes a case whose newest act is this record.
func (e *exam) moved(name string, c *caseRow) {
	c.tip = e.short()
	c.signers = slices.Clone(c.signers)
	for _, s := range e.signers {
		if s.key == nil {
			continue
		}
		if at, ok := slices.BinarySearch(c.signers, s.key.Number); !ok {
			c.signers = slices.Insert(c.signers, at, s.key.Number)
		}
	}
	e.put(rowCase+name, c.encode())
}

// An actRow is a decision, or a ruling that changed a measure.
type actRow struct {
	ruling bool
	action record.Action
	index  int64
	begin  int64 // see period
	until  int64 // when the measure runs out, 0 for never
	review int64 // when it is to be reviewed, 0 for never
	// count is how many people had to sign.
	count   int64
	clauses []int64 // numbers of the clauses cited
	flags   int64
}

// The flags of an actRow.
const (
	flagNotified = 1 << iota
	flagUpheld
	flagReversed
	flagModified
	flagConfirmed
	flagRetrospective
	flagEmergency
)

func (a *actRow) is(flag int64) bool { return a.flags&flag != 0 }

// ruled reports whether an appeal against it was decided.
func (a *actRow) ruled() bool { return a.flags&(flagUpheld|flagReversed|flagModified) != 0 }

func (a *actRow) measure() bool { return slices.Contains(Measures, a.action) }

func (a *actRow) encode() []byte {
	head := int64(slices.Index(record.Actions, a.action)) << 1
	if a.ruling {
		head |= 1
	}
	var e encoder
	for _, n := range []int64{head, a.flags, a.index, a.begin, a.until, a.review, a.count} {
		e.int(n)
	}
	e.ints(a.clauses)
	return e
}

// act returns a decision or ruling by its shortID, nil if the ledger has none.
func (r *rows) act(id string) (*actRow, error) {
	raw, err := r.get(rowAct + id)
	if err != nil || len(raw) == 0 {
		return nil, err
	}
	d := decoder{raw}
	head := d.int()
	a := &actRow{ruling: head&1 != 0, flags: d.int(), index: d.int(), begin: d.int(), until: d.int(), review: d.int(), count: d.int()}
	a.clauses = d.ints()
	if head>>1 >= int64(len(record.Actions)) {
		d.rest = damaged
	} else {
		a.action = record.Actions[head>>1]
	}
	return a, d.end("d/")
}

// rested returns the clauses that a decision rested on.
func (r *rows) rested(a *actRow) ([]*clauseRow, error) {
	var out []*clauseRow
	for _, n := range a.clauses {
		key, err := r.get(citeKey(n))
		if err != nil {
			return nil, err
		}
		c, err := cached[clauseRow](r, string(key))
		if err != nil {
			return nil, err
		}
		if c != nil {
			out = append(out, c)
		}
	}
	return out, nil
}

// stateAt returns what is in force in a case at a time: its state, or that the
// measure lapsed or ran out.
func (r *rows) stateAt(c *caseRow, time int64) (string, error) {
	if c == nil {
		return stateNew, nil
	}
	if !slices.Contains(Measures, record.Action(c.state)) {
		return c.state, nil
	}
	w, err := r.waiting(c.by, time)
	if err != nil {
		return "", err
	}
	if w == hasLapsed {
		return stateLapsed, nil
	}
	a, err := r.act(c.by)
	if err != nil {
		return "", err
	}
	if a != nil && a.until != 0 && time >= a.until {
		return stateExpired, nil
	}
	return c.state, nil
}

// transition voids a decision that can't come after what is in force, and a new
// measure while an appeal is open. It returns what was in force.
func (e *exam) transition(c *caseRow, d *record.Decision) (string, error) {
	from, err := e.stateAt(c, e.now)
	if err != nil {
		return "", err
	}
	if !slices.Contains(Transitions[from], d.Action) {
		e.voidf(CaseTransition, "%s after %s", d.Action, orNothing(from))
		return from, nil
	}
	if c == nil || !slices.Contains(Measures, d.Action) {
		return from, nil
	}
	if open, err := e.get(rowAppeal + d.Case); err != nil {
		return "", err
	} else if len(open) > 0 {
		e.voidf(CaseTransition, "%s while an appeal waits for its ruling", d.Action)
	}
	return from, nil
}

func orNothing(state string) string {
	if state == stateNew {
		return "nothing"
	}
	return state
}

// moveCase records what a decision did to its case. Declining, forwarding or
// warning leaves a measure that is in force as it is.
func (e *exam) moveCase(c *caseRow, d *record.Decision, from string) {
	next := &caseRow{subject: subjectHash(d.Subject)}
	if c != nil {
		*next = *c
	}
	next.proposed = nil
	inForce := slices.Contains(Measures, record.Action(from))
	if !inForce || !slices.Contains(mild, d.Action) {
		next.state, next.by = string(d.Action), e.short()
	}
	e.moved(d.Case, next)
}
