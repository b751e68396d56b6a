package verify_test

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/verify"
)

// foreignTree has the nodes of a tree that package merkle computes.
type foreignTree struct {
	size  uint64
	nodes map[compact.NodeID][]byte
}

func newForeignTree(size int, entry func(i int) []byte) *foreignTree {
	f := &foreignTree{size: uint64(size), nodes: make(map[compact.NodeID][]byte)}
	factory := compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}
	r := factory.NewEmptyRange(0)
	visit := func(id compact.NodeID, hash []byte) { f.nodes[id] = hash }
	for i := range size {
		leaf := rfc6962.DefaultHasher.HashLeaf(entry(i))
		f.nodes[compact.NewNodeID(0, uint64(i))] = leaf
		if err := r.Append(leaf, visit); err != nil {
			panic(err)
		}
	}
	return f
}

func (f *foreignTree) root(t testing.TB, size int) tlog.Hash {
	t.Helper()
	if size == 0 {
		return tlog.Hash(rfc6962.DefaultHasher.EmptyRoot())
	}
	var hashes [][]byte
	for _, id := range compact.RangeNodes(0, uint64(size), nil) {
		hashes = append(hashes, f.nodes[id])
	}
	factory := compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}
	r, err := factory.NewRange(0, uint64(size), hashes)
	if err != nil {
		t.Fatal(err)
	}
	root, err := r.GetRootHash(nil)
	if err != nil {
		t.Fatal(err)
	}
	return tlog.Hash(root)
}

func (f *foreignTree) prove(t testing.TB, index int) []tlog.Hash {
	t.Helper()
	nodes, err := proof.Inclusion(uint64(index), f.size)
	if err != nil {
		t.Fatal(err)
	}
	var hashes [][]byte
	for _, id := range nodes.IDs {
		hashes = append(hashes, f.nodes[id])
	}
	if hashes, err = nodes.Rehash(hashes, rfc6962.DefaultHasher.HashChildren); err != nil {
		t.Fatal(err)
	}
	var p []tlog.Hash
	for _, h := range hashes {
		p = append(p, tlog.Hash(h))
	}
	return p
}

// bigTree is a tree of which newTestLog takes the beginning.
var bigTree = sync.OnceValue(func() *foreignTree { return newForeignTree((verify.MaxTiles+10)*256, testEntry) })

func testEntry(i int) []byte { return fmt.Appendf(nil, "entry %d", i) }

// testReceipt proves entry 41 of a log of 100.
func testReceipt(t testing.TB) (verify.Receipt, *verify.Policy) {
	t.Helper()
	log := newSigner(t, origin, verify.Ed25519, "log")
	f := newForeignTree(100, testEntry)
	signed, err := verify.Checkpoint{Origin: origin, Size: 100, Root: f.root(t, 100)}.Sign(log)
	if err != nil {
		t.Fatal(err)
	}
	r := verify.Receipt{Index: 41, Proof: f.prove(t, 41), Checkpoint: signed}
	return r, parsePolicy(t, "log "+log.VKey.String(), "quorum none")
}

func checkReceipt(p *verify.Policy, b, entry []byte) error {
	r, err := verify.ParseReceipt(b)
	if err != nil {
		return err
	}
	s, err := p.Open(r.Checkpoint)
	if err != nil {
		return err
	}
	return r.Included(s.Checkpoint, tlog.RecordHash(entry))
}

func TestReceipt(t *testing.T) {
	r, p := testReceipt(t)
	good := r.Marshal()
	if want := "c2sp.org/tlog-proof@v1\nindex 41\n"; !strings.HasPrefix(string(good), want) {
		t.Errorf("Marshal = %q", good)
	}
	if err := checkReceipt(p, good, testEntry(41)); err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		if err := checkReceipt(p, good, testEntry(i)); (err == nil) != (i == 41) {
			t.Errorf("entry %d: %v", i, err)
		}
	}
	for i := range good {
		for bit := range 8 {
			bad := bytes.Clone(good)
			bad[i] ^= 1 << bit
			if err := checkReceipt(p, bad, testEntry(41)); err == nil {
				t.Errorf("accepted with bit %d of byte %d (%q) changed", bit, i, good[i])
			}
		}
		if err := checkReceipt(p, append(bytes.Clone(good[:i]), good[i+1:]...), testEntry(41)); err == nil {
			t.Errorf("accepted without byte %d (%q)", i, good[i])
		}
		if err := checkReceipt(p, append(append(bytes.Clone(good[:i]), good[i]), good[i:]...), testEntry(41)); err == nil {
			t.Errorf("accepted with byte %d (%q) repeated", i, good[i])
		}
	}
	lines := strings.SplitAfter(string(good), "\n")
	for i := range lines[:len(lines)-2] {
		swapped := append([]string{}, lines...)
		swapped[i], swapped[i+1] = swapped[i+1], swapped[i]
		if err := checkReceipt(p, []byte(strings.Join(swapped, "")), testEntry(41)); err == nil {
			t.Errorf("accepted with lines %d and %d swapped", i+1, i+2)
		}
	}
}

