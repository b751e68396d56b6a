package rules

import (
	"slices"

	"github.com/docket-ledger/docket/verify/record"
)

// pendingRow is a decision that others must ratify, or have ratified.
type pendingRow struct {
	period           // in which to ratify
	ratified int64   // index of the ratification + 1, or 0
	signers  []int64 // numbers of the keys that signed the decision
	name     string  // of its case
}

func (p *pendingRow) encode() []byte {
	var e encoder
	for _, n := range []int64{p.index, p.begin, p.hours, p.ratified} {
		e.int(n)
	}
	e.ints(p.signers)
	e.bytes(p.name)
	return e
}

func (r *rows) pending(id string) (*pendingRow, error) {
	raw, err := r.get(rowPending + id)
	if err != nil || len(raw) == 0 {
		return nil, err
	}
	d := decoder{raw}
	p := &pendingRow{period: period{d.int(), d.int(), d.int()}, ratified: d.int()}
	p.signers = d.ints()
	p.name = d.bytes(len(d.rest))
	return p, d.end(rowPending)
}

// lateSeconds is how much later than the end of its period a ratification may
// be witnessed and still count.
const lateSeconds = 3600

// The answers of waiting.
const (
	notWaiting = iota // it needs no ratification, or has it
	isWaiting
	hasLapsed
)

// waiting tells how a decision stands to its ratification at a time.
func (r *rows) waiting(id string, time int64) (int, error) {
	p, err := r.pending(id)
	if err != nil || p == nil {
		return notWaiting, err
	}
	end, ok, err := r.ends(p.period)
	if err != nil {
		return notWaiting, err
	}
	if p.ratified == 0 {
		if ok && time > end {
			return hasLapsed, nil
		}
		return isWaiting, nil
	}
	if p.begin != 0 {
		return notWaiting, nil // judged by the same clock when it was ratified
	}
	older, err := r.olderThan(p.ratified - 1)
	if err != nil || older == 0 || !ok || older <= end+lateSeconds {
		return notWaiting, err
	}
	return hasLapsed, nil
}

// intake examines that a report or an order arrived.
func (e *exam) intake(p *record.Intake) error {
	c, err := e.caseOf(p, subjectHash(p.Subject))
	if err != nil {
		return err
	}
	e.demand(record.Quorum{Role: record.RoleIntake, Count: 1})
	next := &caseRow{state: stateOpen, subject: subjectHash(p.Subject)}
	if c != nil {
		*next = *c
	}
	next.intake = true
	e.moved(p.Case, next)
	return nil
}

// notice examines that the subject was told what is intended or was decided.
func (e *exam) notice(p *record.Notice) error {
	c, err := e.caseOf(p, subjectHash(p.Subject))
	if err != nil {
		return err
	}
	e.demand(record.Quorum{Role: record.RoleDecider, Count: 1})
	next := &caseRow{state: stateOpen, subject: subjectHash(p.Subject)}
	if c != nil {
		*next = *c
	}
	if p.Kind == record.Proposed {
		begins := e.begins(0)
		next.proposed, next.announced, next.respondBy = &begins, p.Action, p.RespondBy.Unix()
		e.moved(p.Case, next)
		return nil
	}
	a, err := e.act(shortID(p.Decision))
	if err != nil {
		return err
	}
	if a == nil || c == nil || c.by != shortID(p.Decision) {
		e.voidf(CaseTransition, "a notice of %s, which is not what is in force in this case", p.Decision)
		return nil
	}
	a.flags |= flagNotified
	e.put(rowAct+c.by, a.encode())
	e.moved(p.Case, next)
	return nil
}

// ratify examines the approval of an emergency or of a retrospective decision,
// or the confirmation of one that a contested key signed.
func (e *exam) ratify(r *record.Ratification) error {
	c, err := e.caseOf(r, "")
	if err != nil {
		return err
	}
	id := shortID(r.Decision)
	p, err := e.pending(id)
	if err != nil {
		return err
	}
	a, err := e.act(id)
	if err != nil {
		return err
	}
	if c == nil || a == nil {
		e.voidf(CaseTransition, "%s is no decision of this case", r.Decision)
		return nil
	}
	next := *c
	if p == nil || p.ratified != 0 || p.name != r.Case {
		return e.confirm(r, &next, a, id)
	}
	if past, err := e.past(p.period, e.now); err != nil {
		return err
	} else if past {
		e.void(RatificationTooLate)
	}
	ratifiers, err := e.ratifiers(a)
	if err != nil {
		return err
	}
	if err := e.independent(e.demand(ratifiers...), p.signers, RatificationDependent); err != nil {
		return err
	}
	done := *p
	done.ratified = e.index + 1
	e.put(rowPending+id, done.encode())
	e.moved(r.Case, &next)
	return nil
}

