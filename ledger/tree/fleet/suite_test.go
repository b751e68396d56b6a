//go:build fleet

package fleet_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2"

	"github.com/docket-ledger/docket/ledger/tree"
	"github.com/docket-ledger/docket/ledger/tree/embedded"
	"github.com/docket-ledger/docket/ledger/tree/fleet"
	"github.com/docket-ledger/docket/ledger/tree/fleet/fleettest"
	"github.com/docket-ledger/docket/ledger/tree/treetest"
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

// open opens a tree with the local copy in dir, and a small cache.
func open(t testing.TB, id int64, dir string, change ...func(*fleet.Config)) *fleet.Log {
	t.Helper()
	cache := pebble.NewCache(8 << 20)
	defer cache.Unref()
	local, err := embedded.Open(t.Context(), embedded.Config{Dir: dir, Cache: cache})
	if err != nil {
		t.Fatal(err)
	}
	cfg := fleet.Config{Servers: servers(), Tree: id, Local: local}
	for _, f := range change {
		f(&cfg)
	}
	log, err := fleet.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(errors.Join(err, local.Close()))
	}
	t.Cleanup(func() { log.Close() })
	return log
}

// follow follows to the newest head.
func follow(t testing.TB, log *fleet.Log) tree.Head {
	t.Helper()
	for {
		size, err := log.Follow(t.Context(), 700)
		if err != nil {
			t.Fatal(err)
		}
		head, err := log.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if head.Size == size {
			return head
		}
	}
}

// TestFleetSuite runs both parts of treetest. Each second time a log is opened,
// its local copy is lost.
func TestFleetSuite(t *testing.T) {
	type kept struct {
		id    int64
		opens int
	}
	var mu sync.Mutex
	logs := map[string]*kept{}
	opener := func(t testing.TB, name string) tree.Log {
		mu.Lock()
		defer mu.Unlock()
		if logs[name] == nil {
			logs[name] = &kept{id: newTree(t)}
		}
		log := logs[name]
		dir := filepath.Join(name, fmt.Sprint(log.opens/2))
		log.opens++
		out := open(t, log.id, dir)
		follow(t, out)
		return out
	}
	treetest.Run(t, opener)
	treetest.RunOrdered(t, opener)
}
