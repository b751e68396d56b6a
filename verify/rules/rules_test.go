package rules_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// A rule is what makes a record void, or gives the finding, and nothing else
// besides; and the nearest thing to it that is in order.
type rule struct {
	code         rules.Code
	name         string
	wrong, right func(w *world) rules.Standing
}

func TestRules(t *testing.T) {
	all := slices.Concat(recordRules, charterRules, keyRules, signatureRules, policyRules, groundRules, caseRules, afterwardsRules,
		dueRules, appealRules, aboutRules, amendRules, timeRules)
	covered := map[rules.Code]bool{}
	for _, r := range all {
		covered[r.code] = true
		t.Run(string(r.code)+"/"+r.name, func(t *testing.T) { r.check(t) })
	}
	for _, s := range rules.Sentences {
		if !covered[s.Code] {
			t.Errorf("no row for %s", s.Code)
		}
		delete(covered, s.Code)
	}
	if len(covered) > 0 {
		t.Errorf("rows for codes without a sentence: %v", covered)
	}
}

func (r rule) check(t *testing.T) {
	in := func(list []rule) bool {
		return slices.ContainsFunc(list, func(c rule) bool { return c.code == r.code && c.name == r.name })
	}
	begin := settled
	switch {
	case in(charterRules):
		begin = newWorld
	case in(dueRules), in(appealRules), in(aboutRules), in(amendRules):
		begin = due
	case in(timeRules):
		begin = witnessed
	}
	finding := slices.ContainsFunc(rules.Sentences, func(s rules.Sentence) bool { return s.Code == r.code && s.Finding })
	w := begin(t)
	got := r.wrong(w)
	codes, findings := []rules.Code{r.code}, []rules.Code(nil)
	if finding {
		codes, findings = findings, codes
	}
	if !slices.Equal(got.Codes, codes) || !finding && len(got.Findings) > 0 || finding && !slices.Equal(got.Findings, findings) {
		t.Errorf("void %v, findings %v; want %v, %v", got.Codes, got.Findings, codes, findings)
	}
	w.replay()
	w.excerpts()

	w = begin(t)
	got = r.right(w)
	if !got.Effective() || slices.Contains(got.Findings, r.code) {
		t.Errorf("the neighbour is void %v, findings %v; want it effective", got.Codes, got.Findings)
	}
	w.replay()
	w.excerpts()
}

// apart takes a code out of a standing that always goes with the one of a row.
func (w *world) apart(s rules.Standing, code rules.Code) rules.Standing {
	w.Helper()
	i := slices.Index(s.Codes, code)
	if i < 0 {
		w.Errorf("void %v, want also %s", s.Codes, code)
		return s
	}
	s.Codes = slices.Delete(slices.Clone(s.Codes), i, i+1)
	return s
}

// change rewrites the text of a record, which ends its signature.
func change(b []byte, old, new string) []byte {
	return []byte(strings.Replace(string(b), old, new, 1))
}

// recordRules are those of package record, which the rules only pass on.
var recordRules = []rule{
	{record.Malformed, "a blank too much",
		func(w *world) rules.Standing {
			u := w.sign(w.decision(record.Decline), by("dan eve")...)
			return w.submit(change(u.Bytes(), `,"signatures"`, `, "signatures"`))
		},
		func(w *world) rules.Standing { return w.does(w.decision(record.Decline), "dan eve") }},
	{record.Unsupported, "a type that comes later",
		func(w *world) rules.Standing {
			return w.submit([]byte(`{"payload":"eyJ0eXBlIjoidmVyZGljdCIsInYiOjF9","signatures":[{"protected":"` + protectedOf(w) + `","signature":"` +
				strings.Repeat("A", 86) + `"}]}`))
		},
		func(w *world) rules.Standing { return w.does(w.decision(record.Forward), "dan eve") }},
	{record.LedgerMismatch, "signed for another ledger",
		func(w *world) rules.Standing {
			d := w.decision(record.Decline)
			d.Ledger = "ledger.example.org/2026"
			return w.does(d, "dan eve")
		},
		func(w *world) rules.Standing {
			d := w.decision(record.Decline)
			d.Ledger = origin
			return w.does(d, "dan eve")
		}},
	{record.KeyUnknown, "somebody nobody knows",
		func(w *world) rules.Standing { return w.does(w.decision(record.Decline), "dan eve mallory") },
		func(w *world) rules.Standing {
			w.must(w.does(enrolment("mallory", "decider"), "ada bob mallory"))
			return w.does(w.decision(record.Decline), "dan eve mallory")
		}},
	{record.SignatureInvalid, "signatures of another text",
		func(w *world) rules.Standing {
			a, b := w.decision(record.Decline), w.decision(record.Decline)
			signed, other := w.sign(a, by("dan eve")...), w.sign(b, by("dan eve")...)
			return w.submit(change(signed.Bytes(), payloadOf(signed), payloadOf(other)))
		},
		func(w *world) rules.Standing { return w.does(w.decision(record.Decline), "dan eve") }},
}

