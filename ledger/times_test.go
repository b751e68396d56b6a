package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"filippo.io/mldsa"
	"golang.org/x/mod/sumdb/note"

	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
)

var three = []string{"w1", "w2", "w3"}

// cosigned is the full receipt of a record, its checkpoint cosigned now.
func cosigned(t *testing.T, w *ledgertest.World, id record.ID, names ...string) verify.Receipt {
	t.Helper()
	b, err := w.Ledger.Receipt(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	r, err := verify.ParseReceipt(b)
	if err != nil {
		t.Fatal(err)
	}
	r.Checkpoint = w.WithCosignatures(r.Checkpoint, names...)
	return r
}

func trustOf(t *testing.T, w *ledgertest.World, lines ...string) *verify.Policy {
	t.Helper()
	p, err := verify.ParsePolicy([]byte("log " + w.VKey() + "\n" + strings.Join(lines, "\n") + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestReceiptTimes: the receipts that the ledger makes show when a record was
// signed and logged, and since when its clause was public.
func TestReceiptTimes(t *testing.T) {
	w := ledgertest.New(t, nil)
	w.Machine(ledgertest.WitnessLines(2, three...)...)
	at := func(d time.Duration) verify.Bound {
		return verify.Bound{At: ledgertest.Start.Add(d).Unix(), Proven: true}
	}
	w.Advance(time.Minute)
	w.Timemark("w1", "w2") // covers the policy
	for range 20 {         // ten days
		w.Advance(12 * time.Hour)
		w.Timemark("w2", "w3")
	}
	days := 240 * time.Hour
	w.Advance(time.Minute)
	early := w.Sign(w.Decision("case-early"), "dora", "erik")
	w.Advance(10 * time.Minute)
	w.Timemark(three...)
	w.Advance(time.Minute)
	d := w.Submit(early)
	first := cosigned(t, w, d.ID, "w1", "w2")
	w.Advance(10 * time.Minute)
	w.Timemark(three...)
	for i := range 300 { // until its proofs come from tiles
		w.Submit(w.Sign(w.Decision(fmt.Sprintf("case-%d", i)), "dora", "erik"))
	}
	w.Advance(1000 * time.Hour)
	last := cosigned(t, w, d.ID, "w1", "w3")

	ours := trustOf(t, w, ledgertest.WitnessLines(2, three...)...)
	for name, test := range map[string]struct {
		receipt verify.Receipt
		want    verify.Times
	}{
		"at once": {first, verify.Times{NotBefore: at(time.Minute + days), Logged: at(12*time.Minute + days), NotAfter: at(13*time.Minute + days)}},
		"later":   {last, verify.Times{NotBefore: at(time.Minute + days), Logged: at(12*time.Minute + days), NotAfter: at(23*time.Minute + days)}},
	} {
		p, err := test.receipt.Check(ours, nil)
		if err != nil || !p.Standing.Effective() {
			t.Errorf("%s: %+v, %v", name, p, err)
			continue
		}
		if p.Times != test.want || p.Clauses[0].PublishedBy != at(time.Minute) {
			t.Errorf("%s: %+v, public %+v; want %+v", name, p.Times, p.Clauses[0].PublishedBy, test.want)
		}
		if len(test.receipt.Extra) > verify.MaxExtra {
			t.Errorf("%s: %d bytes of extra", name, len(test.receipt.Extra))
		}
	}
	// Every kind of record has one.
	for _, id := range []record.ID{w.Policy, d.ID} {
		if p, err := cosigned(t, w, id, three...).Check(ours, nil); err != nil || !p.Standing.Effective() || !p.Times.NotAfter.Proven {
			t.Errorf("%s: %+v, %v", id, p, err)
		}
	}
}

// TestReceiptsOfDelayedAmendments: an amendment that waits is in force in a receipt
// when it was in the log.
func TestReceiptsOfDelayedAmendments(t *testing.T) {
	w := ledgertest.New(t, nil)
	lines := ledgertest.WitnessLines(2, three...)
	w.Machine(lines...)
	terms := w.Charter().Terms
	terms.Witnesses, terms.PolicyLead = lines, 48
	w.Submit(w.Sign(&record.CharterAmend{Terms: terms, Reasons: "Policies are public for two days."}, "ada", "ben"))
	w.Timemark("w1", "w2")
	terms.RegistrarQuorum, terms.Witnesses = 1, ledgertest.WitnessLines(1, "w8", "w9")
	w.Submit(w.Sign(&record.CharterAmend{Terms: terms, Reasons: "One registrar, other witnesses."}, "ada", "ben"))
	for range 5 {
		w.Advance(12 * time.Hour)
		w.Timemark("w1", "w3")
	}
	w.Advance(time.Hour)
	w.Timemark("w9")
	out := w.Submit(w.Sign(&record.KeyEnrol{Holder: "zoe", JWK: ledgertest.JWK("zoe"), Roles: []record.Role{record.RoleDecider}}, "ada", "zoe"))
	d := w.Decision("case-zoe")
	d.Grounds[0].Clause = "solo"
	w.Submit(w.Sign(&record.KeyRevoke{KID: ledgertest.JWK("gus").KID(), Reason: record.Retired}, "ben"))
	w.Timemark("w8")
	decided := w.Submit(w.Sign(d, "zoe"))
	for _, id := range []record.ID{out.ID, decided.ID} {
		p, err := cosigned(t, w, id, "w9").Check(trustOf(t, w, ledgertest.WitnessLines(1, "w8", "w9")...), nil)
		if err != nil || !p.Standing.Effective() || !p.Times.NotBefore.Proven {
			t.Errorf("%s: %+v, %v", id, p, err)
		}
	}
}

// TestReceiptRoom: what shows the time is left out where there is no room, and the
// receipt holds.
func TestReceiptRoom(t *testing.T) {
	w := ledgertest.New(t, nil)
	lines := ledgertest.WitnessLines(2, three...)
	w.Machine(lines...)
	w.Timemark(three...)
	w.Timemark(three...)
	ours := trustOf(t, w, lines...)
	shown := map[bool]int{}
	for n := range 12 {
		d := w.Decision(fmt.Sprintf("case-%d", n))
		d.Facts = strings.Repeat("x", 19_000+600*n)
		r := cosigned(t, w, w.Submit(w.Sign(d, "dora", "erik")).ID, "w1", "w2")
		p, err := r.Check(ours, nil)
		if err != nil || !p.Standing.Effective() || len(r.Extra) > verify.MaxExtra {
			t.Errorf("%d bytes: %+v, %v", len(r.Extra), p, err)
			continue
		}
		shown[p.Times.NotBefore.Proven]++
	}
	if shown[true] == 0 || shown[false] == 0 {
		t.Errorf("with room %d, without %d: the sizes of this test are off", shown[true], shown[false])
	}
}

// TestReceiptsAfterSuccession: once the log has other keys, which amendments name,
// receipts of the records before show that: each key has its policy.
func TestReceiptsAfterSuccession(t *testing.T) {
	w := ledgertest.New(t, nil)
	d := w.Submit(w.Sign(w.Decision("case-old"), "dora", "erik"))
	early := cosigned(t, w, d.ID)
	ed, err := verify.NewLogSigner(ledgertest.Origin, ledgertest.Key("the next log key"))
	if err != nil {
		t.Fatal(err)
	}
	secret, err := mldsa.GenerateKey(mldsa.MLDSA44())
	if err != nil {
		t.Fatal(err)
	}
	pq, err := verify.NewLogSigner(ledgertest.Origin, secret)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"una", "vic"} { // of whom one signs the amendments
		w.Submit(w.Sign(&record.KeyEnrol{Holder: name, JWK: ledgertest.JWK(name), Roles: []record.Role{record.RoleAdministration}}, "ada", "ben", name))
	}
	terms := w.Charter().Terms
	for _, key := range []*verify.LogSigner{ed, pq} {
		terms.LogKeys = append(terms.LogKeys, key.VKey().String())
		w.Submit(w.Sign(&record.CharterAmend{Terms: terms, Reasons: "A new log key."}, "ada", "vic"))
	}
	w.Close()
	w.OpenParts()
	before := w.Config.Signer
	w.Config.Former = []string{w.Config.VKey}
	w.Config.Signer, w.Config.VKey, w.Config.PQ = ed, ed.VKey().String(), pq
	if _, err := ledger.Succeed(context.Background(), w.Config, []note.Signer{before}, nil); err != nil {
		t.Fatal(err)
	}
	w.OpenLedger()
	handover := cosigned(t, w, d.ID)
	w.Submit(w.Sign(w.Decision("case-new"), "dora", "erik"))
	late := cosigned(t, w, d.ID)

	old := trustOf(t, w, "quorum none")
	policy := func(key *verify.LogSigner) *verify.Policy {
		p, err := verify.ParsePolicy([]byte("log " + key.VKey().String() + "\nquorum none\n"))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	for _, test := range []struct {
		name     string
		receipt  verify.Receipt
		policies verify.Policies
		want     error
	}{
		{"before, by the policy of then", early, verify.Policies{old}, nil},
		{"before, by both", early, verify.Policies{old, policy(ed)}, verify.ErrRetired},
		{"at the change, by the old policy", handover, verify.Policies{old}, nil},
		{"at the change, by the new one", handover, verify.Policies{policy(ed)}, nil},
		{"at the change, by both", handover, verify.Policies{old, policy(ed)}, nil},
		{"after it, by the old policy", late, verify.Policies{old}, verify.ErrUnknownLog},
		{"after it, by both", late, verify.Policies{old, policy(ed)}, nil},
		{"after it, by the ML-DSA-44 key alone", late, verify.Policies{policy(pq)}, nil},
	} {
		p, err := test.policies.Check(test.receipt, verify.CheckOptions{})
		if !errors.Is(err, test.want) || err == nil && !p.Standing.Effective() {
			t.Errorf("%s: %+v, %v, want %v", test.name, p, err, test.want)
		}
	}
}

// TestServedReceipts: a ledger that logs its own timemarks hands out receipts that
// prove their times, as soon as witnesses have cosigned.
func TestServedReceipts(t *testing.T) {
	w := ledgertest.NewWitnessed(t, nil)
	trust, err := verify.ParsePolicy(w.WitnessPolicy())
	if err != nil {
		t.Fatal(err)
	}
	cosignedNow := func() int64 {
		w.Cosign("w1 w2")
		w.Ledger.Look()
		return w.Now().Unix()
	}
	public := cosignedNow()
	for range 4 {
		w.Advance(24 * time.Hour)
		cosignedNow()
		w.Submit(w.Sign(w.Decision(fmt.Sprintf("case-%s", w.Time(0).String()[8:10])), "dora", "erik"))
	}
	w.Advance(2 * time.Minute)
	before := cosignedNow()
	w.Advance(2 * time.Minute)
	cosignedNow() // of the timemark: now signers see it
	d := w.Submit(w.Sign(w.Decision("case-in-time"), "dora", "erik"))
	receipt := func() (*verify.Proven, error) {
		b, err := w.Ledger.Receipt(context.Background(), d.ID)
		if err != nil {
			t.Fatal(err)
		}
		r, err := verify.ParseReceipt(b)
		if err != nil {
			t.Fatal(err)
		}
		return r.Check(trust, nil)
	}
	if _, err := receipt(); !errors.Is(err, verify.ErrQuorum) {
		t.Errorf("before anybody cosigned it: %v", err)
	}
	w.Advance(3 * time.Minute)
	after := cosignedNow()
	for _, later := range []time.Duration{0, 1000 * time.Hour} {
		w.Advance(later)
		cosignedNow()
		w.Submit(w.Sign(w.Decision(fmt.Sprintf("case-after-%d", int(later.Hours()))), "dora", "erik"))
		p, err := receipt()
		if err != nil || !p.Standing.Effective() {
			t.Fatalf("%+v, %v", p, err)
		}
		proven := func(at int64) verify.Bound { return verify.Bound{At: at, Proven: true} }
		if want := (verify.Times{NotBefore: proven(before), Logged: proven(before), NotAfter: proven(after)}); p.Times != want || p.Clauses[0].PublishedBy != proven(public) {
			t.Errorf("%v later: %+v, public %+v; want %+v, %v", later, p.Times, p.Clauses[0].PublishedBy, want, public)
		}
	}
}
