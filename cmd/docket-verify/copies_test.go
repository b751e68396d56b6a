package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/verify"
)

// copies writes copies of the demonstration's log, as its operator could sign them:
//
//	begin/      its first 10 entries
//	without/    all but entry 13, an emergency that somebody would like to forget
//	stranger/   the log of somebody else
//	both.policy trusts the operator and the stranger
func copies(dir string) error {
	skey, err := os.ReadFile(filepath.Join(dir, "ledger", "keys", "log.key"))
	if err != nil {
		return err
	}
	signer, err := note.NewSigner(strings.TrimSpace(string(skey)))
	if err != nil {
		return err
	}
	entries, err := entriesOf(filepath.Join(dir, "mirror"), filepath.Join(dir, "trust.policy"))
	if err != nil {
		return err
	}
	other, vkey, err := note.GenerateKey(nil, "other.example.com/1")
	if err != nil {
		return err
	}
	stranger, err := note.NewSigner(other)
	if err != nil {
		return err
	}
	trust, err := os.ReadFile(filepath.Join(dir, "trust.policy"))
	if err != nil {
		return err
	}
	without := slices.Delete(slices.Clone(entries), 13, 14)
	return errors.Join(
		static(filepath.Join(dir, "begin"), signer, entries[:10]),
		static(filepath.Join(dir, "without"), signer, without),
		static(filepath.Join(dir, "stranger"), stranger, entries),
		os.WriteFile(filepath.Join(dir, "both.policy"), []byte("log "+vkey+"\n"+string(trust)), 0o644),
	)
}

// entriesOf reads the entries of a mirror.
func entriesOf(dir, policy string) ([][]byte, error) {
	b, err := os.ReadFile(policy)
	if err != nil {
		return nil, err
	}
	p, err := verify.ParsePolicy(b)
	if err != nil {
		return nil, err
	}
	src := verify.DirSource(os.DirFS(dir))
	signed, err := src.ReadFile(context.Background(), "checkpoint")
	if err != nil {
		return nil, err
	}
	s, err := p.Open(signed)
	if err != nil {
		return nil, err
	}
	return s.Tree(src).Bundle(context.Background(), 0)
}

// static writes the files of a log.
func static(dir string, signer note.Signer, entries [][]byte) error {
	files, err := ledgertest.StaticLog(signer, entries)
	if err != nil {
		return err
	}
	for name, b := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, b, 0o644); err != nil {
			return err
		}
	}
	return nil
}
