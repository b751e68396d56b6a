package record

// A Type says what a record states.
type Type string

// The types that have rules in rules version 0.
const (
	TypeCharter       Type = "charter"
	TypeKeyEnrol      Type = "key.enrol"
	TypeKeyRevoke     Type = "key.revoke"
	TypePolicyPublish Type = "policy.publish"
	TypePolicyRepeal  Type = "policy.repeal"
	TypeDecision      Type = "decision"
	TypeRatification  Type = "ratification"
)

// reserved are the types that a later rules version gives rules to.
var reserved = []Type{"charter.amend", "intake", "notice", "appeal", "ruling",
	"erratum", "execution", "timemark", "export", "erasure"}

// A Payload is what a record states: *Charter, *KeyEnrol, *KeyRevoke,
// *PolicyPublish, *PolicyRepeal, *Decision or *Ratification. The members are
// described at docs/format.md; a payload is read only once it was parsed.
type Payload interface {
	// Head returns the members that every type has.
	Head() *Common
	check(c *checker)
}

// newPayload returns an empty payload of a type, or nil if it has no rules.
func newPayload(t Type) Payload {
	switch t {
	case TypeCharter:
		return &Charter{}
	case TypeKeyEnrol:
		return &KeyEnrol{}
	case TypeKeyRevoke:
		return &KeyRevoke{}
	case TypePolicyPublish:
		return &PolicyPublish{}
	case TypePolicyRepeal:
		return &PolicyRepeal{}
	case TypeDecision:
		return &Decision{}
	case TypeRatification:
		return &Ratification{}
	}
	return nil
}

// Common holds the members that every payload has.
type Common struct {
	// V is the version of the payload's schema, 1.
	V int64 `json:"v"`
	// Ledger is the origin of the ledger that the record is for, a URL
	// without scheme: a record counts in no other ledger.
	Ledger string `json:"ledger"`
	Type   Type   `json:"type"`
}

// Head returns m itself.
func (m *Common) Head() *Common { return m }

func (m *Common) check(c *checker) {
	c.origin("ledger", m.Ledger)
}

// A Role is what a key may sign for.
type Role string

// The roles of design and docs/format.md.
const (
	RoleAdministration Role = "administration"
	RoleRegistrar      Role = "registrar"
	RolePolicy         Role = "policy"
	RoleDecider        Role = "decider"
	RoleIntake         Role = "intake"
	RoleRatifier       Role = "ratifier"
	RoleAppeals        Role = "appeals"
	RoleEnforcer       Role = "enforcer"
	RolePrivacy        Role = "privacy"
	RoleMachine        Role = "machine"
)

// Roles lists all roles.
var Roles = []Role{RoleAdministration, RoleRegistrar, RolePolicy, RoleDecider, RoleIntake,
	RoleRatifier, RoleAppeals, RoleEnforcer, RolePrivacy, RoleMachine}

// A Charter founds a ledger: the record at index 0 and nowhere else.
type Charter struct {
	Common
	// AdministrationQuorum, RegistrarQuorum, PolicyQuorum are how many
	// distinct holders of those roles must sign amendments, enrolments and
	// revocations, and policies.
	AdministrationQuorum int64 `json:"administration_quorum"`
	RegistrarQuorum      int64 `json:"registrar_quorum"`
	PolicyQuorum         int64 `json:"policy_quorum"`
	// DefaultQuorum is how many deciders a decision needs that rests on no
	// clause.
	DefaultQuorum int64  `json:"default_quorum"`
	Contact       string `json:"contact"`
	// DecideTolerance, in hours: a decision taken or effective earlier than
	// that before its signatures is retrospective.
	DecideTolerance int64 `json:"decide_tolerance"`
	// DraftLife, in hours: how old a signature may be when it arrives.
	DraftLife int64     `json:"draft_life"`
	Founders  []Founder `json:"founders"`
	// HistoricUntil ends the time in which decisions from before the
	// charter may be entered freely; at most 180 days after the start.
	HistoricUntil Time `json:"historic_until,omitzero"`
	// Lang is the BCP 47 language of the texts.
	Lang string `json:"lang"`
	// LogKeys are the verifier keys (vkeys) that sign checkpoints.
	LogKeys  []string `json:"log_keys"`
	Operator string   `json:"operator"`
	// PolicyLead, in hours: how long a policy is public before it is in
	// force.
	PolicyLead int64    `json:"policy_lead"`
	Recovery   Recovery `json:"recovery"`
	// Rules is the version of the rules, 0.
	Rules int64 `json:"rules"`
	// SubjectKeyHash is the unpadded base64url SHA-256 of the key of the
	// subject pseudonyms.
	SubjectKeyHash string `json:"subject_key_hash"`
	// Text says in words what readers should know.
	Text string `json:"text,omitempty"`
	// Tolerance, in seconds, is how far clocks may differ.
	Tolerance int64 `json:"tolerance"`
	// Witnesses are witness, group and quorum lines of c2sp.org/tlog-policy.
	Witnesses []string `json:"witnesses"`
}

