// Docket-mirror is the researcher's program: it copies a log and keeps the copy,
// trusting only a trust policy. Any log of c2sp.org/tlog-tiles can be copied.
package main

// main.go has the commands that copy, tell.go what they say and keep, witness.go
// those of a witness.

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

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
		{Name: "sync", Short: "copies what is new in a log, once", Run: syncOnce},
		{Name: "witness", Short: "cosigns the checkpoints of logs, as c2sp.org/tlog-witness says", Run: serveWitness},
		{Name: "witness key", Short: "makes the key of a witness and prints its verifier key", Run: newWitnessKey},
		cli.Version("docket-mirror"),
	},
}

func syncOnce(ctx context.Context, args []string, std cli.Streams) error {
	flags := cli.Flags("docket-mirror sync")
	var policies []*verify.Policy
	flags.Func("policy", "trust policy `file` (c2sp.org/tlog-policy), required; may be repeated", func(path string) error {
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		p, err := verify.ParsePolicy(b)
		policies = append(policies, p)
		return err
	})
	parallel := flags.Int("parallel", 8, "`number` of files that are fetched at once")
	asJSON := flags.Bool("json", false, "print one JSON object")
	if err := flags.ParseArgs(args, 2, 2, "URL|DIR|ZIP MIRROR", syncExample); err != nil {
		return err
	}
	if len(policies) == 0 {
		return cli.Usage(errors.New("--policy is missing"))
	}
	if *parallel < 1 || *parallel > 64 {
		return cli.Usage(fmt.Errorf("--parallel is %d, want 1 to 64", *parallel))
	}
	src, err := openSource(flags.Arg(0))
	if err != nil {
		return err
	}
	m := meter{std: std, quiet: *asJSON || !std.Terminal(), start: time.Now()}
	res, err := mirror.Sync(ctx, mirror.Config{Source: src, Policies: policies, Dir: flags.Arg(1), Parallel: *parallel, Progress: m.show})
	m.clear()
	if err != nil {
		return explain(err, flags.Arg(1))
	}
	return summary(std, res, flags.Arg(1), *asJSON)
}

// summaryJSON is what --json prints.
type summaryJSON struct {
	Origin  string `json:"origin"`
	Size    int64  `json:"size"`
	Root    string `json:"root"`
	Before  int64  `json:"before"` // entries that the mirror had
	Files   int64  `json:"files"`
	Fetched int64  `json:"fetched"` // files that it did not have
}

func summary(std cli.Streams, res *mirror.Result, dir string, asJSON bool) error {
	cp := res.Signed.Checkpoint
	if asJSON {
		b, err := json.Marshal(summaryJSON{cp.Origin, cp.Size, cp.Root.String(), res.Before, res.Files, res.Fetched})
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(std.Out, "%s\n", b)
		return err
	}
	_, err := fmt.Fprintf(std.Out, "MIRRORED  %s, %d entries, %d of them new, in %s: %d of %d files were new, all hashed to the signed root %v\n",
		cp.Origin, cp.Size, cp.Size-res.Before, dir, res.Fetched, res.Files, cp.Root)
	return err
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
	return verify.DirSource(os.DirFS(where)), nil
}
