package main

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/docket-ledger/docket/api/client"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/telling"
)

// describe says in plain words what a record or draft states and who has signed
// it; names are the holders of keys and cited what it cites, as far as they are
// known. Free text comes last, under the warning that it can't be
// taken back. Text from the record is shown without control characters.
func describe(u *record.Unverified, names map[string]string, cited cited) string {
	w := words{cited: cited}
	switch p := u.Payload().(type) {
	case *record.Charter:
		w.charter(p)
	case *record.KeyEnrol:
		w.enrol(p)
	case *record.KeyRevoke:
		w.revoke(p)
	case *record.PolicyPublish:
		w.policy(p)
	case *record.PolicyRepeal:
		w.line("repeals", "policy %s, from %s on", p.Policy, p.EffectiveFrom)
		w.text("reasons", p.Reasons)
	case *record.Decision:
		w.decision(p)
	case *record.Ratification:
		w.line("approves", "the decision %s", p.Decision)
		w.line("case", "%s, after %s", p.Case, p.Prev)
		w.text("reasons", p.Reasons)
	default:
		w.act(p)
	}
	var b strings.Builder
	h := u.Payload().Head()
	fmt.Fprintf(&b, "A record of type %s for the ledger %s\n\n%s", h.Type, telling.Plain(h.Ledger), w.facts.String())
	if w.free.Len() > 0 {
		b.WriteString("\nThis text can never be removed from the log:\n" + w.free.String())
	}
	b.WriteString("\n" + signers(u, names))
	return b.String()
}

// signers says who has signed so far.
func signers(u *record.Unverified, names map[string]string) string {
	headers := u.Headers()
	if len(headers) == 0 {
		return "Nobody has signed it yet.\n"
	}
	own := holders(u.Payload())
	s := fmt.Sprintf("Signed so far by %d:\n", len(headers))
	for _, h := range headers {
		s += fmt.Sprintf("  %s, key %s\n    its number %d, at %s, having seen a log of %d records\n",
			telling.Plain(cmp.Or(own[h.KID], names[h.KID], "not known here")), h.KID, h.Seq, record.Time(h.IAT), h.Seen.Size)
	}
	return s
}

// holders names the keys that the payload itself names.
func holders(p record.Payload) map[string]string {
	names := map[string]string{}
	switch p := p.(type) {
	case *record.Charter:
		for _, f := range p.Founders {
			names[f.JWK.KID()] = f.Holder
		}
		for _, k := range p.Recovery.Keys {
			names[k.KID()] = "a recovery key"
		}
	case *record.KeyEnrol:
		names[p.JWK.KID()] = p.Holder + ", the new key"
	}
	return names
}

// words gathers what a record says: facts one to a line, free text apart.
type words struct {
	facts, free strings.Builder
	cited       cited
}

// cited is what a ledger says of what a record cites.
type cited struct {
	// rules are policies, by the id of the record that published them.
	rules      map[record.ID]*record.PolicyPublish
	precedents map[record.ID]precedent
	// like are the like cases that there are now; unlike says why they are not
	// known.
	like   []client.Precedents
	unlike error
}

// ground says which clause is cited, and what it says if that is known.
func (w *words) ground(g record.Ground) {
	if g.Policy == "" {
		w.line("ground", "record %s", g.Record)
		return
	}
	w.line("ground", "policy %s version %d, clause %s (%s)", g.Policy, g.Version, g.Clause, g.Record)
	p := w.cited.rules[g.Record]
	if p == nil || p.Policy != g.Policy || p.Version != g.Version {
		w.line("", "give --ledger to read here what it says")
		return
	}
	for _, c := range p.Clauses {
		if c.Clause == g.Clause {
			w.line("", "%q: %s", c.Title, c.Text)
			w.line("", "by %d signing as %s", c.Quorum.Count, c.Quorum.Role)
			w.conditions(&c)
			return
		}
	}
	w.line("", "that policy has no such clause")
}

func (w *words) line(name, format string, args ...any) {
	fmt.Fprintf(&w.facts, "  %-16s %s\n", name, telling.Plain(fmt.Sprintf(format, args...)))
}

// given is line for a value that may be left out.
func (w *words) given(name, value string) {
	if value != "" {
		w.line(name, "%s", value)
	}
}

func (w *words) text(name, text string) {
	if text == "" {
		return
	}
	fmt.Fprintf(&w.free, "  %s\n", name)
	for line := range strings.SplitSeq(text, "\n") {
		fmt.Fprintf(&w.free, "    %s\n", telling.Plain(line))
	}
}

func texts[S ~string](items []S) []string {
	t := make([]string, len(items))
	for i, s := range items {
		t[i] = string(s)
	}
	return t
}

func list[S ~string](items []S) string { return strings.Join(texts(items), ", ") }

func (w *words) charter(p *record.Charter) {
	w.line("founds", "the ledger %s of %s, contact %s", p.Ledger, p.Operator, p.Contact)
	for _, f := range p.Founders {
		w.line("founder", "%s: %s (key %s)", f.Holder, list(f.Roles), f.JWK.KID())
	}
	w.terms(&p.Terms)
	w.text("text", p.Text)
}

