package rules

import (
	"encoding/base64"
	"errors"
	"slices"

	"github.com/docket-ledger/docket/verify/record"
)

// caseRow is where a case stands.
type caseRow struct {
	tip     record.ID     // its newest act
	subject string        // the subject's ref
	action  record.Action // what is in force, or was decided last
	by      record.ID     // the decision that said so
}

// encode packs a row: three hashes and a letter.
func (c *caseRow) encode() ([]byte, error) {
	i := slices.Index(record.Actions, c.action)
	if i < 0 {
		return nil, errCase
	}
	b := []byte{byte(i)}
	for _, s := range []string{string(c.tip[2:]), c.subject, string(c.by[2:])} {
		h, err := base64.RawURLEncoding.DecodeString(s)
		if err != nil || len(h) != 32 {
			return nil, errCase
		}
		b = append(b, h...)
	}
	return b, nil
}

var errCase = errors.New("a row of a case is damaged")

func parseCase(raw []byte) (*caseRow, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	if len(raw) != 1+3*32 || int(raw[0]) >= len(record.Actions) {
		return nil, errCase
	}
	b64 := base64.RawURLEncoding.EncodeToString
	return &caseRow{
		action: record.Actions[raw[0]], tip: record.ID("d-" + b64(raw[1:33])),
		subject: b64(raw[33:65]), by: record.ID("d-" + b64(raw[65:])),
	}, nil
}

// caseOf returns the case that an act continues: nil if it opens one. prev must
// be the newest act of the case.
func (e *exam) caseOf(name string, prev record.ID) (*caseRow, error) {
	raw, err := e.get(rowCase + name)
	if err != nil {
		return nil, err
	}
	c, err := parseCase(raw)
	if err != nil {
		return nil, err
	}
	switch {
	case c != nil && prev == "":
		e.void(CaseExists)
	case c == nil && prev != "", c != nil && c.tip != prev:
		e.void(CasePrevMismatch)
	}
	return c, nil
}

// moveCase records what a decision did to its case. Declining, forwarding or
// warning leaves a measure that is in force as it is.
func (e *exam) moveCase(c *caseRow, d *record.Decision, lapsed record.ID) error {
	next := &caseRow{tip: e.record.ID(), subject: d.Subject.Ref, action: d.Action, by: e.record.ID()}
	mild := d.Action == record.Warn || slices.Contains(unrestrained, d.Action)
	if c != nil && mild && slices.Contains(measures, c.action) && lapsed == "" {
		next.action, next.by = c.action, c.by
	}
	return e.putCase(d.Case, next)
}

func (e *exam) putCase(name string, c *caseRow) error {
	b, err := c.encode()
	if err != nil {
		return err
	}
	e.put(rowCase+name, b)
	return nil
}

// measures are the actions that stay in force until something ends them.
var measures = []record.Action{record.Terminate, record.Suspend, record.Restrict}

// Transitions is the table of what may be decided after what: the rows are what
// is in force in the case, "" for a case that is opened, "lapsed" for a measure
// that nobody ratified in time.
var Transitions = map[string][]record.Action{
	"":          {record.Terminate, record.Suspend, record.Restrict, record.Warn, record.Decline, record.Forward},
	"decline":   {record.Terminate, record.Suspend, record.Restrict, record.Warn, record.Decline, record.Forward},
	"forward":   {record.Terminate, record.Suspend, record.Restrict, record.Warn, record.Decline, record.Forward},
	"warn":      {record.Terminate, record.Suspend, record.Restrict, record.Warn, record.Decline, record.Forward},
	"reinstate": {record.Terminate, record.Suspend, record.Restrict, record.Warn, record.Decline, record.Forward},
	"restrict":  {record.Terminate, record.Suspend, record.Restrict, record.Warn, record.Decline, record.Forward, record.Reinstate},
	"suspend":   {record.Terminate, record.Suspend, record.Restrict, record.Warn, record.Decline, record.Forward, record.Reinstate},
	"terminate": {record.Decline, record.Forward, record.Reinstate},
	"lapsed":    {record.Terminate, record.Suspend, record.Restrict, record.Warn, record.Decline, record.Forward, record.Reinstate},
}

// transition voids a decision that can't come after what is in force. It
// returns the id of the measure that has lapsed, or "".
func (e *exam) transition(c *caseRow, d *record.Decision) (record.ID, error) {
	from, lapsed := "", record.ID("")
	if c != nil {
		from = string(c.action)
	}
	if c != nil && slices.Contains(measures, c.action) {
		p, err := cached[pendingRow](e, rowPending+string(c.by))
		if err != nil {
			return "", err
		}
		if p != nil && e.now > p.Deadline {
			from, lapsed = "lapsed", c.by
		}
	}
	if !slices.Contains(Transitions[from], d.Action) {
		e.void(CaseTransition)
	}
	return lapsed, nil
}

// ratify examines the approval of an emergency or of a retrospective decision.
func (e *exam) ratify(r *record.Ratification) error {
	c, err := e.caseOf(r.Case, r.Prev)
	if err != nil {
		return err
	}
	p, err := cached[pendingRow](e, rowPending+string(r.Decision))
	if err != nil {
		return err
	}
	if c == nil || p == nil || p.Case != r.Case {
		e.void(CaseTransition)
		return nil
	}
	if e.now > p.Deadline {
		e.void(RatificationTooLate)
	}
	for _, h := range e.demand(p.Ratifiers...) {
		if slices.Contains(p.Holders, h) {
			e.void(RatificationDependent)
		}
	}
	e.put(rowPending+string(r.Decision), nil)
	next := *c
	next.tip = e.record.ID()
	return e.putCase(r.Case, &next)
}
