package ledgertest

import (
	"context"
	"crypto"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/verify/record"
)

// NewVaried returns a World with at least n records that differ as much as those of
// a provider do: all types but timemarks and amendments, all service layers and
// actions, policies of several versions, cases of one record or of dozens, texts of 200
// to 5,000 bytes in several languages, and some void records. They are spread over
// years, and are the same in every run.
func NewVaried(tb testing.TB, n int) *World {
	tb.Helper()
	w := New(tb, func(c *ledger.Config) { c.VoidsPerDay = 1 << 30 })
	v := &varied{World: w, n: n, r: rand.New(rand.NewPCG(7, uint64(n))), grounds: map[record.ServiceLayer]record.Ground{}, versions: map[record.ServiceLayer]int64{}}
	v.writer = newVariedWriter(v.r)
	v.seen = w.Seen()
	all := w.Ledger.SubmitAll(context.Background(), v.records, ledger.Options{LogVoid: true})
	count, void := 0, 0
	for out, err := range all { // ends after records has
		if err != nil {
			tb.Fatalf("varied record %d: %v", count, err)
		}
		if count++; !out.Standing.Effective() {
			void++
		}
	}
	if void != v.tried {
		tb.Fatalf("%d varied records are void, want %d", void, v.tried)
	}
	return w
}

// variedDeciders, and the others by role.
var (
	variedDeciders = []string{"dora", "erik", "anna", "bela", "carl", "dina", "emil", "fred"}
	variedPeople   = map[string]record.Role{"anna": record.RoleDecider, "bela": record.RoleDecider, "carl": record.RoleDecider,
		"dina": record.RoleDecider, "emil": record.RoleDecider, "fred": record.RoleDecider,
		"ira": record.RoleIntake, "abe": record.RoleAppeals, "enf": record.RoleEnforcer, "pri": record.RolePrivacy, "max": record.RoleMachine, "tim": record.RoleDecider}
)

type varied struct {
	*World
	*writer
	n        int
	r        *rand.Rand
	seen     record.Seen
	made     int
	yield    func([]byte) bool
	ended    bool
	cases    int
	open     []*variedCase
	grounds  map[record.ServiceLayer]record.Ground
	versions map[record.ServiceLayer]int64
	tried    int // records that are to be void
}

// A variedCase is a case on its way, and what is still to happen in it.
type variedCase struct {
	name                   string
	lang                   string
	layer                  record.ServiceLayer
	subject                record.Subject
	prev, decision, appeal record.ID
	action                 record.Action
	plan                   []func(*varied, *variedCase)
}

// records yields the records, in the order in which they are to be logged.
func (v *varied) records(yield func([]byte) bool) {
	v.yield = yield
	people := make([]string, 0, len(variedPeople))
	for name := range variedPeople {
		people = append(people, name)
	}
	slices.Sort(people)
	for _, name := range people {
		v.log(&record.KeyEnrol{Holder: name, JWK: JWK(name), Roles: []record.Role{variedPeople[name]}}, "ada", "ben", name)
	}
	v.log(&record.KeyRevoke{KID: JWK("tim").KID(), Reason: record.Retired}, "ada", "ben")
	for v.made < v.n && !v.ended {
		for _, layer := range record.ServiceLayers {
			if v.versions[layer] <= int64(v.made*5/v.n) {
				v.publish(layer)
			}
		}
		if len(v.open) < 100 {
			v.open = append(v.open, v.begin())
		}
		i := v.r.IntN(len(v.open))
		c := v.open[i]
		c.plan[0](v, c)
		if c.plan = c.plan[1:]; len(c.plan) == 0 {
			v.open = slices.Delete(v.open, i, i+1)
		}
	}
}

// log signs a record and hands it on. Minutes pass.
func (v *varied) log(p record.Payload, names ...string) record.ID {
	v.Advance(time.Duration(1+v.r.IntN(20)) * time.Minute)
	p.Head().Ledger = Origin
	u, err := record.NewDraft(p)
	v.must(err)
	for _, name := range names {
		u, err = u.Sign(crypto.Signer(Key(name)), v.Now().Unix(), v.next(name), v.seen)
		v.must(err)
	}
	v.made++
	id := record.IDOf(u.Bytes())
	v.ended = v.ended || !v.yield(u.Bytes())
	return id
}

