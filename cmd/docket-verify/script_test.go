package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/cmd/internal/demo"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/casefile"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/telling"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"docket-verify": func() { os.Exit(cli.Main(program.Name, program.Run)) },
	})
}

// TestScripts runs the scripts in the directory of a demonstration.
func TestScripts(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "demo")
	if err := demo.Run(context.Background(), demo.Config{Dir: dir, Once: true, Out: io.Discard}); err != nil {
		t.Fatal(err)
	}
	withWitnesses := filepath.Join(t.TempDir(), "witnessed")
	witnessed(t, withWitnesses)
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			if err := os.CopyFS(filepath.Join(env.WorkDir, "demo"), os.DirFS(dir)); err != nil {
				return err
			}
			if err := os.CopyFS(filepath.Join(env.WorkDir, "witnessed"), os.DirFS(withWitnesses)); err != nil {
				return err
			}
			ref, err := bare(filepath.Join(env.WorkDir, "demo"))
			if err != nil {
				return err
			}
			env.Setenv("REF", ref)
			return errors.Join(caseFiles(filepath.Join(env.WorkDir, "demo")), copies(filepath.Join(env.WorkDir, "demo")))
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){"code": exitCode, "flip": flip},
	})
}

// bare writes a bare receipt with its record beside it. It returns the ref of the
// subject of that decision.
func bare(dir string) (ref string, err error) {
	b, err := os.ReadFile(filepath.Join(dir, "receipts", "13-example-emergency-restrict.tlog-proof"))
	if err != nil {
		return "", err
	}
	r, err := verify.ParseReceipt(b)
	if err != nil {
		return "", err
	}
	extra, err := verify.ParseExtra(r.Extra)
	if err != nil {
		return "", err
	}
	r.Extra = nil
	if err := os.WriteFile(filepath.Join(dir, "bare.tlog-proof"), r.Marshal(), 0o644); err != nil {
		return "", err
	}
	u, err := record.Parse(extra.Record)
	if err != nil {
		return "", err
	}
	return u.Payload().(*record.Decision).Subject.Ref, os.WriteFile(filepath.Join(dir, "record.jws"), extra.Record, 0o644)
}

// caseFiles writes case.zip, the case of the demonstration, and some that lack
// something: gap.zip an act in the middle, short.zip the newest one; swapped.zip has
// a receipt in the place of another.
func caseFiles(dir string) error {
	f := &casefile.File{Origin: "demo.docket.example/2026", Case: "example-emergency"}
	for _, name := range []string{"12-example-emergency-decline", "13-example-emergency-restrict", "14-example-emergency-ratification"} {
		b, err := os.ReadFile(filepath.Join(dir, "receipts", name+".tlog-proof"))
		if err != nil {
			return err
		}
		r, err := verify.ParseReceipt(b)
		if err != nil {
			return err
		}
		extra, err := verify.ParseExtra(r.Extra)
		if err != nil {
			return err
		}
		u, err := record.Parse(extra.Record)
		if err != nil {
			return err
		}
		f.Entries = append(f.Entries, casefile.Entry{Index: r.Index, ID: u.ID(), Type: u.Payload().Head().Type, Receipt: b})
	}
	all := f.Entries
	swapped := slices.Clone(all)
	swapped[0].Receipt, swapped[1].Receipt = all[1].Receipt, all[0].Receipt
	for name, entries := range map[string][]casefile.Entry{"case.zip": all, "gap.zip": {all[0], all[2]}, "short.zip": all[:2], "swapped.zip": swapped} {
		f.Entries = entries
		var b bytes.Buffer
		if err := casefile.Write(&b, f, &telling.Case{}, telling.Plain); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), b.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// exitCode runs a program that must end with the exit code: code 2 docket-verify
func exitCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N PROGRAM ARGS...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if exit, ok := err.(*exec.ExitError); ok {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// flip changes one byte of a file: flip FILE OFFSET, from the end if negative.
func flip(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: flip FILE OFFSET")
	}
	at, err := strconv.Atoi(args[1])
	ts.Check(err)
	path := ts.MkAbs(args[0])
	b, err := os.ReadFile(path)
	ts.Check(err)
	if at < 0 {
		at += len(b)
	}
	if at < 0 || at >= len(b) {
		ts.Fatalf("%s", fmt.Sprintf("%s has %d bytes", args[0], len(b)))
	}
	b[at] ^= 1
	ts.Check(os.WriteFile(path, b, 0o644))
}
