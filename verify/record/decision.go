package record

// An Action is what a decision does.
type Action string

// The actions.
const (
	Terminate Action = "terminate"
	Suspend   Action = "suspend"
	Restrict  Action = "restrict"
	Warn      Action = "warn"
	Decline   Action = "decline"
	Forward   Action = "forward"
	Reinstate Action = "reinstate"
)

// Actions lists all actions.
var Actions = []Action{Terminate, Suspend, Restrict, Warn, Decline, Forward, Reinstate}

// A ServiceLayer is where a service acts.
type ServiceLayer string

// ServiceLayers lists all service layers.
var ServiceLayers = []ServiceLayer{"hosting", "cdn_proxy", "security", "dns", "registrar", "other"}

// The values of other members of a decision that have a fixed set.
var (
	SubjectTypes = []string{"domain", "url", "account", "ip_address", "other"}
	Severities   = []string{"low", "medium", "high", "critical"}
	TriggerKinds = []string{"own_initiative", "notice", "trusted_flagger", "authority_order", "court_order"}
	Detections   = []string{"manual", "automated"}
	Automations  = []string{"none", "partial", "full"}
)

// A Decision is an act of a case: what is done about a subject, or that
// nothing is done, under which clauses and why.
type Decision struct {
	Common
	Action       Action        `json:"action"`
	Alternatives []Alternative `json:"alternatives,omitempty"`
	Automation   Automation    `json:"automation"`
	Case         string        `json:"case"`
	// DecidedAt is when the decision was taken, as its signers say.
	DecidedAt            Time   `json:"decided_at"`
	DistinguishingReason string `json:"distinguishing_reason,omitempty"`
	DSA                  *DSA   `json:"dsa,omitzero"`
	// EffectiveAt is from when on it has effect, as its signers say.
	EffectiveAt Time       `json:"effective_at"`
	Emergency   *Harm      `json:"emergency,omitzero"`
	Evidence    []Evidence `json:"evidence,omitempty"`
	Facts       string     `json:"facts"`
	Grounds     []Ground   `json:"grounds,omitempty"`
	Lang        string     `json:"lang"`
	Precedents  []ID       `json:"precedents,omitempty"`
	// Prev is the act of the case before this one; absent in the first.
	Prev          ID             `json:"prev,omitempty"`
	Reasons       string         `json:"reasons"`
	Redress       string         `json:"redress,omitempty"`
	Retrospective *Retrospective `json:"retrospective,omitzero"`
	ReviewAt      Time           `json:"review_at,omitzero"`
	ServiceLayer  ServiceLayer   `json:"service_layer"`
	Severity      string         `json:"severity,omitempty"`
	Subject       Subject        `json:"subject"`
	// Territory lists ISO 3166-1 alpha-2 codes; absent means everywhere.
	Territory []string `json:"territory,omitempty"`
	Trigger   Trigger  `json:"trigger"`
	Until     Time     `json:"until,omitzero"`
}

// Subject is whom the decision is about.
type Subject struct {
	Locator string `json:"locator,omitempty"`
	Name    string `json:"name,omitempty"`
	// Ref is the keyed pseudonym of the subject: the unpadded base64url
	// HMAC-SHA-256 of its canonical name under the ledger's subject key.
	Ref  string `json:"ref"`
	Type string `json:"type"`
}

// A Ground is a clause that a decision rests on, with the id of the record that
// published it; or, for a reinstatement, only the id of the decision that lapsed
// or ran out, or of the ruling that reversed it.
type Ground struct {
	Clause  string `json:"clause,omitempty"`
	Policy  string `json:"policy,omitempty"`
	Record  ID     `json:"record"`
	Version int64  `json:"version,omitzero"`
}

// Alternative is a milder action that was weighed.
type Alternative struct {
	Action Action `json:"action"`
	WhyNot string `json:"why_not"`
}

