package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/cmd/internal/export"
	"github.com/docket-ledger/docket/cmd/internal/report"
	"github.com/docket-ledger/docket/cmd/internal/source"
	"github.com/docket-ledger/docket/verify/record"
)

// reportCommand writes the transparency report of a period.
func reportCommand(ctx context.Context, args []string, std cli.Streams) error {
	flags := cli.Flags("docket-mirror report")
	policies := policyFlag(flags)
	from := flags.String("from", "", "first `day` of the period, UTC, like 2026-01-01")
	to := flags.String("to", "", "its last `day`")
	out := flags.String("out", "", "`folder` to write, empty or not there yet")
	if err := flags.ParseArgs(args, 1, 1, "MIRROR", "docket-mirror report --policy trust.policy --from 2026-01-01 --to 2026-06-30 --out report mirror"); err != nil {
		return err
	}
	if len(*policies) == 0 {
		return cli.Usage(errors.New("--policy is missing"))
	}
	if err := flags.Require("from", "to", "out"); err != nil {
		return err
	}
	c := report.Config{Tool: "docket-mirror " + cli.Build(),
		Command: fmt.Sprintf("docket-mirror report --policy trust.policy --from %s --to %s --out report mirror", *from, *to)}
	for _, day := range []struct {
		flag, text string
		at         *time.Time
	}{{"from", *from, &c.From}, {"to", *to, &c.To}} {
		var err error
		if *day.at, err = time.Parse(time.DateOnly, day.text); err != nil {
			return cli.Usage(fmt.Errorf("--%s %q is not a day like 2026-01-01", day.flag, day.text))
		}
	}
	if c.To.Before(c.From) {
		return cli.Usage(fmt.Errorf("--to %s is before --from %s", *to, *from))
	}
	src, err := source.Open(flags.Arg(0))
	if err != nil {
		return err
	}
	m := meter{std: std, quiet: !std.Terminal(), start: time.Now()}
	made, err := export.Run(ctx, export.Config{Source: src, Policies: *policies, Format: report.Format(c), Dir: *out,
		Tool: c.Tool, Made: record.Time(time.Now().Unix()), Progress: m.entries})
	m.clear()
	if err != nil {
		return explainExport(err)
	}
	return tellExport(std, "REPORTED", made, *out)
}
