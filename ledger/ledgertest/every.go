package ledgertest

import (
	"context"
	"time"

	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/verify/record"
)

// EveryCase is the case that EveryType fills.
const EveryCase = "every-type"

// EveryType logs an effective record of every type there is, and a void decision,
// in a World of New, and returns the newest of each; the void one is under
// "void". All free texts of them are text. The charter, the first policy and the
// first keys are those of New.
func (w *World) EveryType(text string) map[record.Type]record.ID {
	w.TB.Helper()
	e := &everyType{World: w, text: text, ids: map[record.Type]record.ID{}}
	e.people()
	e.policies()
	e.process()
	e.emergency()
	e.void()
	entries, err := w.Ledger.Entries(context.Background(), 0, 1)
	w.must(err)
	e.ids[record.TypeCharter] = entries[0].ID
	return e.ids
}

type everyType struct {
	*World
	text string
	ids  map[record.Type]record.ID
	rule record.ID // that published the policy "process"
}

func (e *everyType) does(p record.Payload, names ...string) record.ID {
	e.TB.Helper()
	id := e.Submit(e.Sign(p, names...)).ID
	e.ids[p.Head().Type] = id
	return id
}

// passes lets time pass, and witnesses see it.
func (e *everyType) passes(d time.Duration) {
	e.TB.Helper()
	e.Advance(d)
	e.ids[record.TypeTimemark] = e.Timemark("w1", "w2").ID
}

func (e *everyType) people() {
	e.Machine(WitnessLines(2, WitnessNames...)...)
	terms := e.Charter().Terms
	terms.Witnesses, terms.Text = WitnessLines(2, WitnessNames...), e.text
	e.does(&record.CharterAmend{Terms: terms, Reasons: e.text}, "ada", "ben", "rita", "rolf")
	for name, role := range map[string]record.Role{"ira": record.RoleIntake, "abe": record.RoleAppeals, "enf": record.RoleEnforcer,
		"pri": record.RolePrivacy, "tim": record.RoleDecider} {
		e.does(&record.KeyEnrol{Holder: name, JWK: JWK(name), Roles: []record.Role{role}}, "ada", "ben", name)
	}
	e.does(&record.KeyRevoke{KID: JWK("tim").KID(), Reason: record.Retired}, "ada", "ben")
}

func (e *everyType) policies() {
	two := record.Quorum{Role: record.RoleDecider, Count: 2}
	policy := func(name string) *record.PolicyPublish {
		return &record.PolicyPublish{Policy: name, Version: 1, Title: e.text, Lang: "en", EffectiveFrom: record.Time(Start.Unix()),
			Clauses: []record.Clause{{Clause: "measures", Title: e.text, Text: e.text, Quorum: two,
				Permits: []record.Permit{{Actions: record.Actions, ServiceLayers: []record.ServiceLayer{"hosting"}}},
				Appeal:  &record.AppealRight{Within: 30 * 24, Quorum: record.Quorum{Role: record.RoleAppeals, Count: 1}, RuleWithin: 14 * 24}}}}
	}
	e.does(policy("withdrawn"), "ada", "cleo")
	e.does(&record.PolicyRepeal{Policy: "withdrawn", EffectiveFrom: e.Time(0), Lang: "en", Reasons: e.text}, "ada", "cleo")
	e.rule = e.does(policy("process"), "ada", "cleo")
	e.passes(time.Minute)
	e.passes(10 * 24 * time.Hour)
}

