package ledger_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
)

// types returns the types of the records from an index on.
func types(t *testing.T, w *ledgertest.World, from int64) string {
	t.Helper()
	var all []string
	leaves, err := w.Config.Log.Leaves(t.Context(), from, w.Ledger.Head().Checkpoint.Size)
	check(t, err)
	for _, b := range leaves {
		u, err := record.Parse(b)
		check(t, err)
		all = append(all, string(u.Payload().Head().Type))
	}
	return strings.Join(all, " ")
}

// settle lets the writer look whether a timemark is due.
func settle(_ *testing.T, w *ledgertest.World) { w.Ledger.Look() }

// A move is what happens in a row of the tables below.
type move func(t *testing.T, w *ledgertest.World)

func passes(d time.Duration) move { return func(_ *testing.T, w *ledgertest.World) { w.Advance(d) } }
func witnesses(by string) move {
	return func(t *testing.T, w *ledgertest.World) { w.Cosign(by); settle(t, w) }
}
func logs(name string) move                      { return func(_ *testing.T, w *ledgertest.World) { enrol(w, name) } }
func restarts(_ *testing.T, w *ledgertest.World) { w.Reopen() }
func amends(change func(*record.CharterAmend)) move {
	return func(_ *testing.T, w *ledgertest.World) {
		a := &record.CharterAmend{Terms: w.Charter().Terms, Reasons: "As a test."}
		change(a)
		w.Submit(w.Sign(a, "rita", "rolf"))
	}
}

const (
	e = "key.enrol"
	m = "timemark"
)

