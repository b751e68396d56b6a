package verify_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/rules"
	"github.com/docket-ledger/docket/verify/tile"
)

// The golden history is a log of some three hundred records with every type,
// made by package rules' TestGoldenHistory. Its keys are known, so that these
// tests can do what a dishonest operator can: it holds the log's key, and nobody
// else's.

func historyFiles(t testing.TB) fstest.MapFS {
	t.Helper()
	files := fstest.MapFS{}
	dir := filepath.Join("testdata", "history", "log")
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		files[filepath.ToSlash(name)] = &fstest.MapFile{Data: b}
		return err
	})
	if err != nil || len(files) < 6 {
		t.Fatalf("%d files of the golden history, %v", len(files), err)
	}
	return files
}

func historyPolicy(t testing.TB) *verify.Policy {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "history", "trust.policy"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := verify.ParsePolicy(b)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func historyEntries(t testing.TB) [][]byte {
	t.Helper()
	files := historyFiles(t)
	var all [][]byte
	for _, name := range []string{"tile/entries/000", "tile/entries/001.p/66"} {
		width := 256
		if name != "tile/entries/000" {
			width = 66
		}
		entries, err := tile.ParseBundle(files[name].Data, width)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, entries...)
	}
	return all
}

// historyLogKey is the key of the golden history's log.
func historyLogKey(t testing.TB) *signer { return newSigner(t, origin, verify.Ed25519, origin) }

