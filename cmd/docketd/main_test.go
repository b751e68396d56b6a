package main

import (
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/verify/record"
)

// asProgram is set where this test is started as the program, to be killed.
const asProgram = "DOCKETD_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	testscript.Main(m, map[string]func(){"docketd": main})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:   "testdata/script",
		Setup: setup,
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"code":    exitCode,
			"await":   await,
			"get":     get,
			"charter": charterFile,
		},
	})
}

// setup sets $ADDR, $SUBMIT and $ADMIN to addresses on which nobody listens.
func setup(env *testscript.Env) error {
	for _, name := range []string{"ADDR", "SUBMIT", "ADMIN"} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		env.Setenv(name, l.Addr().String())
		defer l.Close() // not before all are different
	}
	return nil
}

// exitCode runs a program that must end with the exit code: code 2 docketd serve
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

// await waits until a ledger answers: await http://$ADDR
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: await URL")
	}
	for range 300 {
		if res, err := http.Get(args[0] + "/readyz"); err == nil {
			ts.Check(res.Body.Close())
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	ts.Fatalf("no answer from %s", args[0])
}

// get makes a request that must have a status: get 200 http://$ADDR/checkpoint
func get(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: get STATUS URL")
	}
	res, err := http.Get(args[1])
	ts.Check(err)
	ts.Check(res.Body.Close())
	if got := strconv.Itoa(res.StatusCode); got != args[0] {
		ts.Fatalf("got %s, want %s", got, args[0])
	}
}

// charterFile writes a signed charter for the log keys of a file:
// charter FILE VKEYFILE SIGNER...
func charterFile(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: charter FILE VKEYFILE SIGNER...")
	}
	b, err := charter(ts.ReadFile(args[1]), args[2:]...)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b, 0o644))
}

// charter returns the charter of a ledger whose founders are ada and ben, each
// of whom may enrol keys alone, signed by the named. The log keys stand in lines.
func charter(vkeys string, signers ...string) ([]byte, error) {
	origin, _, _ := strings.Cut(vkeys, "+")
	founder := func(name string) record.Founder {
		return record.Founder{Holder: name, JWK: ledgertest.JWK(name),
			Roles: []record.Role{record.RoleAdministration, record.RoleRegistrar, record.RolePolicy}}
	}
	p := &record.Charter{
		Common:   record.Common{Ledger: origin},
		Founders: []record.Founder{founder("ada"), founder("ben")},
		Terms: record.Terms{AdministrationQuorum: 1, RegistrarQuorum: 1, PolicyQuorum: 1, DefaultQuorum: 1,
			Contact: "ledger@test.example", DecideTolerance: 24, DraftLife: 720, Rules: 1,
			Lang: "en", LogKeys: strings.Fields(vkeys), Operator: "Test Provider",
			Recovery:       record.Recovery{Keys: []record.JWK{ledgertest.JWK("rita")}, Quorum: 1},
			SubjectKeyHash: "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU", Tolerance: 300, Witnesses: []string{"quorum none"},
		}}
	return sign(p, 1, record.SeenNothing, signers...)
}

// sign returns a record that was signed now by the named.
func sign(p record.Payload, seq int64, seen record.Seen, signers ...string) ([]byte, error) {
	u, err := record.NewDraft(p)
	if err != nil {
		return nil, err
	}
	for _, name := range signers {
		if u, err = u.Sign(ledgertest.Key(name), time.Now().Unix(), seq, seen); err != nil {
			return nil, err
		}
	}
	return u.Bytes(), nil
}

// TestExitCodes: what the charter can't be blamed for is no refusal.
func TestExitCodes(t *testing.T) {
	for _, test := range []struct {
		err  error
		want int
	}{{errors.New("no"), 1}, {os.ErrExist, 1}, {os.ErrPermission, 3}} {
		if got := cli.Code(explain("the charter", test.err)); got != test.want {
			t.Errorf("%v: exit code %d, want %d", test.err, got, test.want)
		}
	}
}