// TestTimemarks: when one is logged, and that it causes no other one.
func TestTimemarks(t *testing.T) {
	for _, c := range []struct {
		name  string
		moves []move
		want  string // the records after the founding
	}{
		{"nobody cosigns", []move{logs("gil"), passes(48 * time.Hour), logs("hal")}, e + " " + e},
		{"the founding is covered", []move{witnesses("w1 w2")}, m},
		{"its own growth causes none", []move{witnesses("w1 w2"), passes(2 * time.Minute), witnesses("w1 w2"), passes(10 * time.Minute), witnesses("w2 w3")}, m},
		{"an idle day causes none", []move{witnesses("w1 w2"), passes(24 * time.Hour), witnesses("w1 w2")}, m},
		{"a record, a mark", []move{witnesses("w1 w2"), passes(2 * time.Minute), logs("gil"), witnesses("w1 w2")}, m + " " + e + " " + m},
		{"not twice a minute", []move{witnesses("w1 w2"), passes(30 * time.Second), logs("gil"), witnesses("w1 w2")}, m + " " + e},
		{"but when it is over", []move{witnesses("w1 w2"), passes(30 * time.Second), logs("gil"), witnesses("w1 w2"), passes(30 * time.Second), settle}, m + " " + e + " " + m},
		{"what came since is not covered", []move{witnesses("w1 w2"), passes(time.Minute), logs("gil"), passes(time.Minute), settle}, m + " " + e},
		{"after an idle day before the record", []move{witnesses("w1 w2"), passes(24 * time.Hour), witnesses("w1 w2"), logs("gil")}, m + " " + m + " " + e},
		{"less than an hour is not stale", []move{witnesses("w1 w2"), passes(59 * time.Minute), witnesses("w1 w2"), logs("gil")}, m + " " + e},
		{"without a newer witnessed head it goes on", []move{witnesses("w1 w2"), passes(24 * time.Hour), logs("gil")}, m + " " + e},
		{"one for many", []move{witnesses("w1 w2"), passes(24 * time.Hour), witnesses("w1 w2"), logs("gil"), logs("hal"), logs("ida")}, m + " " + m + " " + e + " " + e + " " + e},
		{"across a restart", []move{witnesses("w1 w2"), logs("gil"), restarts, passes(2 * time.Minute), witnesses("w1 w2"), restarts, restarts, passes(2 * time.Minute), witnesses("w1 w2")}, m + " " + e + " " + m},
		{"a restart causes none", []move{witnesses("w1 w2"), restarts, restarts}, m},
		{"the clock steps back", []move{witnesses("w1 w2"), passes(-4 * time.Minute), logs("gil"), witnesses("w1 w2")}, m + " " + e + " " + m},
		{"the clock steps ahead", []move{witnesses("w1 w2"), passes(365 * 24 * time.Hour), logs("gil"), passes(2*time.Minute - 365*24*time.Hour), witnesses("w1 w2")}, m + " " + e + " " + m},
		{"one of three has a wrong clock", []move{witnesses("w1@8760h w2 w3"), passes(2 * time.Minute), logs("gil"), witnesses("w1@-8760h w2 w3")}, m + " " + e + " " + m},
		{"two of three have, ahead", []move{witnesses("w1@1h w2@1h"), logs("gil"), witnesses("w1@2h w2@3h w3")}, e},
		{"two of three have, behind", []move{witnesses("w1 w2"), passes(2 * time.Minute), logs("gil"), witnesses("w1@-1h w2@-1h"), passes(2 * time.Minute), logs("hal"), witnesses("w2 w3")},
			m + " " + e + " " + m + " " + e + " " + m},
		{"the machine key was revoked", []move{witnesses("w1 w2"), func(_ *testing.T, w *ledgertest.World) {
			w.Submit(w.Sign(&record.KeyRevoke{KID: ledgertest.JWK("max").KID(), Reason: "retired"}, "ada", "ben"))
		}, passes(2 * time.Minute), witnesses("w1 w2"), logs("gil")}, m + " key.revoke " + e},
		{"other witnesses by amendment", []move{witnesses("w1 w2"), amends(func(a *record.CharterAmend) {
			a.Witnesses = []string{"witness w9 " + ledgertest.WitnessKey("w9").String(), "quorum w9"}
		}), passes(2 * time.Minute), witnesses("w1 w2"), logs("gil"), passes(48 * time.Hour), witnesses("w1 w2"), logs("hal")}, m + " charter.amend " + e + " " + e},
		{"no witnesses any more by amendment", []move{witnesses("w1 w2"), amends(func(a *record.CharterAmend) {
			a.Witnesses = []string{"quorum none"}
		}), passes(2 * time.Minute), witnesses("w1 w2"), logs("gil")}, m + " charter.amend " + e},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := ledgertest.NewWitnessed(t, nil)
			founded := w.Ledger.Head().Checkpoint.Size
			for _, does := range c.moves {
				does(t, w)
			}
			if got := types(t, w, founded); got != c.want {
				t.Errorf("logged %s\n  want %s", got, c.want)
			}
			sum, err := verify.Audit(t.Context(), w.Ledger, plain(t, w), verify.AuditOptions{Found: func(f verify.Finding) {
				if f.Severity != verify.Note {
					t.Errorf("audit: %+v", f)
				}
			}})
			if err != nil || sum.Void+sum.Broken > 0 {
				t.Errorf("audit: %+v, %v", sum, err)
			}
		})
	}
}

// plain is the policy of the log's key alone.
func plain(t *testing.T, w *ledgertest.World) *verify.Policy {
	t.Helper()
	p, err := verify.ParsePolicy(w.TrustPolicy())
	check(t, err)
	return p
}

