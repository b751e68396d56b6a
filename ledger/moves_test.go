package ledger_test

import (
	"fmt"

	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/verify/record"
)

// The moves of a player: each returns a record to send, or nil.

func (p *player) subject(name string) record.Subject {
	return record.Subject{Ref: ledgertest.Ref(name), Type: "domain"}
}

func (p *player) grounds(d *record.Decision) {
	clause := p.one("plain", "plain", "notice", "appeal", "appeal", "bound", "grave", "quick")
	d.Grounds = []record.Ground{{Policy: "full", Version: 1, Clause: clause, Record: p.policyID()}}
	switch p.IntN(10) {
	case 0:
		d.Grounds[0].Clause = "none-such"
	case 1:
		d.Grounds = nil
	case 2:
		d.ServiceLayer = "dns"
	}
	d.Severity = p.one("", "high", "low", "low")
	if p.IntN(2) == 0 {
		d.Until, d.ReviewAt = d.EffectiveAt+record.Time(3600*(1+p.IntN(4))), d.EffectiveAt+3600
	}
	switch {
	case clause == "quick" && p.IntN(2) == 0:
		d.Emergency = &record.Harm{Harm: p.one("life", "life", "life", "fame")}
	case clause == "quick" && p.IntN(2) == 0:
		d.Retrospective = &record.Retrospective{Why: "late"}
		d.DecidedAt -= 3 * 24 * 3600
	}
}

func (p *player) policyID() record.ID {
	for _, b := range p.sent {
		u, err := record.Parse(b)
		if err != nil {
			p.w.TB.Fatal(err)
		}
		if q, ok := u.Payload().(*record.PolicyPublish); ok && q.Policy == "full" {
			return u.ID()
		}
	}
	return p.w.Policy
}

func (p *player) decide() []byte {
	d := p.w.Decision(fmt.Sprintf("case-%d", p.IntN(40)))
	d.Action = record.Actions[p.IntN(len(record.Actions))]
	p.grounds(d)
	return p.w.Sign(d, p.some(p.one("dora", "erik"), "dora2")...)
}

// proceed decides in a case that there is.
func (p *player) proceed() []byte {
	if len(p.tips) == 0 {
		return nil
	}
	of := p.tips[p.IntN(len(p.tips))]
	d := p.w.Decision(of.name)
	d.Subject, d.Prev = of.subject, p.tip(of)
	d.Action = record.Actions[p.IntN(len(record.Actions))]
	p.grounds(d)
	if d.Action == record.Reinstate && p.IntN(2) == 0 {
		if by, ok := p.act(record.Type(p.one("decision", "ruling"))); ok {
			d.Grounds = []record.Ground{{Record: by.id}}
		}
	}
	if by, ok := p.act(record.TypeDecision); ok && p.IntN(6) == 0 {
		d.Precedents = []record.ID{by.id}
	}
	return p.w.Sign(d, p.some("dora", "erik")...)
}

func (p *player) intake() []byte {
	name := fmt.Sprintf("case-%d", p.IntN(40))
	q := &record.Intake{Case: name, Category: "abuse", Channel: "form", ReceivedAt: p.w.Time(0), ServiceLayer: "hosting", Subject: p.subject(name),
		Trigger: record.Trigger{Kind: "notice"}}
	if len(p.tips) > 0 && p.IntN(2) == 0 {
		of := p.tips[p.IntN(len(p.tips))]
		q.Case, q.Subject, q.Prev = of.name, of.subject, p.tip(of)
	}
	return p.w.Sign(q, p.some("ira")...)
}

func (p *player) notice() []byte {
	name := fmt.Sprintf("case-%d", p.IntN(40))
	q := &record.Notice{Case: name, Kind: record.Proposed, Action: record.Actions[p.IntN(3)], Channel: "email", Lang: "en", Text: "t",
		RespondBy: p.w.Time(0) + 60, ServiceLayer: "hosting", Subject: p.subject(name)}
	if len(p.tips) > 0 && p.IntN(2) == 0 {
		of := p.tips[p.IntN(len(p.tips))]
		q.Case, q.Subject, q.Prev = of.name, of.subject, p.tip(of)
	}
	return p.w.Sign(q, p.some("erik")...)
}

func (p *player) told() []byte {
	of, ok := p.act(record.TypeDecision)
	if !ok {
		return nil
	}
	return p.w.Sign(&record.Notice{Case: of.name, Kind: record.Delivered, Decision: of.id, Prev: p.tip(of), Channel: "email", Lang: "en", Text: "t",
		Redress: "r", ServiceLayer: "hosting", Subject: of.subject}, p.some("dora")...)
}

func (p *player) ratify() []byte {
	of, ok := p.act(record.TypeDecision)
	if !ok {
		return nil
	}
	return p.w.Sign(&record.Ratification{Case: of.name, Decision: of.id, Prev: p.tip(of), Lang: "en", Reasons: "r"},
		p.some(p.one("fay", "gus", "erik"))...)
}

