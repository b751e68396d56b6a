package main

import (
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/telling"
)

// act says what a record states that is neither of those in words.go: facts in a
// line, then what is free text.
func (w *words) act(p record.Payload) {
	if _, amends := p.(*record.CharterAmend); !amends { // its summary is free text
		w.line("states", "%s", telling.Summary(p))
	}
	if a, ok := p.(record.Act); ok {
		name, prev := a.Place()
		w.line("case", "%s", name)
		w.given("follows", string(prev))
	}
	switch p := p.(type) {
	case *record.CharterAmend:
		w.line("amends", "the charter of %s, as a whole", p.Ledger)
		w.terms(&p.Terms)
		w.text("operator", p.Operator)
		w.text("contact", p.Contact)
		w.text("text", p.Text)
		w.text("reasons", p.Reasons)
	case *record.Intake:
		w.subject(p.Subject)
		w.text("summary", p.Summary)
		w.trigger(p.Trigger)
	case *record.Notice:
		w.subject(p.Subject)
		for _, g := range p.Grounds {
			w.ground(g)
		}
		w.text("what the subject was told", p.Text)
		w.text("redress", p.Redress)
	case *record.Appeal:
		if p.FilerJWK != nil {
			w.line("filer's key", "%s; its signature is shown and does not count", p.FilerJWK.KID())
		}
		w.text("statement", p.Statement)
	case *record.Ruling:
		w.given("until", p.Until.String())
		w.text("reasons", p.Reasons)
	case *record.Erratum:
		for _, c := range p.Corrections {
			w.text(c.Member+" says", c.Was)
			w.text(c.Member+" should say", c.Is)
		}
		w.text("reasons", p.Reasons)
	case *record.Execution:
		w.line("at", "%s", p.At)
		w.text("detail", p.Detail)
	case *record.Export:
		w.line("at", "%s", p.At)
		w.text("reference", p.Reference)
	case *record.Erasure:
		w.text("reasons", p.Reasons)
	}
}

func (w *words) subject(s record.Subject) {
	w.line("subject", "%s %s", s.Type, s.Ref)
	w.text("subject", s.Name)
	w.text("locator", s.Locator)
}

func (w *words) trigger(t record.Trigger) {
	w.text("authority", t.Authority)
	w.text("reporter", t.Reporter)
	w.text("legal reference", t.LegalReference)
}

// conditions are what a clause demands beside its quorum.
func (w *words) conditions(c *record.Clause) {
	for _, q := range c.Quorums {
		for _, s := range q.Signers {
			w.line("", "for %s %s by %d signing as %s", list(q.Actions), list(q.Severities), s.Count, s.Role)
		}
	}
	for _, group := range c.NotTogether {
		w.line("", "not together: %s", list(group))
	}
	if n := c.Notice; n != nil {
		w.line("", "the subject is told %d h before (not for: %s)", n.Hours, list(n.Exempt))
	}
	if c.NotifyWithin > 0 {
		w.line("", "the subject is told of it within %d h", c.NotifyWithin)
	}
	if a := c.Appeal; a != nil {
		w.line("", "may be appealed within %d h; %d as %s rule within %d h", a.Within, a.Quorum.Count, a.Quorum.Role, a.RuleWithin)
	}
	if c.MaxDuration > 0 {
		w.line("", "for at most %d h", c.MaxDuration)
	}
	if c.ReviewWithin > 0 {
		w.line("", "to be reviewed within %d h", c.ReviewWithin)
	}
	if c.Orders != nil {
		w.line("", "orders of authorities carry: %s", list(c.Orders.MustCarry))
	}
}
