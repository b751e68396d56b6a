package verify_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
)

// TestEpochs: which of several policies takes a checkpoint, and when a key of an
// earlier epoch still counts.
func TestEpochs(t *testing.T) {
	k1, k2 := newSigner(t, origin, verify.Ed25519, "k1"), newSigner(t, origin, verify.Ed25519, "k2")
	w1, w2 := witnessKey(t, "w1", t0), witnessKey(t, "w2", t0+9)
	trust := func(k *signer, lines ...string) *verify.Policy {
		return parsePolicy(t, append([]string{"log " + k.String()}, lines...)...)
	}
	byW1, byW2 := []string{"witness w1 " + w1.String(), "quorum w1"}, []string{"witness w2 " + w2.String(), "quorum w2"}
	alone1, alone2 := trust(k1, "quorum none"), trust(k2, "quorum none")
	foreign := trust(newSigner(t, "other.example.com/1", verify.Ed25519, "k3"), "quorum none")
	for _, test := range []struct {
		name     string
		policies verify.Policies
		signers  []*signer
		want     error
		cosigned int
	}{
		{"one policy knows no epochs", verify.Policies{alone1}, []*signer{k1}, nil, 0},
		{"the key of the last one", verify.Policies{alone1, alone2}, []*signer{k2}, nil, 0},
		{"a retired key alone", verify.Policies{alone1, alone2}, []*signer{k1}, verify.ErrRetired, 0},
		{"both keys, at the handover", verify.Policies{alone1, alone2}, []*signer{k1, k2}, nil, 0},
		{"a retired key with its witnesses", verify.Policies{trust(k1, byW1...), alone2}, []*signer{k1, w1}, nil, 1},
		{"a retired key with others", verify.Policies{trust(k1, byW1...), alone2}, []*signer{k1, w2}, verify.ErrQuorum, 0},
		{"in the wrong order, the old key is the current one", verify.Policies{alone2, alone1}, []*signer{k1}, nil, 0},
		{"a policy of another log says nothing", verify.Policies{alone1, foreign}, []*signer{k1}, nil, 0},
		{"the same key with other witnesses: the older", verify.Policies{trust(k1, byW1...), trust(k1, byW2...)}, []*signer{k1, w1}, nil, 1},
		{"the same key with other witnesses: the newer", verify.Policies{trust(k1, byW1...), trust(k1, byW2...)}, []*signer{k1, w2}, nil, 1},
		{"the same key, none of the witnesses", verify.Policies{trust(k1, byW1...), trust(k1, byW2...)}, []*signer{k1}, verify.ErrQuorum, 0},
		{"witnesses came later", verify.Policies{alone1, trust(k1, byW1...)}, []*signer{k1}, verify.ErrRetired, 0},
		{"another log", verify.Policies{alone1, alone2}, []*signer{newSigner(t, origin, verify.Ed25519, "k4")}, verify.ErrUnknownLog, 0},
		{"no policy", nil, []*signer{k1}, nil, -1},
	} {
		s, err := test.policies.Open(signNote(t, testCheckpoint.Text(), test.signers...))
		if test.cosigned < 0 {
			if err == nil {
				t.Errorf("%s: it is taken", test.name)
			}
			continue
		}
		if !errors.Is(err, test.want) || err == nil && (len(s.Cosignatures) != test.cosigned || s.Checkpoint != testCheckpoint) {
			t.Errorf("%s: %+v, %v, want %v", test.name, s, err, test.want)
		}
		held := errors.Is(err, verify.ErrRetired) || errors.Is(err, verify.ErrQuorum)
		if held && s.Checkpoint != testCheckpoint {
			t.Errorf("%s: no checkpoint along with %v", test.name, err)
		}
		if _, err := test.policies.Held(signNote(t, testCheckpoint.Text(), test.signers...)); (err == nil) != (held || test.want == nil) {
			t.Errorf("%s: held by an auditor: %v", test.name, err)
		}
	}
	altered := bytes.Replace(signNote(t, testCheckpoint.Text(), k1), []byte("1234"), []byte("1235"), 1)
	if _, err := (verify.Policies{alone1, alone2}).Open(altered); !errors.Is(err, verify.ErrSignature) {
		t.Errorf("altered: %v", err)
	}
}

// succession is a chronicle whose log key changes: record 3 is a decision under the
// old key, 5 the amendment that names the new one, 6 a decision after it.
func succession(t testing.TB) (c *chronicle, old, cur *signer) {
	c = newChronicle(t)
	old, cur = c.key, newSigner(t, origin, verify.Ed25519, "the next key")
	c.mark("w1@110 w2@110")       // 2
	c.log(c.decision(), 3, "dan") // 3
	c.mark("w1@200 w2@210")       // 4
	next := c.terms()
	next.LogKeys = []string{cur.String()}
	c.log(&record.CharterAmend{Terms: next, Reasons: "a new log key"}, 5, "ada") // 5
	c.key = cur
	c.mark("w1@300 w2@310")       // 6
	c.log(c.decision(), 7, "eve") // 7
	return c, old, cur
}

