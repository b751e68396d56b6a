package ledgertest_test

import (
	"context"
	"strings"
	"testing"

	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/verify/record"
)

// TestHostile wants every type, and a charter that is hostile from the first record
// on.
func TestHostile(t *testing.T) {
	w := ledgertest.NewHostile(t)
	entries, err := w.Ledger.Entries(context.Background(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	seen, void := map[record.Type]bool{}, 0
	for _, e := range entries {
		u, err := record.Parse(e.Record)
		if err != nil {
			t.Fatal(err)
		}
		p := u.Payload()
		seen[p.Head().Type] = true
		if !e.Standing.Effective() {
			void++
		}
		if c, ok := p.(*record.Charter); ok && (!strings.HasPrefix(c.Operator, ledgertest.HostileStart) || !strings.HasSuffix(c.Text, ledgertest.HostileEnd)) {
			t.Errorf("the charter's texts are %.60q and %.60q", c.Operator, c.Text)
		}
	}
	for _, want := range record.Types {
		if !seen[want] {
			t.Errorf("no record of type %s", want)
		}
	}
	if void != 1 {
		t.Errorf("%d void records, want 1", void)
	}
}
