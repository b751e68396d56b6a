package datadir_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docket-ledger/docket/cmd/internal/datadir"
	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
)

const origin = "ledger.example.com/2026"

// A world is a data directory whose charter names the log key and the next one.
type world struct {
	*testing.T
	dir      string
	old, new datadir.Keys
	seq      int64
	receipts [][]byte
}

func newWorld(t *testing.T, pq bool) *world {
	t.Helper()
	w := &world{T: t, dir: filepath.Join(t.TempDir(), "d"), seq: 1}
	var err error
	if w.old, err = datadir.CreateKeys(w.dir, origin, datadir.KeyOptions{PQ: pq}); err != nil {
		t.Fatal(err)
	}
	if w.new, err = datadir.CreateNext(w.dir, datadir.KeyOptions{PQ: pq}); err != nil {
		t.Fatal(err)
	}
	if again, err := datadir.CreateNext(w.dir, datadir.KeyOptions{PQ: pq}); err != nil || again != w.new {
		t.Fatalf("the next key asked for twice: %+v, %v, want %+v", again, err, w.new)
	}
	charter := &record.Charter{
		Common:   record.Common{Ledger: origin},
		Founders: []record.Founder{{Holder: "ada", JWK: ledgertest.JWK("ada"), Roles: []record.Role{record.RoleAdministration, record.RoleRegistrar, record.RolePolicy}}},
		Terms: record.Terms{AdministrationQuorum: 1, RegistrarQuorum: 1, PolicyQuorum: 1, DefaultQuorum: 1,
			Contact: "ledger@test.example", DecideTolerance: 24, DraftLife: 720, Rules: 1,
			Lang: "en", LogKeys: []string{w.old.VKey, w.new.VKey}, Operator: "Test Provider",
			Recovery:       record.Recovery{Keys: []record.JWK{ledgertest.JWK("rita")}, Quorum: 1},
			SubjectKeyHash: "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU", Tolerance: 300, Witnesses: []string{"quorum none"}}}
	if pq {
		charter.LogKeys = append(charter.LogKeys, w.old.PQ, w.new.PQ)
	}
	if _, err := datadir.Init(context.Background(), w.dir, datadir.Options{}, w.sign(charter, "ada", "rita")); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) sign(p record.Payload, signers ...string) []byte {
	w.Helper()
	u, err := record.NewDraft(p)
	if err != nil {
		w.Fatal(err)
	}
	for _, name := range signers {
		seq := int64(1)
		if name == "ada" {
			seq, w.seq = w.seq, w.seq+1
		}
		if u, err = u.Sign(ledgertest.Key(name), time.Now().Unix(), seq, record.SeenNothing); err != nil {
			w.Fatal(err)
		}
	}
	return u.Bytes()
}

// grows opens the ledger, logs a record, and audits all of it under both keys;
// each receipt so far still holds. It returns the key that signs.
func (w *world) grows() string {
	w.Helper()
	ctx := context.Background()
	d, err := datadir.Open(ctx, w.dir, datadir.Options{})
	if err != nil {
		w.Fatalf("open: %v", err)
	}
	defer func() {
		if err := d.Close(); err != nil {
			w.Error(err)
		}
	}()
	name := "holder" + strings.Repeat("x", int(w.seq))
	out, err := d.Ledger.Submit(ctx, w.sign(&record.KeyEnrol{Common: record.Common{Ledger: origin}, Holder: name, JWK: ledgertest.JWK(name),
		Roles: []record.Role{record.RoleDecider}}, "ada", name), ledger.Options{})
	if err != nil {
		w.Fatalf("submit: %v", err)
	}
	w.receipts = append(w.receipts, out.Receipt)
	w.audit(d.Ledger)
	return d.VKey
}

func (w *world) audit(l *ledger.Ledger) {
	w.Helper()
	var held [][]byte
	for _, b := range w.receipts {
		r, err := verify.ParseReceipt(b)
		if err != nil {
			w.Fatal(err)
		}
		held = append(held, r.Checkpoint)
	}
	p, err := verify.ParsePolicy([]byte("log " + w.old.VKey + "\nlog " + w.new.VKey + "\nquorum none\n"))
	if err != nil {
		w.Fatal(err)
	}
	earlier, err := verify.Policies{p}.Held(held...)
	if err != nil {
		w.Fatal(err)
	}
	sum, err := verify.Audit(context.Background(), l, p, verify.AuditOptions{Earlier: earlier, Found: func(f verify.Finding) {
		if f.Severity == verify.Broken {
			w.Errorf("audit: %+v", f)
		}
	}})
	if err != nil || sum.Effective != int64(len(w.receipts))+1 {
		w.Errorf("audit: %+v, %v, want %d effective records", sum, err, len(w.receipts)+1)
	}
}

