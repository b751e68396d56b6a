package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/docket-ledger/docket/api/client"
	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/casefile"
	"github.com/docket-ledger/docket/verify/telling"
)

// caseExport writes the file that a party to a case holds: every record with its
// receipt, verified before it is written.
func caseExport(ctx context.Context, args []string, std cli.Streams) error {
	flags := cli.Flags("docket case export")
	url := flags.String("ledger", "", "`URL` of the ledger, required")
	trust := flags.String("policy", "", "trust policy `file` that every receipt must hold under, required")
	out := flags.String("out", "", "write to this new `file`, required")
	if err := flags.ParseArgs(args, 1, 1, "CASE", "docket case export example-1 --ledger https://ledger.example.com --policy trust.policy --out case.zip"); err != nil {
		return err
	}
	if err := flags.Require("ledger", "policy", "out"); err != nil {
		return err
	}
	policy, err := trustIn(*trust)
	if err != nil {
		return err
	}
	if _, err := os.Lstat(*out); err == nil {
		return fmt.Errorf("%s exists: name another file", *out)
	}
	c, err := connect(*url)
	if err != nil {
		return err
	}
	f, err := fetchCase(ctx, c, flags.Arg(0))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("the ledger has no case %q", flags.Arg(0))
	case err != nil:
		if err = told(err); cli.Code(err) != 3 {
			return err
		}
		return cli.Unknown(fmt.Errorf("%w\nNothing was written. When the ledger answers:\n  docket case export %s --ledger %s --policy %s --out %s",
			err, quoted(flags.Arg(0)), quoted(*url), quoted(*trust), quoted(*out)))
	}
	story, err := f.Check([]*verify.Policy{policy})
	switch {
	case errors.Is(err, verify.ErrNotShown):
		return cli.Unknown(fmt.Errorf("what the ledger says of case %s does not show all, and nothing was written: %w", f.Case, err))
	case err != nil:
		return fmt.Errorf("what the ledger says of case %s does not hold, and nothing was written: %w", f.Case, err)
	}
	var b bytes.Buffer
	if err := casefile.Write(&b, f, story, telling.Plain); err != nil {
		return err
	}
	err = writeNew(*out, b.Bytes())
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists: name another file", *out)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(std.Err, "docket: wrote %s: %d records of case %s. Whoever trusts the log's key checks it, without this ledger: docket-verify case --policy %s %s\n",
		*out, len(f.Entries), f.Case, quoted(*trust), quoted(*out))
	return nil
}

// fetchCase gets every record of a case, with its receipt.
func fetchCase(ctx context.Context, c *client.Client, name string) (*casefile.File, error) {
	info, err := c.Info(ctx)
	if err != nil {
		return nil, err
	}
	f := &casefile.File{Origin: info.Origin, Case: name}
	for cursor := ""; ; {
		page, err := c.Case(ctx, name, 0, cursor)
		if err != nil {
			return nil, err
		}
		for _, r := range page.Records {
			if len(f.Entries) >= casefile.MaxRecords {
				return nil, fmt.Errorf("the case has more than %d records", casefile.MaxRecords)
			}
			receipt, err := c.Receipt(ctx, r.ID)
			if err != nil {
				return nil, err
			}
			f.Entries = append(f.Entries, casefile.Entry{Index: r.Index, ID: r.ID, Type: r.Type, Receipt: receipt, SaidVoid: r.Standing.Standing == client.Void})
		}
		if cursor = page.Next; cursor == "" {
			return f, nil
		}
	}
}

// writeNew writes a file that must not be there, whole or not at all.
func writeNew(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err == nil {
		err = os.Link(f.Name(), path) // unlike a rename it does not replace
	}
	return errors.Join(err, os.Remove(f.Name()))
}

// showCase tells a case in order, from its receipts.
func showCase(ctx context.Context, name, url, trust string, std cli.Streams) error {
	c, err := connect(url)
	if err != nil {
		return err
	}
	policy, err := trustIn(trust)
	if err != nil {
		return err
	}
	if policy == nil {
		info, err := c.Info(ctx)
		if err != nil {
			return told(err)
		}
		if policy, err = verify.ParsePolicy([]byte("log " + info.VKey + "\nquorum none\n")); err != nil {
			return cli.Unknown(err)
		}
		fmt.Fprintln(std.Err, "docket: checking with the key that the ledger names itself; give --policy to check with the key that you trust")
	}
	f, err := fetchCase(ctx, c, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no file %s, and the ledger has no such case", name)
	case err != nil:
		return told(err)
	}
	story, err := f.Check([]*verify.Policy{policy})
	if err != nil {
		return fmt.Errorf("what the ledger says of case %s does not hold: %w", name, err)
	}
	return story.Tell(std.Out, telling.Plain)
}
