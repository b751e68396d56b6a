package verify_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
	"github.com/docket-ledger/docket/verify/tile"
)

// A forgedLog is a log of any entries, signed: what an operator can make who
// does not use a ledger.
type forgedLog struct {
	files   fstest.MapFS
	policy  *verify.Policy
	entries [][]byte
}

func newForgedLog(t testing.TB, s *signer, entries ...[]byte) *forgedLog {
	t.Helper()
	var stored []tlog.Hash
	read := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, x := range indexes {
			out[i] = stored[x]
		}
		return out, nil
	})
	for i, e := range entries {
		hashes, err := tlog.StoredHashes(int64(i), e, read)
		if err != nil {
			t.Fatal(err)
		}
		stored = append(stored, hashes...)
	}
	cp := verify.Checkpoint{Origin: s.Name(), Size: int64(len(entries)), Root: verify.EmptyRoot}
	if cp.Size > 0 {
		root, err := tlog.TreeHash(cp.Size, read)
		if err != nil {
			t.Fatal(err)
		}
		cp.Root = root
	}
	l := &forgedLog{files: fstest.MapFS{}, entries: entries}
	for id := range tile.All(cp.Size) {
		var b []byte
		for i := range int64(id.Width) {
			n := id.N*tile.FullWidth + i
			if id.Level != tile.Entries {
				h := stored[tlog.StoredHashIndex(id.Level*tile.Height, n)]
				b = append(b, h[:]...)
				continue
			}
			var err error
			if b, err = tile.AppendEntry(b, entries[n]); err != nil {
				t.Fatal(err)
			}
		}
		l.files[id.Path()] = &fstest.MapFile{Data: b}
	}
	l.files["checkpoint"] = &fstest.MapFile{Data: signNote(t, cp.Text(), s)}
	l.policy = parsePolicy(t, "log "+s.String(), "quorum none")
	return l
}

// with returns the files with one changed; nil takes it away.
func with(files fstest.MapFS, path string, data []byte) fstest.MapFS {
	out := maps.Clone(files)
	if delete(out, path); data != nil {
		out[path] = &fstest.MapFile{Data: data}
	}
	return out
}

func auditOf(files fstest.MapFS, p *verify.Policy) (*verify.Summary, []verify.Finding, error) {
	var found []verify.Finding
	sum, err := verify.Audit(context.Background(), verify.DirSource(files), p,
		verify.AuditOptions{Found: func(f verify.Finding) { found = append(found, f) }})
	return sum, found, err
}

// goldenMirror returns the files of the golden log.
func goldenMirror(t testing.TB) fstest.MapFS {
	t.Helper()
	files := fstest.MapFS{}
	for _, path := range []string{"checkpoint", "tile/0/000.p/14", "tile/entries/000.p/14"} {
		files[path] = &fstest.MapFile{Data: goldenFile(t, "mirror", filepath.FromSlash(path))}
	}
	return files
}

