package rules

import (
	"slices"

	"github.com/docket-ledger/docket/verify/record"
)

// unrestrained are the actions that need no clause: that no rule permits more
// is the ground.
var unrestrained = []record.Action{record.Decline, record.Forward}

func (e *exam) decide(d *record.Decision) error {
	c, err := e.caseOf(d.Case, d.Prev)
	if err != nil {
		return err
	}
	if c != nil && c.subject != d.Subject.Ref {
		e.void(CaseSubject)
	}
	lapsed, err := e.transition(c, d)
	if err != nil {
		return err
	}
	clauses, err := e.grounds(d, lapsed)
	if err != nil {
		return err
	}
	quorums := []record.Quorum{{Role: record.RoleDecider, Count: e.charter.Charter.DefaultQuorum}}
	if len(clauses) > 0 {
		quorums = nil
	}
	for _, l := range clauses {
		q := l.Quorum
		if d.Emergency != nil && l.Emergency != nil {
			q = l.Emergency.Quorum
		}
		quorums = append(quorums, q)
	}
	holders := e.demand(quorums...)
	pending, err := e.afterwards(d, clauses)
	if err != nil {
		return err
	}
	if pending != nil {
		pending.Case, pending.Holders = d.Case, holders
		if err := e.putJSON(rowPending+string(e.record.ID()), pending); err != nil {
			return err
		}
	}
	return e.moveCase(c, d, lapsed)
}

// grounds examines what a decision rests on and returns the clauses.
func (e *exam) grounds(d *record.Decision, lapsed record.ID) ([]*record.Clause, error) {
	at := e.now
	if d.Retrospective != nil {
		at = d.DecidedAt.Unix()
	}
	var clauses []*record.Clause
	rests := slices.Contains(unrestrained, d.Action)
	for _, g := range d.Grounds {
		if g.Policy == "" { // a reinstatement that cites what lapsed
			if g.Record != lapsed && !e.fold.excerpt { // an excerpt may lack what lapsed
				e.void(GroundUnpublished)
			}
			rests = true
			continue
		}
		clause, policy, err := e.clause(g, d, at)
		if err != nil {
			return nil, err
		}
		rests = true
		if clause == nil {
			continue
		}
		if policy.Historic && !e.beforeCharter(d) {
			e.void(HistoricNotPermitted)
		}
		clauses = append(clauses, clause)
	}
	if !rests {
		e.void(GroundNone)
	}
	return clauses, nil
}

// beforeCharter reports whether d was taken before the ledger and is entered
// while that is free.
func (e *exam) beforeCharter(d *record.Decision) bool {
	return d.Retrospective != nil && d.DecidedAt.Unix() < e.charter.Time && e.historicOpen()
}

// pendingRow is a decision that others must ratify.
type pendingRow struct {
	Case      string          `json:"case"`
	Holders   []string        `json:"holders"` // who signed it
	Ratifiers []record.Quorum `json:"ratifiers"`
	// Deadline is the last second in which it can be ratified.
	Deadline int64 `json:"deadline"`
}

// afterwards examines emergency and retrospective decisions. It returns what
// has to be ratified, or nil.
func (e *exam) afterwards(d *record.Decision, clauses []*record.Clause) (*pendingRow, error) {
	if err := e.emergencies(d); err != nil {
		return nil, err
	}
	e.retrospective(d)
	var must []*record.Afterwards
	switch {
	case d.Emergency != nil:
		for _, l := range clauses {
			if l.Emergency == nil || !slices.Contains(l.Emergency.Harms, d.Emergency.Harm) {
				e.void(EmergencyNotPermitted)
				continue
			}
			must = append(must, &record.Afterwards{Ratifiers: l.Emergency.Ratifiers, RatifyWithin: l.Emergency.RatifyWithin})
		}
		if len(clauses) == 0 {
			e.void(EmergencyNotPermitted)
		}
	case d.Retrospective != nil && !e.beforeCharter(d):
		for _, l := range clauses {
			if l.Retrospective == nil {
				e.void(RetrospectiveForbidden)
				continue
			}
			must = append(must, l.Retrospective)
		}
		if len(clauses) == 0 {
			e.void(RetrospectiveForbidden)
		}
	}
	if len(must) == 0 {
		return nil, nil
	}
	p := &pendingRow{Deadline: e.now + must[0].RatifyWithin*3600}
	for _, a := range must {
		p.Deadline = min(p.Deadline, e.now+a.RatifyWithin*3600)
		p.Ratifiers = append(p.Ratifiers, a.Ratifiers)
	}
	return p, nil
}

// emergencies allows no second emergency for a subject before an ordinary
// decision about it.
func (e *exam) emergencies(d *record.Decision) error {
	key := rowSubject + d.Subject.Ref
	before, err := e.get(key)
	if err != nil {
		return err
	}
	switch {
	case d.Emergency != nil && len(before) > 0:
		e.void(EmergencyRepeated)
	case d.Emergency != nil:
		e.put(key, []byte{1})
	case len(before) > 0:
		e.put(key, nil)
	}
	return nil
}

// retrospective demands that a decision that is older than its signatures, by
// more than the charter tolerates, says so.
func (e *exam) retrospective(d *record.Decision) {
	earliest, newest := e.now, int64(0)
	for _, s := range e.signers {
		earliest, newest = min(earliest, s.header.IAT), max(newest, s.header.IAT)
	}
	tolerance := e.charter.Charter.DecideTolerance * 3600
	late := d.DecidedAt.Unix() < earliest-tolerance || d.EffectiveAt.Unix() < e.now-tolerance
	if late && d.Retrospective == nil {
		e.void(TimeUnmarked)
	}
	if d.DecidedAt.Unix() > newest+e.charter.Charter.Tolerance {
		e.void(TimeDecidedAhead)
	}
}
