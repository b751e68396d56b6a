package rules_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

var caseRules = []rule{
	{rules.CaseExists, "a case is opened a second time",
		func(w *world) rules.Standing {
			d := w.next(w.must(w.does(w.decision(record.Decline), "dan eve")), record.Decline)
			d.Prev = ""
			return w.does(d, "dan eve")
		},
		func(w *world) rules.Standing {
			return w.does(w.next(w.must(w.does(w.decision(record.Decline), "dan eve")), record.Decline), "dan eve")
		}},
	{rules.CasePrevMismatch, "an older act than the newest",
		func(w *world) rules.Standing {
			first := w.must(w.does(w.decision(record.Decline), "dan eve"))
			w.must(w.does(w.next(first, record.Forward), "dan eve"))
			return w.does(w.next(first, record.Decline), "dan eve")
		},
		func(w *world) rules.Standing {
			first := w.must(w.does(w.decision(record.Decline), "dan eve"))
			second := w.must(w.does(w.next(first, record.Forward), "dan eve"))
			return w.does(w.next(second, record.Decline), "dan eve")
		}},
	{rules.CasePrevMismatch, "a case that does not exist is continued",
		func(w *world) rules.Standing {
			d := w.decision(record.Decline)
			d.Prev = w.policyID("use", 1)
			return w.does(d, "dan eve")
		},
		func(w *world) rules.Standing { return w.does(w.decision(record.Decline), "dan eve") }},
	{rules.CasePrevMismatch, "the newest act of another case",
		func(w *world) rules.Standing {
			first := w.must(w.does(w.decision(record.Decline), "dan eve"))
			other := w.must(w.does(w.decision(record.Decline), "dan eve"))
			d := w.next(first, record.Decline)
			d.Prev = other
			return w.does(d, "dan eve")
		},
		func(w *world) rules.Standing {
			first := w.must(w.does(w.decision(record.Decline), "dan eve"))
			return w.does(w.next(first, record.Decline), "dan eve")
		}},
	{rules.CasePrevMismatch, "a void act is no act of the case",
		func(w *world) rules.Standing {
			first := w.must(w.does(w.decision(record.Decline), "dan eve"))
			second := w.does(w.next(first, record.Terminate), "dan eve") // no ground
			return w.does(w.next(second.ID, record.Decline), "dan eve")
		},
		func(w *world) rules.Standing {
			first := w.must(w.does(w.decision(record.Decline), "dan eve"))
			w.does(w.next(first, record.Terminate), "dan eve")
			return w.does(w.next(first, record.Decline), "dan eve")
		}},
	{rules.CaseTransition, "a reinstatement of nothing",
		func(w *world) rules.Standing { return w.does(w.decision(record.Reinstate, "use/1/host"), "dan eve") },
		func(w *world) rules.Standing {
			id := w.must(w.does(w.decision(record.Restrict, "use/1/host"), "dan eve"))
			return w.does(w.next(id, record.Reinstate, "use/1/host"), "dan eve")
		}},
	{rules.CaseTransition, "what has ended is not suspended",
		func(w *world) rules.Standing {
			id := w.must(w.does(w.decision(record.Terminate, "use/1/host"), "dan eve"))
			return w.does(w.next(id, record.Suspend, "use/1/host"), "dan eve")
		},
		func(w *world) rules.Standing {
			id := w.must(w.does(w.decision(record.Suspend, "use/1/host"), "dan eve"))
			return w.does(w.next(id, record.Terminate, "use/1/host"), "dan eve")
		}},
	{rules.CaseSubject, "another subject in the same case",
		func(w *world) rules.Standing {
			d := w.next(w.must(w.does(w.decision(record.Decline), "dan eve")), record.Decline)
			d.Subject.Ref = ref("somebody else")
			return w.does(d, "dan eve")
		},
		func(w *world) rules.Standing {
			d := w.next(w.must(w.does(w.decision(record.Decline), "dan eve")), record.Decline)
			d.Subject.Name = "another spelling of the name"
			return w.does(d, "dan eve")
		}},
	{rules.CaseTransition, "a ratification of what needs none",
		func(w *world) rules.Standing {
			id := w.must(w.does(w.decision(record.Suspend, "use/1/host"), "dan eve"))
			return w.does(w.ratify(id, id), "rae rob")
		},
		func(w *world) rules.Standing {
			id := w.must(w.does(w.urgent(), "dan"))
			return w.does(w.ratify(id, id), "rae rob")
		}},
	{rules.CaseTransition, "a ratification a second time",
		func(w *world) rules.Standing {
			id := w.must(w.does(w.urgent(), "dan"))
			once := w.must(w.does(w.ratify(id, id), "rae rob"))
			return w.does(w.ratify(id, once), "rae rob")
		},
		func(w *world) rules.Standing {
			id := w.must(w.does(w.urgent(), "dan"))
			w.does(w.ratify(id, id), "rae") // too few, so void
			return w.does(w.ratify(id, id), "rae rob")
		}},
	{rules.CaseTransition, "a ratification in another case",
		func(w *world) rules.Standing {
			id := w.must(w.does(w.urgent(), "dan"))
			other := w.must(w.does(w.decision(record.Decline), "dan eve"))
			p := w.ratify(other, other)
			p.Decision = id
			return w.does(p, "rae rob")
		},
		func(w *world) rules.Standing {
			id := w.must(w.does(w.urgent(), "dan"))
			w.must(w.does(w.decision(record.Decline), "dan eve"))
			return w.does(w.ratify(id, id), "rae rob")
		}},
	{rules.CasePrevMismatch, "a ratification that skips an act",
		func(w *world) rules.Standing {
			id := w.must(w.does(w.urgent(), "dan"))
			w.must(w.does(w.next(id, record.Forward), "dan eve"))
			return w.does(w.ratify(id, id), "rae rob")
		},
		func(w *world) rules.Standing {
			id := w.must(w.does(w.urgent(), "dan"))
			second := w.must(w.does(w.next(id, record.Forward), "dan eve"))
			return w.does(w.ratify(id, second), "rae rob")
		}},
}

