package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/cmd/internal/datadir"
	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/tree"
)

// initialise begins a ledger.
func initialise(ctx context.Context, args []string, std cli.Streams) error {
	flags := cli.Flags("docketd init")
	data := flags.String("data", "", "data `directory` with the keys; required")
	charterFile := flags.String("charter", "", "the charter, signed by all founding and recovery keys, a `file`; required")
	guard := flags.String("guard", "", "guard `file`, best on another disk (default guard in the data directory)")
	node := addNodeFlags(flags)
	if err := flags.ParseArgs(args, 0, 0, "", "docketd init --data /var/lib/docket --charter charter.jws"); err != nil {
		return err
	}
	if err := flags.Require("data", "charter"); err != nil {
		return err
	}
	shared, err := node.fleet()
	if err != nil {
		return err
	}
	charter, err := os.ReadFile(*charterFile)
	if err != nil {
		return cli.Unknown(err)
	}
	out, err := datadir.Init(ctx, *data, datadir.Options{Guard: *guard, Fleet: shared}, charter)
	if err != nil {
		return explain("the charter", err)
	}
	fmt.Fprintf(std.Out, "%s\n", out.ID)
	fmt.Fprintf(std.Err, "docketd: the ledger has begun; its charter is entry 0.\n")
	fmt.Fprintf(std.Err, "docketd: next: docketd serve --data %s --listen 127.0.0.1:8440\n", *data)
	return nil
}

// explain adds to a refusal what each code means, and gives an error its exit
// code.
func explain(what string, err error) error {
	var refused *ledger.RefusedError
	switch {
	case errors.As(err, &refused) && refused.Detail == nil:
		var b strings.Builder
		b.WriteString(what + " is refused:")
		for _, c := range refused.Codes {
			fmt.Fprintf(&b, "\n  %s: %s", c, ledger.Explain(c))
		}
		return errors.New(b.String())
	case errors.As(err, &refused):
		return fmt.Errorf("%s is refused: %w", what, err)
	case errors.Is(err, tree.ErrInUse), errors.Is(err, ledger.ErrDiskFull), errors.Is(err, fs.ErrPermission):
		return cli.Unknown(err)
	}
	return err
}
