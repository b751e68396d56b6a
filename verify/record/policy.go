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

// A Clause permits actions on service layers, and says under which conditions.
// Periods are in hours.
type Clause struct {
	// Appeal, if there, is who may complain until when, and who rules.
	// Without it there is no limit, and the charter's default quorum of
	// appeals officers rules.
	Appeal *AppealRight `json:"appeal,omitzero"`
	Clause string       `json:"clause"`
	// Emergency, if there, says when fewer may decide at once.
	Emergency *Emergency `json:"emergency,omitzero"`
	// MaxDuration bounds a measure: its until is at most so long after
	// effective_at. 0 means no bound.
	MaxDuration int64 `json:"max_duration,omitzero"`
	// NotTogether lists groups of holders of whom at most one may sign.
	NotTogether [][]string `json:"not_together,omitempty"`
	// Notice, if there, is how long before a measure the subject is told.
	Notice *MinNotice `json:"notice,omitzero"`
	// NotifyWithin is until when the subject of a measure must be told what
	// was decided. 0 means at once.
	NotifyWithin int64 `json:"notify_within,omitzero"`
	// Orders, if there, allows measures on order of an authority or court.
	Orders *Orders `json:"orders,omitzero"`
	// Permits lists what the clause permits.
	Permits []Permit `json:"permits"`
	// Quorum is who must sign a decision under the clause.
	Quorum Quorum `json:"quorum"`
	// Quorums replace Quorum where they apply: the first one that does.
	Quorums []QuorumFor `json:"quorums,omitempty"`
	// Retrospective, if there, allows decisions to be recorded afterwards.
	Retrospective *Afterwards `json:"retrospective,omitzero"`
	// ReviewWithin demands a review_at at most so long after effective_at.
	// 0 means none is demanded.
	ReviewWithin int64  `json:"review_within,omitzero"`
	Text         string `json:"text"`
	Title        string `json:"title"`
}

// An AppealRight is within how many hours a decision may be appealed, and who
// rules, within how many hours of the appeal.
type AppealRight struct {
	Quorum     Quorum `json:"quorum"`
	RuleWithin int64  `json:"rule_within"`
	Within     int64  `json:"within"`
}

// MinNotice is how many hours before a measure the subject must have been told,
// and which triggers are exempt from it.
type MinNotice struct {
	Exempt []string `json:"exempt,omitempty"`
	Hours  int64    `json:"hours"`
}

// Orders says which members of the trigger an order of an authority or a court
// must carry.
type Orders struct {
	MustCarry []string `json:"must_carry"`
}

// OrderMembers are the values of Orders.MustCarry.
var OrderMembers = []string{"authority", "legal_reference", "intake"}

// A QuorumFor is who must sign for some actions and severities. An empty list
// means all; all of Signers must be reached.
type QuorumFor struct {
	Actions    []Action `json:"actions,omitempty"`
	Severities []string `json:"severities,omitempty"`
	Signers    []Quorum `json:"signers"`
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
	if a := l.Appeal; a != nil {
		a.Quorum.check(c, m+"/appeal/quorum", RoleAppeals)
		c.between(m+"/appeal/rule_within", a.RuleWithin, 1, maxHours)
		c.between(m+"/appeal/within", a.Within, 1, maxHours)
	}
	if e := l.Emergency; e != nil {
		c.slugs(m+"/emergency/harms", e.Harms, 1, 16)
		e.Quorum.check(c, m+"/emergency/quorum", RoleDecider)
		e.Ratifiers.check(c, m+"/emergency/ratifiers", RoleRatifier, RoleDecider)
		c.between(m+"/emergency/ratify_within", e.RatifyWithin, 1, maxHours)
	}
	c.between(m+"/max_duration", l.MaxDuration, 0, maxHours)
	c.count(m+"/not_together", len(l.NotTogether), 0, 16)
	for i, group := range l.NotTogether {
		c.slugs(at(m+"/not_together", i), group, 2, 16)
	}
	if n := l.Notice; n != nil {
		c.values(m+"/notice/exempt", n.Exempt, 0, TriggerKinds)
		c.between(m+"/notice/hours", n.Hours, 1, maxHours)
	}
	c.between(m+"/notify_within", l.NotifyWithin, 0, maxHours)
	if l.Orders != nil {
		c.values(m+"/orders/must_carry", l.Orders.MustCarry, 1, OrderMembers)
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
	l.checkQuorums(c, m)
	if r := l.Retrospective; r != nil {
		r.Ratifiers.check(c, m+"/retrospective/ratifiers", RoleRatifier, RoleDecider)
		c.between(m+"/retrospective/ratify_within", r.RatifyWithin, 1, maxHours)
	}
	c.between(m+"/review_within", l.ReviewWithin, 0, maxHours)
	c.text(m+"/text", l.Text)
	c.text(m+"/title", l.Title)
}

func (l *Clause) checkQuorums(c *checker, m string) {
	l.Quorum.check(c, m+"/quorum", RoleDecider)
	c.count(m+"/quorums", len(l.Quorums), 0, 16)
	for i, q := range l.Quorums {
		k := at(m+"/quorums", i)
		if len(q.Actions)+len(q.Severities) == 0 {
			c.missing(k+"/actions", "actions or severities: without both it is the clause's quorum")
		}
		c.count(k+"/actions", len(q.Actions), 0, len(Actions))
		for j, a := range q.Actions {
			oneOf(c, at(k+"/actions", j), a, Actions)
		}
		c.values(k+"/severities", q.Severities, 0, Severities)
		c.count(k+"/signers", len(q.Signers), 1, 4)
		decider := false
		for j, s := range q.Signers {
			s.check(c, at(k+"/signers", j), RoleDecider, RoleRatifier, RoleAdministration, RolePolicy, RolePrivacy)
			decider = decider || s.Role == RoleDecider
		}
		if !decider {
			c.missing(k+"/signers", "a quorum of deciders")
		}
	}
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
