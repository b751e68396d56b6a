package ledger_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"golang.org/x/mod/sumdb/note"

	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// smallLog returns the files of a small log with a void record, as a mirror has
// them, and its trust policy.
func smallLog(t *testing.T) (fstest.MapFS, *verify.Policy) {
	t.Helper()
	w := ledgertest.New(t, nil)
	w.Submit(w.Sign(w.Decision("case-one"), "dora", "erik"))
	void := w.Decision("case-two")
	void.Grounds = nil
	if _, err := w.Ledger.Submit(context.Background(), w.Sign(void, "dora"), ledger.Options{LogVoid: true}); err != nil {
		t.Fatal(err)
	}
	files := fstest.MapFS{}
	for path, b := range w.Files() {
		files[path] = &fstest.MapFile{Data: b}
	}
	p, err := verify.ParsePolicy(w.TrustPolicy())
	if err != nil {
		t.Fatal(err)
	}
	return files, p
}

func auditFiles(files fstest.MapFS, p *verify.Policy) (*verify.Summary, []verify.Finding, error) {
	var found []verify.Finding
	sum, err := verify.Audit(context.Background(), verify.DirSource(files), p,
		verify.AuditOptions{Found: func(f verify.Finding) { found = append(found, f) }})
	return sum, found, err
}

// TestEveryByteOfALog changes bytes of every file of a log, one at a time: each
// is found, and in a bundle the entry is named.
func TestEveryByteOfALog(t *testing.T) {
	files, p := smallLog(t)
	sum, _, err := auditFiles(files, p)
	if err != nil || sum.Broken > 0 || sum.Void != 1 || sum.Effective != 7 {
		t.Fatalf("the log itself: %+v, %v", sum, err)
	}
	var wg sync.WaitGroup
	for path, file := range files {
		stride := 1
		if strings.Contains(path, "entries") {
			stride = 7
		}
		starts := entryStarts(file.Data)
		wg.Go(func() {
			for i := 0; i < len(file.Data); i += stride {
				changed := fstest.MapFS{}
				for other, f := range files {
					changed[other] = f
				}
				b := bytes.Clone(file.Data)
				b[i] ^= 1 << (i % 8)
				changed[path] = &fstest.MapFile{Data: b}
				sum, found, err := auditFiles(changed, p)
				switch {
				case path == "checkpoint":
					if !errors.Is(err, verify.ErrCheckpoint) {
						t.Errorf("checkpoint with byte %d changed: %v", i, err)
					}
				case err != nil || sum.Broken == 0:
					t.Errorf("%s with byte %d changed: %+v, %v", path, i, sum, err)
				case strings.Contains(path, "entries"):
					if want := entryAt(starts, i); found[0].Index != want {
						t.Errorf("%s with byte %d changed: %+v, want entry %d named", path, i, found[0], want)
					}
				default:
					if !strings.Contains(found[0].Detail, path) {
						t.Errorf("%s with byte %d changed: %+v does not name it", path, i, found[0])
					}
				}
			}
		})
	}
	wg.Wait()
}

// entryStarts returns where the entries of a bundle begin, with their lengths.
func entryStarts(b []byte) []int {
	var starts []int
	for i := 0; i+2 <= len(b); i += 2 + int(b[i])<<8 + int(b[i+1]) {
		starts = append(starts, i)
	}
	return starts
}

func entryAt(starts []int, i int) int64 {
	n := 0
	for n+1 < len(starts) && starts[n+1] <= i {
		n++
	}
	return int64(n)
}

// TestMissingFiles takes files away, cuts and swaps them.
func TestMissingFiles(t *testing.T) {
	files, p := smallLog(t)
	for path, file := range files {
		if path == "checkpoint" {
			continue
		}
		for name, data := range map[string][]byte{"gone": nil, "empty": {}, "cut": file.Data[:len(file.Data)-1], "longer": append(bytes.Clone(file.Data), 0)} {
			changed := fstest.MapFS{}
			for other, f := range files {
				changed[other] = f
			}
			delete(changed, path)
			if data != nil {
				changed[path] = &fstest.MapFile{Data: data}
			}
			if sum, _, err := auditFiles(changed, p); err == nil && sum.Broken == 0 {
				t.Errorf("%s %s: nothing found", path, name)
			}
		}
	}
}

// liar builds a log of entries as it likes, and signs it with the log's key.
func liar(t *testing.T, entries ...[]byte) (fstest.MapFS, *verify.Policy) {
	t.Helper()
	skey, vkey, err := note.GenerateKey(nil, ledgertest.Origin)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	files, err := ledgertest.StaticLog(signer, entries)
	if err != nil {
		t.Fatal(err)
	}
	p, err := verify.ParsePolicy([]byte("log " + vkey + "\nquorum none\n"))
	if err != nil {
		t.Fatal(err)
	}
	out := fstest.MapFS{}
	for path, b := range files {
		out[path] = &fstest.MapFile{Data: b}
	}
	return out, p
}

// TestLyingOperator audits logs that the log key signed and no honest server
// would have made.
func TestLyingOperator(t *testing.T) {
	w := ledgertest.New(t, nil)
	size := w.Seen().Size
	leaves, err := w.Config.Log.Leaves(context.Background(), 0, size)
	if err != nil {
		t.Fatal(err)
	}
	good := w.Sign(w.Decision("case-one"), "dora", "erik")
	forged := bytes.Clone(good)
	forged[bytes.Index(good, []byte(`"signature":"`))+len(`"signature":"`)+3] ^= 1
	unknown := w.Sign(w.Decision("case-two"), "nobody")
	for _, test := range []struct {
		name    string
		entries [][]byte
		code    rules.Code
		index   int64
	}{
		{"an entry that is no record", append(leaves[:size:size], []byte("hello")), record.Malformed, size},
		{"a signature that is none", append(leaves[:size:size], forged), record.SignatureInvalid, size},
		{"a key that nobody enrolled", append(leaves[:size:size], unknown), record.KeyUnknown, size},
		{"a record that saw another history", append(append(leaves[:size-1:size-1], leaves[size-2]), good), rules.SeenMismatch, size},
		{"no charter", leaves[1:], record.KeyUnknown, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			files, p := liar(t, test.entries...)
			sum, found, err := auditFiles(files, p)
			if err != nil || sum.Broken == 0 {
				t.Fatalf("%+v, %v, want something broken", sum, err)
			}
			for _, f := range found {
				if f.Code == test.code && f.Index == test.index && f.Severity == verify.Broken {
					return
				}
			}
			t.Errorf("found %+v, want %s at %d", found, test.code, test.index)
		})
	}
}
