package rules

import (
	"slices"

	"github.com/docket-ledger/docket/verify/record"
)

// unrestrained are the actions that need no clause: that no rule permits more
// is the ground.
var unrestrained = []record.Action{record.Decline, record.Forward}

func (e *exam) decide(d *record.Decision) error {
	c, err := e.caseOf(d, subjectHash(d.Subject))
	if err != nil {
		return err
	}
	from, err := e.transition(c, d)
	if err != nil {
		return err
	}
	clauses, err := e.grounds(c, d, from)
	if err != nil {
		return err
	}
	quorums := e.quorumsOf(d, clauses)
	holders := e.demand(quorums...)
	for _, l := range clauses {
		e.conflicts(&l.Clause, holders)
	}
	if err := e.conditions(c, d, clauses); err != nil {
		return err
	}
	must, err := e.afterwards(d, clauses)
	if err != nil {
		return err
	}
	if must != nil {
		for _, s := range e.signers {
			if s.key != nil {
				must.signers = append(must.signers, s.key.Number)
			}
		}
		e.put(rowPending+e.short(), must.encode())
	}
	if err := e.precedents(d); err != nil {
		return err
	}
	e.put(rowAct+e.short(), e.actOf(d, clauses, quorums).encode())
	e.moveCase(c, d, from)
	return nil
}

// actOf is what the state keeps of a decision.
func (e *exam) actOf(d *record.Decision, clauses []*clauseRow, quorums []record.Quorum) *actRow {
	a := &actRow{action: d.Action, index: e.index, begin: e.begins(0).begin, until: d.Until.Unix(), review: d.ReviewAt.Unix()}
	for _, q := range quorums {
		a.count = max(a.count, q.Count)
	}
	for _, l := range clauses {
		a.clauses = append(a.clauses, l.Number)
	}
	if d.Retrospective != nil {
		a.flags |= flagRetrospective
	}
	if d.Emergency != nil {
		a.flags |= flagEmergency
	}
	return a
}

// quorumsOf returns who must sign a decision: by each clause it rests on, by the
// charter's default if there is none.
func (e *exam) quorumsOf(d *record.Decision, clauses []*clauseRow) []record.Quorum {
	if len(clauses) == 0 {
		return []record.Quorum{{Role: record.RoleDecider, Count: e.charter.Charter.DefaultQuorum}}
	}
	var all []record.Quorum
	for _, l := range clauses {
		switch {
		case d.Emergency != nil && l.Emergency != nil:
			all = append(all, l.Emergency.Quorum)
		default:
			all = append(all, QuorumsFor(&l.Clause, d.Action, d.Severity)...)
		}
	}
	return all
}

// QuorumsFor returns who must sign an ordinary decision under a clause: the
// first of its quorums that applies to action and severity, else its quorum.
func QuorumsFor(l *record.Clause, action record.Action, severity string) []record.Quorum {
	for _, q := range l.Quorums {
		if (len(q.Actions) == 0 || slices.Contains(q.Actions, action)) &&
			(len(q.Severities) == 0 || slices.Contains(q.Severities, severity)) {
			return q.Signers
		}
	}
	return []record.Quorum{l.Quorum}
}

// conflicts voids a record that two people signed who may not sign together.
func (e *exam) conflicts(l *record.Clause, holders []string) {
	for _, group := range l.NotTogether {
		var both []string
		for _, h := range holders {
			if slices.Contains(group, h) {
				both = append(both, h)
			}
		}
		if len(both) > 1 {
			e.voidf(SignersConflict, "%s and %s", both[0], both[1])
		}
	}
}

