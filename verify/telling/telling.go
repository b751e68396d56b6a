// Package telling says in plain words what records state, where decisions
// stand and what is owed, the same way in every program. Texts of records come
// out as they are: whoever prints them to a terminal makes them plain first
// (Plain).
package telling

import (
	"fmt"
	"strings"

	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// Summary says in one line what a record states.
func Summary(p record.Payload) string {
	switch p := p.(type) {
	case *record.Charter:
		return fmt.Sprintf("charter of %s, operated by %s", p.Ledger, p.Operator)
	case *record.CharterAmend:
		return fmt.Sprintf("the charter of %s is amended: %s", p.Ledger, p.Reasons)
	case *record.KeyEnrol:
		return fmt.Sprintf("a key of %s is enrolled as %s", p.Holder, list(p.Roles))
	case *record.KeyRevoke:
		return fmt.Sprintf("the key %s is revoked: %s", p.KID, p.Reason)
	case *record.PolicyPublish:
		return fmt.Sprintf("policy %s, version %d, %q", p.Policy, p.Version, p.Title)
	case *record.PolicyRepeal:
		return fmt.Sprintf("policy %s is repealed", p.Policy)
	case *record.Timemark:
		return "witnesses of the log vouch for its time"
	}
	return act(p)
}

// act is Summary for what belongs to a case or speaks about a decision.
func act(p record.Payload) string {
	switch p := p.(type) {
	case *record.Intake:
		return fmt.Sprintf("a report (%s, by %s) about %s arrived in case %s, received %s", p.Category, p.Channel, p.ServiceLayer, p.Case, p.ReceivedAt)
	case *record.Notice:
		if p.Kind == record.Proposed {
			return fmt.Sprintf("the subject of case %s was told that it is intended to %s, and could answer until %s", p.Case, p.Action, p.RespondBy)
		}
		return fmt.Sprintf("the subject of case %s was told of decision %s, and what can be done against it", p.Case, p.Decision)
	case *record.Decision:
		text := fmt.Sprintf("decision to %s, on %s, in case %s, dated %s", p.Action, p.ServiceLayer, p.Case, p.DecidedAt)
		if p.Retrospective != nil {
			text += "; recorded afterwards, so it is never shown as proven"
		}
		if p.Emergency != nil {
			text += fmt.Sprintf("; an emergency (%s), which others must ratify", p.Emergency.Harm)
		}
		return text
	case *record.Ratification:
		return fmt.Sprintf("approval of decision %s in case %s", p.Decision, p.Case)
	case *record.Appeal:
		return fmt.Sprintf("complaint of the %s about decision %s in case %s, received %s", p.Filer, p.Decision, p.Case, p.ReceivedAt)
	case *record.Ruling:
		text := fmt.Sprintf("ruling on appeal %s in case %s: %s", p.Appeal, p.Case, p.Outcome)
		if p.Outcome == record.Modified {
			text += fmt.Sprintf(" to %s", p.Action)
		}
		return text
	case *record.Erratum:
		return fmt.Sprintf("correction of decision %s in %d places", p.About, len(p.Corrections))
	case *record.Execution:
		return fmt.Sprintf("the system %s reports that decision %s was carried out: %s", p.System, p.About, p.Result)
	case *record.Export:
		return fmt.Sprintf("decision %s was reported to %s", p.About, p.Register)
	case *record.Erasure:
		return fmt.Sprintf("sealed parts of %s were erased: %s", p.About, strings.Join(p.Members, ", "))
	}
	return "a record"
}

func list[S ~string](words []S) string {
	texts := make([]string, len(words))
	for i, w := range words {
		texts[i] = string(w)
	}
	return strings.Join(texts, ", ")
}

// duties says what is to be done, by the kind of a duty.
var duties = map[string]string{
	rules.DutyRatify:    "approve the decision",
	rules.DutyUndo:      "undo the measure, which is not in force any more",
	rules.DutyNotify:    "tell the subject what was decided and why",
	rules.DutyRule:      "decide the complaint",
	rules.DutyReview:    "look at the measure again",
	rules.DutyReconfirm: "confirm what a compromised key may have signed",
	rules.DutyRenew:     "enrol new keys, before too few are left",
}

// Task says what is to be done by who owes a duty of a kind.
func Task(kind string) string {
	if what := duties[kind]; what != "" {
		return what
	}
	return kind
}

// Duty says in one line who owes what until when.
func Duty(d rules.Duty) string {
	people := fmt.Sprintf("%d of role %s", d.Count, d.Role)
	text := fmt.Sprintf("%s: %s", people, Task(d.Kind))
	if d.Case != "" {
		text += fmt.Sprintf(", case %s, entry %d", d.Case, d.Index)
	}
	switch {
	case d.Due == 0:
		return text + "; its time has not begun or has no limit"
	case d.Overdue:
		return fmt.Sprintf("OVERDUE since %s: %s", d.Due, text)
	}
	return fmt.Sprintf("%s; until %s", text, d.Due)
}

// Status says in a sentence where a decision stands.
func Status(s rules.Status) string {
	for _, t := range rules.Statuses {
		if t.Status == s {
			return t.Text
		}
	}
	return string(s)
}
