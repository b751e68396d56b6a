// Docket-mirror is the researcher's program: it copies a log and keeps the copy,
// trusting only a trust policy. Any log of c2sp.org/tlog-tiles can be copied.
package main

// main.go lists the commands, sync.go has the one that copies, serve.go the one that
// serves, export.go the one that exports, tell.go what they say and keep, witness.go those of a witness.

import (
	"os"

	"github.com/docket-ledger/docket/cmd/internal/cli"
)

const syncExample = "docket-mirror sync --policy trust.policy https://ledger.example.com mirror"

func main() { os.Exit(cli.Main(program.Name, program.Run)) }

var program = cli.Program{
	Name:    "docket-mirror",
	About:   "keeps a verified copy of a log in a folder, trusting only a trust policy, and vouches for logs as their witness.",
	Example: syncExample,
	Commands: []cli.Command{
		{Name: "sync", Short: "copies what is new in a log, once or again and again", Run: syncCommand},
		{Name: "export", Short: "writes a log as JSON Lines, CSV, Parquet or for the DSA database, and checks what was written", Run: exportCommand},
		{Name: "report", Short: "writes the transparency report of a period, as HTML and Markdown", Run: reportCommand},
		{Name: "serve", Short: "serves a copy over HTTP, and cosigns what it has copied", Run: serveCommand},
		{Name: "witness", Short: "cosigns the checkpoints of logs, as c2sp.org/tlog-witness says", Run: serveWitness},
		{Name: "witness key", Short: "makes the key of a witness and prints its verifier key", Run: newWitnessKey},
		cli.Version("docket-mirror"),
	},
}