var afterwardsRules = []rule{
	{rules.EmergencyNotPermitted, "a clause that knows no emergency",
		func(w *world) rules.Standing {
			d := w.decision(record.Suspend, "use/1/host")
			d.Emergency = &record.Harm{Harm: "life"}
			return w.does(d, "dan eve")
		},
		func(w *world) rules.Standing { return w.does(w.urgent(), "dan eve") }},
	{rules.EmergencyNotPermitted, "a harm that the clause does not name",
		func(w *world) rules.Standing {
			d := w.urgent()
			d.Emergency.Harm = "reputation"
			return w.does(d, "dan")
		},
		func(w *world) rules.Standing {
			d := w.urgent()
			d.Emergency.Harm = "children"
			return w.does(d, "dan")
		}},
	{rules.EmergencyNotPermitted, "one of two clauses does not allow it",
		func(w *world) rules.Standing {
			d := w.decision(record.Suspend, "use/1/urgent", "use/1/two")
			d.Emergency = &record.Harm{Harm: "life"}
			return w.does(d, "dan")
		},
		func(w *world) rules.Standing { return w.does(w.urgent(), "dan") }},
	{rules.EmergencyNotPermitted, "an emergency without a clause",
		func(w *world) rules.Standing {
			d := w.decision(record.Decline)
			d.Emergency = &record.Harm{Harm: "life"}
			return w.does(d, "dan eve")
		},
		func(w *world) rules.Standing { return w.does(w.decision(record.Decline), "dan eve") }},
	{rules.QuorumShort, "the smaller quorum only in an emergency",
		func(w *world) rules.Standing { return w.does(w.decision(record.Suspend, "use/1/urgent"), "dan") },
		func(w *world) rules.Standing { return w.does(w.urgent(), "dan") }},
	{rules.EmergencyRepeated, "a second emergency about the same subject",
		func(w *world) rules.Standing {
			first := w.urgent()
			w.must(w.does(first, "dan"))
			d := w.urgent()
			d.Subject = first.Subject
			return w.does(d, "eve")
		},
		func(w *world) rules.Standing {
			w.must(w.does(w.urgent(), "dan"))
			return w.does(w.urgent(), "dan") // somebody else
		}},
	{rules.EmergencyRepeated, "even if the first was ratified, or has lapsed",
		func(w *world) rules.Standing {
			first := w.urgent()
			id := w.must(w.does(first, "dan"))
			w.must(w.does(w.ratify(id, id), "rae rob"))
			w.passes(80 * hour)
			d := w.urgent()
			d.Subject = first.Subject
			return w.does(d, "dan")
		},
		func(w *world) rules.Standing {
			first := w.urgent()
			id := w.must(w.does(first, "dan"))
			w.must(w.does(w.next(id, record.Suspend, "use/1/host"), "dan eve")) // an ordinary decision
			d := w.urgent()
			d.Subject = first.Subject
			return w.does(d, "dan")
		}},
	{rules.RatificationTooLate, "a second after the deadline",
		func(w *world) rules.Standing {
			id := w.must(w.does(w.urgent(), "dan"))
			w.passes(72*hour + 1)
			return w.does(w.ratify(id, id), "rae rob")
		},
		func(w *world) rules.Standing {
			id := w.must(w.does(w.urgent(), "dan"))
			w.passes(72 * hour)
			return w.does(w.ratify(id, id), "rae rob")
		}},
	{rules.RatificationTooLate, "dated back, but the ledger's clock is past it",
		func(w *world) rules.Standing {
			id := w.must(w.does(w.urgent(), "dan"))
			seen := record.SeenTree(w.size(), w.root(w.size()))
			iat := w.now + 71*hour
			w.passes(73 * hour)
			w.must(w.does(w.decision(record.Decline), "dan eve"))
			s := by("rae rob")
			for i := range s {
				s[i].iat, s[i].seen = iat, &seen
			}
			return w.submit(w.sign(w.ratify(id, id), s...).Bytes())
		},
		func(w *world) rules.Standing {
			id := w.must(w.does(w.urgent(), "dan"))
			w.passes(71 * hour)
			return w.does(w.ratify(id, id), "rae rob")
		}},
	{rules.RatificationDependent, "one of those who decided",
		func(w *world) rules.Standing {
			id := w.must(w.does(w.urgent(), "dan ray"))
			return w.does(w.ratify(id, id), "rae ray")
		},
		func(w *world) rules.Standing {
			id := w.must(w.does(w.urgent(), "dan"))
			return w.does(w.ratify(id, id), "rae ray")
		}},
	{rules.RatificationDependent, "with another key",
		func(w *world) rules.Standing {
			w.passes(20 * day)
			id := w.must(w.does(w.late(record.Suspend, "use/1/late"), "dan"))
			return w.does(w.ratify(id, id), "dan2")
		},
		func(w *world) rules.Standing {
			w.passes(20 * day)
			id := w.must(w.does(w.late(record.Suspend, "use/1/late"), "dan"))
			return w.does(w.ratify(id, id), "eve")
		}},
	{rules.QuorumShort, "a ratification by one of two",
		func(w *world) rules.Standing {
			id := w.must(w.does(w.urgent(), "dan"))
			return w.does(w.ratify(id, id), "rae")
		},
		func(w *world) rules.Standing {
			id := w.must(w.does(w.urgent(), "dan"))
			return w.does(w.ratify(id, id), "rae rob")
		}},
	{rules.RoleMissing, "a ratification signed by a decider",
		func(w *world) rules.Standing {
			id := w.must(w.does(w.urgent(), "dan"))
			return w.does(w.ratify(id, id), "rae rob eve")
		},
		func(w *world) rules.Standing {
			id := w.must(w.does(w.urgent(), "dan"))
			return w.does(w.ratify(id, id), "rae rob ray")
		}},
	{rules.TimeDecidedAhead, "decided after it was signed",
		func(w *world) rules.Standing {
			d := w.decision(record.Decline)
			d.DecidedAt = record.Time(w.now + 301)
			return w.does(d, "dan eve")
		},
		func(w *world) rules.Standing {
			d := w.decision(record.Decline)
			d.DecidedAt = record.Time(w.now + 300)
			return w.does(d, "dan eve")
		}},
	{rules.TimeUnmarked, "decided earlier than tolerated",
		func(w *world) rules.Standing {
			d := w.decision(record.Decline)
			d.DecidedAt = record.Time(w.now - 24*hour - 1)
			return w.does(d, "dan eve")
		},
		func(w *world) rules.Standing {
			d := w.decision(record.Decline)
			d.DecidedAt = record.Time(w.now - 24*hour)
			return w.does(d, "dan eve")
		}},
	{rules.TimeUnmarked, "effective earlier than tolerated",
		func(w *world) rules.Standing {
			d := w.decision(record.Suspend, "use/1/host")
			d.EffectiveAt = record.Time(w.now - 24*hour - 1)
			return w.does(d, "dan eve")
		},
		func(w *world) rules.Standing {
			d := w.decision(record.Suspend, "use/1/host")
			d.EffectiveAt = record.Time(w.now - 24*hour)
			return w.does(d, "dan eve")
		}},
	{rules.TimeUnmarked, "signed at once, recorded days later",
		func(w *world) rules.Standing {
			u := w.sign(w.decision(record.Suspend, "use/1/host"), by("dan eve")...)
			w.passes(24*hour + 1)
			w.must(w.does(w.decision(record.Decline), "fay ray"))
			return w.submit(u.Bytes())
		},
		func(w *world) rules.Standing {
			u := w.sign(w.decision(record.Suspend, "use/1/host"), by("dan eve")...)
			w.passes(24 * hour)
			w.must(w.does(w.decision(record.Decline), "fay ray"))
			return w.submit(u.Bytes())
		}},
	{rules.RetrospectiveForbidden, "a clause that does not allow it",
		func(w *world) rules.Standing {
			w.passes(20 * day)
			return w.does(w.late(record.Suspend, "use/1/host"), "dan eve")
		},
		func(w *world) rules.Standing {
			w.passes(20 * day)
			return w.does(w.late(record.Suspend, "use/1/late"), "dan eve")
		}},
	{rules.RetrospectiveForbidden, "one of two clauses does not",
		func(w *world) rules.Standing {
			w.passes(20 * day)
			return w.does(w.late(record.Suspend, "use/1/late", "use/1/two"), "dan eve")
		},
		func(w *world) rules.Standing {
			w.passes(20 * day)
			return w.does(w.late(record.Suspend, "use/1/late"), "dan")
		}},
	{rules.RetrospectiveForbidden, "no clause at all",
		func(w *world) rules.Standing {
			w.passes(20 * day)
			return w.does(w.late(record.Decline), "dan eve")
		},
		func(w *world) rules.Standing {
			d := w.late(record.Decline) // from before the charter
			d.DecidedAt = start - 1
			return w.does(d, "dan eve")
		}},
}

