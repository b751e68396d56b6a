package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/ledger/state"
	"github.com/docket-ledger/docket/ledger/tree/embedded"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// TestStartReadsNoRecords: a start reads the edge of the tree, and the records
// only if the state is lost.
func TestStartReadsNoRecords(t *testing.T) {
	w := ledgertest.New(t, nil)
	for i := range 30 {
		w.Submit(w.Sign(solo(w, fmt.Sprintf("case-%d", i)), "dora"))
	}
	for _, test := range []struct {
		name  string
		lost  bool
		reads int64
	}{{"as it was left", false, 0}, {"without its state", true, 36}} {
		w.Close()
		if test.lost {
			if err := os.RemoveAll(filepath.Join(w.Dir, "state")); err != nil {
				t.Fatal(err)
			}
		}
		w.OpenParts()
		h := &hookedLog{Log: w.Config.Log}
		w.Config.Log = h
		w.OpenLedger()
		if n := h.leaves.Load(); n != test.reads {
			t.Errorf("a start %s reads %d records, want %d", test.name, n, test.reads)
		}
	}
}

// swapPart puts the part of dir in the place of the World's, which is closed.
func swapPart(t *testing.T, w *ledgertest.World, part, dir string) {
	t.Helper()
	path := filepath.Join(w.Dir, part)
	if err := errors.Join(os.RemoveAll(path), os.Rename(filepath.Join(dir, part), path)); err != nil {
		t.Fatal(err)
	}
}

