// Docketd serves a ledger: it takes signed records, checks them against the
// rules, appends them to the log and answers with proofs.
package main

import (
	"os"

	"github.com/docket-ledger/docket/cmd/internal/cli"
)

func main() {
	program := cli.Program{
		Name:    "docketd",
		About:   "serves a ledger from a data directory on this machine.",
		Example: "docketd serve --data /var/lib/docket --listen 127.0.0.1:8440",
		Commands: []cli.Command{
			{Name: "key", Short: "makes the log key and the machine key of a new ledger", Run: key},
			{Name: "key succeed", Short: "hands the log over to its next key", Run: succeedKey},
			{Name: "init", Short: "begins a ledger with its signed charter", Run: initialise},
			{Name: "serve", Short: "serves a ledger until SIGINT or SIGTERM", Run: serve},
			{Name: "status", Short: "tells how a ledger stands, running or not", Run: status},
			{Name: "backup", Short: "copies a ledger, running or not, and reads the copy back", Run: backup},
			{Name: "check", Short: "reads all of a data directory or backup, and names what is broken", Run: check},
			{Name: "restore", Short: "makes a data directory from a backup, a mirror, or both", Run: restore},
			{Name: "reindex", Short: "makes the index that readers search anew", Run: reindex},
			{Name: "migrate", Short: "moves a ledger to Trillian's servers, or back", Run: migrate},
			{Name: "fleet init", Short: "makes the tree of a ledger that Trillian's log servers keep", Run: fleetInit},
			{Name: "fleet join", Short: "makes a data directory a further node of a fleet", Run: fleetJoin},
			{Name: "fleet check", Short: "asks each of Trillian's log servers about that tree", Run: fleetCheck},
			cli.Version("docketd"),
		},
	}
	os.Exit(cli.Main(program.Name, program.Run))
}
