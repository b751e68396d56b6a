package record

// PolicyPublish publishes a version of a policy: the rule text, and what each
// clause of it permits.
type PolicyPublish struct {
	Common
	Clauses []Clause `json:"clauses"`
	// EffectiveFrom is the earliest time at which the version is in force.
	EffectiveFrom Time `json:"effective_from"`
	// Historic marks a text that was in force before the ledger.
	Historic *Historic `json:"historic,omitzero"`
	Lang     string    `json:"lang"`
	Policy   string    `json:"policy"`
	Title    string    `json:"title"`
	// Version counts the versions of this policy: 1, 2, 3 …
	Version int64 `json:"version"`
}

// Historic says where a text from before the ledger was published.
type Historic struct {
	Source string `json:"source"`
}

// A Clause permits actions on service layers.
type Clause struct {
	Clause string `json:"clause"`
	// Emergency, if there, says when fewer may decide at once.
	Emergency *Emergency `json:"emergency,omitzero"`
	// Permits lists what the clause permits.
	Permits []Permit `json:"permits"`
	// Quorum is who must sign a decision under the clause.
	Quorum Quorum `json:"quorum"`
	// Retrospective, if there, allows decisions to be recorded afterwards.
	Retrospective *Afterwards `json:"retrospective,omitzero"`
	Text          string      `json:"text"`
	Title         string      `json:"title"`
}

// A Permit is every pair of these actions and service layers.
type Permit struct {
	Actions       []Action       `json:"actions"`
	ServiceLayers []ServiceLayer `json:"service_layers"`
}

// A Quorum is how many distinct holders of a role must sign.
type Quorum struct {
	Count int64 `json:"count"`
	Role  Role  `json:"role"`
}

// Afterwards is who must ratify, and within how many hours.
type Afterwards struct {
	Ratifiers    Quorum `json:"ratifiers"`
	RatifyWithin int64  `json:"ratify_within"`
}

// Emergency is on which stated harm a smaller quorum may decide, and who must
// ratify that, within how many hours.
type Emergency struct {
	Harms        []string `json:"harms"`
	Quorum       Quorum   `json:"quorum"`
	Ratifiers    Quorum   `json:"ratifiers"`
	RatifyWithin int64    `json:"ratify_within"`
}

func (q Quorum) check(c *checker, member string, roles ...Role) {
	c.between(member+"/count", q.Count, 1, MaxSignatures)
	oneOf(c, member+"/role", q.Role, roles)
}

func (p *PolicyPublish) check(c *checker) {
	p.Common.check(c)
	c.count("clauses", len(p.Clauses), 1, 100)
	seen := map[string]bool{}
	for i := range p.Clauses {
		m := at("clauses", i)
		p.Clauses[i].check(c, m)
		c.once(m+"/clause", p.Clauses[i].Clause, seen)
	}
	c.given("effective_from", p.EffectiveFrom)
	if p.Historic != nil {
		c.text("historic/source", p.Historic.Source)
	}
	c.lang("lang", p.Lang)
	c.slug("policy", p.Policy)
	c.text("title", p.Title)
	c.between("version", p.Version, 1, MaxInt)
}

func (l *Clause) check(c *checker, m string) {
	c.slug(m+"/clause", l.Clause)
	if e := l.Emergency; e != nil {
		c.count(m+"/emergency/harms", len(e.Harms), 1, 16)
		for i, h := range e.Harms {
			c.slug(at(m+"/emergency/harms", i), h)
		}
		e.Quorum.check(c, m+"/emergency/quorum", RoleDecider)
		e.Ratifiers.check(c, m+"/emergency/ratifiers", RoleRatifier, RoleDecider)
		c.between(m+"/emergency/ratify_within", e.RatifyWithin, 1, maxHours)
	}
	c.count(m+"/permits", len(l.Permits), 1, 16)
	for i, p := range l.Permits {
		c.count(at(m+"/permits", i)+"/actions", len(p.Actions), 1, len(Actions))
		for j, a := range p.Actions {
			oneOf(c, at(at(m+"/permits", i)+"/actions", j), a, Actions)
		}
		c.count(at(m+"/permits", i)+"/service_layers", len(p.ServiceLayers), 1, len(ServiceLayers))
		for j, l := range p.ServiceLayers {
			oneOf(c, at(at(m+"/permits", i)+"/service_layers", j), l, ServiceLayers)
		}
	}
	l.Quorum.check(c, m+"/quorum", RoleDecider)
	if r := l.Retrospective; r != nil {
		r.Ratifiers.check(c, m+"/retrospective/ratifiers", RoleRatifier, RoleDecider)
		c.between(m+"/retrospective/ratify_within", r.RatifyWithin, 1, maxHours)
	}
	c.text(m+"/text", l.Text)
	c.text(m+"/title", l.Title)
}

// PolicyRepeal ends a policy, all its versions.
type PolicyRepeal struct {
	Common
	// EffectiveFrom is the earliest time at which the policy is no longer
	// in force.
	EffectiveFrom Time   `json:"effective_from"`
	Lang          string `json:"lang"`
	Policy        string `json:"policy"`
	Reasons       string `json:"reasons"`
}

func (p *PolicyRepeal) check(c *checker) {
	p.Common.check(c)
	c.given("effective_from", p.EffectiveFrom)
	c.lang("lang", p.Lang)
	c.slug("policy", p.Policy)
	c.text("reasons", p.Reasons)
}