// TestSuccession: receipts and audits across a change of the log key.
func TestSuccession(t *testing.T) {
	c, old, cur := succession(t)
	three := twoOfThree(t, "w1", "w2", "w3")
	before, now := parsePolicy(t, append([]string{"log " + old.String()}, three...)...), parsePolicy(t, append([]string{"log " + cur.String()}, three...)...)
	both := verify.Policies{before, now}
	head := "w1@1000 w2@1010"

	// A new receipt of an old record, with and without the amendment.
	r := c.receipt(3, 5, head, c.link(2, 3))
	p, err := both.Check(r, verify.CheckOptions{})
	if err != nil || !p.Standing.Effective() || p.Times.NotBefore != proven(110) {
		t.Errorf("under the new key: %+v, %v", p, err)
	}
	r = c.receipt(3, 2, head)
	if _, err := both.Check(r, verify.CheckOptions{}); !errors.Is(err, verify.ErrNotShown) || !strings.Contains(err.Error(), "the receipt of that amendment would show it") {
		t.Errorf("under a key that nothing in the file names: %v", err)
	}
	amendment := verify.Support{Index: 5, Record: c.entries[5], Proof: c.link(5, 8).Proof}
	if p, err := both.Check(r, verify.CheckOptions{More: []verify.Support{amendment}}); err != nil || !p.Standing.Effective() {
		t.Errorf("with the amendment beside it: %+v, %v", p, err)
	}
	// A record after it, whose times rest on timemarks of both keys.
	if p, err := both.Check(c.receipt(7, 6, head, c.link(1, 2), c.link(6, 7)), verify.CheckOptions{}); err != nil ||
		p.Times.NotBefore != proven(300) || p.Clauses[0].PublishedBy != proven(110) {
		t.Errorf("a later record: %+v, %v", p, err)
	}
	if p, err := (verify.Policies{now}).Check(c.receipt(7, 6, head, c.link(1, 2), c.link(6, 7)), verify.CheckOptions{}); err != nil ||
		p.Times.NotBefore != proven(300) || p.Clauses[0].PublishedBy != claimed(110) {
		t.Errorf("a later record, under the new policy alone: %+v, %v", p, err)
	}
}

// TestOldReceipts: a receipt from before a change of the log key counts if the
// witnesses of its epoch cosigned it, or if the log as it is now extends it.
func TestOldReceipts(t *testing.T) {
	c, old, cur := succession(t)
	young := &chronicle{TB: t, key: old, entries: c.entries[:4], seq: c.seq}
	three := twoOfThree(t, "w1", "w2", "w3")
	trust := func(k *signer, lines ...string) *verify.Policy {
		return parsePolicy(t, append([]string{"log " + k.String()}, lines...)...)
	}
	witnessed := verify.Policies{trust(old, three...), trust(cur, three...)}
	without := verify.Policies{trust(old, "quorum none"), trust(cur, "quorum none")}
	l := newForgedLog(t, cur, c.entries...)
	head, err := witnessed.Open(c.checkpoint(c.tree(8).Checkpoint(), "w1@1000 w2@1010"))
	if err != nil {
		t.Fatal(err)
	}
	tree := head.Tree(verify.DirSource(l.files))
	for _, test := range []struct {
		name     string
		policies verify.Policies
		cosigned string
		head     bool
		want     error
		after    verify.Bound
	}{
		{"cosigned", witnessed, "w1@150 w3@160", false, nil, proven(160)},
		{"by too few", witnessed, "w1@150", false, verify.ErrQuorum, verify.Bound{}},
		{"by too few, and the log extends it", witnessed, "w1@150", true, nil, proven(1010)},
		{"by enough, and the log extends it", witnessed, "w1@150 w3@160", true, nil, proven(160)},
		{"a policy without witnesses", without, "w1@150 w3@160", false, verify.ErrRetired, verify.Bound{}},
		{"a policy without witnesses, and the log extends it", without, "", true, nil, verify.Bound{}},
	} {
		r := young.receipt(3, 2, test.cosigned, young.link(2, 3))
		opt := verify.CheckOptions{}
		if test.head {
			held, err := test.policies.Held(r.Checkpoint)
			if err == nil {
				err = tree.ExtendsSigned(context.Background(), held[0])
			}
			if err != nil {
				t.Fatal(err)
			}
			opt.Head = &head
		}
		p, err := test.policies.Check(r, opt)
		if !errors.Is(err, test.want) || err == nil && p.Times.NotAfter != test.after {
			t.Errorf("%s: %+v, %v, want %v", test.name, p, err, test.want)
		}
	}
	// A thief of the old key: nothing of it belongs to the log.
	thief := &chronicle{TB: t, key: old, entries: slices.Clone(c.entries[:3]), seq: map[string]int64{"dan": 8}}
	thief.log(thief.decision(), 3, "dan")
	held, err := without.Held(thief.receipt(3, 2, "").Checkpoint)
	if err != nil {
		t.Fatal(err)
	}
	var fork *verify.ForkError
	if err := tree.ExtendsSigned(context.Background(), held[0]); !errors.As(err, &fork) || fork.Check() != nil {
		t.Errorf("a forged one: %v", err)
	}
}