// ratifiers returns who must ratify a decision, by each of its clauses.
func (r *rows) ratifiers(a *actRow) ([]record.Quorum, error) {
	clauses, err := r.rested(a)
	if err != nil {
		return nil, err
	}
	var all []record.Quorum
	for _, l := range clauses {
		switch {
		case a.is(flagEmergency) && l.Emergency != nil:
			all = append(all, l.Emergency.Ratifiers)
		case a.is(flagRetrospective) && l.Retrospective != nil:
			all = append(all, l.Retrospective.Ratifiers)
		}
	}
	return all, nil
}

// independent voids a record one of whose holders holds one of the keys.
func (e *exam) independent(holders []string, keys []int64, code Code) error {
	for _, n := range keys {
		k, err := e.keyNumber(n)
		if err != nil {
			return err
		}
		if k != nil && slices.Contains(holders, k.Holder) {
			e.voidf(code, "%s", k.Holder)
		}
	}
	return nil
}

func (r *rows) keyNumber(n int64) (*KeyInfo, error) {
	kid, err := r.get(numberKey(n))
	if err != nil || len(kid) == 0 {
		return nil, err
	}
	return cached[KeyInfo](r, rowKey+string(kid))
}

// confirm examines the confirmation of a decision in whose case a contested key
// signed: as many deciders as had to sign it, none of them a holder of that key.
func (e *exam) confirm(r *record.Ratification, c *caseRow, a *actRow, id string) error {
	contested, err := e.contested(c, a)
	if err != nil {
		return err
	}
	if len(contested) == 0 || a.is(flagConfirmed) || c.by != id {
		e.voidf(CaseTransition, "%s waits for no approval", r.Decision)
		return nil
	}
	holders := e.demand(record.Quorum{Role: record.RoleDecider, Count: a.count})
	if err := e.independent(holders, contested, RatificationDependent); err != nil {
		return err
	}
	a.flags |= flagConfirmed
	e.put(rowAct+c.by, a.encode())
	e.moved(r.Case, c)
	return nil
}

// contested returns the numbers of the keys that signed in a case and may have
// been in other hands when it was decided.
func (r *rows) contested(c *caseRow, a *actRow) ([]int64, error) {
	var out []int64
	for _, n := range c.signers {
		k, err := r.keyNumber(n)
		if err != nil {
			return nil, err
		}
		if k == nil || k.Revoked == nil || k.Revoked.Reason != record.Compromised || a.index >= k.Revoked.Index {
			continue
		}
		older, err := r.olderThan(a.index)
		if err != nil {
			return nil, err
		}
		if older == 0 || older >= k.Revoked.Since.Unix() {
			out = append(out, n)
		}
	}
	return out, nil
}

// appealRow is an appeal that waits for its ruling.
type appealRow struct {
	appeal   string // as shortID
	decision string // that it is against, as shortID
	period          // in which to rule; no hours: no limit
}

func (a *appealRow) encode() []byte {
	var e encoder
	e.bytes(a.appeal)
	e.bytes(a.decision)
	for _, n := range []int64{a.index, a.begin, a.hours} {
		e.int(n)
	}
	return e
}

func parseAppeal(raw []byte) (*appealRow, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	d := decoder{raw}
	a := &appealRow{d.bytes(idBytes), d.bytes(idBytes), period{d.int(), d.int(), d.int()}}
	return a, d.end(rowAppeal)
}

// appeal examines a complaint about what is in force.
func (e *exam) appeal(p *record.Appeal) error {
	c, err := e.caseOf(p, "")
	if err != nil {
		return err
	}
	e.demand(record.Quorum{Role: record.RoleIntake, Count: 1})
	id := shortID(p.Decision)
	a, err := e.act(id)
	if err != nil {
		return err
	}
	open, err := e.get(rowAppeal + p.Case)
	if err != nil {
		return err
	}
	switch {
	case c == nil || a == nil || c.by != id || a.ruling:
		e.voidf(CaseTransition, "%s is not the decision in force in this case", p.Decision)
		return nil
	case len(open) > 0:
		e.voidf(CaseTransition, "an appeal waits for its ruling already")
	case a.ruled():
		e.voidf(CaseTransition, "an appeal against %s was decided", p.Decision)
	}
	clauses, err := e.rested(a)
	if err != nil {
		return err
	}
	within, rule := appealPeriods(clauses)
	if within > 0 {
		if past, err := e.past(period{a.index, a.begin, within}, e.now); err != nil {
			return err
		} else if past {
			e.void(AppealTooLate)
		}
	}
	waits := appealRow{e.short(), id, e.begins(rule)}
	e.put(rowAppeal+p.Case, waits.encode())
	next := *c
	e.moved(p.Case, &next)
	return nil
}

