package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/cmd/internal/datadir"
	"github.com/docket-ledger/docket/ledger/tree"
)

// status tells how a ledger stands, running or not.
func status(ctx context.Context, args []string, std cli.Streams) error {
	flags := cli.Flags("docketd status")
	data := flags.String("data", "", "data `directory`; required")
	guard := flags.String("guard", "", "guard `file` of a ledger that is not running (default guard in the data directory)")
	asJSON := flags.Bool("json", false, "print one JSON object")
	if err := flags.ParseArgs(args, 0, 0, "", "docketd status --data /var/lib/docket"); err != nil {
		return err
	}
	if err := flags.Require("data"); err != nil {
		return err
	}
	s := &datadir.Status{}
	b, err := ask(ctx, *data, "GET", "/status", nil)
	switch {
	case errors.Is(err, errNotRunning):
		s, err = datadir.Stand(*data, *guard)
		if errors.Is(err, tree.ErrInUse) {
			err = fmt.Errorf("%w by a docketd that does not answer: it is just starting, or of an earlier version", err)
		}
	case err == nil:
		err = json.Unmarshal(b, s)
	}
	if err != nil {
		return cli.Unknown(err)
	}
	if *asJSON {
		return printJSON(std, s)
	}
	tellStatus(std.Out, s)
	return nil
}

// status is what the running docketd answers.
func (o *operator) status(ctx context.Context) (*datadir.Status, error) {
	s, err := o.dir.Status(ctx)
	if err != nil {
		return nil, err
	}
	s.Started, s.Uptime = o.since.UTC().Format(time.RFC3339), int64(time.Since(o.since).Seconds())
	s.Version = version()
	return s, nil
}

// version says what this program was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return strings.TrimSpace(info.Main.Version + " " + s.Value)
		}
	}
	return info.Main.Version
}

func tellStatus(w io.Writer, s *datadir.Status) {
	line := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%-12s %s\n", name, fmt.Sprintf(format, args...))
	}
	line("ledger", "%s", s.Origin)
	if s.Running {
		line("running", "since %s, for %v; version %s", s.Started, time.Duration(s.Uptime)*time.Second, s.Version)
		line("takes", "%s; %d of at most %d records are on their way", map[bool]string{true: "records", false: "no records: " + s.Ready}[s.Ready == "yes"], s.Queue, s.QueueMax)
	} else {
		line("running", "no")
	}
	if line("log", "%d records, root %s", s.Size, s.Root); s.Size > 0 {
		line("newest", "%s", s.HeadAt)
	}
	switch {
	case s.Guard.Error != "":
		line("guard", "%s: %s", s.Guard.Path, s.Guard.Error)
	case s.Guard.Size > s.Size:
		line("guard", "%s: of %d records, more than the log has: docketd check tells more", s.Guard.Path, s.Guard.Size)
	default:
		line("guard", "%s: of %d records", s.Guard.Path, s.Guard.Size)
	}
	if s.Checkpoints > 0 || s.Witnessed > 0 {
		line("witnessed", "%d records; %d such checkpoints are kept", s.Witnessed, s.Checkpoints)
	}
	for _, w := range s.Witnesses {
		switch {
		case w.Faulty:
			line("witness", "%s: FAULTY, it answered what no honest witness can: %s (%s)", w.Name, w.Error, w.ErrorAt)
		case w.Error != "":
			line("witness", "%s: %d records, %d behind, at %s; at %s: %s", w.Name, w.Size, s.Size-w.Size, w.At, w.ErrorAt, w.Error)
		default:
			line("witness", "%s: %d records, %d behind, at %s", w.Name, w.Size, s.Size-w.Size, w.At)
		}
	}
	line("free", "%d MiB", s.Free>>20)
	for _, m := range s.Marks {
		line("mark", "%s", m)
	}
}