// payloadOf returns the payload as it stands in a record.
func payloadOf(u *record.Unverified) string {
	_, rest, _ := strings.Cut(string(u.Bytes()), `"payload":"`)
	payload, _, _ := strings.Cut(rest, `"`)
	return payload
}

func protectedOf(w *world) string {
	_, rest, _ := strings.Cut(string(w.sign(w.decision(record.Decline), by("dan")...).Bytes()), `"protected":"`)
	protected, _, _ := strings.Cut(rest, `"`)
	return protected
}

// charterRules begin before there is anything.
var charterRules = []rule{
	{rules.CharterMissing, "something else comes first",
		func(w *world) rules.Standing { return w.does(enrolment("dan", "decider"), "dan") },
		func(w *world) rules.Standing {
			w.must(w.does(charter(), founders))
			return w.does(enrolment("dan", "decider"), "ada bob dan")
		}},
	{rules.CharterNotFirst, "a second charter",
		func(w *world) rules.Standing {
			w.must(w.does(charter(), founders))
			return w.submit(w.sign(charter(), charterSigns(founders)...).Bytes())
		},
		func(w *world) rules.Standing { return w.does(charter(), founders) }},
	{rules.CharterNotFirst, "a charter after a void one",
		func(w *world) rules.Standing {
			if s := w.does(charter(), "ada"); s.Effective() {
				w.Error("a charter signed by one of five is effective")
			}
			return w.submit(w.sign(charter(), charterSigns(founders)...).Bytes())
		},
		func(w *world) rules.Standing { return w.submit(w.sign(charter(), charterSigns(founders)...).Bytes()) }},
	{rules.QuorumShort, "a founding key did not sign the charter",
		func(w *world) rules.Standing { return w.does(charter(), "ada bob safe safe2") },
		func(w *world) rules.Standing { return w.does(charter(), founders) }},
	{rules.QuorumShort, "a recovery key did not sign the charter",
		func(w *world) rules.Standing { return w.does(charter(), "ada bob cleo safe") },
		func(w *world) rules.Standing { return w.does(charter(), founders) }},
	{rules.SeqRepeat, "a charter signed with another number than 1",
		func(w *world) rules.Standing {
			s := charterSigns(founders)
			s[0].seq = 2
			return w.submit(w.sign(charter(), s...).Bytes())
		},
		func(w *world) rules.Standing { return w.submit(w.sign(charter(), charterSigns(founders)...).Bytes()) }},
	{rules.SeenMismatch, "a charter whose signer has seen a log",
		func(w *world) rules.Standing {
			s := charterSigns(founders)
			seen := record.Seen{Size: 1, Root: ref("another log")}
			s[4].seen = &seen
			return w.submit(w.sign(charter(), s...).Bytes())
		},
		func(w *world) rules.Standing { return w.submit(w.sign(charter(), charterSigns(founders)...).Bytes()) }},
	{rules.KeyExpired, "a founding key that is no longer valid",
		func(w *world) rules.Standing {
			p := charter()
			p.Founders[2].ValidUntil = start
			return w.does(p, founders)
		},
		func(w *world) rules.Standing {
			p := charter()
			p.Founders[2].ValidUntil = start + 1
			return w.does(p, founders)
		}},
	{rules.HistoricNotPermitted, "a historic time of more than 180 days",
		func(w *world) rules.Standing {
			p := charter()
			p.HistoricUntil = start + 180*day + 1
			return w.does(p, founders)
		},
		func(w *world) rules.Standing {
			p := charter()
			p.HistoricUntil = start + 180*day
			return w.does(p, founders)
		}},
	{rules.QuorumUnreachable, "founders who can't reach the registrars' quorum",
		func(w *world) rules.Standing {
			p := charter()
			p.RegistrarQuorum = 4
			return w.does(p, founders)
		},
		func(w *world) rules.Standing {
			p := charter()
			p.RegistrarQuorum = 3
			return w.does(p, founders)
		}},
	{rules.QuorumUnreachable, "one founder with two keys is one holder",
		func(w *world) rules.Standing {
			p := charter()
			p.AdministrationQuorum = 3
			p.Founders[2].Holder = "ada"
			return w.does(p, founders)
		},
		func(w *world) rules.Standing {
			p := charter()
			p.AdministrationQuorum = 2
			p.Founders[2].Holder = "ada"
			return w.does(p, founders)
		}},
}

