package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/docket-ledger/docket/api/client"
	"github.com/docket-ledger/docket/api/problem"
	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
	"github.com/docket-ledger/docket/verify/telling"
)

func submit(ctx context.Context, args []string, std cli.Streams) error {
	flags := cli.Flags("docket submit")
	s := submission{}
	keys := addKeyFlags(flags)
	flags.StringVar(&s.url, "ledger", "", "`URL` of the ledger, required")
	flags.StringVar(&s.trust, "policy", "", "trust policy `file`; without it the receipt is checked with the key that is remembered, or that the ledger names itself")
	flags.BoolVar(&s.void, "void", false, "if the rules refuse it, log it as void, to show for ever that it was tried; needs your key, which has signed it")
	flags.DurationVar(&s.wait, "wait-witnessed", 0, "wait so long, a `duration`, for a receipt that enough witnesses have cosigned; the plain one is kept until it is there")
	flags.StringVar(&s.out, "out", "", "write the receipt to this `file` (default DRAFT.tlog-proof, without the ending of DRAFT)")
	args, err := keys.parse(flags, args, 1, 1, "DRAFT", "docket submit decision.draft --ledger https://ledger.example.com\n"+
		"  docket submit draft-… --key my.jwk --ledger https://ledger.example.com")
	if err != nil {
		return err
	}
	if err := flags.Require("ledger"); err != nil {
		return err
	}
	if s.void && !keys.given() {
		return cli.Usage(errors.New("--void needs --key, or --agent: a key that has signed the draft"))
	}
	s.file = args[0]
	if s.out == "" {
		s.out = receiptFile(s.file)
	}
	if s.client, err = connect(s.url); err != nil {
		return err
	}
	if keys.given() {
		if s.key, err = keys.open(ctx, std); err != nil {
			return err
		}
		defer s.key.close()
	}
	if err := s.read(ctx); err != nil {
		return err
	}
	return s.send(ctx, std)
}

// A submission is a draft on its way into the log.
type submission struct {
	file, url, trust, out string
	void                  bool
	wait                  time.Duration
	client                *client.Client
	draft                 *record.Unverified
	key                   *identity // nil if none is named
	memory                *client.Memory
}

// read reads the draft, from the ledger's inbox or a file, and what is
// remembered of the ledger.
func (s *submission) read(ctx context.Context) (err error) {
	switch {
	case isDraftID(s.file) && s.key == nil:
		return cli.Usage(errors.New("--key is missing, or --agent: the ledger shows drafts to those whose keys are in force"))
	case isDraftID(s.file):
		s.draft, err = inboxDraft{client: s.client, url: s.url, id: s.file, key: s.key}.read(ctx)
	default:
		s.draft, err = readDraft(s.file)
	}
	if err != nil {
		return err
	}
	if len(s.draft.Headers()) == 0 {
		return fmt.Errorf("nobody has signed %s yet: docket sign %s --key …", s.file, s.file)
	}
	if s.key != nil {
		s.memory, err = s.key.memory()
	} else {
		s.memory, err = client.OpenMemory("", "")
	}
	return err
}

func (s *submission) send(ctx context.Context, std cli.Streams) error {
	f, err := follow(ctx, s.client, s.draft.Payload().Head().Ledger, s.trust, s.memory, std)
	if err != nil {
		return s.kept(err)
	}
	var logged *client.Logged
	if s.void {
		logged, err = f.SubmitVoid(ctx, s.key, s.draft.Bytes())
	} else {
		logged, err = f.Submit(ctx, s.draft.Bytes())
	}
	if err != nil {
		return s.refused(ctx, err)
	}
	if err := replaceFile(s.out, logged.Receipt, 0o644); err != nil {
		return err
	}
	if s.wait == 0 || logged.Witnessed {
		if err := printRecorded(logged, s.out, s.url, std); err != nil || logged.Witnessed || s.trust == "" {
			return err
		}
		return s.hint(std)
	}
	witnessed, err := f.Witnessed(ctx, logged.Proven.ID, s.wait)
	if err != nil {
		return errors.Join(printRecorded(logged, s.out, s.url, std), s.unwitnessed(err))
	}
	witnessed.Known = logged.Known
	if err := replaceFile(s.out, witnessed.Receipt, 0o644); err != nil {
		return err
	}
	if err := printRecorded(witnessed, s.out, s.url, std); err != nil {
		return err
	}
	_, err = fmt.Fprintf(std.Out, "%s\n", cosigners(witnessed))
	return err
}

