package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/docket-ledger/docket/api/client/liartest"
	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/verify"
)

// run runs the program in this process.
func run(ctx context.Context, args ...string) (code int, stdout string, err error) {
	var out bytes.Buffer
	err = program.Run(ctx, args, cli.Streams{In: strings.NewReader(""), Out: &out, Err: &out})
	return cli.Code(err), out.String(), err
}

// TestLies: whatever a server shows, an audit says what it is, and keeps evidence
// where there can be any.
func TestLies(t *testing.T) {
	o := liartest.History(t, "../../verify/testdata/history")
	here := t.TempDir()
	trust := filepath.Join(here, "trust.policy")
	if err := os.WriteFile(trust, o.Trust(), 0o644); err != nil {
		t.Fatal(err)
	}
	want := map[liartest.Verdict]int{liartest.Contradicts: 1, liartest.Broken: 1, liartest.Missing: 1, liartest.Silent: 3, liartest.Unseen: 0, liartest.Older: 0}
	audit := func(t *testing.T, lie liartest.Lie, args ...string) (int, string) {
		ctx, cancel := context.WithTimeout(t.Context(), patience(lie))
		defer cancel()
		server := liartest.Serve(t, lie.Then)
		code, out, err := run(ctx, append([]string{"audit", "--policy", trust, server.URL}, args...)...)
		if code != want[lie.Verdict] {
			t.Errorf("exit code %d, want %d: %s%v", code, want[lie.Verdict], out, err)
		}
		return code, out
	}
	for _, lie := range o.Lies() {
		t.Run(lie.Name, func(t *testing.T) {
			if lie.Fresh {
				audit(t, lie)
			}
			if len(lie.First) == 0 {
				return
			}
			held, evidence := filepath.Join(t.TempDir(), "held"), filepath.Join(t.TempDir(), "evidence")
			if err := os.WriteFile(held, lie.First["checkpoint"], 0o644); err != nil {
				t.Fatal(err)
			}
			audit(t, lie, "--checkpoint", held, "--evidence", evidence)
			proves(t, evidence, o.Policies(), lie)
			if _, err := os.Stat(evidence); err != nil {
				return
			}
			code, out, _ := run(t.Context(), "fork", "--policy", trust, evidence)
			if (code == 0) != (lie.Proof != "") || (code == 0) != strings.HasPrefix(out, "PROVEN") {
				t.Errorf("docket-verify fork: %d, %s", code, out)
			}
		})
	}
	if code, out := audit(t, liartest.Lie{Then: o.Log(322), Verdict: liartest.Unseen}); code != 0 {
		t.Errorf("the truth: %s", out)
	}
}

// patience is how long a program is given.
func patience(lie liartest.Lie) time.Duration {
	if lie.Endless {
		return 500 * time.Millisecond
	}
	return 30 * time.Second
}

// proves holds a file of evidence to what a lie leaves.
func proves(t *testing.T, path string, policies verify.Policies, lie liartest.Lie) {
	t.Helper()
	b, err := os.ReadFile(path)
	if (err == nil) != (lie.Verdict == liartest.Contradicts) {
		t.Fatalf("evidence: %q, %v", b, err)
	}
	if err != nil {
		return
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

// TestSplitView: a server shows one history to one reader and another to another
// one. Who compares finds the entry, wherever they part.
func TestSplitView(t *testing.T) {
	o := liartest.New(t, "static.example/log", 600)
	trust := filepath.Join(t.TempDir(), "trust.policy")
	if err := os.WriteFile(trust, o.Trust(), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ a, b, from int }{
		{1, 1, 0}, {2, 1, 0}, {255, 256, 0}, {256, 256, 255}, {257, 256, 255}, {257, 257, 256}, {600, 513, 255}, {511, 512, 256}, {512, 600, 511}, {600, 600, 599}, {300, 600, 299},
	} {
		a, b := liartest.Serve(t, o.Log(test.a)), liartest.Serve(t, o.Fork(test.b, test.from))
		evidence := filepath.Join(t.TempDir(), "evidence")
		code, out, err := run(t.Context(), "diff", "--policy", trust, "--json", "--out", evidence, a.URL, b.URL)
		if code != 1 || !strings.Contains(out, `"part":true,"common":`+strconv.Itoa(test.from)+",") {
			t.Errorf("%+v: %d, %s, %v", test, code, out, err)
		}
		if code, out, _ := run(t.Context(), "fork", "--policy", trust, evidence); code != 0 || !strings.Contains(out, "number "+strconv.Itoa(test.from)+":") {
			t.Errorf("%+v: %d, %s", test, code, out)
		}
	}
	for _, sizes := range [][2]int{{0, 0}, {0, 5}, {256, 257}, {600, 256}, {600, 600}, {1, 600}} {
		a, b := liartest.Serve(t, o.Log(sizes[0])), liartest.Serve(t, o.Log(sizes[1]))
		if code, out, err := run(t.Context(), "diff", "--policy", trust, a.URL, b.URL); code != 0 || strings.Contains(out, "PART") {
			t.Errorf("%v: %d, %s, %v", sizes, code, out, err)
		}
	}
}
