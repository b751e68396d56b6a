package rules_test

import (
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

const (
	origin = "ledger.example.com/2026"
	start  = 1790000000 // when the charter is signed
	minute = 60
	hour   = 3600
	day    = 24 * hour
)

// A world is a small ledger: a log, the state of the rules, people with keys,
// and a clock. Whatever is submitted goes into the log, void or not.
type world struct {
	testing.TB
	state     *rules.Memory
	fold      *rules.Fold
	now       int64
	hashes    []tlog.Hash // of the tree, as tlog stores them
	bytes     [][]byte
	checked   []record.Checked
	standings []rules.Standing
	cases     int
	settled   int // how many records there were when it was copied
}

// newWorld is a ledger before its charter.
func newWorld(t testing.TB) *world {
	w := &world{TB: t, state: rules.NewMemory(), now: start}
	w.fold = rules.New(w.state, w, verify.OpenTimemark)
	return w
}

func (w *world) size() int64 { return int64(len(w.standings)) }

// Root implements rules.Roots. It must not be asked for what is not there.
func (w *world) Root(size int64) (tlog.Hash, error) {
	if size < 1 || size > w.size() {
		w.Errorf("asked for the root at size %d of %d", size, w.size())
	}
	return tlog.TreeHash(size, tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) {
		var out []tlog.Hash
		for _, i := range at {
			out = append(out, w.hashes[i])
		}
		return out, nil
	}))
}

func (w *world) root(size int64) tlog.Hash {
	w.Helper()
	root, err := w.Root(size)
	if err != nil {
		w.Fatal(err)
	}
	return root
}

// Origin and Key make a world the record.Keys of its ledger.
func (w *world) Origin() string {
	if c, err := rules.ReadCharter(w.state); err == nil && c != nil {
		return c.Charter.Ledger
	}
	return ""
}

func (w *world) Key(kid string) crypto.PublicKey {
	k, err := rules.ReadKey(w.state, kid)
	if err != nil || k == nil {
		return nil
	}
	key, err := k.JWK.Key()
	if err != nil {
		w.Fatal(err)
	}
	return key
}

