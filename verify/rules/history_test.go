package rules_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// TestHistories makes up what happens in ledgers, right and wrong, and demands
// what must hold whatever happens.
func TestHistories(t *testing.T) {
	effective, codes := 0, map[rules.Code]int{}
	for seed := range uint64(4) {
		w := history(t, seed, 100)
		for _, s := range w.standings {
			if s.Effective() {
				effective++
			}
			for _, c := range slices.Concat(s.Codes, s.Findings) {
				codes[c]++
			}
		}
	}
	if effective < 120 || len(codes) < 30 {
		t.Errorf("%d effective records and the codes %v: the histories don't say much", effective, codes)
	}
}

func FuzzHistory(f *testing.F) {
	f.Add(uint64(1), uint8(20))
	f.Add(uint64(99), uint8(40))
	f.Fuzz(func(t *testing.T, seed uint64, steps uint8) { history(t, seed, int(steps)) })
}

// history lets random things happen in a settled world, then checks it.
func history(t *testing.T, seed uint64, steps int) *world {
	w := settled(t)
	h := &teller{w, rand.New(rand.NewPCG(seed, 3)), nil}
	for range steps {
		h.step()
	}
	w.replay()
	w.excerpts()
	w.skipVoid()
	w.invariants()
	if t.Failed() {
		t.Logf("seed %d", seed)
	}
	return w
}

// skipVoid judges the log without its void records, each at its index: nothing
// may depend on them.
func (w *world) skipVoid() {
	w.Helper()
	state := rules.NewMemory()
	fold := rules.New(state, w, verify.OpenTimemark)
	for i, want := range w.standings {
		if !want.Effective() {
			continue
		}
		if got, err := fold.Apply(int64(i), w.checked[i]); err != nil || !sameStanding(got, want) {
			w.Errorf("record %d: %+v, without the void ones %+v, %v", i, want, got, err)
		}
	}
	if !sameState(state, w.state) {
		w.Errorf("the state without the void records is another")
	}
}

// A teller makes up a history. Most of what it tells is nearly right.
type teller struct {
	*world
	*rand.Rand
	acts []record.ID // effective decisions and ratifications
}

func pick[T any](h *teller, from ...T) T { return from[h.IntN(len(from))] }

func (h *teller) rarely() bool { return h.IntN(12) == 0 }

var people = []string{"ada", "bob", "cleo", "dan", "dan2", "eve", "fay", "pat", "rae", "rob", "ray", "max", "tim", "tom", "safe", "safe2"}

// sign lets some sign, mostly as they should.
func (h *teller) signs(p record.Payload, names ...string) []byte {
	var all []signing
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		s := signing{name: name}
		if h.rarely() {
			next, err := rules.NextSeq(h.state, kid(name))
			if err != nil {
				h.Fatal(err)
			}
			s.seq = max(1, next+h.Int64N(6)-3)
		}
		if h.rarely() {
			s.iat = h.now + h.Int64N(2000) - 1000
		}
		if h.IntN(3) == 0 {
			size := 1 + h.Int64N(h.size())
			seen := record.SeenTree(size, h.root(size))
			if h.rarely() {
				seen.Size = 1 + h.Int64N(h.size()+2)
			}
			s.seen = &seen
		}
		all = append(all, s)
	}
	return h.world.sign(p, all...).Bytes()
}

func (h *teller) some(n int, from ...string) []string {
	if h.rarely() {
		from = people
	}
	var names []string
	for range n {
		names = append(names, pick(h, from...))
	}
	return names
}

