package verify_test

import (
	"bytes"
	"os"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/verify"
)

// TestPeerProof reads a proof file that github.com/transparency-dev/formats
// v0.1.1 wrote, with cosignatures of both kinds that it made.
func TestPeerProof(t *testing.T) {
	policy, err := os.ReadFile("testdata/peer.policy")
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile("testdata/peer.tlog-proof")
	if err != nil {
		t.Fatal(err)
	}
	p, err := verify.ParsePolicy(policy)
	if err != nil {
		t.Fatal(err)
	}
	r, err := verify.ParseReceipt(b)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(r.Marshal(), b) || r.Index != 789 || len(r.Extra) == 0 {
		t.Errorf("read as %+v", r)
	}
	s, err := p.Open(r.Checkpoint)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Cosignatures) != 2 || s.Cosignatures[0].Name != "ed25519" || s.Cosignatures[1].Name != "mldsa" || s.Ignored != 0 {
		t.Errorf("cosignatures %+v", s.Cosignatures)
	}
	for _, c := range s.Cosignatures {
		if c.Time < 1700000000 || c.Time > 4000000000 {
			t.Errorf("%s cosigned at %d", c.Name, c.Time)
		}
	}
	if err := r.Included(s.Checkpoint, tlog.RecordHash(testEntry(789))); err != nil {
		t.Error(err)
	}
}