// key returns the key of a name: "dan" is the first key of dan, "dan2" the
// second one.
func key(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func jwk(name string) record.JWK {
	k, err := record.NewJWK(key(name).Public())
	if err != nil {
		panic(err)
	}
	return k
}

func kid(name string) string { return jwk(name).KID() }

// A signing is how somebody signs: all but the name may be given.
type signing struct {
	name     string
	iat, seq int64
	seen     *record.Seen
}

// by is how people usually sign: now, with their next number, having seen the
// newest tree.
func by(names string) []signing {
	var all []signing
	for _, name := range strings.Fields(names) {
		all = append(all, signing{name: name})
	}
	return all
}

// sign makes a record.
func (w *world) sign(p record.Payload, signings ...signing) *record.Unverified {
	w.Helper()
	if p.Head().Ledger == "" {
		p.Head().Ledger = origin
	}
	u, err := record.NewDraft(p)
	if err != nil {
		w.Fatal(err)
	}
	for _, s := range signings {
		if s.iat == 0 {
			s.iat = w.now
		}
		if s.seq == 0 {
			if s.seq, err = rules.NextSeq(w.state, kid(s.name)); err != nil {
				w.Fatal(err)
			}
		}
		if s.seen == nil {
			seen := record.SeenNothing
			if w.size() > 0 {
				seen = record.SeenTree(w.size(), w.root(w.size()))
			}
			s.seen = &seen
		}
		if u, err = u.Sign(key(s.name), s.iat, s.seq, *s.seen); err != nil {
			w.Fatal(err)
		}
	}
	return u
}

// submit puts bytes into the log and judges them. A void record must leave the
// state as it was, to the byte.
func (w *world) submit(b []byte) rules.Standing {
	w.Helper()
	before := w.state.Clone()
	index := w.size()
	var s rules.Standing
	c, err := record.Open(b, w)
	if err != nil {
		s = rules.Void(index, b, err)
	} else if s, err = w.fold.Apply(index, c); err != nil {
		w.Fatal(err)
	}
	if s.Index != index || s.ID != record.IDOf(b) {
		w.Errorf("standing %+v, want index %d and id %s", s, index, record.IDOf(b))
	}
	if !slices.IsSorted(s.Codes) || !slices.IsSorted(s.Findings) {
		w.Errorf("standing %+v is not sorted", s)
	}
	if !s.Effective() && !sameState(before, w.state) {
		w.Errorf("the void record %d (%v) changed the state", index, s.Codes)
	}
	w.log(b)
	w.bytes = append(w.bytes, b)
	w.checked = append(w.checked, c)
	w.standings = append(w.standings, s)
	return s
}

func (w *world) log(b []byte) {
	w.Helper()
	hashes, err := tlog.StoredHashes(w.size(), b, tlog.HashReaderFunc(func(at []int64) ([]tlog.Hash, error) {
		var out []tlog.Hash
		for _, i := range at {
			out = append(out, w.hashes[i])
		}
		return out, nil
	}))
	if err != nil {
		w.Fatal(err)
	}
	w.hashes = append(w.hashes, hashes...)
}

func sameState(a, b *rules.Memory) bool { return dump(a) == dump(b) }

// dump is a state as one text.
func dump(m *rules.Memory) string {
	var rows []string
	for key, value := range m.All() {
		rows = append(rows, fmt.Sprintf("%q = %x\n", key, value))
	}
	slices.Sort(rows)
	return strings.Join(rows, "")
}

// does signs as people usually do, and submits.
func (w *world) does(p record.Payload, names string) rules.Standing {
	w.Helper()
	return w.submit(w.sign(p, by(names)...).Bytes())
}

// must submits what has to be effective, and returns its id.
func (w *world) must(s rules.Standing) record.ID {
	w.Helper()
	if !s.Effective() {
		w.Fatalf("record %d is void: %v", s.Index, s.Codes)
	}
	return s.ID
}

func (w *world) passes(seconds int64) { w.now += seconds }

func roles(s string) (all []record.Role) {
	for _, r := range strings.Fields(s) {
		all = append(all, record.Role(r))
	}
	return all
}

func charter() *record.Charter {
	return &record.Charter{
		Terms: record.Terms{AdministrationQuorum: 2, RegistrarQuorum: 2, PolicyQuorum: 1, DefaultQuorum: 2,
			Contact: "abuse@example.com", DecideTolerance: 24, DraftLife: 720, HistoricUntil: start + 100*day, Lang: "en",
			LogKeys: []string{"vkey"}, Operator: "Example Ltd", PolicyLead: 24, SubjectKeyHash: ref("key"), Tolerance: 300,
			Witnesses: []string{"quorum none"}, Rules: 1,
			Recovery: record.Recovery{Keys: []record.JWK{jwk("safe"), jwk("safe2")}, Quorum: 2}},
		Founders: []record.Founder{
			{Holder: "ada", JWK: jwk("ada"), Roles: roles("administration registrar")},
			{Holder: "bob", JWK: jwk("bob"), Roles: roles("administration registrar policy")},
			{Holder: "cleo", JWK: jwk("cleo"), Roles: roles("administration registrar")},
		},
	}
}

const founders = "ada bob cleo safe safe2"

// ref is the pseudonym of a subject.
func ref(name string) string {
	sum := sha256.Sum256([]byte(name))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// enrolment is of the key of a name; the holder is the name without its digit.
func enrolment(name, rolesOf string) *record.KeyEnrol {
	return &record.KeyEnrol{Holder: strings.TrimRight(name, "0123456789"), JWK: jwk(name), Roles: roles(rolesOf)}
}

func revocation(name, reason string) *record.KeyRevoke {
	p := &record.KeyRevoke{KID: kid(name), Reason: reason}
	if reason == record.Compromised {
		p.Since = start
	}
	return p
}

func quorum(n int64, role record.Role) record.Quorum { return record.Quorum{Count: n, Role: role} }

func actions(s string) (all []record.Action) {
	for _, a := range strings.Fields(s) {
		all = append(all, record.Action(a))
	}
	return all
}

func clause(name string, deciders int64, layers, permitted string) record.Clause {
	var on []record.ServiceLayer
	for _, l := range strings.Fields(layers) {
		on = append(on, record.ServiceLayer(l))
	}
	return record.Clause{Clause: name, Title: name, Text: name, Quorum: quorum(deciders, record.RoleDecider),
		Permits: []record.Permit{{Actions: actions(permitted), ServiceLayers: on}}}
}

// usePolicy is the policy "use": its clauses differ by layer, and in what they
// allow besides.
func usePolicy(version int64) *record.PolicyPublish {
	two := clause("two", 1, "hosting", "terminate suspend restrict")
	two.Permits = append(two.Permits, record.Permit{Actions: actions("warn"), ServiceLayers: []record.ServiceLayer{"cdn_proxy"}})
	urgent := clause("urgent", 2, "hosting security", "terminate suspend restrict warn")
	urgent.Emergency = &record.Emergency{Harms: []string{"life", "children"}, Quorum: quorum(1, record.RoleDecider),
		Ratifiers: quorum(2, record.RoleRatifier), RatifyWithin: 72}
	late := clause("late", 1, "hosting", "terminate suspend restrict warn decline forward reinstate")
	late.Retrospective = &record.Afterwards{Ratifiers: quorum(1, record.RoleDecider), RatifyWithin: 48}
	return &record.PolicyPublish{EffectiveFrom: start, Lang: "en", Policy: "use", Title: "Use", Version: version, Clauses: []record.Clause{
		clause("host", 2, "hosting", "terminate suspend restrict reinstate"),
		clause("shield", 1, "security cdn_proxy", "warn restrict"),
		two, urgent, late,
	}}
}

// oldPolicy is a text from before the ledger.
func oldPolicy() *record.PolicyPublish {
	return &record.PolicyPublish{EffectiveFrom: start - 1000*day, Lang: "en", Policy: "old", Title: "Old", Version: 1,
		Historic: &record.Historic{Source: "https://example.com/2019"}, Clauses: []record.Clause{clause("old", 1, "hosting", "terminate decline")}}
}

// A settled world is one where business goes on: people are enrolled, policies
// published and in force. It is made once and copied.
func settled(t testing.TB) *world {
	t.Helper()
	return settledOnce().copy(t)
}

// copy returns a world that goes its own way from here.
func (base *world) copy(t testing.TB) *world {
	w := newWorld(t)
	w.state, w.now, w.cases = base.state.Clone(), base.now, base.cases
	w.fold = rules.New(w.state, w, verify.OpenTimemark)
	w.settled = len(base.standings)
	w.hashes, w.checked, w.standings = slices.Clone(base.hashes), slices.Clone(base.checked), slices.Clone(base.standings)
	w.bytes = slices.Clone(base.bytes)
	return w
}

var settledOnce = sync.OnceValue(func() *world {
	w := newWorld(&outside{})
	w.must(w.does(charter(), founders))
	for _, who := range []string{"dan decider", "dan2 decider", "eve decider", "fay decider", "pat policy", "rae ratifier", "rob ratifier",
		"ray ratifier decider", "max machine"} {
		name, rolesOf, _ := strings.Cut(who, " ")
		w.passes(minute)
		w.must(w.does(enrolment(name, rolesOf), "ada bob "+name))
	}
	w.must(w.does(usePolicy(1), "pat"))
	w.must(w.does(oldPolicy(), "pat"))
	w.passes(25 * hour)
	return w
})

// outside is a testing.TB for what is made outside of any test.
type outside struct{ testing.TB }

func (*outside) Helper()                   {}
func (*outside) Errorf(s string, a ...any) { panic(fmt.Sprintf(s, a...)) }
func (*outside) Fatalf(s string, a ...any) { panic(fmt.Sprintf(s, a...)) }
func (*outside) Fatal(a ...any)            { panic(fmt.Sprint(a...)) }

// policyID returns the id of the record that published a version.
func (w *world) policyID(policy string, version int64) record.ID {
	w.Helper()
	for i, c := range w.checked {
		if !w.standings[i].Effective() {
			continue
		}
		if p, ok := c.Payload().(*record.PolicyPublish); ok && p.Policy == policy && p.Version == version {
			return w.standings[i].ID
		}
	}
	w.Fatalf("no version %d of policy %s", version, policy)
	return ""
}

// ground cites a clause as "policy/version/clause".
func (w *world) ground(s string) record.Ground {
	w.Helper()
	var g record.Ground
	parts := strings.Split(s, "/")
	if _, err := fmt.Sscan(parts[1], &g.Version); err != nil {
		w.Fatal(err)
	}
	g.Policy, g.Clause, g.Record = parts[0], parts[2], w.policyID(parts[0], g.Version)
	return g
}

// decision opens a new case about a new subject, on hosting, taken now.
func (w *world) decision(action record.Action, grounds ...string) *record.Decision {
	w.Helper()
	w.cases++
	name := fmt.Sprintf("case-%d", w.cases)
	d := &record.Decision{
		Action: action, Automation: record.Automation{Decision: "none", Detection: "manual"}, Case: name,
		DecidedAt: record.Time(w.now), EffectiveAt: record.Time(w.now), Facts: "f", Lang: "en", Reasons: "r", ServiceLayer: "hosting",
		Subject: record.Subject{Ref: ref(name), Type: "domain"}, Trigger: record.Trigger{Kind: "own_initiative"},
	}
	for _, g := range grounds {
		d.Grounds = append(d.Grounds, w.ground(g))
	}
	return d
}

// next continues the case of an earlier act.
func (w *world) next(prev record.ID, action record.Action, grounds ...string) *record.Decision {
	w.Helper()
	d := w.decision(action, grounds...)
	d.Prev = prev
	for i, s := range w.standings {
		if s.ID != prev {
			continue
		}
		switch p := w.checked[i].Payload().(type) {
		case *record.Decision:
			d.Case, d.Subject = p.Case, p.Subject
		case *record.Ratification:
			return w.sameCase(d, p.Decision)
		case *record.Intake:
			d.Case, d.Subject = p.Case, p.Subject
		case *record.Ruling:
			for j, appeal := range w.standings {
				if appeal.ID == p.Appeal {
					return w.sameCase(d, w.checked[j].Payload().(*record.Appeal).Decision)
				}
			}
		}
	}
	return d
}

func (w *world) sameCase(d *record.Decision, of record.ID) *record.Decision {
	e := w.next(of, d.Action)
	d.Case, d.Subject = e.Case, e.Subject
	return d
}

// urgent is an emergency decision under the clause that allows it.
func (w *world) urgent() *record.Decision {
	w.Helper()
	d := w.decision(record.Suspend, "use/1/urgent")
	d.Emergency = &record.Harm{Harm: "life"}
	return d
}

// late is a decision that was taken ten days ago; it says so.
func (w *world) late(action record.Action, grounds ...string) *record.Decision {
	w.Helper()
	d := w.decision(action, grounds...)
	d.DecidedAt, d.EffectiveAt = record.Time(w.now-10*day), record.Time(w.now-10*day)
	d.Retrospective = &record.Retrospective{Why: "the office was closed"}
	return d
}

// ratify approves a decision; prev is the newest act of its case.
func (w *world) ratify(decision, prev record.ID) *record.Ratification {
	w.Helper()
	return &record.Ratification{Case: w.next(decision, record.Warn).Case, Decision: decision, Lang: "en", Prev: prev, Reasons: "r"}
}

// replay judges the whole log again, with another State, and demands the same.
func (w *world) replay() {
	w.Helper()
	again := newWorld(w.TB)
	again.fold = rules.New(again.state, w, verify.OpenTimemark)
	for i, c := range w.checked {
		want := w.standings[i]
		if c == (record.Checked{}) {
			continue // package record refused it
		}
		got, err := again.fold.Apply(int64(i), c)
		if err != nil {
			w.Fatal(err)
		}
		if !sameStanding(got, want) {
			w.Errorf("record %d: %+v, a second time %+v", i, want, got)
		}
	}
	if a, b := dump(w.state), dump(again.state); a != b {
		w.Errorf("the state is\n%s\nafter a second time\n%s", a, b)
	}
}

func sameStanding(a, b rules.Standing) bool {
	return a.Index == b.Index && a.ID == b.ID && slices.Equal(a.Codes, b.Codes) && slices.Equal(a.Findings, b.Findings)
}
