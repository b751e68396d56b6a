package record_test

import (
	"testing"

	"github.com/docket-ledger/docket/verify/record"
)

// The payloads of the tests: one of each type, with every member set.

func common() record.Common { return record.Common{Ledger: origin} }

func charter(t testing.TB) *record.Charter {
	return &record.Charter{
		Common: common(),
		Founders: []record.Founder{
			{Holder: "ada", JWK: jwkOf(t, edKey("ada")), Roles: []record.Role{record.RoleAdministration, record.RoleRegistrar}, ValidUntil: now + 1e8},
			{Holder: "bob", JWK: jwkOf(t, edKey("bob")), Roles: []record.Role{record.RoleAdministration, record.RoleRegistrar, record.RolePolicy}},
			{Holder: "eve", JWK: jwkOf(t, ecKey(t, "eve")), Roles: []record.Role{record.RoleDecider}},
		},
		Terms: record.Terms{AdministrationQuorum: 2, RegistrarQuorum: 2, PolicyQuorum: 1, DefaultQuorum: 2,
			Contact: "abuse@example.com", DecideTolerance: 24, DraftLife: 720,
			HistoricUntil: now + 1e7, Lang: "en", LogKeys: []string{"ledger.example.com/2026+00000000+AQ=="}, Operator: "Example Ltd",
			PolicyLead: 72, Recovery: record.Recovery{Keys: []record.JWK{jwkOf(t, edKey("safe"))}, Quorum: 1},
			SubjectKeyHash: someRef, Text: "For tests.", Tolerance: 300, Witnesses: []string{"quorum none"},
		}}
}

func enrol(t testing.TB) *record.KeyEnrol {
	return &record.KeyEnrol{Common: common(), Holder: "dan", JWK: jwkOf(t, edKey("dan")),
		Roles: []record.Role{record.RoleDecider, record.RoleMachine}, ValidUntil: now + 1e8}
}

func revoke(t testing.TB) *record.KeyRevoke {
	return &record.KeyRevoke{Common: common(), KID: jwkOf(t, edKey("dan")).KID(), Reason: record.Compromised, Since: now - 3600}
}

func policy(t testing.TB) *record.PolicyPublish {
	q := func(role record.Role, n int64) record.Quorum { return record.Quorum{Count: n, Role: role} }
	return &record.PolicyPublish{
		Common: common(), EffectiveFrom: now, Historic: &record.Historic{Source: "https://example.com/2019"}, Lang: "de-AT",
		Policy: "acceptable-use", Title: "Acceptable use", Version: 3,
		Clauses: []record.Clause{{
			Clause: "threats", Title: "Threats", Text: "We end hosting of threats to life.",
			Permits: []record.Permit{
				{Actions: []record.Action{record.Terminate, record.Suspend}, ServiceLayers: []record.ServiceLayer{"hosting"}},
				{Actions: []record.Action{record.Warn}, ServiceLayers: []record.ServiceLayer{"hosting", "cdn_proxy"}},
			},
			Quorum:      q(record.RoleDecider, 2),
			Appeal:      &record.AppealRight{Quorum: q(record.RoleAppeals, 2), RuleWithin: 336, Within: 4320},
			MaxDuration: 720, NotTogether: [][]string{{"ada", "bob"}}, Notice: &record.MinNotice{Exempt: []string{"court_order"}, Hours: 24},
			NotifyWithin: 48, Orders: &record.Orders{MustCarry: []string{"authority", "intake"}}, ReviewWithin: 360,
			Quorums: []record.QuorumFor{{Actions: []record.Action{record.Terminate}, Severities: []string{"critical"},
				Signers: []record.Quorum{q(record.RoleDecider, 3), q(record.RoleAdministration, 1)}}},
			Emergency:     &record.Emergency{Harms: []string{"life"}, Quorum: q(record.RoleDecider, 1), Ratifiers: q(record.RoleRatifier, 2), RatifyWithin: 72},
			Retrospective: &record.Afterwards{Ratifiers: q(record.RoleDecider, 2), RatifyWithin: 240},
		}},
	}
}

func repeal(testing.TB) *record.PolicyRepeal {
	return &record.PolicyRepeal{Common: common(), EffectiveFrom: now, Lang: "en", Policy: "acceptable-use", Reasons: "replaced"}
}

// decision sets all members but retrospective, which does not stand beside
// emergency.
func decision(testing.TB) *record.Decision {
	return &record.Decision{
		Common: common(), Action: record.Suspend, Alternatives: []record.Alternative{{Action: record.Warn, WhyNot: "was tried"}},
		Automation: record.Automation{Decision: "none", Detection: "manual"}, Case: "case-1", DecidedAt: now, DistinguishingReason: "other facts", DSA: dsa(),
		EffectiveAt: now, Emergency: &record.Harm{Harm: "life"}, Evidence: []record.Evidence{{SHA256: someRef, What: "a picture"}},
		Facts: "f <&> \u2028 \U0001F600 \u00fc\"\\\n\x01", Lang: "en", Precedents: []record.ID{someID}, Prev: someID, Reasons: "r",
		Grounds: []record.Ground{{Clause: "threats", Policy: "acceptable-use", Record: someID, Version: 3}},
		Redress: "write to us", ReviewAt: now + 100, ServiceLayer: "hosting", Severity: "critical",
		Subject:   record.Subject{Locator: "https://example.org/x", Name: "example.org", Ref: someRef, Type: "domain"},
		Territory: []string{"AT", "DE"}, Until: now + 200,
		Trigger: record.Trigger{Authority: "a court", Intake: someID, Kind: "court_order", LegalReference: "1 Ob 1/26", Reporter: "a user"},
	}
}