// TestUnmarked: what is in the way of timemarks is said, and never in the way of
// records.
func TestUnmarked(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(t *testing.T, c *ledger.Config)
		plain  bool // the charter names no witnesses
		by     string
		want   string // part of what is said, "" if nothing is
	}{
		{"all is well", func(*testing.T, *ledger.Config) {}, false, "w1 w2", ""},
		{"nobody expects any", func(*testing.T, *ledger.Config) {}, true, "", ""},
		{"no policy", func(_ *testing.T, c *ledger.Config) { c.WitnessPolicy = nil }, false, "", "no witness policy"},
		{"no machine key", func(_ *testing.T, c *ledger.Config) { c.Machine = nil }, false, "w1 w2", "no machine key"},
		{"a stranger's key", func(_ *testing.T, c *ledger.Config) { c.Machine = ledgertest.Key("mallory") }, false, "w1 w2", "not enrolled"},
		{"a key without the role", func(_ *testing.T, c *ledger.Config) { c.Machine = ledgertest.Key("ada") }, false, "w1 w2", "role machine"},
		{"others are asked", func(t *testing.T, c *ledger.Config) {
			p, err := verify.ParsePolicy([]byte("log " + c.VKey + "\nwitness one " + ledgertest.WitnessKey("w1").String() + "\nquorum one\n"))
			check(t, err)
			c.WitnessPolicy = p
		}, false, "w1", "too few of the witnesses"},
		{"the witnesses are ahead of this machine", func(*testing.T, *ledger.Config) {}, false, "w1@6m w2@7m", "clock of this machine"},
		{"tolerably ahead", func(*testing.T, *ledger.Config) {}, false, "w1@5m w2@6m", ""},
		{"the charter names none", func(t *testing.T, c *ledger.Config) {
			p, err := verify.ParsePolicy([]byte("log " + c.VKey + "\nwitness one " + ledgertest.WitnessKey("w1").String() + "\nquorum one\n"))
			check(t, err)
			c.WitnessPolicy, c.Checkpoints, c.Machine = p, t.TempDir(), ledgertest.Key("max")
		}, true, "w1", "the charter names no witnesses"},
	} {
		t.Run(c.name, func(t *testing.T) {
			begin := ledgertest.NewWitnessed
			if c.plain {
				begin = ledgertest.New
			}
			w := begin(t, func(cfg *ledger.Config) { c.change(t, cfg) })
			founded := w.Ledger.Head().Checkpoint.Size
			if c.by != "" {
				w.Cosign(c.by)
				settle(t, w)
			}
			enrol(w, "gil")
			i, err := w.Ledger.Info(t.Context())
			check(t, err)
			if c.want == "" && i.Unmarked != "" || !strings.Contains(i.Unmarked, c.want) {
				t.Errorf("says %q, want %q", i.Unmarked, c.want)
			}
			want := m + " " + e
			if c.want != "" || c.by == "" {
				want = e
			}
			if got := types(t, w, founded); got != want {
				t.Errorf("logged %s, want %s", got, want)
			}
		})
	}
}

// TestTimemarkProves: what a timemark says is the time of the witnesses, and what
// the rules make of it.
func TestTimemarkProves(t *testing.T) {
	w := ledgertest.NewWitnessed(t, nil)
	w.Advance(time.Hour)
	w.Cosign("w1 w2@4m w3@2m")
	settle(t, w)
	i, err := w.Ledger.Info(t.Context())
	check(t, err)
	if want := w.Time(2 * time.Minute); i.Time != want {
		t.Errorf("the ledger time is %s, want the greatest that two witnesses had reached, %s", i.Time, want)
	}
	w.Advance(3 * time.Minute)
	w.Submit(w.Sign(w.Decision("case-1"), "dora", "erik")) // its policy is in force by that time
}

// TestTimemarkUnderLoad: while records come all the time there is one a minute at
// most, and nothing waits for it.
func TestTimemarkUnderLoad(t *testing.T) {
	w := ledgertest.NewWitnessed(t, nil)
	founded := w.Ledger.Head().Checkpoint.Size
	const minutes = 5
	for n := range minutes {
		for i := range 12 {
			w.Advance(5 * time.Second)
			enrol(w, fmt.Sprintf("holder-%d-%d", n, i))
			w.Cosign("w1 w2 w3")
			settle(t, w)
		}
	}
	if got := strings.Count(types(t, w, founded), m); got != minutes {
		t.Errorf("%d timemarks in %d minutes", got, minutes)
	}
}
