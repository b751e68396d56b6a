// Docket-mirror is the researcher's program: it copies a log and keeps the copy,
// trusting only a trust policy. Any log of c2sp.org/tlog-tiles can be copied.
package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
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
	About:   "keeps a verified copy of a log in a folder, trusting only a trust policy.",
	Example: syncExample,
	Commands: []cli.Command{
		{Name: "sync", Short: "copies what is new in a log, once", Run: sync},
		cli.Version("docket-mirror"),
	},
}

func sync(ctx context.Context, args []string, std cli.Streams) error {
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
	if err := flags.ParseArgs(args, 2, 2, "URL|DIR MIRROR", syncExample); err != nil {
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
	dir := flags.Arg(1)
	res, err := mirror.Sync(ctx, mirror.Config{Source: src, Policies: policies, Dir: dir, Parallel: *parallel, Progress: progress(std, *asJSON)})
	if err != nil {
		return explain(err, dir)
	}
	cp := res.Signed.Checkpoint
	if *asJSON {
		b, err := json.Marshal(map[string]any{"origin": cp.Origin, "size": cp.Size, "root": cp.Root.String(), "files": res.Files, "fetched": res.Fetched}, json.Deterministic(true))
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(std.Out, "%s\n", b)
		return err
	}
	_, err = fmt.Fprintf(std.Out, "MIRRORED  %s, %d entries, in %s: %d of %d files were new, all hashed to the signed root %v\n",
		cp.Origin, cp.Size, dir, res.Fetched, res.Files, cp.Root)
	return err
}

// openSource opens a log by URL or folder.
func openSource(where string) (verify.Source, error) {
	if u, err := url.Parse(where); err == nil && (u.Scheme == "http" || u.Scheme == "https") {
		return client.New(where)
	}
	info, err := os.Stat(where)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, cli.Unknown(fmt.Errorf("%s: no such folder; a URL begins with http:// or https://", where))
	case err != nil:
		return nil, cli.Unknown(err)
	case !info.IsDir():
		return nil, cli.Usage(fmt.Errorf("%s is a file: want the URL of a log or the folder of a mirror", where))
	}
	return verify.DirSource(os.DirFS(where)), nil
}

// explain turns an error of a copy into words and an exit code: 1 if the log is
// not what it should be, 3 if that could not be found out. Evidence of a fork is
// kept in a file.
func explain(err error, dir string) error {
	var fork *verify.ForkError
	var file *verify.FileError
	var entry *verify.EntryError
	switch {
	case errors.As(err, &fork):
		path, keepErr := keepFork(fork, dir)
		if keepErr != nil {
			return fmt.Errorf("%w. The evidence could not be kept: %w", err, keepErr)
		}
		return fmt.Errorf("%w. The mirror is unchanged; both checkpoints are in %s: keep that file, and show it to others who follow this log", err, path)
	case errors.Is(err, mirror.ErrSmaller), errors.Is(err, mirror.ErrForeign), errors.Is(err, verify.ErrCheckpoint),
		errors.As(err, &file), errors.As(err, &entry):
		return fmt.Errorf("%w. The mirror is unchanged", err)
	}
	return cli.Unknown(err)
}

// keepFork writes the evidence beside the mirror.
func keepFork(fork *verify.ForkError, dir string) (string, error) {
	e := client.Evidence{V: 1, Old: string(fork.OldNote), New: string(fork.NewNote), Root: fork.Root.String()}
	for _, h := range fork.Proof {
		e.Proof = append(e.Proof, h.String())
	}
	b, err := json.Marshal(e)
	if err != nil {
		return "", err
	}
	path := fmt.Sprintf("%s.fork-%d-%d.json", filepath.Clean(dir), fork.Old.Size, fork.New.Size)
	return path, os.WriteFile(path, append(b, '\n'), 0o644)
}

// progress tells on a terminal how far the copy is, every second.
func progress(std cli.Streams, quiet bool) func(done, of, fetched int64) {
	if quiet || !std.Terminal() {
		return nil
	}
	start := time.Now()
	lines := make(chan [3]int64, 1)
	go func() {
		last := time.Now()
		for l := range lines {
			if time.Since(last) < time.Second {
				continue
			}
			last = time.Now()
			rate := float64(l[0]) / time.Since(start).Seconds()
			left := time.Duration(float64(l[1]-l[0]) / rate * float64(time.Second)).Round(time.Second)
			fmt.Fprintf(std.Err, "\rdocket-mirror: %d of %d files, %d new, %.0f a second, %v left \033[K", l[0], l[1], l[2], rate, left)
		}
	}()
	return func(done, of, fetched int64) {
		select {
		case lines <- [3]int64{done, of, fetched}:
		default: // one is on its way
		}
	}
}
