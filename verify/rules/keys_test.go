package rules_test

import (
	"slices"
	"testing"

	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

var keyRules = []rule{
	{rules.QuorumShort, "an enrolment by one registrar",
		func(w *world) rules.Standing { return w.does(enrolment("tim", "decider"), "ada tim") },
		func(w *world) rules.Standing { return w.does(enrolment("tim", "decider"), "ada cleo tim") }},
	{rules.QuorumShort, "the new key of a registrar does not count for itself",
		func(w *world) rules.Standing { return w.does(enrolment("tim", "registrar"), "ada tim") },
		func(w *world) rules.Standing { return w.does(enrolment("tim", "registrar"), "ada bob tim") }},
	{rules.QuorumShort, "a registrar who enrols the own key anew does not count",
		func(w *world) rules.Standing {
			return w.does(enrolment("ada", "administration registrar policy"), "ada bob")
		},
		func(w *world) rules.Standing {
			return w.does(enrolment("ada", "administration registrar policy"), "ada bob cleo")
		}},
	{rules.RoleMissing, "a decider signs an enrolment",
		func(w *world) rules.Standing { return w.does(enrolment("tim", "decider"), "ada bob dan tim") },
		func(w *world) rules.Standing { return w.does(enrolment("tim", "decider"), "ada bob cleo tim") }},
	{rules.EnrolPossession, "the new key did not sign",
		func(w *world) rules.Standing { return w.does(enrolment("tim", "decider"), "ada bob") },
		func(w *world) rules.Standing { return w.does(enrolment("tim", "decider"), "ada bob tim") }},
	{rules.EnrolPossession, "the new key begins with 2",
		func(w *world) rules.Standing {
			s := by("ada bob tim")
			s[2].seq = 2
			return w.submit(w.sign(enrolment("tim", "decider"), s...).Bytes())
		},
		func(w *world) rules.Standing {
			s := by("ada bob tim")
			s[2].seq = 1
			return w.submit(w.sign(enrolment("tim", "decider"), s...).Bytes())
		}},
	{rules.EnrolPossession, "an old key leaves out a number",
		func(w *world) rules.Standing { return w.enrolsAgain(3) },
		func(w *world) rules.Standing { return w.enrolsAgain(2) }},
	{rules.EnrolPossession, "an old key fills a gap instead of going on",
		func(w *world) rules.Standing {
			w.leavesOut(2)
			return w.enrolsAgain(2)
		},
		func(w *world) rules.Standing {
			w.leavesOut(2)
			return w.enrolsAgain(4)
		}},
	{rules.SeqRepeat, "an old key is enrolled anew with a number that it used",
		func(w *world) rules.Standing {
			w.must(w.does(w.decision(record.Decline), "dan eve")) // 2
			w.must(w.enrolsAgain(3))
			return w.enrolsAgain(2)
		},
		func(w *world) rules.Standing {
			w.must(w.does(w.decision(record.Decline), "dan eve"))
			w.must(w.enrolsAgain(3))
			return w.enrolsAgain(4)
		}},
	{rules.EnrolOtherHolder, "the key of another holder",
		func(w *world) rules.Standing {
			p := enrolment("dan", "decider")
			p.Holder = "tim"
			return w.does(p, "ada bob dan")
		},
		func(w *world) rules.Standing { return w.does(enrolment("dan", "decider ratifier"), "ada bob dan") }},
	{rules.EnrolOtherHolder, "a recovery key",
		func(w *world) rules.Standing { return w.does(enrolment("safe", "decider"), "ada bob safe") },
		func(w *world) rules.Standing { return w.does(enrolment("safe3", "decider"), "ada bob safe3") }},
	{rules.KeyRevoked, "a lost key does not come back",
		func(w *world) rules.Standing {
			w.must(w.does(revocation("dan2", record.Lost), "ada bob"))
			return w.does(enrolment("dan2", "decider"), "ada bob dan2")
		},
		func(w *world) rules.Standing {
			w.must(w.does(revocation("dan2", record.Retired), "ada bob"))
			w.must(w.does(enrolment("dan2", "decider"), "ada bob dan2"))
			return w.does(w.decision(record.Decline), "dan2 eve")
		}},
	{rules.KeyExpired, "an enrolment that has ended when it begins",
		func(w *world) rules.Standing {
			p := enrolment("tim", "decider")
			p.ValidUntil = record.Time(w.now)
			return w.does(p, "ada bob tim")
		},
		func(w *world) rules.Standing {
			p := enrolment("tim", "decider")
			p.ValidUntil = record.Time(w.now + 1)
			return w.does(p, "ada bob tim")
		}},
	{rules.KeyExpired, "a key that has ended is enrolled anew by itself alone",
		func(w *world) rules.Standing {
			w.expires("tim")
			return w.does(w.decision(record.Decline), "tim eve")
		},
		func(w *world) rules.Standing {
			w.expires("tim")
			w.must(w.does(enrolment("tim", "decider"), "ada bob tim"))
			return w.does(w.decision(record.Decline), "tim eve")
		}},

	{rules.QuorumShort, "a revocation as retired by one registrar",
		func(w *world) rules.Standing { return w.does(revocation("dan", record.Retired), "ada") },
		func(w *world) rules.Standing { return w.does(revocation("dan", record.Retired), "ada bob") }},
	{rules.QuorumShort, "a revocation as lost by one registrar",
		func(w *world) rules.Standing { return w.does(revocation("dan", record.Lost), "ada") },
		func(w *world) rules.Standing { return w.does(revocation("dan", record.Lost), "dan") }},
	{rules.QuorumShort, "a revocation as compromised by one recovery key",
		func(w *world) rules.Standing {
			s := w.does(revocation("dan", record.Compromised), "safe")
			s.Findings = nil // it is shown that a recovery key was used
			return s
		},
		func(w *world) rules.Standing { return w.does(revocation("dan", record.Compromised), "safe safe2") }},
	{rules.QuorumShort, "a registrar and a recovery key make no quorum together",
		func(w *world) rules.Standing {
			s := w.does(enrolment("tim", "decider"), "ada safe tim")
			s.Findings = nil
			return s
		},
		func(w *world) rules.Standing { return w.does(enrolment("tim", "decider"), "safe2 safe tim") }},
	{rules.RoleMissing, "a revocation by another decider",
		func(w *world) rules.Standing { return w.does(revocation("dan", record.Retired), "ada bob eve") },
		func(w *world) rules.Standing { return w.does(revocation("dan", record.Retired), "ada bob dan") }},
	{rules.RoleMissing, "the other key of a holder",
		func(w *world) rules.Standing {
			return w.apart(w.does(revocation("dan", record.Lost), "dan2"), rules.QuorumShort)
		},
		func(w *world) rules.Standing { return w.does(revocation("dan", record.Lost), "dan") }},
	{rules.RevokeUnknown, "a key that was never enrolled",
		func(w *world) rules.Standing { return w.does(revocation("tim", record.Retired), "ada bob") },
		func(w *world) rules.Standing {
			w.must(w.does(enrolment("tim", "decider"), "ada bob tim"))
			return w.does(revocation("tim", record.Retired), "ada bob")
		}},
	{rules.RevokeUnknown, "a key that was revoked before",
		func(w *world) rules.Standing {
			w.must(w.does(revocation("dan", record.Retired), "ada bob"))
			return w.does(revocation("dan", record.Lost), "ada bob")
		},
		func(w *world) rules.Standing {
			w.must(w.does(revocation("dan", record.Retired), "ada bob"))
			return w.does(revocation("dan", record.Compromised), "ada")
		}},
	{rules.RevokeUnknown, "a key that was said to be compromised before",
		func(w *world) rules.Standing {
			w.must(w.does(revocation("dan", record.Compromised), "ada"))
			s := w.does(revocation("dan", record.Compromised), "ada")
			s.Findings = nil
			return s
		},
		func(w *world) rules.Standing {
			w.must(w.does(revocation("dan", record.Lost), "ada bob"))
			return w.does(revocation("dan", record.Compromised), "ada")
		}},
	{rules.RevokeUnknown, "a recovery key",
		func(w *world) rules.Standing { return w.does(revocation("safe", record.Retired), "ada bob") },
		func(w *world) rules.Standing { return w.does(revocation("max", record.Retired), "ada bob") }},
	{rules.QuorumUnreachable, "the registrars' quorum is out of reach after it",
		func(w *world) rules.Standing {
			w.must(w.does(revocation("cleo", record.Retired), "ada bob"))
			return w.does(revocation("bob", record.Retired), "ada bob")
		},
		func(w *world) rules.Standing {
			w.must(w.does(revocation("cleo", record.Retired), "ada bob"))
			return w.does(revocation("bob", record.Lost), "ada bob")
		}},
	{rules.QuorumUnreachable, "a registrar gives up the role",
		func(w *world) rules.Standing {
			w.must(w.does(revocation("cleo", record.Retired), "ada bob"))
			w.must(w.does(enrolment("tim", "registrar"), "ada bob tim"))
			return w.does(enrolment("bob", "registrar"), "ada tim bob") // no longer administration
		},
		func(w *world) rules.Standing {
			w.must(w.does(enrolment("tim", "registrar"), "ada bob tim"))
			return w.does(enrolment("bob", "registrar"), "ada tim bob") // cleo is there
		}},
	{rules.QuorumUnreachable, "a second key of a holder does not help",
		func(w *world) rules.Standing {
			w.must(w.does(enrolment("ada2", "administration registrar"), "ada bob ada2"))
			w.must(w.does(revocation("cleo", record.Retired), "ada bob"))
			return w.does(revocation("bob", record.Retired), "ada bob")
		},
		func(w *world) rules.Standing {
			w.must(w.does(enrolment("ada2", "administration registrar"), "ada bob ada2"))
			w.must(w.does(revocation("cleo", record.Retired), "ada bob"))
			return w.does(revocation("ada", record.Retired), "ada bob") // ada2 stays
		}},
	{rules.KeyContested, "a key that was in other hands",
		func(w *world) rules.Standing { return w.does(revocation("dan", record.Compromised), "dan") },
		func(w *world) rules.Standing { return w.does(revocation("dan", record.Lost), "dan") }},
	{rules.RecoveryUsed, "the recovery keys enrol",
		func(w *world) rules.Standing { return w.does(enrolment("tim", "registrar"), "safe safe2 tim") },
		func(w *world) rules.Standing { return w.does(enrolment("tim", "registrar"), "ada bob tim") }},
	{rules.RecoveryUsed, "the recovery keys revoke",
		func(w *world) rules.Standing { return w.does(revocation("ada", record.Lost), "safe safe2") },
		func(w *world) rules.Standing { return w.does(revocation("ada", record.Lost), "bob cleo") }},
	{rules.RecoveryUsed, "a recovery key signs along with the registrars",
		func(w *world) rules.Standing { return w.does(revocation("dan", record.Retired), "ada bob safe") },
		func(w *world) rules.Standing { return w.does(revocation("dan", record.Retired), "ada bob cleo") }},
}

// enrolsAgain gives dan's key another role, signed with that number.
func (w *world) enrolsAgain(seq int64) rules.Standing {
	s := by("ada bob dan")
	s[2].seq = seq
	return w.submit(w.sign(enrolment("dan", "decider intake"), s...).Bytes())
}

// leavesOut lets dan skip a number.
func (w *world) leavesOut(seq int64) {
	s := by("dan eve")
	s[0].seq = seq + 1
	w.must(w.submit(w.sign(w.decision(record.Decline), s...).Bytes()))
}

// expires enrols a decider whose key has ended.
func (w *world) expires(name string) {
	p := enrolment(name, "decider")
	p.ValidUntil = record.Time(w.now + hour)
	w.must(w.does(p, "ada bob "+name))
	w.passes(2 * hour)
}

// TestRecovery: when too many registrars lost their keys, the recovery keys
// bring them back one by one.
func TestRecovery(t *testing.T) {
	w := settled(t)
	for _, name := range []string{"ada", "bob", "cleo"} {
		w.must(w.does(revocation(name, record.Lost), name))
	}
	if s := w.does(enrolment("tim", "decider"), "ada bob tim"); s.Effective() {
		t.Error("lost keys enrol")
	}
	for i, name := range []string{"ann", "ben"} {
		s := w.does(enrolment(name, "administration registrar"), "safe safe2 "+name)
		if !s.Effective() || !slices.Equal(s.Findings, []rules.Code{rules.RecoveryUsed}) {
			t.Fatalf("registrar %d of two comes back: %+v, want it effective", i+1, s)
		}
	}
	if s := w.does(enrolment("tim", "decider"), "ann ben tim"); !s.Effective() {
		t.Errorf("the new registrars enrol: %v", s.Codes)
	}
	w.replay()
}

// TestOutOfReachByTime: when keys end by themselves, the ones that are left and
// the recovery keys can still act, but not make it worse.
func TestOutOfReachByTime(t *testing.T) {
	w := newWorld(t)
	p := charter()
	p.Founders[0].ValidUntil, p.Founders[1].ValidUntil = start+day, start+day
	w.must(w.does(p, founders))
	w.passes(2 * day)
	w.must(w.does(enrolment("dan", "decider"), "safe safe2 dan"))
	w.must(w.does(revocation("dan", record.Retired), "safe safe2"))
	if s := w.does(revocation("cleo", record.Retired), "cleo"); !slices.Equal(s.Codes, []rules.Code{rules.QuorumUnreachable}) {
		t.Errorf("the last registrar retires: %v, want quorum.unreachable", s.Codes)
	}
	w.must(w.does(enrolment("ann", "registrar administration"), "safe safe2 ann"))
	if s := w.does(enrolment("tim", "decider"), "ann cleo tim"); !s.Effective() {
		t.Errorf("two registrars again: %v", s.Codes)
	}
}

// TestKeyInfo: what is kept of a key through its life.
func TestKeyInfo(t *testing.T) {
	w := settled(t)
	first := w.size()
	p := enrolment("tim", "decider")
	p.ValidUntil = record.Time(w.now + 90*day)
	w.must(w.does(p, "ada bob tim"))
	w.must(w.does(revocation("tim", record.Retired), "tim"))
	w.must(w.does(enrolment("tim", "intake"), "ada bob tim"))
	k := w.info("tim")
	if k.Revoked != nil || k.Holder != "tim" || !slices.Equal(k.Roles, roles("intake")) || k.ValidUntil != 0 ||
		!slices.Equal(k.Indexes, []int64{first, first + 2}) || k.JWK != jwk("tim") {
		t.Errorf("%+v, want the key of the second enrolment", k)
	}
	w.must(w.does(revocation("tim", record.Lost), "ada bob"))
	w.must(w.does(revocation("tim", record.Compromised), "cleo"))
	want := rules.Revocation{Index: first + 3, Reason: record.Compromised, Since: start}
	if k := w.info("tim"); k.Revoked == nil || *k.Revoked != want {
		t.Errorf("revoked %+v, want %+v: it ended when it was lost", k.Revoked, want)
	}
	if n, err := rules.NextSeq(w.state, kid("tim")); err != nil || n != 4 {
		t.Errorf("next number %d, %v; want 4", n, err)
	}
	if k := w.info("safe"); !k.Recovery || len(k.Roles) > 0 || !slices.Equal(k.Indexes, []int64{0}) {
		t.Errorf("recovery key %+v", k)
	}
	if k, err := rules.ReadKey(w.state, kid("mallory")); k != nil || err != nil {
		t.Errorf("a key that nobody knows: %+v, %v", k, err)
	}
	w.replay()
}

func (w *world) info(name string) *rules.KeyInfo {
	w.Helper()
	k, err := rules.ReadKey(w.state, kid(name))
	if err != nil || k == nil {
		w.Fatalf("key of %s: %v, %v", name, k, err)
	}
	return k
}
