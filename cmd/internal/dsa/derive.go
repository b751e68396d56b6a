package dsa

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docket-ledger/docket/verify/record"
)

const (
	illegal      = "DECISION_GROUND_ILLEGAL_CONTENT"
	incompatible = "DECISION_GROUND_INCOMPATIBLE_CONTENT"
	voluntary    = "SOURCE_VOLUNTARY"
)

// Known is what the log holds about a decision beside itself.
type Known struct {
	// Export is the index of the first effective record that says that it was
	// reported to the database, -1 if there is none.
	Export int64
	// Corrections are those of effective errata, in the order of the log.
	Corrections []record.Correction
	// Clause is the first clause that it rests on, nil if the log has no such.
	Clause *Clause
}

// A Clause is what a statement says of a clause.
type Clause struct {
	Title string
	// Source is where the text was published, if it is from before the ledger.
	Source string
}

// derive returns the statement about a decision of which scope says that it has one.
// Nothing is shortened and nothing guessed: what the decision does not say is missing,
// and Check finds it.
func derive(id record.ID, d *record.Decision, known Known) *Statement {
	x := d.DSA
	s := &Statement{
		PUID: string(id), DecisionVisibility: set(x.DecisionVisibility), DecisionVisibilityOther: x.DecisionVisibilityOther,
		DecisionMonetary: x.DecisionMonetary, DecisionMonetaryOther: x.DecisionMonetaryOther,
		DecisionProvision: x.DecisionProvision, DecisionAccount: x.DecisionAccount, AccountType: x.AccountType,
		DecisionGround: x.DecisionGround, DecisionGroundReferenceURL: x.DecisionGroundReferenceURL,
		IllegalContentLegalGround: x.IllegalContentLegalGround, IllegalContentExplanation: x.IllegalContentExplanation,
		IncompatibleContentGround: x.IncompatibleContentGround, IncompatibleContentExplained: x.IncompatibleContentExplained,
		IncompatibleContentIllegal: x.IncompatibleContentIllegal,
		Category:                   x.Category, CategoryAddition: set(x.CategoryAddition, x.Category),
		CategorySpecification: set(x.CategorySpecification), CategorySpecificationOther: x.CategorySpecificationOther,
		ContentType: set(x.ContentType), ContentTypeOther: x.ContentTypeOther,
		ContentLanguage: x.ContentLanguage, ContentDate: x.ContentDate,
		TerritorialScope: territory(d), ApplicationDate: day(d.EffectiveAt), DecisionFacts: d.Facts,
		SourceType: sources[d.Trigger.Kind], SourceIdentity: identity(d.Trigger),
		AutomatedDetection: detections[d.Automation.Detection], AutomatedDecision: automations[d.Automation.Decision],
	}
	if x.ContentIDEAN != "" {
		s.ContentID = &ContentID{x.ContentIDEAN}
	}
	s.restrict(d)
	s.end(d.Until)
	s.explain(d, known.Clause)
	return s
}

// restrict says what was done, from the action, if the signers did not in the words of
// the database.
func (s *Statement) restrict(d *record.Decision) {
	if len(s.DecisionVisibility) > 0 || s.DecisionMonetary != "" || s.DecisionProvision != "" || s.DecisionAccount != "" {
		return
	}
	part := "TOTAL_"
	if d.Subject.Type == "url" { // one of what the service stores
		part = "PARTIAL_"
	}
	switch account := d.Subject.Type == "account"; {
	case d.Action == record.Restrict:
		s.DecisionProvision = "DECISION_PROVISION_PARTIAL_SUSPENSION"
	case d.Action == record.Suspend && account:
		s.DecisionAccount = "DECISION_ACCOUNT_SUSPENDED"
	case d.Action == record.Suspend:
		s.DecisionProvision = "DECISION_PROVISION_" + part + "SUSPENSION"
	case account:
		s.DecisionAccount = "DECISION_ACCOUNT_TERMINATED"
	default:
		s.DecisionProvision = "DECISION_PROVISION_" + part + "TERMINATION"
	}
}