// TestTransitions tries every action after everything that can be in force, and
// compares with the table.
func TestTransitions(t *testing.T) {
	w := due(t)
	p := usePolicy(1)
	p.Policy = "all"
	all := clause("all", 1, "hosting", "terminate suspend restrict warn decline forward reinstate")
	all.Emergency = &record.Emergency{Harms: []string{"life"}, Quorum: quorum(1, record.RoleDecider), Ratifiers: quorum(1, record.RoleRatifier), RatifyWithin: 1}
	p.Clauses = []record.Clause{all}
	w.must(w.does(p, "pat"))
	w.passes(2 * day)

	begin := map[string]func() record.ID{
		"": func() record.ID { return "" },
		"reinstate": func() record.ID {
			id := w.must(w.does(w.decision(record.Suspend, "all/1/all"), "dan"))
			return w.must(w.does(w.next(id, record.Reinstate, "all/1/all"), "dan"))
		},
		"lapsed": func() record.ID {
			d := w.decision(record.Terminate, "all/1/all")
			d.Emergency = &record.Harm{Harm: "life"}
			id := w.must(w.does(d, "dan"))
			w.passes(hour + 1)
			return id
		},
	}
	begin["open"] = func() record.ID {
		w.cases++
		return w.must(w.does(w.intake(fmt.Sprintf("open-%d", w.cases)), "ira"))
	}
	begin["expired"] = func() record.ID {
		d := w.decision(record.Terminate, "all/1/all")
		d.Until = d.EffectiveAt + 1
		id := w.must(w.does(d, "dan"))
		w.passes(1)
		return id
	}
	begin["reversed"] = func() record.ID {
		_, ruling := w.ruled(record.Reversed)
		return ruling
	}
	for _, action := range []record.Action{record.Terminate, record.Suspend, record.Restrict, record.Warn, record.Decline, record.Forward} {
		begin[string(action)] = func() record.ID { return w.must(w.does(w.decision(action, "all/1/all"), "dan")) }
	}
	if len(begin) != len(rules.Transitions) {
		t.Errorf("the table has %d rows, this test %d", len(rules.Transitions), len(begin))
	}
	for from, allowed := range rules.Transitions {
		for _, action := range record.Actions {
			id := begin[from]()
			d := w.decision(action, "all/1/all")
			if id != "" {
				d = w.next(id, action, "all/1/all")
			}
			s := w.does(d, "dan")
			want := []rules.Code(nil)
			if !slices.Contains(allowed, action) {
				want = []rules.Code{rules.CaseTransition}
			}
			if !slices.Equal(s.Codes, want) {
				t.Errorf("%q after %q: %v, want %v", action, from, s.Codes, want)
			}
		}
	}
	w.replay()
	w.excerpts()
}

