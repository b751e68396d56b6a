//go:build fleet

package fleet_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/docket-ledger/docket/ledger/tree"
	"github.com/docket-ledger/docket/ledger/tree/fleet"
)

// TestFleetDiverges alters the database. Whoever follows finds it, keeps evidence,
// and neither follows nor appends any more; what was followed can be read.
func TestFleetDiverges(t *testing.T) {
	for _, c := range []struct {
		name, sql string // with the tree as %[1]d
		fresh     bool   // found by one that has followed nothing
		what      string
	}{
		{"altered leaf", "update LeafData set LeafValue = 'x' where TreeId = %[1]d and LeafValue like '%%leaf 2'", true, "do not make the root"},
		{"set back", "delete from SequencedLeafData where TreeId = %[1]d and SequenceNumber >= 2; delete from TreeHead where TreeId = %[1]d and TreeSize > 2", false, "became shorter"},
		{"altered root", "update TreeHead set RootHash = sha256('x') where TreeId = %[1]d and TreeSize = 5", false, "another one"},
		{"altered root, from the beginning", "update TreeHead set RootHash = sha256('x') where TreeId = %[1]d and TreeSize = 5", true, "do not make the root"},
	} {
		t.Run(c.name, func(t *testing.T) {
			id := newTree(t)
			var found []*fleet.Incident
			report := func(cfg *fleet.Config) { cfg.Incident = func(i *fleet.Incident) { found = append(found, i) } }
			log := open(t, id, t.TempDir(), report)
			for n := range 2 {
				if _, err := log.Append(t.Context(), batchOf(2+n, "batch %d", n)); err != nil {
					t.Fatal(err)
				}
			}
			before := follow(t, log)
			if _, err := running.SQL(t.Context(), fmt.Sprintf(c.sql, id)); err != nil {
				t.Fatal(err)
			}
			victim := log
			if c.fresh {
				victim = open(t, id, t.TempDir(), report)
			}
			_, err := victim.Follow(t.Context(), 1000)
			var incident *fleet.Incident
			if !errors.Is(err, tree.ErrDiverged) || !errors.As(err, &incident) || len(found) != 1 || found[0] != incident {
				t.Fatalf("Follow: %v, reported %v", err, found)
			}
			if b, err := incident.JSON(); err != nil || !json.Valid(b) || !strings.Contains(incident.Error(), c.what) {
				t.Errorf("the evidence: %v\n%s, %v", incident, b, err)
			}
			if _, err := victim.Append(t.Context(), batchOf(1, "more")); !errors.Is(err, tree.ErrDiverged) {
				t.Errorf("Append: %v", err)
			}
			if head, err := victim.Head(t.Context()); err != nil || !c.fresh && head != before || c.fresh && head.Size != 0 {
				t.Errorf("Head: %v, %v", head, err)
			}
			if len(found) != 1 {
				t.Errorf("reported %d times", len(found))
			}
		})
	}
}

// TestFleetExchanged exchanges a leaf after a server took it and before it is
// integrated, so that leaves and root agree. Its writer finds it.
func TestFleetExchanged(t *testing.T) {
	id := newTree(t)
	log := open(t, id, t.TempDir())
	if err := running.StopPart("signer1", syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	appended := make(chan error, 1)
	go func() {
		_, err := log.Append(t.Context(), batchOf(1, "mine"))
		appended <- err
	}()
	for n := ""; n != "1"; {
		var err error
		if n, err = running.SQL(t.Context(), fmt.Sprintf("select count(*) from SequencedLeafData where TreeId = %d", id)); err != nil {
			t.Fatal(err)
		}
	}
	for _, sql := range []string{
		"update LeafData set LeafValue = 'x' where TreeId = %d",
		`update SequencedLeafData set MerkleLeafHash = sha256('\x0078') where TreeId = %d`,
	} {
		if _, err := running.SQL(t.Context(), fmt.Sprintf(sql, id)); err != nil {
			t.Fatal(err)
		}
	}
	if err := running.StartPart("signer1"); err != nil {
		t.Fatal(err)
	}
	err := <-appended
	var incident *fleet.Incident
	if !errors.Is(err, tree.ErrUnknown) || !errors.As(err, &incident) || !strings.Contains(incident.What, "others are in their place") {
		t.Errorf("Append: %v", err)
	}
}
