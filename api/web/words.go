package web

import (
	"fmt"
	"strings"

	"github.com/docket-ledger/docket/ledger/index"
	"github.com/docket-ledger/docket/verify/record"
)

// Words for laymen. What a code of the records means to people stands here, and
// only here; what package telling says already is not said again.

// typeWords say what a record is.
var typeWords = map[record.Type]string{
	record.TypeCharter:       "Charter",
	record.TypeCharterAmend:  "Amendment of the charter",
	record.TypeKeyEnrol:      "Enrolment of a key",
	record.TypeKeyRevoke:     "Revocation of a key",
	record.TypePolicyPublish: "Publication of a policy",
	record.TypePolicyRepeal:  "Repeal of a policy",
	record.TypeIntake:        "Report received",
	record.TypeNotice:        "Notice to the subject",
	record.TypeDecision:      "Decision",
	record.TypeRatification:  "Approval afterwards",
	record.TypeAppeal:        "Complaint",
	record.TypeRuling:        "Ruling on a complaint",
	record.TypeErratum:       "Correction",
	record.TypeExecution:     "Report of an enforcement system",
	record.TypeTimemark:      "Time shown by witnesses",
	record.TypeExport:        "Report to a register",
	record.TypeErasure:       "Erasure of sealed parts",
}

// layerWords name a service, as in "decision to suspend hosting".
var layerWords = map[string]string{
	"hosting": "hosting", "cdn_proxy": "content delivery (CDN)", "security": "security services",
	"dns": "DNS service", "registrar": "domain registration", "other": "another service",
}

// actionWords say what is done, with the service where %s stands.
var actionWords = map[record.Action]string{
	record.Terminate: "end %s", record.Suspend: "suspend %s", record.Restrict: "restrict %s", record.Warn: "warn, about %s",
	record.Decline: "take no measure on %s", record.Forward: "pass a report about %s on", record.Reinstate: "restore %s",
}

// actionNames name an action by itself.
var actionNames = map[record.Action]string{
	record.Terminate: "End the service", record.Suspend: "Suspend the service", record.Restrict: "Restrict the service",
	record.Warn: "Warn", record.Decline: "Take no measure", record.Forward: "Pass the report on", record.Reinstate: "Restore the service",
}

// otherWords are for values of the remaining fields that have a fixed set.
var otherWords = map[index.Field]map[string]string{
	index.Trigger: {"own_initiative": "The provider's own initiative", "notice": "A notice from somebody",
		"trusted_flagger": "A notice from a trusted flagger", "authority_order": "The order of an authority", "court_order": "The order of a court"},
	index.Severity: {"low": "Low", "medium": "Medium", "high": "High", "critical": "Critical"},
	index.Outcome:  {record.Upheld: "Upheld: the decision stays", record.Reversed: "Reversed: the decision is undone", record.Modified: "Modified: a milder measure"},
	index.Mode:     {"emergency": "Decided in an emergency", "retrospective": "Recorded afterwards", "automated": "Decided with machines"},
	index.Standing: {"effective": "Effective", "void": "Void: counts for nothing"},
}

// fieldWords name the fields of a search.
var fieldWords = map[index.Field]string{
	index.Type: "Kind of record", index.Action: "What was decided", index.Layer: "Service", index.Policy: "Policy",
	index.Version: "Policy, version", index.Clause: "Clause", index.Trigger: "What led to it", index.Severity: "Severity",
	index.Outcome: "Outcome of the complaint", index.Mode: "How it was decided", index.Standing: "Standing", index.Code: "Reason or finding",
	index.Month: "Month", index.Case: "Case", index.Subject: "Subject (pseudonym)", index.Signer: "Signed with the key",
	index.Holder: "Signed by", index.About: "About the record",
}

// valueText puts a value of a field into words; a value without words of its own
// stays as it is.
func valueText(f index.Field, value string) string {
	words := otherWords[f][value]
	switch f {
	case index.Type:
		words = typeWords[record.Type(value)]
	case index.Action:
		words = actionNames[record.Action(value)]
	case index.Layer:
		words = upperFirst(layerWords[value])
	case index.Month:
		words = monthText(value)
	}
	if words == "" {
		return value
	}
	return words
}

