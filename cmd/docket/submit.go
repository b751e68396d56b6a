package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/docket-ledger/docket/api/client"
	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

func submit(ctx context.Context, args []string, std cli.Streams) error {
	flags := cli.Flags("docket submit")
	url := flags.String("ledger", "", "`URL` of the ledger, required")
	trust := flags.String("policy", "", "trust policy `file`; without it the receipt is checked with the key that the ledger names itself")
	out := flags.String("out", "", "write the receipt to this `file` (default DRAFT.tlog-proof, without the ending of DRAFT)")
	if err := flags.ParseArgs(args, 1, 1, "DRAFT", "docket submit decision.draft --ledger https://ledger.example.com"); err != nil {
		return err
	}
	if err := flags.Require("ledger"); err != nil {
		return err
	}
	file := flags.Arg(0)
	if *out == "" {
		*out = receiptFile(file)
	}
	draft, err := readDraft(file)
	if err != nil {
		return err
	}
	if len(draft.Headers()) == 0 {
		return fmt.Errorf("nobody has signed %s yet: docket sign %s --key …", file, file)
	}
	c, err := connect(*url)
	if err != nil {
		return err
	}
	policy, err := trustOr(ctx, c, *trust, std)
	if err != nil {
		return err
	}
	answer, err := c.Submit(ctx, draft.Bytes())
	if err != nil {
		return told(err)
	}
	if err := checkBare(answer, draft, policy); err != nil {
		return err
	}
	full, proven, err := fetchReceipt(ctx, c, answer.ID, policy)
	if err != nil {
		return err
	}
	if err := replaceFile(*out, full, 0o644); err != nil {
		return err
	}
	return printRecorded(answer, proven, *out, *url, std)
}

// receiptFile names the receipt after the draft.
func receiptFile(draft string) string {
	return strings.TrimSuffix(draft, ".draft") + ".tlog-proof"
}

// checkBare checks the answer to a submission: the record is in the log, under a
// signature that policy trusts. If the ledger held the same statement with other
// signatures, the answer is for that record, which only the full receipt holds.
func checkBare(a client.Submitted, draft *record.Unverified, policy *verify.Policy) error {
	receipt, err := verify.ParseReceipt([]byte(a.Receipt))
	if err != nil {
		return fmt.Errorf("the ledger's answer: %w", err)
	}
	if a.ID != draft.ID() {
		if a.Known {
			return nil
		}
		return fmt.Errorf("the ledger answered for another record, %s", a.ID)
	}
	if _, err := receipt.Check(policy, draft.Bytes()); err != nil {
		return fmt.Errorf("the ledger's answer proves nothing: %w", err)
	}
	return nil
}

// fetchReceipt returns the full receipt of a record, checked.
func fetchReceipt(ctx context.Context, c *client.Client, id record.ID, policy *verify.Policy) ([]byte, *verify.Proven, error) {
	text, err := c.Receipt(ctx, id)
	if err != nil {
		return nil, nil, told(err)
	}
	receipt, err := verify.ParseReceipt(text)
	if err != nil {
		return nil, nil, err
	}
	proven, err := receipt.Check(policy, nil)
	if errors.Is(err, verify.ErrNotShown) { // not all that supports it fits; docket-verify takes the rest beside it
		extra, extraErr := verify.ParseExtra(receipt.Extra)
		if extraErr != nil {
			return nil, nil, extraErr
		}
		receipt.Extra = nil
		proven, err = receipt.Check(policy, extra.Record)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("receipt of %s: %w", id, err)
	}
	if proven.ID != id {
		return nil, nil, fmt.Errorf("the ledger gave the receipt of another record, %s", proven.ID)
	}
	return text, proven, nil
}

func printRecorded(a client.Submitted, proven *verify.Proven, out, url string, std cli.Streams) error {
	what := "recorded"
	switch {
	case a.Known && proven.Standing.Effective():
		what = "was recorded before"
	case a.Known:
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
