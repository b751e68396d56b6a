package ledger_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/ledger/tree"
	"github.com/docket-ledger/docket/ledger/tree/embedded"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
)

// holds checks a bare receipt as its holder does.
func holds(t *testing.T, w *ledgertest.World, b, receipt []byte) {
	t.Helper()
	p, err := verify.ParsePolicy(w.TrustPolicy())
	if err != nil {
		t.Fatal(err)
	}
	r, err := verify.ParseReceipt(receipt)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Check(p, b); err != nil {
		t.Errorf("receipt: %v", err)
	}
}

// audited audits the whole ledger and wants nothing broken.
func audited(t *testing.T, w *ledgertest.World) *verify.Summary {
	t.Helper()
	p, err := verify.ParsePolicy(w.TrustPolicy())
	if err != nil {
		t.Fatal(err)
	}
	sum, err := verify.Audit(context.Background(), w.Ledger, p, verify.AuditOptions{Found: func(f verify.Finding) {
		if f.Severity == verify.Broken {
			t.Errorf("audit: %+v", f)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

// TestOlderDirectory puts an older copy of the log back and keeps the guard: the
// ledger must not sign a second history.
func TestOlderDirectory(t *testing.T) {
	w := ledgertest.New(t, nil)
	w.Submit(w.Sign(w.Decision("case-one"), "dora", "erik"))
	w.Close()
	old := filepath.Join(t.TempDir(), "old")
	for _, part := range []string{"log", "state"} {
		if err := os.CopyFS(filepath.Join(old, part), os.DirFS(filepath.Join(w.Dir, part))); err != nil {
			t.Fatal(err)
		}
	}
	w.OpenParts()
	w.OpenLedger()
	w.Submit(w.Sign(w.Decision("case-two"), "dora", "erik"))
	w.Close()
	for _, part := range []string{"log", "state"} {
		if err := errors.Join(os.RemoveAll(filepath.Join(w.Dir, part)), os.Rename(filepath.Join(old, part), filepath.Join(w.Dir, part))); err != nil {
			t.Fatal(err)
		}
	}
	guard, err := os.ReadFile(filepath.Join(w.Dir, "guard"))
	if err != nil {
		t.Fatal(err)
	}
	w.OpenParts()
	defer w.CloseParts()
	_, err = ledger.Open(context.Background(), w.Config)
	if !errors.Is(err, ledger.ErrHalted) {
		t.Fatalf("Open: %v, want ErrHalted", err)
	}
	for _, word := range []string{"signed a tree of size 8", "only 7 records", "second history", "mirror"} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("Open: %v, want it to say %q", err, word)
		}
	}
	if now, err := os.ReadFile(filepath.Join(w.Dir, "guard")); err != nil || !bytes.Equal(now, guard) {
		t.Errorf("the guard was changed (%v)", err)
	}
}

// TestGuard breaks the guard file.
func TestGuard(t *testing.T) {
	for _, test := range []struct {
		name   string
		damage func(b []byte) []byte
		words  string // of the refusal, or empty if one whole slot is enough
	}{
		{"first slot", func(b []byte) []byte { b[20] ^= 1; return b }, ""},
		{"second slot", func(b []byte) []byte { b[len(b)/2+20] ^= 1; return b }, ""},
		{"both slots", func(b []byte) []byte { b[20] ^= 1; b[len(b)/2+20] ^= 1; return b }, "neither of its two slots is whole"},
		{"cut", func(b []byte) []byte { return b[:len(b)/2] }, "damaged"},
		{"gone", func([]byte) []byte { return nil }, "missing"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := ledgertest.New(t, nil)
			w.Submit(w.Sign(w.Decision("case-one"), "dora", "erik"))
			w.Close()
			path := filepath.Join(w.Dir, "guard")
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if b = test.damage(b); b == nil {
				err = os.Remove(path)
			} else {
				err = os.WriteFile(path, b, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			w.OpenParts()
			l, err := ledger.Open(context.Background(), w.Config)
			if test.words != "" {
				defer w.CloseParts()
				if !errors.Is(err, ledger.ErrHalted) || !errors.Is(err, ledger.ErrGuard) || !strings.Contains(err.Error(), test.words) {
					t.Fatalf("Open: %v, want ErrHalted, ErrGuard and %q", err, test.words)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			w.Ledger = l
			w.Submit(w.Sign(w.Decision("case-two"), "dora", "erik"))
			audited(t, w)
		})
	}
}

// TestLostState deletes what is derived: it is made anew, with the same
// standings.
func TestLostState(t *testing.T) {
	w := ledgertest.New(t, nil)
	void := w.Decision("case-void")
	void.Grounds = nil
	out, err := w.Ledger.Submit(context.Background(), w.Sign(void, "dora"), ledger.Options{LogVoid: true})
	if err != nil || out.Standing.Effective() {
		t.Fatalf("log as void: %v, %v", out.Standing, err)
	}
	good := w.Submit(w.Sign(w.Decision("case-one"), "dora", "erik"))
	w.Close()
	if err := os.RemoveAll(filepath.Join(w.Dir, "state")); err != nil {
		t.Fatal(err)
	}
	w.OpenParts()
	w.OpenLedger()
	for _, want := range []ledger.Outcome{out, good} {
		e, err := w.Ledger.Record(context.Background(), want.ID)
		if err != nil || e.Standing.Index != want.Index || strings.Join(words(e.Standing.Codes), " ") != strings.Join(words(want.Standing.Codes), " ") {
			t.Errorf("record %s: %+v, %v, want %+v", want.ID, e.Standing, err, want.Standing)
		}
	}
	if sum := audited(t, w); sum.Void != 1 {
		t.Errorf("%d void, want 1", sum.Void)
	}
}

func words(codes []record.Code) []string {
	out := make([]string, len(codes))
	for i, c := range codes {
		out[i] = string(c)
	}
	return out
}

// TestInUse opens a directory twice.
func TestInUse(t *testing.T) {
	w := ledgertest.New(t, nil)
	if _, err := embedded.Open(context.Background(), embedded.Config{Dir: filepath.Join(w.Dir, "log")}); !errors.Is(err, tree.ErrInUse) {
		t.Errorf("Open: %v, want ErrInUse", err)
	}
}

// TestInitTwice begins a ledger again.
func TestInitTwice(t *testing.T) {
	w := ledgertest.New(t, nil)
	charter, err := w.Config.Log.Leaves(context.Background(), 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ledger.Init(context.Background(), w.Config, charter[0]); !errors.Is(err, fs.ErrExist) {
		t.Errorf("Init: %v, want ErrExist", err)
	}
}

// TestReceiptsForEver keeps all receipts over restarts and growth.
func TestReceiptsForEver(t *testing.T) {
	w := ledgertest.New(t, nil)
	type kept struct{ record, receipt []byte }
	var all []kept
	for _, name := range []string{"case-a", "case-b", "case-c"} {
		b := w.Sign(w.Decision(name), "dora", "erik")
		out := w.Submit(b)
		all = append(all, kept{b, out.Receipt})
		w.Reopen()
		again, err := w.Ledger.Submit(context.Background(), b, ledger.Options{})
		if err != nil || !again.Known || again.Index != out.Index {
			t.Errorf("the same bytes again: %+v, %v", again, err)
		}
		for _, k := range all {
			holds(t, w, k.record, k.receipt)
		}
	}
	audited(t, w)
}