// monthText spells 2026-11 as November 2026.
func monthText(value string) string {
	t, err := record.ParseTime(value + "-01T00:00:00Z")
	if err != nil {
		return value
	}
	m, err := newMoment(t)
	if err != nil {
		return value
	}
	return strings.TrimPrefix(m.Day, "1 ")
}

func upperFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// measure says what an action does to a service, as in "suspend hosting".
func measure(a record.Action, layer record.ServiceLayer) string {
	service := layerWords[string(layer)]
	if service == "" {
		service = "the service"
	}
	words := actionWords[a]
	if words == "" {
		return string(a)
	}
	return fmt.Sprintf(words, service)
}

// A title is the heading of a record: words of ours, and a name from the record.
type title struct{ Text, Name string }

// longestName is how much of a name a heading shows, in characters; the whole of it
// stands below.
const longestName = 120

// titleOf returns the heading of a record.
func titleOf(p record.Payload) title {
	t := wholeTitle(p)
	t.Name = excerpt(longestName, t.Name)
	return t
}

func wholeTitle(p record.Payload) title {
	words := typeWords[p.Head().Type]
	switch p := p.(type) {
	case *record.Decision:
		return title{"Decision to " + measure(p.Action, p.ServiceLayer), subjectName(p.Subject, p.Case)}
	case *record.Intake:
		return title{words, subjectName(p.Subject, p.Case)}
	case *record.Notice:
		if p.Kind == record.Proposed {
			return title{"Notice that it is intended to " + measure(p.Action, p.ServiceLayer), subjectName(p.Subject, p.Case)}
		}
		return title{"Notice of the decision and of redress", subjectName(p.Subject, p.Case)}
	case *record.Ratification:
		return title{"Approval of a decision, afterwards", p.Case}
	case *record.Appeal:
		return title{"Complaint about a decision", p.Case}
	case *record.Ruling:
		return title{"Ruling on a complaint: " + p.Outcome, p.Case}
	case *record.KeyEnrol:
		return title{words, p.Holder}
	case *record.KeyRevoke:
		return title{words, p.KID}
	case *record.PolicyPublish:
		return title{fmt.Sprintf("Policy, version %d", p.Version), p.Title}
	case *record.PolicyRepeal:
		return title{words, p.Policy}
	case *record.Charter:
		return title{words, p.Operator}
	case *record.Execution:
		if p.Result == "failed" {
			return title{"An enforcement system failed to do what was decided", p.System}
		}
		return title{"An enforcement system did what was decided", p.System}
	case *record.Export:
		return title{words, p.Register}
	}
	return title{words, ""}
}

// subjectName is what a subject is called: its name, else its case.
func subjectName(s record.Subject, name string) string {
	if s.Name != "" {
		return s.Name
	}
	return "case " + name
}

// gist is a text of a record that tells most of it.
func gist(p record.Payload) string {
	switch p := p.(type) {
	case *record.Decision:
		return p.Reasons
	case *record.Intake:
		return p.Summary
	case *record.Notice:
		return p.Text
	case *record.Ratification:
		return p.Reasons
	case *record.Appeal:
		return p.Statement
	case *record.Ruling:
		return p.Reasons
	case *record.Erratum:
		return p.Reasons
	case *record.Execution:
		return p.Detail
	case *record.CharterAmend:
		return p.Reasons
	case *record.Charter:
		return p.Text
	case *record.PolicyRepeal:
		return p.Reasons
	case *record.PolicyPublish:
		var titles []string
		for _, c := range p.Clauses {
			titles = append(titles, c.Title)
		}
		return strings.Join(titles, "; ")
	}
	return ""
}

// caseOf is the case that a record belongs to, "" if none.
func caseOf(p record.Payload) string {
	if act, ok := p.(record.Act); ok {
		name, _ := act.Place()
		return name
	}
	return ""
}

// dated is when a record says that it happened: decided_at of a decision,
// received_at of an intake or appeal, else the newest iat.
func dated(p record.Payload, headers []record.Header) record.Time {
	switch p := p.(type) {
	case *record.Decision:
		return p.DecidedAt
	case *record.Intake:
		return p.ReceivedAt
	case *record.Appeal:
		return p.ReceivedAt
	}
	newest := int64(0)
	for _, h := range headers {
		newest = max(newest, h.IAT)
	}
	return record.Time(newest)
}
