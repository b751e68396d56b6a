package main

import (
	"crypto/rand"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/mod/sumdb/note"

	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/verify/record"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"docket": func() { os.Exit(cli.Main("docket", run)) },
	})
}

func TestScripts(t *testing.T) {
	bin := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", bin, "../docket-mirror").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", bin+string(os.PathListSeparator)+env.Getenv("PATH"))
			return setup(env)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"code":  exitCode,
			"await": await,
			"dated": dated,
			"take":  take,

			"truncate": truncate,
			"agent":    sshAgentCmd,
			"swallow":  swallow,
		},
	})
}

// setup sets $ADDR to an address on which nobody listens, and $VKEY to the key
// of a log. No ssh-agent is there, and the user's configuration is $WORK/config.
func setup(env *testscript.Env) error {
	_, vkey, err := note.GenerateKey(rand.Reader, "ledger.example.com/2026")
	if err != nil {
		return err
	}
	env.Setenv("VKEY", vkey)
	env.Setenv("SSH_AUTH_SOCK", "")
	env.Setenv("XDG_CONFIG_HOME", filepath.Join(env.WorkDir, "config"))
	env.Values[agentKeyName{}] = &agents{}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	env.Setenv("ADDR", l.Addr().String())
	return l.Close()
}

// exitCode runs a program that must end with the exit code: code 2 docket sign
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

// await waits until a ledger answers, or a file is there: await http://$ADDR
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: await URL, or FILE")
	}
	for range 300 {
		if !strings.HasPrefix(args[0], "http://") {
			if _, err := os.Stat(ts.MkAbs(args[0])); err == nil {
				return
			}
		} else if resp, err := http.Get(args[0] + "/checkpoint"); err == nil {
			ts.Check(resp.Body.Close())
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	ts.Fatalf("no answer from %s", args[0])
}

// dated writes the time of now for NOW into a file: dated decision.yaml
func dated(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: dated FILE")
	}
	text := strings.ReplaceAll(ts.ReadFile(args[0]), "NOW", record.Time(time.Now().Unix()).String())
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o644))
}

// take sets a variable to what a regular expression, or its first group, finds in
// stdout: take ID d-.{43}
func take(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: take NAME REGEXP")
	}
	found := regexp.MustCompile(args[1]).FindStringSubmatch(ts.ReadFile("stdout"))
	if found == nil {
		ts.Fatalf("no %s in stdout", args[1])
	}
	ts.Setenv(args[0], found[len(found)-1])
}

// truncate copies the first bytes of a file: truncate my.jwk 100 half.jwk
func truncate(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: truncate FILE BYTES COPY")
	}
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(ts.ReadFile(args[0])[:n]), 0o600))
}

// swallow puts a server before the ledger at a URL, and its own URL into a
// variable. It hands on what it is asked, but the answer to the first submission
// it keeps, and makes a file when it has it: swallow http://$ADDR PROXY taken
func swallow(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: swallow URL VARIABLE FILE")
	}
	ledger, err := url.Parse(args[0])
	ts.Check(err)
	file := ts.MkAbs(args[2])
	var swallowed atomic.Bool
	proxy := httputil.NewSingleHostReverseProxy(ledger)
	proxy.ErrorLog = log.New(io.Discard, "", 0)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || swallowed.Swap(true) {
			proxy.ServeHTTP(w, r)
			return
		}
		answer := httptest.NewRecorder()
		proxy.ServeHTTP(answer, r)
		if err := os.WriteFile(file, []byte(strconv.Itoa(answer.Code)), 0o644); err != nil {
			panic(err)
		}
		<-r.Context().Done() // until whoever asked is gone
	}))
	ts.Defer(server.Close)
	ts.Setenv(args[1], server.URL)
}
