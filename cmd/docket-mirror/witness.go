package main

// witness.go has the commands of a witness; package witnessing has its HTTP server,
// what it keeps on the disk, and its key.

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"strings"

	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/cmd/internal/witnessing"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/witness"
)

const (
	witnessExample    = "docket-mirror witness --key witness.key --dir witness --listen 127.0.0.1:8441 --policy trust.policy"
	witnessKeyExample = "docket-mirror witness key --name witness.example.org/docket --out witness.key"
)

// newWitnessKey makes the key of a witness.
func newWitnessKey(_ context.Context, args []string, std cli.Streams) error {
	flags := cli.Flags("docket-mirror witness key")
	name := flags.String("name", "", "the witness's `name`, a URL without scheme by custom; required")
	out := flags.String("out", "", "new `file` for the private key; required")
	pq := flags.Bool("pq", false, "make a key of ML-DSA-44 instead of Ed25519")
	if err := flags.ParseArgs(args, 0, 0, "", witnessKeyExample); err != nil {
		return err
	}
	if err := flags.Require("name", "out"); err != nil {
		return err
	}
	text, vkey, err := witnessing.NewKey(*name, *pq)
	if err != nil {
		return cli.Usage(fmt.Errorf("--name %q: %w", *name, err))
	}
	switch err := witnessing.WriteKey(*out, text); {
	case errors.Is(err, fs.ErrExist):
		return fmt.Errorf("%s exists, and keys are never overwritten", *out)
	case err != nil:
		return cli.Unknown(err)
	}
	fmt.Fprintf(std.Out, "%s\n", vkey)
	fmt.Fprintf(std.Err, "docket-mirror: the private key is in %s. The line above is the verifier key, for witness policies.\n", *out)
	fmt.Fprintf(std.Err, "docket-mirror: next: docket-mirror witness --key %s --dir DIR --log VKEY-OF-THE-LOG\n", *out)
	return nil
}

// serveWitness runs a witness until ctx ends.
func serveWitness(ctx context.Context, args []string, std cli.Streams) error {
	flags := cli.Flags("docket-mirror witness")
	var cosigners []verify.Cosigner
	flags.Func("key", "private key `file` that docket-mirror witness key made, required; may be repeated, for a key of each kind", func(path string) error {
		c, err := witnessing.ReadKey(path)
		cosigners = append(cosigners, c)
		return err
	})
	dir := flags.String("dir", "", "`folder` for what was cosigned, made if it is not there; required")
	address := flags.String("listen", "127.0.0.1:8441", "`address` to serve on")
	var logs []string
	flags.Func("log", "verifier key, a `vkey`, of a log to cosign; may be repeated", func(vkey string) error {
		if _, err := verify.ParseVKey(vkey); err != nil {
			return err
		}
		logs = append(logs, vkey)
		return nil
	})
	flags.Func("policy", "trust policy `file` (c2sp.org/tlog-policy) whose logs are cosigned; may be repeated", func(path string) error {
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		p, err := verify.ParsePolicy(b)
		if err == nil {
			for _, l := range p.Logs() {
				logs = append(logs, l.Key.String())
			}
		}
		return err
	})
	if err := flags.ParseArgs(args, 0, 0, "", witnessExample); err != nil {
		return err
	}
	switch {
	case len(cosigners) == 0:
		return cli.Usage(errors.New("--key is missing"))
	case *dir == "":
		return cli.Usage(errors.New("--dir is missing"))
	case len(logs) == 0:
		return cli.Usage(errors.New("--log or --policy is missing: a witness cosigns the logs that it is told to"))
	}
	known, err := verify.ParsePolicy([]byte("log " + strings.Join(logs, "\nlog ") + "\nquorum none\n"))
	if err != nil {
		return cli.Usage(fmt.Errorf("the logs: %w", err))
	}
	return runWitness(ctx, &witness.Witness{Logs: known, Cosigners: cosigners}, *dir, *address, std)
}

// runWitness serves a witness whose store is in a folder.
func runWitness(ctx context.Context, w *witness.Witness, dir, address string, std cli.Streams) error {
	store, err := witnessing.OpenStore(dir)
	if err != nil {
		return cli.Unknown(err)
	}
	defer store.Close()
	w.Store = store
	n, err := net.Listen("tcp", address)
	if err != nil {
		return cli.Unknown(err)
	}
	for _, c := range w.Cosigners {
		fmt.Fprintf(std.Err, "docket-mirror: witness %s on http://%s\n", c.VKey(), n.Addr())
	}
	log := slog.New(slog.NewTextHandler(std.Err, nil))
	return serveUntil(ctx, n, witnessing.Handler(w, store, log, nil), log)
}
