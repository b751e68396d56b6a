package rules

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/docket-ledger/docket/verify/record"
)

// policyRow is a policy with all its versions.
type policyRow struct {
	Historic bool            `json:"historic,omitzero"`
	Versions []policyVersion `json:"versions"`
	// Repealed is from when on no version is in force.
	Repealed *policyChange `json:"repealed,omitzero"`
}

type policyVersion struct {
	Version int64     `json:"version"`
	Record  record.ID `json:"record"`
	policyChange
}

// A policyChange takes effect at From, but not before it was public for Lead
// hours. A historic text has no lead.
type policyChange struct {
	Index int64       `json:"index"` // of the record
	From  record.Time `json:"from"`
	Begin int64       `json:"begin,omitzero"` // see period
	Lead  int64       `json:"lead"`
}

// change is a rule change that this record makes.
func (e *exam) change(from record.Time) policyChange {
	p := e.begins(e.charter.Charter.PolicyLead)
	return policyChange{Index: p.index, From: from, Begin: p.begin, Lead: p.hours}
}

// start returns when a change takes effect; ok is false while that is not known.
func (r *rows) start(c policyChange) (at int64, ok bool, err error) {
	if c.Lead < 0 {
		return c.From.Unix(), true, nil
	}
	end, ok, err := r.ends(period{c.Index, c.Begin, c.Lead})
	return max(c.From.Unix(), end), ok, err
}

// historicLead marks a text from before the ledger.
const historicLead = -1

func clauseKey(policy string, version int64, clause string) string {
	return fmt.Sprintf("%s%s/%d/%s", rowClause, policy, version, clause)
}

// clauseRow is a clause without its text, with its number in this ledger.
type clauseRow struct {
	record.Clause
	Number int64 `json:"number"`
}

// historicOpen reports whether texts and decisions from before the ledger may
// still be entered.
func (e *exam) historicOpen() bool {
	until := e.charter.Charter.HistoricUntil
	return until != 0 && e.now <= until.Unix()
}

func (e *exam) publish(p *record.PolicyPublish) error {
	e.demand(record.Quorum{Role: record.RolePolicy, Count: e.charter.Charter.PolicyQuorum})
	old, err := cached[policyRow](&e.rows, rowPolicy+p.Policy)
	if err != nil {
		return err
	}
	row := policyRow{Historic: p.Historic != nil}
	next := int64(1)
	if old != nil {
		row.Versions = slices.Clone(old.Versions)
		next = row.Versions[len(row.Versions)-1].Version + 1
		if old.Repealed != nil {
			e.void(PolicyRepealed)
		}
	}
	if p.Version != next || old != nil && old.Historic != row.Historic {
		e.void(PolicyVersion)
	}
	v := policyVersion{Version: p.Version, Record: e.record.ID(), policyChange: e.change(p.EffectiveFrom)}
	if row.Historic {
		v.Lead = historicLead
		if !e.historicOpen() || p.EffectiveFrom.Unix() >= e.charter.Time {
			e.void(HistoricNotPermitted)
		}
	}
	row.Versions = append(row.Versions, v)
	number, err := e.count(rowClauses)
	if err != nil {
		return err
	}
	for _, c := range p.Clauses {
		c.Text, c.Title = "", ""
		key := clauseKey(p.Policy, p.Version, c.Clause)
		if err := e.putJSON(key, &clauseRow{c, number}); err != nil {
			return err
		}
		e.put(citeKey(number), []byte(key))
		number++
	}
	e.putInt(rowClauses, number)
	return e.putJSON(rowPolicy+p.Policy, &row)
}

func (e *exam) repeal(p *record.PolicyRepeal) error {
	e.demand(record.Quorum{Role: record.RolePolicy, Count: e.charter.Charter.PolicyQuorum})
	old, err := cached[policyRow](&e.rows, rowPolicy+p.Policy)
	if err != nil {
		return err
	}
	switch {
	case old == nil:
		e.void(PolicyUnknown)
		return nil
	case old.Repealed != nil:
		e.void(PolicyRepealed)
	}
	row := *old
	ends := e.change(p.EffectiveFrom)
	row.Repealed = &ends
	return e.putJSON(rowPolicy+p.Policy, &row)
}

func citeKey(number int64) string { return rowCite + strconv.FormatInt(number, 10) }

// at returns the version in force at a time, 0 if there is none.
func (r *rows) at(p *policyRow, time int64) (int64, error) {
	if p.Repealed != nil {
		if start, ok, err := r.start(*p.Repealed); err != nil || ok && time >= start {
			return 0, err
		}
	}
	in := int64(0)
	for _, v := range p.Versions {
		start, ok, err := r.start(v.policyChange)
		if err != nil {
			return 0, err
		}
		if ok && start <= time {
			in = v.Version
		}
	}
	return in, nil
}

// clause examines one cited ground: published as the record it names, in force
// at a time, and permitting the action on the layer. It returns the clause, or
// nil if there is none.
func (e *exam) clause(g record.Ground, d *record.Decision, time int64) (*clauseRow, *policyRow, error) {
	policy, err := cached[policyRow](&e.rows, rowPolicy+g.Policy)
	if err != nil {
		return nil, nil, err
	}
	var clause *clauseRow
	i := -1
	if policy != nil {
		i = slices.IndexFunc(policy.Versions, func(v policyVersion) bool {
			return v.Version == g.Version && v.Record == g.Record
		})
	}
	if i >= 0 {
		if clause, err = cached[clauseRow](&e.rows, clauseKey(g.Policy, g.Version, g.Clause)); err != nil {
			return nil, nil, err
		}
	}
	name := fmt.Sprintf("%s version %d, clause %s", g.Policy, g.Version, g.Clause)
	if clause == nil {
		e.voidf(GroundUnpublished, "%s in %s", name, g.Record)
		return nil, nil, nil
	}
	start, ok, err := e.start(policy.Versions[i].policyChange)
	if err != nil {
		return nil, nil, err
	}
	in, err := e.at(policy, time)
	if err != nil {
		return nil, nil, err
	}
	switch {
	case !ok:
		e.voidf(GroundNotYetEffective, "%s: no timemark shows yet since when it is public", name)
	case start > time:
		e.voidf(GroundNotYetEffective, "%s: in force from %s", name, record.Time(start))
	case in != g.Version:
		e.voidf(GroundRepealed, "%s: version %d is in force", name, in)
	}
	switch layer, action := permits(&clause.Clause, d.ServiceLayer, d.Action); {
	case !layer:
		e.voidf(GroundWrongLayer, "%s does not apply to %s", name, d.ServiceLayer)
	case !action:
		e.voidf(ActionNotPermitted, "%s does not permit %s on %s", name, d.Action, d.ServiceLayer)
	}
	return clause, policy, nil
}

// permits reports whether a clause applies to a layer, and permits an action
// there.
func permits(c *record.Clause, on record.ServiceLayer, do record.Action) (layer, action bool) {
	for _, p := range c.Permits {
		if slices.Contains(p.ServiceLayers, on) {
			layer = true
			action = action || slices.Contains(p.Actions, do)
		}
	}
	return layer, action
}
