package record

// A Charter founds a ledger: the record at index 0 and nowhere else.
type Charter struct {
	Common
	Terms
	Founders []Founder `json:"founders"`
}

// Terms are what a charter fixes and an amendment may change.
type Terms struct {
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
	DraftLife int64 `json:"draft_life"`
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
	// Rules is the version of the rules, 0 or 1. Version 0 is for
	// demonstration only.
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
	seen := map[string]bool{}
	c.count("founders", len(p.Founders), 1, MaxSignatures-1)
	for i, f := range p.Founders {
		m := at("founders", i)
		c.slug(m+"/holder", f.Holder)
		f.JWK.check(c, m+"/jwk")
		c.once(m+"/jwk", f.JWK.KID(), seen)
		c.roles(m+"/roles", f.Roles)
	}
	p.Terms.check(c, seen, MaxSignatures-len(p.Founders), 0)
}

// check looks at what charter and amendment share; seen has the keys that stand
// in the record already, keys is how many recovery keys there may be.
func (p *Terms) check(c *checker, seen map[string]bool, keys int, firstRules int64) {
	c.between("administration_quorum", p.AdministrationQuorum, 1, MaxSignatures)
	c.between("registrar_quorum", p.RegistrarQuorum, 1, MaxSignatures)
	c.between("policy_quorum", p.PolicyQuorum, 1, MaxSignatures)
	c.between("default_quorum", p.DefaultQuorum, 1, MaxSignatures)
	c.text("contact", p.Contact)
	c.between("decide_tolerance", p.DecideTolerance, 0, maxHours)
	c.between("draft_life", p.DraftLife, 1, maxHours)
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
	c.count("recovery/keys", len(p.Recovery.Keys), 1, keys)
	c.between("recovery/quorum", p.Recovery.Quorum, 1, int64(len(p.Recovery.Keys)))
	c.between("rules", p.Rules, firstRules, 1)
	c.hash("subject_key_hash", p.SubjectKeyHash)
	c.between("tolerance", p.Tolerance, 0, 3600)
	c.count("witnesses", len(p.Witnesses), 1, 64)
	for i, w := range p.Witnesses {
		c.text(at("witnesses", i), w)
	}
}

// A CharterAmend replaces the terms of the charter, all of them: what does not
// change is said again. The origin and the founders are not among them; keys
// change by enrolment and revocation.
type CharterAmend struct {
	Common
	Terms
	// Reasons say why.
	Reasons string `json:"reasons"`
}

func (p *CharterAmend) check(c *checker) {
	p.Common.check(c)
	c.text("reasons", p.Reasons)
	p.Terms.check(c, map[string]bool{}, MaxSignatures, 1)
}
