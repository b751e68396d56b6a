package rules

import (
	"slices"

	"github.com/docket-ledger/docket/verify/record"
)

// amendRow is an amendment that waits until the policy lead is over.
type amendRow struct {
	Terms record.Terms `json:"terms"`
	Index int64        `json:"index"`
	Begin int64        `json:"begin,omitzero"`
	Lead  int64        `json:"lead"`
}

// amend examines an amendment of the charter. What makes the ledger less strict
// waits for the old policy lead, unless the recovery keys sign along.
func (e *exam) amend(p *record.CharterAmend) error {
	recovered := e.orRecovery(record.Quorum{Role: record.RoleAdministration, Count: e.charter.Charter.AdministrationQuorum},
		func(s signer) bool { return s.isNew })
	if p.HistoricUntil != 0 && p.HistoricUntil.Unix() > e.charter.Time+historicDays*24*3600 {
		e.void(HistoricNotPermitted)
	}
	if err := e.addRecoveryKeys(p); err != nil {
		return err
	}
	old := &e.charter.Charter.Terms
	reach, err := e.reach()
	if err != nil {
		return err
	}
	for role, quorum := range quorums(&p.Terms) {
		if reach[role] < quorum && quorum > quorums(old)[role] {
			e.voidf(QuorumUnreachable, "%d people could sign as %s", reach[role], role)
		}
	}
	if len(e.codes) > 0 {
		return nil
	}
	if why := weaker(old, &p.Terms); why != "" && !recovered {
		e.findf(AmendDelayed, "%s: in force after %d hours in public", why, old.PolicyLead)
		next := *e.charter
		next.Amendments, next.Pending = append(slices.Clone(next.Amendments), e.index), true
		if err := e.putJSON(rowCharter, &next); err != nil {
			return err
		}
		wait := e.begins(old.PolicyLead)
		return e.putJSON(rowAmend, amendRow{p.Terms, wait.index, wait.begin, wait.hours})
	}
	next := e.charter.with(p.Terms)
	next.Amendments = append(slices.Clone(next.Amendments), e.index)
	e.put(rowAmend, nil)
	return e.putJSON(rowCharter, next)
}

// ReadPending returns the terms of the amendment that waits to be in force, nil if
// there is none.
func ReadPending(state State) (*record.Terms, error) {
	a, err := readJSON[amendRow](state, rowAmend)
	if err != nil || a == nil {
		return nil, err
	}
	return &a.Terms, nil
}

// with returns the charter with other terms in force.
func (c *CharterInfo) with(terms record.Terms) *CharterInfo {
	charter := *c.Charter
	charter.Terms = terms
	next := *c
	next.Charter, next.Pending = &charter, false
	return &next
}

// amendWhenDue puts a waiting amendment in force once its time has come.
func (e *exam) amendWhenDue() error {
	a, err := cached[amendRow](&e.rows, rowAmend)
	if err != nil || a == nil {
		return err
	}
	now := e.now
	if !e.witnessed() {
		for _, h := range e.record.Headers() {
			now = max(now, h.IAT)
		}
	}
	if due, err := e.reached(period{a.Index, a.Begin, a.Lead}, now); !due || err != nil {
		return err
	}
	e.charter = e.charter.with(a.Terms)
	e.put(rowAmend, nil)
	return e.putJSON(rowCharter, e.charter)
}

// addRecoveryKeys enrols the recovery keys that an amendment brings.
func (e *exam) addRecoveryKeys(p *record.CharterAmend) error {
	number, err := e.count(rowKeys)
	if err != nil {
		return err
	}
	for _, k := range p.Recovery.Keys {
		kid := k.KID()
		old, err := cached[KeyInfo](&e.rows, rowKey+kid)
		switch {
		case err != nil:
			return err
		case old != nil && !old.Recovery:
			e.voidf(EnrolOtherHolder, "%s of %s can't be a recovery key", kid, old.Holder)
		case old == nil:
			if err := e.putKey(kid, recoveryKey(k, e.index, number)); err != nil {
				return err
			}
			number++
		}
	}
	e.putInt(rowKeys, number)
	return nil
}

// Weaker reports whether an amendment from old to next makes the ledger less strict,
// so that it waits for the policy lead of old unless the recovery keys sign along.
func Weaker(old, next *record.Terms) bool { return weaker(old, next) != "" }

// weaker says what an amendment makes less strict, or "".
func weaker(old, next *record.Terms) string {
	switch {
	case next.PolicyLead < old.PolicyLead:
		return "a shorter policy_lead"
	case next.AdministrationQuorum < old.AdministrationQuorum, next.RegistrarQuorum < old.RegistrarQuorum,
		next.PolicyQuorum < old.PolicyQuorum, next.DefaultQuorum < old.DefaultQuorum, next.Recovery.Quorum < old.Recovery.Quorum:
		return "a lower quorum"
	case !slices.Equal(next.Witnesses, old.Witnesses):
		return "other witnesses"
	case next.DecideTolerance > old.DecideTolerance:
		return "a longer decide_tolerance"
	case next.HistoricUntil > old.HistoricUntil:
		return "a later historic_until"
	}
	return ""
}
