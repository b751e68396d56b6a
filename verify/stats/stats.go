// Package stats counts what a log says: how often, how alike, how fast and on
// whose demand decisions are taken, and what becomes of them. The numbers are a
// pure function of the records and their standings, so that anyone who holds a
// mirror counts the same. docs/statistics.md defines each number.
package stats

import (
	"slices"
	"strings"
	"time"

	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// A Counter counts the records of one log, one by one in its order. It keeps in
// memory what it needs of each decision and appeal. It is not for concurrent use.
type Counter struct {
	size, effective, void, voidDecisions int64

	counts    func(at int64) bool // whether what was signed then is counted
	codes     map[string]int64
	months    map[Month]int64 // with Count 0
	all       *clause
	clauses   map[clauseName]*clause
	holders   map[string]string // by key
	signed    map[string]int64  // decisions by holder
	noticed   map[string]int64  // when the first notice of a case was signed
	decisions map[record.ID]*decision
	appeals   map[record.ID]*appeal
}

// NewCounter returns one that has counted nothing.
func NewCounter() *Counter {
	return &Counter{counts: func(int64) bool { return true }, codes: map[string]int64{}, months: map[Month]int64{}, all: newClause(), clauses: map[clauseName]*clause{},
		holders: map[string]string{}, signed: map[string]int64{}, noticed: map[string]int64{},
		decisions: map[record.ID]*decision{}, appeals: map[record.ID]*appeal{}}
}

type clauseName struct {
	policy, clause string
	layer          record.ServiceLayer
}

// A clause is what a Clause is made of.
type clause struct {
	Clause    // the plain counts
	outcomes  map[string]int64
	triggers  map[string]int64
	groups    map[string]int64    // decisions by who signed
	ended     map[[2]string]int64 // by who signed and action
	times     [3][]int64          // notice to decision, decision to appeal, appeal to ruling
	ratified  int64
	onlyTried int64 // emergencies whose ratifications were all too late
}

func newClause() *clause {
	return &clause{outcomes: map[string]int64{}, triggers: map[string]int64{}, groups: map[string]int64{}, ended: map[[2]string]int64{}}
}

// A decision is what later records are counted by.
type decision struct {
	under     []*clause // and all; none if it is retrospective, or not counted
	signed    int64
	emergency bool
	ratified  bool
	tooLate   bool
	appealed  bool
}

type appeal struct {
	of     *decision
	signed int64
}

// A Record is a record.Checked or a *record.Unverified.
type Record interface {
	ID() record.ID
	Headers() []record.Header
	Payload() record.Payload
}

// Add counts the next record of the log, with what the rules said of it.
func (c *Counter) Add(r Record, s rules.Standing) {
	c.size++
	at := signedAt(r)
	if !s.Effective() {
		c.addVoid(r, s, at)
		return
	}
	if c.counts(at) {
		c.effective++
	}
	switch p := r.Payload().(type) {
	case *record.Charter:
		for _, f := range p.Founders {
			c.holders[f.JWK.KID()] = f.Holder
		}
	case *record.KeyEnrol:
		c.holders[p.JWK.KID()] = p.Holder
	case *record.Notice:
		if _, known := c.noticed[p.Case]; !known && p.Kind == record.Proposed {
			c.noticed[p.Case] = at
		}
	case *record.Decision:
		c.decide(r, p, at)
	case *record.Ratification:
		if d := c.decisions[p.Decision]; d != nil {
			d.ratify()
		}
	case *record.Appeal:
		c.appeal(r.ID(), p, at)
	case *record.Ruling:
		c.rule(r.ID(), p, at)
	}
}

func (c *Counter) addVoid(r Record, s rules.Standing, at int64) {
	_, decides := r.Payload().(*record.Decision)
	if c.counts(at) {
		c.void++
		for _, code := range s.Codes {
			c.codes[string(code)]++
		}
		if decides {
			c.voidDecisions++
		}
	}
	if p, ok := r.Payload().(*record.Ratification); ok && slices.Contains(s.Codes, rules.RatificationTooLate) {
		if d := c.decisions[p.Decision]; d != nil {
			d.late()
		}
	}
}

// signedAt returns when the last signer signed, as the signers say.
func signedAt(r Record) int64 {
	var at int64
	for _, h := range r.Headers() {
		at = max(at, h.IAT)
	}
	return at
}

func (c *Counter) decide(r Record, p *record.Decision, at int64) {
	d := &decision{signed: at, emergency: p.Emergency != nil}
	c.decisions[r.ID()] = d
	if !c.counts(at) {
		return
	}
	retrospective := p.Retrospective != nil
	c.months[Month{Month: time.Unix(at, 0).UTC().Format("2006-01"), Layer: p.ServiceLayer, Action: p.Action, Retrospective: retrospective}]++
	under := c.under(p)
	if retrospective {
		for _, cl := range under {
			cl.Retrospective++
		}
		return
	}
	d.under = under
	signers := c.signers(r)
	for _, who := range signers {
		c.signed[who]++
	}
	group := strings.Join(signers, "\n")
	noticed, wasNoticed := c.noticed[p.Case]
	for _, cl := range under {
		cl.decide(p, group)
		if wasNoticed {
			cl.times[0] = append(cl.times[0], at-noticed)
		}
	}
}

// under returns what a decision counts under: all, and each clause that it cites.
func (c *Counter) under(p *record.Decision) []*clause {
	under := []*clause{c.all}
	names := map[clauseName]bool{}
	for _, g := range p.Grounds {
		names[clauseName{g.Policy, g.Clause, p.ServiceLayer}] = true
	}
	if len(names) == 0 {
		names[clauseName{layer: p.ServiceLayer}] = true
	}
	for name := range names {
		cl := c.clauses[name]
		if cl == nil {
			cl = newClause()
			cl.Policy, cl.Clause.Clause, cl.Layer = name.policy, name.clause, name.layer
			c.clauses[name] = cl
		}
		under = append(under, cl)
	}
	return under
}

// signers returns the holders that signed, sorted, each once.
func (c *Counter) signers(r Record) []string {
	var who []string
	for _, h := range r.Headers() {
		who = append(who, c.holders[h.KID])
	}
	slices.Sort(who)
	return slices.Compact(who)
}

func (cl *clause) decide(p *record.Decision, group string) {
	cl.Decisions++
	cl.outcomes[string(p.Action)]++
	cl.triggers[p.Trigger.Kind]++
	cl.groups[group]++
	cl.ended[[2]string{group, string(p.Action)}]++
	switch {
	case p.Action == record.Warn || slices.Contains(rules.Measures, p.Action):
		cl.Acted++
	case p.Action == record.Decline:
		cl.Declined++
	}
	if p.Trigger.Kind == "authority_order" || p.Trigger.Kind == "court_order" {
		cl.ByOrder++
	}
	if p.Emergency != nil {
		cl.Emergencies++
	}
}

func (d *decision) ratify() {
	if !d.emergency || d.ratified {
		return
	}
	d.ratified = true
	for _, cl := range d.under {
		cl.ratified++
		if d.tooLate {
			cl.onlyTried--
		}
	}
}

func (d *decision) late() {
	if !d.emergency || d.tooLate {
		return
	}
	d.tooLate = true
	for _, cl := range d.under {
		if !d.ratified {
			cl.onlyTried++
		}
	}
}

func (c *Counter) appeal(id record.ID, p *record.Appeal, at int64) {
	d := c.decisions[p.Decision]
	if d == nil {
		return
	}
	c.appeals[id] = &appeal{of: d, signed: at}
	if d.appealed {
		return
	}
	d.appealed = true
	for _, cl := range d.under {
		cl.Appealed++
		cl.times[1] = append(cl.times[1], at-d.signed)
	}
}

// rule counts a ruling. What is said later about a ruling that took a decision's
// place is said about that decision.
func (c *Counter) rule(id record.ID, p *record.Ruling, at int64) {
	a := c.appeals[p.Appeal]
	if a == nil {
		return
	}
	c.decisions[id] = a.of
	for _, cl := range a.of.under {
		cl.times[2] = append(cl.times[2], at-a.signed)
		switch p.Outcome {
		case record.Upheld:
			cl.Upheld++
		case record.Reversed:
			cl.Reversed++
		case record.Modified:
			cl.Modified++
		}
	}
}
