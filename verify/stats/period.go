package stats

import (
	"slices"
	"strings"

	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// A Period is a time in seconds since 1970: From ≤ t < Until.
type Period struct{ From, Until int64 }

// Report are the numbers of a period, as reports on enforcement are asked for them. A
// record is of the period in which its last signer signed it. Of the decisions of the
// period it says what became of them until the end of the log; what came later than the
// period is therefore in it, too.
type Report struct {
	Figures
	// Subjects is how many there are that a measure of the period is about.
	Subjects int64
	// Territories are the measures by the countries in which they act, Everywhere
	// for those without limit. One may have several.
	Territories []Count
	// Languages are the decisions by language.
	Languages []Count
	// Detections and Automations are the decisions by what machines did.
	Detections, Automations []Count
	// Flags are the reports and orders that arrived in the period.
	Flags []Flag
	// Categories are they by what was alleged.
	Categories []Count
	// Authorities are those who ordered, as the records name them.
	Authorities []Authority
	// Notified is how many measures the subject was told of, Warned how many it
	// was told of before they were taken.
	Notified, Warned int64
	// Appeals arrived in the period, and the rulings were given in it.
	Appeals int64
	Rulings []Count
	// AutomatedUpheld and AutomatedChanged are the rulings of the period about
	// what a machine had detected.
	AutomatedUpheld, AutomatedChanged int64
	// Reinstated are the decisions to restore a service; Proactive how many of
	// them nobody's complaint had led to, nor the end of a measure's time.
	Reinstated, Proactive int64
}

// Everywhere is the Name of a Count of measures that have no territory.
const Everywhere = "everywhere"

// A Flag says what became of the reports and orders of one kind. Acted and Declined are
// those that a decision names; the rest were not decided on, or not yet.
type Flag struct {
	Kind                      string
	Received, Acted, Declined int64
}

// An Authority is one that ordered, or a court.
type Authority struct {
	Kind, Name string
	Demands    int64 // reports and decisions that name it, each demand once
	Acted      int64
}

// A PeriodCounter counts the records of one log for a Report. It is not for concurrent use.
type PeriodCounter struct {
	*Counter
	period Period
	report Report

	subjects                                        map[string]bool
	territories, languages, detections, automations map[string]int64
	categories, rulings                             map[string]int64
	flags                                           map[record.ID]*flag
	told                                            map[string]bool // cases with a notice of what is intended
	measures                                        map[record.ID]bool
	automated                                       map[record.ID]bool // decisions, of any time
	appealed                                        map[record.ID]record.ID
	ruled                                           map[record.ID]bool
	decided                                         map[record.ID]bool // decisions
	authorities                                     map[Authority]*Authority
}

// A flag is a report or order of the period.
type flag struct {
	kind            string
	acted, declined bool
	authority       *Authority
}

// NewPeriodCounter returns one that has counted nothing.
func NewPeriodCounter(p Period) *PeriodCounter {
	c := &PeriodCounter{Counter: NewCounter(), period: p, subjects: map[string]bool{},
		territories: map[string]int64{}, languages: map[string]int64{}, detections: map[string]int64{}, automations: map[string]int64{},
		categories: map[string]int64{}, rulings: map[string]int64{}, flags: map[record.ID]*flag{}, told: map[string]bool{},
		measures: map[record.ID]bool{}, automated: map[record.ID]bool{}, appealed: map[record.ID]record.ID{},
		ruled: map[record.ID]bool{}, decided: map[record.ID]bool{}, authorities: map[Authority]*Authority{}}
	c.counts = func(at int64) bool { return p.From <= at && at < p.Until }
	return c
}

// Add counts the next record of the log, with what the rules said of it.
func (c *PeriodCounter) Add(r Record, s rules.Standing) {
	c.Counter.Add(r, s)
	if !s.Effective() {
		return
	}
	within := c.counts(signedAt(r))
	switch p := r.Payload().(type) {
	case *record.Intake:
		c.flag(r.ID(), p, within)
	case *record.Notice:
		if p.Kind == record.Proposed {
			c.told[p.Case] = true
		} else if c.measures[p.Decision] {
			delete(c.measures, p.Decision) // each is told of once
			c.report.Notified++
		}
	case *record.Decision:
		c.decide(r.ID(), p, within)
	case *record.Appeal:
		c.appealed[r.ID()] = p.Decision
		if within {
			c.report.Appeals++
		}
	case *record.Ruling:
		c.rule(r.ID(), p, within)
	}
}

func (c *PeriodCounter) flag(id record.ID, p *record.Intake, within bool) {
	f := &flag{kind: p.Trigger.Kind}
	if within {
		c.flags[id] = f
		c.categories[p.Category]++
		f.authority = c.demand(p.Trigger)
	}
}

// demand counts a demand of an authority; nil if it is none.
func (c *PeriodCounter) demand(t record.Trigger) *Authority {
	if t.Kind != "authority_order" && t.Kind != "court_order" {
		return nil
	}
	name := Authority{Kind: t.Kind, Name: t.Authority}
	a := c.authorities[name]
	if a == nil {
		a = &Authority{Kind: t.Kind, Name: t.Authority}
		c.authorities[name] = a
	}
	a.Demands++
	return a
}

func (c *PeriodCounter) decide(id record.ID, p *record.Decision, within bool) {
	c.decided[id] = true
	if p.Automation.Detection == "automated" {
		c.automated[id] = true
	}
	acts := p.Action == record.Warn || slices.Contains(rules.Measures, p.Action)
	if f := c.flags[p.Trigger.Intake]; f != nil {
		if f.acted = f.acted || acts; acts && f.authority != nil {
			f.authority.Acted++
			f.authority = nil // once
		}
		f.declined = f.declined || p.Action == record.Decline
	}
	if !within || p.Retrospective != nil {
		return
	}
	c.languages[p.Lang]++
	c.detections[p.Automation.Detection]++
	c.automations[p.Automation.Decision]++
	if p.Trigger.Intake == "" {
		if a := c.demand(p.Trigger); a != nil && acts {
			a.Acted++
		}
	}
	switch {
	case p.Action == record.Reinstate:
		c.report.Reinstated++
		if !slices.ContainsFunc(p.Grounds, func(g record.Ground) bool { return c.ruled[g.Record] || c.decided[g.Record] }) {
			c.report.Proactive++
		}
	case acts:
		c.measure(id, p)
	}
}

func (c *PeriodCounter) measure(id record.ID, p *record.Decision) {
	c.subjects[p.Subject.Ref] = true
	c.measures[id] = true
	if c.told[p.Case] {
		c.report.Warned++
	}
	if len(p.Territory) == 0 {
		c.territories[Everywhere]++
	}
	for _, t := range p.Territory {
		c.territories[t]++
	}
}

func (c *PeriodCounter) rule(id record.ID, p *record.Ruling, within bool) {
	c.ruled[id] = true
	about := c.appealed[p.Appeal]
	if c.automated[about] {
		c.automated[id] = true // what is said of the ruling in its place
	}
	if !within {
		return
	}
	c.rulings[p.Outcome]++
	switch {
	case !c.automated[about]:
	case p.Outcome == record.Upheld:
		c.report.AutomatedUpheld++
	default:
		c.report.AutomatedChanged++
	}
}

// Report returns the numbers of what was counted so far.
func (c *PeriodCounter) Report() Report {
	r := c.report
	r.Figures = c.Figures()
	r.Subjects = int64(len(c.subjects))
	r.Territories, r.Languages, r.Detections, r.Automations = counts(c.territories), counts(c.languages), counts(c.detections), counts(c.automations)
	r.Categories, r.Rulings = counts(c.categories), counts(c.rulings)
	flags := map[string]*Flag{}
	for _, f := range c.flags {
		n := flags[f.kind]
		if n == nil {
			n = &Flag{Kind: f.kind}
			flags[f.kind] = n
		}
		n.Received++
		switch {
		case f.acted:
			n.Acted++
		case f.declined:
			n.Declined++
		}
	}
	for _, f := range flags {
		r.Flags = append(r.Flags, *f)
	}
	slices.SortFunc(r.Flags, func(a, b Flag) int { return strings.Compare(a.Kind, b.Kind) })
	for _, a := range c.authorities {
		r.Authorities = append(r.Authorities, *a)
	}
	slices.SortFunc(r.Authorities, func(a, b Authority) int { return strings.Compare(a.Kind+a.Name, b.Kind+b.Name) })
	return r
}
