package record

// An Act names its place in a case: Intake, Notice, Decision, Ratification,
// Appeal and Ruling do. Together they form the case, each naming the one before.
type Act interface {
	Payload
	// Place returns the name of the case and the id of the act before, ""
	// if this one opens the case.
	Place() (name string, prev ID)
}

// Place implements Act.
func (p *Intake) Place() (string, ID) { return p.Case, p.Prev }

// Place implements Act.
func (p *Notice) Place() (string, ID) { return p.Case, p.Prev }

// Place implements Act.
func (p *Decision) Place() (string, ID) { return p.Case, p.Prev }

// Place implements Act.
func (p *Ratification) Place() (string, ID) { return p.Case, p.Prev }

// Place implements Act.
func (p *Appeal) Place() (string, ID) { return p.Case, p.Prev }

// Place implements Act.
func (p *Ruling) Place() (string, ID) { return p.Case, p.Prev }

// The values of members of acts that have a fixed set.
var (
	Channels = []string{"form", "email", "letter", "api", "telephone", "own_monitoring", "other"}
	Outcomes = []string{Upheld, Reversed, Modified}
)

// The outcomes of a Ruling.
const (
	Upheld   = "upheld"
	Reversed = "reversed"
	Modified = "modified"
)

// The kinds of a Notice.
const (
	// Proposed tells the subject what is intended, before it is decided.
	Proposed = "proposed"
	// Delivered tells the subject what was decided, why, and what can be
	// done against it.
	Delivered = "decision"
)

// An Intake says that a report or an order arrived.
type Intake struct {
	Common
	Case string `json:"case"`
	// Category is what is alleged, a slug of the provider's own list.
	Category string `json:"category"`
	// Channel is how it arrived.
	Channel string `json:"channel"`
	// Lang is there if any text is.
	Lang string `json:"lang,omitempty"`
	Prev ID     `json:"prev,omitempty"`
	// ReceivedAt is when it arrived, as the signers say.
	ReceivedAt   Time         `json:"received_at"`
	ServiceLayer ServiceLayer `json:"service_layer"`
	Subject      Subject      `json:"subject"`
	Summary      string       `json:"summary,omitempty"`
	// Trigger is what arrived; its kind is never own_initiative, and it
	// names no intake.
	Trigger Trigger `json:"trigger"`
}

func (p *Intake) check(c *checker) {
	p.Common.check(c)
	c.caseName("case", p.Case)
	c.slug("category", p.Category)
	c.oneOf("channel", p.Channel, Channels...)
	if p.Lang != "" || p.Summary != "" {
		c.lang("lang", p.Lang)
	}
	c.optionalID("prev", p.Prev)
	c.given("received_at", p.ReceivedAt)
	oneOf(c, "service_layer", p.ServiceLayer, ServiceLayers)
	p.Subject.check(c)
	c.oneOf("trigger/kind", p.Trigger.Kind, TriggerKinds[1:]...)
	if p.Trigger.Intake != "" {
		c.wrong("trigger/intake", quote(string(p.Trigger.Intake)), "it left out: this is the intake")
	}
}

// A Notice says that the subject was told: what is intended (kind proposed) or
// what was decided (kind decision).
type Notice struct {
	Common
	// Action is what is intended; there if and only if kind is proposed.
	Action Action `json:"action,omitempty"`
	Case   string `json:"case"`
	// Channel is how it was sent.
	Channel string `json:"channel"`
	// Decision is the id of what was decided; there if and only if kind is
	// decision.
	Decision ID `json:"decision,omitempty"`
	// Grounds are the clauses that are considered; only if kind is proposed.
	Grounds []Ground `json:"grounds,omitempty"`
	Kind    string   `json:"kind"`
	Lang    string   `json:"lang"`
	Prev    ID       `json:"prev,omitempty"`
	// Redress says what can be done against the decision; there if and only
	// if kind is decision.
	Redress string `json:"redress,omitempty"`
	// RespondBy is until when the subject may answer; there if and only if
	// kind is proposed.
	RespondBy    Time         `json:"respond_by,omitzero"`
	ServiceLayer ServiceLayer `json:"service_layer"`
	Subject      Subject      `json:"subject"`
	// Text is what the subject was told.
	Text string `json:"text"`
}