// grounds examines what a decision rests on and returns the clauses.
func (e *exam) grounds(c *caseRow, d *record.Decision, from string) ([]*clauseRow, error) {
	at := e.now
	if d.Retrospective != nil {
		at = d.DecidedAt.Unix()
	}
	var clauses []*clauseRow
	rests := slices.Contains(unrestrained, d.Action)
	for _, g := range d.Grounds {
		if g.Policy == "" { // a reinstatement that cites what ended the measure
			if err := e.ended(c, g.Record, from); err != nil {
				return nil, err
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

// ended voids a reinstatement that cites, without a clause, anything but the
// measure that lapsed or ran out, or the ruling that reversed it.
func (e *exam) ended(c *caseRow, cited record.ID, from string) error {
	if e.fold.excerpt { // it may lack what ended
		return nil
	}
	switch {
	case c != nil && slices.Contains([]string{stateLapsed, stateExpired}, from) && shortID(cited) == c.by:
		return nil
	case from == stateReversed:
		a, err := e.act(shortID(cited))
		if err != nil || a != nil && a.ruling && a.is(flagReversed) && c.by == shortID(cited) {
			return err
		}
	}
	e.voidf(GroundUnpublished, "%s ended no measure of this case", cited)
	return nil
}

// beforeCharter reports whether d was taken before the ledger and is entered
// while that is free.
func (e *exam) beforeCharter(d *record.Decision) bool {
	return d.Retrospective != nil && d.DecidedAt.Unix() < e.charter.Time && e.historicOpen()
}

// conditions examines what the clauses demand of an ordinary decision beside
// signatures: notice, an end, a review, a severity, what an order must carry.
func (e *exam) conditions(c *caseRow, d *record.Decision, clauses []*clauseRow) error {
	for _, l := range clauses {
		if d.Severity == "" && d.Emergency == nil && slices.ContainsFunc(l.Quorums, func(q record.QuorumFor) bool { return len(q.Severities) > 0 }) {
			e.voidf(SeverityMissing, "clause %s asks for other signatures by severity", l.Clause.Clause)
		}
		if l.Orders != nil {
			e.orderCarries(c, d, l.Orders)
		}
		if !slices.Contains(Measures, d.Action) {
			continue
		}
		if limit := d.EffectiveAt.Unix() + l.MaxDuration*3600; l.MaxDuration > 0 && (d.Until == 0 || d.Until.Unix() > limit) {
			e.voidf(DurationExceeded, "clause %s permits it until %s", l.Clause.Clause, record.Time(limit))
		}
		if limit := d.EffectiveAt.Unix() + l.ReviewWithin*3600; l.ReviewWithin > 0 && (d.ReviewAt == 0 || d.ReviewAt.Unix() > limit) {
			e.voidf(ReviewMissing, "clause %s demands a review_at by %s", l.Clause.Clause, record.Time(limit))
		}
		if l.Notice != nil && d.Emergency == nil && d.Retrospective == nil && !slices.Contains(l.Notice.Exempt, d.Trigger.Kind) {
			if err := e.noticed(c, d, l.Notice.Hours); err != nil {
				return err
			}
		}
	}
	return nil
}

// orderCarries examines what the order of an authority or court must carry.
func (e *exam) orderCarries(c *caseRow, d *record.Decision, o *record.Orders) {
	if d.Trigger.Kind != "authority_order" && d.Trigger.Kind != "court_order" {
		return
	}
	has := map[string]bool{"authority": d.Trigger.Authority != "", "legal_reference": d.Trigger.LegalReference != "",
		"intake": d.Trigger.Intake != "" && (e.fold.excerpt || c != nil && c.intake)}
	for _, m := range o.MustCarry {
		if !has[m] {
			e.voidf(OrderIncomplete, "trigger/%s is missing, or the case has no intake", m)
		}
	}
}

// noticed demands a notice of this measure, or of a harder one, long enough ago.
func (e *exam) noticed(c *caseRow, d *record.Decision, hours int64) error {
	if c == nil || c.proposed == nil || slices.Index(Measures, c.announced) < slices.Index(Measures, d.Action) {
		e.voidf(NoticeMissing, "no notice since the last decision announced %s", d.Action)
		return nil
	}
	p := *c.proposed
	p.hours = hours
	end, ok, err := e.ends(p)
	if err != nil {
		return err
	}
	switch {
	case !ok:
		e.voidf(NoticeTooEarly, "no timemark shows yet since when the notice is in the log")
	case e.now < end:
		e.voidf(NoticeTooEarly, "the subject has until %s", record.Time(end))
	case e.now < c.respondBy:
		e.voidf(NoticeTooEarly, "the notice gave the subject until %s to answer", record.Time(c.respondBy))
	}
	return nil
}

// precedents demands that earlier decisions that are named exist.
func (e *exam) precedents(d *record.Decision) error {
	for _, id := range d.Precedents {
		a, err := e.act(shortID(id))
		if err != nil {
			return err
		}
		if a == nil || a.ruling {
			e.voidf(AboutUnknown, "precedent %s", id)
		}
	}
	return nil
}

// afterwards examines emergency and retrospective decisions. It returns what
// has to be ratified, or nil.
func (e *exam) afterwards(d *record.Decision, clauses []*clauseRow) (*pendingRow, error) {
	if err := e.emergencies(d); err != nil {
		return nil, err
	}
	e.retrospective(d)
	hours := int64(-1)
	within := func(h int64) {
		if hours < 0 || h < hours {
			hours = h
		}
	}
	switch {
	case d.Emergency != nil:
		for _, l := range clauses {
			if l.Emergency == nil || !slices.Contains(l.Emergency.Harms, d.Emergency.Harm) {
				e.voidf(EmergencyNotPermitted, "clause %s, harm %s", l.Clause.Clause, d.Emergency.Harm)
				continue
			}
			within(l.Emergency.RatifyWithin)
		}
		if len(clauses) == 0 {
			e.void(EmergencyNotPermitted)
		}
	case d.Retrospective != nil && !e.beforeCharter(d):
		for _, l := range clauses {
			if l.Retrospective == nil {
				e.voidf(RetrospectiveForbidden, "clause %s", l.Clause.Clause)
				continue
			}
			within(l.Retrospective.RatifyWithin)
		}
		if len(clauses) == 0 {
			e.void(RetrospectiveForbidden)
		}
	}
	if hours < 0 {
		return nil, nil
	}
	return &pendingRow{period: e.begins(hours), name: d.Case}, nil
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
	earliest, newest := int64(record.MaxInt), int64(0)
	for _, h := range e.record.Headers() {
		earliest, newest = min(earliest, h.IAT), max(newest, h.IAT)
	}
	tolerance := e.charter.Charter.DecideTolerance * 3600
	late := d.DecidedAt.Unix() < earliest-tolerance || d.EffectiveAt.Unix() < max(newest, e.now)-tolerance
	if late && d.Retrospective == nil {
		e.voidf(TimeUnmarked, "decided %s, effective %s, signed %s", d.DecidedAt, d.EffectiveAt, record.Time(newest))
	}
	if d.DecidedAt.Unix() > newest+e.charter.Charter.Tolerance {
		e.void(TimeDecidedAhead)
	}
}

// Grounds is the table of what an action may rest on, in words. TestGrounds
// holds the rules to it.
var Grounds = []struct {
	Action record.Action
	// Clause, None and Alone say who signs if it rests on clauses, on none,
	// or on a record alone; "–" that it can't.
	Clause, None, Alone string
}{
	{record.Terminate, "quorum of each clause", "–", "–"},
	{record.Suspend, "quorum of each clause", "–", "–"},
	{record.Restrict, "quorum of each clause", "–", "–"},
	{record.Warn, "quorum of each clause", "–", "–"},
	{record.Decline, "quorum of each clause", "`default_quorum`", "–"},
	{record.Forward, "quorum of each clause", "`default_quorum`", "–"},
	{record.Reinstate, "quorum of each clause", "–", "`default_quorum`: the measure that lapsed or ran out, or the ruling that reversed it"},
}
