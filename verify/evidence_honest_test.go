package verify_test

import (
	"context"
	"math/rand/v2"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/verify"
)

// TestHonest: nothing accuses a log that only grew, whatever is claimed of it and
// whichever proofs are added. Its keys were handed over, and somebody has the old
// one.
func TestHonest(t *testing.T) {
	old, cur := newSigner(t, origin, verify.Ed25519, "old"), newSigner(t, origin, verify.Ed25519, "cur")
	pq := newSigner(t, origin, verify.MLDSA44Cosignature, "pq")
	w := witnessKey(t, "w", t0)
	earlier := parsePolicy(t, "log "+old.String(), "witness w "+w.String(), "quorum w")
	ps := verify.Policies{earlier, parsePolicy(t, "log "+cur.String(), "log "+pq.String(), "witness w "+w.String(), "quorum w")}
	s, forged := newSide(t, 600, 600, ""), newSide(t, 600, 255, "thief")
	sizes := []int{0, 1, 2, 255, 256, 257, 511, 512, 513, 600}
	var notes []string
	var hashes []tlog.Hash
	var proofs [][]string
	for i, size := range sizes {
		wi, pqi := *w, *pq
		wi.time, pqi.time = uint64(t0+i), uint64(t0+i)
		key := cur
		if i < 3 {
			key = old
		}
		notes = append(notes, string(s.sign(size, key, &wi)), string(s.sign(size, key)), string(s.sign(size, cur, &pqi, &wi)),
			string(forged.sign(size, old))) // the last one is the thief's
		hashes = append(hashes, s.at(size).Root, forged.at(size).Root)
		for _, o := range sizes[:i] {
			if o > 0 {
				for _, side := range []side{s, forged} {
					proofs = append(proofs, consistency(t, side, o, size))
				}
			}
		}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	pick := func(n int) int { return rng.IntN(n) }
	kinds := []verify.Kind{"", verify.KindFork, verify.KindRollback, verify.KindEntry, verify.KindRecord, verify.KindSeen}
	tried := 0
	for _, a := range notes {
		for _, b := range notes {
			for range 4 {
				e := verify.Evidence{V: 1, Kind: kinds[pick(len(kinds))], Old: a, New: b}
				if pick(4) > 0 {
					e.Root = hashes[pick(len(hashes))].String()
				}
				if pick(4) > 0 {
					e.Proof = proofs[pick(len(proofs))]
				}
				if e.Kind == verify.KindEntry || e.Kind == verify.KindRecord {
					from := [2]side{s, forged}
					index := int64(pick(600))
					e = verify.EntryEvidence(from[pick(2)].place([]byte(a), index), from[pick(2)].place([]byte(b), index+int64(pick(2))*(599-index)))
				}
				tried++
				if got, err := ps.Prove(e); err == nil {
					t.Fatalf("an honest log is accused: %+v\n%+v", got, e)
				}
			}
		}
	}
	// The right proof for the right sizes, with the root that would accuse.
	for i, size := range sizes {
		for _, o := range sizes[1:max(i, 1)] {
			for _, root := range hashes {
				e := verify.Evidence{V: 1, Kind: verify.KindFork, Old: string(s.sign(o, cur)), New: string(s.sign(size, cur)), Root: root.String(), Proof: consistency(t, s, o, size)}
				tried++
				if got, err := ps.Prove(e); err == nil {
					t.Fatalf("an honest log is accused at %d of %d: %+v", o, size, got)
				}
			}
		}
	}
	t.Logf("%d files, none proves anything", tried)
}

func consistency(t testing.TB, s side, old, size int) []string {
	t.Helper()
	cp := s.at(size)
	proof, err := tlog.ProveTree(cp.Size, int64(old), verify.NewTree(verify.DirSource(s.log.files), s.cp()).Hashes(context.Background()))
	if err != nil {
		t.Fatal(err)
	}
	all := make([]string, len(proof))
	for i, h := range proof {
		all[i] = h.String()
	}
	return all
}
