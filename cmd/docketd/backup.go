package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/cmd/internal/datadir"
	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/tree"
)

const backupExample = "docketd backup --data /var/lib/docket /backup/docket-2026-11-23"

// backup copies a ledger, running or not.
func backup(ctx context.Context, args []string, std cli.Streams) error {
	flags := cli.Flags("docketd backup")
	data := flags.String("data", "", "data `directory`; required")
	guard := flags.String("guard", "", "guard `file` of a ledger that is not running (default guard in the data directory)")
	asJSON := flags.Bool("json", false, "print one JSON object")
	if err := flags.ParseArgs(args, 1, 1, "DIR", backupExample); err != nil {
		return err
	}
	if err := flags.Require("data"); err != nil {
		return err
	}
	out := flags.Arg(0)
	place, err := datadir.NewPlace(out)
	if errors.Is(err, fs.ErrExist) {
		return err
	}
	if err != nil {
		return cli.Unknown(err)
	}
	rep, err := backupInto(ctx, *data, *guard, place, meterFor(std, *asJSON))
	if err := errors.Join(err, place.Close()); err != nil {
		return notDone(err)
	}
	if *asJSON {
		return printJSON(std, rep)
	}
	_, err = fmt.Fprintf(std.Out, "BACKED UP  %s, %d records, in %s: all of it was read back, its root is %s\n", rep.Origin, rep.Size, out, rep.Root)
	return err
}

// notDone gives an error its exit code: 1 if the ledger or the copy is broken, 3 if
// it could not be made now.
func notDone(err error) error {
	var broken *brokenError
	if errors.As(err, &broken) {
		return err
	}
	return cli.Unknown(err)
}

// backupInto makes a backup and reads it back.
func backupInto(ctx context.Context, data, guard string, place *datadir.Place, m *meter) (*datadir.Report, error) {
	body, err := json.Marshal(backupRequest{place.Partial})
	if err != nil {
		return nil, err
	}
	m.say("copying")
	_, err = ask(ctx, data, "POST", "/backup", body)
	if errors.Is(err, errNotRunning) {
		err = datadir.Backup(ctx, data, datadir.Options{Guard: guard}, place.Partial)
		if errors.Is(err, tree.ErrInUse) {
			err = fmt.Errorf("%w. It does not answer on %s: it is just starting, or of an earlier version", err, filepath.Join(data, controlName))
		}
		if errors.Is(err, ledger.ErrEmpty) {
			err = fmt.Errorf("%w: there is nothing to copy but %s", err, filepath.Join(data, "keys"))
		}
	}
	if err != nil {
		return nil, err
	}
	rep, err := datadir.Check(ctx, place.Partial, datadir.CheckOptions{Progress: m.show})
	m.clear()
	if err != nil {
		return nil, fmt.Errorf("the copy could not be read back: %w", err)
	}
	if len(rep.Faults) > 0 {
		return nil, &brokenError{rep}
	}
	return rep, place.Finish()
}

// A brokenError says that a copy does not hold; so the ledger does not.
type brokenError struct{ rep *datadir.Report }

func (e *brokenError) Error() string {
	return fmt.Sprintf("the copy does not hold, and was removed: %v. The ledger itself is broken there, or the disk of the copy: docketd check tells more", e.rep.Faults[0])
}

// A meter tells on a terminal how far something is, every second.
type meter struct {
	std   cli.Streams
	quiet bool

	mu   sync.Mutex
	last time.Time // something was told
}

func meterFor(std cli.Streams, asJSON bool) *meter {
	return &meter{std: std, quiet: asJSON || !std.Terminal()}
}

// say tells what is being done.
func (m *meter) say(what string) {
	if !m.quiet {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.last = time.Now()
		fmt.Fprintf(m.std.Err, "\rdocketd: %s … \033[K", what)
	}
}

// show tells how many records are done.
func (m *meter) show(done, of int64) {
	if m.quiet || !m.mu.TryLock() {
		return
	}
	defer m.mu.Unlock()
	if time.Since(m.last) >= time.Second {
		m.last = time.Now()
		fmt.Fprintf(m.std.Err, "\rdocketd: %d of %d records read, %d %% \033[K", done, of, 100*done/max(of, 1))
	}
}

// clear makes room for what is said in the end.
func (m *meter) clear() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.last.IsZero() {
		fmt.Fprint(m.std.Err, "\r\033[K")
	}
}

func printJSON(std cli.Streams, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(std.Out, "%s\n", b)
	return err
}