// TestMildActs: a warning, a refusal or a referral in a case leaves the measure
// in force, so it can be reinstated or made harder afterwards.
func TestMildActs(t *testing.T) {
	for _, measure := range []record.Action{record.Suspend, record.Restrict, record.Terminate} {
		for _, mild := range []record.Action{record.Warn, record.Decline, record.Forward} {
			if measure == record.Terminate && mild == record.Warn {
				continue // not permitted
			}
			w := settled(t)
			id := w.must(w.does(w.decision(measure, "use/1/urgent"), "dan eve"))
			d := w.next(id, mild)
			if mild == record.Warn {
				d = w.next(id, mild, "use/1/urgent")
			}
			id = w.must(w.does(d, "dan eve"))
			if s := w.does(w.next(id, record.Reinstate, "use/1/host"), "dan eve"); !s.Effective() {
				t.Errorf("reinstated after %s and %s: %v", measure, mild, s.Codes)
			}
		}
	}
}

// TestLapse: an emergency that nobody ratified lapses, after mild acts too; one
// that was ratified, or replaced by an ordinary decision, does not.
func TestLapse(t *testing.T) {
	citing := func(w *world, prev, lapsed record.ID) rules.Standing {
		d := w.next(prev, record.Reinstate)
		d.Grounds = []record.Ground{{Record: lapsed}}
		return w.does(d, "dan eve")
	}
	w := settled(t)
	id := w.must(w.does(w.urgent(), "dan"))
	prev := w.must(w.does(w.next(id, record.Forward), "dan eve"))
	w.passes(72*hour + 1)
	if s := citing(w, prev, id); !s.Effective() {
		t.Errorf("after a mild act: %v, want it lapsed", s.Codes)
	}
	w.replay()
	w.excerpts()

	w = settled(t)
	id = w.must(w.does(w.urgent(), "dan"))
	prev = w.must(w.does(w.ratify(id, id), "rae rob"))
	w.passes(73 * hour)
	if s := citing(w, prev, id); !slices.Equal(s.Codes, []rules.Code{rules.GroundUnpublished}) {
		t.Errorf("ratified: %v, want ground.unpublished", s.Codes)
	}

	w = settled(t)
	id = w.must(w.does(w.urgent(), "dan"))
	prev = w.must(w.does(w.next(id, record.Suspend, "use/1/host"), "dan eve"))
	w.passes(73 * hour)
	if s := citing(w, prev, id); !slices.Equal(s.Codes, []rules.Code{rules.GroundUnpublished}) {
		t.Errorf("replaced: %v, want ground.unpublished", s.Codes)
	}

	// A lapsed warning is no measure: there is nothing to reinstate.
	w = settled(t)
	d := w.decision(record.Warn, "use/1/urgent")
	d.Emergency = &record.Harm{Harm: "life"}
	id = w.must(w.does(d, "dan"))
	w.passes(73 * hour)
	if s := citing(w, id, id); !slices.Contains(s.Codes, rules.CaseTransition) {
		t.Errorf("a warning reinstated: %v, want case.transition", s.Codes)
	}

	// After a lapse it can be decided anew, and that is not lapsed.
	w = settled(t)
	id = w.must(w.does(w.urgent(), "dan"))
	w.passes(73 * hour)
	again := w.must(w.does(w.next(id, record.Suspend, "use/1/host"), "dan eve"))
	w.passes(73 * hour)
	if s := citing(w, again, id); s.Effective() {
		t.Error("the ordinary decision after a lapse has lapsed, too")
	}
	if s := w.does(w.ratify(id, again), "rae rob"); !slices.Equal(s.Codes, []rules.Code{rules.RatificationTooLate}) {
		t.Errorf("what has lapsed is ratified: %v, want ratification.too_late", s.Codes)
	}
}