// keepPart copies a part of a World that is closed.
func keepPart(t *testing.T, w *ledgertest.World, part, dir string) {
	t.Helper()
	path := filepath.Join(w.Dir, part)
	info, err := os.Stat(path)
	if err == nil && info.IsDir() {
		err = os.CopyFS(filepath.Join(dir, part), os.DirFS(path))
	} else if err == nil {
		var b []byte
		if b, err = os.ReadFile(path); err == nil {
			err = os.WriteFile(filepath.Join(dir, part), b, 0o600)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
}

// voided logs a void record and returns its outcome.
func voided(t *testing.T, w *ledgertest.World, name string) ledger.Outcome {
	t.Helper()
	d := w.Decision(name)
	d.Grounds = nil
	out, err := w.Ledger.Submit(context.Background(), w.Sign(d, "dora"), ledger.Options{LogVoid: true})
	if err != nil || out.Standing.Effective() {
		t.Fatalf("log as void: %+v, %v", out, err)
	}
	return out
}

// stands checks the standing that the ledger knows.
func stands(t *testing.T, w *ledgertest.World, want ledger.Outcome) {
	t.Helper()
	e, err := w.Ledger.Record(context.Background(), want.ID)
	if err != nil || e.Index != want.Index || !slices.Equal(e.Standing.Codes, want.Standing.Codes) {
		t.Errorf("record %d: %+v, %v, want %v", want.Index, e.Standing, err, want.Standing)
	}
}

// TestStateAhead: a state that has seen more than the log holds is made anew.
func TestStateAhead(t *testing.T) {
	w := ledgertest.New(t, nil)
	void := voided(t, w, "case-void")
	w.Close()
	old := t.TempDir()
	keepPart(t, w, "log", old)
	keepPart(t, w, "guard", old)
	w.OpenParts()
	w.OpenLedger()
	lost := w.Sign(w.Decision("case-one"), "dora", "erik")
	w.Submit(lost)
	w.Close()
	swapPart(t, w, "log", old) // with its guard: nothing tells but the state
	swapPart(t, w, "guard", old)
	w.OpenParts()
	w.OpenLedger()
	stands(t, w, void)
	if out, err := w.Ledger.Submit(context.Background(), lost, ledger.Options{}); err != nil || out.Known {
		t.Errorf("what the log no longer has: %+v, %v", out, err)
	}
	audited(t, w)
}

// TestForeignState: the state of another log of the same size is made anew.
func TestForeignState(t *testing.T) {
	w, other := ledgertest.New(t, nil), ledgertest.New(t, nil)
	void := voided(t, w, "case-void")
	other.Submit(other.Sign(other.Decision("case-void"), "dora", "erik"))
	w.Close()
	other.Close()
	swapPart(t, w, "state", other.Dir)
	w.OpenParts()
	w.OpenLedger()
	stands(t, w, void)
	w.Submit(w.Sign(w.Decision("case-void"), "dora", "erik"))
	audited(t, w)
}

// TestForeignGuard: the guard of another history, or of another key.
func TestForeignGuard(t *testing.T) {
	w, other := ledgertest.New(t, nil), ledgertest.New(t, nil)
	w.Submit(w.Sign(w.Decision("case-one"), "dora", "erik"))
	other.Submit(other.Sign(other.Decision("case-two"), "dora", "erik"))
	w.Close()
	other.Close()
	own := t.TempDir()
	keepPart(t, w, "guard", own)
	swapPart(t, w, "guard", other.Dir)
	w.OpenParts()
	defer w.CloseParts()
	_, err := ledger.Open(context.Background(), w.Config)
	if !errors.Is(err, ledger.ErrHalted) || !strings.Contains(err.Error(), "records were changed") {
		t.Errorf("the guard of another history: %v", err)
	}
	swapPart(t, w, "guard", own)
	skey, vkey, err := note.GenerateKey(nil, ledgertest.Origin)
	if err != nil {
		t.Fatal(err)
	}
	if w.Config.Signer, err = note.NewSigner(skey); err != nil {
		t.Fatal(err)
	}
	w.Config.VKey = vkey
	_, err = ledger.Open(context.Background(), w.Config)
	if !errors.Is(err, ledger.ErrHalted) || !errors.Is(err, ledger.ErrGuard) || !strings.Contains(err.Error(), "did not sign") {
		t.Errorf("another log key: %v", err)
	}
}

// foundation is a place for a new ledger.
type foundation struct {
	w   *ledgertest.World // whose charter and log key it takes
	cfg ledger.Config
}

func newFoundation(t *testing.T) *foundation {
	t.Helper()
	f := &foundation{w: ledgertest.New(t, nil)}
	dir := t.TempDir()
	log, err := embedded.Open(context.Background(), embedded.Config{Dir: filepath.Join(dir, "log")})
	if err != nil {
		t.Fatal(err)
	}
	st, err := state.Open(state.Config{Dir: filepath.Join(dir, "state")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(st.Close(), log.Close()); err != nil {
			t.Error(err)
		}
	})
	f.cfg = f.w.Config
	f.cfg.Log, f.cfg.State, f.cfg.Guard = log, st, filepath.Join(dir, "guard")
	return f
}

// charter returns the charter, changed and signed.
func (f *foundation) charter(t *testing.T, change func(*record.Charter), signers ...string) []byte {
	t.Helper()
	c := f.w.Charter()
	c.Ledger = ledgertest.Origin
	if change != nil {
		change(c)
	}
	u, err := record.NewDraft(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range signers {
		if u, err = u.Sign(ledgertest.Key(name), f.w.Now().Unix(), 1, record.SeenNothing); err != nil {
			t.Fatal(err)
		}
	}
	return u.Bytes()
}

var founders = []string{"ada", "ben", "cleo", "rita", "rolf"}

func TestInitRefuses(t *testing.T) {
	f := newFoundation(t)
	for _, test := range []struct {
		name    string
		charter []byte
		words   string
	}{
		{"without the log key", f.charter(t, func(c *record.Charter) { c.LogKeys = []string{otherVKey(t, ledgertest.Origin)} }, founders...), "does not name this ledger's log key"},
		{"of another origin", f.charter(t, func(c *record.Charter) { c.Ledger = "other.example/2026" }, founders...), "other.example/2026"},
		{"with a founder's signature missing", f.charter(t, nil, founders[1:]...), string(rules.QuorumShort)},
		{"unsigned", f.charter(t, nil), "signature"},
		{"that is none", []byte("{}"), "record.malformed"},
	} {
		if _, err := ledger.Init(context.Background(), f.cfg, test.charter); err == nil || !strings.Contains(err.Error(), test.words) {
			t.Errorf("a charter %s: %v, want %q", test.name, err, test.words)
		}
	}
	if _, err := ledger.Open(context.Background(), f.cfg); !errors.Is(err, ledger.ErrEmpty) {
		t.Errorf("Open: %v, want ErrEmpty: nothing was written", err)
	}
	if _, err := os.Stat(f.cfg.Guard); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the guard: %v, want none", err)
	}
	if _, err := ledger.Init(context.Background(), f.cfg, f.charter(t, nil, founders...)); err != nil {
		t.Errorf("a good one at last: %v", err)
	}
}

func otherVKey(t *testing.T, name string) string {
	t.Helper()
	_, vkey, err := note.GenerateKey(nil, name)
	if err != nil {
		t.Fatal(err)
	}
	return vkey
}

// TestInitInterrupted: the charter is in the log and the guard is not there.
func TestInitInterrupted(t *testing.T) {
	f := newFoundation(t)
	charter := f.charter(t, nil, founders...)
	guard := f.cfg.Guard
	f.cfg.Guard = filepath.Join(filepath.Dir(guard), "no such folder", "guard")
	if _, err := ledger.Init(context.Background(), f.cfg, charter); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("Init without a place for the guard: %v", err)
	}
	f.cfg.Guard = guard
	if _, err := ledger.Open(context.Background(), f.cfg); !errors.Is(err, ledger.ErrHalted) || !errors.Is(err, ledger.ErrGuard) {
		t.Errorf("Open: %v, want ErrHalted and ErrGuard", err)
	}
	if err := os.WriteFile(guard+".new", make([]byte, 100), 0o600); err != nil { // torn
		t.Fatal(err)
	}
	other := f.charter(t, func(c *record.Charter) { c.Operator = "Another Provider" }, founders...)
	if _, err := ledger.Init(context.Background(), f.cfg, other); !errors.Is(err, fs.ErrExist) {
		t.Errorf("Init with another charter: %v, want ErrExist", err)
	}
	out, err := ledger.Init(context.Background(), f.cfg, charter)
	if err != nil || out.Index != 0 || out.Known || out.ID != record.IDOf(charter) {
		t.Fatalf("Init again: %+v, %v", out, err)
	}
	holds(t, f.w, charter, out.Receipt)
	if err := os.Remove(guard); err != nil {
		t.Fatal(err)
	}
	if _, err := ledger.Open(context.Background(), f.cfg); !errors.Is(err, ledger.ErrHalted) {
		t.Errorf("Open without the guard: %v, want ErrHalted", err)
	}
}

// TestInitAfterLoss: the guard is there and the log is not: that is no new
// ledger.
func TestInitAfterLoss(t *testing.T) {
	f := newFoundation(t)
	if err := os.WriteFile(f.cfg.Guard, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := ledger.Init(context.Background(), f.cfg, f.charter(t, nil, founders...))
	if !errors.Is(err, fs.ErrExist) || !strings.Contains(err.Error(), "its log was lost") {
		t.Errorf("Init: %v", err)
	}
}
