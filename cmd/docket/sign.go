package main

import (
	"bufio"
	"context"
	"crypto"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/cmd/internal/keyfile"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
)

// A signing is one signature on its way.
type signing struct {
	file    string // of the draft
	draft   *record.Unverified
	keyFile string
	key     crypto.Signer
	jwk     record.JWK
	memory  *memory
	own     *remembered // of the draft's ledger

	seq  int64
	seen record.Seen
	as   string // what the ledger says of the key
	// names are the holders of the keys that signed before, if the ledger
	// was asked.
	names map[string]string
}

func sign(ctx context.Context, args []string, std cli.Streams) error {
	flags := cli.Flags("docket sign")
	keyFile := flags.String("key", "", "`file` of your key, required")
	passphraseFile := flags.String("passphrase-file", "", "`file` with the passphrase of the key")
	yes := flags.Bool("yes", false, "sign without asking")
	url := flags.String("ledger", "", "`URL` of the ledger: fetches your next number and the newest checkpoint; without it those that are remembered count")
	trust := flags.String("policy", "", "trust policy `file`; without it the log key of the first time counts")
	if err := flags.ParseArgs(args, 1, 1, "DRAFT", "docket sign decision.draft --key my.jwk --ledger https://ledger.example.com"); err != nil {
		return err
	}
	if err := flags.Require("key"); err != nil {
		return err
	}
	s, err := openSigning(flags.Arg(0), *keyFile, *passphraseFile, std)
	if err != nil {
		return err
	}
	switch {
	case s.draft.Payload().Head().Type == record.TypeCharter:
		err = s.prepareCharter()
	case *url != "":
		err = s.prepareFrom(ctx, *url, *trust, std)
	default:
		err = s.prepareOffline()
	}
	if err != nil {
		return err
	}
	return s.finish(*yes, std)
}

func charterSign(_ context.Context, args []string, std cli.Streams) error {
	flags := cli.Flags("docket charter sign")
	keyFile := flags.String("key", "", "`file` of your key, required")
	passphraseFile := flags.String("passphrase-file", "", "`file` with the passphrase of the key")
	yes := flags.Bool("yes", false, "sign without asking")
	if err := flags.ParseArgs(args, 1, 1, "DRAFT", "docket charter sign charter.draft --key my.jwk"); err != nil {
		return err
	}
	if err := flags.Require("key"); err != nil {
		return err
	}
	s, err := openSigning(flags.Arg(0), *keyFile, *passphraseFile, std)
	if err != nil {
		return err
	}
	if err := s.prepareCharter(); err != nil {
		return err
	}
	return s.finish(*yes, std)
}

func openSigning(file, keyFile, passphraseFile string, std cli.Streams) (*signing, error) {
	s := &signing{file: file, keyFile: keyFile}
	var err error
	if s.draft, err = readDraft(file); err != nil {
		return nil, err
	}
	if s.key, err = keyfile.Read(keyFile, passphrase(passphraseFile, std)); err != nil {
		return nil, err
	}
	if s.jwk, err = record.NewJWK(s.key.Public()); err != nil {
		return nil, err
	}
	if s.memory, err = readMemory(keyFile, s.jwk.KID()); err != nil {
		return nil, err
	}
	s.own = s.memory.of(s.draft.Payload().Head().Ledger)
	return s, nil
}

func readDraft(file string) (*record.Unverified, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	u, err := record.ParseDraft(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return u, nil
}

// prepareCharter is for the first signature in a ledger that is not there yet.
func (s *signing) prepareCharter() error {
	p, ok := s.draft.Payload().(*record.Charter)
	if !ok {
		return fmt.Errorf("%s is a %s, no charter: sign it with docket sign", s.file, s.draft.Payload().Head().Type)
	}
	s.as = holders(p)[s.jwk.KID()]
	if s.as == "" {
		return fmt.Errorf("the charter does not name the key of %s (%s) as a founder or for recovery", s.keyFile, s.jwk.KID())
	}
	s.seq, s.seen = 1, record.SeenNothing
	s.own.VKey = p.LogKeys[0]
	return nil
}

// prepareOffline takes number and checkpoint from memory.
func (s *signing) prepareOffline() error {
	if s.own.Checkpoint == "" {
		return cli.Usage(fmt.Errorf("--ledger is missing: nothing is remembered of %s yet", s.draft.Payload().Head().Ledger))
	}
	return s.number(0)
}

// number picks the number of the signature: the next one of memory and ledger,
// or, if this key signed the draft before, the number of that signature again.
// next is the ledger's, 0 if it was not asked.
func (s *signing) number(next int64) error {
	s.seq = max(s.own.NextSeq, next)
	for _, h := range s.draft.Headers() {
		if h.KID == s.jwk.KID() && h.Seq >= next {
			s.seq = h.Seq
		}
	}
	var err error
	s.seen, err = s.own.seen()
	return err
}

// finish shows what is signed, asks, remembers and signs, in this order: a number
// that was used is on the disk before the signature leaves.
func (s *signing) finish(yes bool, std cli.Streams) error {
	fmt.Fprint(std.Out, describe(s.draft, s.names))
	fmt.Fprintf(std.Out, "\nYou sign with %s, kid %s%s:\n  number %d of this key, having seen a log of %d records.\n",
		s.keyFile, s.jwk.KID(), cli.Plain(prefixed(", ", s.as)), s.seq, s.seen.Size)
	if !yes {
		if err := confirm(std); err != nil {
			return err
		}
	}
	signed, err := s.draft.Sign(s.key, time.Now().Unix(), s.seq, s.seen)
	if err != nil {
		return err
	}
	s.own.NextSeq = max(s.own.NextSeq, s.seq+1)
	if err := s.memory.write(s.keyFile); err != nil {
		return err
	}
	if err := replaceFile(s.file, signed.Bytes(), 0o644); err != nil {
		return err
	}
	fmt.Fprintf(std.Err, "docket: signed %s; it has %d signatures now\n", s.file, len(signed.Headers()))
	return nil
}

func prefixed(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}

// errNotSigned is what the user chose.
var errNotSigned = errors.New("not signed")

// confirm asks at the terminal.
func confirm(std cli.Streams) error {
	in, ok := std.In.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return cli.Usage(errors.New("there is no terminal to ask at: --yes is missing"))
	}
	fmt.Fprint(std.Err, "Sign this? [y/N] ")
	answer, err := bufio.NewReader(in).ReadString('\n')
	if err != nil {
		return err
	}
	if a := strings.ToLower(strings.TrimSpace(answer)); a != "y" && a != "yes" {
		return errNotSigned
	}
	return nil
}

// trustIn reads a trust policy; no file means nil.
func trustIn(file string) (*verify.Policy, error) {
	if file == "" {
		return nil, nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	p, err := verify.ParsePolicy(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return p, nil
}
