package client_test

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docket-ledger/docket/api"
	"github.com/docket-ledger/docket/api/client"
	"github.com/docket-ledger/docket/api/problem"
	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
)

// A lagging ledger is served, and its witnesses cosign when they are told to.
type lagging struct {
	*ledgertest.World
	url    string
	memory string
}

func newLagging(t *testing.T) *lagging {
	t.Helper()
	w := ledgertest.NewWitnessed(t, func(c *ledger.Config) { c.Machine = nil })
	server := httptest.NewServer(api.New(w.Ledger, api.Options{Now: w.Now}))
	t.Cleanup(server.Close)
	return &lagging{w, server.URL, filepath.Join(t.TempDir(), "log.state")}
}

// follower returns a new one, with the memory of those before.
func (l *lagging) follower(t *testing.T, policy []byte) *client.Follower {
	t.Helper()
	p, err := verify.ParsePolicy(policy)
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.New(l.url)
	if err != nil {
		t.Fatal(err)
	}
	m, err := client.OpenMemory(l.memory, "")
	if err != nil {
		t.Fatal(err)
	}
	f, err := c.Follow(ledgertest.Origin, p, m)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func (l *lagging) enrolment(t *testing.T, name string) []byte {
	t.Helper()
	return l.Sign(&record.KeyEnrol{Holder: name, JWK: ledgertest.JWK(name), Roles: []record.Role{record.RoleDecider}}, "ada", "ben", name)
}

// TestBehindWitnesses: receipts run ahead of the checkpoint that is served, which
// is no accusation, in whatever order they are seen; a checkpoint that is smaller
// than one that was served before is one.
func TestBehindWitnesses(t *testing.T) {
	ctx := context.Background()
	for _, trust := range []string{"witnesses", "log"} {
		t.Run(trust, func(t *testing.T) {
			l := newLagging(t)
			policy := l.WitnessPolicy()
			if trust == "log" {
				policy = l.TrustPolicy()
			}
			l.Cosign("w1 w2")
			first, err := l.follower(t, policy).Submit(ctx, l.enrolment(t, "gil")) // the first thing ever seen is a receipt
			if err != nil || first.Witnessed {
				t.Fatalf("submit: %+v, %v", first, err)
			}
			head, err := l.follower(t, policy).Head(ctx)
			if err != nil || head.Checkpoint.Size >= first.Proven.Signed.Checkpoint.Size {
				t.Fatalf("the head behind a receipt: %+v, %v", head.Checkpoint, err)
			}
			l.Cosign("w2 w3")
			if head, err = l.follower(t, policy).Head(ctx); err != nil || head.Checkpoint != first.Proven.Signed.Checkpoint {
				t.Fatalf("the head that has caught up: %+v, %v", head.Checkpoint, err)
			}
			for i, name := range []string{"hal", "ida", "jim"} {
				if i == 1 {
					l.Cosign("w1 w3")
				}
				if _, err := l.follower(t, policy).Submit(ctx, l.enrolment(t, name)); err != nil {
					t.Fatal(err)
				}
				if _, err := l.follower(t, policy).Head(ctx); err != nil {
					t.Fatalf("after %s: %v", name, err)
				}
			}
			if f := forks(t, l.memory); len(f) != 0 {
				t.Errorf("an honest ledger is accused: %+v", f)
			}
		})
	}
}

// TestBehindItself: behind a receipt a ledger may be, behind what it served not; and
// what it shows must be of one history with the receipt.
func TestBehindItself(t *testing.T) {
	l := newLagging(t)
	ctx := context.Background()
	l.Cosign("w1 w2")
	old := l.Files()
	mid, err := l.Ledger.ReadFile(ctx, "checkpoint")
	if err != nil {
		t.Fatal(err)
	}
	logged, err := l.follower(t, l.TrustPolicy()).Submit(ctx, l.enrolment(t, "gil"))
	if err != nil {
		t.Fatal(err)
	}
	l.Cosign("w1 w2")
	l.Submit(l.enrolment(t, "hal"))
	forked := ledgertest.New(t, nil)
	other := forked.Ledger.Head()
	for _, c := range []struct {
		name  string
		files http.Handler
		seen  bool // the checkpoint of one record more was served before
		want  error
	}{
		{"behind the receipt", l.showing(mid), false, nil},
		{"behind what was served", l.showing(mid), true, client.ErrShrunk},
		{"behind the receipt, whose files are gone", serveFiles(old), false, client.ErrShrunk},
		{"of another history", l.showing(other.Note), false, client.ErrSplit},
	} {
		t.Run(c.name, func(t *testing.T) {
			memory := filepath.Join(t.TempDir(), "log.state")
			m, err := client.OpenMemory(memory, "")
			if err != nil {
				t.Fatal(err)
			}
			r := m.Ledger(ledgertest.Origin)
			r.VKey, r.Checkpoint = l.VKey(), string(logged.Proven.Signed.Note)
			if c.seen {
				r.Head = r.Checkpoint
			}
			server := httptest.NewServer(c.files)
			defer server.Close()
			cl, err := client.New(server.URL)
			if err != nil {
				t.Fatal(err)
			}
			f, err := cl.Follow(ledgertest.Origin, pin(t, l.VKey()), m)
			if err != nil {
				t.Fatal(err)
			}
			if err := m.Save(); err != nil {
				t.Fatal(err)
			}
			_, err = f.Head(ctx)
			if !errors.Is(err, c.want) || (c.want == nil) != (err == nil) {
				t.Errorf("%v, want %v", err, c.want)
			}
			evidence := forks(t, memory)
			if want := c.want != nil; (len(evidence) == 1) != want {
				t.Errorf("%d files of evidence", len(evidence))
			}
			if c.want == client.ErrSplit {
				checkFork(t, pin(t, l.VKey()), evidence[0])
			}
		})
	}
}

// showing serves the files of the ledger with another checkpoint.
func (l *lagging) showing(checkpoint []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := l.Ledger.ReadFile(r.Context(), strings.TrimPrefix(r.URL.Path, "/"))
		switch {
		case r.URL.Path == "/checkpoint":
			w.Write(checkpoint)
		case err != nil:
			http.NotFound(w, r)
		default:
			w.Write(b)
		}
	})
}