// process is a case from its beginning to its end.
func (e *everyType) process() {
	subject := record.Subject{Ref: Ref(EveryCase), Type: "url", Name: e.text, Locator: e.text}
	intake := e.does(&record.Intake{Case: EveryCase, Category: "abuse", Channel: "form", Lang: "en", Summary: e.text, ReceivedAt: e.Time(0),
		ServiceLayer: "hosting", Subject: subject, Trigger: record.Trigger{Kind: "authority_order", Authority: e.text, LegalReference: e.text, Reporter: e.text}}, "ira")
	told := e.does(&record.Notice{Case: EveryCase, Prev: intake, Kind: record.Proposed, Action: record.Suspend, Channel: "email", Lang: "en", Text: e.text,
		RespondBy: e.Time(time.Hour), ServiceLayer: "hosting", Subject: subject, Grounds: []record.Ground{{Policy: "process", Version: 1, Clause: "measures", Record: e.rule}}}, "dora")
	e.passes(2 * time.Hour)
	d := e.Decision(EveryCase)
	d.Prev, d.Subject = told, subject
	d.Grounds = []record.Ground{{Policy: "process", Version: 1, Clause: "measures", Record: e.rule}}
	d.Facts, d.Reasons, d.Redress, d.DistinguishingReason = e.text, e.text, e.text, e.text
	d.Alternatives = []record.Alternative{{Action: record.Warn, WhyNot: e.text}}
	d.Evidence = []record.Evidence{{SHA256: Ref("evidence"), What: e.text}}
	d.Trigger = record.Trigger{Kind: "authority_order", Intake: intake, Authority: e.text, LegalReference: e.text, Reporter: e.text}
	d.DSA = &record.DSA{Category: "STATEMENT_CATEGORY_SCAMS_AND_FRAUD", ContentDate: "2026-11-20", ContentType: []string{"CONTENT_TYPE_TEXT"},
		DecisionGround: "DECISION_GROUND_INCOMPATIBLE_CONTENT", IncompatibleContentGround: "The terms of service."}
	d.Territory, d.Until, d.ReviewAt = []string{"DE", "FR"}, e.Time(30*24*time.Hour), e.Time(10*24*time.Hour)
	decision := e.does(d, "dora", "erik")
	e.passes(time.Minute)
	notice := e.does(&record.Notice{Case: EveryCase, Prev: decision, Kind: record.Delivered, Decision: decision, Channel: "email", Lang: "en", Text: e.text,
		Redress: e.text, ServiceLayer: "hosting", Subject: subject}, "dora")
	e.does(&record.Execution{About: decision, At: e.Time(0), Detail: e.text, Lang: "en", Result: "done", System: "edge"}, "enf")
	filer := JWK("filer")
	appeal := e.does(&record.Appeal{Case: EveryCase, Prev: notice, Decision: decision, Filer: "subject", FilerJWK: &filer, Lang: "en",
		ReceivedAt: e.Time(0), Statement: e.text}, "ira", "filer")
	e.does(&record.Ruling{Case: EveryCase, Prev: appeal, Appeal: appeal, Lang: "en", Outcome: record.Modified, Action: record.Restrict, Reasons: e.text,
		Until: e.Time(20 * 24 * time.Hour)}, "abe")
	e.does(&record.Erratum{About: decision, Corrections: []record.Correction{{Member: "facts", Was: e.text, Is: e.text}}, Lang: "en", Reasons: e.text}, "dora", "erik")
	e.does(&record.Export{About: decision, At: e.Time(0), Register: "dsa-transparency-database", Reference: e.text}, "max")
	e.does(&record.Erasure{About: decision, Lang: "en", Members: []string{"facts"}, Reasons: e.text}, "pri")
	e.passes(time.Minute)
	e.ids[record.TypeDecision] = decision
}

// emergency is a case that one decides at once, and others approve.
func (e *everyType) emergency() {
	was := e.ids[record.TypeDecision]
	d := e.Decision("emergency")
	d.Action, d.ServiceLayer, d.Emergency = record.Restrict, "security", &record.Harm{Harm: "threat-to-life"}
	d.Facts, d.Reasons, d.Subject.Name = e.text, e.text, e.text
	d.Grounds = []record.Ground{{Policy: "abuse", Version: 1, Clause: "security", Record: e.Policy}}
	id := e.does(d, "dora")
	e.passes(time.Minute)
	e.does(&record.Ratification{Case: "emergency", Decision: id, Prev: id, Lang: "en", Reasons: e.text}, "fay", "gus")
	e.ids[record.TypeDecision] = was
}

// void logs a decision without a ground, by too few.
func (e *everyType) void() {
	d := e.Decision("voided")
	d.Grounds, d.Facts, d.Reasons, d.Subject.Name = nil, e.text, e.text, e.text
	out, err := e.Ledger.Submit(context.Background(), e.Sign(d, "dora"), ledger.Options{LogVoid: true})
	e.must(err)
	if out.Standing.Effective() {
		e.TB.Fatal("a decision without a ground is effective")
	}
	e.ids["void"] = out.ID
}
