//go:build fleet

package main

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/docket-ledger/docket/ledger/tree/fleet/fleettest"
)

// TestFleetScripts runs scripts next to a fleet of two servers, whose addresses
// are in $TRILLIAN.
func TestFleetScripts(t *testing.T) {
	running, err := fleettest.Start(fleettest.Options{Servers: 2, Signers: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := running.Close(); err != nil {
			t.Error(err)
		}
	})
	testscript.Run(t, testscript.Params{
		Dir: "testdata/fleet",
		Setup: func(env *testscript.Env) error {
			env.Setenv("TRILLIAN", strings.Join(running.Addresses, ","))
			env.Setenv("SERVER1", running.Addresses[0])
			return setup(env)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"code": exitCode,
			"sql":  func(ts *testscript.TestScript, neg bool, args []string) { sql(ts, running, args) },
			"id":   treeID,
		},
	})
}

// sql runs a statement in the fleet's database: sql 'update Trees ...'
func sql(ts *testscript.TestScript, f *fleettest.Fleet, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: sql STATEMENT")
	}
	if _, err := f.SQL(context.Background(), args[0]); err != nil {
		ts.Fatalf("%v", err)
	}
}

// treeID sets a variable to the id that fleet init just printed: id NAME
func treeID(ts *testscript.TestScript, neg bool, args []string) {
	var id int64
	if _, err := fmt.Sscanf(ts.ReadFile("stdout"), "tree-id %d\n", &id); err != nil || len(args) != 1 {
		ts.Fatalf("no tree-id on stdout: %v", err)
	}
	ts.Setenv(args[0], fmt.Sprint(id))
}