// TestSeenBehindWitnesses: a signer has seen a receipt that is newer than what is
// cosigned. That is asked for, not held against the ledger.
func TestSeenBehindWitnesses(t *testing.T) {
	ctx := context.Background()
	l := newLagging(t)
	l.Cosign("w1 w2")
	l.Submit(l.enrolment(t, "gil"))
	draft, err := record.Parse(l.enrolment(t, "hal")) // signed with the newest head as seen
	if err != nil {
		t.Fatal(err)
	}
	keys, err := l.follower(t, l.WitnessPolicy()).Signers(ctx, draft)
	if err != nil || len(keys) != 2 {
		t.Errorf("%d keys, %v", len(keys), err)
	}
	ahead, err := record.NewDraft(&record.KeyEnrol{Common: record.Common{Ledger: ledgertest.Origin}, Holder: "ida", JWK: ledgertest.JWK("ida"), Roles: []record.Role{record.RoleDecider}})
	if err == nil {
		seen := l.Seen()
		seen.Size++
		ahead, err = ahead.Sign(ledgertest.Key("ada"), l.Now().Unix(), 99, seen)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.follower(t, l.WitnessPolicy()).Signers(ctx, ahead); !errors.Is(err, client.ErrShrunk) {
		t.Errorf("a signer who saw what the ledger does not have: %v", err)
	}
}

// TestWitnessed gets the receipt of the witnesses for what has a plain one.
func TestWitnessed(t *testing.T) {
	ctx := context.Background()
	l := newLagging(t)
	f := l.follower(t, l.WitnessPolicy())
	l.Cosign("w1 w2")
	plain, err := f.Submit(ctx, l.enrolment(t, "gil"))
	if err != nil || plain.Witnessed {
		t.Fatalf("submit: %+v, %v", plain, err)
	}
	var p *problem.Problem
	if _, err := f.Witnessed(ctx, plain.Proven.ID, time.Second); !errors.As(err, &p) || p.Code != problem.WitnessPending {
		t.Errorf("before they have cosigned: %v", err)
	}
	c, err := client.New(l.url)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.CheckpointOf(ctx, plain.Proven.Index); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the checkpoint before they have cosigned: %v", err)
	}
	done := make(chan *client.Logged, 1)
	go func() {
		got, err := f.Witnessed(ctx, plain.Proven.ID, time.Minute)
		if err != nil {
			t.Errorf("while they cosign: %v", err)
		}
		done <- got
	}()
	time.Sleep(50 * time.Millisecond) // it holds whether the request was there before or not
	l.Cosign("w1 w3")
	if got := <-done; got == nil || !got.Witnessed || len(got.Proven.Signed.Cosignatures) != 2 || got.Proven.ID != plain.Proven.ID {
		t.Errorf("got %+v", got)
	}
	note, err := c.CheckpointOf(ctx, plain.Proven.Index)
	if err != nil || !strings.Contains(string(note), "w3.test.example") {
		t.Errorf("the checkpoint that covers it: %q, %v", note, err)
	}
	if again, err := f.Receipt(ctx, plain.Proven.ID); err != nil || !again.Witnessed {
		t.Errorf("the receipt afterwards: %+v, %v", again, err)
	}
	if _, err := f.Witnessed(ctx, "d-"+record.ID(strings.Repeat("A", 43)), time.Second); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no such record: %v", err)
	}
}