var errKilled = errors.New("killed")

// TestSuccessionKilled ends a succession before each of its steps. The directory
// works each time, with the old key or the new one, and the succession can be
// finished.
func TestSuccessionKilled(t *testing.T) {
	for _, pq := range []bool{false, true} {
		for _, lost := range []bool{false, true} {
			for at, done := 0, false; !done; at++ {
				w := newWorld(t, pq)
				w.grows()
				if lost {
					w.lose()
				}
				var where string
				done = w.killed(lost, at, &where)
				if where == "" && !done {
					t.Fatal("no step")
				}
				w.recovers(lost, where)
			}
		}
	}
}

func (w *world) lose() {
	w.Helper()
	if err := os.Remove(filepath.Join(w.dir, "keys", "log.key")); err != nil {
		w.Fatal(err)
	}
}

// killed runs a succession up to step number at, and reports whether it was done
// before.
func (w *world) killed(lost bool, at int, where *string) (done bool) {
	w.Helper()
	n := 0
	_, err := datadir.SucceedUntil(context.Background(), w.dir, datadir.Options{}, datadir.Succession{Lost: lost}, func(name string) error {
		if n++; n > at {
			*where = name
			return errKilled
		}
		return nil
	})
	if err != nil && !errors.Is(err, errKilled) {
		w.Fatalf("lost=%v: %v", lost, err)
	}
	return err == nil
}

func (w *world) recovers(lost bool, where string) {
	w.Helper()
	moved := where == "" || strings.HasPrefix(where, "move ") && where != "move next.key"
	if !lost || moved {
		key := w.grows()
		if want := w.old.VKey; !moved && key != want {
			w.Errorf("before %q the key %s signs, want %s", where, key, want)
		}
	}
	if !moved {
		if _, err := datadir.Succeed(context.Background(), w.dir, datadir.Options{}, datadir.Succession{Lost: lost}); err != nil {
			w.Fatalf("again, lost=%v, after it ended before %q: %v", lost, where, err)
		}
	}
	if key := w.grows(); key != w.new.VKey {
		w.Errorf("in the end the key %s signs, want %s", key, w.new.VKey)
	}
	if _, err := datadir.Succeed(context.Background(), w.dir, datadir.Options{}, datadir.Succession{}); !errors.Is(err, fs.ErrNotExist) {
		w.Errorf("a succession without a next key: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(w.dir, "keys", "next*")); len(left) != 0 {
		w.Errorf("left behind: %v", left)
	}
}

// TestSuccessionRefused: what must not be done is not.
func TestSuccessionRefused(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t, false)
	if _, err := datadir.Succeed(ctx, w.dir, datadir.Options{}, datadir.Succession{Lost: true}); err == nil || !strings.Contains(err.Error(), "not lost") {
		t.Errorf("--lost with the key: %v", err)
	}
	d, err := datadir.Open(ctx, w.dir, datadir.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := datadir.Succeed(ctx, w.dir, datadir.Options{}, datadir.Succession{}); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("while it is served: %v", err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	w.lose()
	if _, err := datadir.Succeed(ctx, w.dir, datadir.Options{}, datadir.Succession{}); err == nil || !strings.Contains(err.Error(), "--lost") {
		t.Errorf("without the key: %v", err)
	}
	if _, err := datadir.Open(ctx, w.dir, datadir.Options{}); err == nil || !strings.Contains(err.Error(), "docs/operations.md") {
		t.Errorf("opened without the key: %v", err)
	}
	if err := os.WriteFile(filepath.Join(w.dir, "keys", "next.key"), []byte("PRIVATE+KEY+secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := datadir.Succeed(ctx, w.dir, datadir.Options{}, datadir.Succession{Lost: true}); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("with a damaged next key: %v", err)
	}
}
