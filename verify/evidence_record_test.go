package verify_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
)

// recordKinds returns evidence of records that no honest server logs.
func recordKinds(t testing.TB) map[string]provable {
	s := demoSigner(t)
	entries := goldenEntries(t)
	ps := verify.Policies{parsePolicy(t, "log "+s.String(), "quorum none")}
	charter, err := record.Parse(entries[0])
	if err != nil {
		t.Fatal(err)
	}
	place := func(l *forgedLog, index int64) verify.Place {
		sd := side{t, l}
		tree := verify.NewTree(verify.DirSource(l.files), goldenCheckpoint(t, l))
		proof, err := tree.Prove(context.Background(), index)
		if err != nil {
			t.Fatal(err)
		}
		return verify.NewPlace(l.files["checkpoint"].Data, index, sd.log.entries[index], tlog.Hash{}, proof)
	}
	// A record of the log in a tree in which what its signer saw is another one.
	swapped := slices.Clone(entries)
	swapped[1], swapped[2] = swapped[2], swapped[1]
	swappedLog := newForgedLog(t, s, swapped...)
	u, err := record.Parse(entries[5])
	if err != nil {
		t.Fatal(err)
	}
	saw := int(u.Headers()[0].Seen.Size)
	tree := verify.NewTree(verify.DirSource(swappedLog.files), goldenCheckpoint(t, swappedLog))
	root, err := tree.Root(context.Background(), int64(saw))
	if err != nil {
		t.Fatal(err)
	}
	proof, err := tlog.ProveTree(int64(len(swapped)), int64(saw), tree.Hashes(context.Background()))
	if err != nil {
		t.Fatal(err)
	}
	seen := verify.Evidence{V: 1, Kind: verify.KindRecord, Places: []verify.Place{place(swappedLog, 0), place(swappedLog, 5)}, Root: root.String()}
	for _, h := range proof {
		seen.Proof = append(seen.Proof, h.String())
	}
	// A record that stands before what its signer saw.
	early := newForgedLog(t, s, entries[0], entries[5])
	ahead := verify.Evidence{V: 1, Kind: verify.KindRecord, Places: []verify.Place{place(early, 0), place(early, 1)}}
	// A record with a signature that does not hold.
	broken := slices.Clone(entries)
	broken[5] = brokenSignature(t, entries[5])
	brokenLog := newForgedLog(t, s, broken...)
	invalid := verify.Evidence{V: 1, Kind: verify.KindRecord, Places: []verify.Place{place(brokenLog, 0), place(brokenLog, 5)}}
	for _, h := range u.Headers() {
		for _, f := range charter.Payload().(*record.Charter).Founders {
			if f.JWK.KID() == h.KID {
				invalid.Keys = append(invalid.Keys, f.JWK)
			}
		}
	}
	return map[string]provable{"seen": {seen, ps}, "seen before": {ahead, ps}, "signature": {invalid, ps}}
}

func goldenCheckpoint(t testing.TB, l *forgedLog) verify.Checkpoint {
	t.Helper()
	s, err := l.policy.Open(l.files["checkpoint"].Data)
	if err != nil {
		t.Fatal(err)
	}
	return s.Checkpoint
}

// brokenSignature returns a record whose first signature is one of something else.
func brokenSignature(t testing.TB, b []byte) []byte {
	t.Helper()
	i := bytes.Index(b, []byte(`"signature":"`)) + len(`"signature":"`)
	bad := bytes.Clone(b)
	if bad[i+10] == 'A' {
		bad[i+10] = 'B'
	} else {
		bad[i+10] = 'A'
	}
	if _, err := record.Parse(bad); err != nil {
		t.Fatal(err)
	}
	return bad
}

// TestGoodRecords: no record of an honest ledger accuses it.
func TestGoodRecords(t *testing.T) {
	s, entries := demoSigner(t), goldenEntries(t)
	ps := verify.Policies{parsePolicy(t, "log "+s.String(), "quorum none")}
	l := newForgedLog(t, s, entries...)
	tree := verify.NewTree(verify.DirSource(l.files), goldenCheckpoint(t, l))
	places := make([]verify.Place, len(entries))
	for i := range places {
		proof, err := tree.Prove(t.Context(), int64(i))
		if err != nil {
			t.Fatal(err)
		}
		places[i] = verify.NewPlace(l.files["checkpoint"].Data, int64(i), entries[i], tlog.Hash{}, proof)
	}
	var keys []record.JWK
	for _, b := range entries {
		u, err := record.Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		switch p := u.Payload().(type) {
		case *record.Charter:
			for _, f := range p.Founders {
				keys = append(keys, f.JWK)
			}
		case *record.KeyEnrol:
			keys = append(keys, p.JWK)
		}
	}
	keys = keys[:min(len(keys), 16)]
	for i := range places {
		for _, k := range [][]record.JWK{nil, keys, keys[:1]} {
			for size := 0; size <= len(entries); size++ {
				e := verify.Evidence{V: 1, Kind: verify.KindRecord, Places: []verify.Place{places[0], places[i]}, Keys: k}
				if size > 0 {
					root, err := tree.Root(t.Context(), int64(size))
					if err != nil {
						t.Fatal(err)
					}
					e.Root = root.String()
					proof, err := tlog.ProveTree(int64(len(entries)), int64(size), tree.Hashes(t.Context()))
					if err != nil {
						t.Fatal(err)
					}
					for _, h := range proof {
						e.Proof = append(e.Proof, h.String())
					}
				}
				if a, err := ps.Prove(e); err == nil {
					t.Fatalf("entry %d accuses, with the tree of size %d: %+v", i, size, a)
				}
			}
		}
	}
}

// TestSeenIsNoProof: what one person says to have seen accuses nobody.
func TestSeenIsNoProof(t *testing.T) {
	entries := goldenEntries(t)
	s := demoSigner(t)
	ps := verify.Policies{parsePolicy(t, "log "+s.String(), "quorum none")}
	u, err := record.Parse(entries[5])
	if err != nil {
		t.Fatal(err)
	}
	l := newForgedLog(t, s, entries[:2]...)
	e := verify.Evidence{V: 1, Record: string(entries[5]), KID: u.Headers()[0].KID, New: string(l.files["checkpoint"].Data)}
	for _, kind := range []verify.Kind{"", verify.KindSeen} {
		e.Kind = kind
		if _, err := ps.Prove(reread(t, e)); !errors.Is(err, verify.ErrNoProof) || !strings.Contains(err.Error(), "Either lied") {
			t.Error(err)
		}
	}
	e.KID = "another"
	if _, err := ps.Prove(e); err == nil || errors.Is(err, verify.ErrNoProof) {
		t.Error(err)
	}
}
