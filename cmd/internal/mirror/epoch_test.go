package mirror_test

import (
	"context"
	"errors"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"github.com/docket-ledger/docket/cmd/internal/mirror"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
)

// TestSuccession: a mirror goes on when the log signs with its next key, under the
// policies of both epochs; and not with the old key after that.
func TestSuccession(t *testing.T) {
	w, src, old := log(t, 5)
	skey, vkey, err := note.GenerateKey(nil, "ledger.test.example/2026")
	if err != nil {
		t.Fatal(err)
	}
	next, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	cur, err := verify.ParsePolicy([]byte("log " + vkey + "\nquorum none\n"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if _, err := sync1(src, old, dir); err != nil {
		t.Fatal(err)
	}
	terms := w.Charter().Terms
	terms.LogKeys = []string{w.VKey(), vkey}
	w.Submit(w.Sign(&record.CharterAmend{Terms: terms, Reasons: "The next log key."}, "ada", "ben"))
	grow(w, "second", 3)
	stays := &source{files: w.Files()}
	signed, err := old.Open(stays.files["checkpoint"])
	if err != nil {
		t.Fatal(err)
	}
	moved := &source{files: w.Files()}
	if moved.files["checkpoint"], err = signed.Checkpoint.Sign(next); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name     string
		src      verify.Source
		policies verify.Policies
		want     error
	}{
		{"the old policy alone", moved, verify.Policies{old}, verify.ErrCheckpoint},
		{"the new policy alone does not know what the folder has", moved, verify.Policies{cur}, mirror.ErrForeign},
		{"the log stays with its retired key", stays, verify.Policies{old, cur}, verify.ErrRetired},
		{"both", moved, verify.Policies{old, cur}, nil},
		{"again, with the new one alone", moved, verify.Policies{cur}, nil},
	} {
		if _, err := mirror.Sync(context.Background(), mirror.Config{Source: test.src, Policies: test.policies, Dir: dir}); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
	}
	whole(t, dir, cur, signed.Checkpoint.Size)
}
