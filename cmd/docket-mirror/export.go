package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/cmd/internal/dsa"
	"github.com/docket-ledger/docket/cmd/internal/export"
	"github.com/docket-ledger/docket/cmd/internal/source"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
)

const exportExample = `docket-mirror export --policy trust.policy --format parquet --out tables mirror
  docket-mirror export --policy trust.policy --format dsa --out statements mirror
  docket-mirror export --policy trust.policy --verify tables`

// exportCommand writes what a log holds into files, or checks such files.
func exportCommand(ctx context.Context, args []string, std cli.Streams) error {
	flags := cli.Flags("docket-mirror export")
	policies := policyFlag(flags)
	name := flags.String("format", "", "`format` of the files: "+strings.Join(formatNames(), ", "))
	out := flags.String("out", "", "`folder` to write, empty or not there yet")
	check := flags.String("verify", "", "check that `folder` is as an export left it, and with --policy the checkpoint it names")
	if err := flags.ParseArgs(args, 0, 1, "[MIRROR]", exportExample); err != nil {
		return err
	}
	if *check != "" {
		if flags.NArg() > 0 || *name != "" || *out != "" {
			return cli.Usage(errors.New("--verify goes with --policy alone: want docket-mirror export [--policy TRUST] --verify DIR"))
		}
		return verifyExport(*check, *policies, std)
	}
	if len(*policies) == 0 {
		return cli.Usage(errors.New("--policy is missing"))
	}
	if err := flags.Require("format", "out"); err != nil {
		return err
	}
	if flags.NArg() == 0 {
		return cli.Usage(errors.New("MIRROR is missing"))
	}
	format, err := formatOf(*name)
	if err != nil {
		return err
	}
	src, err := source.Open(flags.Arg(0))
	if err != nil {
		return err
	}
	m := meter{std: std, quiet: !std.Terminal(), start: time.Now()}
	made, err := export.Run(ctx, export.Config{Source: src, Policies: *policies, Format: format, Dir: *out,
		Tool: "docket-mirror " + cli.Build(), Made: record.Time(time.Now().Unix()), Progress: m.entries})
	m.clear()
	if err != nil {
		return explainExport(err)
	}
	if err := tellExport(std, "EXPORTED", made, *out); err != nil {
		return err
	}
	if n := made.Counts[export.Refused]; n > 0 {
		return fmt.Errorf("the DSA Transparency Database would refuse %d statements, and they are not among the others: %s says which, by which rule, and what can be done",
			n, filepath.Join(*out, "refused.csv"))
	}
	return nil
}

func formatNames() (names []string) {
	for _, f := range export.Formats {
		names = append(names, f.Name)
	}
	return names
}

func formatOf(name string) (export.Format, error) {
	for _, f := range export.Formats {
		if f.Name == name {
			return f, nil
		}
	}
	return export.Format{}, cli.Usage(fmt.Errorf("no format %q: want one of %s%s", name, strings.Join(formatNames(), ", "), cli.Suggest(name, formatNames())))
}

// explainExport gives an error of an export its exit code.
func explainExport(err error) error {
	switch {
	case errors.Is(err, export.ErrInUse):
		return cli.Usage(fmt.Errorf("--out: %w; name one that is empty or not there yet", err))
	case errors.Is(err, export.ErrBroken):
		return fmt.Errorf("%w. docket-verify audit tells all that is wrong", err)
	case errors.Is(err, verify.ErrCheckpoint):
		return fmt.Errorf("%w. Nothing is exported", err)
	}
	return cli.Unknown(fmt.Errorf("%w. Nothing is exported", err))
}

func verifyExport(dir string, policies verify.Policies, std cli.Streams) error {
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return cli.Unknown(fmt.Errorf("%s: no such folder", dir))
	}
	if err != nil {
		return cli.Unknown(err)
	}
	defer root.Close()
	m, err := export.Verify(root.FS(), policies)
	if err != nil && !errors.Is(err, export.ErrAltered) {
		return cli.Unknown(err)
	}
	if err != nil {
		return err
	}
	if err := tellExport(std, "HOLDS", m, dir); err != nil {
		return err
	}
	signed := "the checkpoint satisfies the trust policy"
	if len(policies) == 0 {
		signed = "who signed the checkpoint was not checked: give --policy"
	}
	_, err = fmt.Fprintf(std.Out, "  proven      each file is as it was exported; %s\n  not proven  that the rows say what the log says: export the same size again and compare the hashes\n", signed)
	return err
}

// tellExport says what an export is.
func tellExport(std cli.Streams, word string, m *export.Manifest, dir string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s, %d records, root %s, as %s in %s\n", word, m.Origin, m.Size, m.Root, m.Format, dir)
	for _, f := range m.Files {
		fmt.Fprintf(&b, "  %-22s %d rows, %d bytes\n", f.Name, f.Rows, f.Size)
	}
	for _, what := range slices.Sorted(maps.Keys(m.Counts)) {
		fmt.Fprintf(&b, "  %-22s %d\n", what, m.Counts[what])
	}
	if n := m.Counts[dsa.NotMarked]; n > 0 {
		fmt.Fprintf(&b, "  %d decisions restrict hosting and were not meant for the database: if the service is an online platform, it owes them. See docs/dsa.md\n", n)
	}
	_, err := fmt.Fprint(std.Out, b.String())
	return err
}
