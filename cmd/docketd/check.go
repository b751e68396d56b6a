package main

import (
	"context"
	"fmt"
	"io"

	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/cmd/internal/datadir"
)

// maxFaults bounds what is told of each kind of fault.
const maxFaults = 20

// check reads all of a data directory.
func check(ctx context.Context, args []string, std cli.Streams) error {
	flags := cli.Flags("docketd check")
	data := flags.String("data", "", "data `directory` that no docketd serves now, or a backup; required")
	guard := flags.String("guard", "", "guard `file` (default guard in the data directory)")
	asJSON := flags.Bool("json", false, "print one JSON object")
	if err := flags.ParseArgs(args, 0, 0, "", "docketd check --data /backup/docket-2026-11-23"); err != nil {
		return err
	}
	if err := flags.Require("data"); err != nil {
		return err
	}
	m := meterFor(std, *asJSON)
	rep, err := datadir.Check(ctx, *data, datadir.CheckOptions{Guard: *guard, Progress: m.show})
	m.clear()
	if err != nil {
		return cli.Unknown(err)
	}
	if *asJSON {
		if err := printJSON(std, rep); err != nil {
			return err
		}
	} else {
		tell(std.Out, *data, rep)
	}
	if len(rep.Faults) > 0 {
		return cli.DoesNotHold()
	}
	return nil
}

// tell says what a check saw, what is broken first.
func tell(w io.Writer, data string, rep *datadir.Report) {
	told := map[string]int{} // faults by what helps
	var order []string
	for _, f := range rep.Faults {
		if told[f.Do]++; told[f.Do] == 1 {
			order = append(order, f.Do)
		}
		if told[f.Do] <= maxFaults {
			fmt.Fprintf(w, "BROKEN  %v\n", f)
		}
	}
	for _, do := range order {
		if more := told[do] - maxFaults; more > 0 {
			fmt.Fprintf(w, "BROKEN  and %d more of these: --json lists all\n", more)
		}
		fmt.Fprintf(w, "DO      %s\n", do)
	}
	for _, n := range rep.Notes {
		fmt.Fprintf(w, "note    %s\n", n)
	}
	if len(rep.Faults) == 0 {
		fmt.Fprintf(w, "HOLDS   %s, %s: %d records, root %s; the guard has a checkpoint of %d, the rules state has seen %d, %d witnessed checkpoints are kept\n",
			data, rep.Origin, rep.Size, rep.Root, rep.Guarded, rep.State, rep.Checkpoints)
	}
}
