package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/cmd/internal/dsa"
	"github.com/docket-ledger/docket/verify/telling"
)

// maxAnswer bounds an answer of the database: a hundred statements of the longest texts.
const maxAnswer = 16 << 20

// exported drafts what ties the answer of the EU's DSA Transparency Database to the
// decisions that were reported there: a record for each.
func exported(_ context.Context, args []string, std cli.Streams) error {
	flags := cli.Flags("docket exported")
	ledger := originFlag(flags)
	out := flags.String("out", "", "write the drafts to this new `folder`, each under the id of its decision, required")
	if err := flags.ParseArgs(args, 1, 1, "ANSWER.json", "docket exported answer-0001.json --ledger ledger.example.com/2026 --out reported\n"+
		"  for d in reported/*.draft; do docket sign \"$d\" --key machine.jwk --ledger https://ledger.example.com --yes; done"); err != nil {
		return err
	}
	if err := flags.Require("ledger", "out"); err != nil {
		return err
	}
	b, err := readAnswer(flags.Arg(0), std)
	if err != nil {
		return err
	}
	answers, err := dsa.ReadAnswer(b)
	if errors.Is(err, dsa.ErrRefused) {
		return fmt.Errorf("%s. Nothing was written. If it already has some of them, log the answer of that time; mend the others and send them again", telling.Plain(err.Error()))
	}
	if err != nil {
		return fmt.Errorf("%s. Nothing was written", telling.Plain(err.Error()))
	}
	if err := os.Mkdir(*out, 0o755); errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists: name another folder, for drafts may hold signatures", *out)
	} else if err != nil {
		return err
	}
	quiet := std
	quiet.Err = io.Discard
	for _, a := range answers {
		p := a.Record()
		p.Ledger = *ledger
		if err := writeDraft(p, filepath.Join(*out, string(a.ID)+".draft"), "", quiet); err != nil {
			return err
		}
	}
	fmt.Fprintf(std.Err, "docket: wrote %d drafts of an export to %s. To sign each: one holder of the role machine\n", len(answers), *out)
	return nil
}

func readAnswer(name string, std cli.Streams) ([]byte, error) {
	in := std.In
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, maxAnswer+1))
	if err == nil && len(b) > maxAnswer {
		err = fmt.Errorf("%s: more than %d bytes", name, maxAnswer)
	}
	return b, err
}