// TestAuditOverSuccession: the head is signed with the new key, timemarks inside
// and what the auditor holds with the old one.
func TestAuditOverSuccession(t *testing.T) {
	c, old, cur := succession(t)
	three := twoOfThree(t, "w1", "w2", "w3")
	before, now := parsePolicy(t, append([]string{"log " + old.String()}, three...)...), parsePolicy(t, append([]string{"log " + cur.String()}, three...)...)
	young := &chronicle{TB: t, key: old, entries: c.entries[:4], seq: c.seq}
	src := func(c *chronicle, cosigned string) verify.Source {
		l := newForgedLog(t, c.key, c.entries...)
		return verify.DirSource(with(l.files, "checkpoint", c.checkpoint(c.tree(int64(len(c.entries))).Checkpoint(), cosigned)))
	}
	first, err := verify.Audit(context.Background(), src(young, "w1@150 w2@150"), before, verify.AuditOptions{})
	if err != nil || first.Broken > 0 {
		t.Fatalf("%+v, %v", first, err)
	}
	saved := first.Saved(t0)
	whole := src(c, "w1@1000 w2@1010")
	for _, test := range []struct {
		name     string
		policies verify.Policies
		opt      verify.AuditOptions
		want     error
		resumed  int64
	}{
		{"with both policies", verify.Policies{before, now}, verify.AuditOptions{}, nil, 0},
		{"with the new one alone", verify.Policies{now}, verify.AuditOptions{}, nil, 0},
		{"with the old one alone", verify.Policies{before}, verify.AuditOptions{}, verify.ErrUnknownLog, 0},
		{"resumed", verify.Policies{before, now}, verify.AuditOptions{Resume: saved}, nil, 4},
		{"resumed without the policy of then", verify.Policies{now}, verify.AuditOptions{Resume: saved}, verify.ErrSaved, 0},
	} {
		var found []verify.Finding
		test.opt.Found = func(f verify.Finding) { found = append(found, f) }
		sum, err := test.policies.Audit(context.Background(), whole, test.opt)
		if !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
			continue
		}
		if err == nil && (sum.Broken > 0 || sum.Void > 0 || sum.Resumed != test.resumed || !sum.Witnessed || sum.Effective != 8) {
			t.Errorf("%s: %+v, found %+v", test.name, sum, found)
		}
	}
	// The gate takes a receipt from before, and an audit under the new key.
	sum, err := verify.Policies{before, now}.Audit(context.Background(), whole, verify.AuditOptions{})
	if err != nil {
		t.Fatal(err)
	}
	r := young.receipt(3, 2, "w1@150 w2@150")
	ask := verify.Ask{Action: record.Suspend, ServiceLayer: "hosting", SubjectRef: c.decision().Subject.Ref, Now: t0 + 1010, MaxAge: 60}
	if p, err := (verify.Policies{before, now}).Gate(sum.Saved(t0), r, ask); err != nil || p.Index != 3 {
		t.Errorf("the gate: %+v, %v", p, err)
	}
	if _, err := (verify.Policies{now}).Gate(sum.Saved(t0), r, ask); !errors.Is(err, verify.ErrUnknownLog) {
		t.Errorf("the gate, without the policy of then: %v", err)
	}
	// What the auditor holds under the old key binds the log under the new one.
	both := verify.Policies{before, now}
	thief := &chronicle{TB: t, key: old, entries: slices.Clone(c.entries[:3]), seq: map[string]int64{"dan": 8}}
	thief.log(thief.decision(), 3, "dan")
	for name, of := range map[string]*chronicle{"": young, string(verify.AuditFork): thief} {
		held, err := both.Held(of.checkpoint(of.tree(4).Checkpoint(), ""))
		if err != nil {
			t.Fatal(err)
		}
		var codes []string
		_, err = both.Audit(context.Background(), whole, verify.AuditOptions{Earlier: held, Found: func(f verify.Finding) { codes = append(codes, string(f.Code)) }})
		if err != nil || strings.Join(codes, " ") != name {
			t.Errorf("held %q: %v, %v", name, codes, err)
		}
	}
}
