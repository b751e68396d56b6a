package rules

import (
	"fmt"
	"slices"

	"github.com/docket-ledger/docket/verify/record"
)

// policyRow is a policy with all its versions.
type policyRow struct {
	Historic bool            `json:"historic,omitzero"`
	Versions []policyVersion `json:"versions"`
	// RepealedAt is from when on no version is in force, 0 if not repealed.
	RepealedAt int64 `json:"repealed_at,omitzero"`
}

type policyVersion struct {
	Version int64     `json:"version"`
	Record  record.ID `json:"record"`
	// Start is from when on the version is in force, in seconds since 1970.
	Start int64 `json:"start"`
}

func clauseKey(policy string, version int64, clause string) string {
	return fmt.Sprintf("%s%s/%d/%s", rowClause, policy, version, clause)
}

// start returns when a rule change that is published now takes effect: at its
// own date, but not before the policy lead is over.
func (e *exam) start(from record.Time) int64 {
	return max(from.Unix(), e.now+e.charter.Charter.PolicyLead*3600)
}

// historicOpen reports whether texts and decisions from before the ledger may
// still be entered.
func (e *exam) historicOpen() bool { return e.now <= e.charter.Charter.HistoricUntil.Unix() }

func (e *exam) publish(p *record.PolicyPublish) error {
	e.demand(record.Quorum{Role: record.RolePolicy, Count: e.charter.Charter.PolicyQuorum})
	old, err := cached[policyRow](e, rowPolicy+p.Policy)
	if err != nil {
		return err
	}
	row := policyRow{Historic: p.Historic != nil}
	next := int64(1)
	if old != nil {
		row.Versions = slices.Clone(old.Versions)
		next = row.Versions[len(row.Versions)-1].Version + 1
		if old.RepealedAt != 0 {
			e.void(PolicyRepealed)
		}
	}
	if p.Version != next || old != nil && old.Historic != row.Historic {
		e.void(PolicyVersion)
	}
	v := policyVersion{Version: p.Version, Record: e.record.ID(), Start: e.start(p.EffectiveFrom)}
	if row.Historic {
		v.Start = p.EffectiveFrom.Unix()
		if !e.historicOpen() || v.Start >= e.charter.Time {
			e.void(HistoricNotPermitted)
		}
	}
	row.Versions = append(row.Versions, v)
	for _, c := range p.Clauses {
		c.Text, c.Title = "", ""
		if err := e.putJSON(clauseKey(p.Policy, p.Version, c.Clause), &c); err != nil {
			return err
		}
	}
	return e.putJSON(rowPolicy+p.Policy, &row)
}

func (e *exam) repeal(p *record.PolicyRepeal) error {
	e.demand(record.Quorum{Role: record.RolePolicy, Count: e.charter.Charter.PolicyQuorum})
	old, err := cached[policyRow](e, rowPolicy+p.Policy)
	if err != nil {
		return err
	}
	switch {
	case old == nil:
		e.void(PolicyUnknown)
		return nil
	case old.RepealedAt != 0:
		e.void(PolicyRepealed)
	}
	row := *old
	row.RepealedAt = e.start(p.EffectiveFrom)
	return e.putJSON(rowPolicy+p.Policy, &row)
}

// at returns the version in force at a time, 0 if there is none.
func (r *policyRow) at(time int64) int64 {
	if r.RepealedAt != 0 && time >= r.RepealedAt {
		return 0
	}
	in := int64(0)
	for _, v := range r.Versions {
		if v.Start <= time {
			in = v.Version
		}
	}
	return in
}

// clause examines one cited ground: published as the record it names, in force
// at a time, and permitting the action on the layer. It returns the clause, or
// nil if there is none.
func (e *exam) clause(g record.Ground, d *record.Decision, time int64) (*record.Clause, *policyRow, error) {
	policy, err := cached[policyRow](e, rowPolicy+g.Policy)
	if err != nil {
		return nil, nil, err
	}
	var clause *record.Clause
	i := -1
	if policy != nil {
		i = slices.IndexFunc(policy.Versions, func(v policyVersion) bool {
			return v.Version == g.Version && v.Record == g.Record
		})
	}
	if i >= 0 {
		if clause, err = cached[record.Clause](e, clauseKey(g.Policy, g.Version, g.Clause)); err != nil {
			return nil, nil, err
		}
	}
	if clause == nil {
		e.void(GroundUnpublished)
		return nil, nil, nil
	}
	switch {
	case policy.Versions[i].Start > time:
		e.void(GroundNotYetEffective)
	case policy.at(time) != g.Version:
		e.void(GroundRepealed)
	}
	layer, action := false, false
	for _, p := range clause.Permits {
		if slices.Contains(p.ServiceLayers, d.ServiceLayer) {
			layer = true
			action = action || slices.Contains(p.Actions, d.Action)
		}
	}
	switch {
	case !layer:
		e.void(GroundWrongLayer)
	case !action:
		e.void(ActionNotPermitted)
	}
	return clause, policy, nil
}
