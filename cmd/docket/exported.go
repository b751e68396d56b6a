package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/cmd/internal/dsa"
	"github.com/docket-ledger/docket/verify/telling"
)

// maxAnswer bounds a file of the database: a hundred statements of the longest texts.
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
	b, err := readUpTo(flags.Arg(0), std)
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

// statements does a dry run of the database over files that were made or mended by hand.
func statements(_ context.Context, args []string, std cli.Streams) error {
	flags := cli.Flags("docket statements")
	out := flags.String("out", "", "if the database would take them all, write them to this new `file`, as it takes them")
	if err := flags.ParseArgs(args, 1, 1, "FILE", "docket statements statements/refused.jsonl --out statements-mended.json"); err != nil {
		return err
	}
	b, err := readUpTo(flags.Arg(0), std)
	if err != nil {
		return err
	}
	all, err := dsa.ReadStatements(b)
	if err != nil {
		return fmt.Errorf("%s is neither a file for the database nor one of statements: %s", flags.Arg(0), telling.Plain(err.Error()))
	}
	wrong := dsa.CheckAll(all)
	for _, c := range wrong {
		for _, f := range c.Faults {
			if _, err := fmt.Fprintf(std.Out, "statement %d  %s\n  %s (%s)\n", c.Place, telling.Plain(c.PUID), telling.Plain(f.Text), f.Rule); err != nil {
				return err
			}
		}
	}
	if len(wrong) > 0 {
		return errors.New("the database would refuse all of the file, for it takes all statements or none")
	}
	if *out != "" {
		if err := writeStatements(*out, all); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(std.Out, "HOLDS  %d statements, by every rule that can be checked without the database\n", len(all))
	return err
}

func writeStatements(name string, all []jsontext.Value) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists: name another file", name)
	}
	if err != nil {
		return err
	}
	return errors.Join(dsa.WriteStatements(f, all), f.Close())
}

func readUpTo(name string, std cli.Streams) ([]byte, error) {
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
