package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/docket-ledger/docket/api/client"
	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/telling"
)

// A signing is one signature on its way.
type signing struct {
	source draftSource
	draft  *record.Unverified
	key    *identity
	memory *client.Memory
	own    *client.Remembered // of the draft's ledger

	seq  int64
	seen record.Seen
	as   string // what the ledger says of the key
	// names are the holders of the keys that signed before, if the ledger
	// was asked.
	names map[string]string
	// cited is what the draft cites, likewise.
	cited cited
}

// A draftSource is where a draft is, and where it goes when it is signed.
type draftSource interface {
	// name names it for people and on a command line.
	name() string
	read(ctx context.Context) (*record.Unverified, error)
	// write returns what became of it, in words.
	write(ctx context.Context, signed *record.Unverified) (string, error)
}

// A draftFile is a draft in a file.
type draftFile string

func (f draftFile) name() string { return string(f) }

func (f draftFile) read(context.Context) (*record.Unverified, error) { return readDraft(string(f)) }

func (f draftFile) write(_ context.Context, signed *record.Unverified) (string, error) {
	return fmt.Sprintf("it has %d signatures now", len(signed.Headers())), replaceFile(string(f), signed.Bytes(), 0o644)
}

func sign(ctx context.Context, args []string, std cli.Streams) error {
	flags := cli.Flags("docket sign")
	keys := addKeyFlags(flags)
	yes := flags.Bool("yes", false, "sign without asking")
	post := flags.Bool("post", false, "give the draft to the ledger's inbox for the others to sign")
	url := flags.String("ledger", "", "`URL` of the ledger: fetches your next number and the newest checkpoint; without it those that are remembered count")
	trust := flags.String("policy", "", "trust policy `file`; without it the log key of the first time counts")
	args, err := keys.parse(flags, args, 1, 1, "DRAFT", "docket sign decision.draft --key my.jwk --ledger https://ledger.example.com\n"+
		"  docket sign decision.draft --agent --ledger https://ledger.example.com --post\n  docket sign draft-… --key my.jwk --ledger https://ledger.example.com")
	if err != nil {
		return err
	}
	if *url == "" && (*post || isDraftID(args[0])) {
		return cli.Usage(errors.New("--ledger is missing, whose inbox the draft is for"))
	}
	s, err := openSigning(ctx, keys, std, func(key *identity) (draftSource, error) {
		return sourceOf(args[0], *url, *post, key)
	})
	if err != nil {
		return err
	}
	defer s.key.close()
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
	return s.finish(ctx, *yes, std)
}

func charterSign(ctx context.Context, args []string, std cli.Streams) error {
	flags := cli.Flags("docket charter sign")
	keys := addKeyFlags(flags)
	yes := flags.Bool("yes", false, "sign without asking")
	args, err := keys.parse(flags, args, 1, 1, "DRAFT", "docket charter sign charter.draft --key my.jwk")
	if err != nil {
		return err
	}
	s, err := openSigning(ctx, keys, std, func(*identity) (draftSource, error) { return draftFile(args[0]), nil })
	if err != nil {
		return err
	}
	defer s.key.close()
	if err := s.prepareCharter(); err != nil {
		return err
	}
	return s.finish(ctx, *yes, std)
}

// openSigning opens the key, and reads the draft from where source says.
func openSigning(ctx context.Context, keys *keyFlags, std cli.Streams, source func(*identity) (draftSource, error)) (*signing, error) {
	key, err := keys.open(ctx, std)
	if err != nil {
		return nil, err
	}
	s, err := newSigning(ctx, key, source)
	if err != nil {
		key.close()
	}
	return s, err
}

func newSigning(ctx context.Context, key *identity, source func(*identity) (draftSource, error)) (*signing, error) {
	memory, err := key.memory()
	if err != nil {
		return nil, err
	}
	from, err := source(key)
	if err != nil {
		return nil, err
	}
	draft, err := from.read(ctx)
	if err != nil {
		return nil, err
	}
	return &signing{source: from, draft: draft, key: key, memory: memory, own: memory.Ledger(draft.Payload().Head().Ledger)}, nil
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
		return fmt.Errorf("%s is a %s, no charter: sign it with docket sign", s.source.name(), s.draft.Payload().Head().Type)
	}
	s.as = holders(p)[s.key.jwk.KID()]
	if s.as == "" {
		return fmt.Errorf("the charter does not name the key of %s (kid %s) as a founder or for recovery", s.key.name, s.key.jwk.KID())
	}
	s.seq, s.seen = 1, record.SeenNothing
	s.own.VKey = p.LogKeys[0]
	return nil
}

// prepareOffline takes number and checkpoint from memory.
func (s *signing) prepareOffline() error {
	if s.own.Checkpoint == "" {
		return cli.Usage(fmt.Errorf("--ledger is missing: the key of %s has not signed for %s yet%s", s.key.name, s.draft.Payload().Head().Ledger, s.elsewhere()))
	}
	return s.number(0)
}

// elsewhere names the ledgers that the key is known to have signed for.
func (s *signing) elsewhere() string {
	origins := s.memory.Origins()
	if len(origins) == 0 {
		return ""
	}
	return ", only for " + strings.Join(origins, ", ")
}

// number picks the number of the signature: the next one of memory and ledger,
// or, if this key signed the draft before, the number of that signature again.
// next is the ledger's, 0 if it was not asked.
func (s *signing) number(next int64) error {
	s.seq = max(s.own.NextSeq, next)
	for _, h := range s.draft.Headers() {
		if h.KID == s.key.jwk.KID() && h.Seq >= next {
			s.seq = h.Seq
		}
	}
	var err error
	s.seen, err = s.own.Seen()
	return err
}

// finish shows what is signed, asks, remembers and signs, in this order: a number
// that was used is on the disk before the signature leaves.
func (s *signing) finish(ctx context.Context, yes bool, std cli.Streams) error {
	fmt.Fprint(std.Out, describe(s.draft, s.names, s.cited))
	fmt.Fprintf(std.Out, "\nYou sign with %s, kid %s%s:\n  number %d of this key, having seen a log of %d records.\n",
		s.key.name, s.key.jwk.KID(), telling.Plain(prefixed(", ", s.as)), s.seq, s.seen.Size)
	if !yes {
		if err := confirm(ctx, std); err != nil {
			return err
		}
	}
	signed, err := s.draft.Sign(s.key, time.Now().Unix(), s.seq, s.seen)
	if err != nil {
		return err
	}
	s.own.NextSeq = max(s.own.NextSeq, s.seq+1)
	if err := s.memory.Save(); errors.Is(err, client.ErrMemoryUsed) {
		return fmt.Errorf("%w; nothing was signed, try again", err)
	} else if err != nil {
		return err
	}
	fate, err := s.source.write(ctx, signed)
	if err != nil {
		return err
	}
	fmt.Fprintf(std.Err, "docket: signed %s; %s\n", s.source.name(), fate)
	return nil
}

func prefixed(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
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

// replaceFile writes a file beside path and renames it.
func replaceFile(path string, b []byte, mode fs.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", path, err), os.Remove(f.Name()))
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