// Trigger is what made the provider decide.
type Trigger struct {
	Authority      string `json:"authority,omitempty"`
	Intake         ID     `json:"intake,omitempty"`
	Kind           string `json:"kind"`
	LegalReference string `json:"legal_reference,omitempty"`
	Reporter       string `json:"reporter,omitempty"`
}

// Automation says what machines did.
type Automation struct {
	Decision  string `json:"decision"`
	Detection string `json:"detection"`
}

// Harm is the stated harm of an emergency, one that the clause names.
type Harm struct {
	Harm string `json:"harm"`
}

// Retrospective marks a decision that is recorded after it was taken or acted
// on, and says why.
type Retrospective struct {
	Why string `json:"why"`
}

// Evidence names a file kept elsewhere.
type Evidence struct {
	// SHA256 is the unpadded base64url hash of the file.
	SHA256 string `json:"sha256"`
	What   string `json:"what"`
}

func (p *Decision) check(c *checker) {
	p.Common.check(c)
	oneOf(c, "action", p.Action, Actions)
	c.count("alternatives", len(p.Alternatives), 0, len(Actions))
	for i, a := range p.Alternatives {
		oneOf(c, at("alternatives", i)+"/action", a.Action, Actions)
		c.text(at("alternatives", i)+"/why_not", a.WhyNot)
	}
	oneOf(c, "automation/decision", p.Automation.Decision, Automations)
	oneOf(c, "automation/detection", p.Automation.Detection, Detections)
	c.caseName("case", p.Case)
	c.given("decided_at", p.DecidedAt)
	c.given("effective_at", p.EffectiveAt)
	if p.Emergency != nil {
		c.slug("emergency/harm", p.Emergency.Harm)
	}
	for i, e := range p.Evidence {
		c.hash(at("evidence", i)+"/sha256", e.SHA256)
		c.text(at("evidence", i)+"/what", e.What)
	}
	if p.DSA != nil {
		p.DSA.check(c)
	}
	c.text("facts", p.Facts)
	checkGrounds(c, p.Grounds, p.Action == Reinstate)
	c.lang("lang", p.Lang)
	c.ids("precedents", p.Precedents, 16)
	c.optionalID("prev", p.Prev)
	c.text("reasons", p.Reasons)
	if p.Retrospective != nil {
		c.text("retrospective/why", p.Retrospective.Why)
	}
	oneOf(c, "service_layer", p.ServiceLayer, ServiceLayers)
	if p.Severity != "" {
		oneOf(c, "severity", p.Severity, Severities)
	}
	p.Subject.check(c)
	for i, t := range p.Territory {
		c.country(at("territory", i), t)
	}
	oneOf(c, "trigger/kind", p.Trigger.Kind, TriggerKinds)
	c.optionalID("trigger/intake", p.Trigger.Intake)
	if p.Until != 0 && p.Until <= p.EffectiveAt {
		c.wrong("until", p.Until.String(), "a time after effective_at")
	}
	if p.Emergency != nil && p.Retrospective != nil {
		c.wrong("retrospective", "it beside emergency", "one of the two")
	}
}

func (s *Subject) check(c *checker) {
	c.hash("subject/ref", s.Ref)
	oneOf(c, "subject/type", s.Type, SubjectTypes)
}

// checkGrounds looks at clauses that are cited; alone says that a record may be
// cited without a clause.
func checkGrounds(c *checker, grounds []Ground, alone bool) {
	c.count("grounds", len(grounds), 0, 16)
	for i, g := range grounds {
		m := at("grounds", i)
		c.id(m+"/record", g.Record)
		if g.Policy == "" && g.Clause == "" && g.Version == 0 {
			if !alone {
				c.missing(m+"/policy", "policy, version and clause; only a reinstatement may cite a record alone")
			}
			continue
		}
		c.slug(m+"/policy", g.Policy)
		c.slug(m+"/clause", g.Clause)
		c.between(m+"/version", g.Version, 1, MaxInt)
	}
}
