//go:build peers

package ledger_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/ledgertest"
)

// TestPeerLogKeys gives receipts in a handover checkpoint, with the lines of two
// Ed25519 and two ML-DSA-44 keys, to transparency-dev/formats: each key alone opens
// them.
func TestPeerLogKeys(t *testing.T) {
	ctx := context.Background()
	pq, heir, heirPQ := pqKey(t, "pq"), nextKey(t, "next"), pqKey(t, "next pq")
	w := ledgertest.New(t, func(c *ledger.Config) { c.PQ = pq })
	vkeys := []string{w.VKey(), pq.VKey().String(), heir.VKey().String(), heirPQ.VKey().String()}
	if _, err := amend(t, w, vkeys...); err != nil {
		t.Fatal(err)
	}
	var cases []ledger.Outcome
	for n := range 6 {
		cases = append(cases, w.Submit(w.Sign(solo(w, fmt.Sprintf("case-%d", n)), "dora")))
	}
	w.Close()
	w.OpenParts()
	old := w.Config
	w.Config.Signer, w.Config.VKey, w.Config.PQ, w.Config.Former = heir, vkeys[2], heirPQ, vkeys[:2]
	if _, err := ledger.Succeed(ctx, w.Config, []note.Signer{old.Signer, pq}, nil); err != nil {
		t.Fatal(err)
	}
	w.OpenLedger()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "receipts"), 0o700); err != nil {
		t.Fatal(err)
	}
	for n, out := range cases {
		b, err := w.Ledger.Receipt(ctx, out.ID)
		if err != nil || strings.Count(string(b), "\n— ") != 4 {
			t.Fatalf("receipt %d: %v\n%.3000s", n, err, b)
		}
		if err := os.WriteFile(filepath.Join(dir, "receipts", fmt.Sprintf("%d.tlog-proof", n)), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, vkey := range vkeys {
		if err := os.WriteFile(filepath.Join(dir, "log.vkey"), []byte(vkey+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("go", "run", ".", dir)
		cmd.Dir = filepath.Join("..", "cmd", "internal", "demo", "testdata", "peers")
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "6 receipts read by formats") {
			t.Errorf("%.60s: %v\n%s", vkey, err, out)
		}
	}
}
