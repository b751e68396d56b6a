package export

import (
	"fmt"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// A Record is a row about a record. Its members are the columns of every format, in
// this order; docs/exports.md says what they mean. The tags spell Parquet: what takes
// few values is kept in a dictionary.
type Record struct {
	Index         int64     `json:"index" parquet:"index,delta"`
	ID            string    `json:"id" parquet:"id"`
	Type          string    `json:"type" parquet:"type,dict"`
	Effective     bool      `json:"effective" parquet:"effective"`
	Codes         []string  `json:"codes" parquet:"codes,list" parquet-element:",dict"`
	Findings      []string  `json:"findings" parquet:"findings,list" parquet-element:",dict"`
	Case          string    `json:"case" parquet:"case,dict"`
	Prev          string    `json:"prev" parquet:"prev"`
	Cites         []string  `json:"cites" parquet:"cites,list" parquet-element:",dict"`
	Action        string    `json:"action" parquet:"action,dict"`
	ServiceLayer  string    `json:"service_layer" parquet:"service_layer,dict"`
	Outcome       string    `json:"outcome" parquet:"outcome,dict"`
	FirstSignedAt time.Time `json:"first_signed_at,omitzero" parquet:"first_signed_at,optional,timestamp(millisecond)"`
	SignedAt      time.Time `json:"signed_at,omitzero" parquet:"signed_at,optional,timestamp(millisecond)"`
	Signers       []string  `json:"signers" parquet:"signers,list" parquet-element:",dict"`
	Bytes         int64     `json:"bytes" parquet:"bytes"`

	// JSON Lines alone have what was signed, and the record itself.
	Payload jsontext.Value `json:"payload" parquet:"-"`
	Record  jsontext.Value `json:"record" parquet:"-"`
}

// A Decision is a row about a decision, void or not.
type Decision struct {
	Index        int64     `json:"index" parquet:"index,delta"`
	ID           string    `json:"id" parquet:"id"`
	Effective    bool      `json:"effective" parquet:"effective"`
	Codes        []string  `json:"codes" parquet:"codes,list" parquet-element:",dict"`
	Findings     []string  `json:"findings" parquet:"findings,list" parquet-element:",dict"`
	Case         string    `json:"case" parquet:"case"`
	Prev         string    `json:"prev" parquet:"prev"`
	Action       string    `json:"action" parquet:"action,dict"`
	ServiceLayer string    `json:"service_layer" parquet:"service_layer,dict"`
	SubjectType  string    `json:"subject_type" parquet:"subject_type,dict"`
	SubjectRef   string    `json:"subject_ref" parquet:"subject_ref"`
	SubjectName  string    `json:"subject_name" parquet:"subject_name"`
	Locator      string    `json:"subject_locator" parquet:"subject_locator"`
	Clauses      []string  `json:"clauses" parquet:"clauses,list" parquet-element:",dict"`
	Grounds      []string  `json:"grounds" parquet:"grounds,list" parquet-element:",dict"`
	Severity     string    `json:"severity" parquet:"severity,dict"`
	Trigger      string    `json:"trigger" parquet:"trigger,dict"`
	Authority    string    `json:"trigger_authority" parquet:"trigger_authority,dict"`
	LegalRef     string    `json:"trigger_legal_reference" parquet:"trigger_legal_reference,dict"`
	Reporter     string    `json:"trigger_reporter" parquet:"trigger_reporter,dict"`
	Intake       string    `json:"trigger_intake" parquet:"trigger_intake"`
	Detection    string    `json:"automation_detection" parquet:"automation_detection,dict"`
	Automation   string    `json:"automation_decision" parquet:"automation_decision,dict"`
	Emergency    string    `json:"emergency" parquet:"emergency,dict"`
	After        bool      `json:"retrospective" parquet:"retrospective"`
	AfterWhy     string    `json:"retrospective_why" parquet:"retrospective_why"`
	Alternatives []string  `json:"alternatives" parquet:"alternatives,list" parquet-element:",dict"`
	Territory    []string  `json:"territory" parquet:"territory,list" parquet-element:",dict"`
	Lang         string    `json:"lang" parquet:"lang,dict"`
	Facts        string    `json:"facts" parquet:"facts"`
	Reasons      string    `json:"reasons" parquet:"reasons"`
	Redress      string    `json:"redress" parquet:"redress,dict"`
	Precedents   []string  `json:"precedents" parquet:"precedents,list" parquet-element:",dict"`
	Differs      string    `json:"distinguishing_reason" parquet:"distinguishing_reason"`
	DecidedAt    time.Time `json:"decided_at,omitzero" parquet:"decided_at,optional,timestamp(millisecond)"`
	EffectiveAt  time.Time `json:"effective_at,omitzero" parquet:"effective_at,optional,timestamp(millisecond)"`
	Until        time.Time `json:"until,omitzero" parquet:"until,optional,timestamp(millisecond)"`
	ReviewAt     time.Time `json:"review_at,omitzero" parquet:"review_at,optional,timestamp(millisecond)"`
	SignedAt     time.Time `json:"signed_at,omitzero" parquet:"signed_at,optional,timestamp(millisecond)"`
	Signers      []string  `json:"signers" parquet:"signers,list" parquet-element:",dict"`

	// What became of it, as of the manifest's as_of; nothing for one that is void.
	Status    string    `json:"status" parquet:"status,dict"`
	InForce   bool      `json:"in_force" parquet:"in_force"`
	Notified  bool      `json:"notified" parquet:"notified"`
	Contested bool      `json:"contested" parquet:"contested"`
	RatifyBy  time.Time `json:"ratify_by,omitzero" parquet:"ratify_by,optional,timestamp(millisecond)"`
	AppealBy  time.Time `json:"appeal_by,omitzero" parquet:"appeal_by,optional,timestamp(millisecond)"`
}

func newRecord(index int64, r record.Checked, s rules.Standing) Record {
	p := r.Payload()
	row := Record{Index: index, ID: string(s.ID), Type: string(p.Head().Type), Effective: s.Effective(), Codes: texts(s.Codes), Findings: texts(s.Findings),
		Cites: texts(record.Cited(p)), Bytes: int64(len(r.Bytes()))}
	if act, ok := p.(record.Act); ok {
		name, prev := act.Place()
		row.Case, row.Prev = name, string(prev)
	}
	switch p := p.(type) {
	case *record.Intake:
		row.ServiceLayer = string(p.ServiceLayer)
	case *record.Notice:
		row.Action, row.ServiceLayer = string(p.Action), string(p.ServiceLayer)
	case *record.Decision:
		row.Action, row.ServiceLayer = string(p.Action), string(p.ServiceLayer)
	case *record.Ruling:
		row.Action, row.Outcome = string(p.Action), p.Outcome
	case *record.Execution:
		row.Outcome = p.Result
	}
	first, last := int64(0), int64(0)
	for i, h := range r.Headers() {
		if row.Signers = append(row.Signers, h.KID); i == 0 {
			first = h.IAT
		}
		first, last = min(first, h.IAT), max(last, h.IAT)
	}
	row.FirstSignedAt, row.SignedAt = instant(record.Time(first)), instant(record.Time(last))
	return row
}

// newDecision returns the row of the decision p of a record, without what became of it.
func newDecision(r Record, p *record.Decision) Decision {
	d := Decision{Index: r.Index, ID: r.ID, Effective: r.Effective, Codes: r.Codes, Findings: r.Findings, Case: r.Case, Prev: r.Prev,
		Action: r.Action, ServiceLayer: r.ServiceLayer,
		SubjectType: p.Subject.Type, SubjectRef: p.Subject.Ref, SubjectName: p.Subject.Name, Locator: p.Subject.Locator,
		Severity: p.Severity, Trigger: p.Trigger.Kind, Authority: p.Trigger.Authority, LegalRef: p.Trigger.LegalReference,
		Reporter: p.Trigger.Reporter, Intake: string(p.Trigger.Intake), Detection: p.Automation.Detection, Automation: p.Automation.Decision,
		Territory: p.Territory, Lang: p.Lang, Facts: p.Facts, Reasons: p.Reasons, Redress: p.Redress,
		Precedents: texts(p.Precedents), Differs: p.DistinguishingReason,
		DecidedAt: instant(p.DecidedAt), EffectiveAt: instant(p.EffectiveAt), Until: instant(p.Until), ReviewAt: instant(p.ReviewAt),
		SignedAt: r.SignedAt, Signers: r.Signers}
	for _, g := range p.Grounds {
		if d.Grounds = append(d.Grounds, string(g.Record)); g.Clause != "" {
			d.Clauses = append(d.Clauses, fmt.Sprintf("%s/%d/%s", g.Policy, g.Version, g.Clause))
		}
	}
	for _, a := range p.Alternatives {
		d.Alternatives = append(d.Alternatives, string(a.Action))
	}
	if p.Emergency != nil {
		d.Emergency = p.Emergency.Harm
	}
	if p.Retrospective != nil {
		d.After, d.AfterWhy = true, p.Retrospective.Why
	}
	return d
}

// became adds what is known of it in the end, at a time in seconds since 1970.
func (d *Decision) became(end *rules.StatusReader, at int64) error {
	if !d.Effective {
		return nil
	}
	now, err := end.Read(d.Case, record.ID(d.ID), at)
	if err != nil {
		return fmt.Errorf("decision %d: %w", d.Index, err)
	}
	d.Status, d.InForce, d.Notified, d.Contested = string(now.Status), now.Status.Acts(), now.Notified, now.Contested
	d.RatifyBy, d.AppealBy = instant(now.Deadline), instant(now.Appeal)
	return nil
}

// instant is the zero time.Time for a time that is not given.
func instant(t record.Time) time.Time {
	if t == 0 {
		return time.Time{}
	}
	return time.Unix(t.Unix(), 0).UTC()
}

func texts[T ~string](list []T) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = string(s)
	}
	return out
}