// charterSigns is how a charter is signed: with number 1, having seen nothing.
func charterSigns(names string) []signing {
	all := by(names)
	for i := range all {
		all[i].seq, all[i].seen = 1, &record.SeenNothing
	}
	return all
}

var signatureRules = []rule{
	{rules.KeyRevoked, "a key that was retired",
		func(w *world) rules.Standing {
			w.must(w.does(revocation("dan2", record.Retired), "ada bob"))
			return w.does(w.decision(record.Decline), "dan2 eve")
		},
		func(w *world) rules.Standing {
			w.must(w.does(revocation("dan2", record.Retired), "ada bob"))
			return w.does(w.decision(record.Decline), "dan eve") // his other key
		}},
	{rules.KeyRevoked, "signed before, arriving after the revocation",
		func(w *world) rules.Standing {
			u := w.sign(w.decision(record.Decline), by("dan2 eve")...)
			w.must(w.does(revocation("dan2", record.Lost), "ada bob"))
			return w.submit(u.Bytes())
		},
		func(w *world) rules.Standing {
			u := w.sign(w.decision(record.Decline), by("dan2 eve")...)
			s := w.submit(u.Bytes())
			w.must(w.does(revocation("dan2", record.Lost), "ada bob"))
			return s
		}},
	{rules.KeyExpired, "a key on the second at which it ends",
		func(w *world) rules.Standing {
			p := enrolment("tim", "decider")
			p.ValidUntil = record.Time(w.now + hour)
			w.must(w.does(p, "ada bob tim"))
			w.passes(hour)
			return w.does(w.decision(record.Decline), "tim eve")
		},
		func(w *world) rules.Standing {
			p := enrolment("tim", "decider")
			p.ValidUntil = record.Time(w.now + hour)
			w.must(w.does(p, "ada bob tim"))
			w.passes(hour - 1)
			return w.does(w.decision(record.Decline), "tim eve")
		}},
	{rules.RoleMissing, "somebody signs who has no business here",
		func(w *world) rules.Standing { return w.does(w.decision(record.Decline), "dan eve pat") },
		func(w *world) rules.Standing { return w.does(w.decision(record.Decline), "dan eve fay") }},
	{rules.RoleMissing, "a recovery key on a decision",
		func(w *world) rules.Standing { return w.does(w.decision(record.Decline), "dan eve safe") },
		func(w *world) rules.Standing { return w.does(w.decision(record.Decline), "dan eve") }},
	{rules.RoleMissing, "a role that was taken away by another enrolment",
		func(w *world) rules.Standing {
			w.must(w.does(enrolment("fay", "intake"), "ada bob fay"))
			return w.does(w.decision(record.Decline), "dan eve fay")
		},
		func(w *world) rules.Standing {
			w.must(w.does(enrolment("fay", "intake decider"), "ada bob fay"))
			return w.does(w.decision(record.Decline), "dan eve fay")
		}},
	{rules.QuorumShort, "one where two are asked for",
		func(w *world) rules.Standing { return w.does(w.decision(record.Suspend, "use/1/host"), "dan") },
		func(w *world) rules.Standing { return w.does(w.decision(record.Suspend, "use/1/host"), "dan eve") }},
	{rules.QuorumShort, "one with two keys is one",
		func(w *world) rules.Standing { return w.does(w.decision(record.Suspend, "use/1/host"), "dan dan2") },
		func(w *world) rules.Standing {
			return w.does(w.decision(record.Suspend, "use/1/host"), "dan dan2 eve")
		}},
	{rules.QuorumShort, "the greater quorum of two clauses",
		func(w *world) rules.Standing {
			return w.does(w.decision(record.Suspend, "use/1/two", "use/1/host"), "dan")
		},
		func(w *world) rules.Standing { return w.does(w.decision(record.Suspend, "use/1/two"), "dan") }},
	{rules.QuorumShort, "no clause, and not the default quorum",
		func(w *world) rules.Standing { return w.does(w.decision(record.Decline), "dan") },
		func(w *world) rules.Standing { return w.does(w.decision(record.Decline, "use/1/late"), "dan") }},
	{rules.QuorumShort, "a policy without its owner's role is no quorum",
		func(w *world) rules.Standing {
			p := enrolment("bob", "administration registrar")
			w.must(w.does(p, "ada cleo bob"))
			s := w.does(usePolicy(2), "bob")
			return w.apart(s, rules.RoleMissing)
		},
		func(w *world) rules.Standing { return w.does(usePolicy(2), "bob") }},
	{rules.SeqRepeat, "the same record a second time",
		func(w *world) rules.Standing {
			u := w.sign(w.decision(record.Forward), by("dan eve")...)
			w.must(w.submit(u.Bytes()))
			s := w.submit(u.Bytes())
			return w.apart(s, rules.CaseExists)
		},
		func(w *world) rules.Standing { return w.does(w.decision(record.Forward), "dan eve") }},
	{rules.SeqRepeat, "a number that was used for something else",
		func(w *world) rules.Standing {
			w.must(w.does(w.decision(record.Forward), "dan eve"))
			s := by("dan eve")
			s[0].seq = 2
			return w.submit(w.sign(w.decision(record.Decline), s...).Bytes())
		},
		func(w *world) rules.Standing {
			w.must(w.does(w.decision(record.Forward), "dan eve"))
			s := by("dan eve")
			s[0].seq = 3
			return w.submit(w.sign(w.decision(record.Decline), s...).Bytes())
		}},
	{rules.SeqGap, "a number is left out",
		func(w *world) rules.Standing {
			s := by("dan eve")
			s[0].seq = 3
			return w.submit(w.sign(w.decision(record.Decline), s...).Bytes())
		},
		func(w *world) rules.Standing {
			s := by("dan eve")
			s[0].seq = 2
			return w.submit(w.sign(w.decision(record.Decline), s...).Bytes())
		}},
	{rules.SeqLate, "the number that was left out comes after all",
		func(w *world) rules.Standing {
			s := by("dan eve")
			s[0].seq = 3
			w.must(w.submit(w.sign(w.decision(record.Decline), s...).Bytes()))
			s = by("dan eve")
			s[0].seq = 2
			return w.submit(w.sign(w.decision(record.Decline), s...).Bytes())
		},
		func(w *world) rules.Standing {
			s := by("dan eve")
			s[0].seq = 3
			w.must(w.submit(w.sign(w.decision(record.Decline), s...).Bytes()))
			s = by("dan eve")
			s[0].seq = 4
			return w.submit(w.sign(w.decision(record.Decline), s...).Bytes())
		}},
	{rules.SeqGap, "a void record uses up no number",
		func(w *world) rules.Standing {
			w.does(w.decision(record.Terminate), "dan eve") // no ground: void
			s := by("dan eve")
			s[0].seq = 3
			return w.submit(w.sign(w.decision(record.Decline), s...).Bytes())
		},
		func(w *world) rules.Standing {
			w.does(w.decision(record.Terminate), "dan eve")
			s := by("dan eve")
			s[0].seq = 2
			return w.submit(w.sign(w.decision(record.Decline), s...).Bytes())
		}},
	{rules.SeenMismatch, "the root of another log",
		func(w *world) rules.Standing { return w.sees(record.Seen{Size: w.size(), Root: ref("another log")}) },
		func(w *world) rules.Standing { return w.sees(record.SeenTree(w.size(), w.root(w.size()))) }},
	{rules.SeenMismatch, "a root of this log at another size",
		func(w *world) rules.Standing { return w.sees(record.SeenTree(w.size()-1, w.root(w.size()))) },
		func(w *world) rules.Standing { return w.sees(record.SeenTree(w.size()-1, w.root(w.size()-1))) }},
	{rules.SeenMismatch, "a tree that holds the record itself",
		func(w *world) rules.Standing { return w.sees(record.Seen{Size: w.size() + 1, Root: ref("any")}) },
		func(w *world) rules.Standing { return w.sees(record.SeenNothing) }},
	{rules.TimeBeforeSeen, "signed a second before the tree that was seen, tolerance given",
		func(w *world) rules.Standing { return w.signsAt(-301) },
		func(w *world) rules.Standing { return w.signsAt(-300) }},
}

// sees decides with one signer who has seen that.
func (w *world) sees(seen record.Seen) rules.Standing {
	s := by("dan eve")
	s[1].seen = &seen
	return w.submit(w.sign(w.decision(record.Decline), s...).Bytes())
}

// signsAt decides with one signer whose clock is wrong by so many seconds from
// the tree that was seen.
func (w *world) signsAt(seconds int64) rules.Standing {
	w.must(w.does(w.decision(record.Decline), "dan eve")) // the clock is at w.now
	s := by("dan eve")
	s[1].iat = w.now + seconds
	return w.submit(w.sign(w.decision(record.Decline), s...).Bytes())
}
