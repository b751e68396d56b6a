package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/docket-ledger/docket/api/client/liartest"
	"github.com/docket-ledger/docket/cmd/internal/watch"
	"github.com/docket-ledger/docket/verify"
)

// TestLiesWatched: whatever a server shows, the watch tells it, with evidence where
// there can be any.
func TestLiesWatched(t *testing.T) {
	o := liartest.History(t, "../../verify/testdata/history")
	trust := filepath.Join(t.TempDir(), "trust.policy")
	if err := os.WriteFile(trust, o.Trust(), 0o644); err != nil {
		t.Fatal(err)
	}
	// What a look may say of a lie; the exit code is 3 if it could not find out.
	want := map[liartest.Verdict][]watch.Code{
		liartest.Contradicts: {watch.Fork, watch.Smaller},
		liartest.Older:       {watch.Smaller},
		liartest.Broken:      {watch.Altered, watch.Unsigned, watch.BadSignature, watch.OtherLog},
		liartest.Missing:     {watch.Altered},
		liartest.Silent:      {watch.Unreachable, watch.Unread},
	}
	for _, lie := range o.Lies() {
		t.Run(lie.Name, func(t *testing.T) {
			server := liartest.Serve(t, lie.First)
			state := filepath.Join(t.TempDir(), "state")
			look := func() (int, []watch.Event) {
				args := []string{"watch", "--once", "--policy", trust, "--state", state, "--timeout", patience(lie).String(), server.URL}
				code, out, err := run(t.Context(), args...)
				var events []watch.Event
				for line := range strings.Lines(out) {
					var e watch.Event
					if err := json.Unmarshal([]byte(line), &e); err != nil {
						t.Fatalf("%v: %s", err, line)
					}
					events = append(events, e)
				}
				if code == 2 {
					t.Fatal(err)
				}
				return code, events
			}
			if len(lie.First) > 0 {
				look()
			}
			server.Show(lie.Then)
			code, events := look()
			var told []watch.Code
			proven := false
			for _, e := range events {
				told = append(told, e.Code)
				if e.Evidence == "" {
					continue
				}
				switch a, err := prove(e.Evidence, policies{o.Policies()}); {
				case err == nil && a.Kind == lie.Proof:
					proven = true
				case !errors.Is(err, verify.ErrNoProof):
					t.Errorf("%s: proven: %+v, %v", e.Code, a, err)
				}
			}
			caught := slices.ContainsFunc(events, func(e watch.Event) bool { return slices.Contains(want[lie.Verdict], e.Code) })
			if caught != (lie.Verdict != liartest.Unseen) {
				t.Errorf("exit code %d, told was %v, want one of %v", code, told, want[lie.Verdict])
			}
			if caught && code == 0 {
				t.Error("exit code 0")
			}
			if proven != (lie.Proof != "") {
				t.Errorf("proven: %v, told was %v", proven, told)
			}
		})
	}
}
