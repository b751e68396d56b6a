package web

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/docket-ledger/docket/ledger/index"
	"github.com/docket-ledger/docket/verify/record"
)

// A row is a label and what it says; template "rows".
type row struct {
	Label  string
	Values []value
}

// A value is a text, a time or a link, with the code behind the words.
type value struct {
	Text string // of a record, or ours
	Href string
	At   record.Time
	Mono bool
	Code string
	Note string
}

// rows collects rows; what is not given is left out.
type rows []row

func (r *rows) add(label string, values ...value) {
	if len(values) > 0 {
		*r = append(*r, row{label, values})
	}
}

func (r *rows) text(label, text string) {
	if text != "" {
		r.add(label, value{Text: text})
	}
}

func (r *rows) mono(label, text string) {
	if text != "" {
		r.add(label, value{Text: text, Mono: true})
	}
}

func (r *rows) at(label string, at record.Time) {
	if at != 0 {
		r.add(label, value{At: at})
	}
}

// coded adds the words for a value of a field, with the value itself.
func (r *rows) coded(label string, f index.Field, code string) {
	if code != "" {
		r.add(label, coded(f, code))
	}
}

func coded(f index.Field, code string) value {
	return value{Text: valueText(f, code), Code: code, Href: searchURL(index.Query{}, f, code)}
}

func (r *rows) records(label string, ids ...record.ID) {
	var all []value
	for _, id := range ids {
		if id != "" {
			all = append(all, value{Text: string(id), Href: "/records/" + url.PathEscape(string(id)), Mono: true})
		}
	}
	r.add(label, all...)
}

func (r *rows) inCase(name string) {
	r.add("Case", value{Text: name, Href: "/cases/" + url.PathEscape(name)})
}

func (r *rows) subject(s record.Subject) {
	r.add("Subject", value{Text: s.Name, Code: s.Type})
	r.text("Where", s.Locator)
	r.add("Pseudonym", value{Text: s.Ref, Mono: true, Href: searchURL(index.Query{}, index.Subject, s.Ref), Note: "the same in every record about this subject"})
}

// grounds are clauses that are named, without their text.
func (r *rows) grounds(label string, grounds []record.Ground) {
	var all []value
	for _, g := range grounds {
		if g.Policy == "" {
			all = append(all, value{Text: string(g.Record), Mono: true, Href: "/records/" + url.PathEscape(string(g.Record))})
			continue
		}
		all = append(all, value{Text: fmt.Sprintf("%s, version %d, clause %s", g.Policy, g.Version, g.Clause), Href: "/policies/" + url.PathEscape(g.Policy)})
	}
	r.add(label, all...)
}

func (r *rows) trigger(t record.Trigger) {
	r.coded("What led to it", index.Trigger, t.Kind)
	r.text("Authority", t.Authority)
	r.text("Reporter", t.Reporter)
	r.text("Legal reference", t.LegalReference)
	r.records("Report received as", t.Intake)
}

// rowsOf are the members of a record in words, but for its longer texts.
func rowsOf(p record.Payload) rows {
	var r rows
	switch p := p.(type) {
	case *record.Decision:
		r.decision(p)
	case *record.Intake:
		r.inCase(p.Case)
		r.subject(p.Subject)
		r.coded("Service", index.Layer, string(p.ServiceLayer))
		r.at("Received", p.ReceivedAt)
		r.text("Alleged", p.Category)
		r.text("Arrived by", p.Channel)
		r.trigger(p.Trigger)
		r.records("Follows", p.Prev)
	case *record.Notice:
		r.notice(p)
	case *record.Ratification:
		r.inCase(p.Case)
		r.records("Approves", p.Decision)
		r.records("Follows", p.Prev)
	case *record.Appeal:
		r.inCase(p.Case)
		r.records("Complains about", p.Decision)
		r.text("Who complained", "the "+p.Filer)
		r.at("Received", p.ReceivedAt)
		r.records("Follows", p.Prev)
	case *record.Ruling:
		r.inCase(p.Case)
		r.coded("Outcome", index.Outcome, p.Outcome)
		r.coded("In force from now on", index.Action, string(p.Action))
		r.at("Until", p.Until)
		r.records("Rules on the complaint", p.Appeal)
		r.records("Follows", p.Prev)
	default:
		r.others(p)
	}
	return r
}

func (r *rows) decision(p *record.Decision) {
	r.coded("Decided", index.Action, string(p.Action))
	r.coded("Service", index.Layer, string(p.ServiceLayer))
	r.subject(p.Subject)
	r.inCase(p.Case)
	r.at("Dated", p.DecidedAt)
	r.at("Has effect from", p.EffectiveAt)
	r.at("Until", p.Until)
	r.at("To be looked at again by", p.ReviewAt)
	r.coded("Severity", index.Severity, p.Severity)
	r.text("Only in", strings.Join(p.Territory, ", "))
	r.records("Follows", p.Prev)
}

// origins are how a decision came about.
func origins(p *record.Decision) rows {
	var r rows
	r.trigger(p.Trigger)
	r.add("Machines", value{Text: automation(p.Automation), Code: "detection " + p.Automation.Detection + ", decision " + p.Automation.Decision})
	if p.Emergency != nil {
		r.add("Emergency", value{Text: "Decided at once because of a stated harm; others must approve it in time, or it lapses", Code: p.Emergency.Harm})
	}
	if p.Retrospective != nil {
		r.text("Recorded afterwards, because", p.Retrospective.Why)
	}
	for _, e := range p.Evidence {
		r.add("Evidence, kept elsewhere", value{Text: e.What, Code: "SHA-256 " + e.SHA256})
	}
	return r
}