// publish publishes the next version of the policy of a layer.
func (v *varied) publish(layer record.ServiceLayer) {
	v.versions[layer]++
	name := "rules-" + map[record.ServiceLayer]string{"cdn_proxy": "cdn"}[layer]
	if name == "rules-" {
		name += string(layer)
	}
	p := &record.PolicyPublish{Policy: name, Version: v.versions[layer], Title: v.title("en"), Lang: "en", EffectiveFrom: v.Time(0)}
	for _, clause := range []string{"illegal", "phishing", "malware"} {
		p.Clauses = append(p.Clauses, record.Clause{Clause: clause, Title: v.title("en"), Text: v.text("en", 1500), Quorum: record.Quorum{Role: record.RoleDecider, Count: 2},
			Permits: []record.Permit{{Actions: record.Actions, ServiceLayers: []record.ServiceLayer{layer}}},
			Appeal:  &record.AppealRight{Within: 180 * 24, Quorum: record.Quorum{Role: record.RoleAppeals, Count: 1}, RuleWithin: 180 * 24}})
	}
	id := v.log(p, "ada", "cleo")
	v.grounds[layer] = record.Ground{Policy: name, Version: p.Version, Record: id}
}

// begin opens a case.
func (v *varied) begin() *variedCase {
	v.cases++
	lang := v.language()
	domain := v.domain(lang)
	c := &variedCase{lang: lang, layer: pick(v.r, record.ServiceLayers), name: fmt.Sprintf("%s-%d-%06d", pick(v.r, []string{"abuse", "order", "report", "phish"}), v.Now().Year(), v.cases),
		subject: record.Subject{Ref: Ref(domain), Type: "domain", Name: domain, Locator: "https://" + domain + "/" + v.word(lang)}}
	switch n := v.r.IntN(100); {
	case n < 45:
		c.plan = steps((*varied).decide)
	case n < 65:
		c.plan = steps((*varied).intake, (*varied).decide, (*varied).notify)
	case n < 85:
		c.plan = steps((*varied).intake, (*varied).propose, (*varied).decide, (*varied).notify, (*varied).execute, (*varied).complain, (*varied).rule,
			(*varied).correct, (*varied).export, (*varied).erase)
	case n < 92:
		c.layer = "security"
		name := fmt.Sprintf("u%d-%s", v.cases, domain) // an emergency is not repeated
		c.subject = record.Subject{Ref: Ref(name), Type: "domain", Name: name}
		c.plan = steps((*varied).urgent)
	case n < 98:
		c.plan = steps((*varied).try)
	default:
		c.plan = steps((*varied).intake)
		for range 10 + v.r.IntN(30) {
			c.plan = append(c.plan, steps((*varied).decide, (*varied).execute)...)
		}
	}
	return c
}

func steps(plan ...func(*varied, *variedCase)) []func(*varied, *variedCase) { return plan }

func pick[T any](r *rand.Rand, all []T) T { return all[r.IntN(len(all))] }

// two returns two deciders.
func (v *varied) two() (string, string) {
	i := v.r.IntN(len(variedDeciders))
	return variedDeciders[i], variedDeciders[(i+1+v.r.IntN(len(variedDeciders)-1))%len(variedDeciders)]
}

func (v *varied) ground(c *variedCase) record.Ground {
	g := v.grounds[c.layer]
	g.Clause = pick(v.r, []string{"illegal", "phishing", "malware"})
	return g
}

func (v *varied) intake(c *variedCase) {
	c.prev = v.log(&record.Intake{Case: c.name, Category: pick(v.r, []string{"phishing", "malware", "threat", "fraud"}), Channel: pick(v.r, record.Channels), Lang: c.lang,
		Summary: v.text(c.lang, 2000), ReceivedAt: v.Time(-time.Hour), ServiceLayer: c.layer, Subject: c.subject,
		Trigger: record.Trigger{Kind: pick(v.r, record.TriggerKinds[1:]), Reporter: v.title(c.lang)}}, "ira")
}

func (v *varied) propose(c *variedCase) {
	one, _ := v.two()
	c.prev = v.log(&record.Notice{Case: c.name, Prev: c.prev, Kind: record.Proposed, Action: record.Suspend, Channel: "email", Lang: c.lang, Text: v.text(c.lang, 2000),
		RespondBy: v.Time(72 * time.Hour), ServiceLayer: c.layer, Subject: c.subject, Grounds: []record.Ground{v.ground(c)}}, one)
}