func (h *teller) step() {
	h.passes(pick(h, int64(0), 1, 59, 61, hour, 5*hour, 26*hour))
	var b []byte
	switch n := h.IntN(100); {
	case n < 14:
		name := pick(h, people...)
		p := enrolment(name, pick(h, "decider", "decider ratifier", "registrar administration", "policy", "ratifier", "administration registrar decider"))
		if h.IntN(4) == 0 {
			p.ValidUntil = record.Time(h.now + h.Int64N(60*day))
		}
		if h.rarely() {
			p.Holder = "tim"
		}
		b = h.signs(p, append(h.some(3, "ada", "bob", "cleo"), name)...)
	case n < 17:
		name := pick(h, people...)
		b = h.signs(revocation(name, pick(h, record.Retired, record.Retired, record.Lost, record.Compromised)),
			pick(h, []string{name}, h.some(2, "ada", "bob", "cleo"), h.some(3, "safe", "safe2"), h.some(2, "ada", name))...)
	case n < 23:
		b = h.signs(h.policy(), h.some(1, "pat", "pat", "bob")...)
	case n < 25:
		b = h.signs(repeal(pick(h, "new", "new", "old", "none", "use"), h.now+h.Int64N(5*day)), "pat")
	case n < 26:
		b = h.signs(charter(), h.some(3, "ada", "bob", "cleo")...)
	case n < 29:
		if i := h.IntN(len(h.checked)); h.checked[i] != (record.Checked{}) {
			b = h.checked[i].Bytes() // once more
		} else {
			return
		}
	case n < 42 && len(h.acts) > 0:
		id := pick(h, h.acts[max(0, len(h.acts)-6):]...)
		b = h.signs(h.ratify(id, h.newest(id)), h.some(3, "rae", "rob", "ray", "eve", "dan2")...)
	default:
		b = h.signs(h.decide(), h.some(2+h.IntN(2), "dan", "dan2", "eve", "fay", "ray")...)
	}
	if s := h.submit(b); s.Effective() {
		switch h.checked[len(h.checked)-1].Payload().(type) {
		case *record.Decision, *record.Ratification:
			h.acts = append(h.acts, s.ID)
		}
	}
}

func (h *teller) policy() record.Payload {
	p := pick(h, usePolicy(1), newPolicy(h.now), oldPolicy())
	p.Version = 1
	for i, c := range h.checked {
		if q, ok := h.payload(i, c).(*record.PolicyPublish); ok && q.Policy == p.Policy {
			p.Version = q.Version + 1
		}
	}
	if h.rarely() {
		p.Version++
	}
	return p
}

// payload returns that of an effective record, else nil.
func (w *world) payload(i int, c record.Checked) record.Payload {
	if !w.standings[i].Effective() {
		return nil
	}
	return c.Payload()
}

// newest returns the newest act of a case, mostly.
func (h *teller) newest(of record.ID) record.ID {
	name := h.next(of, record.Decline).Case
	newest := of
	for i, c := range h.checked {
		switch p := h.payload(i, c).(type) {
		case *record.Decision:
			if p.Case == name {
				newest = c.ID()
			}
		case *record.Ratification:
			if p.Case == name {
				newest = c.ID()
			}
		}
	}
	if h.rarely() {
		return of
	}
	return newest
}

