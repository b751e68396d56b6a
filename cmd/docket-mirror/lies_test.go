package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/docket-ledger/docket/api/client/liartest"
	"github.com/docket-ledger/docket/verify"
)

// TestLies: whatever a server shows, a mirror says what it is, keeps evidence where
// there can be any, keeps what it had, and has no byte under a final name that is
// not the log's.
func TestLies(t *testing.T) {
	o := liartest.New(t, "static.example/log", 600)
	trust := filepath.Join(t.TempDir(), "trust.policy")
	if err := os.WriteFile(trust, o.Trust(), 0o644); err != nil {
		t.Fatal(err)
	}
	want := map[liartest.Verdict]int{liartest.Contradicts: 1, liartest.Broken: 1, liartest.Missing: 3, liartest.Silent: 3, liartest.Unseen: 0, liartest.Older: 1}
	caught := 0
	for _, lie := range o.Lies() {
		t.Run(lie.Name, func(t *testing.T) {
			server := liartest.Serve(t, lie.First)
			dir := filepath.Join(t.TempDir(), "mirror")
			sync := func() (int, error) {
				ctx, cancel := context.WithTimeout(t.Context(), patience(lie))
				defer cancel()
				code, _, err := run(ctx, "sync", "--policy", trust, server.URL, dir)
				return code, err
			}
			if len(lie.First) > 0 {
				if code, err := sync(); code != 0 {
					t.Fatalf("before the lie: %d, %v", code, err)
				}
			}
			server.Show(lie.Then)
			code, err := sync()
			if code != want[lie.Verdict] {
				t.Errorf("exit code %d, want %d: %v", code, want[lie.Verdict], err)
			}
			sound(t, dir, o.Log(600).FS(), lie.First.FS())
			checkpoint, readErr := os.ReadFile(filepath.Join(dir, "checkpoint"))
			if code > 0 && string(checkpoint) != string(lie.First["checkpoint"]) {
				t.Errorf("the checkpoint is %q, %v", checkpoint, readErr)
			}
			proves(t, dir+".fork-*.json", o.Policies(), lie)
			caught++
		})
	}
	t.Logf("%d lies", caught)
}

// patience is how long a program is given.
func patience(lie liartest.Lie) time.Duration {
	if lie.Endless {
		return 500 * time.Millisecond
	}
	return 30 * time.Second
}

// proves holds the files of evidence to what a lie leaves.
func proves(t *testing.T, pattern string, policies verify.Policies, lie liartest.Lie) {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || (len(paths) == 1) != (lie.Verdict == liartest.Contradicts || lie.Verdict == liartest.Older) {
		t.Fatalf("evidence in %v, %v", paths, err)
	}
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		e, err := verify.ParseEvidence(b)
		if err != nil {
			t.Fatal(err)
		}
		switch a, err := policies.Prove(e); {
		case lie.Proof == "" && !errors.Is(err, verify.ErrNoProof):
			t.Errorf("proven: %+v, %v", a, err)
		case lie.Proof != "" && (err != nil || a.Kind != lie.Proof):
			t.Errorf("not proven: %+v, %v", a, err)
		}
	}
}
