package main

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/verify"
)

// asProgram makes the test binary the program: for what is killed.
const asProgram = "DOCKET_MIRROR_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		os.Exit(cli.Main(program.Name, program.Run))
	}
	testscript.Main(m, map[string]func(){
		"docket-mirror": func() { os.Exit(cli.Main(program.Name, program.Run)) },
	})
}

const history = "../../verify/testdata/history"

func TestScripts(t *testing.T) {
	here, err := filepath.Abs(history)
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("HISTORY", here)
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){"code": exitCode},
	})
}

// exitCode runs a program that must end with the exit code: code 2 docket-mirror sync
func exitCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N program [args]")
	}
	got := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if want, err := strconv.Atoi(args[0]); err != nil || got != want {
		ts.Fatalf("exit code %d, want %s", got, args[0])
	}
}

// TestKill kills the program at random moments, again and again: nothing that
// has a name is wrong, and in the end the mirror is whole.
func TestKill(t *testing.T) {
	files := http.FileServer(http.Dir(filepath.Join(history, "log")))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
		files.ServeHTTP(w, r)
	}))
	defer server.Close()
	dir := filepath.Join(t.TempDir(), "mirror")
	killed := 0
	for try := range 60 {
		cmd := exec.Command(os.Args[0], "sync", "--policy", filepath.Join(history, "trust.policy"), "--parallel", "1", server.URL, dir)
		cmd.Env = append(os.Environ(), asProgram+"=1")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(time.Duration(10+rand.IntN(20+4*try))*time.Millisecond, func() { cmd.Process.Kill() })
		err := cmd.Wait()
		timer.Stop()
		if err == nil {
			break
		}
		killed++
		if _, err := os.Stat(filepath.Join(dir, "checkpoint")); err == nil {
			t.Logf("killed after the checkpoint")
		}
	}
	if killed == 0 {
		t.Error("it was never killed")
	}
	cmd := exec.Command(os.Args[0], "sync", "--policy", filepath.Join(history, "trust.policy"), server.URL, dir)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	text, err := os.ReadFile(filepath.Join(history, "trust.policy"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := verify.ParsePolicy(text)
	if err != nil {
		t.Fatal(err)
	}
	sum, err := verify.Audit(context.Background(), verify.DirSource(os.DirFS(dir)), p, verify.AuditOptions{})
	if err != nil || sum.Broken > 0 || sum.Entries != 322 {
		t.Errorf("%+v, %v", sum, err)
	}
	if _, err := os.Stat(filepath.Join(dir, ".tmp")); err == nil {
		t.Error("something without a name is left")
	}
}
