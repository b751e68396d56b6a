package rules_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// vkey is the verifier key of a log or of a witness.
func vkey(name string, alg verify.Alg) verify.VKey {
	return verify.VKey{Name: name, Alg: alg, Key: key(name).Public().(ed25519.PublicKey)}
}

func logKey() verify.VKey { return vkey(origin, verify.Ed25519) }

// threeWitnesses of whom two must cosign.
func threeWitnesses() []string {
	var lines []string
	for _, name := range []string{"w1", "w2", "w3"} {
		lines = append(lines, "witness "+name+" "+vkey(name, verify.Ed25519Cosignature).String())
	}
	return append(lines, "group all 2 w1 w2 w3", "quorum all")
}

func signature(k verify.VKey, sig []byte) string {
	raw := append(binary.BigEndian.AppendUint32(nil, k.ID()), sig...)
	return "— " + k.Name + " " + base64.StdEncoding.EncodeToString(raw) + "\n"
}

// checkpoint signs a tree of the log, and lets witnesses cosign: "w1@+5" is w1
// five seconds from now.
func (w *world) checkpoint(size int64, root tlog.Hash, cosigned string) string {
	w.Helper()
	text := verify.Checkpoint{Origin: origin, Size: size, Root: root}.Text()
	note := text + "\n" + signature(logKey(), ed25519.Sign(key(origin), []byte(text)))
	for _, c := range strings.Fields(cosigned) {
		name, at, _ := strings.Cut(c, "@")
		var offset int64
		if at != "" {
			if _, err := fmt.Sscan(at, &offset); err != nil {
				w.Fatal(err)
			}
		}
		time := uint64(w.now + offset)
		sig := ed25519.Sign(key(name), fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", time, text))
		note += signature(vkey(name, verify.Ed25519Cosignature), append(binary.BigEndian.AppendUint64(nil, time), sig...))
	}
	return note
}

// mark is a timemark of the newest tree.
func (w *world) mark(cosigned string) *record.Timemark {
	w.Helper()
	return &record.Timemark{Checkpoint: w.checkpoint(w.size(), w.root(w.size()), cosigned)}
}

// marks logs a timemark that all witnesses cosigned now.
func (w *world) marks() { w.Helper(); w.must(w.does(w.mark("w1 w2 w3"), "max")) }

// founded is a ledger with witnesses, its people enrolled, the policies
// published and nothing in force: no timemark covers them.
func founded(t testing.TB) *world {
	w := newWorld(t)
	c := charter()
	c.LogKeys, c.Witnesses = []string{logKey().String()}, threeWitnesses()
	w.must(w.does(c, founders))
	for _, who := range [][2]string{{"dan", "decider"}, {"eve", "decider"}, {"fay", "decider"}, {"pat", "policy"}, {"rae", "ratifier"}, {"rob", "ratifier"},
		{"max", "machine"}, {"ira", "intake"}, {"abe", "appeals"}, {"amy", "appeals"}, {"enf", "enforcer"}} {
		w.must(w.does(enrolment(who[0], who[1]), "ada bob "+who[0]))
	}
	w.must(w.does(usePolicy(1), "pat"))
	w.must(w.does(dueProcess(), "pat"))
	return w
}

// witnessed is a founded ledger whose policies are in force.
func witnessed(t testing.TB) *world {
	w := founded(t)
	w.marks()
	w.passes(25 * hour)
	w.marks()
	return w
}

var timeRules = []rule{
	{rules.TimemarkInvalid, "too few witnesses",
		func(w *world) rules.Standing { return w.does(w.mark("w1"), "max") },
		func(w *world) rules.Standing { return w.does(w.mark("w1 w3"), "max") }},
	{rules.TimemarkInvalid, "a witness that the charter does not name",
		func(w *world) rules.Standing { return w.does(w.mark("w1 w9"), "max") },
		func(w *world) rules.Standing { return w.does(w.mark("w1 w9 w2"), "max") }},
	{rules.TimemarkInvalid, "another tree",
		func(w *world) rules.Standing {
			return w.does(&record.Timemark{Checkpoint: w.checkpoint(w.size(), tlog.RecordHash(nil), "w1 w2")}, "max")
		},
		func(w *world) rules.Standing { return w.does(w.mark("w1 w2"), "max") }},
	{rules.TimemarkInvalid, "a tree that does not exist yet",
		func(w *world) rules.Standing {
			return w.does(&record.Timemark{Checkpoint: w.checkpoint(w.size()+1, tlog.RecordHash(nil), "w1 w2")}, "max")
		},
		func(w *world) rules.Standing { return w.does(w.mark("w1 w2"), "max") }},
	{rules.TimemarkInvalid, "an older tree than the timemark before",
		func(w *world) rules.Standing {
			old := w.mark("w1 w2")
			w.marks()
			w.marks()
			return w.does(old, "max")
		},
		func(w *world) rules.Standing {
			w.marks()
			w.marks()
			return w.does(w.mark("w1 w2"), "max")
		}},
	{rules.TimemarkInvalid, "no checkpoint at all",
		func(w *world) rules.Standing { return w.does(&record.Timemark{Checkpoint: "x"}, "max") },
		func(w *world) rules.Standing { return w.does(w.mark("w1 w2"), "max") }},
	{rules.RoleMissing, "a timemark by no machine",
		func(w *world) rules.Standing { return w.does(w.mark("w1 w2"), "dan max") },
		func(w *world) rules.Standing { return w.does(w.mark("w1 w2"), "max") }},
	{rules.GroundNotYetEffective, "no timemark covers the policy yet",
		func(w *world) rules.Standing {
			w.must(w.does(usePolicy(2), "pat"))
			w.passes(100 * day)
			return w.does(w.decision(record.Suspend, "use/2/host"), "dan eve")
		},
		func(w *world) rules.Standing {
			w.must(w.does(usePolicy(2), "pat"))
			w.marks()
			w.passes(24 * hour)
			w.marks()
			return w.does(w.decision(record.Suspend, "use/2/host"), "dan eve")
		}},
	{rules.GroundNotYetEffective, "no timemark shows that the lead is over",
		func(w *world) rules.Standing {
			w.must(w.does(usePolicy(2), "pat"))
			w.marks()
			w.passes(24*hour - 1)
			w.marks()
			w.passes(day)
			return w.does(w.decision(record.Suspend, "use/2/host"), "dan eve")
		},
		func(w *world) rules.Standing { return w.does(w.decision(record.Suspend, "use/1/host"), "dan eve") }},
	{rules.NoticeTooEarly, "no timemark covers the notice",
		func(w *world) rules.Standing {
			id := w.must(w.does(w.proposes("early", record.Suspend), "dan"))
			w.passes(10 * day)
			return w.does(w.of("early", id, record.Suspend, "due/1/notice"), "dan")
		},
		func(w *world) rules.Standing {
			id := w.must(w.does(w.proposes("late", record.Suspend), "dan"))
			w.marks()
			w.passes(2 * day)
			w.marks()
			return w.does(w.of("late", id, record.Suspend, "due/1/notice"), "dan")
		}},
	{rules.RatificationTooLate, "the timemarks show that it is over",
		func(w *world) rules.Standing {
			id := w.must(w.does(w.urgent(), "dan"))
			w.marks()
			w.passes(72*hour + 1)
			w.marks()
			return w.does(w.ratify(id, id), "rae rob")
		},
		func(w *world) rules.Standing {
			id := w.must(w.does(w.urgent(), "dan"))
			w.passes(100 * day) // nothing shows it
			return w.does(w.ratify(id, id), "rae rob")
		}},
	{rules.AppealTooLate, "the timemarks show that it is over",
		func(w *world) rules.Standing {
			id := w.suspended()
			w.marks()
			w.passes(30*day + 1)
			w.marks()
			return w.does(w.appeals(id, id), "ira")
		},
		func(w *world) rules.Standing {
			id := w.suspended()
			w.marks()
			w.passes(30 * day)
			w.marks()
			return w.does(w.appeals(id, id), "ira")
		}},
	{rules.TimeBeforeSeen, "signed before the tree that was seen",
		func(w *world) rules.Standing {
			s := by("dan eve")
			s[0].iat = w.now - 301
			return w.submit(w.sign(w.decision(record.Decline), s...).Bytes())
		},
		func(w *world) rules.Standing {
			s := by("dan eve")
			s[0].iat = w.now - 300
			return w.submit(w.sign(w.decision(record.Decline), s...).Bytes())
		}},
	{rules.TimeAhead, "dated later than the witnesses saw it",
		func(w *world) rules.Standing {
			s := by("dan eve")
			s[1].iat = w.now + 301
			w.must(w.submit(w.sign(w.decision(record.Decline), s...).Bytes()))
			return w.does(w.mark("w1 w2"), "max")
		},
		func(w *world) rules.Standing {
			s := by("dan eve")
			s[1].iat = w.now + 300
			w.must(w.submit(w.sign(w.decision(record.Decline), s...).Bytes()))
			return w.does(w.mark("w1 w2"), "max")
		}},
	{rules.KeyExpired, "the timemarks show that the key has run out",
		func(w *world) rules.Standing {
			p := enrolment("tim", "decider")
			p.ValidUntil = record.Time(w.now + day)
			w.must(w.does(p, "ada bob tim"))
			w.passes(day)
			w.marks()
			return w.does(w.decision(record.Decline), "tim dan")
		},
		func(w *world) rules.Standing {
			p := enrolment("tim", "decider")
			p.ValidUntil = record.Time(w.now + day)
			w.must(w.does(p, "ada bob tim"))
			w.passes(day - 1)
			w.marks()
			return w.does(w.decision(record.Decline), "tim dan")
		}},
}

// amendment is the charter's terms with a change.
func (w *world) amendment(change func(*record.Terms)) *record.CharterAmend {
	w.Helper()
	c, err := rules.ReadCharter(w.state)
	if err != nil {
		w.Fatal(err)
	}
	p := &record.CharterAmend{Terms: c.Charter.Terms, Reasons: "r"}
	change(&p.Terms)
	return p
}

var amendRules = []rule{
	{rules.QuorumShort, "one administrator amends",
		func(w *world) rules.Standing {
			return w.does(w.amendment(func(c *record.Terms) { c.Contact = "new" }), "ada")
		},
		func(w *world) rules.Standing {
			return w.does(w.amendment(func(c *record.Terms) { c.Contact = "new" }), "ada bob")
		}},
	{rules.AmendDelayed, "a shorter lead",
		func(w *world) rules.Standing {
			return w.does(w.amendment(func(c *record.Terms) { c.PolicyLead = 1 }), "ada bob")
		},
		func(w *world) rules.Standing {
			return w.does(w.amendment(func(c *record.Terms) { c.PolicyLead = 48 }), "ada bob")
		}},
	{rules.AmendDelayed, "a lower quorum",
		func(w *world) rules.Standing {
			return w.does(w.amendment(func(c *record.Terms) { c.RegistrarQuorum = 1 }), "ada bob")
		},
		func(w *world) rules.Standing {
			return w.does(w.amendment(func(c *record.Terms) { c.RegistrarQuorum = 3 }), "ada bob")
		}},
	{rules.AmendDelayed, "other witnesses",
		func(w *world) rules.Standing {
			return w.does(w.amendment(func(c *record.Terms) { c.LogKeys, c.Witnesses = []string{logKey().String()}, threeWitnesses() }), "ada bob")
		},
		func(w *world) rules.Standing {
			return w.does(w.amendment(func(c *record.Terms) { c.LogKeys = []string{logKey().String()} }), "ada bob")
		}},
	{rules.AmendDelayed, "a longer tolerance for old decisions",
		func(w *world) rules.Standing {
			return w.does(w.amendment(func(c *record.Terms) { c.DecideTolerance = 25 }), "ada bob")
		},
		func(w *world) rules.Standing {
			return w.does(w.amendment(func(c *record.Terms) { c.DecideTolerance = 0 }), "ada bob")
		}},
	{rules.RecoveryUsed, "the recovery keys sign along, so that it is in force at once",
		func(w *world) rules.Standing {
			s := w.does(w.amendment(func(c *record.Terms) { c.PolicyQuorum, c.PolicyLead = 1, 0 }), "ada bob safe safe2")
			if c, err := rules.ReadCharter(w.state); err != nil || c.Charter.PolicyLead != 0 || c.Pending {
				w.Errorf("the charter in force is %+v, %v", c, err)
			}
			return s
		},
		func(w *world) rules.Standing {
			return w.does(w.amendment(func(c *record.Terms) { c.Contact = "x" }), "ada bob")
		}},
	{rules.QuorumUnreachable, "a quorum that nobody reaches",
		func(w *world) rules.Standing {
			return w.does(w.amendment(func(c *record.Terms) { c.RegistrarQuorum = 4 }), "ada bob")
		},
		func(w *world) rules.Standing {
			return w.does(w.amendment(func(c *record.Terms) { c.RegistrarQuorum = 3 }), "ada bob")
		}},
	{rules.HistoricNotPermitted, "historic_until beyond the first time",
		func(w *world) rules.Standing {
			return w.does(w.amendment(func(c *record.Terms) { c.HistoricUntil = start + 181*day }), "ada bob")
		},
		func(w *world) rules.Standing {
			return w.does(w.amendment(func(c *record.Terms) { c.HistoricUntil = start + 90*day }), "ada bob")
		}},
	{rules.EnrolOtherHolder, "a decider's key as a recovery key",
		func(w *world) rules.Standing {
			return w.does(w.amendment(func(c *record.Terms) { c.Recovery.Keys = append(slices.Clone(c.Recovery.Keys), jwk("dan")) }), "ada bob")
		},
		func(w *world) rules.Standing {
			return w.does(w.amendment(func(c *record.Terms) { c.Recovery.Keys = append(slices.Clone(c.Recovery.Keys), jwk("safe3")) }), "ada bob safe3")
		}},
	{rules.RoleMissing, "a recovery key that was replaced",
		func(w *world) rules.Standing {
			w.must(w.does(w.amendment(func(c *record.Terms) { c.Recovery.Keys = []record.JWK{jwk("safe3"), jwk("safe2")} }), "ada bob"))
			return w.does(w.amendment(func(c *record.Terms) { c.Contact = "x" }), "ada bob safe")
		},
		func(w *world) rules.Standing {
			w.must(w.does(w.amendment(func(c *record.Terms) { c.Recovery.Keys = []record.JWK{jwk("safe3"), jwk("safe2")} }), "ada bob"))
			return w.does(enrolment("tim", "decider"), "safe3 safe2 tim")
		}},
}

// TestAmendmentWaits: what makes the ledger less strict is in force once the old
// lead is over, and not for a void record.
func TestAmendmentWaits(t *testing.T) {
	w := due(t)
	w.must(w.does(w.amendment(func(c *record.Terms) { c.PolicyLead = 0 }), "ada bob"))
	lead := func() int64 {
		t.Helper()
		c, err := rules.ReadCharter(w.state)
		if err != nil {
			t.Fatal(err)
		}
		return c.Charter.PolicyLead
	}
	w.passes(24*hour - 1)
	w.must(w.does(w.decision(record.Decline), "dan eve"))
	if lead() != 24 {
		t.Errorf("lead %d, a second before", lead())
	}
	w.passes(1)
	if s := w.does(w.decision(record.Suspend), "dan eve"); s.Effective() || lead() != 24 {
		t.Errorf("a void record put the amendment in force: %v, lead %d", s.Codes, lead())
	}
	w.must(w.does(w.decision(record.Decline), "dan eve"))
	if lead() != 0 {
		t.Errorf("lead %d, after its time", lead())
	}
	w.replay()
}

// TestInterval: between which times a record was signed, as timemarks show.
func TestInterval(t *testing.T) {
	w := witnessed(t)
	seen, from := w.size(), w.now
	w.passes(hour)
	at := w.size()
	w.must(w.does(w.decision(record.Decline), "dan eve"))
	want := func(not rules.Interval) {
		t.Helper()
		if got, err := rules.ReadInterval(w.state, seen, at); err != nil || got != not {
			t.Errorf("%v, %v; want %v", got, err, not)
		}
	}
	want(rules.Interval{NotBefore: from, Witnessed: true})
	w.passes(minute)
	// Two of three must agree: the second newest is the lower bound, the
	// second oldest the upper one.
	w.must(w.does(w.mark("w1@-30 w2@5 w3@9"), "max"))
	want(rules.Interval{NotBefore: from, NotAfter: w.now + 5, Witnessed: true})
	if now, err := rules.Clock(w.state); err != nil || now != w.now+5 {
		t.Errorf("the clock is %d, %v; want %d", now, err, w.now+5)
	}
	w.must(w.does(w.mark("w1@-3000 w2@-3000"), "max"))
	if now, err := rules.Clock(w.state); err != nil || now != w.now+5 {
		t.Errorf("the clock went back to %d, %v", now, err)
	}
	w.replay()
}

// TestNoHistory: a ledger with witnesses that admits no texts from before it does
// so also before its first timemark.
func TestNoHistory(t *testing.T) {
	w := newWorld(t)
	c := charter()
	c.LogKeys, c.Witnesses, c.HistoricUntil = []string{logKey().String()}, threeWitnesses(), 0
	w.must(w.does(c, founders))
	if s := w.does(oldPolicy(), "bob"); !slices.Equal(s.Codes, []rules.Code{rules.HistoricNotPermitted}) {
		t.Errorf("%v, want historic.not_permitted", s.Codes)
	}
}

// TestLateRatification: a ratification that the witnesses saw too late does not
// count, though its standing stays.
func TestLateRatification(t *testing.T) {
	w := witnessed(t)
	id := w.must(w.does(w.urgent(), "dan"))
	name := w.next(id, record.Warn).Case
	w.marks()
	w.passes(73*hour + 1)
	w.must(w.does(w.ratify(id, id), "rae rob"))
	is := func(want rules.Status) {
		t.Helper()
		if got, err := rules.ReadStatus(w.state, name, id, w.now); err != nil || got.Status != want {
			t.Errorf("%+v, %v; want %s", got, err, want)
		}
	}
	is(rules.InForce) // nothing shows that it came late
	w.marks()
	is(rules.Lapsed)

	w = witnessed(t)
	id = w.must(w.does(w.urgent(), "dan"))
	name = w.next(id, record.Warn).Case
	w.marks()
	w.passes(73 * hour)
	w.must(w.does(w.ratify(id, id), "rae rob"))
	w.marks()
	is(rules.InForce)
}