func (p *player) appeal() []byte {
	of, ok := p.act(record.TypeDecision)
	if !ok {
		return nil
	}
	q := &record.Appeal{Case: of.name, Decision: of.id, Prev: p.tip(of), Filer: "subject", Lang: "en", ReceivedAt: p.w.Time(0), Statement: "s"}
	if p.IntN(3) == 0 {
		filer := ledgertest.JWK("filer")
		q.FilerJWK = &filer
		return p.w.Sign(q, p.some("ira", "filer")...)
	}
	return p.w.Sign(q, p.some("ira")...)
}

func (p *player) rule() []byte {
	of, ok := p.act(record.TypeAppeal)
	if !ok {
		return nil
	}
	q := &record.Ruling{Case: of.name, Appeal: of.id, Prev: p.tip(of), Lang: "en", Reasons: "r",
		Outcome: p.one(record.Upheld, record.Reversed, record.Modified)}
	if q.Outcome == record.Modified {
		q.Action = record.Action(p.one("restrict", "warn", "suspend"))
	}
	return p.w.Sign(q, p.some(p.one("abe", "amy"))...)
}

// about speaks about a decision or a ruling.
func (p *player) about() []byte {
	of, ok := p.act(record.Type(p.one("decision", "decision", "ruling", "intake")))
	if !ok {
		return nil
	}
	switch p.IntN(4) {
	case 0:
		return p.w.Sign(&record.Erratum{About: of.id, Corrections: []record.Correction{{Is: "a", Member: "facts", Was: "b"}}, Lang: "en", Reasons: "r"},
			p.some("dora", "erik")...)
	case 1:
		return p.w.Sign(&record.Export{About: of.id, At: p.w.Time(0), Register: "dsa"}, p.some("max")...)
	case 2:
		return p.w.Sign(&record.Erasure{About: of.id, Lang: "en", Members: []string{"facts"}, Reasons: "r"}, p.some("pri")...)
	}
	return p.w.Sign(&record.Execution{About: of.id, At: p.w.Time(0), Result: "done", System: "edge"}, p.some("enf")...)
}

func (p *player) keys() []byte {
	name := p.one("tim", "tom", "dora2", "erik", "fay", "reg")
	if p.IntN(2) == 0 {
		q := &record.KeyEnrol{Holder: name, JWK: ledgertest.JWK(name), Roles: []record.Role{record.Role(p.one("decider", "registrar", "ratifier"))}}
		if name == "dora2" {
			q.Holder = "dora"
		}
		if p.IntN(3) == 0 {
			q.ValidUntil = p.w.Time(0) + 7200
		}
		return p.w.Sign(q, append(p.some("ada", "ben"), name)...)
	}
	q := &record.KeyRevoke{KID: ledgertest.JWK(name).KID(), Reason: p.one(record.Retired, record.Lost, record.Compromised)}
	if q.Reason == record.Compromised {
		q.Since = p.w.Time(0) - 7200
	}
	if p.IntN(5) == 0 {
		return p.w.Sign(q, "rita", "rolf")
	}
	return p.w.Sign(q, p.some("ada", "ben")...)
}

func (p *player) policy() []byte {
	if p.IntN(5) == 0 {
		return p.w.Sign(&record.PolicyRepeal{Policy: p.one("full", "abuse", "none-such"), EffectiveFrom: p.w.Time(0), Lang: "en", Reasons: "r"}, p.some("ada", "cleo")...)
	}
	q := fullPolicy(p.w)
	p.full++
	q.Version = p.full + int64(p.IntN(2))
	return p.w.Sign(q, p.some("ada", "cleo")...)
}

// amend changes the terms; now and then it brings witnesses, or ends them.
func (p *player) amend() []byte {
	q := &record.CharterAmend{Terms: p.w.Charter().Terms, Reasons: "r"}
	switch p.IntN(6) {
	case 0:
		q.PolicyLead = int64(p.IntN(3))
	case 1:
		q.RegistrarQuorum = int64(1 + p.IntN(4))
	case 2:
		q.DecideTolerance += 24
	case 3, 4:
		q.Witnesses = []string{"witness w1 " + witness("w1").String(), "witness w2 " + witness("w2").String(), "group any 1 w1 w2", "quorum any"}
	}
	if p.IntN(4) == 0 {
		return p.w.Sign(q, "ada", "ben", "rita", "rolf")
	}
	return p.w.Sign(q, p.some("ada", "cleo")...)
}

func (p *player) timemark() []byte {
	names := []string{p.one("w1", "w2", "w9")}
	if p.IntN(2) == 0 {
		names = []string{"w1", "w2"}
	}
	return p.w.Sign(&record.Timemark{Checkpoint: p.cosigned(names...)}, p.some("max")...)
}

// again sends what was sent before.
func (p *player) again() []byte {
	if len(p.sent) == 0 {
		return nil
	}
	return p.sent[p.IntN(len(p.sent))]
}

// reopen starts the ledger anew, now and then with no state left.
func (p *player) reopen() []byte {
	if p.IntN(3) > 0 {
		return nil
	}
	p.w.Reopen()
	return nil
}
