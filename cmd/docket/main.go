// Command docket is for those who decide: it makes keys, drafts records, signs
// and submits them, and shows what they say. docket demo is the demonstration.
//
// A draft is a record with fewer signatures than it needs: one file from
// drafting to submission, which goes from signer to signer.
package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/cmd/internal/demo"
	"github.com/docket-ledger/docket/verify/record"
)

func main() { os.Exit(cli.Main("docket", run)) }

// run is program.Run, in which a file that can't be read or written is not
// refused but unknown.
func run(ctx context.Context, args []string, std cli.Streams) error {
	err := program.Run(ctx, args, std)
	var file *fs.PathError
	if errors.As(err, &file) && !errors.Is(err, fs.ErrExist) && cli.Code(err) == 1 {
		return cli.Unknown(err)
	}
	return err
}

var program = cli.Program{
	Name:  "docket",
	About: "record moderation decisions, signed, under published rules, for ever",
	Example: `docket demo
  docket decide decision.yaml --subject-key subject.key --out decision.draft
  docket sign decision.draft --key my.jwk --ledger https://ledger.example.com
  docket submit decision.draft --ledger https://ledger.example.com`,
	Commands: slices.Concat([]cli.Command{
		{Name: "demo", Short: "shows it all on this machine, in a few seconds", Run: runDemo},
		{Name: "key new", Short: "makes a private key", Run: keyNew},
		{Name: "key show", Short: "prints kid and public part of a key", Run: keyShow},
		{Name: "key enrol", Short: "drafts that a holder gets a key", Run: keyEnrol},
		{Name: "key revoke", Short: "drafts that a key ends", Run: keyRevoke},
		{Name: "charter new", Short: "drafts the charter of a new ledger", Run: charterNew},
		{Name: "charter sign", Short: "signs a charter, as a founder or with a recovery key", Run: charterSign},
		{Name: "policy publish", Short: "drafts the publication of a policy", Run: policyPublish},
		{Name: "decide", Short: "drafts a decision", Run: decide},
		{Name: "ratify", Short: "drafts the approval of a decision afterwards", Run: ratify},
	}, actCommands(), []cli.Command{
		{Name: "case export", Short: "writes a file that proves a case without the ledger", Run: caseExport},
		{Name: "statements", Short: "checks statements for the EU's DSA Transparency Database before they are sent", Run: statements},
		{Name: "exported", Short: "drafts that decisions were reported to the EU's DSA Transparency Database", Run: exported},
		{Name: "due", Short: "says who owes what until when", Run: due},
		{Name: "sign", Short: "signs a draft", Run: sign},
		{Name: "inbox", Short: "lists the drafts that wait for your signature", Run: inbox},
		{Name: "submit", Short: "sends a draft to the ledger and keeps the receipt", Run: submit},
		{Name: "receipt upgrade", Short: "gets the receipt that witnesses have cosigned", Run: receiptUpgrade},
		{Name: "show", Short: "says in words what a draft, record or receipt states", Run: show},
		cli.Version("docket"),
	}),
}

func runDemo(ctx context.Context, args []string, std cli.Streams) error {
	flags := cli.Flags("docket demo")
	dir := flags.String("dir", "", "new or empty `directory` (default a temporary one)")
	once := flags.Bool("once", false, "end when the story is told")
	listen := flags.String("listen", "127.0.0.1:8440", "`address` to serve the ledger at afterwards")
	if err := flags.ParseArgs(args, 0, 0, "", "docket demo --dir docket-demo"); err != nil {
		return err
	}
	return demo.Run(ctx, demo.Config{Dir: *dir, Once: *once, Listen: *listen, Out: std.Out})
}

// originFlag declares --ledger for a draft: the ledger's name, not its URL.
func originFlag(flags *cli.FlagSet) *string {
	return flags.String("ledger", "", "`origin` of the ledger, like ledger.example.com/2026")
}

func outFlag(flags *cli.FlagSet) *string {
	return flags.String("out", "", "write the draft to this new `file`, required")
}

// optionalTime parses a time that a flag gives, 0 if it does not.
func optionalTime(flag, s string) (record.Time, error) {
	if s == "" {
		return 0, nil
	}
	t, err := record.ParseTime(s)
	if err != nil {
		return 0, cli.Usage(fmt.Errorf("--%s: %w", flag, err))
	}
	return t, nil
}
