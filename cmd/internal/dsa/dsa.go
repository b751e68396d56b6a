// Package dsa turns decisions into statements of reasons for the EU's DSA Transparency
// Database (Regulation (EU) 2022/2065, Articles 17 and 24(5)): which decisions have one,
// what it says, what that database would refuse, and how its answer comes back into the
// log. It calls nobody. docs/dsa.md is for readers.
package dsa

// dsa.go says what a statement is, scope.go which decisions have one, derive.go what it
// says, check.go what the database would refuse, answer.go reads its answer.

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// Register is what export records call the database.
const Register = "dsa-transparency-database"

// MaxStatements is how many statements the database takes at once.
const MaxStatements = 100

// A Statement is one for the database's bulk endpoint, in version 2 of its schema.
// What is empty is left out.
type Statement struct {
	PUID                         string     `json:"puid"`
	DecisionVisibility           []string   `json:"decision_visibility,omitempty"`
	DecisionVisibilityOther      string     `json:"decision_visibility_other,omitempty"`
	EndDateVisibility            string     `json:"end_date_visibility_restriction,omitempty"`
	DecisionMonetary             string     `json:"decision_monetary,omitempty"`
	DecisionMonetaryOther        string     `json:"decision_monetary_other,omitempty"`
	EndDateMonetary              string     `json:"end_date_monetary_restriction,omitempty"`
	DecisionProvision            string     `json:"decision_provision,omitempty"`
	EndDateService               string     `json:"end_date_service_restriction,omitempty"`
	DecisionAccount              string     `json:"decision_account,omitempty"`
	EndDateAccount               string     `json:"end_date_account_restriction,omitempty"`
	AccountType                  string     `json:"account_type,omitempty"`
	DecisionGround               string     `json:"decision_ground"`
	DecisionGroundReferenceURL   string     `json:"decision_ground_reference_url,omitempty"`
	IllegalContentLegalGround    string     `json:"illegal_content_legal_ground,omitempty"`
	IllegalContentExplanation    string     `json:"illegal_content_explanation,omitempty"`
	IncompatibleContentGround    string     `json:"incompatible_content_ground,omitempty"`
	IncompatibleContentExplained string     `json:"incompatible_content_explanation,omitempty"`
	IncompatibleContentIllegal   string     `json:"incompatible_content_illegal,omitempty"`
	Category                     string     `json:"category"`
	CategoryAddition             []string   `json:"category_addition,omitempty"`
	CategorySpecification        []string   `json:"category_specification,omitempty"`
	CategorySpecificationOther   string     `json:"category_specification_other,omitempty"`
	ContentType                  []string   `json:"content_type"`
	ContentTypeOther             string     `json:"content_type_other,omitempty"`
	ContentLanguage              string     `json:"content_language,omitempty"`
	ContentDate                  string     `json:"content_date"`
	ContentID                    *ContentID `json:"content_id,omitempty"`
	TerritorialScope             []string   `json:"territorial_scope,omitempty"`
	ApplicationDate              string     `json:"application_date"`
	DecisionFacts                string     `json:"decision_facts"`
	SourceType                   string     `json:"source_type"`
	SourceIdentity               string     `json:"source_identity,omitempty"`
	AutomatedDetection           string     `json:"automated_detection"`
	AutomatedDecision            string     `json:"automated_decision"`
}

// A ContentID names a product.
type ContentID struct {
	EAN13 string `json:"EAN-13"`
}

// An Outcome is what becomes of a record: it has a statement, or one that the database
// would refuse, or none.
type Outcome struct {
	// Not is why there is none; nil if there is one.
	Not *Reason
	// Statement is the JSON of it, and Faults what the database would refuse about it.
	Statement jsontext.Value
	Faults    []Fault
}

// Applies reports whether Judge says something about a record: about a decision, and
// about a complaint and what was ruled on it, of which people ask.
func Applies(p record.Payload) bool {
	t := p.Head().Type
	return t == record.TypeDecision || t == record.TypeAppeal || t == record.TypeRuling
}

// Judge says whether a record to which this Applies has a statement, makes it, and
// checks it. void has the codes of its standing, known what else the log has about it.
func Judge(id record.ID, p record.Payload, void []rules.Code, known Known) (Outcome, error) {
	if d, ok := p.(*record.Decision); ok {
		p = corrected(d, known.Corrections)
	}
	if not := scope(p, void, known); not != nil {
		return Outcome{Not: not}, nil
	}
	b, err := json.Marshal(derive(id, p.(*record.Decision), known))
	if err != nil {
		return Outcome{}, err
	}
	return Outcome{Statement: b, Faults: Check(b)}, nil
}
