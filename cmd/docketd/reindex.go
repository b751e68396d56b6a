package main

import (
	"context"
	"fmt"
	"time"

	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/cmd/internal/datadir"
)

// reindex makes the index of a data directory anew.
func reindex(ctx context.Context, args []string, std cli.Streams) error {
	flags := cli.Flags("docketd reindex")
	data := flags.String("data", "", "data `directory` that no docketd serves now, required")
	if err := flags.ParseArgs(args, 0, 0, "", "docketd reindex --data /var/lib/docket"); err != nil {
		return err
	}
	if err := flags.Require("data"); err != nil {
		return err
	}
	m, start := meterFor(std, false), time.Now()
	size, err := datadir.Reindex(ctx, *data, nil, m.show)
	m.clear()
	if err != nil {
		return cli.Unknown(err)
	}
	took := max(time.Since(start), time.Millisecond)
	fmt.Fprintf(std.Out, "indexed %d records in %s, %.0f a second\n", size, took.Round(time.Millisecond), float64(size)/took.Seconds())
	return nil
}