// goldenEntries returns the records of the golden log.
func goldenEntries(t testing.TB) [][]byte {
	t.Helper()
	entries, err := tile.ParseBundle(goldenFile(t, "mirror", "tile", "entries", "000.p", "14"), 14)
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

// TestGoldenDamage sweeps over the files of the golden log: every byte of the
// checkpoint and the tile, some of each entry; and cuts, lengthens and swaps.
func TestGoldenDamage(t *testing.T) {
	files, p := goldenMirror(t), goldenPolicy(t)
	var wg sync.WaitGroup
	for path, file := range files {
		stride, data := 1, file.Data
		if strings.Contains(path, "entries") {
			stride = 89
		}
		wg.Go(func() {
			for i := 0; i < len(data); i += stride {
				for _, mask := range []byte{1, 0x20, 0x80} {
					b := bytes.Clone(data)
					b[i] ^= mask
					sum, _, err := auditOf(with(files, path, b), p)
					if path == "checkpoint" {
						if !errors.Is(err, verify.ErrCheckpoint) {
							t.Errorf("checkpoint, byte %d xor %#x: %v", i, mask, err)
						}
					} else if err != nil || sum.Broken == 0 {
						t.Errorf("%s, byte %d xor %#x: %+v, %v, want it broken", path, i, mask, sum, err)
					}
				}
			}
		})
	}
	wg.Wait()
	const hashes, bundle = "tile/0/000.p/14", "tile/entries/000.p/14"
	for path, data := range map[string][]byte{hashes: files[bundle].Data, bundle: files[hashes].Data} {
		if sum, _, err := auditOf(with(files, path, data), p); err != nil || sum.Broken == 0 {
			t.Errorf("%s is the other file: %+v, %v", path, sum, err)
		}
	}
}

// demoSigner is a log key of the name of the golden log, which nobody vouches
// for.
func demoSigner(t testing.TB) *signer {
	return newSigner(t, "demo.docket.example/2026", verify.Ed25519, "a key of one's own")
}

// TestForgedKey: the records of the golden log, signed with another log key.
// Every record is genuine, but the charter names another key.
func TestForgedKey(t *testing.T) {
	l := newForgedLog(t, demoSigner(t), goldenEntries(t)...)
	sum, found, err := auditOf(l.files, l.policy)
	last := found[len(found)-1]
	if err != nil || sum.Broken != 1 || last.Code != verify.AuditLogKey || last.Index != 0 {
		t.Errorf("%+v, %v, found %+v, want %s", sum, err, found, verify.AuditLogKey)
	}
	if _, _, err := auditOf(l.files, goldenPolicy(t)); !errors.Is(err, verify.ErrCheckpoint) {
		t.Errorf("with the policy of the golden log: %v, want ErrCheckpoint", err)
	}
}

// TestForgedEntries: trees that the log key signed, of records that no honest
// server would have put there.
func TestForgedEntries(t *testing.T) {
	good := goldenEntries(t)
	without := func(i int) [][]byte { return slices.Delete(slices.Clone(good), i, i+1) }
	replaced := func(i int, b []byte) [][]byte {
		out := slices.Clone(good)
		out[i] = b
		return out
	}
	elsewhere := forgeDecision(t, good[10], func(d *record.Decision) { d.Ledger = "other.example/2026" })
	for _, test := range []struct {
		name    string
		entries [][]byte
		code    rules.Code
		index   int64
	}{
		{"a record is left out", without(9), rules.SeenMismatch, 10},
		{"two records change places", slices.Concat(good[:9], [][]byte{good[10], good[9]}, good[11:]), rules.SeenMismatch, 9},
		{"an empty entry", replaced(10, nil), record.Malformed, 10},
		{"a type that nobody knows", replaced(10, bytes.Replace(good[10], []byte(`"payload":"`), []byte(`"payload":"eyJ0`), 1)), record.Malformed, 10},
		{"a record of another ledger", replaced(10, elsewhere), record.LedgerMismatch, 10},
		{"an enrolment is left out", without(3), record.KeyUnknown, 11},
		{"no charter", good[1:], record.KeyUnknown, 0},
	} {
		l := newForgedLog(t, demoSigner(t), test.entries...)
		sum, found, err := auditOf(l.files, l.policy)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if !slices.ContainsFunc(found, func(f verify.Finding) bool {
			return f.Code == test.code && f.Index == test.index && f.Severity == verify.Broken
		}) {
			t.Errorf("%s: %+v, found %+v, want %s at %d", test.name, sum, found, test.code, test.index)
		}
		if n := int64(len(test.entries)); sum.Entries != n || sum.Effective+sum.Void+sum.Unjudged != n {
			t.Errorf("%s: %+v does not add up to %d", test.name, sum, n)
		}
	}
}

// forgeDecision returns the decision, changed and signed by a key that nobody
// knows.
func forgeDecision(t testing.TB, b []byte, change func(*record.Decision)) []byte {
	t.Helper()
	u, err := record.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	d, ok := u.Payload().(*record.Decision)
	if !ok {
		t.Fatalf("the record is a %s", u.Payload().Head().Type)
	}
	change(d)
	draft, err := record.NewDraft(d)
	if err != nil {
		t.Fatal(err)
	}
	seed := sha256.Sum256([]byte("nobody"))
	if draft, err = draft.Sign(ed25519.NewKeyFromSeed(seed[:]), 1790000000, 1, record.SeenNothing); err != nil {
		t.Fatal(err)
	}
	return draft.Bytes()
}

// longLog is the golden log, grown to three bundles by forged decisions.
func longLog(t testing.TB, size int) *forgedLog {
	t.Helper()
	entries := goldenEntries(t)
	model := entries[10]
	for i := len(entries); i < size; i++ {
		entries = append(entries, forgeDecision(t, model, func(d *record.Decision) { d.Case = fmt.Sprintf("case-%d", i) }))
	}
	return newForgedLog(t, demoSigner(t), entries...)
}

// TestAfterDamage: when a bundle is altered, nobody can tell what later records
// are worth, and those whose key it held are not accused.
func TestAfterDamage(t *testing.T) {
	entries := goldenEntries(t)
	for i := len(entries); i < 256; i++ {
		entries = append(entries, forgeDecision(t, entries[10], func(d *record.Decision) { d.Case = fmt.Sprintf("case-%d", i) }))
	}
	entries = append(entries, entries[12]) // its signer is enrolled at 3
	l := newForgedLog(t, demoSigner(t), entries...)
	bundle := bytes.Clone(l.files["tile/entries/000"].Data)
	bundle[100] ^= 1
	sum, found, err := auditOf(with(l.files, "tile/entries/000", bundle), l.policy)
	if err != nil || sum.Broken != 1 || sum.Unjudged != 257 || sum.Entries != 1 {
		t.Errorf("%+v, %v, want one thing broken and 257 entries not judged", sum, err)
	}
	if len(found) != 2 || found[0].Code != verify.AuditEntry || found[0].Index != 0 || found[1].Code != verify.AuditUnjudged {
		t.Errorf("found %+v", found)
	}
	// A malformed entry is one, whatever came before.
	l = newForgedLog(t, demoSigner(t), append(entries, []byte("x"))...)
	sum, found, err = auditOf(with(l.files, "tile/entries/000", bundle), l.policy)
	if err != nil || sum.Broken != 2 || found[2].Code != record.Malformed || found[2].Index != 257 {
		t.Errorf("%+v, %v, found %+v", sum, err, found)
	}
}

// TestSwappedBundles: whole files that stand in each other's place.
func TestSwappedBundles(t *testing.T) {
	l := longLog(t, 520)
	for _, pair := range [][2]string{{"tile/entries/000", "tile/entries/001"}, {"tile/0/000", "tile/0/001"}} {
		a, b := l.files[pair[0]].Data, l.files[pair[1]].Data
		sum, found, err := auditOf(with(with(l.files, pair[0], b), pair[1], a), l.policy)
		if err != nil || sum.Broken < 2 {
			t.Errorf("%v swapped: %+v, %v", pair, sum, err)
		}
		if f := found[0]; f.Severity != verify.Broken || f.Code != verify.AuditEntry && f.Code != verify.AuditFile {
			t.Errorf("%v swapped: found %+v first", pair, f)
		}
	}
	if sum, _, err := auditOf(with(l.files, "tile/1/000.p/2", nil), l.policy); err != nil || sum.Broken == 0 {
		t.Errorf("without the tile above: %+v, %v", sum, err)
	}
}

// TestAuditCounts: the counts add up, progress is told, and a listener is not
// required.
func TestAuditCounts(t *testing.T) {
	l := longLog(t, 520)
	var progress []int64
	sum, err := verify.Audit(context.Background(), verify.DirSource(l.files), l.policy,
		verify.AuditOptions{Progress: func(n, _ int64) { progress = append(progress, n) }})
	if err != nil {
		t.Fatal(err)
	}
	// 506 forged decisions, and the charter that names another log key.
	if sum.Entries != 520 || sum.Effective != 13 || sum.Void != 507 || sum.Broken != 507 || sum.Unjudged != 0 {
		t.Errorf("%+v", sum)
	}
	if !slices.Equal(progress, []int64{256, 512, 520}) {
		t.Errorf("progress %v", progress)
	}
	if n := sum.ByType[record.TypeDecision]; n != 4 {
		t.Errorf("%d decisions that could be opened, want 4: %v", n, sum.ByType)
	}
}

// TestAuditEmpty: a log without entries is one without a charter, and no more.
func TestAuditEmpty(t *testing.T) {
	l := newForgedLog(t, demoSigner(t))
	sum, found, err := auditOf(l.files, l.policy)
	if err != nil || sum.Entries != 0 || sum.Broken != 0 || len(found) > 0 {
		t.Errorf("%+v, %v, found %+v", sum, err, found)
	}
}

// TestAuditCancelled: a context that ends in the middle is an error.
func TestAuditCancelled(t *testing.T) {
	l := longLog(t, 520)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	_, err := verify.Audit(ctx, verify.DirSource(l.files), l.policy, verify.AuditOptions{Found: func(verify.Finding) { cancel() }})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Audit: %v, want Canceled", err)
	}
}

