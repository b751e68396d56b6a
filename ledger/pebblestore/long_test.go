//go:build long

package pebblestore_test

import (
	"testing"
	"time"

	"github.com/docket-ledger/docket/ledger/pebblestore"
)

// TestLongCrash is TestCrash over as many seeds as five minutes allow.
func TestLongCrash(t *testing.T) {
	end := time.Now().Add(5 * time.Minute)
	for seed := uint64(1000); time.Now().Before(end); seed++ {
		mode := []pebblestore.QueueMode{pebblestore.StagedQueue, pebblestore.DurableQueue}[seed%2]
		for _, percent := range []int{0, 10, 50, 90, 100} {
			if err := crash(t, mode, percent, seed); err != nil {
				t.Fatalf("mode %d, %d %% of what was not synced survive, seed %d: %v", mode, percent, seed, err)
			}
		}
		if seed%100 == 0 {
			t.Logf("seed %d", seed)
		}
	}
}
