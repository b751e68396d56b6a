package web

import (
	"fmt"

	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
	"github.com/docket-ledger/docket/verify/telling"
)

// A state says in words where a record stands now: template "state".
type state struct {
	// Class is that of the notice: ok, warn, void or info.
	Class string
	Word  string
	Text  string
	// Reasons are why it is void, or what readers should know, with codes.
	Reasons  []reason
	Findings []reason
	// Deadlines are what is still to come.
	Deadlines rows
}

type reason struct{ Text, Code string }

// stateOf says where a record stands, with the status of a decision as of stands.
func stateOf(k *known, stands ledger.Stands) state {
	s := state{Findings: reasonsOf(k, k.Standing.Findings)}
	if !k.Standing.Effective() {
		s.Class, s.Word = "void", "Void: it counts for nothing"
		s.Text = "It broke the rules of the ledger when it was recorded, so nothing may be done because of it. It stays visible, so that everybody can see that it was tried."
		s.Reasons = reasonsOf(k, k.Standing.Codes)
		return s
	}
	d, decided := stands.Decided[k.Entry.ID]
	if !decided {
		s.Class, s.Word = "info", "Effective"
		s.Text = "It keeps the rules of the ledger, and counts."
		if len(s.Findings) > 0 {
			s.Class = "warn"
		}
		return s
	}
	s.status(d)
	if d.Contested {
		s.Class = "warn"
		s.Findings = append(s.Findings, reason{"A key that signed in this case may have been in other hands, and nobody has confirmed it since.", ""})
	}
	if p, ok := k.Payload().(*record.Decision); ok && p.Retrospective != nil {
		s.Findings = append(s.Findings, reason{"It was recorded afterwards: what it says of its time is never shown as proven.", ""})
	}
	return s
}

// statusWords are a status in a few words, and the class of its notice.
var statusWords = map[rules.Status][2]string{
	rules.InForce:              {"In force", "ok"},
	rules.AwaitingRatification: {"In force, awaiting approval", "warn"},
	rules.UnderAppeal:          {"In force, under appeal", "warn"},
	rules.Upheld:               {"In force, upheld", "ok"},
	rules.Lapsed:               {"Lapsed", "void"},
	rules.Reversed:             {"Reversed", "void"},
	rules.Modified:             {"Replaced by a milder measure", "info"},
	rules.Expired:              {"Expired", "info"},
	rules.Superseded:           {"Superseded", "info"},
}

func (s *state) status(d rules.Decided) {
	words := statusWords[d.Status]
	s.Word, s.Class, s.Text = words[0], words[1], telling.Status(d.Status)
	if !d.Status.Acts() {
		return
	}
	if d.Status == rules.AwaitingRatification {
		s.Deadlines.at("To be approved by", d.Deadline)
	}
	s.Deadlines.at("It ends", d.Until)
	s.Deadlines.at("To be looked at again by", d.Review)
	s.Deadlines.at("Complaints are possible until", d.Appeal)
}

// reasonsOf puts codes into sentences, with the evidence where the receipt shows it.
func reasonsOf(k *known, codes []rules.Code) []reason {
	var all []reason
	for _, code := range codes {
		text := ledger.Explain(code)
		if k.proven != nil {
			for _, d := range k.proven.Standing.Details {
				if d.Code == code {
					text = k.proven.Standing.Detail(code)
				}
			}
		}
		all = append(all, reason{text, string(code)})
	}
	return all
}

// An appealView says who may complain about a decision, until when, and how.
type appealView struct {
	Until record.Time // 0: no limit, or not known yet
	// Within is the period, "" if there is no limit of time.
	Within  string
	Open    bool // a complaint waits for its ruling
	Closed  bool // it is over
	Now     record.Time
	Rulers  string
	Contact string
	Redress prose
}

// appealOf returns nil for a void decision, of which nobody need complain.
func appealOf(d *record.Decision, k *known, stands ledger.Stands) *appealView {
	decided, ok := stands.Decided[k.Entry.ID]
	if !ok {
		return nil
	}
	v := &appealView{Until: decided.Appeal, Open: decided.Status == rules.UnderAppeal, Contact: k.terms.Contact, Now: stands.Time,
		Rulers: people(record.Quorum{Role: record.RoleAppeals, Count: k.terms.DefaultQuorum}), Redress: newProse(d.Lang, d.Redress)}
	limited := len(citedIn(k.proven)) > 0
	hoursMost, ruled := int64(0), ""
	for _, c := range citedIn(k.proven) {
		a := c.Clause.Appeal
		if a == nil {
			limited = false
			continue
		}
		hoursMost = max(hoursMost, a.Within)
		ruled = fmt.Sprintf("%s, within %s", people(a.Quorum), hours(a.RuleWithin))
	}
	if ruled != "" {
		v.Rulers = ruled
	}
	if limited {
		v.Within = hours(hoursMost)
	}
	v.Closed = !decided.Status.Acts() || v.Until != 0 && stands.Time > v.Until
	return v
}