// A Founder is a key that a charter enrols.
type Founder struct {
	Holder     string `json:"holder"`
	JWK        JWK    `json:"jwk"`
	Roles      []Role `json:"roles"`
	ValidUntil Time   `json:"valid_until,omitzero"`
}

// Recovery names the keys that may enrol and revoke when the registrars can't.
type Recovery struct {
	Keys   []JWK `json:"keys"`
	Quorum int64 `json:"quorum"`
}

func (p *Charter) check(c *checker) {
	p.Common.check(c)
	c.between("administration_quorum", p.AdministrationQuorum, 1, MaxSignatures)
	c.between("registrar_quorum", p.RegistrarQuorum, 1, MaxSignatures)
	c.between("policy_quorum", p.PolicyQuorum, 1, MaxSignatures)
	c.between("default_quorum", p.DefaultQuorum, 1, MaxSignatures)
	c.text("contact", p.Contact)
	c.between("decide_tolerance", p.DecideTolerance, 0, maxHours)
	c.between("draft_life", p.DraftLife, 1, maxHours)
	c.count("founders", len(p.Founders), 1, MaxSignatures-1)
	seen := map[string]bool{}
	for i, f := range p.Founders {
		m := at("founders", i)
		c.slug(m+"/holder", f.Holder)
		f.JWK.check(c, m+"/jwk")
		c.once(m+"/jwk", f.JWK.KID(), seen)
		c.roles(m+"/roles", f.Roles)
	}
	c.lang("lang", p.Lang)
	c.count("log_keys", len(p.LogKeys), 1, 8)
	for i, k := range p.LogKeys {
		c.text(at("log_keys", i), k)
	}
	c.text("operator", p.Operator)
	c.between("policy_lead", p.PolicyLead, 0, maxHours)
	for i, k := range p.Recovery.Keys {
		m := at("recovery/keys", i)
		k.check(c, m)
		c.once(m, k.KID(), seen)
	}
	c.count("recovery/keys", len(p.Recovery.Keys), 1, MaxSignatures-len(p.Founders))
	c.between("recovery/quorum", p.Recovery.Quorum, 1, int64(len(p.Recovery.Keys)))
	c.between("rules", p.Rules, 0, 0)
	c.hash("subject_key_hash", p.SubjectKeyHash)
	c.between("tolerance", p.Tolerance, 0, 3600)
	c.count("witnesses", len(p.Witnesses), 1, 64)
	for i, w := range p.Witnesses {
		c.text(at("witnesses", i), w)
	}
}

// KeyEnrol gives a key to a holder, or changes the roles of one that was
// enrolled before.
type KeyEnrol struct {
	Common
	Holder string `json:"holder"`
	JWK    JWK    `json:"jwk"`
	Roles  []Role `json:"roles"`
	// ValidUntil is when the key stops to count; it must be later than the
	// ledger time.
	ValidUntil Time `json:"valid_until,omitzero"`
}

func (p *KeyEnrol) check(c *checker) {
	p.Common.check(c)
	c.slug("holder", p.Holder)
	p.JWK.check(c, "jwk")
	c.roles("roles", p.Roles)
}

// The reasons of a KeyRevoke.
const (
	Retired     = "retired"
	Lost        = "lost"
	Compromised = "compromised"
)

// KeyRevoke ends a key from its own index on.
type KeyRevoke struct {
	Common
	KID    string `json:"kid"`
	Reason string `json:"reason"`
	// Since is since when a compromised key may have been in other hands.
	Since Time `json:"since,omitzero"`
}

func (p *KeyRevoke) check(c *checker) {
	p.Common.check(c)
	c.hash("kid", p.KID)
	c.oneOf("reason", p.Reason, Retired, Lost, Compromised)
	if p.Reason == Compromised && p.Since == 0 {
		c.missing("since", "since when the key may have been in other hands")
	}
	if p.Reason != Compromised && p.Since != 0 {
		c.wrong("since", p.Since.String(), "it left out unless reason is compromised")
	}
}
