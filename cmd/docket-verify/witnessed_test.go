package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
)

// A scene writes what a ledger with witnesses hands out, before and after a change
// of its log key.
type scene struct {
	*ledgertest.World
	dir string
	cur note.Signer // the key after the change, nil before
}

var threeWitnesses = []string{"w1", "w2", "w3"}

// witnessed writes into dir:
//
//	old.policy new.policy      two of three witnesses, the log key before and after
//	old-alone.policy …         the same without witnesses
//	then/ now/                 copies of the log
//	early.tlog-proof           of a decision, at once; plain: nobody cosigned it
//	late.tlog-proof            the same decision, under the new key
//	amendment.tlog-proof       of what names the new key
//	after.tlog-proof           of a decision after it
//	before.tlog-proof          of a decision that is dated before its signatures
//	forged.tlog-proof          by a thief of the old key
func witnessed(t *testing.T, dir string) {
	s := &scene{World: ledgertest.New(t, nil), dir: dir}
	two := strings.Join(ledgertest.WitnessLines(2, threeWitnesses...), "\n") + "\n"
	terms := s.Charter().Terms
	s.write("old.policy", "log "+s.VKey()+"\n"+two)
	s.write("old-alone.policy", "log "+s.VKey()+"\nquorum none\n")
	s.Machine(ledgertest.WitnessLines(2, threeWitnesses...)...)
	s.Advance(time.Minute)
	s.Timemark("w1", "w2")
	s.Advance(30 * 24 * time.Hour)
	s.Timemark("w1", "w3")
	s.Advance(time.Minute)
	d := s.Submit(s.Sign(s.Decision("case-1"), "dora", "erik")).ID
	s.Advance(time.Minute)
	s.receipt("early.tlog-proof", d, "w1", "w3")
	s.receipt("plain.tlog-proof", d)
	s.copy("then", "w1", "w2")

	backdated := s.Decision("case-2")
	backdated.DecidedAt -= 7200
	before := s.Submit(s.Sign(backdated, "dora", "erik")).ID
	skey, vkey, err := note.GenerateKey(nil, ledgertest.Origin)
	if err != nil {
		t.Fatal(err)
	}
	s.write("new.policy", "log "+vkey+"\n"+two)
	s.write("new-alone.policy", "log "+vkey+"\nquorum none\n")
	terms.LogKeys, terms.Witnesses = []string{s.VKey(), vkey}, ledgertest.WitnessLines(2, threeWitnesses...)
	amendment := s.Submit(s.Sign(&record.CharterAmend{Terms: terms, Reasons: "The log key changes."}, "ada", "ben")).ID
	after := s.Submit(s.Sign(s.Decision("case-3"), "dora", "erik")).ID
	if s.cur, err = note.NewSigner(skey); err != nil {
		t.Fatal(err)
	}
	s.Advance(time.Hour)
	s.receipt("before.tlog-proof", before, "w2", "w3")
	s.receipt("late.tlog-proof", d, "w2", "w3")
	s.receipt("amendment.tlog-proof", amendment, "w2", "w3")
	s.receipt("after.tlog-proof", after, "w2", "w3")
	s.copy("now", threeWitnesses...)

	thief := &scene{World: ledgertest.New(t, nil), dir: dir} // with the same keys
	thief.receipt("forged.tlog-proof", thief.Submit(thief.Sign(thief.Decision("case-of-a-thief"), "dora", "erik")).ID)
}

func (s *scene) write(name, text string) {
	s.TB.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		s.TB.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		s.TB.Fatal(err)
	}
}

// signed is a checkpoint of the ledger as its key of now signs it, cosigned.
func (s *scene) signed(note []byte, names []string) []byte {
	s.TB.Helper()
	if s.cur != nil {
		p, err := verify.ParsePolicy([]byte("log " + s.VKey() + "\nquorum none\n"))
		if err != nil {
			s.TB.Fatal(err)
		}
		old, err := p.Open(note)
		if err != nil {
			s.TB.Fatal(err)
		}
		if note, err = old.Checkpoint.Sign(s.cur); err != nil {
			s.TB.Fatal(err)
		}
	}
	return s.WithCosignatures(note, names...)
}

func (s *scene) receipt(name string, id record.ID, names ...string) {
	s.TB.Helper()
	b, err := s.Ledger.Receipt(context.Background(), id)
	if err != nil {
		s.TB.Fatal(err)
	}
	r, err := verify.ParseReceipt(b)
	if err != nil {
		s.TB.Fatal(err)
	}
	r.Checkpoint = s.signed(r.Checkpoint, names)
	s.write(name, string(r.Marshal()))
}

func (s *scene) copy(folder string, names ...string) {
	s.TB.Helper()
	for path, b := range s.Files() {
		if path == "checkpoint" {
			b = s.signed(b, names)
		}
		s.write(filepath.Join(folder, filepath.FromSlash(path)), string(b))
	}
}
