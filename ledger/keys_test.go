package ledger_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"os"
	"strings"
	"testing"

	"filippo.io/mldsa"
	"golang.org/x/mod/sumdb/note"

	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
)

// nextKey is a log key of Ed25519.
func nextKey(t testing.TB, name string) *verify.LogSigner {
	t.Helper()
	s, err := verify.NewLogSigner(ledgertest.Origin, ledgertest.Key(name))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// pqKey is a log key of ML-DSA-44.
func pqKey(t testing.TB, name string) *verify.LogSigner {
	t.Helper()
	seed := sha256.Sum256([]byte(name))
	key, err := mldsa.NewPrivateKey(mldsa.MLDSA44(), seed[:])
	if err != nil {
		t.Fatal(err)
	}
	s, err := verify.NewLogSigner(ledgertest.Origin, key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// trust is a policy that names log keys.
func trust(t testing.TB, vkeys ...string) *verify.Policy {
	t.Helper()
	p, err := verify.ParsePolicy([]byte("log " + strings.Join(vkeys, "\nlog ") + "\nquorum none\n"))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// amend logs an amendment whose log_keys are vkeys.
func amend(t *testing.T, w *ledgertest.World, vkeys ...string) (ledger.Outcome, error) {
	t.Helper()
	return w.Ledger.Submit(context.Background(), w.Sign(amendment(w, vkeys...), "ada", "ben"), ledger.Options{})
}

func amendment(w *ledgertest.World, vkeys ...string) *record.CharterAmend {
	p := &record.CharterAmend{Terms: w.Charter().Terms, Reasons: "another log key"}
	terms, err := w.Ledger.Terms(context.Background())
	if err != nil {
		w.TB.Fatal(err)
	}
	p.Terms = terms
	p.LogKeys = vkeys
	return p
}

// head returns the checkpoint that is served.
func head(t testing.TB, w *ledgertest.World) []byte {
	t.Helper()
	b, err := w.Ledger.ReadFile(context.Background(), "checkpoint")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// auditedBy audits the log under policies, the oldest first.
func auditedBy(t *testing.T, w *ledgertest.World, p *verify.Policy, earlier ...[]byte) *verify.Summary {
	t.Helper()
	held, err := verify.Policies{p}.Held(earlier...)
	if err != nil {
		t.Fatal(err)
	}
	sum, err := verify.Audit(context.Background(), w.Ledger, p, verify.AuditOptions{Earlier: held, Found: func(f verify.Finding) {
		if f.Severity == verify.Broken {
			t.Errorf("audit: %+v", f)
		}
	}})
	if err != nil {
		t.Fatalf("audit: %v", err)
	}
	return sum
}

// TestSuccession changes the log key: before, at and after the handover everybody
// who follows the log with the right policy can, and nobody needs to trust more.
func TestSuccession(t *testing.T) {
	w := ledgertest.New(t, nil)
	old, heir := w.VKey(), nextKey(t, "next")
	newKey := heir.VKey().String()
	before := head(t, w)
	cfg := func() ledger.Config {
		c := w.Config
		c.Signer, c.VKey, c.Former = heir, newKey, []string{old}
		return c
	}
	succeed := func() ([]byte, error) {
		w.Close()
		w.OpenParts()
		defer w.CloseParts()
		return ledger.Succeed(context.Background(), cfg(), []note.Signer{w.Config.Signer}, nil)
	}

	if _, err := succeed(); err == nil || !strings.Contains(err.Error(), "docket charter amend") {
		t.Fatalf("a key that the charter does not name took over: %v", err)
	}
	w.OpenParts()
	w.OpenLedger()
	if _, err := amend(t, w, newKey); err == nil || !strings.Contains(err.Error(), "admission.log_key") {
		t.Errorf("an amendment that drops the key: %v", err)
	}
	if _, err := amend(t, w, old, "nonsense"); err == nil || !strings.Contains(err.Error(), "admission.log_key") {
		t.Errorf("an amendment with a key that is none: %v", err)
	}
	if _, err := amend(t, w, old, newKey); err != nil {
		t.Fatal(err)
	}
	receipt := w.Submit(w.Sign(solo(w, "case-old"), "dora")).Receipt
	handover, err := succeed()
	if err != nil {
		t.Fatal(err)
	}
	for _, vkey := range []string{old, newKey} {
		if _, err := trust(t, vkey).Open(handover); err != nil {
			t.Errorf("the handover checkpoint under %s: %v", vkey, err)
		}
	}

	change := func() { w.Config = cfg() }
	w.OpenParts()
	change()
	w.OpenLedger()
	if got := head(t, w); string(got) != string(handover) {
		t.Errorf("served after the handover:\n%swant\n%s", got, handover)
	}
	auditedBy(t, w, trust(t, old), before)
	auditedBy(t, w, trust(t, newKey))
	if _, err := amend(t, w, newKey); err != nil {
		t.Fatal(err)
	}
	after := head(t, w)
	if _, err := trust(t, old).Open(after); !errors.Is(err, verify.ErrUnknownLog) {
		t.Errorf("signed with the old key after the handover: %v", err)
	}
	auditedBy(t, w, trust(t, newKey, old), before, handover)
	out := w.Submit(w.Sign(solo(w, "case-new"), "dora"))
	fullBy(t, w, out.ID, trust(t, newKey))
	r, err := verify.ParseReceipt(receipt)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := trust(t, old).Open(r.Checkpoint); err != nil {
		t.Errorf("the receipt of before: %v", err)
	}

	w.Close()
	w.OpenParts() // with the old key
	_, err = ledger.Open(context.Background(), w.Config)
	if err == nil {
		t.Fatal("the old key signs after it was dropped")
	}
	w.Config = cfg()
	w.CloseParts()
	w.OpenParts()
	change()
	w.OpenLedger()
}

// TestLostKey: the next key takes over alone, with an amendment that could not be
// logged before, and each time that this is interrupted it can go on.
func TestLostKey(t *testing.T) {
	w := ledgertest.New(t, nil)
	old, heir := w.VKey(), nextKey(t, "next")
	before := head(t, w)
	p := amendment(w, heir.VKey().String())
	signed := w.Sign(p, "ada", "ben")
	weak := amendment(w, heir.VKey().String())
	weak.DefaultQuorum, weak.PolicyLead = 1, 0
	other := w.Sign(weak, "ada", "ben")
	w.Close()
	take := func(b []byte) error {
		w.OpenParts()
		defer w.CloseParts()
		cfg := w.Config
		cfg.Signer, cfg.VKey, cfg.Former = heir, heir.VKey().String(), []string{old}
		_, err := ledger.Succeed(context.Background(), cfg, nil, b)
		return err
	}
	if err := take(other); err == nil || !strings.Contains(err.Error(), "in force at once") {
		t.Errorf("an amendment that has to wait: %v", err)
	}
	if err := take([]byte("{}")); err == nil {
		t.Error("no record at all was logged")
	}
	guard, err := os.ReadFile(w.Config.Guard)
	if err != nil {
		t.Fatal(err)
	}
	if err := take(signed); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(w.Config.Guard, guard, 0o600); err != nil { // as if killed before the guard was written
		t.Fatal(err)
	}
	for range 2 { // and once more when it was
		if err := take(signed); err != nil {
			t.Fatal(err)
		}
	}
	w.OpenParts()
	w.Config.Signer, w.Config.VKey, w.Config.Former = heir, heir.VKey().String(), []string{old}
	w.OpenLedger()
	auditedBy(t, w, trust(t, heir.VKey().String(), old), before)
	fullBy(t, w, w.Submit(w.Sign(solo(w, "case-new"), "dora")).ID, trust(t, heir.VKey().String()))
}

// TestPQ: the ML-DSA-44 line is there while the charter names the key, receipts
// and audits hold under either key alone, and a policy of that key alone is enough.
func TestPQ(t *testing.T) {
	pq := pqKey(t, "pq")
	w := ledgertest.New(t, func(c *ledger.Config) { c.PQ = pq })
	if w.Ledger.PQ() {
		t.Fatal("a line by a key that the charter does not name")
	}
	vkey := pq.VKey().String()
	if _, err := amend(t, w, w.VKey(), vkey); err != nil {
		t.Fatal(err)
	}
	out := w.Submit(w.Sign(solo(w, "case-pq"), "dora"))
	r, err := verify.ParseReceipt(out.Receipt)
	if err != nil || len(out.Receipt) > 5000 {
		t.Fatalf("a bare receipt of %d bytes: %v", len(out.Receipt), err)
	}
	for _, p := range []*verify.Policy{trust(t, w.VKey()), trust(t, vkey), trust(t, vkey, w.VKey())} {
		s, err := p.Open(r.Checkpoint)
		if err != nil || len(p.Logs()) == 2 && s.LogKey.String() != w.VKey() {
			t.Errorf("opened as %v, %v", s.LogKey, err)
		}
		auditedBy(t, w, p)
	}
	text, lines, _ := strings.Cut(string(head(t, w)), "\n\n")
	if text == "" || strings.Count(lines, "\n") != 2 || len(strings.SplitN(lines, "\n", 2)[0]) > 200 {
		t.Errorf("want the Ed25519 line first, then one more:\n%.300s", lines)
	}
	full(t, w, out.ID)
	fullBy(t, w, out.ID, trust(t, vkey))
	w.Reopen()
	if !w.Ledger.PQ() {
		t.Error("no line after a restart")
	}
	if _, err := amend(t, w, w.VKey()); err != nil { // drops it
		t.Fatal(err)
	}
	w.Submit(w.Sign(solo(w, "case-without"), "dora"))
	if lines := strings.Count(string(head(t, w)), "\n— "); w.Ledger.PQ() || lines != 1 {
		t.Errorf("%d signature lines after the key was dropped", lines)
	}
}

// TestTokenPulledOut: without its key the ledger halts and says why. A start with the
// key signs what was logged before.
func TestTokenPulledOut(t *testing.T) {
	w := ledgertest.New(t, nil)
	pulled := &fails{Signer: w.Config.Signer}
	w.Close()
	w.OpenParts()
	w.Config.Signer = pulled
	w.OpenLedger()
	pulled.err = errors.New("the token is gone")
	b := w.Sign(solo(w, "case-token"), "dora")
	_, err := w.Ledger.Submit(context.Background(), b, ledger.Options{})
	if !errors.Is(err, ledger.ErrHalted) || !strings.Contains(err.Error(), "the token is gone") {
		t.Errorf("submitted without a key: %v", err)
	}
	if err := w.Ledger.Ready(); !errors.Is(err, ledger.ErrHalted) {
		t.Errorf("Ready: %v", err)
	}
	w.Reopen()
	out, err := w.Ledger.Submit(context.Background(), b, ledger.Options{})
	if err != nil || !out.Known {
		t.Errorf("after the restart: %+v, %v", out, err)
	}
	auditedBy(t, w, trust(t, w.VKey()))
}

// fails is a signer that ends.
type fails struct {
	note.Signer
	err error
}

func (f *fails) Sign(msg []byte) ([]byte, error) {
	if f.err != nil {
		return nil, f.err
	}
	return f.Signer.Sign(msg)
}
