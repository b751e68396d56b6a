package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/docket-ledger/docket/api/client"
	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/cmd/internal/datadir"
	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/tree"
)

// nodeFlags say of which fleet a data directory is a node.
type nodeFlags struct {
	serverFlags
	tree  *int64
	peers *[]string
}

// addNodeFlags adds them to the flags of a command.
func addNodeFlags(flags *cli.FlagSet) nodeFlags {
	f := nodeFlags{serverFlags: addServerFlags(flags), tree: flags.Int64("tree-id", 0, "`number` of the tree with --trillian, as docketd fleet init said it"), peers: &[]string{}}
	flags.Func("peer", "`URL` of another node with --trillian, whose checkpoint is compared before the first signature; may be repeated", func(url string) error {
		*f.peers = append(*f.peers, url)
		return nil
	})
	return f
}

// fleet returns what the flags say; nil if they name no servers.
func (f nodeFlags) fleet() (*datadir.Fleet, error) {
	if *f.addresses == "" {
		if *f.tree != 0 || len(*f.peers) > 0 {
			return nil, cli.Usage(errors.New("--trillian is missing"))
		}
		return nil, nil
	}
	if *f.tree <= 0 {
		return nil, cli.Usage(errors.New("--tree-id is missing: docketd fleet init says it"))
	}
	servers, err := f.servers()
	if err != nil {
		return nil, err
	}
	out := &datadir.Fleet{Servers: servers, Tree: *f.tree}
	for _, url := range *f.peers {
		c, err := client.New(url)
		if err != nil {
			return nil, cli.Usage(fmt.Errorf("--peer: %w", err))
		}
		out.Peers = append(out.Peers, datadir.Peer{URL: url, Source: c})
	}
	return out, nil
}

// fleetJoin makes a data directory with the keys a node of a fleet.
func fleetJoin(ctx context.Context, args []string, std cli.Streams) error {
	flags := cli.Flags("docketd fleet join")
	data := flags.String("data", "", "data `directory` with the log key in keys; required")
	guard := flags.String("guard", "", "guard `file`, best on another disk (default guard in the data directory)")
	node := addNodeFlags(flags)
	example := "docketd fleet join --data /var/lib/docket --trillian log1.internal:8090 --trillian-ca ca.pem --tree-id 4711 --peer https://node1.internal"
	if err := flags.ParseArgs(args, 0, 0, "", example); err != nil {
		return err
	}
	if err := flags.Require("data", "trillian", "tree-id"); err != nil {
		return err
	}
	if len(*node.peers) == 0 {
		return cli.Usage(errors.New("--peer is missing: another node says what was signed last"))
	}
	shared, err := node.fleet()
	if err != nil {
		return err
	}
	size, err := datadir.Join(ctx, *data, datadir.Options{Guard: *guard, Fleet: shared})
	if err != nil {
		return cli.Unknown(err)
	}
	_, err = fmt.Fprintf(std.Out, "joined at size %d\nnext: docketd serve --data %s --trillian %s --tree-id %d, which follows the log first\n", size, *data, *node.addresses, *node.tree)
	return err
}

// migrate moves a ledger to a fleet, or back.
func migrate(ctx context.Context, args []string, std cli.Streams) error {
	flags := cli.Flags("docketd migrate")
	data := flags.String("data", "", "data `directory` of a ledger that is not served; required")
	guard := flags.String("guard", "", "guard `file`, best on another disk (default guard in the data directory)")
	back := flags.Bool("back", false, "make the node a ledger of its own again; the tree is frozen, and the other nodes are of no use then")
	node := addNodeFlags(flags)
	example := "docketd migrate --data /var/lib/docket --trillian log1.internal:8090 --trillian-ca ca.pem --tree-id 4711"
	if err := flags.ParseArgs(args, 0, 0, "", example); err != nil {
		return err
	}
	if err := flags.Require("data", "trillian", "tree-id"); err != nil {
		return err
	}
	shared, err := node.fleet()
	if err != nil {
		return err
	}
	opt := datadir.Options{Guard: *guard, Fleet: shared}
	if *back {
		cp, err := datadir.Return(ctx, *data, opt)
		if err != nil {
			return migrateError(err)
		}
		_, err = fmt.Fprintf(std.Out, "MOVED  %s, %d records, root %v, is a ledger of its own in %s; tree %d is frozen\nnext: docketd serve --data %s\n",
			cp.Origin, cp.Size, cp.Root, *data, *node.tree, *data)
		return err
	}
	var progress func(done, of int64)
	if std.Terminal() {
		progress = func(done, of int64) { fmt.Fprintf(std.Err, "\rdocketd: %d of %d records \033[K", done, of) }
	}
	head, err := datadir.Migrate(ctx, *data, opt, progress)
	if err != nil {
		return migrateError(err)
	}
	_, err = fmt.Fprintf(std.Out, "MOVED  %d records, root %v, are in tree %d\nnext: docketd serve --data %s --trillian %s --tree-id %d\n",
		head.Size, head.Root, *node.tree, *data, *node.addresses, *node.tree)
	return err
}

// migrateError gives an error of a move its exit code.
func migrateError(err error) error {
	if errors.Is(err, tree.ErrDiverged) || errors.Is(err, datadir.ErrNode) || errors.Is(err, datadir.ErrEmbedded) || errors.Is(err, ledger.ErrEmpty) {
		return err
	}
	return cli.Unknown(err)
}