// appealPeriods returns within how many hours a decision can be appealed, the
// longest that a clause gives, and the appeal be ruled on, the shortest; 0 for no
// limit.
func appealPeriods(clauses []*clauseRow) (within, rule int64) {
	limited := len(clauses) > 0
	for _, l := range clauses {
		if l.Appeal == nil {
			limited = false
			continue
		}
		within = max(within, l.Appeal.Within)
		if rule == 0 || l.Appeal.RuleWithin < rule {
			rule = l.Appeal.RuleWithin
		}
	}
	if !limited {
		within = 0
	}
	return within, rule
}

// rule examines the decision of an appeal.
func (e *exam) rule(p *record.Ruling) error {
	c, err := e.caseOf(p, "")
	if err != nil {
		return err
	}
	raw, err := e.get(rowAppeal + p.Case)
	if err != nil {
		return err
	}
	open, err := parseAppeal(raw)
	if err != nil {
		return err
	}
	if c == nil || open == nil || open.appeal != shortID(p.Appeal) {
		e.demand(record.Quorum{Role: record.RoleAppeals, Count: 1})
		e.voidf(CaseTransition, "%s waits for no ruling", p.Appeal)
		return nil
	}
	a, err := e.act(open.decision)
	if err != nil || a == nil {
		return err
	}
	quorums, err := e.rulers(a)
	if err != nil {
		return err
	}
	if err := e.independent(e.demand(quorums...), c.signers, RulingDependent); err != nil {
		return err
	}
	if open.hours > 0 {
		if past, err := e.past(open.period, e.now); err != nil {
			return err
		} else if past {
			end, _, _ := e.ends(open.period)
			e.findf(RulingLate, "it was due at %s", record.Time(end))
		}
	}
	e.put(rowAppeal+p.Case, nil)
	e.ruleOn(p, c, a, open.decision)
	return nil
}

// rulers returns who rules on an appeal: by each clause of the decision, the
// charter's default quorum of appeals officers where a clause says nothing.
func (e *exam) rulers(a *actRow) ([]record.Quorum, error) {
	clauses, err := e.rested(a)
	if err != nil {
		return nil, err
	}
	fallback := record.Quorum{Role: record.RoleAppeals, Count: e.charter.Charter.DefaultQuorum}
	var all []record.Quorum
	for _, l := range clauses {
		if l.Appeal != nil {
			all = append(all, l.Appeal.Quorum)
		} else {
			all = append(all, fallback)
		}
	}
	if len(all) == 0 {
		all = append(all, fallback)
	}
	return all, nil
}

// ruleOn records what a ruling does to the decision, and to the case unless the
// decision is in force no more: while the appeal was open the measure may have
// been lifted.
func (e *exam) ruleOn(p *record.Ruling, c *caseRow, a *actRow, decision string) {
	next, id := *c, e.short()
	own := &actRow{ruling: true, action: a.action, index: e.index, begin: e.begins(0).begin, until: p.Until.Unix(),
		count: int64(len(e.signers)), clauses: a.clauses}
	inForce := c.by == decision
	switch p.Outcome {
	case record.Upheld:
		own.flags = flagUpheld
	case record.Reversed:
		own.flags = flagReversed
		if inForce {
			next.state = stateOpen
			if a.measure() {
				next.state, next.by = stateReversed, id
			}
		}
	case record.Modified:
		own.flags, own.action = flagModified, p.Action
		if !a.measure() || slices.Index(Measures, p.Action) >= slices.Index(Measures, a.action) {
			e.voidf(CaseTransition, "%s is not milder than %s", p.Action, a.action)
		}
		if inForce {
			next.state, next.by = string(p.Action), id
		}
	}
	a.flags |= own.flags
	e.put(rowAct+decision, a.encode())
	e.put(rowAct+id, own.encode())
	e.moved(p.Case, &next)
}

// about examines a record that speaks about a decision or a ruling.
func (e *exam) about(id record.ID, role record.Role) error {
	e.demand(record.Quorum{Role: role, Count: 1})
	a, err := e.act(shortID(id))
	if err != nil {
		return err
	}
	if a == nil {
		e.voidf(AboutUnknown, "%s", id)
	}
	return nil
}

// erratum examines a clerical correction: as many must sign as had to sign what
// it corrects.
func (e *exam) erratum(p *record.Erratum) error {
	a, err := e.act(shortID(p.About))
	if err != nil {
		return err
	}
	if a == nil || a.ruling {
		e.voidf(AboutUnknown, "%s", p.About)
		return nil
	}
	e.demand(record.Quorum{Role: record.RoleDecider, Count: a.count})
	return nil
}
