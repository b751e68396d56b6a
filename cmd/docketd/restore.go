package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/cmd/internal/datadir"
	"github.com/docket-ledger/docket/cmd/internal/source"
	"github.com/docket-ledger/docket/verify"
)

const restoreExample = "docketd restore --data NEW --backup /backup/docket-2026-11-23 --from-mirror https://mirror.example.org/ledger --guard /mnt/other/guard"

// restore makes a data directory from a backup, a mirror, or both.
func restore(ctx context.Context, args []string, std cli.Streams) error {
	var opt datadir.RestoreOptions
	flags := cli.Flags("docketd restore")
	data := flags.String("data", "", "the new data `directory`, absent or empty; required")
	flags.StringVar(&opt.Backup, "backup", "", "a backup, or the data directory that was damaged: a `directory`; keys, drafts and records are taken from it")
	from := flags.String("from-mirror", "", "a mirror of the log, by `URL`, folder or zip; with --backup it has the records that came later")
	flags.Func("policy", "trust policy `file` that the mirror's checkpoint has to satisfy; may be repeated (default: the log key signed it)", func(path string) error {
		p, err := readPolicy(path)
		opt.Policies = append(opt.Policies, p)
		return err
	})
	flags.StringVar(&opt.Keys, "keys", "", "a `directory` with log.key, log.vkey and machine.jwk, if they are not to come from the backup")
	flags.StringVar(&opt.Guard, "guard", "", "the guard `file` that survived: what was published last")
	witnesses := flags.String("witness-policy", "", "a policy `file` whose witnesses are asked what was published last")
	flags.StringVar(&opt.Attest, "attest", "", "a `sentence` instead of guard and witnesses, where neither is left; see docs/operations.md")
	asJSON := flags.Bool("json", false, "print one JSON object")
	if err := flags.ParseArgs(args, 0, 0, "", restoreExample); err != nil {
		return err
	}
	if err := flags.Require("data"); err != nil {
		return err
	}
	switch {
	case opt.Backup == "" && *from == "":
		return cli.Usage(errors.New("--backup or --from-mirror is missing: from what?"))
	case opt.Backup == "" && opt.Keys == "":
		return cli.Usage(errors.New("--keys is missing: a mirror has no keys"))
	case opt.Guard == "" && *witnesses == "" && opt.Attest == "":
		return cli.Usage(errors.New("nothing says what this ledger published last: name the guard file that survived with --guard, or a policy with its witnesses with --witness-policy. Only where neither is left: --attest, see docs/operations.md"))
	}
	var err error
	if *witnesses != "" {
		if opt.Witnesses, err = os.ReadFile(*witnesses); err != nil {
			return cli.Unknown(err)
		}
	}
	if *from != "" {
		if opt.Mirror, err = source.OpenPatient(*from); err != nil {
			return err
		}
	}
	return restoreInto(ctx, *data, opt, std, *asJSON)
}

func restoreInto(ctx context.Context, data string, opt datadir.RestoreOptions, std cli.Streams, asJSON bool) error {
	place, err := datadir.NewPlace(data)
	if errors.Is(err, fs.ErrExist) {
		return err
	}
	if err != nil {
		return cli.Unknown(err)
	}
	m := meterFor(std, asJSON)
	opt.Progress = m.show
	done, err := datadir.Restore(ctx, place.Partial, opt)
	if err == nil {
		var rep *datadir.Report
		if rep, err = datadir.Check(ctx, place.Partial, datadir.CheckOptions{Progress: m.show}); err == nil && len(rep.Faults) > 0 {
			err = &brokenError{rep}
		}
	}
	m.clear()
	if err == nil {
		err = place.Finish()
	}
	if err := errors.Join(err, place.Close()); err != nil {
		return notRestored(err)
	}
	if asJSON {
		return printJSON(std, done)
	}
	fmt.Fprintf(std.Out, "RESTORED  %s, %d records, %d of them from the backup, in %s: all were verified, the root is %s\n", done.Origin, done.Size, done.Kept, data, done.Root)
	_, err = fmt.Fprintf(std.Out, "          it goes on from what was published last, as %s says; the guard has a checkpoint of %d\n", strings.Join(done.BoundBy, " and "), done.Guarded)
	return err
}

// notRestored gives an error its exit code: 1 if what there is, or the keys, are not
// what they should be, 3 where trying again, or another mirror, may help.
func notRestored(err error) error {
	var broken *brokenError
	refused := errors.As(err, &broken)
	for _, e := range []error{datadir.ErrBroken, datadir.ErrKeys, datadir.ErrLess, datadir.ErrUnbound, verify.ErrCheckpoint} {
		refused = refused || errors.Is(err, e)
	}
	if !refused {
		return cli.Unknown(fmt.Errorf("%w. Nothing was restored; the same command begins anew", err))
	}
	return fmt.Errorf("%w. Nothing was restored", err)
}

func readPolicy(path string) (*verify.Policy, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return verify.ParsePolicy(b)
}
