package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-json-experiment/json"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/verify"
)

const origin = "ledger.example.com/2026"

// files is a log as a map of files.
type files map[string][]byte

func (f files) ReadFile(_ context.Context, path string) ([]byte, error) {
	b, ok := f[path]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return b, nil
}

// smallLog returns a log of at most 255 entries, signed.
func smallLog(t *testing.T, signer note.Signer, entries ...string) files {
	t.Helper()
	var tile []byte
	hashes := map[int64]tlog.Hash{}
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, x := range indexes {
			out[i] = hashes[x]
		}
		return out, nil
	})
	for i, e := range entries {
		stored, err := tlog.StoredHashes(int64(i), []byte(e), reader)
		if err != nil {
			t.Fatal(err)
		}
		for j, h := range stored {
			hashes[tlog.StoredHashIndex(0, int64(i))+int64(j)] = h
		}
		tile = append(tile, stored[0][:]...)
	}
	root, err := tlog.TreeHash(int64(len(entries)), reader)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := verify.Checkpoint{Origin: signer.Name(), Size: int64(len(entries)), Root: root}.Sign(signer)
	if err != nil {
		t.Fatal(err)
	}
	return files{"checkpoint": signed, fmt.Sprintf("tile/0/000.p/%d", len(entries)): tile}
}

func newSigner(t *testing.T, name string) (note.Signer, string) {
	t.Helper()
	skey, vkey, err := note.GenerateKey(rand.Reader, name)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	return signer, vkey
}

// forks returns what advance wrote as evidence, and removes it.
func forks(t *testing.T, keyFile string) []evidence {
	t.Helper()
	paths, err := filepath.Glob(keyFile + ".fork-*")
	if err != nil {
		t.Fatal(err)
	}
	var all []evidence
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var e evidence
		if err := json.Unmarshal(b, &e); err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func TestAdvance(t *testing.T) {
	ctx := context.Background()
	signer, vkey := newSigner(t, origin)
	keyFile := filepath.Join(t.TempDir(), "key")
	r := &remembered{VKey: vkey}
	advance := func(f files) error { return r.advance(ctx, f, origin, nil, keyFile) }

	for _, honest := range []files{smallLog(t, signer, "a", "b", "c"), smallLog(t, signer, "a", "b", "c"),
		smallLog(t, signer, "a", "b", "c", "d", "e")} {
		if err := advance(honest); err != nil {
			t.Fatal(err)
		}
	}
	kept := r.Checkpoint
	if seen, err := r.seen(); err != nil || seen.Size != 5 {
		t.Errorf("seen %+v, %v, want size 5", seen, err)
	}

	// Another history: refused, and the evidence holds by itself.
	fork := smallLog(t, signer, "a", "X", "c", "d", "e", "f")
	if err := advance(fork); !errors.Is(err, errSplit) {
		t.Errorf("fork: %v, want errSplit", err)
	}
	e := forks(t, keyFile)
	if len(e) != 1 || e[0].Old != kept || e[0].New != string(fork["checkpoint"]) {
		t.Fatalf("evidence: %+v", e)
	}
	policy, err := pinned(vkey)
	if err != nil {
		t.Fatal(err)
	}
	old, err := policy.Open([]byte(e[0].Old))
	if err != nil {
		t.Fatal(err)
	}
	cur, err := policy.Open([]byte(e[0].New))
	if err != nil {
		t.Fatal(err)
	}
	proven := verify.ForkError{Old: old.Checkpoint, New: cur.Checkpoint}
	if proven.Root, err = tlog.ParseHash(e[0].Root); err != nil {
		t.Fatal(err)
	}
	for _, s := range e[0].Proof {
		h, err := tlog.ParseHash(s)
		if err != nil {
			t.Fatal(err)
		}
		proven.Proof = append(proven.Proof, h)
	}
	if err := proven.Check(); err != nil {
		t.Errorf("the evidence does not hold: %v", err)
	}

	// A log that was set back: refused, and both are kept.
	if err := advance(smallLog(t, signer, "a", "b", "c", "d")); !errors.Is(err, errSplit) || !errors.Is(err, errShrunk) {
		t.Errorf("smaller: %v, want errSplit", err)
	}
	if e := forks(t, keyFile); len(e) != 1 || len(e[0].Proof) != 0 {
		t.Errorf("evidence of a smaller log: %+v", e)
	}

	// What proves nothing leaves nothing.
	other, _ := newSigner(t, origin)
	if err := advance(smallLog(t, other, "a", "b", "c", "d", "e", "f")); !errors.Is(err, verify.ErrUnknownLog) {
		t.Errorf("another key: %v, want ErrUnknownLog", err)
	}
	missing := smallLog(t, signer, "a", "b", "c", "d", "e", "f")
	delete(missing, "tile/0/000.p/6")
	if err := advance(missing); err == nil || errors.Is(err, errSplit) {
		t.Errorf("a tile is missing: %v", err)
	}
	if e := forks(t, keyFile); len(e) != 0 || r.Checkpoint != kept {
		t.Errorf("evidence %+v, and the memory moved", e)
	}
}

func TestMemory(t *testing.T) {
	keyFile := filepath.Join(t.TempDir(), "key")
	m, err := readMemory(keyFile, "kid")
	if err != nil {
		t.Fatal(err)
	}
	late, err := readMemory(keyFile, "kid")
	if err != nil {
		t.Fatal(err)
	}
	m.of(origin).NextSeq = 7
	if err := m.write(keyFile); err != nil {
		t.Fatal(err)
	}
	if again, err := readMemory(keyFile, "kid"); err != nil || again.of(origin).NextSeq != 7 || again.of("other").NextSeq != 1 {
		t.Errorf("read back %+v, %v", again, err)
	}
	if err := late.write(keyFile); err == nil {
		t.Error("a memory that was read before another write was written")
	}
	if _, err := readMemory(keyFile, "another"); err == nil {
		t.Error("the memory of another key was taken")
	}
	if err := os.WriteFile(memoryFile(keyFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readMemory(keyFile, "kid"); err == nil {
		t.Error("a damaged memory was taken for an empty one")
	}
}
