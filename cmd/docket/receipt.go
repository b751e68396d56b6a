package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/docket-ledger/docket/api/client"
	"github.com/docket-ledger/docket/api/problem"
	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
)

// receiptUpgrade replaces a receipt by that of the same record which the
// witnesses have cosigned.
func receiptUpgrade(ctx context.Context, args []string, std cli.Streams) error {
	flags := cli.Flags("docket receipt upgrade")
	url := flags.String("ledger", "", "`URL` of the ledger, required")
	trust := flags.String("policy", "", "trust policy `file` with the witnesses, required")
	out := flags.String("out", "", "write the new receipt to this `file` (default: in place of the old one)")
	wait := flags.Duration("wait", 10*time.Second, "how long to wait for the witnesses, a `duration`")
	if err := flags.ParseArgs(args, 1, 1, "FILE", "docket receipt upgrade decision.tlog-proof --ledger https://ledger.example.com --policy trust.policy"); err != nil {
		return err
	}
	if err := flags.Require("ledger", "policy"); err != nil {
		return err
	}
	file := flags.Arg(0)
	if *out == "" {
		*out = file
	}
	policy, err := trustIn(*trust)
	if err != nil {
		return err
	}
	if policy.Quorum() == "none" {
		return cli.Usage(fmt.Errorf("%s names no witnesses to upgrade to: its quorum is none", *trust))
	}
	old, err := readReceipt(file, policy)
	if err != nil {
		return err
	}
	if old.witnessed && *out == file {
		_, err := fmt.Fprintf(std.Out, "%s\n  witnessed already: nothing was changed\n", old.record.ID())
		return err
	}
	c, err := connect(*url)
	if err != nil {
		return err
	}
	memory, err := client.OpenMemory("", "")
	if err != nil {
		return err
	}
	r := memory.Ledger(old.signed.Checkpoint.Origin) // the new one must be of one history with it
	r.VKey, r.Checkpoint = old.signed.LogKey.String(), string(old.signed.Note)
	f, err := c.Follow(old.signed.Checkpoint.Origin, policy, memory)
	if err != nil {
		return err
	}
	l, err := f.Witnessed(ctx, old.record.ID(), *wait)
	if err != nil {
		return notWitnessed(err, file)
	}
	if err := replaceFile(*out, l.Receipt, 0o644); err != nil {
		return err
	}
	_, err = fmt.Fprintf(std.Out, "%s\n  %s\n  receipt: %s\n", l.Proven.ID, cosigners(l), *out)
	return err
}

// An oldReceipt is one that was read, with what its log signed.
type oldReceipt struct {
	record    *record.Unverified
	signed    verify.Signed
	witnessed bool // it satisfies the policy as it is
}

// readReceipt reads a full receipt under a policy, which it need not satisfy but
// for the log's signature.
func readReceipt(file string, policy *verify.Policy) (o oldReceipt, err error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return o, err
	}
	r, err := verify.ParseReceipt(b)
	if err != nil {
		return o, fmt.Errorf("%s: %w", file, err)
	}
	if r.Extra == nil {
		return o, fmt.Errorf("%s is a bare receipt, without its record: submit the record again for a full one, which is always safe", file)
	}
	if o.signed, err = policy.Open(r.Checkpoint); err != nil && !errors.Is(err, verify.ErrQuorum) {
		return o, fmt.Errorf("%s: %w", file, err)
	}
	o.witnessed = err == nil
	extra, err := verify.ParseExtra(r.Extra)
	if err == nil {
		o.record, err = record.Parse(extra.Record)
	}
	if err == nil {
		err = r.Included(o.signed.Checkpoint, o.record.Leaf())
	}
	if err != nil {
		return o, fmt.Errorf("%s: %w", file, err)
	}
	return o, nil
}

// notWitnessed explains why there is no witnessed receipt; file has the plain one.
func notWitnessed(err error, file string) error {
	var p *problem.Problem
	switch {
	case errors.Is(err, client.ErrSplit):
		return fmt.Errorf("%w. Keep %s: with what the ledger shows now it is evidence", err, file)
	case errors.Is(err, verify.ErrQuorum):
		return fmt.Errorf("%w: the ledger asks other witnesses than your trust policy demands. %s stays as it is", err, file)
	case errors.Is(err, client.ErrUnproven):
		return err
	case errors.As(err, &p) && p.Code == problem.WitnessPending:
		return cli.Unknown(fmt.Errorf("the record is logged, and too few witnesses have cosigned it so far; %s stays as it is", file))
	case errors.As(err, &p) && p.Code == problem.NoWitnesses:
		return fmt.Errorf("%w. %s stays as it is", err, file)
	}
	return told(err)
}

// cosigners says who has cosigned a receipt.
func cosigners(l *client.Logged) string {
	var names []string
	for _, c := range l.Proven.Signed.Cosignatures {
		names = append(names, c.Name)
	}
	if !l.Witnessed {
		return "cosigned by witnesses that no trust policy of yours names: nothing of that was checked"
	}
	return "witnessed by " + strings.Join(names, ", ")
}
