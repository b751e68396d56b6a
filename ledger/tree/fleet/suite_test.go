//go:build fleet

package fleet_test

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/docket-ledger/docket/ledger/tree/fleet"
	"github.com/docket-ledger/docket/ledger/tree/fleet/fleettest"
)

// running is the fleet that the tests share: two servers and one
// signer, since there are many trees, each of which would be elected for.
var running *fleettest.Fleet

func TestMain(m *testing.M) {
	var err error
	if running, err = fleettest.Start(fleettest.Options{Servers: 2, Signers: 1}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if code != 0 {
		running.Logs(os.Stderr)
	}
	if err := running.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// servers returns the servers that the tests share.
func servers() fleet.Servers { return fleet.Servers{Addresses: running.Addresses} }

var made struct {
	sync.Mutex
	n int
}

// newTree makes a tree of the shared fleet.
func newTree(t testing.TB) int64 {
	t.Helper()
	made.Lock()
	made.n++
	name := fmt.Sprintf("test %d", made.n)
	made.Unlock()
	id, _, err := fleet.Init(t.Context(), servers(), name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // so that the signer is spared it
		if _, err := running.SQL(context.Background(), fmt.Sprintf("update Trees set TreeState = 'FROZEN' where TreeId = %d", id)); err != nil {
			t.Error(err)
		}
	})
	return id
}

// open opens a tree of the shared fleet with the local copy in dir.
func open(t testing.TB, id int64, dir string, change ...func(*fleet.Config)) *fleet.Log {
	t.Helper()
	return openOf(t, servers(), id, dir, change...)
}

// shared is the shared fleet as the tests that need no real one use it.
func shared() fixture {
	return fixture{servers: servers, newTree: newTree}
}

func TestFleetSuite(t *testing.T) { suite(t, shared()) }

func TestFleetWriters(t *testing.T) { writers(t, shared()) }

func TestFleetSameLeaf(t *testing.T) { sameLeaf(t, shared()) }
