package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/docket-ledger/docket/api/client"
	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
)

func show(ctx context.Context, args []string, std cli.Streams) error {
	flags := cli.Flags("docket show")
	url := flags.String("ledger", "", "`URL` of the ledger, for an id or a case")
	asJSON := flags.Bool("json", false, "print one JSON object: the payload, who signed, and what the ledger says of its standing")
	trust := flags.String("policy", "", "trust policy `file`, for a case: without it nothing of what the ledger says is checked but that it is of one piece")
	if err := flags.ParseArgs(args, 1, 1, "ID|CASE|FILE", "docket show decision.draft\n  docket show d-… --ledger https://ledger.example.com\n  docket show example-1 --ledger https://ledger.example.com"); err != nil {
		return err
	}
	name := flags.Arg(0)
	id := record.ID(name)
	if _, err := id.Hash(); err == nil {
		return showID(ctx, id, *url, *asJSON, std)
	}
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) && *url != "" && !strings.HasPrefix(name, "d-") {
		if *asJSON {
			return cli.Usage(errors.New("docket show: a case is told in words; docket case export writes a file that programs can read"))
		}
		return showCase(ctx, name, *url, *trust, std)
	}
	if errors.Is(err, fs.ErrNotExist) && strings.HasPrefix(name, "d-") {
		return cli.Usage(fmt.Errorf("%s is no file, and no id: an id is d- and 43 characters", name))
	}
	if err != nil {
		return err
	}
	if strings.HasPrefix(string(b), "c2sp.org/tlog-proof@") {
		if b, err = recordIn(b); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	u, err := record.ParseDraft(b)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if *asJSON {
		return printShown(std.Out, shown{Payload: u.PayloadBytes(), Signatures: u.Headers()})
	}
	_, err = fmt.Fprintf(std.Out, "%s\nNothing was checked but the spelling: docket-verify checks receipts, a ledger checks drafts.\n", describe(u, nil, cited{}))
	return err
}

// recordIn returns the record of a full receipt.
func recordIn(b []byte) ([]byte, error) {
	r, err := verify.ParseReceipt(b)
	if err != nil {
		return nil, err
	}
	if r.Extra == nil {
		return nil, errors.New("a bare receipt: it does not hold the record")
	}
	extra, err := verify.ParseExtra(r.Extra)
	return extra.Record, err
}

// shown is the JSON form of a record or draft.
type shown struct {
	*client.Standing                 // what the ledger says, of a record that it has
	Payload          jsontext.Value  `json:"payload"`
	Signatures       []record.Header `json:"signatures"`
}

func printShown(w io.Writer, s shown) error {
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s\n", b)
	return err
}

// showID shows what a ledger says of a record, without proof.
func showID(ctx context.Context, id record.ID, url string, asJSON bool, std cli.Streams) error {
	if url == "" {
		return cli.Usage(errors.New("docket show: --ledger is missing, which has the record"))
	}
	c, err := connect(url)
	if err != nil {
		return err
	}
	e, err := c.Record(ctx, id)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the ledger has no record %s", id)
	}
	if err != nil {
		return told(err)
	}
	u, err := record.Parse(e.Record)
	if err != nil {
		return err
	}
	if u.ID() != id {
		return fmt.Errorf("the ledger answered with another record, %s", u.ID())
	}
	if asJSON {
		return printShown(std.Out, shown{&e.Standing, u.PayloadBytes(), u.Headers()})
	}
	fmt.Fprintf(std.Out, "%s\n%s\n", id, describe(u, holdersOf(ctx, c, u), citedBy(ctx, c, u.Payload())))
	if e.Standing.Standing == client.Effective {
		fmt.Fprintf(std.Out, "Entry %d, effective.\n", e.Index)
	} else {
		fmt.Fprintf(std.Out, "Entry %d, void: it counts for nothing.\n", e.Index)
	}
	reasons(std, e.Codes, e.Findings)
	_, err = fmt.Fprintln(std.Out, "So says the ledger. Proof is in its receipt, which docket-verify checks.")
	return err
}
