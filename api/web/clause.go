package web

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/docket-ledger/docket/ledger/index"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/telling"
)

// A clauseView is a clause that a decision rests on, as it stood.
type clauseView struct {
	verify.CitedClause
	// Public says for how long it was public, and by whose word.
	Public string
	Terms  []string
}

// clauses are those that a decision rests on, and the grounds whose clause no
// receipt shows.
func clauses(proven *verify.Proven, d *record.Decision) (shown []clauseView, missing rows) {
	var hidden []record.Ground
	for _, g := range d.Grounds {
		found := false
		for _, c := range citedIn(proven) {
			if c.Ground == g {
				found = true
				v := clauseView{CitedClause: c, Terms: clauseTerms(c.Clause)}
				v.Public = "The clause is a text from before the ledger."
				if !c.Historic {
					v.Public = "The clause had been " + telling.Public(c, telling.AtDecision(d, proven.Times), firstSigned(proven.Record)) + "."
				}
				shown = append(shown, v)
			}
		}
		if !found {
			hidden = append(hidden, g)
		}
	}
	missing.grounds("Named", hidden)
	return shown, missing
}

func citedIn(proven *verify.Proven) []verify.CitedClause {
	if proven == nil {
		return nil
	}
	return proven.Clauses
}

// clauseTerms says in sentences what a clause permits, by whose signatures, and
// what it demands.
func clauseTerms(c record.Clause) []string {
	var all []string
	for _, p := range c.Permits {
		var actions, layers []string
		for _, a := range p.Actions {
			actions = append(actions, strings.ToLower(valueText(index.Action, string(a))))
		}
		for _, l := range p.ServiceLayers {
			layers = append(layers, layerWords[string(l)])
		}
		all = append(all, fmt.Sprintf("It permits, on %s, to: %s.", strings.Join(layers, ", "), strings.Join(actions, "; ")))
	}
	all = append(all, people(c.Quorum)+" must sign.")
	for _, q := range c.Quorums {
		all = append(all, quorumFor(q))
	}
	if n := c.Notice; n != nil {
		text := fmt.Sprintf("The subject is told %s before", hours(n.Hours))
		if len(n.Exempt) > 0 {
			text += ", unless it follows " + inWords(n.Exempt, triggerWords)
		}
		all = append(all, text+".")
	}
	if c.NotifyWithin > 0 {
		all = append(all, fmt.Sprintf("The subject is told of the decision within %s.", hours(c.NotifyWithin)))
	}
	if c.MaxDuration > 0 {
		all = append(all, fmt.Sprintf("A measure lasts %s at most.", hours(c.MaxDuration)))
	}
	if c.ReviewWithin > 0 {
		all = append(all, fmt.Sprintf("It is looked at again within %s.", hours(c.ReviewWithin)))
	}
	return append(all, clauseExceptions(c)...)
}

func clauseExceptions(c record.Clause) []string {
	var all []string
	if o := c.Orders; o != nil {
		all = append(all, "The record of an order must name: "+inWords(o.MustCarry, orderWords)+".")
	}
	if e := c.Emergency; e != nil {
		all = append(all, fmt.Sprintf("In an emergency (%s) it is enough that %s signs; %s must approve within %s, or it lapses.",
			strings.Join(e.Harms, ", "), people(e.Quorum), people(e.Ratifiers), hours(e.RatifyWithin)))
	}
	if r := c.Retrospective; r != nil {
		all = append(all, fmt.Sprintf("It may be recorded afterwards; then %s must approve within %s.", people(r.Ratifiers), hours(r.RatifyWithin)))
	}
	for _, group := range c.NotTogether {
		all = append(all, "Of these only one may sign: "+strings.Join(group, ", ")+".")
	}
	if a := c.Appeal; a != nil {
		all = append(all, fmt.Sprintf("Complaints are possible within %s; %s must rule on them within %s.", hours(a.Within), people(a.Quorum), hours(a.RuleWithin)))
	}
	return all
}

func people(q record.Quorum) string {
	return plural(q.Count, "person", "people") + " with the role " + string(q.Role)
}

func quorumFor(q record.QuorumFor) string {
	var who []string
	for _, s := range q.Signers {
		who = append(who, people(s))
	}
	var actions []string
	for _, a := range q.Actions {
		actions = append(actions, strings.ToLower(valueText(index.Action, string(a))))
	}
	var when []string
	if len(actions) > 0 {
		when = append(when, "to "+strings.Join(actions, ", or "))
	}
	if len(q.Severities) > 0 {
		when = append(when, "if the severity is "+strings.Join(q.Severities, " or "))
	}
	if len(when) == 0 {
		when = []string{"in every case"}
	}
	return upperFirst(strings.Join(when, ", ")) + ": " + strings.Join(who, " and ") + " must sign instead."
}

// orderWords say what an order must carry, and triggerWords what leads to a measure, in
// the middle of a sentence.
var (
	orderWords = map[string]string{"authority": "who ordered it", "legal_reference": "its legal reference", "intake": "the record of its arrival"}

	triggerWords = map[string]string{"own_initiative": "what the provider finds itself", "notice": "a notice from somebody",
		"trusted_flagger": "a notice from a trusted flagger", "authority_order": "the order of an authority", "court_order": "the order of a court"}
)

// inWords puts each of a list into words; what has none stays as it is.
func inWords(list []string, words map[string]string) string {
	all := make([]string, len(list))
	for i, w := range list {
		all[i] = cmp.Or(words[w], w)
	}
	return strings.Join(all, ", ")
}
