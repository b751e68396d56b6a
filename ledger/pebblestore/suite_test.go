package pebblestore_test

import (
	"context"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/trillian/integration/storagetest"
	"github.com/google/trillian/storage"
	"github.com/google/trillian/storage/testonly"

	"github.com/docket-ledger/docket/ledger/pebblestore"
)

// open returns a new store that is closed when the test ends.
func open(t testing.TB, opt pebblestore.Options, real bool) *pebblestore.Store {
	t.Helper()
	dir := "store"
	if real {
		dir = t.TempDir()
	} else if opt.FS == nil {
		opt.FS = vfs.NewMem()
	}
	s, err := pebblestore.Open(dir, opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// TestSuites runs both suites of Trillian for storage drivers.
func TestSuites(t *testing.T) {
	for _, real := range []bool{false, true} {
		for _, mode := range []pebblestore.QueueMode{pebblestore.StagedQueue, pebblestore.DurableQueue} {
			opt := pebblestore.Options{Queue: mode}
			name := map[bool]string{false: "memory", true: "disk"}[real] + map[pebblestore.QueueMode]string{
				pebblestore.StagedQueue: "/staged", pebblestore.DurableQueue: "/durable"}[mode]
			t.Run(name+"/log", func(t *testing.T) {
				storagetest.RunLogStorageTests(t, func(_ context.Context, t *testing.T) (storage.LogStorage, storage.AdminStorage) {
					s := open(t, opt, real)
					return s.Log(), s.Admin()
				})
			})
			t.Run(name+"/admin", func(t *testing.T) {
				tester := testonly.AdminStorageTester{NewAdminStorage: func() storage.AdminStorage { return open(t, opt, real).Admin() }}
				tester.RunAllTests(t)
			})
		}
	}
}
