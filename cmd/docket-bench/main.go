// Docket-bench puts load on ledgers and says what they bear. What it posts is recorded
// for good: it is for ledgers that are there to be measured.
package main

import (
	"os"

	"github.com/docket-ledger/docket/cmd/internal/cli"
)

func main() { os.Exit(cli.Main(program.Name, program.Run)) }

const postExample = "docket-bench post --key dora.jwk --key erik.jwk --records 5000 http://127.0.0.1:8470 http://127.0.0.1:8471"

var program = cli.Program{
	Name:    "docket-bench",
	About:   "puts load on a ledger that is there to be measured: what it posts stays in the log.",
	Example: postExample,
	Commands: []cli.Command{
		{Name: "post", Short: "posts decisions to one or several nodes of a ledger, and says how fast they were taken", Run: post},
		cli.Version("docket-bench"),
	},
}
