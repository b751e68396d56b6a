package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/cmd/internal/datadir"
	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/tree"
	"github.com/docket-ledger/docket/verify/record"
)

// key makes the keys of a new ledger.
func key(_ context.Context, args []string, std cli.Streams) error {
	flags := cli.Flags("docketd key")
	data := flags.String("data", "", "data `directory`, made if it is not there; required")
	origin := flags.String("origin", "", "the ledger's `name`, a URL without scheme; required")
	asJSON := flags.Bool("json", false, "print the keys as JSON")
	if err := flags.ParseArgs(args, 0, 0, "", "docketd key --data /var/lib/docket --origin ledger.example.com/2026"); err != nil {
		return err
	}
	if err := flags.Require("data", "origin"); err != nil {
		return err
	}
	if !record.ValidOrigin(*origin) {
		return cli.Usage(fmt.Errorf("--origin %q: want a host name and a path, without https:// and final slash, like ledger.example.com/2026", *origin))
	}
	vkey, machine, err := datadir.CreateKeys(*data, *origin)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s holds keys already; they are never overwritten: %w", *data, err)
	}
	if err != nil {
		return cli.Unknown(err)
	}
	jwk, err := record.NewJWK(machine)
	if err != nil {
		return err
	}
	public, err := json.Marshal(jwk)
	if err != nil {
		return err
	}
	if *asJSON {
		_, err = fmt.Fprintf(std.Out, "{\"vkey\":%q,\"machine\":%s}\n", vkey, public)
		return err
	}
	fmt.Fprintf(std.Out, "vkey     %s\nmachine  %s\n", vkey, public)
	fmt.Fprintf(std.Err, "docketd: the private keys are in %s/keys: keep a copy of log.key in a safe.\n", strings.TrimSuffix(*data, "/"))
	fmt.Fprintf(std.Err, "docketd: next: docket charter new --ledger %s --log-key '%s' …\n", *origin, vkey)
	return nil
}

// initialise begins a ledger.
func initialise(ctx context.Context, args []string, std cli.Streams) error {
	flags := cli.Flags("docketd init")
	data := flags.String("data", "", "data `directory` with the keys; required")
	charterFile := flags.String("charter", "", "the charter, signed by all founding and recovery keys, a `file`; required")
	guard := flags.String("guard", "", "guard `file`, best on another disk (default guard in the data directory)")
	if err := flags.ParseArgs(args, 0, 0, "", "docketd init --data /var/lib/docket --charter charter.jws"); err != nil {
		return err
	}
	if err := flags.Require("data", "charter"); err != nil {
		return err
	}
	charter, err := os.ReadFile(*charterFile)
	if err != nil {
		return cli.Unknown(err)
	}
	out, err := datadir.Init(ctx, *data, datadir.Options{Guard: *guard}, charter)
	if err != nil {
		return explain(err)
	}
	fmt.Fprintf(std.Out, "%s\n", out.ID)
	fmt.Fprintf(std.Err, "docketd: the ledger has begun; its charter is entry 0.\n")
	fmt.Fprintf(std.Err, "docketd: next: docketd serve --data %s --listen 127.0.0.1:8440\n", *data)
	return nil
}

// explain adds to a refusal what each code means, and gives an error its exit
// code.
func explain(err error) error {
	var refused *ledger.RefusedError
	switch {
	case errors.As(err, &refused) && refused.Detail == nil:
		var b strings.Builder
		b.WriteString("the charter is refused:")
		for _, c := range refused.Codes {
			fmt.Fprintf(&b, "\n  %s: %s", c, ledger.Explain(c))
		}
		return errors.New(b.String())
	case errors.As(err, &refused):
		return fmt.Errorf("the charter is refused: %w", err)
	case errors.Is(err, tree.ErrInUse), errors.Is(err, ledger.ErrDiskFull), errors.Is(err, fs.ErrPermission):
		return cli.Unknown(err)
	}
	return err
}