// TestHistory: the auditor finds in the golden history what the rules said when
// it was made, and nothing broken.
func TestHistory(t *testing.T) {
	sum, found, err := auditOf(historyFiles(t), historyPolicy(t))
	if err != nil || sum.Broken > 0 || !sum.Witnessed {
		t.Fatalf("%+v, %v, found %v", sum, err, found)
	}
	said, err := os.ReadFile(filepath.Join("testdata", "history", "standings.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for line := range strings.Lines(string(said)) {
		var index int64
		var id string
		if _, err := fmt.Sscan(line, &index, &id); err != nil {
			t.Fatal(err)
		}
		var codes, notes []string
		for _, f := range found {
			if f.Index == index && f.Severity == verify.Note {
				notes = append(notes, string(f.Code))
			} else if f.Index == index {
				codes = append(codes, string(f.Code))
			}
		}
		fmt.Fprintln(&got, index, id, codes, notes)
	}
	if got.String() != string(said) {
		t.Errorf("the audit says\n%swant\n%s", got.String(), said)
	}
	if len(sum.Duties) == 0 || len(sum.Gaps) == 0 {
		t.Errorf("duties %v, gaps %v; the history has some of both", sum.Duties, sum.Gaps)
	}
}

// TestAlteredContent is table (a): an entry is altered and the checkpoint kept.
// All are found, and the entry is named.
func TestAlteredContent(t *testing.T) {
	files, entries := historyFiles(t), historyEntries(t)
	policy := historyPolicy(t)
	signed, err := policy.Open(files["checkpoint"].Data)
	if err != nil {
		t.Fatal(err)
	}
	alter := map[string]func(b []byte) []byte{
		"a byte of the payload":   func(b []byte) []byte { b[len(b)/4] ^= 1; return b },
		"a byte of the signature": func(b []byte) []byte { b[len(b)-10] ^= 1; return b },
		"cut":                     func(b []byte) []byte { return b[:len(b)-1] },
		"lengthened":              func(b []byte) []byte { return append(b, '\n') },
		"emptied":                 func([]byte) []byte { return nil },
		"another record":          func([]byte) []byte { return bytes.Clone(entries[0][:len(entries[0])-1]) },
	}
	tried, missed := 0, 0
	for name, change := range alter {
		for i := range entries {
			n := int64(i / tile.FullWidth)
			id := tile.ID{Level: tile.Entries, N: n, Width: tile.Width(tile.Entries, n, int64(len(entries)))}
			var bundle []byte
			for j := range id.Width {
				e := entries[int(n)*tile.FullWidth+j]
				if int(n)*tile.FullWidth+j == i {
					e = change(bytes.Clone(e))
				}
				var err error
				if bundle, err = tile.AppendEntry(bundle, e); err != nil {
					t.Fatal(err)
				}
			}
			tried++
			altered := with(files, id.Path(), bundle)
			_, err := signed.Tree(verify.DirSource(altered)).Bundle(context.Background(), n)
			var entry *verify.EntryError
			if !errors.As(err, &entry) || entry.Index != int64(i) {
				missed++
				t.Errorf("%s, entry %d: %v", name, i, err)
			}
			if i%31 != 0 { // the whole audit takes its time
				continue
			}
			_, found, err := auditOf(altered, policy)
			if err != nil || !slices.ContainsFunc(found, func(f verify.Finding) bool {
				return f.Severity == verify.Broken && f.Code == verify.AuditEntry && f.Index == int64(i)
			}) {
				t.Errorf("%s, entry %d: %v, found %+v", name, i, err, found)
			}
		}
	}
	t.Logf("(a) altered content under the old checkpoint: %d of %d found and named", tried-missed, tried)
}

// A rewriting is another list of records that an operator makes of its log.
type rewriting struct {
	name    string
	entries [][]byte
}

// rewritings are what can be done without the keys of the signers, at some
// places and at all of the last ones.
func rewritings(entries [][]byte) []rewriting {
	var all []rewriting
	add := func(what string, i int, e [][]byte) {
		all = append(all, rewriting{fmt.Sprintf("%s %d", what, i), e})
	}
	n := len(entries)
	for i := range n {
		if i%41 != 0 && i < n-6 {
			continue
		}
		add("left out", i, slices.Delete(slices.Clone(entries), i, i+1))
		if i+1 < n { // at the end it is an honest log, with a void record
			add("repeated", i, slices.Insert(slices.Clone(entries), i+1, entries[i]))
		}
		if i+1 < n && !bytes.Equal(entries[i], entries[i+1]) {
			swapped := slices.Clone(entries)
			swapped[i], swapped[i+1] = swapped[i+1], swapped[i]
			add("swapped with the next", i, swapped)
		}
		emptied := slices.Clone(entries)
		emptied[i] = []byte("{}")
		add("emptied", i, emptied)
		add("cut off from", i, slices.Clone(entries[:i]))
	}
	return all
}

// unseen are the rewritings that nobody finds who holds nothing but the log: no
// signature and no rule depends on what is gone. docs/threats.md prints them.
func unseen(n int) []string {
	list := []string{fmt.Sprintf("left out %d", n-1)}
	for i := range n {
		if i%41 == 0 || i >= n-6 {
			list = append(list, fmt.Sprintf("cut off from %d", i))
		}
	}
	slices.Sort(list)
	return list
}

// TestRewrittenHistory is the tables (b) and (c): the tree is rebuilt and signed
// anew with the log's key. An auditor who holds the old checkpoint finds all of
// it; one who holds nothing finds what a later signature or rule depends on.
func TestRewrittenHistory(t *testing.T) {
	entries := historyEntries(t)
	key := historyLogKey(t)
	honest := parsePolicy(t, "log "+key.String(), "quorum none")
	old, err := honest.Open(historyFiles(t)["checkpoint"].Data)
	if err != nil {
		t.Fatal(err)
	}
	_, honestly, err := auditOf(historyFiles(t), honest)
	if err != nil {
		t.Fatal(err)
	}
	repeats := func(found []verify.Finding) (n int) {
		for _, f := range found {
			if f.Code == rules.SeqRepeat {
				n++
			}
		}
		return n
	}
	tried, withOld := 0, 0
	var missed []string
	for _, r := range rewritings(entries) {
		l := newForgedLog(t, key, r.entries...)
		var found []verify.Finding
		_, err := verify.Audit(context.Background(), verify.DirSource(l.files), l.policy, verify.AuditOptions{
			Found: func(f verify.Finding) { found = append(found, f) }, Earlier: []verify.Signed{old}})
		if err != nil {
			t.Fatalf("%s: %v", r.name, err)
		}
		tried++
		byOld, byItself := false, repeats(found) > repeats(honestly)
		for _, f := range found {
			switch {
			case f.Severity != verify.Broken:
			case f.Code == verify.AuditFork:
				byOld = byOld || f.Fork != nil && f.Fork.Check() == nil
			case f.Code == verify.AuditSmaller:
				byOld = true
			default:
				byItself = true
			}
		}
		if byOld {
			withOld++
		} else {
			t.Errorf("%s: not found by who holds the old checkpoint; found %+v", r.name, found)
		}
		if !byItself {
			missed = append(missed, r.name)
		}
		// Nobody else cosigns another history: with witnesses it does not
		// even begin.
		if _, err := historyPolicy(t).Open(l.files["checkpoint"].Data); err == nil {
			t.Errorf("%s: the trust policy with witnesses takes its checkpoint", r.name)
		}
	}
	slices.Sort(missed)
	t.Logf("(b) rebuilt, the auditor holds the old checkpoint: %d of %d found", withOld, tried)
	t.Logf("(c) rebuilt, the auditor holds nothing: %d of %d found; not found: %s", tried-len(missed), tried, strings.Join(missed, ", "))
	if want := unseen(len(entries)); !slices.Equal(missed, want) {
		t.Errorf("not found: %v\nwant %v", missed, want)
	}
	threats, err := os.ReadFile(filepath.Join("..", "docs", "threats.md"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(threats), "left out as the last record") || !strings.Contains(string(threats), "cut off from any record on") {
		t.Error("docs/threats.md does not print what is not found")
	}
}
