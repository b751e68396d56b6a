package rules_test

import (
	"testing"

	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

func repeal(policy string, from int64) *record.PolicyRepeal {
	return &record.PolicyRepeal{EffectiveFrom: record.Time(from), Lang: "en", Policy: policy, Reasons: "r"}
}

var policyRules = []rule{
	{rules.RoleMissing, "a decider makes no policies",
		func(w *world) rules.Standing { return w.does(usePolicy(2), "pat dan") },
		func(w *world) rules.Standing { return w.does(usePolicy(2), "pat bob") }},
	{rules.PolicyVersion, "a version is left out",
		func(w *world) rules.Standing { return w.does(usePolicy(3), "pat") },
		func(w *world) rules.Standing { return w.does(usePolicy(2), "pat") }},
	{rules.PolicyVersion, "a version a second time",
		func(w *world) rules.Standing { return w.does(usePolicy(1), "pat") },
		func(w *world) rules.Standing { return w.does(usePolicy(2), "pat") }},
	{rules.PolicyVersion, "a policy that begins with 2",
		func(w *world) rules.Standing {
			p := usePolicy(2)
			p.Policy = "new"
			return w.does(p, "pat")
		},
		func(w *world) rules.Standing {
			p := usePolicy(1)
			p.Policy = "new"
			return w.does(p, "pat")
		}},
	{rules.PolicyVersion, "a version that a void record had published",
		func(w *world) rules.Standing {
			w.does(usePolicy(2), "dan")
			return w.does(usePolicy(3), "pat")
		},
		func(w *world) rules.Standing {
			w.does(usePolicy(2), "dan")
			return w.does(usePolicy(2), "pat")
		}},
	{rules.PolicyVersion, "a historic text after one that is not",
		func(w *world) rules.Standing {
			p := oldPolicy()
			p.Policy, p.Version = "use", 2
			return w.does(p, "pat")
		},
		func(w *world) rules.Standing {
			p := oldPolicy()
			p.Version = 2
			return w.does(p, "pat")
		}},
	{rules.PolicyUnknown, "a repeal of what was never published",
		func(w *world) rules.Standing { return w.does(repeal("new", w.now), "pat") },
		func(w *world) rules.Standing { return w.does(repeal("use", w.now), "pat") }},
	{rules.PolicyRepealed, "a repeal a second time",
		func(w *world) rules.Standing {
			w.must(w.does(repeal("use", w.now), "pat"))
			return w.does(repeal("use", w.now+day), "pat")
		},
		func(w *world) rules.Standing { return w.does(repeal("use", w.now+day), "pat") }},
	{rules.PolicyRepealed, "a new version after a repeal",
		func(w *world) rules.Standing {
			w.must(w.does(repeal("use", w.now), "pat"))
			return w.does(usePolicy(2), "pat")
		},
		func(w *world) rules.Standing {
			w.must(w.does(repeal("use", w.now), "pat"))
			p := usePolicy(1)
			p.Policy = "use-2"
			return w.does(p, "pat")
		}},
	{rules.HistoricNotPermitted, "a historic text after the historic time",
		func(w *world) rules.Standing {
			w.now = start + 100*day + 1
			return w.does(oldVersion(2, start-day), "pat")
		},
		func(w *world) rules.Standing {
			w.now = start + 100*day
			return w.does(oldVersion(2, start-day), "pat")
		}},
	{rules.HistoricNotPermitted, "a historic text that was not in force before the charter",
		func(w *world) rules.Standing { return w.does(oldVersion(2, start), "pat") },
		func(w *world) rules.Standing { return w.does(oldVersion(2, start-1), "pat") }},
}

func oldVersion(version, from int64) *record.PolicyPublish {
	p := oldPolicy()
	p.Version, p.EffectiveFrom = version, record.Time(from)
	return p
}

var groundRules = []rule{
	{rules.GroundNone, "no clause for a measure",
		func(w *world) rules.Standing { return w.does(w.decision(record.Terminate), "dan eve") },
		func(w *world) rules.Standing { return w.does(w.decision(record.Terminate, "use/1/host"), "dan eve") }},
	{rules.GroundNone, "no clause for a warning",
		func(w *world) rules.Standing { return w.does(w.decision(record.Warn), "dan eve") },
		func(w *world) rules.Standing { return w.does(w.decision(record.Forward), "dan eve") }},
	{rules.GroundNone, "no clause for a reinstatement of what is in force",
		func(w *world) rules.Standing {
			id := w.must(w.does(w.decision(record.Suspend, "use/1/host"), "dan eve"))
			return w.does(w.next(id, record.Reinstate), "dan eve")
		},
		func(w *world) rules.Standing {
			id := w.must(w.does(w.decision(record.Suspend, "use/1/host"), "dan eve"))
			return w.does(w.next(id, record.Reinstate, "use/1/host"), "dan eve")
		}},
	{rules.GroundUnpublished, "a clause that the policy does not have",
		func(w *world) rules.Standing { return w.does(w.decision(record.Suspend, "use/1/mail"), "dan eve") },
		func(w *world) rules.Standing { return w.does(w.decision(record.Suspend, "use/1/host"), "dan eve") }},
	{rules.GroundUnpublished, "the id of another record",
		func(w *world) rules.Standing {
			d := w.decision(record.Suspend, "use/1/host")
			d.Grounds[0].Record = w.policyID("old", 1)
			return w.does(d, "dan eve")
		},
		func(w *world) rules.Standing {
			d := w.decision(record.Suspend, "use/1/host")
			d.Grounds[0].Record = w.policyID("use", 1)
			return w.does(d, "dan eve")
		}},
	{rules.GroundUnpublished, "a version that is not there",
		func(w *world) rules.Standing {
			d := w.decision(record.Suspend, "use/1/host")
			d.Grounds[0].Version = 2
			return w.does(d, "dan eve")
		},
		func(w *world) rules.Standing { return w.does(w.decision(record.Suspend, "use/1/host"), "dan eve") }},
	{rules.GroundUnpublished, "a policy in a void record",
		func(w *world) rules.Standing {
			d := w.decision(record.Suspend, "use/1/host")
			d.Grounds[0].Version, d.Grounds[0].Record = 2, w.does(usePolicy(2), "dan").ID
			w.passes(2 * day)
			d.DecidedAt, d.EffectiveAt = record.Time(w.now), record.Time(w.now)
			return w.does(d, "dan eve")
		},
		func(w *world) rules.Standing {
			w.must(w.does(usePolicy(2), "pat"))
			w.passes(2 * day)
			return w.does(w.decision(record.Suspend, "use/2/host"), "dan eve")
		}},
	{rules.GroundUnpublished, "a reinstatement that cites a measure still in force",
		func(w *world) rules.Standing {
			d := w.lapsed(72*hour, record.Reinstate)
			return w.does(d, "dan eve")
		},
		func(w *world) rules.Standing {
			d := w.lapsed(72*hour+1, record.Reinstate)
			return w.does(d, "dan eve")
		}},
	{rules.GroundNotYetEffective, "a policy on the last second before it is in force",
		func(w *world) rules.Standing {
			w.must(w.does(newPolicy(start), "pat"))
			w.passes(day - 1)
			return w.does(w.decision(record.Suspend, "new/1/host"), "dan eve")
		},
		func(w *world) rules.Standing {
			w.must(w.does(newPolicy(start), "pat"))
			w.passes(day)
			return w.does(w.decision(record.Suspend, "new/1/host"), "dan eve")
		}},
	{rules.GroundNotYetEffective, "a policy that names a later day",
		func(w *world) rules.Standing {
			w.must(w.does(newPolicy(w.now+9*day), "pat"))
			w.passes(9*day - 1)
			return w.does(w.decision(record.Suspend, "new/1/host"), "dan eve")
		},
		func(w *world) rules.Standing {
			w.must(w.does(newPolicy(w.now+9*day), "pat"))
			w.passes(9 * day)
			return w.does(w.decision(record.Suspend, "new/1/host"), "dan eve")
		}},
	{rules.GroundNotYetEffective, "a rule made after the decision, recorded afterwards",
		func(w *world) rules.Standing {
			w.must(w.does(newPolicy(start), "pat"))
			w.passes(5 * day)
			return w.does(w.late(record.Suspend, "new/1/late"), "dan eve")
		},
		func(w *world) rules.Standing {
			w.must(w.does(newPolicy(start), "pat"))
			w.passes(11 * day)
			return w.does(w.late(record.Suspend, "new/1/late"), "dan eve")
		}},
	{rules.GroundRepealed, "a version once the next one is in force",
		func(w *world) rules.Standing {
			w.must(w.does(usePolicy(2), "pat"))
			w.passes(day)
			return w.does(w.decision(record.Suspend, "use/1/host"), "dan eve")
		},
		func(w *world) rules.Standing {
			w.must(w.does(usePolicy(2), "pat"))
			w.passes(day - 1)
			return w.does(w.decision(record.Suspend, "use/1/host"), "dan eve")
		}},
	{rules.GroundRepealed, "a policy once it is repealed",
		func(w *world) rules.Standing {
			w.must(w.does(repeal("use", start), "pat"))
			w.passes(day)
			return w.does(w.decision(record.Suspend, "use/1/host"), "dan eve")
		},
		func(w *world) rules.Standing {
			w.must(w.does(repeal("use", start), "pat"))
			w.passes(day - 1)
			return w.does(w.decision(record.Suspend, "use/1/host"), "dan eve")
		}},
	{rules.GroundRepealed, "a version that another overtook before it was in force",
		func(w *world) rules.Standing {
			p := usePolicy(2)
			p.EffectiveFrom = record.Time(w.now + 30*day)
			w.must(w.does(p, "pat"))
			w.must(w.does(usePolicy(3), "pat"))
			w.passes(31 * day)
			return w.does(w.decision(record.Suspend, "use/2/host"), "dan eve")
		},
		func(w *world) rules.Standing {
			p := usePolicy(2)
			p.EffectiveFrom = record.Time(w.now + 30*day)
			w.must(w.does(p, "pat"))
			w.must(w.does(usePolicy(3), "pat"))
			w.passes(31 * day)
			return w.does(w.decision(record.Suspend, "use/3/host"), "dan eve")
		}},
	{rules.GroundWrongLayer, "a clause about hosting, for DNS",
		func(w *world) rules.Standing { return w.on("dns", w.decision(record.Suspend, "use/1/host")) },
		func(w *world) rules.Standing { return w.on("hosting", w.decision(record.Suspend, "use/1/host")) }},
	{rules.GroundWrongLayer, "the second of two clauses",
		func(w *world) rules.Standing {
			return w.on("security", w.decision(record.Restrict, "use/1/shield", "use/1/two"))
		},
		func(w *world) rules.Standing {
			return w.on("security", w.decision(record.Restrict, "use/1/shield", "use/1/urgent"))
		}},
	{rules.ActionNotPermitted, "security services are not ended under a clause that permits warnings",
		func(w *world) rules.Standing { return w.on("security", w.decision(record.Terminate, "use/1/shield")) },
		func(w *world) rules.Standing { return w.on("security", w.decision(record.Warn, "use/1/shield")) }},
	{rules.ActionNotPermitted, "permitted on another layer of the same clause",
		func(w *world) rules.Standing { return w.on("cdn_proxy", w.decision(record.Suspend, "use/1/two")) },
		func(w *world) rules.Standing { return w.on("cdn_proxy", w.decision(record.Warn, "use/1/two")) }},
	{rules.ActionNotPermitted, "a decision to decline that cites a clause about something else",
		func(w *world) rules.Standing { return w.does(w.decision(record.Decline, "use/1/host"), "dan eve") },
		func(w *world) rules.Standing { return w.does(w.decision(record.Decline, "use/1/late"), "dan eve") }},
	{rules.HistoricNotPermitted, "a historic text for a decision of today",
		func(w *world) rules.Standing { return w.does(w.decision(record.Terminate, "old/1/old"), "dan") },
		func(w *world) rules.Standing { return w.does(w.beforeCharter(1), "dan") }},
	{rules.HistoricNotPermitted, "a historic text for a decision on the second of the charter",
		func(w *world) rules.Standing {
			return w.apart(w.does(w.beforeCharter(0), "dan"), rules.RetrospectiveForbidden)
		},
		func(w *world) rules.Standing { return w.does(w.beforeCharter(1), "dan") }},
	{rules.HistoricNotPermitted, "a decision from before the charter, after the historic time",
		func(w *world) rules.Standing {
			w.now = start + 100*day + 1
			return w.apart(w.does(w.beforeCharter(1), "dan"), rules.RetrospectiveForbidden)
		},
		func(w *world) rules.Standing {
			w.now = start + 100*day
			return w.does(w.beforeCharter(1), "dan")
		}},
}

func newPolicy(from int64) *record.PolicyPublish {
	p := usePolicy(1)
	p.Policy, p.EffectiveFrom = "new", record.Time(from)
	return p
}

// on decides on a layer.
func (w *world) on(layer record.ServiceLayer, d *record.Decision) rules.Standing {
	d.ServiceLayer = layer
	return w.does(d, "dan eve")
}

// beforeCharter is a decision from so many seconds before the charter, under
// the text of that time.
func (w *world) beforeCharter(seconds int64) *record.Decision {
	d := w.late(record.Terminate, "old/1/old")
	d.DecidedAt, d.EffectiveAt = record.Time(start-seconds), record.Time(start-seconds)
	return d
}

// lapsed is what follows an emergency decision that nobody ratified, so many
// seconds after it; it cites that decision alone.
func (w *world) lapsed(seconds int64, action record.Action) *record.Decision {
	id := w.must(w.does(w.urgent(), "dan"))
	w.passes(seconds)
	d := w.next(id, action)
	d.Grounds = []record.Ground{{Record: id}}
	return d
}

// TestPolicyInTime walks through the life of a policy second by second where
// it matters: publication, lead, next version, repeal.
func TestPolicyInTime(t *testing.T) {
	w := settled(t)
	published := w.now
	w.must(w.does(usePolicy(2), "pat"))
	p := usePolicy(3)
	p.EffectiveFrom = record.Time(published + 5*day)
	w.must(w.does(p, "pat"))
	w.must(w.does(repeal("use", published+9*day), "pat"))
	for _, row := range []struct {
		after   int64
		inForce int64 // the version, 0 for none
	}{
		{0, 1}, {day - 1, 1}, {day, 2}, {5*day - 1, 2}, {5 * day, 3}, {9*day - 1, 3}, {9 * day, 0}, {99 * day, 0},
	} {
		w.now = published + row.after
		for version := int64(1); version <= 3; version++ {
			d := w.decision(record.Suspend, "use/1/host")
			d.Grounds[0].Version, d.Grounds[0].Record = version, w.policyID("use", version)
			s := w.does(d, "dan eve")
			if s.Effective() != (version == row.inForce) {
				t.Errorf("version %d after %d s: %v; in force is %d", version, row.after, s.Codes, row.inForce)
			}
		}
	}
	w.replay()
}

// TestStandingStays: a repeal does not touch what was decided before.
func TestStandingStays(t *testing.T) {
	w := settled(t)
	w.must(w.does(w.decision(record.Suspend, "use/1/host"), "dan eve"))
	at := len(w.standings) - 1
	w.must(w.does(repeal("use", start), "pat"))
	w.must(w.does(revocation("dan", record.Compromised), "ada"))
	if !w.standings[at].Effective() {
		t.Error("the decision is void after the repeal of its rule")
	}
	w.replay() // gives each its standing again
}
