package index

import (
	"fmt"
	"time"

	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/verify/record"
)

// known is what the index remembers of earlier records, to tell what a later one is.
type known interface {
	// caseOf returns the case of an earlier act, or "".
	caseOf(id record.ID) (string, error)
	// holderOf returns the pseudonym of the holder of a key, or "".
	holderOf(kid string) (string, error)
}

// read returns what the index knows of a record by itself; place adds the rest. One that
// can't be opened is found by its standing alone.
func read(e ledger.Entry) *doc {
	d := &doc{values: map[Field][]string{}, holders: map[string]string{}}
	standing := "effective"
	if !e.Standing.Effective() {
		standing = "void"
	}
	d.add(Standing, standing)
	for _, c := range e.Standing.Codes {
		d.add(Code, string(c))
	}
	for _, c := range e.Standing.Findings {
		d.add(Code, string(c))
	}
	u, err := record.Parse(e.Record)
	if err != nil {
		return d
	}
	written, err := payloadTexts(u.PayloadBytes())
	if err != nil {
		return d
	}
	d.write(written)
	for _, h := range u.Headers() {
		d.add(Signer, h.KID)
	}
	d.payload(u.Payload())
	d.time = TimeOf(u)
	d.add(Month, time.Unix(int64(d.time), 0).UTC().Format("2006-01"))
	if e.Standing.Effective() {
		d.enrols(u.Payload())
	}
	d.cites(u.Payload())
	return d
}

// TimeOf returns when a record says that it happened.
func TimeOf(u *record.Unverified) record.Time {
	switch p := u.Payload().(type) {
	case *record.Decision:
		return p.DecidedAt
	case *record.Intake:
		return p.ReceivedAt
	case *record.Appeal:
		return p.ReceivedAt
	}
	newest := int64(0)
	for _, h := range u.Headers() {
		newest = max(newest, h.IAT)
	}
	return record.Time(newest)
}

// enrols notes whose keys a record enrols.
func (d *doc) enrols(p record.Payload) {
	switch p := p.(type) {
	case *record.Charter:
		for _, f := range p.Founders {
			d.holders[f.JWK.KID()] = f.Holder
			d.add(Holder, f.Holder)
		}
	case *record.KeyEnrol:
		d.holders[p.JWK.KID()] = p.Holder
		d.add(Holder, p.Holder)
	}
}

// cites notes the case of a record, and what it is about.
func (d *doc) cites(p record.Payload) {
	cited := record.Cited(p)
	if act, ok := p.(record.Act); ok {
		name, prev := act.Place()
		d.of = name
		d.add(Case, name)
		d.add(About, string(prev))
	}
	for _, id := range cited {
		d.add(About, string(id))
	}
	switch p.(type) {
	case *record.Erratum, *record.Execution, *record.Export, *record.Erasure:
		d.speaksOf = cited
	}
}

// place notes what only earlier records tell: who holds the keys that signed, and the
// cases of the acts that it speaks of.
func (d *doc) place(before known) error {
	for _, kid := range d.values[Signer] {
		holder, err := before.holderOf(kid)
		if err != nil {
			return err
		}
		d.add(Holder, holder)
	}
	for _, id := range d.speaksOf {
		name, err := before.caseOf(id)
		if err != nil {
			return err
		}
		d.add(Case, name)
	}
	return nil
}

// payload notes what a record states.
func (d *doc) payload(p record.Payload) {
	d.add(Type, string(p.Head().Type))
	switch p := p.(type) {
	case *record.Decision:
		d.decision(p)
	case *record.Intake:
		d.subject(p.Subject, p.ServiceLayer)
		d.add(Trigger, p.Trigger.Kind)
	case *record.Notice:
		d.subject(p.Subject, p.ServiceLayer)
		d.add(Action, string(p.Action))
		d.grounds(p.Grounds)
	case *record.Ruling:
		d.add(Outcome, p.Outcome)
		d.add(Action, string(p.Action))
	case *record.PolicyPublish:
		d.add(Policy, p.Policy)
		d.add(Version, fmt.Sprintf("%s/%d", p.Policy, p.Version))
		for _, c := range p.Clauses {
			d.add(Clause, fmt.Sprintf("%s/%d/%s", p.Policy, p.Version, c.Clause))
		}
	case *record.PolicyRepeal:
		d.add(Policy, p.Policy)
	}
}

func (d *doc) decision(p *record.Decision) {
	d.subject(p.Subject, p.ServiceLayer)
	d.add(Action, string(p.Action))
	d.add(Trigger, p.Trigger.Kind)
	d.add(Severity, p.Severity)
	d.grounds(p.Grounds)
	if p.Emergency != nil {
		d.add(Mode, "emergency")
	}
	if p.Retrospective != nil {
		d.add(Mode, "retrospective")
	}
	if p.Automation.Decision != "" && p.Automation.Decision != "none" && p.Automation.Decision != "not_automated" {
		d.add(Mode, "automated")
	}
}

func (d *doc) subject(s record.Subject, layer record.ServiceLayer) {
	d.add(Subject, s.Ref)
	d.add(Layer, string(layer))
}

func (d *doc) grounds(grounds []record.Ground) {
	seen := map[string]bool{}
	for _, g := range grounds {
		if g.Policy == "" || seen[g.Policy] {
			continue
		}
		seen[g.Policy] = true
		d.add(Policy, g.Policy)
	}
	for _, g := range grounds {
		if g.Policy == "" {
			continue
		}
		d.add(Version, fmt.Sprintf("%s/%d", g.Policy, g.Version))
		d.add(Clause, fmt.Sprintf("%s/%d/%s", g.Policy, g.Version, g.Clause))
	}
}
