package rules_test

import (
	"slices"
	"testing"

	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// dueProcess is the policy "due": its clauses demand what a clause can demand.
func dueProcess() *record.PolicyPublish {
	with := func(name string, change func(*record.Clause)) record.Clause {
		c := clause(name, 1, "hosting", "terminate suspend restrict warn reinstate")
		change(&c)
		return c
	}
	return &record.PolicyPublish{EffectiveFrom: start, Lang: "en", Policy: "due", Title: "Due process", Version: 1, Clauses: []record.Clause{
		with("notice", func(c *record.Clause) {
			c.Notice = &record.MinNotice{Hours: 48, Exempt: []string{"court_order"}}
			c.Emergency = &record.Emergency{Harms: []string{"life"}, Quorum: quorum(1, record.RoleDecider), Ratifiers: quorum(1, record.RoleRatifier), RatifyWithin: 24}
		}),
		with("appeal", func(c *record.Clause) {
			c.Appeal = &record.AppealRight{Within: 30 * 24, Quorum: quorum(1, record.RoleAppeals), RuleWithin: 14 * 24}
		}),
		with("bounded", func(c *record.Clause) { c.MaxDuration = 30 * 24 }),
		with("reviewed", func(c *record.Clause) { c.ReviewWithin = 15 * 24 }),
		with("apart", func(c *record.Clause) { c.NotTogether = [][]string{{"dan", "eve"}} }),
		with("orders", func(c *record.Clause) {
			c.Orders = &record.Orders{MustCarry: []string{"authority", "legal_reference", "intake"}}
		}),
		with("grave", func(c *record.Clause) {
			c.Quorums = []record.QuorumFor{
				{Severities: []string{"critical"}, Actions: actions("terminate"), Signers: []record.Quorum{quorum(2, record.RoleDecider), quorum(1, record.RoleAdministration)}},
				{Severities: []string{"high", "critical"}, Signers: []record.Quorum{quorum(2, record.RoleDecider)}},
			}
		}),
	}}
}

// due is a settled world with the policy "due" in force, and with people to take
// in, rule and carry out.
func due(t testing.TB) *world {
	w := settled(t)
	w.must(w.does(dueProcess(), "pat"))
	for _, who := range [][2]string{{"ira", "intake"}, {"abe", "appeals"}, {"amy", "appeals"}, {"enf", "enforcer"}, {"pri", "privacy"},
		{"adm", "administration decider"}} {
		w.must(w.does(enrolment(who[0], who[1]), "ada bob "+who[0]))
	}
	w.passes(25 * hour)
	return w
}

func (w *world) intake(name string) *record.Intake {
	return &record.Intake{Case: name, Category: "abuse", Channel: "form", ReceivedAt: record.Time(w.now), ServiceLayer: "hosting",
		Subject: record.Subject{Ref: ref(name), Type: "domain"}, Trigger: record.Trigger{Kind: "notice"}}
}

// proposes announces an action in a new case.
func (w *world) proposes(name string, action record.Action) *record.Notice {
	return &record.Notice{Action: action, Case: name, Channel: "email", Kind: record.Proposed, Lang: "en", RespondBy: record.Time(w.now + hour),
		ServiceLayer: "hosting", Subject: record.Subject{Ref: ref(name), Type: "domain"}, Text: "We intend this."}
}

// of continues the case of an opening act that names it.
func (w *world) of(name string, prev record.ID, action record.Action, grounds ...string) *record.Decision {
	w.Helper()
	d := w.decision(action, grounds...)
	d.Case, d.Prev, d.Subject.Ref = name, prev, ref(name)
	return d
}

// told says that the subject of a decision was told.
func (w *world) told(decision, prev record.ID) *record.Notice {
	d := w.next(decision, record.Warn)
	return &record.Notice{Case: d.Case, Channel: "email", Decision: decision, Kind: record.Delivered, Lang: "en", Prev: prev, Redress: "Write to us.",
		ServiceLayer: "hosting", Subject: d.Subject, Text: "We did this."}
}

func (w *world) appeals(decision, prev record.ID) *record.Appeal {
	return &record.Appeal{Case: w.next(decision, record.Warn).Case, Decision: decision, Filer: "subject", Lang: "en", Prev: prev,
		ReceivedAt: record.Time(w.now), Statement: "It was not me."}
}

func (w *world) ruling(appeal, decision record.ID, outcome string) *record.Ruling {
	return &record.Ruling{Appeal: appeal, Case: w.next(decision, record.Warn).Case, Lang: "en", Outcome: outcome, Prev: appeal, Reasons: "r"}
}

// suspended is a measure under the clause "appeal", and appealed an appeal of it.
func (w *world) suspended() record.ID {
	return w.must(w.does(w.decision(record.Suspend, "due/1/appeal"), "dan"))
}

func (w *world) appealed() (decision, appeal record.ID) {
	decision = w.suspended()
	return decision, w.must(w.does(w.appeals(decision, decision), "ira"))
}

// ruled is a measure against which an appeal was decided.
func (w *world) ruled(outcome string) (decision, ruling record.ID) {
	decision, appeal := w.appealed()
	p := w.ruling(appeal, decision, outcome)
	if outcome == record.Modified {
		p.Action = record.Restrict
	}
	return decision, w.must(w.does(p, "abe"))
}

// after continues the case of a decision, after another act.
func (w *world) after(decision, prev record.ID, action record.Action, grounds ...string) *record.Decision {
	d := w.next(decision, action, grounds...)
	d.Prev = prev
	return d
}

// alone cites a record without a clause.
func alone(d *record.Decision, id record.ID) *record.Decision {
	d.Grounds = []record.Ground{{Record: id}}
	return d
}

var dueRules = []rule{
	{rules.NoticeMissing, "nobody was told",
		func(w *world) rules.Standing { return w.does(w.decision(record.Suspend, "due/1/notice"), "dan") },
		func(w *world) rules.Standing { return w.does(w.decision(record.Warn, "due/1/notice"), "dan") }},
	{rules.NoticeMissing, "an order of a court is exempt, one of an authority is not",
		func(w *world) rules.Standing {
			d := w.decision(record.Suspend, "due/1/notice")
			d.Trigger.Kind = "authority_order"
			return w.does(d, "dan")
		},
		func(w *world) rules.Standing {
			d := w.decision(record.Suspend, "due/1/notice")
			d.Trigger.Kind = "court_order"
			return w.does(d, "dan")
		}},
	{rules.NoticeMissing, "an emergency is exempt",
		func(w *world) rules.Standing {
			id := w.must(w.does(w.proposes("quick", record.Restrict), "dan"))
			w.passes(3 * day)
			return w.does(w.of("quick", id, record.Suspend, "due/1/notice"), "dan") // harder than announced
		},
		func(w *world) rules.Standing {
			d := w.decision(record.Suspend, "due/1/notice")
			d.Emergency = &record.Harm{Harm: "life"}
			return w.does(d, "dan")
		}},
	{rules.NoticeMissing, "one notice serves one decision",
		func(w *world) rules.Standing {
			id := w.must(w.does(w.proposes("twice", record.Suspend), "dan"))
			w.passes(3 * day)
			id = w.must(w.does(w.of("twice", id, record.Warn, "due/1/notice"), "dan"))
			return w.does(w.of("twice", id, record.Suspend, "due/1/notice"), "dan")
		},
		func(w *world) rules.Standing {
			id := w.must(w.does(w.proposes("once", record.Terminate), "dan"))
			w.passes(3 * day)
			return w.does(w.of("once", id, record.Suspend, "due/1/notice"), "dan")
		}},
	{rules.NoticeTooEarly, "before the time of the clause",
		func(w *world) rules.Standing {
			id := w.must(w.does(w.proposes("early", record.Suspend), "dan"))
			w.passes(48*hour - 1)
			return w.does(w.of("early", id, record.Suspend, "due/1/notice"), "dan")
		},
		func(w *world) rules.Standing {
			id := w.must(w.does(w.proposes("early", record.Suspend), "dan"))
			w.passes(48 * hour)
			return w.does(w.of("early", id, record.Suspend, "due/1/notice"), "dan")
		}},
	{rules.NoticeTooEarly, "before the time that the notice gave",
		func(w *world) rules.Standing {
			p := w.proposes("week", record.Suspend)
			p.RespondBy = record.Time(w.now + 7*day)
			id := w.must(w.does(p, "dan"))
			w.passes(7*day - 1)
			return w.does(w.of("week", id, record.Suspend, "due/1/notice"), "dan")
		},
		func(w *world) rules.Standing {
			p := w.proposes("week", record.Suspend)
			p.RespondBy = record.Time(w.now + 7*day)
			id := w.must(w.does(p, "dan"))
			w.passes(7 * day)
			return w.does(w.of("week", id, record.Suspend, "due/1/notice"), "dan")
		}},
	{rules.DurationExceeded, "longer than the clause permits",
		func(w *world) rules.Standing {
			d := w.decision(record.Suspend, "due/1/bounded")
			d.Until = d.EffectiveAt + 30*day + 1
			return w.does(d, "dan")
		},
		func(w *world) rules.Standing {
			d := w.decision(record.Suspend, "due/1/bounded")
			d.Until = d.EffectiveAt + 30*day
			return w.does(d, "dan")
		}},
	{rules.DurationExceeded, "without an end",
		func(w *world) rules.Standing { return w.does(w.decision(record.Terminate, "due/1/bounded"), "dan") },
		func(w *world) rules.Standing { return w.does(w.decision(record.Warn, "due/1/bounded"), "dan") }},
	{rules.ReviewMissing, "no date of review",
		func(w *world) rules.Standing { return w.does(w.decision(record.Restrict, "due/1/reviewed"), "dan") },
		func(w *world) rules.Standing {
			d := w.decision(record.Restrict, "due/1/reviewed")
			d.ReviewAt = d.EffectiveAt + 15*day
			return w.does(d, "dan")
		}},
	{rules.ReviewMissing, "too late a date",
		func(w *world) rules.Standing {
			d := w.decision(record.Restrict, "due/1/reviewed")
			d.ReviewAt = d.EffectiveAt + 15*day + 1
			return w.does(d, "dan")
		},
		func(w *world) rules.Standing { return w.does(w.decision(record.Warn, "due/1/reviewed"), "dan") }},
	{rules.SignersConflict, "two who may not sign together",
		func(w *world) rules.Standing { return w.does(w.decision(record.Suspend, "due/1/apart"), "dan eve") },
		func(w *world) rules.Standing { return w.does(w.decision(record.Suspend, "due/1/apart"), "dan fay") }},
	{rules.OrderIncomplete, "an order without its reference",
		func(w *world) rules.Standing {
			in := w.must(w.does(w.intake("order"), "ira"))
			d := w.of("order", in, record.Suspend, "due/1/orders")
			d.Trigger = record.Trigger{Kind: "court_order", Authority: "a court", Intake: in}
			return w.does(d, "dan")
		},
		func(w *world) rules.Standing {
			in := w.must(w.does(w.intake("order"), "ira"))
			d := w.of("order", in, record.Suspend, "due/1/orders")
			d.Trigger = record.Trigger{Kind: "court_order", Authority: "a court", LegalReference: "1 Ob 1/26", Intake: in}
			return w.does(d, "dan")
		}},
	{rules.OrderIncomplete, "an intake that is not in the case",
		func(w *world) rules.Standing {
			d := w.decision(record.Suspend, "due/1/orders")
			d.Trigger = record.Trigger{Kind: "authority_order", Authority: "an office", LegalReference: "7", Intake: w.policyID("due", 1)}
			return w.does(d, "dan")
		},
		func(w *world) rules.Standing { return w.does(w.decision(record.Suspend, "due/1/orders"), "dan") }},
	{rules.SeverityMissing, "signatures by severity, and no severity",
		func(w *world) rules.Standing { return w.does(w.decision(record.Suspend, "due/1/grave"), "dan eve") },
		func(w *world) rules.Standing {
			d := w.decision(record.Suspend, "due/1/grave")
			d.Severity = "low"
			return w.does(d, "dan")
		}},
	{rules.QuorumShort, "more must sign what is graver",
		func(w *world) rules.Standing {
			d := w.decision(record.Suspend, "due/1/grave")
			d.Severity = "high"
			return w.does(d, "dan")
		},
		func(w *world) rules.Standing {
			d := w.decision(record.Suspend, "due/1/grave")
			d.Severity = "high"
			return w.does(d, "dan eve")
		}},
	{rules.QuorumShort, "nobody fills two places",
		func(w *world) rules.Standing {
			d := w.decision(record.Terminate, "due/1/grave")
			d.Severity = "critical"
			return w.does(d, "dan adm") // adm is a decider and an administrator
		},
		func(w *world) rules.Standing {
			d := w.decision(record.Terminate, "due/1/grave")
			d.Severity = "critical"
			return w.does(d, "dan eve adm")
		}},
	{rules.AboutUnknown, "a precedent that is no decision",
		func(w *world) rules.Standing {
			d := w.decision(record.Decline)
			d.Precedents = []record.ID{w.policyID("due", 1)}
			return w.does(d, "dan eve")
		},
		func(w *world) rules.Standing {
			d := w.decision(record.Decline)
			d.Precedents = []record.ID{w.suspended()}
			return w.does(d, "dan eve")
		}},
}

var appealRules = []rule{
	{rules.AppealTooLate, "after the time of the clause",
		func(w *world) rules.Standing {
			id := w.suspended()
			w.passes(30*day + 1)
			return w.does(w.appeals(id, id), "ira")
		},
		func(w *world) rules.Standing {
			id := w.suspended()
			w.passes(30 * day)
			return w.does(w.appeals(id, id), "ira")
		}},
	{rules.CaseTransition, "an appeal while another is open",
		func(w *world) rules.Standing {
			id, appeal := w.appealed()
			return w.does(w.appeals(id, appeal), "ira")
		},
		func(w *world) rules.Standing {
			id := w.must(w.does(w.decision(record.Decline), "dan eve"))
			w.passes(1000 * day) // no clause, no limit
			return w.does(w.appeals(id, id), "ira")
		}},
	{rules.CaseTransition, "an appeal after the ruling",
		func(w *world) rules.Standing {
			id, ruling := w.ruled(record.Upheld)
			return w.does(w.appeals(id, ruling), "ira")
		},
		func(w *world) rules.Standing {
			id, ruling := w.ruled(record.Upheld)
			again := w.must(w.does(w.after(id, ruling, record.Terminate, "due/1/appeal"), "dan"))
			return w.does(w.appeals(again, again), "ira")
		}},
	{rules.RoleMissing, "an appeal that the decider takes in",
		func(w *world) rules.Standing {
			id := w.suspended()
			return w.does(w.appeals(id, id), "dan ira")
		},
		func(w *world) rules.Standing {
			id := w.suspended()
			p := w.appeals(id, id)
			filer := jwk("filer")
			p.FilerJWK = &filer
			return w.does(p, "ira filer") // shown, not counted
		}},
	{rules.QuorumShort, "only the filer signs the appeal",
		func(w *world) rules.Standing {
			id := w.suspended()
			p := w.appeals(id, id)
			filer := jwk("filer")
			p.FilerJWK = &filer
			return w.does(p, "filer")
		},
		func(w *world) rules.Standing {
			id := w.suspended()
			return w.does(w.appeals(id, id), "ira")
		}},
	{rules.CaseTransition, "a new measure while the appeal is open",
		func(w *world) rules.Standing {
			id, appeal := w.appealed()
			return w.does(w.after(id, appeal, record.Terminate, "due/1/appeal"), "dan")
		},
		func(w *world) rules.Standing {
			id, appeal := w.appealed()
			return w.does(w.after(id, appeal, record.Reinstate, "due/1/appeal"), "dan")
		}},
	{rules.RulingDependent, "who takes in the appeal does not rule",
		func(w *world) rules.Standing {
			w.must(w.does(enrolment("ned", "appeals decider"), "ada bob ned"))
			id := w.must(w.does(w.decision(record.Suspend, "due/1/appeal"), "ned"))
			appeal := w.must(w.does(w.appeals(id, id), "ira"))
			return w.does(w.ruling(appeal, id, record.Upheld), "ned")
		},
		func(w *world) rules.Standing {
			id, appeal := w.appealed()
			return w.does(w.ruling(appeal, id, record.Upheld), "abe amy")
		}},
	{rules.CaseTransition, "a ruling on no appeal",
		func(w *world) rules.Standing {
			id := w.suspended()
			return w.does(w.ruling(id, id, record.Upheld), "abe")
		},
		func(w *world) rules.Standing {
			id, appeal := w.appealed()
			return w.does(w.ruling(appeal, id, record.Reversed), "abe")
		}},
	{rules.CaseTransition, "a modification that is no milder",
		func(w *world) rules.Standing {
			id, appeal := w.appealed()
			p := w.ruling(appeal, id, record.Modified)
			p.Action = record.Suspend
			return w.does(p, "abe")
		},
		func(w *world) rules.Standing {
			id, appeal := w.appealed()
			p := w.ruling(appeal, id, record.Modified)
			p.Action = record.Restrict
			return w.does(p, "abe")
		}},
	{rules.RulingLate, "after the time of the clause",
		func(w *world) rules.Standing {
			id, appeal := w.appealed()
			w.passes(14*day + 1)
			return w.does(w.ruling(appeal, id, record.Upheld), "abe")
		},
		func(w *world) rules.Standing {
			id, appeal := w.appealed()
			w.passes(14 * day)
			return w.does(w.ruling(appeal, id, record.Upheld), "abe")
		}},
	{rules.GroundUnpublished, "a reinstatement that cites another ruling",
		func(w *world) rules.Standing {
			_, other := w.ruled(record.Reversed)
			id, ruling := w.ruled(record.Reversed)
			return w.does(alone(w.after(id, ruling, record.Reinstate), other), "dan eve")
		},
		func(w *world) rules.Standing {
			id, ruling := w.ruled(record.Reversed)
			return w.does(alone(w.after(id, ruling, record.Reinstate), ruling), "dan eve")
		}},
	{rules.GroundUnpublished, "a reinstatement that cites a measure in force",
		func(w *world) rules.Standing {
			id := w.suspended()
			return w.does(alone(w.next(id, record.Reinstate), id), "dan eve")
		},
		func(w *world) rules.Standing {
			d := w.decision(record.Suspend, "due/1/bounded")
			d.Until = d.EffectiveAt + day
			id := w.must(w.does(d, "dan"))
			w.passes(day)
			return w.does(alone(w.next(id, record.Reinstate), id), "dan eve") // it ran out
		}},
	{rules.CaseTransition, "a notice of what is not in force",
		func(w *world) rules.Standing {
			id := w.suspended()
			up := w.must(w.does(w.next(id, record.Reinstate, "due/1/appeal"), "dan"))
			p := w.told(id, up)
			return w.does(p, "dan")
		},
		func(w *world) rules.Standing {
			id := w.suspended()
			return w.does(w.told(id, id), "dan")
		}},
	{rules.CaseSubject, "a notice to somebody else",
		func(w *world) rules.Standing {
			id := w.suspended()
			p := w.told(id, id)
			p.Subject.Ref = ref("somebody else")
			return w.does(p, "dan")
		},
		func(w *world) rules.Standing {
			in := w.must(w.does(w.intake("told"), "ira"))
			p := w.proposes("told", record.Warn)
			p.Prev = in
			return w.does(p, "eve")
		}},
	{rules.RoleMissing, "a report that a decider takes in",
		func(w *world) rules.Standing { return w.does(w.intake("report"), "dan ira") },
		func(w *world) rules.Standing { return w.does(w.intake("report"), "ira") }},
	{rules.CaseExists, "a report that opens an open case",
		func(w *world) rules.Standing {
			w.must(w.does(w.intake("open"), "ira"))
			return w.does(w.intake("open"), "ira")
		},
		func(w *world) rules.Standing {
			p := w.intake("open")
			p.Prev = w.must(w.does(w.intake("open"), "ira"))
			return w.does(p, "ira")
		}},
}

// about is a record that speaks about a decision.
func erratum(id record.ID) *record.Erratum {
	return &record.Erratum{About: id, Corrections: []record.Correction{{Is: "a", Member: "facts", Was: "f"}}, Lang: "en", Reasons: "a slip"}
}

func (w *world) execution(id record.ID) *record.Execution {
	return &record.Execution{About: id, At: record.Time(w.now), Result: "done", System: "edge"}
}

var aboutRules = []rule{
	{rules.AboutUnknown, "an execution of nothing",
		func(w *world) rules.Standing { return w.does(w.execution(w.policyID("due", 1)), "enf") },
		func(w *world) rules.Standing { return w.does(w.execution(w.suspended()), "enf") }},
	{rules.AboutUnknown, "an execution of a void decision",
		func(w *world) rules.Standing {
			s := w.does(w.decision(record.Suspend), "dan eve")
			return w.does(w.execution(s.ID), "enf")
		},
		func(w *world) rules.Standing { return w.does(w.execution(w.suspended()), "enf") }},
	{rules.RoleMissing, "an execution that a decider reports",
		func(w *world) rules.Standing { return w.does(w.execution(w.suspended()), "dan enf") },
		func(w *world) rules.Standing { return w.does(w.execution(w.suspended()), "enf") }},
	{rules.QuorumShort, "a correction by fewer than decided",
		func(w *world) rules.Standing {
			id := w.must(w.does(w.decision(record.Suspend, "use/1/host"), "dan eve"))
			return w.does(erratum(id), "dan")
		},
		func(w *world) rules.Standing {
			id := w.must(w.does(w.decision(record.Suspend, "use/1/host"), "dan eve"))
			return w.does(erratum(id), "fay eve")
		}},
	{rules.AboutUnknown, "a correction of a ruling",
		func(w *world) rules.Standing {
			_, ruling := w.ruled(record.Upheld)
			return w.does(erratum(ruling), "dan")
		},
		func(w *world) rules.Standing {
			id, _ := w.ruled(record.Upheld)
			return w.does(erratum(id), "dan")
		}},
	{rules.AboutUnknown, "an export of nothing",
		func(w *world) rules.Standing {
			return w.does(&record.Export{About: w.policyID("due", 1), At: record.Time(w.now), Register: "dsa"}, "max")
		},
		func(w *world) rules.Standing {
			return w.does(&record.Export{About: w.suspended(), At: record.Time(w.now), Register: "dsa"}, "max")
		}},
	{rules.AboutUnknown, "an erasure of nothing",
		func(w *world) rules.Standing {
			return w.does(&record.Erasure{About: w.policyID("due", 1), Lang: "en", Members: []string{"facts"}, Reasons: "r"}, "pri")
		},
		func(w *world) rules.Standing {
			return w.does(&record.Erasure{About: w.suspended(), Lang: "en", Members: []string{"facts"}, Reasons: "r"}, "pri")
		}},
}

// TestGrounds holds the rules to the table of grounds: each action on a clause,
// on none and on a record alone.
func TestGrounds(t *testing.T) {
	for _, g := range rules.Grounds {
		w := due(t)
		p := usePolicy(1)
		p.Policy, p.Clauses = "all", []record.Clause{clause("all", 1, "hosting", "terminate suspend restrict warn decline forward reinstate")}
		w.must(w.does(p, "pat"))
		w.passes(25 * hour)
		decide := func(change func(*record.Decision), who string) bool {
			d := w.decision(g.Action, "all/1/all")
			if g.Action == record.Reinstate {
				bounded := w.decision(record.Suspend, "all/1/all")
				bounded.Until = bounded.EffectiveAt + 1
				id := w.must(w.does(bounded, "dan"))
				w.passes(1)
				d = w.next(id, record.Reinstate, "all/1/all")
			}
			d.Ledger = origin
			change(d)
			if _, err := record.NewDraft(d); err != nil {
				return false // the schema refuses it
			}
			return w.does(d, who).Effective()
		}
		clauses := decide(func(*record.Decision) {}, "dan")
		none := decide(func(d *record.Decision) { d.Grounds = nil }, "dan eve")
		short := decide(func(d *record.Decision) { d.Grounds = nil }, "dan")
		record1 := decide(func(d *record.Decision) { alone(d, d.Prev) }, "dan eve")
		for _, c := range []struct {
			said string
			is   bool
		}{{g.Clause, clauses}, {g.None, none}, {g.Alone, record1}} {
			if (c.said != "–") != c.is {
				t.Errorf("%s: the table says %q, and it is effective: %v", g.Action, c.said, c.is)
			}
		}
		if short {
			t.Errorf("%s rests on nothing, by fewer than default_quorum", g.Action)
		}
	}
}

// TestStatus walks a decision through what can become of it.
func TestStatus(t *testing.T) {
	is := func(w *world, id record.ID, want rules.Status) {
		t.Helper()
		name := w.next(id, record.Warn).Case
		if got, err := rules.ReadStatus(w.state, name, id, w.now); err != nil || got.Status != want || got.Status.Acts() != want.Acts() {
			t.Errorf("%+v, %v; want %s", got, err, want)
		}
	}
	w := due(t)
	id, appeal := w.appealed()
	is(w, id, rules.UnderAppeal)
	w.must(w.does(w.ruling(appeal, id, record.Upheld), "abe"))
	is(w, id, rules.Upheld)
	id, _ = w.ruled(record.Reversed)
	is(w, id, rules.Reversed)
	id, ruling := w.ruled(record.Modified)
	is(w, id, rules.Modified)
	is(w, ruling, rules.InForce)
	id = w.suspended()
	is(w, id, rules.InForce)
	w.must(w.does(w.next(id, record.Warn, "due/1/appeal"), "dan"))
	is(w, id, rules.InForce) // a warning leaves it
	id = w.suspended()
	next := w.must(w.does(w.next(id, record.Reinstate, "due/1/appeal"), "dan"))
	is(w, id, rules.Superseded)
	is(w, next, rules.InForce)
	d := w.decision(record.Suspend, "due/1/bounded")
	d.Until = d.EffectiveAt + day
	id = w.must(w.does(d, "dan"))
	w.passes(day - 1)
	is(w, id, rules.InForce)
	w.passes(1)
	is(w, id, rules.Expired)
	id = w.must(w.does(w.urgent(), "dan"))
	is(w, id, rules.AwaitingRatification)
	w.passes(72*hour + 1)
	is(w, id, rules.Lapsed)
	if _, err := rules.ReadStatus(w.state, "no-such-case", id, w.now); err != rules.ErrNoDecision {
		t.Errorf("a case that is not there: %v", err)
	}
	w.replay()
}

// TestDuties: each kind of duty appears, becomes overdue, and is done.
func TestDuties(t *testing.T) {
	w := due(t)
	owed := func(want ...string) {
		t.Helper()
		list, err := rules.Duties(w.state, w.now)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, d := range list {
			word := d.Kind
			if d.Overdue {
				word += "!"
			}
			got = append(got, word)
		}
		if !slices.Equal(got, want) {
			t.Errorf("owed: %v, want %v", got, want)
		}
	}
	owed()
	id := w.must(w.does(w.urgent(), "dan"))
	owed("notify", "ratify")
	told := w.must(w.does(w.told(id, id), "dan"))
	owed("ratify")
	w.passes(72*hour + 1)
	owed("undo!")
	w.must(w.does(alone(w.after(id, told, record.Reinstate), id), "dan eve"))
	owed()

	id, appeal := w.appealed()
	w.must(w.does(w.told(id, appeal), "dan"))
	owed("rule")
	w.passes(14*day + 1)
	owed("rule!")
	p1 := w.ruling(appeal, id, record.Reversed)
	p1.Prev = w.tip(id)
	w.must(w.does(p1, "abe"))
	owed("undo")
	w.must(w.does(alone(w.after(id, w.tip(id), record.Reinstate), w.tip(id)), "dan eve"))
	owed()

	d := w.decision(record.Restrict, "due/1/reviewed")
	d.ReviewAt = d.EffectiveAt + day
	id = w.must(w.does(d, "dan"))
	w.must(w.does(w.told(id, id), "dan"))
	owed("review")
	w.passes(day + 1)
	owed("review!")

	p := revocation("dan", record.Compromised)
	p.Since = d.EffectiveAt
	w.must(w.does(p, "ada"))
	owed("reconfirm!", "review!")
	w.must(w.does(w.ratify(id, w.tip(id)), "eve"))
	owed("review!")
	w.must(w.does(w.after(id, w.tip(id), record.Reinstate, "due/1/reviewed"), "eve"))
	owed()

	e := enrolment("ada", "administration registrar")
	e.ValidUntil = record.Time(w.now + 50*day)
	w.must(w.does(e, "ada bob cleo"))
	e = enrolment("bob", "administration registrar policy")
	e.ValidUntil = record.Time(w.now + 50*day)
	w.must(w.does(e, "ada bob cleo"))
	owed("renew")
	w.replay()
}

// tip is the newest act of the case of a decision.
func (w *world) tip(decision record.ID) record.ID {
	name := w.next(decision, record.Warn).Case
	for i := len(w.checked) - 1; ; i-- {
		if a, ok := w.checked[i].Payload().(record.Act); ok && w.standings[i].Effective() {
			if in, _ := a.Place(); in == name {
				return w.standings[i].ID
			}
		}
	}
}