// terms are what a charter fixes, but for its free text.
func (w *words) terms(p *record.Terms) {
	for _, k := range p.Recovery.Keys {
		w.line("recovery key", "%s", k.KID())
	}
	w.line("needed", "registrars %d, administration %d, policy owners %d, recovery keys %d",
		p.RegistrarQuorum, p.AdministrationQuorum, p.PolicyQuorum, p.Recovery.Quorum)
	w.line("", "deciders where no clause says more: %d", p.DefaultQuorum)
	for _, k := range p.LogKeys {
		w.line("log key", "%s", k)
	}
	for _, k := range p.Witnesses {
		w.line("witnesses", "%s", k)
	}
	w.line("policy lead", "%d hours from publication until a policy is in force", p.PolicyLead)
	w.line("tolerances", "clocks %d s, decisions entered late %d h, drafts valid %d h", p.Tolerance, p.DecideTolerance, p.DraftLife)
	if p.HistoricUntil != 0 {
		w.line("history", "decisions from before the ledger may be entered until %s", p.HistoricUntil)
	}
	w.line("subject key", "SHA-256 %s", p.SubjectKeyHash)
	w.line("rules", "version %d", p.Rules)
}

func (w *words) enrol(p *record.KeyEnrol) {
	w.line("enrols", "a key of %s", p.Holder)
	w.line("key", "%s (%s)", p.JWK.KID(), p.JWK.Crv)
	w.line("may sign as", "%s", list(p.Roles))
	w.given("valid until", p.ValidUntil.String())
}

func (w *words) revoke(p *record.KeyRevoke) {
	w.line("revokes", "the key %s", p.KID)
	w.line("reason", "%s", p.Reason)
	w.given("since", p.Since.String())
}

func (w *words) policy(p *record.PolicyPublish) {
	w.line("publishes", "policy %s, version %d: %s", p.Policy, p.Version, p.Title)
	if p.Historic != nil {
		w.line("historic", "in force before the ledger, source: %s", p.Historic.Source)
	}
	w.line("in force from", "%s, or later: when the charter's policy lead is over", p.EffectiveFrom)
	for _, c := range p.Clauses {
		for _, permit := range c.Permits {
			w.line("clause "+c.Clause, "permits %s on %s", list(permit.Actions), list(permit.ServiceLayers))
		}
		w.line("", "by %d signing as %s", c.Quorum.Count, c.Quorum.Role)
		w.conditions(&c)
		if e := c.Emergency; e != nil {
			w.line("", "in an emergency (%s) by %d as %s; to be ratified within %d h by %d as %s",
				list(e.Harms), e.Quorum.Count, e.Quorum.Role, e.RatifyWithin, e.Ratifiers.Count, e.Ratifiers.Role)
		}
		if r := c.Retrospective; r != nil {
			w.line("", "also afterwards; to be ratified within %d h by %d as %s", r.RatifyWithin, r.Ratifiers.Count, r.Ratifiers.Role)
		}
		w.text("clause "+c.Clause+": "+telling.Plain(c.Title), c.Text)
	}
}

func (w *words) decision(p *record.Decision) {
	w.line("decides", "%s, on the service layer %s", p.Action, p.ServiceLayer)
	w.line("case", "%s", p.Case)
	w.given("follows", string(p.Prev))
	w.line("subject", "%s %s", p.Subject.Type, p.Subject.Ref)
	w.line("decided", "%s, effective %s", p.DecidedAt, p.EffectiveAt)
	w.given("until", p.Until.String())
	w.given("review", p.ReviewAt.String())
	for _, g := range p.Grounds {
		w.ground(g)
	}
	if len(p.Grounds) == 0 {
		w.line("ground", "no rule is named")
	}
	if p.Emergency != nil {
		w.line("emergency", "harm: %s; others must ratify it in time", p.Emergency.Harm)
	}
	w.given("severity", p.Severity)
	w.given("territory", list(p.Territory))
	w.line("trigger", "%s", p.Trigger.Kind)
	w.given("intake", string(p.Trigger.Intake))
	w.line("automation", "detection %s, decision %s", p.Automation.Detection, p.Automation.Decision)
	w.precedents(p)
	w.text("subject", p.Subject.Name)
	w.text("locator", p.Subject.Locator)
	w.text("facts", p.Facts)
	w.text("reasons", p.Reasons)
	if p.Retrospective != nil {
		w.text("recorded afterwards, because", p.Retrospective.Why)
	}
	for _, a := range p.Alternatives {
		w.text("why not "+string(a.Action), a.WhyNot)
	}
	w.text("differs from like cases, because", p.DistinguishingReason)
	w.text("authority", p.Trigger.Authority)
	w.text("reporter", p.Trigger.Reporter)
	w.text("legal reference", p.Trigger.LegalReference)
	for _, e := range p.Evidence {
		w.text("evidence, SHA-256 "+e.SHA256, e.What)
	}
	w.text("redress", p.Redress)
	if p.DSA != nil {
		w.dsa(p.DSA)
	}
}

// dsa says what a decision has for the EU's database, by the names of that.
func (w *words) dsa(d *record.DSA) {
	var members map[string]any
	b, err := json.Marshal(d)
	if err == nil {
		err = json.Unmarshal(b, &members)
	}
	if err != nil {
		return // a record that was parsed encodes
	}
	var lines []string
	for _, name := range sortedKeys(members) {
		text := fmt.Sprint(members[name])
		if list, ok := members[name].([]any); ok {
			text = strings.Trim(fmt.Sprint(list), "[]")
		}
		lines = append(lines, name+": "+text)
	}
	w.text("for the EU's DSA Transparency Database", strings.Join(lines, "\n"))
}