func (p *Notice) check(c *checker) {
	p.Common.check(c)
	c.caseName("case", p.Case)
	c.oneOf("channel", p.Channel, Channels...)
	c.oneOf("kind", p.Kind, Proposed, Delivered)
	c.lang("lang", p.Lang)
	c.optionalID("prev", p.Prev)
	oneOf(c, "service_layer", p.ServiceLayer, ServiceLayers)
	p.Subject.check(c)
	c.text("text", p.Text)
	if p.Kind == Proposed {
		oneOf(c, "action", p.Action, Actions)
		checkGrounds(c, p.Grounds, false)
		c.given("respond_by", p.RespondBy)
		c.absent("decision", p.Decision != "", "a notice of kind proposed")
		c.absent("redress", p.Redress != "", "a notice of kind proposed")
		return
	}
	c.id("decision", p.Decision)
	c.text("redress", p.Redress)
	c.absent("action", p.Action != "", "a notice of kind decision")
	c.absent("grounds", len(p.Grounds) > 0, "a notice of kind decision")
	c.absent("respond_by", p.RespondBy != 0, "a notice of kind decision")
}

// A Ratification approves, afterwards, an emergency or a retrospective
// decision; or confirms one that was signed with a key that may have been in
// other hands.
type Ratification struct {
	Common
	Case string `json:"case"`
	// Decision is the id of the decision that is approved.
	Decision ID     `json:"decision"`
	Lang     string `json:"lang"`
	Prev     ID     `json:"prev"`
	Reasons  string `json:"reasons"`
}

func (p *Ratification) check(c *checker) {
	p.Common.check(c)
	c.caseName("case", p.Case)
	c.id("decision", p.Decision)
	c.lang("lang", p.Lang)
	c.id("prev", p.Prev)
	c.text("reasons", p.Reasons)
}

// An Appeal says that somebody complained about a decision.
type Appeal struct {
	Common
	Case string `json:"case"`
	// Decision is the id of the decision complained about.
	Decision ID `json:"decision"`
	// Filer says who complained: subject, reporter or other.
	Filer string `json:"filer"`
	// FilerJWK is a key of the filer, who may sign the record with it. That
	// signature is shown and does not count.
	FilerJWK *JWK   `json:"filer_jwk,omitzero"`
	Lang     string `json:"lang"`
	Prev     ID     `json:"prev"`
	// ReceivedAt is when the complaint arrived, as the signers say.
	ReceivedAt Time `json:"received_at"`
	// Statement is what the filer says, or a summary of it.
	Statement string `json:"statement"`
}

// Filers are the values of Appeal.Filer.
var Filers = []string{"subject", "reporter", "other"}

func (p *Appeal) check(c *checker) {
	p.Common.check(c)
	c.caseName("case", p.Case)
	c.id("decision", p.Decision)
	c.oneOf("filer", p.Filer, Filers...)
	if p.FilerJWK != nil {
		p.FilerJWK.check(c, "filer_jwk")
	}
	c.lang("lang", p.Lang)
	c.id("prev", p.Prev)
	c.given("received_at", p.ReceivedAt)
	c.text("statement", p.Statement)
}

// A Ruling decides an appeal.
type Ruling struct {
	Common
	// Action is what is in force from now on; there if and only if the
	// outcome is modified.
	Action Action `json:"action,omitempty"`
	// Appeal is the id of the appeal.
	Appeal  ID     `json:"appeal"`
	Case    string `json:"case"`
	Lang    string `json:"lang"`
	Outcome string `json:"outcome"`
	Prev    ID     `json:"prev"`
	Reasons string `json:"reasons"`
	// Until ends a modified measure.
	Until Time `json:"until,omitzero"`
}

func (p *Ruling) check(c *checker) {
	p.Common.check(c)
	c.id("appeal", p.Appeal)
	c.caseName("case", p.Case)
	c.lang("lang", p.Lang)
	c.oneOf("outcome", p.Outcome, Outcomes...)
	c.id("prev", p.Prev)
	c.text("reasons", p.Reasons)
	if p.Outcome == Modified {
		oneOf(c, "action", p.Action, []Action{Suspend, Restrict, Warn})
		return
	}
	c.absent("action", p.Action != "", "a ruling that does not modify")
	c.absent("until", p.Until != 0, "a ruling that does not modify")
}