// FuzzSupport gives a receipt support from another file: whatever it is, what is
// shown does not become effective by it.
func FuzzSupport(f *testing.F) {
	const name = "12-example-emergency-restrict.tlog-proof"
	r, err := verify.ParseReceipt(goldenFile(f, "receipts", name))
	if err != nil {
		f.Fatal(err)
	}
	e, err := verify.ParseExtra(r.Extra)
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range e.Support {
		f.Add(s.Index, s.Record)
	}
	p := goldenPolicy(f)
	e.Support = nil
	if r.Extra, err = e.Marshal(); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, index int64, b []byte) {
		if proven, err := r.Check(p, nil, verify.Support{Index: index, Record: b}); err == nil {
			t.Errorf("support without a proof shows %+v", proven)
		}
	})
}

// TestReceiptMasks changes bytes of a full receipt in ways that keep letters
// letters and in ways that don't, and cuts it.
func TestReceiptMasks(t *testing.T) {
	p := goldenPolicy(t)
	good := goldenFile(t, "receipts", "01-enrol-archivist.tlog-proof")
	var wg sync.WaitGroup
	for start, mask := range []byte{1, 0x20, 0x80} {
		wg.Go(func() {
			for i := start; i < len(good); i += 5 {
				b := bytes.Clone(good)
				b[i] ^= mask
				if proven, err := checkFull(b, p, nil); err == nil {
					t.Errorf("byte %d xor %#x: it holds: %+v", i, mask, proven.Standing)
				}
			}
		})
	}
	wg.Wait()
	for n := 0; n < len(good); n += 13 {
		if _, err := checkFull(good[:n], p, nil); err == nil {
			t.Errorf("the first %d bytes hold", n)
		}
	}
}