// plain sets only what every decision has.
func plain(testing.TB) *record.Decision {
	return &record.Decision{
		Common: common(), Action: record.Decline, Automation: record.Automation{Decision: "none", Detection: "manual"},
		Case: "case-2", DecidedAt: now, EffectiveAt: now, Facts: "facts", Lang: "en", Reasons: "reasons", ServiceLayer: "security",
		Subject: record.Subject{Ref: someRef, Type: "domain"}, Trigger: record.Trigger{Kind: "own_initiative"},
	}
}

func retrospective(t testing.TB) *record.Decision {
	p := plain(t)
	p.Action, p.Retrospective = record.Reinstate, &record.Retrospective{Why: "the office was closed"}
	p.Grounds = []record.Ground{{Record: someID}}
	return p
}

func ratification(testing.TB) *record.Ratification {
	return &record.Ratification{Common: common(), Case: "case-1", Decision: someID, Lang: "en", Prev: someID, Reasons: "checked"}
}

// dsa sets what can stand beside DECISION_GROUND_INCOMPATIBLE_CONTENT, which is
// all but the members of illegal content.
func dsa() *record.DSA {
	return &record.DSA{
		AccountType: "ACCOUNT_TYPE_BUSINESS", Category: "STATEMENT_CATEGORY_SCAMS_AND_FRAUD",
		CategoryAddition: []string{"STATEMENT_CATEGORY_CYBER_VIOLENCE"}, CategorySpecification: []string{"KEYWORD_OTHER"},
		CategorySpecificationOther: "a new kind", ContentDate: "2026-10-30", ContentIDEAN: "1234567890123", ContentLanguage: "EN",
		ContentType: []string{"CONTENT_TYPE_OTHER"}, ContentTypeOther: "Website behind a proxy", DecisionAccount: "DECISION_ACCOUNT_TERMINATED",
		DecisionGround:             "DECISION_GROUND_INCOMPATIBLE_CONTENT",
		DecisionGroundReferenceURL: "https://provider.example/terms#4", DecisionMonetary: "DECISION_MONETARY_OTHER",
		DecisionMonetaryOther: "refund", DecisionProvision: "DECISION_PROVISION_TOTAL_TERMINATION",
		DecisionVisibility: []string{"DECISION_VISIBILITY_OTHER"}, DecisionVisibilityOther: "a banner",
		IncompatibleContentExplained: "It imitated a bank.", IncompatibleContentGround: "clause 4", IncompatibleContentIllegal: "Yes",
	}
}

func subject() record.Subject {
	return record.Subject{Locator: "https://example.org/x", Name: "example.org", Ref: someRef, Type: "domain"}
}

func amend(t testing.TB) *record.CharterAmend {
	terms := charter(t).Terms
	terms.Rules = 1
	return &record.CharterAmend{Common: common(), Terms: terms, Reasons: "a new log key"}
}

func intake() *record.Intake {
	return &record.Intake{Common: common(), Case: "case-1", Category: "phishing", Channel: "form", Lang: "en", Prev: someID, ReceivedAt: now,
		ServiceLayer: "hosting", Subject: subject(), Summary: "A report.",
		Trigger: record.Trigger{Authority: "a court", Kind: "court_order", LegalReference: "1 Ob 1/26", Reporter: "a user"}}
}

func proposed() *record.Notice {
	return &record.Notice{Common: common(), Action: record.Suspend, Case: "case-1", Channel: "email", Kind: record.Proposed, Lang: "en", Prev: someID,
		Grounds:   []record.Ground{{Clause: "threats", Policy: "acceptable-use", Record: someID, Version: 3}},
		RespondBy: now + 86400, ServiceLayer: "hosting", Subject: subject(), Text: "We intend to suspend."}
}

func delivered() *record.Notice {
	return &record.Notice{Common: common(), Case: "case-1", Channel: "letter", Decision: someID, Kind: record.Delivered, Lang: "en", Prev: someID,
		Redress: "Write to us.", ServiceLayer: "hosting", Subject: subject(), Text: "We suspended."}
}

func appeal(t testing.TB) *record.Appeal {
	jwk := jwkOf(t, edKey("filer"))
	return &record.Appeal{Common: common(), Case: "case-1", Decision: someID, Filer: "subject", FilerJWK: &jwk, Lang: "en", Prev: someID,
		ReceivedAt: now, Statement: "It was not me."}
}

func modified() *record.Ruling {
	return &record.Ruling{Common: common(), Action: record.Restrict, Appeal: someID, Case: "case-1", Lang: "en", Outcome: record.Modified,
		Prev: someID, Reasons: "Less will do.", Until: now + 100}
}

func upheld() *record.Ruling {
	return &record.Ruling{Common: common(), Appeal: someID, Case: "case-1", Lang: "en", Outcome: record.Upheld, Prev: someID, Reasons: "It was right."}
}

func erratum() *record.Erratum {
	return &record.Erratum{Common: common(), About: someID, Corrections: []record.Correction{{Is: "Ltd", Member: "facts", Was: "Lt"}}, Lang: "en", Reasons: "a slip"}
}

func execution() *record.Execution {
	return &record.Execution{Common: common(), About: someID, At: now, Detail: "two zones", Lang: "en", Result: "done", System: "edge-1"}
}

func timemark() *record.Timemark {
	return &record.Timemark{Common: common(), Checkpoint: "ledger.example.com/2026\n1\nAAAA\n\n\u2014 x y\n"}
}

func export() *record.Export {
	return &record.Export{Common: common(), About: someID, At: now, Reference: "1-2-3", Register: "dsa-transparency-database"}
}

func erasure() *record.Erasure {
	return &record.Erasure{Common: common(), About: someID, Lang: "en", Members: []string{"facts"}, Reasons: "a request"}
}