// end says until when, of each restriction that there is.
func (s *Statement) end(until record.Time) {
	if until == 0 {
		return
	}
	for _, r := range []struct {
		there bool
		date  *string
	}{{len(s.DecisionVisibility) > 0, &s.EndDateVisibility}, {s.DecisionMonetary != "", &s.EndDateMonetary},
		{s.DecisionProvision != "", &s.EndDateService}, {s.DecisionAccount != "", &s.EndDateAccount}} {
		if r.there {
			*r.date = day(until)
		}
	}
}

// explain names the clause and gives the reasons where the signers left that out.
func (s *Statement) explain(d *record.Decision, clause *Clause) {
	if s.DecisionGround == illegal {
		s.IllegalContentExplanation = cmp.Or(s.IllegalContentExplanation, d.Reasons)
		return
	}
	s.IncompatibleContentExplained = cmp.Or(s.IncompatibleContentExplained, d.Reasons)
	if len(d.Grounds) == 0 || d.Grounds[0].Clause == "" {
		return
	}
	g, title := d.Grounds[0], ""
	if clause != nil {
		title = " (" + clause.Title + ")"
		if s.DecisionGroundReferenceURL == "" && isURL(clause.Source) {
			s.DecisionGroundReferenceURL = clause.Source
		}
	}
	s.IncompatibleContentGround = cmp.Or(s.IncompatibleContentGround, fmt.Sprintf("%s, version %d, clause %s%s", g.Policy, g.Version, g.Clause, title))
}

var (
	// sources are by the kind of the trigger. The database has no word for an order.
	sources = map[string]string{
		"own_initiative": voluntary, "notice": "SOURCE_ARTICLE_16", "trusted_flagger": "SOURCE_TRUSTED_FLAGGER",
		"authority_order": "SOURCE_TYPE_OTHER_NOTIFICATION", "court_order": "SOURCE_TYPE_OTHER_NOTIFICATION",
	}
	detections  = map[string]string{"manual": "No", "automated": "Yes"}
	automations = map[string]string{"none": "AUTOMATED_DECISION_NOT_AUTOMATED", "partial": "AUTOMATED_DECISION_PARTIALLY",
		"full": "AUTOMATED_DECISION_FULLY"}
)

// identity names a trusted flagger, an authority or a court. Who else gave notice is
// named only where that is strictly necessary (Article 17(3)(b)), so never here.
func identity(t record.Trigger) string {
	switch t.Kind {
	case "trusted_flagger":
		return t.Reporter
	case "authority_order", "court_order":
		return t.Authority
	}
	return ""
}

// territory returns the countries of the EEA in which a decision has effect, sorted.
func territory(d *record.Decision) []string {
	if len(d.Territory) == 0 {
		return slices.Clone(EEA)
	}
	return slices.DeleteFunc(set(d.Territory), func(c string) bool { return !slices.Contains(EEA, c) })
}

// day is the date in UTC.
func day(t record.Time) string { return time.Unix(t.Unix(), 0).UTC().Format(time.DateOnly) }

// set sorts values, each once, as the database does, without some.
func set(values []string, without ...string) []string {
	values = slices.DeleteFunc(slices.Clone(values), func(v string) bool { return slices.Contains(without, v) })
	slices.Sort(values)
	return slices.Compact(values)
}

// corrected returns a decision with the corrections of what a statement is made of. One
// whose Was is not what stands there is left out: readers are shown both.
func corrected(d *record.Decision, list []record.Correction) *record.Decision {
	if len(list) == 0 {
		return d
	}
	c := *d
	c.Territory = slices.Clone(d.Territory)
	for _, k := range list {
		text := map[string]*string{"facts": &c.Facts, "reasons": &c.Reasons, "trigger/authority": &c.Trigger.Authority,
			"trigger/reporter": &c.Trigger.Reporter}[k.Member]
		if i, err := strconv.Atoi(strings.TrimPrefix(k.Member, "territory/")); err == nil && i >= 0 && i < len(c.Territory) {
			text = &c.Territory[i]
		}
		if text != nil && *text == k.Was {
			*text = k.Is
		}
	}
	return &c
}