func (h *teller) decide() *record.Decision {
	// What fits together, mostly: an action, a layer, a clause.
	fit := pick(h, [3]string{"suspend", "hosting", "host"}, [3]string{"restrict", "hosting", "host"}, [3]string{"terminate", "hosting", "two"},
		[3]string{"warn", "cdn_proxy", "shield"}, [3]string{"warn", "hosting", "late"}, [3]string{"decline", "dns", ""}, [3]string{"forward", "other", ""},
		[3]string{"reinstate", "hosting", "host"}, [3]string{"reinstate", "hosting", "late"})
	action := record.Action(fit[0])
	if h.rarely() {
		action = pick(h, record.Actions...)
	}
	d := h.decision(action)
	if len(h.acts) > 0 && h.IntN(2) == 0 {
		prev := h.newest(pick(h, h.acts...))
		d = h.next(prev, action)
		if h.rarely() {
			d.Prev = ""
		}
	} else if action == record.Reinstate && !h.rarely() {
		d.Action = record.Suspend
	}
	d.ServiceLayer = record.ServiceLayer(fit[1])
	if h.rarely() {
		d.ServiceLayer = pick(h, record.ServiceLayers...)
	}
	if fit[2] != "" && !h.rarely() {
		d.Grounds = append(d.Grounds, h.clause(fit[2]))
	}
	if h.rarely() {
		h.cite(d)
	}
	switch h.IntN(9) {
	case 0:
		d.Emergency = &record.Harm{Harm: pick(h, "life", "life", "reputation")}
		d.Grounds = nil
		d.Grounds = append(d.Grounds, h.clause("urgent"))
	case 1:
		ago := h.Int64N(20 * day)
		d.DecidedAt, d.EffectiveAt = record.Time(h.now-ago), record.Time(h.now-ago)
		if !h.rarely() {
			d.Retrospective = &record.Retrospective{Why: "w"}
			d.Grounds = []record.Ground{h.clause("late")}
		}
	case 2:
		if d.Action == record.Reinstate && len(h.acts) > 0 {
			d.Grounds = []record.Ground{{Record: pick(h, h.acts...)}}
		}
	}
	if h.rarely() {
		d.Subject.Ref = ref(fmt.Sprint(h.IntN(5)))
	}
	return d
}

func (h *teller) cite(d *record.Decision) {
	d.Grounds = append(d.Grounds, h.clause(pick(h, "host", "host", "shield", "two", "urgent", "late", "old", "none")))
}

// clause cites a clause of that name in the newest policy that has it, mostly.
func (h *teller) clause(name string) record.Ground {
	g := h.ground("use/1/host")
	g.Clause = name
	for i, c := range h.checked {
		p, ok := h.payload(i, c).(*record.PolicyPublish)
		if ok && slices.ContainsFunc(p.Clauses, func(l record.Clause) bool { return l.Clause == name }) && h.IntN(3) > 0 {
			g.Policy, g.Version, g.Record = p.Policy, p.Version, c.ID()
		}
	}
	return g
}