// TestReceiptOfAForgedLog: all proofs hold, but the charter does not name the
// key that signed the tree.
func TestReceiptOfAForgedLog(t *testing.T) {
	entries := goldenEntries(t)
	l := newForgedLog(t, demoSigner(t), entries...)
	signed, err := l.policy.Open(l.files["checkpoint"].Data)
	if err != nil {
		t.Fatal(err)
	}
	tree := signed.Tree(verify.DirSource(l.files))
	prove := func(i int64) []tlog.Hash {
		proof, err := tlog.ProveRecord(signed.Checkpoint.Size, i, tree.Hashes(context.Background()))
		if err != nil {
			t.Fatal(err)
		}
		return proof
	}
	extra, err := verify.Extra{Record: entries[1], Support: []verify.Support{{Index: 0, Record: entries[0], Proof: prove(0)}}}.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	r := verify.Receipt{Extra: extra, Index: 1, Proof: prove(1), Checkpoint: l.files["checkpoint"].Data}
	if _, err := r.Check(l.policy, nil); err == nil || errors.Is(err, verify.ErrNotShown) || !strings.Contains(err.Error(), "does not name the key") {
		t.Errorf("Check: %v", err)
	}
}

// ExampleReceipt_Check checks a receipt offline, with the trust policy alone.
func ExampleReceipt_Check() {
	policyFile, _ := os.ReadFile("testdata/golden/trust.policy")
	file, _ := os.ReadFile("testdata/golden/receipts/12-example-emergency-restrict.tlog-proof")
	policy, err := verify.ParsePolicy(policyFile)
	if err != nil {
		fmt.Println(err)
		return
	}
	receipt, err := verify.ParseReceipt(file)
	if err != nil {
		fmt.Println(err)
		return
	}
	proven, err := receipt.Check(policy, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("entry", proven.Index, "of", proven.Signed.Checkpoint.Origin)
	fmt.Println("signed by", proven.Signers[0].Holder)
	fmt.Println("effective, as far as the file shows:", proven.Standing.Effective())
	// Output:
	// entry 12 of demo.docket.example/2026
	// signed by duty-officer
	// effective, as far as the file shows: true
}

// ExampleAudit audits a copy of a log.
func ExampleAudit() {
	policyFile, _ := os.ReadFile("testdata/golden/trust.policy")
	policy, err := verify.ParsePolicy(policyFile)
	if err != nil {
		fmt.Println(err)
		return
	}
	mirror := verify.DirSource(os.DirFS("testdata/golden/mirror"))
	sum, err := verify.Audit(context.Background(), mirror, policy, verify.AuditOptions{Found: func(f verify.Finding) {
		fmt.Println(f.Severity, f.Index, f.Code)
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(sum.Entries, "entries,", sum.Effective, "effective,", sum.Void, "void,", sum.Broken, "broken")
	// Output:
	// void 8 ground.none
	// void 8 quorum.short
	// 14 entries, 13 effective, 1 void, 0 broken
}
