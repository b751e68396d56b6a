package watch_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docket-ledger/docket/api/client"
	"github.com/docket-ledger/docket/api/client/liartest"
	"github.com/docket-ledger/docket/cmd/internal/watch"
	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/witness"
)

// A watcher looks, each time with another Watcher that knows only the state file.
type watcher struct {
	t        *testing.T
	cfg      watch.Config
	evidence []verify.Evidence
}

func newWatcher(t *testing.T, policy []byte, src verify.Source, now func() time.Time) *watcher {
	t.Helper()
	p, err := verify.ParsePolicy(policy)
	if err != nil {
		t.Fatal(err)
	}
	w := &watcher{t: t}
	w.cfg = watch.Config{
		Policies: verify.Policies{p}, Log: watch.Place{Name: "log", Source: src}, State: filepath.Join(t.TempDir(), "state"), Err: os.Stderr, Now: now,
		Witness: func(url string) (verify.Source, error) { return client.New(url) },
		Keep: func(e verify.Evidence) (string, error) {
			w.evidence = append(w.evidence, e)
			return "evidence", nil
		},
	}
	return w
}

// look returns the codes of what a look tells, with the source or "of" where it is
// another one than the log.
func (w *watcher) look(want watch.Outcome) []watch.Event {
	w.t.Helper()
	var out bytes.Buffer
	w.cfg.Out = &out
	one, err := watch.New(w.cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	got, err := one.Look(w.t.Context())
	if err != nil || got != want {
		w.t.Errorf("outcome %d, want %d, %v:\n%s", got, want, err, &out)
	}
	var all []watch.Event
	for line := range bytes.Lines(out.Bytes()) {
		var e watch.Event
		if err := json.Unmarshal(line, &e); err != nil {
			w.t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

// sees looks and compares codes.
func (w *watcher) sees(want watch.Outcome, codes ...watch.Code) []watch.Event {
	w.t.Helper()
	all := w.look(want)
	var got []watch.Code
	for _, e := range all {
		got = append(got, e.Code)
	}
	if !slices.Equal(got, codes) {
		w.t.Errorf("events %v, want %v: %+v", got, codes, all)
	}
	return all
}

// TestLedger: what happens in a ledger is told once, as it happens.
func TestLedger(t *testing.T) {
	l := ledgertest.New(t, nil)
	w := newWatcher(t, l.TrustPolicy(), l.Ledger, l.Now)
	if e := w.sees(watch.Quiet, watch.Began)[0]; e.Size != 6 || e.Origin != ledgertest.Origin || e.At != l.Time(0) {
		t.Errorf("%+v", e)
	}
	w.sees(watch.Quiet)

	l.Submit(l.Sign(l.Decision("case-1"), "dora", "erik"))
	w.sees(watch.Quiet, watch.Grown)
	policy := ledgertest.Abuse()
	policy.Version, policy.EffectiveFrom = 2, l.Time(0)
	l.Submit(l.Sign(policy, "ada", "ben"))
	l.Machine("quorum none")
	for i, e := range w.sees(watch.Alarmed, watch.Grown, watch.PolicyPublished, watch.KeyEnrolled, watch.CharterAmended)[1:] {
		if e.Index == nil || *e.Index != int64(7+i) || !strings.HasPrefix(string(e.Record), "d-") || e.Level != watch.Alarm {
			t.Errorf("%+v", e)
		}
	}
	bad := l.Decision("case-2")
	bad.Grounds[0].Clause = "security"
	out, err := l.Ledger.Submit(t.Context(), l.Sign(bad, "dora"), ledger.Options{LogVoid: true})
	if err != nil || out.Standing.Effective() {
		t.Fatal(err, out.Standing)
	}
	found := w.sees(watch.Alarmed, watch.Grown, watch.RecordVoid)
	if e := found[1]; e.Index == nil || *e.Index != 10 || len(e.Codes) < 2 || e.Record != out.ID {
		t.Errorf("%+v", e)
	}
	w.sees(watch.Quiet)

	l.Advance(30 * 24 * time.Hour) // by the clock of the watcher: nobody records anything
	if e := w.sees(watch.Alarmed, watch.Overdue)[0]; !strings.Contains(e.Detail, "case-1") {
		t.Errorf("%+v", e)
	}
	w.sees(watch.Alarmed) // it lasts, and is not told again
	w.cfg.Recheck = time.Nanosecond
	w.sees(watch.Alarmed) // nor when the whole log is read again
}

// TestAge: with witnesses the head is as old as they say, else as the watcher has
// known it.
func TestAge(t *testing.T) {
	alone := ledgertest.New(t, nil)
	w := newWatcher(t, alone.TrustPolicy(), alone.Ledger, alone.Now)
	w.cfg.MaxAge = time.Hour
	alone.Advance(24 * time.Hour)
	w.sees(watch.Quiet, watch.Began)
	alone.Advance(time.Hour)
	w.sees(watch.Quiet)
	alone.Advance(time.Second)
	if e := w.sees(watch.Alarmed, watch.Stale)[0]; !strings.Contains(e.Detail, "watcher's clock") {
		t.Errorf("%+v", e)
	}
	alone.Submit(alone.Sign(ledgertestPolicy(alone), "ada", "ben"))
	w.sees(watch.Alarmed, watch.Cleared, watch.Grown, watch.PolicyPublished)

	cosigned := ledgertest.NewWitnessed(t, nil)
	cosigned.Cosign("w1 w2")
	w = newWatcher(t, cosigned.WitnessPolicy(), cosigned.Ledger, cosigned.Now)
	w.cfg.Witness = func(string) (verify.Source, error) { return verify.DirSource(liartest.Files{}.FS()), nil } // they show nothing
	w.cfg.MaxAge = time.Hour
	w.sees(watch.Quiet, watch.Began)
	cosigned.Advance(50 * time.Minute)
	cosigned.Cosign("w2 w3") // the same head
	cosigned.Advance(50 * time.Minute)
	w.sees(watch.Quiet, watch.Grown) // by a timemark
	cosigned.Advance(11 * time.Minute)
	if e := w.look(watch.Alarmed); len(e) == 0 || e[0].Code != watch.Stale || !strings.Contains(e[0].Detail, "witnesses") {
		t.Errorf("%+v", e)
	}
}

func ledgertestPolicy(l *ledgertest.World) *record.PolicyPublish {
	p := ledgertest.Abuse()
	p.Version, p.EffectiveFrom = 2, l.Time(0)
	return p
}

// TestWitness: a witness who has another history proves a split view; one who has
// a newer head of the same does not, unless the log stays behind.
func TestWitness(t *testing.T) {
	o := liartest.History(t, filepath.Join("..", "..", "..", "verify", "testdata", "history"))
	log := o.Log(257)
	id := "/" + witness.ID(o.Signer.Name()) + "/checkpoint"
	for _, test := range []struct {
		name string
		note []byte
		want watch.Code
	}{
		{"the same", log["checkpoint"], ""},
		{"an older one", o.Log(100)["checkpoint"], ""},
		{"another history of the same size", o.Fork(257, 256)["checkpoint"], watch.WitnessFork},
		{"an older one of another history", o.Fork(256, 0)["checkpoint"], watch.WitnessFork},
		{"a newer one", o.Log(322)["checkpoint"], watch.Behind},
		{"none", nil, ""},
		{"no checkpoint", []byte("hello\n"), watch.WitnessWrong},
		{"of another log", liartest.New(t, "other.example/1", 2).Log(2)["checkpoint"], watch.WitnessWrong},
	} {
		server := liartest.Serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != id || test.note == nil {
				http.NotFound(w, r)
				return
			}
			w.Write(test.note)
		}))
		policy := fmt.Sprintf("log %s\nwitness w1 %v %s\nquorum none\n", o.VKey, ledgertest.WitnessKey("w1"), server.URL)
		w := newWatcher(t, []byte(policy), verify.DirSource(log.FS()), func() time.Time { return time.Date(2026, 8, 1, 0, 0, 0, 0, time.UTC) })
		one, err := newLook(w)
		if err != nil {
			t.Fatal(err)
		}
		var got []watch.Code
		for _, e := range one {
			if strings.HasPrefix(string(e.Code), "witness.") || strings.HasPrefix(string(e.Code), "log.") {
				got = append(got, e.Code)
			}
		}
		if test.want == "" && len(got) > 0 || test.want != "" && !slices.Equal(got, []watch.Code{test.want}) {
			t.Errorf("%s: %v, want %q", test.name, got, test.want)
		}
		if test.want == watch.WitnessFork {
			if len(w.evidence) != 1 {
				t.Fatalf("%s: %d files of evidence", test.name, len(w.evidence))
			}
			if a, err := w.cfg.Policies.Prove(w.evidence[0]); err != nil || a.Kind != verify.KindFork {
				t.Errorf("%s: %+v, %v", test.name, a, err)
			}
		}
	}
}

// newLook is look, whatever comes of it.
func newLook(w *watcher) ([]watch.Event, error) {
	var out bytes.Buffer
	w.cfg.Out = &out
	one, err := watch.New(w.cfg)
	if err != nil {
		return nil, err
	}
	if _, err := one.Look(context.Background()); err != nil {
		return nil, err
	}
	var all []watch.Event
	for line := range bytes.Lines(out.Bytes()) {
		var e watch.Event
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return all, nil
}

// A failing source has a log, and shows only its checkpoint.
type failing struct{ liartest.Files }

func (f failing) ReadFile(_ context.Context, path string) ([]byte, error) {
	if path == "checkpoint" {
		return f.Files[path], nil
	}
	return nil, errors.New("the disk is on fire")
}

// TestBeginnings: a log that is not there, empty, and then there.
func TestBeginnings(t *testing.T) {
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	o := liartest.History(t, filepath.Join("..", "..", "..", "verify", "testdata", "history"))
	w := newWatcher(t, o.Trust(), verify.DirSource(liartest.Files{}.FS()), func() time.Time { return now })
	w.sees(watch.Blind, watch.Unreachable)
	w.sees(watch.Blind)
	w.cfg.MaxAge = time.Hour
	now = now.Add(2 * time.Hour)
	w.sees(watch.Alarmed, watch.Stale)
	w.cfg.Log.Source = verify.DirSource(o.Log(0).FS())
	w.sees(watch.Quiet, watch.Cleared, watch.Cleared, watch.Began)
	now = now.Add(48 * time.Hour) // in which nobody watched
	w.cfg.Log.Source = verify.DirSource(liartest.Files{"checkpoint": o.Log(1)["checkpoint"]}.FS())
	w.sees(watch.Alarmed, watch.Altered)
	w.cfg.Log.Source = failing{o.Log(1)}
	w.sees(watch.Alarmed, watch.Unread) // and still altered, as far as anybody knows
	now = now.Add(2 * time.Hour)
	w.sees(watch.Alarmed, watch.Stale, watch.Unreadable)
	w.cfg.MaxAge = 0
	w.cfg.Log.Source = verify.DirSource(o.Log(1).FS())
	w.sees(watch.Alarmed, watch.Cleared, watch.Grown, watch.CharterMade, watch.Cleared, watch.Cleared, watch.Cleared)
	w.cfg.Log.Source = verify.DirSource(o.Log(0).FS())
	w.sees(watch.Alarmed, watch.Smaller)
	if len(w.evidence) != 1 || w.evidence[0].Kind != verify.KindRollback {
		t.Errorf("%+v", w.evidence)
	}
	w.cfg.Log.Source = verify.DirSource(o.Log(1).FS())
	w.sees(watch.Quiet, watch.Cleared)
}

// TestStateFile: a damaged state is refused, a damaged audit is done again.
func TestStateFile(t *testing.T) {
	l := ledgertest.New(t, nil)
	w := newWatcher(t, l.TrustPolicy(), l.Ledger, l.Now)
	var said bytes.Buffer
	w.cfg.Err = &said
	w.sees(watch.Quiet, watch.Began)
	if err := os.WriteFile(w.cfg.State+".audit", []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.sees(watch.Quiet)
	if !strings.Contains(said.String(), "read again") {
		t.Errorf("said %q", &said)
	}
	good, err := os.ReadFile(w.cfg.State)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"", "{}", string(good[:len(good)/2]), strings.Replace(string(good), `"v": 1`, `"v": 2`, 1), strings.Replace(string(good), `"since"`, `"sinse"`, 1)} {
		if err := os.WriteFile(w.cfg.State, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := watch.New(w.cfg); !errors.Is(err, watch.ErrState) {
			t.Errorf("%.40q: %v", bad, err)
		}
	}
	other := liartest.New(t, "other.example/1", 1)
	if err := os.WriteFile(w.cfg.State, good, 0o600); err != nil {
		t.Fatal(err)
	}
	w.cfg.Policies = other.Policies()
	if _, err := watch.New(w.cfg); err == nil || !strings.Contains(err.Error(), "no policy here names the log key") {
		t.Errorf("another log: %v", err)
	}
}

// TestFullDisk: a state that can't be written does not keep a watch from telling.
func TestFullDisk(t *testing.T) {
	o := liartest.New(t, "static.example/log", 1) // its entry is no record
	w := newWatcher(t, o.Trust(), verify.DirSource(o.Log(1).FS()), time.Now)
	w.cfg.State = filepath.Join(t.TempDir(), "nowhere", "state")
	var out bytes.Buffer
	w.cfg.Out, w.cfg.Err = &out, &out
	one, err := watch.New(w.cfg)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got, err := one.Look(t.Context()); got != watch.Alarmed || !errors.Is(err, os.ErrNotExist) {
			t.Errorf("outcome %d, %v", got, err)
		}
	}
	if strings.Count(out.String(), `"code":"log.dishonest"`) != 1 {
		t.Errorf("told: %s", &out)
	}
}