// dsaRows are what a decision says for the EU's register, under the names of that.
func dsaRows(d *record.DSA) rows {
	if d == nil {
		return nil
	}
	var members map[string]any
	b, err := json.Marshal(d)
	if err == nil {
		err = json.Unmarshal(b, &members)
	}
	if err != nil {
		return nil // a record that was parsed encodes
	}
	var r rows
	for _, name := range slices.Sorted(maps.Keys(members)) {
		var all []value
		switch is := members[name].(type) {
		case string:
			all = append(all, value{Text: is})
		case []any:
			for _, one := range is {
				all = append(all, value{Text: fmt.Sprint(one)})
			}
		}
		r.add(upperFirst(strings.ReplaceAll(name, "_", " ")), all...)
	}
	return r
}

// automation says what machines did.
func automation(a record.Automation) string {
	found := "People found it"
	if a.Detection == "automated" {
		found = "A machine found it"
	}
	switch a.Decision {
	case "full":
		return found + ", and a machine decided without people"
	case "partial":
		return found + ", and people decided with the help of a machine"
	}
	return found + ", and people decided without a machine"
}

func (r *rows) notice(p *record.Notice) {
	r.inCase(p.Case)
	r.subject(p.Subject)
	r.coded("Service", index.Layer, string(p.ServiceLayer))
	r.coded("Intended", index.Action, string(p.Action))
	r.at("Could answer until", p.RespondBy)
	r.grounds("Clauses considered", p.Grounds)
	r.records("Of the decision", p.Decision)
	r.text("Sent by", p.Channel)
	r.records("Follows", p.Prev)
}

// others are records that belong to no case.
func (r *rows) others(p record.Payload) {
	switch p := p.(type) {
	case *record.Erratum:
		r.records("Corrects", p.About)
	case *record.Execution:
		r.records("Of the decision", p.About)
		r.add("Result", value{Text: map[string]string{"done": "Done", "failed": "Failed: it was not done"}[p.Result], Code: p.Result})
		r.text("System", p.System)
		r.at("When, as the system says", p.At)
	case *record.Export:
		r.records("Of the decision", p.About)
		r.text("Register", p.Register)
		r.text("Called there", p.Reference)
		r.at("Reported", p.At)
	case *record.Erasure:
		r.records("Of the record", p.About)
		r.text("Parts", strings.Join(p.Members, ", "))
	case *record.PolicyPublish:
		r.add("Policy", value{Text: p.Policy, Href: "/policies/" + url.PathEscape(p.Policy)})
		r.text("Version", fmt.Sprint(p.Version))
		r.at("In force from, at the earliest", p.EffectiveFrom)
		if p.Historic != nil {
			r.text("A text from before the ledger, source", p.Historic.Source)
		}
	case *record.PolicyRepeal:
		r.add("Policy", value{Text: p.Policy, Href: "/policies/" + url.PathEscape(p.Policy)})
		r.at("No longer in force from, at the earliest", p.EffectiveFrom)
	case *record.KeyEnrol:
		r.text("Holder", p.Holder)
		r.text("May sign as", words(p.Roles))
		r.at("Valid until", p.ValidUntil)
		r.key("Key", p.JWK.KID())
	case *record.KeyRevoke:
		r.key("Key", p.KID)
		r.text("Why", p.Reason)
		r.at("Since", p.Since)
	case *record.Charter:
		r.charter(&p.Terms)
		for _, f := range p.Founders {
			r.add("Founder", value{Text: f.Holder, Href: "/keys/" + f.JWK.KID(), Note: words(f.Roles)})
		}
	case *record.CharterAmend:
		r.charter(&p.Terms)
	}
}

func (r *rows) key(label, kid string) {
	r.add(label, value{Text: kid, Mono: true, Href: "/keys/" + url.PathEscape(kid)})
}

func (r *rows) charter(t *record.Terms) {
	r.text("Operator", t.Operator)
	r.text("Contact", t.Contact)
	r.text("Must sign together", fmt.Sprintf("%d for the charter, %d for keys, %d for policies, %d where a clause says nothing else",
		t.AdministrationQuorum, t.RegistrarQuorum, t.PolicyQuorum, t.DefaultQuorum))
	r.text("Public before a policy is in force, at least", hours(t.PolicyLead))
	r.text("A decision must be recorded", "within "+hours(t.DecideTolerance)+", or it counts as recorded afterwards")
	r.at("Decisions from before the ledger may be entered until", t.HistoricUntil)
	r.text("Rules", fmt.Sprintf("version %d", t.Rules))
	for _, k := range t.LogKeys {
		r.mono("Key of the log", k)
	}
	for _, line := range t.Witnesses {
		r.mono("Witnesses", line)
	}
	for _, k := range t.Recovery.Keys {
		r.mono("Recovery key", k.KID())
	}
}

func words[S ~string](list []S) string {
	texts := make([]string, len(list))
	for i, w := range list {
		texts[i] = string(w)
	}
	return strings.Join(texts, ", ")
}

// hours says a number of hours as people do.
func hours(n int64) string {
	switch {
	case n == 0:
		return "no time"
	case n%24 == 0:
		return plural(n/24, "day", "days")
	}
	return plural(n, "hour", "hours")
}
