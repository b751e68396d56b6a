package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/ledger/tree/fleet"
)

// fleetTime is how long the log servers may take to answer a command.
const fleetTime = 15 * time.Second

// serverFlags are those that say how Trillian's log servers are reached.
type serverFlags struct {
	addresses, ca, cert, key *string
	plaintext                *bool
}

// addServerFlags adds them to the flags of a command.
func addServerFlags(flags *cli.FlagSet) serverFlags {
	return serverFlags{
		addresses: flags.String("trillian", "", "`HOST:PORT,...` of Trillian's log servers"),
		ca:        flags.String("trillian-ca", "", "`file` of PEM certificates that the log servers' are signed by (default: those of this machine)"),
		cert:      flags.String("trillian-cert", "", "`file` with the PEM certificate that this program shows to the log servers, with --trillian-key"),
		key:       flags.String("trillian-key", "", "`file` with its PEM key"),
		plaintext: flags.Bool("trillian-plaintext", false, "speak to the log servers without TLS; allowed on loopback only"),
	}
}

// servers returns what the flags say.
func (f serverFlags) servers() (fleet.Servers, error) {
	s := fleet.Servers{Addresses: strings.Split(*f.addresses, ",")}
	if *f.plaintext {
		if *f.ca != "" || *f.cert != "" || *f.key != "" {
			return s, cli.Usage(errors.New("--trillian-plaintext goes with none of --trillian-ca, --trillian-cert and --trillian-key"))
		}
		return s, nil
	}
	s.TLS = &tls.Config{MinVersion: tls.VersionTLS13}
	if *f.ca != "" {
		pem, err := os.ReadFile(*f.ca)
		if err != nil {
			return s, cli.Unknown(err)
		}
		s.TLS.RootCAs = x509.NewCertPool()
		if !s.TLS.RootCAs.AppendCertsFromPEM(pem) {
			return s, cli.Usage(fmt.Errorf("--trillian-ca %s holds no certificate in PEM", *f.ca))
		}
	}
	if *f.cert != "" || *f.key != "" {
		pair, err := tls.LoadX509KeyPair(*f.cert, *f.key)
		if err != nil {
			return s, cli.Usage(fmt.Errorf("--trillian-cert and --trillian-key: %w", err))
		}
		s.TLS.Certificates = []tls.Certificate{pair}
	}
	return s, nil
}

// fleetInit makes the tree of a ledger in a fleet.
func fleetInit(ctx context.Context, args []string, std cli.Streams) error {
	flags := cli.Flags("docketd fleet init")
	server := addServerFlags(flags)
	name := flags.String("name", "docket", "`name` of the tree among those of the database, up to 20 bytes")
	asJSON := flags.Bool("json", false, "print one JSON object")
	example := "docketd fleet init --trillian log1.internal:8090,log2.internal:8090 --trillian-ca ca.pem --name register"
	if err := flags.ParseArgs(args, 0, 0, "", example); err != nil {
		return err
	}
	if err := flags.Require("trillian"); err != nil {
		return err
	}
	servers, err := server.servers()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, fleetTime)
	defer cancel()
	id, made, err := fleet.Init(ctx, servers, *name)
	if err != nil {
		return fleetError(err)
	}
	if *asJSON {
		return printJSON(std, struct {
			Tree int64 `json:"tree"`
			Made bool  `json:"made"`
		}{id, made})
	}
	what := map[bool]string{true: "made", false: "there already, and fit for a ledger"}[made]
	fmt.Fprintf(std.Out, "tree-id %d\ntree %q is %s\nnext: docketd fleet check --trillian %s --tree-id %d, and the settings of the servers in docs/operations.md\n",
		id, *name, what, *server.addresses, id)
	return nil
}

// fleetCheck asks each log server about the tree of a ledger.
func fleetCheck(ctx context.Context, args []string, std cli.Streams) error {
	flags := cli.Flags("docketd fleet check")
	server := addServerFlags(flags)
	id := flags.Int64("tree-id", 0, "`number` of the tree, as docketd fleet init said it")
	example := "docketd fleet check --trillian log1.internal:8090,log2.internal:8090 --trillian-ca ca.pem --tree-id 4711"
	if err := flags.ParseArgs(args, 0, 0, "", example); err != nil {
		return err
	}
	if err := flags.Require("trillian", "tree-id"); err != nil {
		return err
	}
	servers, err := server.servers()
	if err != nil {
		return err
	}
	list, err := fleet.Check(ctx, servers, *id, fleetTime)
	if err != nil {
		return fleetError(err)
	}
	var worst error
	for _, s := range list {
		if s.Err != nil {
			fmt.Fprintf(std.Out, "BROKEN  %s: %v\n", s.Address, s.Err)
			if worst == nil || errors.Is(s.Err, fleet.ErrUnsafe) {
				worst = s.Err
			}
			continue
		}
		fmt.Fprintf(std.Out, "HOLDS   %s: %d records, root %v, told in %s\n", s.Address, s.Head.Size, s.Head.Root, s.Took.Round(time.Microsecond))
	}
	switch {
	case worst == nil:
		return nil
	case errors.Is(worst, fleet.ErrUnsafe):
		return cli.DoesNotHold()
	}
	return cli.Unknown(errors.New("not all servers could be asked"))
}

// fleetError says with the exit code what an error of package fleet means.
func fleetError(err error) error {
	switch {
	case errors.Is(err, fleet.ErrArgument):
		return cli.Usage(err)
	case errors.Is(err, fleet.ErrUnsafe):
		return err
	}
	return cli.Unknown(err)
}
