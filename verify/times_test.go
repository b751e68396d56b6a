package verify_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// A chronicle is a small log with timemarks, all of whose keys are known: what a
// hostile operator with many friends can make.
type chronicle struct {
	testing.TB
	key     *signer
	entries [][]byte
	seq     map[string]int64
}

const t0 = 1790000000 // when chronicles begin

func personKey(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("person " + name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func jwkOf(name string) record.JWK {
	k, err := record.NewJWK(personKey(name).Public())
	if err != nil {
		panic(err)
	}
	return k
}

func witnessKey(t testing.TB, name string, at int64) *signer {
	s := newSigner(t, name, verify.Ed25519Cosignature, name)
	s.time = uint64(at)
	return s
}

// twoOfThree are the lines of a policy of which two witnesses must cosign.
func twoOfThree(t testing.TB, names ...string) []string {
	var lines []string
	for _, n := range names {
		lines = append(lines, "witness "+n+" "+witnessKey(t, n, 0).String())
	}
	return append(lines, "group two 2 "+strings.Join(names, " "), "quorum two")
}

// newChronicle has a charter at index 0 and a policy at 1. Every quorum is one.
func newChronicle(t testing.TB) *chronicle {
	c := &chronicle{TB: t, key: newSigner(t, origin, verify.Ed25519, "log"), seq: map[string]int64{}}
	c.log(&record.Charter{Terms: c.terms(), Founders: []record.Founder{
		{Holder: "ada", JWK: jwkOf("ada"), Roles: []record.Role{record.RoleAdministration, record.RoleRegistrar, record.RolePolicy}},
		{Holder: "dan", JWK: jwkOf("dan"), Roles: []record.Role{record.RoleDecider}},
		{Holder: "eve", JWK: jwkOf("eve"), Roles: []record.Role{record.RoleDecider}},
		{Holder: "max", JWK: jwkOf("max"), Roles: []record.Role{record.RoleMachine}},
	}}, 0, "ada", "dan", "eve", "max", "rae")
	c.log(&record.PolicyPublish{Policy: "abuse", Version: 1, Title: "Abuse", Lang: "en", EffectiveFrom: t0, Clauses: []record.Clause{{
		Clause: "a", Title: "A", Text: "Malware may be removed.", Quorum: record.Quorum{Role: record.RoleDecider, Count: 1},
		Permits: []record.Permit{{Actions: record.Actions, ServiceLayers: []record.ServiceLayer{"hosting"}}}}}}, 1, "ada")
	return c
}

func (c *chronicle) terms() record.Terms {
	hash := sha256.Sum256([]byte("subjects"))
	return record.Terms{AdministrationQuorum: 1, RegistrarQuorum: 1, PolicyQuorum: 1, DefaultQuorum: 1, Contact: "c", DecideTolerance: 24,
		DraftLife: 720, Lang: "en", LogKeys: []string{c.key.String()}, Operator: "o", Rules: 1, Tolerance: 300,
		Recovery:       record.Recovery{Keys: []record.JWK{jwkOf("rae")}, Quorum: 1},
		SubjectKeyHash: base64.RawURLEncoding.EncodeToString(hash[:]), Witnesses: twoOfThree(c.TB, "w1", "w2", "w3")}
}

// tree is the log of the first size entries.
func (c *chronicle) tree(size int64) *verify.Tree {
	l := newForgedLog(c.TB, c.key, c.entries[:size]...)
	s, err := l.policy.Open(l.files["checkpoint"].Data)
	if err != nil {
		c.Fatal(err)
	}
	return s.Tree(verify.DirSource(l.files))
}

// checkpoint is that of a tree, cosigned: "w1@100" is w1, 100 seconds from t0.
func (c *chronicle) checkpoint(cp verify.Checkpoint, cosigned string) []byte {
	c.Helper()
	signers := []*signer{c.key}
	for _, w := range strings.Fields(cosigned) {
		name, at, _ := strings.Cut(w, "@")
		var s int64
		if _, err := fmt.Sscan(at, &s); err != nil {
			c.Fatal(err)
		}
		signers = append(signers, witnessKey(c.TB, name, t0+s))
	}
	return signNote(c.TB, cp.Text(), signers...)
}

// sign signs p at t0, having seen trees of size seen.
func (c *chronicle) sign(p record.Payload, seen []record.Seen, names ...string) []byte {
	c.Helper()
	p.Head().Ledger = origin
	u, err := record.NewDraft(p)
	for i, name := range names {
		c.seq[name]++
		if err == nil {
			u, err = u.Sign(personKey(name), t0, c.seq[name], seen[min(i, len(seen)-1)])
		}
	}
	if err != nil {
		c.Fatal(err)
	}
	return u.Bytes()
}

func (c *chronicle) seen(size int64) record.Seen {
	if size == 0 {
		return record.SeenNothing
	}
	return record.SeenTree(size, c.tree(size).Checkpoint().Root)
}

func (c *chronicle) log(p record.Payload, seen int64, names ...string) int64 {
	c.Helper()
	c.entries = append(c.entries, c.sign(p, []record.Seen{c.seen(seen)}, names...))
	return int64(len(c.entries)) - 1
}

// mark logs a timemark of the newest tree.
func (c *chronicle) mark(cosigned string) int64 {
	c.Helper()
	size := int64(len(c.entries))
	return c.log(&record.Timemark{Checkpoint: string(c.checkpoint(c.tree(size).Checkpoint(), cosigned))}, size, "max")
}

func (c *chronicle) decision() *record.Decision {
	ref := sha256.Sum256([]byte("subject"))
	policy, err := record.Parse(c.entries[1])
	if err != nil {
		c.Fatal(err)
	}
	return &record.Decision{Action: record.Suspend, Automation: record.Automation{Decision: "none", Detection: "manual"}, Case: fmt.Sprintf("case-%d", len(c.entries)),
		DecidedAt: t0, EffectiveAt: t0, Facts: "f", Reasons: "r", Lang: "en", ServiceLayer: "hosting", Trigger: record.Trigger{Kind: "notice"},
		Grounds: []record.Ground{{Policy: "abuse", Version: 1, Clause: "a", Record: policy.ID()}},
		Subject: record.Subject{Ref: base64.RawURLEncoding.EncodeToString(ref[:]), Type: "domain"}}
}

func (c *chronicle) link(index, size int64) verify.Link {
	c.Helper()
	proof, err := c.tree(size).Prove(context.Background(), index)
	if err != nil {
		c.Fatal(err)
	}
	return verify.Link{Index: index, Size: size, Proof: proof}
}

// receipt is the full receipt of a record in the whole log, with every other record
// up to last as support.
func (c *chronicle) receipt(index, last int64, cosigned string, links ...verify.Link) verify.Receipt {
	c.Helper()
	size := int64(len(c.entries))
	e := verify.Extra{Record: c.entries[index], Seen: links}
	for i := range last + 1 {
		if i != index {
			e.Support = append(e.Support, verify.Support{Index: i, Record: c.entries[i], Proof: c.link(i, size).Proof})
		}
	}
	extra, err := e.Marshal()
	if err != nil {
		c.Fatal(err)
	}
	return verify.Receipt{Extra: extra, Index: index, Proof: c.link(index, size).Proof, Checkpoint: c.checkpoint(c.tree(size).Checkpoint(), cosigned)}
}

// trust is a policy with the log's key.
func (c *chronicle) trust(lines ...string) *verify.Policy {
	return parsePolicy(c.TB, append([]string{"log " + c.key.String()}, lines...)...)
}

// dated is a chronicle with timemarks 2 and 3, a decision 4 that saw both, and
// timemark 5 after it.
func dated(t testing.TB) *chronicle {
	c := newChronicle(t)
	c.mark("w1@100 w2@110")         // 2, covers the policy
	c.mark("w2@200 w3@230 w1@9000") // 3: of w1's clock nothing depends
	c.log(c.decision(), 4, "dan")   // 4
	c.mark("w1@300 w3@320")         // 5, covers the decision
	return c
}

func proven(at int64) verify.Bound  { return verify.Bound{At: t0 + at, Proven: true} }
func claimed(at int64) verify.Bound { return verify.Bound{At: t0 + at} }

// TestReceiptTimes: what a receipt proves of the time, and to whom.
func TestReceiptTimes(t *testing.T) {
	c := dated(t)
	head := "w1@1000 w2@1010"
	seen, public, there := c.link(3, 4), c.link(1, 2), c.link(4, 5)
	ours := c.trust(twoOfThree(t, "w1", "w2", "w3")...)
	for _, test := range []struct {
		name   string
		policy *verify.Policy
		head   string
		last   int64
		links  []verify.Link
		want   verify.Times
		public verify.Bound
	}{
		{"all of it", ours, head, 5, []verify.Link{public, seen, there}, verify.Times{NotBefore: proven(230), Logged: proven(230), NotAfter: proven(320)}, proven(110)},
		{"no proof of what was seen", ours, head, 5, []verify.Link{public, there}, verify.Times{Logged: proven(230), NotAfter: proven(320)}, proven(110)},
		{"no proof that the policy was there", ours, head, 5, []verify.Link{seen, there}, verify.Times{NotBefore: proven(230), Logged: proven(230), NotAfter: proven(320)}, verify.Bound{}},
		{"no timemark after it", ours, head, 3, []verify.Link{public, seen}, verify.Times{NotBefore: proven(230), Logged: proven(230), NotAfter: proven(1010)}, proven(110)},
		{"the head was cosigned before the timemark", ours, "w1@310 w2@310", 5, []verify.Link{there}, verify.Times{Logged: proven(230), NotAfter: proven(310)}, verify.Bound{}},
		{"no timemarks", ours, head, 1, nil, verify.Times{NotAfter: proven(1010)}, verify.Bound{}},
		{"a policy without witnesses", c.trust("quorum none"), head, 5, []verify.Link{public, seen, there},
			verify.Times{NotBefore: claimed(230), Logged: claimed(230), NotAfter: claimed(320)}, claimed(110)},
		{"and no cosignature on the head", c.trust("quorum none"), "", 3, []verify.Link{public, seen},
			verify.Times{NotBefore: claimed(230), Logged: claimed(230)}, claimed(110)},
		{"all three of our own must agree", c.trust("witness w1 "+witnessKey(t, "w1", 0).String(), "witness w2 "+witnessKey(t, "w2", 0).String(),
			"witness w3 "+witnessKey(t, "w3", 0).String(), "group three all w1 w2 w3", "quorum three"), "w1@1000 w2@1010 w3@1020", 5, []verify.Link{public, seen, there},
			verify.Times{NotBefore: proven(200), Logged: proven(200), NotAfter: proven(1020)}, claimed(110)},
		{"other witnesses of ours on the head", c.trust("witness w9 "+witnessKey(t, "w9", 0).String(), "quorum w9"), "w9@1000", 5, []verify.Link{public, seen},
			verify.Times{NotBefore: claimed(230), Logged: claimed(230), NotAfter: proven(1000)}, claimed(110)},
	} {
		r := c.receipt(4, test.last, test.head, test.links...)
		p, err := r.Check(test.policy, nil)
		if err != nil || !p.Standing.Effective() || len(p.Clauses) != 1 {
			t.Errorf("%s: %+v, %v", test.name, p, err)
			continue
		}
		if p.Times != test.want || p.Clauses[0].PublishedBy != test.public {
			t.Errorf("%s: %+v, public %+v; want %+v, %+v", test.name, p.Times, p.Clauses[0].PublishedBy, test.want, test.public)
		}
	}
	bare := c.receipt(4, 0, head)
	bare.Extra = nil
	if p, err := bare.Check(ours, c.entries[4]); err != nil || p.Times != (verify.Times{NotAfter: proven(1010)}) {
		t.Errorf("a bare receipt: %+v, %v", p, err)
	}
}

// TestSeveralSigners: all signatures are younger only if all of them saw the
// timemark.
func TestSeveralSigners(t *testing.T) {
	c := dated(t)
	old, cur, other := c.seen(3), c.seen(4), record.SeenTree(4, tlog.RecordHash([]byte("another tree")))
	ours := c.trust(twoOfThree(t, "w1", "w2", "w3")...)
	for _, test := range []struct {
		name  string
		seen  []record.Seen
		links []verify.Link
		want  verify.Bound
		words string
	}{
		{"the same tree", []record.Seen{cur, cur}, []verify.Link{c.link(3, 4)}, proven(230), ""},
		{"an older one", []record.Seen{cur, old}, []verify.Link{c.link(2, 3), c.link(2, 4), c.link(3, 4)}, proven(100), ""},
		{"an older one, not shown", []record.Seen{cur, old}, []verify.Link{c.link(3, 4)}, verify.Bound{}, ""},
		{"nothing", []record.Seen{cur, record.SeenNothing}, []verify.Link{c.link(3, 4)}, verify.Bound{}, ""},
		{"another tree of the same size", []record.Seen{cur, other}, []verify.Link{c.link(3, 4)}, verify.Bound{}, "not proven in the tree of size 4"},
	} {
		c.entries = append(c.entries[:6:6], c.sign(c.decision(), test.seen, "dan", "eve"))
		r := c.receipt(6, 5, "w1@1000 w2@1010", test.links...)
		p, err := r.Check(ours, nil)
		switch {
		case test.words != "":
			if err == nil || !strings.Contains(err.Error(), test.words) {
				t.Errorf("%s: %v, want %q", test.name, err, test.words)
			}
		case err != nil || p.Times.NotBefore != test.want:
			t.Errorf("%s: %+v, %v, want %v", test.name, p, err, test.want)
		}
	}
}

// TestForeignTimemark: the root of a timemark is not known in a receipt. One over
// another tree shows nothing about what was public; what comes after it is younger
// all the same.
func TestForeignTimemark(t *testing.T) {
	c := newChronicle(t)
	another := verify.Checkpoint{Origin: origin, Size: 2, Root: tlog.RecordHash([]byte("another tree"))}
	c.log(&record.Timemark{Checkpoint: string(c.checkpoint(another, "w1@100 w2@110"))}, 2, "max") // 2
	c.log(c.decision(), 3, "dan")                                                                 // 3
	ours := c.trust(twoOfThree(t, "w1", "w2", "w3")...)
	p, err := c.receipt(3, 2, "w1@1000 w2@1010", c.link(2, 3)).Check(ours, nil)
	if err != nil || p.Times.NotBefore != proven(100) || p.Clauses[0].PublishedBy.At != 0 {
		t.Errorf("%+v, %v: the signature names a tree with this timemark in it, and the policy is in no tree that was cosigned", p, err)
	}
	if _, err := c.receipt(3, 2, "w1@1000 w2@1010", c.link(1, 2), c.link(2, 3)).Check(ours, nil); err == nil || !strings.Contains(err.Error(), "not proven in the tree of size 2") {
		t.Errorf("with a proof in this log's tree of that size: %v", err)
	}
}

// TestSeenLies: proofs of seen that prove nothing, or something else.
func TestSeenLies(t *testing.T) {
	c := dated(t)
	ours := c.trust(twoOfThree(t, "w1", "w2", "w3")...)
	good := c.link(3, 4)
	with := func(f func(l *verify.Link)) verify.Link {
		l := verify.Link{Index: good.Index, Size: good.Size, Proof: slices.Clone(good.Proof)}
		f(&l)
		return l
	}
	for name, l := range map[string]verify.Link{
		"a tree that nothing names":     c.link(0, 1),
		"a record that is not there":    with(func(l *verify.Link) { l.Index = 7; l.Size = 9 }),
		"another record":                with(func(l *verify.Link) { l.Index = 2 }),
		"a hash changed":                with(func(l *verify.Link) { l.Proof[1][0] ^= 1 }),
		"a hash missing":                with(func(l *verify.Link) { l.Proof = l.Proof[1:] }),
		"a hash too many":               with(func(l *verify.Link) { l.Proof = append(l.Proof, tlog.Hash{}) }),
		"the record is not in the tree": with(func(l *verify.Link) { l.Index = 4 }),
	} {
		if _, err := c.receipt(4, 3, "w1@1000 w2@1010", l).Check(ours, nil); err == nil || !strings.Contains(err.Error(), "seen: record") {
			t.Errorf("%s: %v", name, err)
		}
	}
	// One spelling: sorted by size, then index, each once.
	for name, links := range map[string][]verify.Link{
		"by size":  {good, c.link(1, 2)},
		"by index": {good, c.link(1, 4)},
		"once":     {good, good},
		"negative": {{Index: -1, Size: 4}},
	} {
		b, err := (verify.Extra{Record: []byte("{}"), Seen: links}).Marshal()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := verify.ParseExtra(b); err == nil || !strings.Contains(err.Error(), "seen is not sorted") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestAfterTheRecord: only what tells of the log key and of the time may stand
// after it.
func TestAfterTheRecord(t *testing.T) {
	c := dated(t)
	c.log(c.decision(), 6, "eve") // 6
	ours := c.trust(twoOfThree(t, "w1", "w2", "w3")...)
	if _, err := c.receipt(4, 6, "w1@1000 w2@1010").Check(ours, nil); err == nil || !strings.Contains(err.Error(), "support, record 6: a decision that stands after the record") {
		t.Errorf("a decision after it: %v", err)
	}
	r := c.receipt(4, 5, "w1@1000 w2@1010")
	again := verify.Support{Index: 4, Record: c.entries[4], Proof: r.Proof}
	if _, err := r.Check(ours, nil, again); err == nil || !strings.Contains(err.Error(), "it is the record itself") {
		t.Errorf("itself: %v", err)
	}
}

// TestEveryByteOfADatedReceipt: with any byte changed it does not hold.
func TestEveryByteOfADatedReceipt(t *testing.T) {
	c := dated(t)
	ours := c.trust(twoOfThree(t, "w1", "w2", "w3")...)
	good := c.receipt(4, 5, "w1@1000 w2@1010", c.link(1, 2), c.link(3, 4), c.link(4, 5)).Marshal()
	if _, err := checkFull(good, ours, nil); err != nil {
		t.Fatal(err)
	}
	stride := 5 // 1 takes ten seconds
	for i := 0; i < len(good); i += stride {
		b := bytes.Clone(good)
		b[i] ^= 1 << (i % 7)
		if p, err := checkFull(b, ours, nil); err == nil {
			t.Errorf("it holds with byte %d of %d changed: %+v", i, len(good), p.Times)
		}
	}
}

// dated is receipt with all timemarks before the record, and what the whole log says
// of its times.
func (a *audited) dated(t testing.TB, index int64) (verify.Receipt, verify.Times) {
	t.Helper()
	ctx := context.Background()
	r := a.receipt(t, index)
	e, err := verify.ParseExtra(r.Extra)
	if err != nil {
		t.Fatal(err)
	}
	seen := index
	for _, h := range a.records[index].Headers() {
		if key, err := rules.ReadKey(a.sum.State(), h.KID); err == nil && key != nil {
			seen = min(seen, h.Seen.Size)
		}
	}
	newest := int64(-1)
	for i := range index {
		if _, ok := a.records[i].Payload().(*record.Timemark); !ok || !a.standings[i].Effective() {
			continue
		}
		proof, err := a.tree.Prove(ctx, i)
		if err != nil {
			t.Fatal(err)
		}
		e.Support = append(e.Support, verify.Support{Index: i, Record: a.records[i].Bytes(), Proof: proof})
		if i < seen {
			newest = i
		}
	}
	slices.SortFunc(e.Support, func(a, b verify.Support) int { return int(a.Index - b.Index) })
	e.Support = slices.CompactFunc(e.Support, func(a, b verify.Support) bool { return a.Index == b.Index })
	sizes := map[int64]bool{}
	for _, h := range a.records[index].Headers() {
		sizes[h.Seen.Size] = newest >= 0 && h.Seen.Size > newest
	}
	for _, size := range slices.Sorted(maps.Keys(sizes)) {
		if sizes[size] {
			proof, err := tlog.ProveRecord(size, newest, a.tree.Hashes(ctx))
			if err != nil {
				t.Fatal(err)
			}
			e.Seen = append(e.Seen, verify.Link{Index: newest, Size: size, Proof: proof})
		}
	}
	if r.Extra, err = e.Marshal(); err != nil {
		t.Fatal(err)
	}
	signed, err := rules.ReadInterval(a.sum.State(), seen, index)
	if err != nil {
		t.Fatal(err)
	}
	logged, err := rules.ReadInterval(a.sum.State(), index, index)
	if err != nil {
		t.Fatal(err)
	}
	bound := func(at int64) verify.Bound { return verify.Bound{At: at, Proven: at != 0} }
	return r, verify.Times{NotBefore: bound(signed.NotBefore), Logged: bound(logged.NotBefore), NotAfter: bound(signed.NotAfter)}
}

// TestDatedHistory: what receipts of the golden history prove is what the rules
// found in the whole log.
func TestDatedHistory(t *testing.T) {
	a := auditHistory(t)
	found := 0
	for i := range a.records {
		if !a.standings[i].Effective() || i%5 != 0 {
			continue
		}
		r, want := a.dated(t, int64(i))
		p, err := r.Check(a.policy, nil)
		if errors.Is(err, verify.ErrNotShown) {
			continue
		}
		if err != nil || !p.Standing.Effective() {
			t.Errorf("record %d: %+v, %v", i, p, err)
			continue
		}
		if p.Times.NotBefore != want.NotBefore || p.Times.Logged.At != want.Logged.At || p.Times.NotAfter.At < want.NotAfter.At {
			t.Errorf("record %d: %+v, the whole log says %+v", i, p.Times, want)
		}
		if p.Times.NotBefore.At != 0 {
			found++
		}
	}
	if found < 25 {
		t.Errorf("only %d records show since when they are signed", found)
	}
}