// TestReceiptSizes proves every entry of small logs.
func TestReceiptSizes(t *testing.T) {
	for size := 1; size <= 33; size++ {
		f := newForeignTree(size, testEntry)
		cp := verify.Checkpoint{Origin: origin, Size: int64(size), Root: f.root(t, size)}
		signed, err := cp.Sign(newSigner(t, origin, verify.Ed25519, "log"))
		if err != nil {
			t.Fatal(err)
		}
		for i := range size {
			b := verify.Receipt{Index: int64(i), Proof: f.prove(t, i), Checkpoint: signed}.Marshal()
			r, err := verify.ParseReceipt(b)
			if err != nil {
				t.Fatalf("entry %d of %d: %v", i, size, err)
			}
			if err := r.Included(cp, tlog.RecordHash(testEntry(i))); err != nil {
				t.Errorf("entry %d of %d: %v", i, size, err)
			}
			if err := r.Included(cp, tlog.RecordHash(testEntry(i+1))); err == nil {
				t.Errorf("entry %d of %d is accepted as entry %d", i+1, size, i)
			}
		}
	}
}

func TestReceiptSpellings(t *testing.T) {
	r, _ := testReceipt(t)
	good := string(r.Marshal())
	with := func(extra string) string { return strings.Replace(good, "\nindex", "\n"+extra+"index", 1) }

	// A line of any length is read (formats v0.1.1 stops at 64 KiB).
	r.Extra = bytes.Repeat([]byte("extra"), 40000)
	got, err := verify.ParseReceipt(r.Marshal())
	if err != nil || !bytes.Equal(got.Extra, r.Extra) {
		t.Errorf("extra of %d bytes: %v", len(r.Extra), err)
	}
	if _, err := verify.ParseReceipt([]byte(with("extra AAAA\n"))); err != nil {
		t.Errorf("extra: %v", err)
	}
	for what, bad := range map[string]string{
		"empty":                  "",
		"header only":            "c2sp.org/tlog-proof@v1\n",
		"version 2":              strings.Replace(good, "@v1", "@v2", 1),
		"empty extra":            with("extra \n"),
		"extra without space":    with("extra\n"),
		"extra twice":            with("extra AAAA\nextra AAAA\n"),
		"extra, two spaces":      with("extra  AAAA\n"),
		"extra, trailing bits":   with("extra AAB=\n"),
		"extra, no padding":      with("extra AAA\n"),
		"extra, base64url":       with("extra __8=\n"),
		"extra with CR":          with("extra AAAA\r\n"),
		"extra after index":      strings.Replace(good, "index 41\n", "index 41\nextra AAAA\n", 1),
		"no index":               strings.Replace(good, "index 41\n", "", 1),
		"index with zero":        strings.Replace(good, "index 41", "index 041", 1),
		"index with plus":        strings.Replace(good, "index 41", "index +41", 1),
		"negative index":         strings.Replace(good, "index 41", "index -41", 1),
		"index beyond the log":   strings.Replace(good, "index 41", "index 100", 1),
		"index of 2^64":          strings.Replace(good, "index 41", "index 18446744073709551657", 1),
		"CR":                     strings.ReplaceAll(good, "\n", "\r\n"),
		"CR in the index line":   strings.Replace(good, "index 41\n", "index 41\r\n", 1),
		"54 hashes":              strings.Replace(good, "index 41\n", "index 41\n"+strings.Repeat(verify.EmptyRoot.String()+"\n", 47), 1),
		"no blank line":          strings.Replace(good, "\n\n", "\n", 1),
		"two blank lines":        strings.Replace(good, "\n\n", "\n\n\n", 1),
		"no checkpoint":          good[:strings.Index(good, "\n\n")+2],
		"blank line at the end":  good + "\n",
		"hash of 31 bytes":       strings.Replace(good, "index 41\n", "index 41\n"+strings.Repeat("A", 40)+"AA==\n", 1),
		"extension line":         strings.Replace(good, "\n\n—", "\nmore\n\n—", 1),
		"space before the index": strings.Replace(good, "index", " index", 1),
		"more than 1 MiB":        with("extra " + strings.Repeat("A", verify.MaxReceipt) + "\n"),
	} {
		if _, err := verify.ParseReceipt([]byte(bad)); err == nil {
			t.Errorf("%s: accepted", what)
		}
	}
}

func FuzzReceipt(f *testing.F) {
	r, _ := testReceipt(f)
	f.Add(r.Marshal())
	r.Extra = []byte("extra")
	f.Add(r.Marshal())
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := verify.ParseReceipt(b)
		if err != nil {
			return
		}
		if again := r.Marshal(); !bytes.Equal(again, b) {
			t.Errorf("%q has a second spelling %q", b, again)
		}
	})
}