// hint says, if the trust policy demands witnesses, how to get their receipt.
func (s *submission) hint(std cli.Streams) error {
	policy, err := trustIn(s.trust)
	if err != nil || policy.Quorum() == "none" {
		return err
	}
	_, err = fmt.Fprintf(std.Err, "docket: too few witnesses of your trust policy have cosigned it so far. When they have:\n  docket receipt upgrade %s --ledger %s --policy %s\n",
		quoted(s.out), quoted(s.url), quoted(s.trust))
	return err
}

// unwitnessed says that the record is logged, and how to get the other receipt
// later.
func (s *submission) unwitnessed(err error) error {
	trust := s.trust
	if trust == "" {
		trust = "TRUST"
	}
	again := fmt.Errorf("%w\nWhen they have:\n  docket receipt upgrade %s --ledger %s --policy %s", notWitnessed(err, s.out), quoted(s.out), quoted(s.url), quoted(trust))
	if cli.Code(notWitnessed(err, s.out)) == 3 {
		return cli.Unknown(again)
	}
	return again
}

// kept adds to an error after which nothing is known that nothing is lost, and
// how to go on.
func (s *submission) kept(err error) error {
	if cli.Code(err) != 3 {
		return err
	}
	command := "docket submit " + quoted(s.file) + " --ledger " + quoted(s.url)
	if s.key != nil {
		command += " " + s.key.flags
	}
	if s.void {
		command += " --void"
	}
	if s.trust != "" {
		command += " --policy " + quoted(s.trust)
	}
	return cli.Unknown(fmt.Errorf("%w\nNothing is lost: %s keeps all its signatures, and sending it again is safe. When the ledger answers:\n  %s", err, s.file, command))
}

// refused explains an error of Submit.
func (s *submission) refused(ctx context.Context, err error) error {
	switch {
	case errors.Is(err, verify.ErrOrigin):
		return otherLedger(s.draft.Payload().Head().Ledger, err)
	case errors.Is(err, verify.ErrUnknownLog):
		return otherKey(err)
	case errors.Is(err, client.ErrSplit), errors.Is(err, client.ErrUnproven):
		return err
	case hasCode(err, rules.SeqRepeat):
		return fmt.Errorf("%w%s", told(err), s.whoSignsAgain(ctx))
	}
	return s.kept(told(err))
}

// whoSignsAgain says whose number was used before, and how to mend that.
func (s *submission) whoSignsAgain(ctx context.Context) string {
	var b strings.Builder
	for _, h := range s.draft.Headers() {
		k, err := s.client.Key(ctx, h.KID)
		if err != nil || h.Seq >= k.NextSeq {
			continue
		}
		who, flags := telling.Plain(k.Holder), "--key KEY"
		if s.key != nil && s.key.jwk.KID() == h.KID {
			flags = s.key.flags
		}
		fmt.Fprintf(&b, "\nNumber %d of the key %s was used before. Only %s signs again, the other signatures stay:\n  docket sign %s %s --ledger %s",
			h.Seq, h.KID, who, quoted(s.file), flags, quoted(s.url))
	}
	return b.String()
}

// hasCode reports whether a ledger refused with a code.
func hasCode(err error, code rules.Code) bool {
	var p *problem.Problem
	if !errors.As(err, &p) {
		return false
	}
	return slices.ContainsFunc(p.Codes, func(r problem.Reason) bool { return r.Code == string(code) })
}

// receiptFile names the receipt after the draft.
func receiptFile(draft string) string {
	return strings.TrimSuffix(draft, ".draft") + ".tlog-proof"
}

func printRecorded(l *client.Logged, out, url string, std cli.Streams) error {
	proven := l.Proven
	what := "recorded"
	switch {
	case !l.Known && !proven.Standing.Effective():
		what = "recorded as void: it counts for nothing, and stays"
	case l.Known && proven.Standing.Effective():
		what = "was recorded before"
	case l.Known:
		what = "was recorded before, as void"
	}
	fmt.Fprintf(std.Out, "%s\n  %s, a %s, as entry %d of %s\n", proven.ID, what, proven.Record.Payload().Head().Type,
		proven.Index, proven.Signed.Checkpoint.Origin)
	for _, s := range proven.Signers {
		fmt.Fprintf(std.Out, "  signed by %s\n", s.Holder)
	}
	for _, code := range proven.Standing.Codes {
		fmt.Fprintf(std.Out, "  void: %s (%s)\n", rules.Explain(code), code)
	}
	_, err := fmt.Fprintf(std.Out, "  receipt: %s\nCheck it: docket-verify receipt --policy TRUST %s\nRead it:  docket show %s --ledger %s\n",
		out, out, proven.ID, url)
	return err
}
