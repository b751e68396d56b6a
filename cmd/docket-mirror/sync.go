package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/cmd/internal/mirror"
	"github.com/docket-ledger/docket/cmd/internal/source"
	"github.com/docket-ledger/docket/verify"
)

// Once a second is as often as a log is asked what is new.
const (
	leastEvery   = time.Second
	defaultEvery = 10 * time.Second
)

// syncCommand copies what is new in a log, once or until ctx ends.
func syncCommand(ctx context.Context, args []string, std cli.Streams) error {
	flags := cli.Flags("docket-mirror sync")
	policies := policyFlag(flags)
	parallel := flags.Int("parallel", 8, "`number` of files that are fetched at once")
	check := flags.Bool("check", false, "read and hash again what the mirror has, and mend it")
	follow := flags.Bool("follow", false, "go on: copy what is new again and again")
	every := flags.Duration("every", defaultEvery, "how long to wait in between, as a `duration`")
	asJSON := flags.Bool("json", false, "print one JSON object, with --follow one a copy")
	if err := flags.ParseArgs(args, 2, 2, "URL|DIR|ZIP MIRROR", syncExample); err != nil {
		return err
	}
	switch {
	case len(*policies) == 0:
		return cli.Usage(errors.New("--policy is missing"))
	case *parallel < 1 || *parallel > 64:
		return cli.Usage(fmt.Errorf("--parallel is %d, want 1 to 64", *parallel))
	case *every < leastEvery:
		return cli.Usage(fmt.Errorf("--every is %v, want %v or more", *every, leastEvery))
	}
	src, err := source.OpenPatient(flags.Arg(0))
	if err != nil {
		return err
	}
	dir := flags.Arg(1)
	m := meter{std: std, quiet: *asJSON || !std.Terminal(), start: time.Now()}
	f, err := mirror.NewFollower(mirror.Config{Source: src, Policies: *policies, Dir: dir, Check: *check, Parallel: *parallel, Progress: m.show})
	if err != nil {
		return cli.Usage(err)
	}
	if !*follow {
		res, err := f.Sync(ctx)
		m.clear()
		if err != nil {
			return explain(err, dir)
		}
		return summary(std, res, dir, *asJSON)
	}
	first := true
	err = f.Run(ctx, *every, func(res *mirror.Result, err error, pause time.Duration) {
		m.clear()
		switch {
		case err != nil:
			fmt.Fprintf(std.Err, "docket-mirror: %v. Trying again in %v\n", explain(err, dir), pause)
		case first || res.Signed.Checkpoint.Size != res.Before:
			first = false
			if err := summary(std, res, dir, *asJSON); err != nil {
				fmt.Fprintf(std.Err, "docket-mirror: %v\n", err)
			}
		}
		m.restart()
	})
	m.clear()
	if err != nil {
		return explain(err, dir)
	}
	return nil
}

// policyFlag adds --policy.
func policyFlag(flags *cli.FlagSet) *verify.Policies {
	var policies verify.Policies
	flags.Func("policy", "trust policy `file` (c2sp.org/tlog-policy), required; may be repeated", func(path string) error {
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		p, err := verify.ParsePolicy(b)
		policies = append(policies, p)
		return err
	})
	return &policies
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