// TestRetrospectiveLapse: the same for a decision recorded afterwards, and its
// deadline is the shortest of its clauses.
func TestRetrospectiveLapse(t *testing.T) {
	w := settled(t)
	w.passes(20 * day)
	id := w.must(w.does(w.late(record.Suspend, "use/1/late"), "dan"))
	w.passes(48*hour + 1)
	d := w.next(id, record.Reinstate)
	d.Grounds = []record.Ground{{Record: id}}
	if s := w.does(d, "dan eve"); !s.Effective() {
		t.Errorf("not ratified within 48 h: %v, want it lapsed", s.Codes)
	}
	w.replay()
	w.excerpts()
}

// TestRatifiersOfAll: the ratifiers of every clause that a decision rests on,
// by the earliest deadline.
func TestRatifiersOfAll(t *testing.T) {
	w := settled(t)
	p := usePolicy(1)
	p.Policy = "two"
	quick := clause("quick", 1, "hosting", "suspend")
	quick.Emergency = &record.Emergency{Harms: []string{"life"}, Quorum: quorum(1, record.RoleDecider), Ratifiers: quorum(1, record.RoleDecider), RatifyWithin: 10}
	p.Clauses = []record.Clause{quick}
	w.must(w.does(p, "pat"))
	w.passes(2 * day)
	decide := func() record.ID {
		d := w.decision(record.Suspend, "use/1/urgent", "two/1/quick")
		d.Emergency = &record.Harm{Harm: "life"}
		return w.must(w.does(d, "dan"))
	}
	for _, row := range []struct {
		names string
		after int64
		want  []rules.Code
	}{
		{"rae rob eve", 10 * hour, nil},
		{"rae ray rob", 10 * hour, nil},                         // ray as decider
		{"rae ray", 10 * hour, []rules.Code{rules.QuorumShort}}, // nobody fills two places
		{"rae rob", 10 * hour, []rules.Code{rules.QuorumShort}},
		{"rae eve", 10 * hour, []rules.Code{rules.QuorumShort}},
		{"rae rob eve", 10*hour + 1, []rules.Code{rules.RatificationTooLate}},
		{"rae rob dan2", 10 * hour, []rules.Code{rules.RatificationDependent}},
	} {
		id := decide()
		w.passes(row.after)
		if s := w.does(w.ratify(id, id), row.names); !slices.Equal(s.Codes, row.want) {
			t.Errorf("%s after %d s: %v, want %v", row.names, row.after, s.Codes, row.want)
		}
	}
	w.replay()
}

// TestManyCodes: all that apply are named, sorted, each once.
func TestManyCodes(t *testing.T) {
	w := settled(t)
	d := w.decision(record.Terminate, "use/1/host", "use/1/mail", "old/1/old")
	d.ServiceLayer = "security"
	d.Prev = w.policyID("use", 1)
	d.DecidedAt = record.Time(w.now - 3*day)
	s := by("dan pat")
	s[0].seq = 1
	s[1].seen = &record.Seen{Size: 3, Root: ref("another log")}
	got := w.submit(w.sign(d, s...).Bytes())
	want := []rules.Code{rules.CasePrevMismatch, rules.GroundUnpublished, rules.GroundWrongLayer, rules.HistoricNotPermitted,
		rules.QuorumShort, rules.RoleMissing, rules.SeenMismatch, rules.SeqRepeat, rules.TimeUnmarked}
	slices.Sort(want)
	if !slices.Equal(got.Codes, want) {
		t.Errorf("%v\nwant %v", fmt.Sprint(got.Codes), fmt.Sprint(want))
	}
}
