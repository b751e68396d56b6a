package verify_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// The golden log in testdata is that of docket demo: mirror, receipts, void,
// trust.policy.
const golden = "testdata/golden"

func goldenFile(t testing.TB, path ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(append([]string{golden}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func goldenPolicy(t testing.TB) *verify.Policy {
	t.Helper()
	p, err := verify.ParsePolicy(goldenFile(t, "trust.policy"))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// goldenReceipts returns the receipts of a folder; there are some.
func goldenReceipts(t testing.TB, folder string) map[string][]byte {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(golden, folder, "*.tlog-proof"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no receipts in %s: %v", folder, err)
	}
	out := map[string][]byte{}
	for _, path := range paths {
		out[filepath.Base(path)] = goldenFile(t, folder, filepath.Base(path))
	}
	return out
}

func checkFull(b []byte, p *verify.Policy, rec []byte, more ...verify.Support) (*verify.Proven, error) {
	r, err := verify.ParseReceipt(b)
	if err != nil {
		return nil, err
	}
	return r.Check(p, rec, more...)
}

func TestReceiptCheck(t *testing.T) {
	p := goldenPolicy(t)
	types := map[record.Type]bool{}
	for name, b := range goldenReceipts(t, "receipts") {
		proven, err := checkFull(b, p, nil)
		if err != nil || !proven.Full || !proven.Standing.Effective() {
			t.Errorf("%s: %+v, %v", name, proven, err)
			continue
		}
		types[proven.Record.Payload().Head().Type] = true
		if len(proven.Signers) != len(proven.Record.Headers()) || proven.Charter == nil {
			t.Errorf("%s: %d signers, charter %v", name, len(proven.Signers), proven.Charter)
		}
		for _, s := range proven.Signers {
			if s.Holder == "" {
				t.Errorf("%s: the holder of %s is not shown", name, s.Header.KID)
			}
		}
	}
	if len(types) != 5 {
		t.Errorf("receipts of %d types, want 5", len(types))
	}
	emergency, err := checkFull(goldenFile(t, "receipts", "12-example-emergency-restrict.tlog-proof"), p, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(emergency.Clauses) != 1 || emergency.Clauses[0].Published != 7 || emergency.Signers[0].Holder != "duty-officer" || emergency.Signers[0].Enrolled != 3 {
		t.Errorf("the emergency: %+v, %+v", emergency.Clauses, emergency.Signers)
	}
}

func TestVoidReceipt(t *testing.T) {
	for name, b := range goldenReceipts(t, "void") {
		proven, err := checkFull(b, goldenPolicy(t), nil)
		if err != nil || !slices.Equal(proven.Standing.Codes, []rules.Code{rules.GroundNone, rules.QuorumShort}) {
			t.Errorf("%s: %+v, %v", name, proven, err)
		}
	}
}

// TestEveryByteOfAReceipt: with any byte changed it does not hold.
func TestEveryByteOfAReceipt(t *testing.T) {
	p := goldenPolicy(t)
	for name, good := range goldenReceipts(t, "receipts") {
		stride := 41
		if strings.HasPrefix(name, "01-") {
			stride = 1
		}
		for i := 0; i < len(good); i += stride {
			b := bytes.Clone(good)
			b[i] ^= 1 << (i % 7)
			if proven, err := checkFull(b, p, nil); err == nil {
				t.Errorf("%s holds with byte %d changed: %+v", name, i, proven.Standing)
			}
		}
	}
}

// change changes the extra of a receipt.
func change(t *testing.T, b []byte, f func(e *verify.Extra)) []byte {
	t.Helper()
	r, err := verify.ParseReceipt(b)
	if err != nil {
		t.Fatal(err)
	}
	e, err := verify.ParseExtra(r.Extra)
	if err != nil {
		t.Fatal(err)
	}
	f(&e)
	if r.Extra, err = e.Marshal(); err != nil {
		t.Fatal(err)
	}
	return r.Marshal()
}

func TestSupport(t *testing.T) {
	p := goldenPolicy(t)
	const name = "12-example-emergency-restrict.tlog-proof"
	good := goldenFile(t, "receipts", name)
	var taken []verify.Support
	for _, test := range []struct {
		name     string
		f        func(e *verify.Extra)
		notShown bool
		words    string
	}{
		{"no support", func(e *verify.Extra) { e.Support = nil }, true, "key of a signer"},
		{"no enrolment", func(e *verify.Extra) {
			i := slices.IndexFunc(e.Support, func(s verify.Support) bool { return s.Index == 3 })
			taken = append(taken, e.Support[i])
			e.Support = slices.Delete(e.Support, i, i+1)
		}, true, "key of a signer"},
		{"another index", func(e *verify.Extra) { e.Support[1].Index++ }, false, "support, record"},
		{"another proof", func(e *verify.Extra) { e.Support[1].Proof = e.Support[0].Proof }, false, "support, record"},
		{"a support that comes later", func(e *verify.Extra) { e.Support[len(e.Support)-1].Index = 13 }, false, "stands after"},
		{"another record", func(e *verify.Extra) { e.Record = e.Support[0].Record }, false, ""},
	} {
		_, err := checkFull(change(t, good, test.f), p, nil)
		if err == nil || errors.Is(err, verify.ErrNotShown) != test.notShown || !strings.Contains(err.Error(), test.words) {
			t.Errorf("%s: %v, want %q", test.name, err, test.words)
		}
	}
	without := change(t, good, func(e *verify.Extra) {
		e.Support = slices.DeleteFunc(e.Support, func(s verify.Support) bool { return s.Index == 3 })
	})
	if proven, err := checkFull(without, p, nil, taken...); err != nil || !proven.Standing.Effective() {
		t.Errorf("with the support in another file: %+v, %v", proven, err)
	}
	// Without the policy that it cites, the decision does not show its ground.
	noPolicy := change(t, good, func(e *verify.Extra) {
		e.Support = slices.DeleteFunc(e.Support, func(s verify.Support) bool { return s.Index == 7 })
	})
	if proven, err := checkFull(noPolicy, p, nil); err == nil && proven.Standing.Effective() {
		t.Error("effective, though its policy is not shown")
	}
}

func TestBareReceipt(t *testing.T) {
	p := goldenPolicy(t)
	r, err := verify.ParseReceipt(goldenFile(t, "receipts", "12-example-emergency-restrict.tlog-proof"))
	if err != nil {
		t.Fatal(err)
	}
	e, err := verify.ParseExtra(r.Extra)
	if err != nil {
		t.Fatal(err)
	}
	r.Extra = nil
	if _, err := r.Check(p, nil); !errors.Is(err, verify.ErrNotShown) {
		t.Errorf("without the record: %v", err)
	}
	if proven, err := r.Check(p, e.Record); err != nil || proven.Full {
		t.Errorf("with the record: %+v, %v", proven, err)
	}
	if _, err := r.Check(p, e.Support[0].Record); err == nil {
		t.Error("with another record: it holds")
	}
}

func FuzzExtra(f *testing.F) {
	for _, b := range goldenReceipts(f, "receipts") {
		r, err := verify.ParseReceipt(b)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(r.Extra)
	}
	c := dated(f)
	f.Add(c.receipt(4, 5, "", c.link(1, 2), c.link(3, 4), c.link(4, 5)).Extra)
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := verify.ParseExtra(b)
		if err != nil {
			return
		}
		if again, err := e.Marshal(); err != nil || !bytes.Equal(again, b) {
			t.Errorf("%q has a second spelling %q (%v)", b, again, err)
		}
	})
}

func TestAuditGolden(t *testing.T) {
	var found []verify.Finding
	sum, err := verify.Audit(context.Background(), verify.DirSource(os.DirFS(filepath.Join(golden, "mirror"))), goldenPolicy(t),
		verify.AuditOptions{Found: func(f verify.Finding) { found = append(found, f) }})
	if err != nil {
		t.Fatal(err)
	}
	if sum.Entries != 14 || sum.Effective != 13 || sum.Void != 1 || sum.Broken != 0 || sum.Unjudged != 0 {
		t.Errorf("%+v", sum)
	}
	if len(found) != 2 || found[0].Index != 8 || found[0].Code != rules.GroundNone || found[1].Code != rules.QuorumShort {
		t.Errorf("found %+v", found)
	}
}

// failing is a Source that answers for the checkpoint alone.
type failing struct{ verify.Source }

func (s failing) ReadFile(ctx context.Context, path string) ([]byte, error) {
	if path == "checkpoint" {
		return s.Source.ReadFile(ctx, path)
	}
	return nil, errors.New("the line is cut")
}

// TestAuditCantTell: a Source that fails and a context that ends are errors, not
// findings.
func TestAuditCantTell(t *testing.T) {
	src := verify.DirSource(os.DirFS(filepath.Join(golden, "mirror")))
	opt := verify.AuditOptions{Found: func(f verify.Finding) { t.Errorf("found %+v", f) }}
	if _, err := verify.Audit(context.Background(), failing{src}, goldenPolicy(t), opt); err == nil || errors.Is(err, verify.ErrCheckpoint) {
		t.Errorf("a Source that fails: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := verify.Audit(ctx, src, goldenPolicy(t), opt); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that has ended: %v", err)
	}
}
