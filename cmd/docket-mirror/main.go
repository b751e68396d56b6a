// Docket-mirror is the researcher's program: it copies a log and keeps the copy,
// trusting only a trust policy. Any log of c2sp.org/tlog-tiles can be copied.
package main

// main.go lists the commands and opens what they copy, sync.go has the one that
// copies, serve.go the one that serves, tell.go what they say and keep, witness.go
// those of a witness.

import (
	"archive/zip"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/docket-ledger/docket/api/client"
	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/cmd/internal/mirror"
	"github.com/docket-ledger/docket/verify"
)

const syncExample = "docket-mirror sync --policy trust.policy https://ledger.example.com mirror"

func main() { os.Exit(cli.Main(program.Name, program.Run)) }

var program = cli.Program{
	Name:    "docket-mirror",
	About:   "keeps a verified copy of a log in a folder, trusting only a trust policy, and vouches for logs as their witness.",
	Example: syncExample,
	Commands: []cli.Command{
		{Name: "sync", Short: "copies what is new in a log, once or again and again", Run: syncCommand},
		{Name: "serve", Short: "serves a copy over HTTP, and cosigns what it has copied", Run: serveCommand},
		{Name: "witness", Short: "cosigns the checkpoints of logs, as c2sp.org/tlog-witness says", Run: serveWitness},
		{Name: "witness key", Short: "makes the key of a witness and prints its verifier key", Run: newWitnessKey},
		cli.Version("docket-mirror"),
	},
}

// openSource opens a log by URL, folder or zip.
func openSource(where string) (verify.Source, error) {
	if strings.Contains(where, "://") {
		c, err := client.New(where)
		if err != nil {
			return nil, cli.Usage(err)
		}
		return mirror.Patient(c, client.Lasting), nil
	}
	info, err := os.Stat(where)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, cli.Unknown(fmt.Errorf("%s: no such folder; a URL begins with http:// or https://", where))
	case err != nil:
		return nil, cli.Unknown(err)
	case !info.IsDir():
		zipped, err := zip.OpenReader(where)
		if err != nil {
			return nil, cli.Usage(fmt.Errorf("%s is no zip: want the URL of a log, the folder of a mirror or a zip of one", where))
		}
		return verify.DirSource(zipped), nil // closed with the process
	}
	root, err := os.OpenRoot(where) // no symbolic link leads out of it
	if err != nil {
		return nil, cli.Unknown(err)
	}
	return verify.DirSource(root.FS()), nil // closed with the process
}