// decides is what may be decided after what is in force.
func (v *varied) decides(c *variedCase) record.Action {
	if len(c.plan) == 1 && c.action == "" && v.r.IntN(3) == 0 {
		return record.Terminate
	}
	if c.action == record.Suspend || c.action == record.Restrict {
		return pick(v.r, []record.Action{record.Suspend, record.Restrict, record.Warn, record.Reinstate})
	}
	return pick(v.r, []record.Action{record.Suspend, record.Restrict, record.Warn, record.Decline, record.Forward})
}

func (v *varied) decision(c *variedCase) *record.Decision {
	c.action = v.decides(c)
	d := v.Decision(c.name)
	d.Action, d.Prev, d.Lang, d.Subject, d.ServiceLayer = c.action, c.prev, c.lang, c.subject, c.layer
	d.Facts, d.Reasons, d.Redress = v.text(c.lang, 5000), v.text(c.lang, 5000), v.text(c.lang, 400)
	d.Severity, d.Trigger.Kind = pick(v.r, record.Severities), pick(v.r, record.TriggerKinds)
	d.Automation = record.Automation{Decision: pick(v.r, record.Automations), Detection: pick(v.r, record.Detections)}
	d.DecidedAt, d.EffectiveAt = v.Time(-time.Hour), v.Time(time.Hour)
	d.Grounds = []record.Ground{v.ground(c)}
	if v.r.IntN(3) == 0 {
		d.Alternatives = []record.Alternative{{Action: record.Warn, WhyNot: v.text(c.lang, 400)}}
	}
	return d
}

func (v *varied) decide(c *variedCase) {
	one, other := v.two()
	c.decision = v.log(v.decision(c), one, other)
	c.prev = c.decision
}

func (v *varied) notify(c *variedCase) {
	one, _ := v.two()
	c.prev = v.log(&record.Notice{Case: c.name, Prev: c.prev, Kind: record.Delivered, Decision: c.decision, Channel: "email", Lang: c.lang, Text: v.text(c.lang, 2000),
		Redress: v.text(c.lang, 400), ServiceLayer: c.layer, Subject: c.subject}, one)
}

func (v *varied) execute(c *variedCase) {
	v.log(&record.Execution{About: c.decision, At: v.Time(0), Detail: v.text(c.lang, 300), Lang: c.lang, Result: pick(v.r, record.Results), System: "edge"}, "enf")
}

func (v *varied) complain(c *variedCase) {
	c.appeal = v.log(&record.Appeal{Case: c.name, Prev: c.prev, Decision: c.decision, Filer: "subject", Lang: c.lang, ReceivedAt: v.Time(-time.Minute), Statement: v.text(c.lang, 3000)}, "ira")
	c.prev = c.appeal
}

func (v *varied) rule(c *variedCase) {
	p := &record.Ruling{Case: c.name, Prev: c.prev, Appeal: c.appeal, Lang: c.lang, Outcome: pick(v.r, []string{record.Upheld, record.Reversed}), Reasons: v.text(c.lang, 4000)}
	c.prev = v.log(p, "abe")
}

func (v *varied) correct(c *variedCase) {
	one, other := v.two()
	v.log(&record.Erratum{About: c.decision, Corrections: []record.Correction{{Member: "facts", Was: v.title(c.lang), Is: v.title(c.lang)}}, Lang: c.lang, Reasons: v.text(c.lang, 300)}, one, other)
}

func (v *varied) export(c *variedCase) {
	v.log(&record.Export{About: c.decision, At: v.Time(0), Register: "dsa-transparency-database", Reference: v.title("en")}, "max")
}

func (v *varied) erase(c *variedCase) {
	v.log(&record.Erasure{About: c.decision, Lang: "en", Members: []string{"facts"}, Reasons: v.text("en", 300)}, "pri")
}

// urgent is an emergency, which one decides alone and others approve soon.
func (v *varied) urgent(c *variedCase) {
	d := v.decision(c)
	d.Action, d.Emergency = record.Restrict, &record.Harm{Harm: "threat-to-life"}
	d.Grounds = []record.Ground{{Policy: "abuse", Version: 1, Clause: "security", Record: v.Policy}}
	one, _ := v.two()
	id := v.log(d, one)
	v.log(&record.Ratification{Case: c.name, Decision: id, Prev: id, Lang: c.lang, Reasons: v.text(c.lang, 2000)}, "fay", "gus")
}

// try is a measure by too few, or without a ground, which is void.
func (v *varied) try(c *variedCase) {
	d := v.decision(c)
	d.Action = record.Suspend
	if v.r.IntN(2) == 0 {
		d.Grounds = nil
	}
	one, _ := v.two()
	v.tried++
	v.log(d, one)
}