// invariants checks what must be true of every effective record, with nothing
// but the log, its standings and the words of docs/format.md.
func (w *world) invariants() {
	w.Helper()
	type person struct {
		holder string
		roles  []record.Role
		over   bool
	}
	people, used, tips := map[string]person{}, map[string]bool{}, map[string]record.ID{}
	policies, signed := map[record.ID]*record.PolicyPublish{}, map[record.ID][]string{}
	waits := map[record.ID]bool{}         // decisions that have to be ratified
	compromised := map[string]bool{}      // keys that were revoked as such
	acted := map[string]map[string]bool{} // keys that signed acts, by case
	for i, c := range w.checked {
		p := w.payload(i, c)
		if p == nil {
			continue
		}
		fail := func(why string, args ...any) {
			w.Helper()
			w.Errorf("record %d (%s) is effective, but %s", i, p.Head().Type, fmt.Sprintf(why, args...))
		}
		if e, ok := p.(*record.KeyEnrol); ok { // its own signature counts for nothing
			people[e.JWK.KID()] = person{holder: e.Holder, roles: nil}
		}
		var holders []string
		with := map[record.Role]map[string]bool{}
		for _, h := range c.Headers() {
			who, known := people[h.KID]
			if i > 0 && (!known || who.over) {
				fail("key %s is not in force", h.KID)
			}
			if number := fmt.Sprint(h.KID, h.Seq); used[number] {
				fail("number %d of %s was used before", h.Seq, h.KID)
			} else {
				used[number] = true
			}
			if h.Seen.Size > int64(i) || h.Seen.Size > 0 && w.root(h.Seen.Size) != h.Seen.Hash() {
				fail("it has seen %+v", h.Seen)
			}
			holders = append(holders, who.holder)
			for _, r := range who.roles {
				if with[r] == nil {
					with[r] = map[string]bool{}
				}
				with[r][who.holder] = true
			}
		}
		if act, ok := p.(record.Act); ok {
			name, _ := act.Place()
			for _, h := range c.Headers() {
				if acted[name] == nil {
					acted[name] = map[string]bool{}
				}
				acted[name][h.KID] = true
			}
		}
		switch p := p.(type) {
		case *record.Charter:
			if i != 0 {
				fail("it is not the first record")
			}
			for _, f := range p.Founders {
				people[f.JWK.KID()] = person{holder: f.Holder, roles: f.Roles}
			}
			for _, k := range p.Recovery.Keys {
				people[k.KID()] = person{holder: k.KID(), roles: []record.Role{"recovery"}}
			}
		case *record.KeyEnrol:
			if len(with[record.RoleRegistrar]) < 2 && len(with["recovery"]) < 2 {
				fail("%d registrars signed", len(with[record.RoleRegistrar]))
			}
			people[p.JWK.KID()] = person{holder: p.Holder, roles: p.Roles}
		case *record.KeyRevoke:
			own := len(holders) == 1 && c.Headers()[0].KID == p.KID
			one := p.Reason == record.Compromised && len(with[record.RoleRegistrar]) > 0
			if len(with[record.RoleRegistrar]) < 2 && len(with["recovery"]) < 2 && !own && !one {
				fail("%d registrars signed", len(with[record.RoleRegistrar]))
			}
			who := people[p.KID]
			who.over = true
			if p.Reason == record.Compromised {
				compromised[p.KID] = true
			}
			people[p.KID] = who
		case *record.PolicyPublish:
			if len(with[record.RolePolicy]) < 1 {
				fail("no policy owner signed")
			}
			policies[c.ID()] = p
		case *record.Decision:
			if tips[p.Case] != p.Prev {
				fail("the newest act of its case is %q, not %q", tips[p.Case], p.Prev)
			}
			tips[p.Case], signed[c.ID()] = c.ID(), holders
			waits[c.ID()] = p.Emergency != nil || p.Retrospective != nil
			need := int64(2)
			if slices.Contains([]record.Action{record.Terminate, record.Suspend, record.Restrict, record.Warn}, p.Action) && len(p.Grounds) == 0 {
				fail("it has no ground")
			}
			for n, g := range p.Grounds {
				if g.Policy == "" {
					continue
				}
				l := slices.IndexFunc(policies[g.Record].Clauses, func(l record.Clause) bool { return l.Clause == g.Clause })
				clause := policies[g.Record].Clauses[l]
				if n == 0 {
					need = 0
				}
				quorum := clause.Quorum.Count
				if p.Emergency != nil {
					quorum = clause.Emergency.Quorum.Count
				}
				need = max(need, quorum)
				if !slices.ContainsFunc(clause.Permits, func(q record.Permit) bool {
					return slices.Contains(q.Actions, p.Action) && slices.Contains(q.ServiceLayers, p.ServiceLayer)
				}) {
					fail("clause %s does not permit %s on %s", g.Clause, p.Action, p.ServiceLayer)
				}
			}
			if int64(len(with[record.RoleDecider])) < need {
				fail("%d deciders signed of %d", len(with[record.RoleDecider]), need)
			}
		case *record.Ratification:
			if tips[p.Case] != p.Prev {
				fail("the newest act of its case is %q, not %q", tips[p.Case], p.Prev)
			}
			tips[p.Case] = c.ID()
			// It approves what waits for that, or confirms what a key signed
			// that was compromised: then the other signers may sign again.
			barred := signed[p.Decision]
			if !waits[p.Decision] {
				barred = nil
				for kid := range compromised {
					if acted[p.Case][kid] {
						barred = append(barred, people[kid].holder)
					}
				}
				if len(barred) == 0 {
					fail("its decision waits for nothing")
				}
			}
			delete(waits, p.Decision)
			for _, h := range holders {
				if slices.Contains(barred, h) {
					fail("%s signed the decision, too", h)
				}
			}
		}
	}
	if len(used) == 0 {
		w.Error("nobody signed anything")
	}
}
