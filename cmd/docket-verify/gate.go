package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/cmd/internal/source"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
)

// gate answers an enforcement system: exit code 0 only if it may act now.
func gate(ctx context.Context, args []string, std cli.Streams) error {
	flags := cli.Flags("docket-verify gate")
	policy := policyFlag(flags)
	ask := verify.Ask{}
	flags.Func("action", "`action` that is about to be done, required", oneOf(&ask.Action, record.Actions))
	flags.Func("layer", "service `layer` that it is done on, required", oneOf(&ask.ServiceLayer, record.ServiceLayers))
	flags.StringVar(&ask.SubjectRef, "subject-ref", "", "`ref` of the subject, its keyed pseudonym, required")
	state := flags.String("state", "", "`file` that docket-verify audit --state keeps")
	fresh := flags.String("fresh", "", "`url` of the ledger or folder of a mirror, to audit now; with --state only what is new is read, and kept")
	maxAge := flags.Duration("max-age", time.Hour, "how old the audit may be, a `duration`")
	used := flags.String("used", "", "`file` that remembers which decisions were acted on: none passes twice")
	if err := flags.ParseArgs(args, 1, 1, "RECEIPT", `docket-verify gate --policy trust.policy --state audit.state --used used.txt \
      --action suspend --layer hosting --subject-ref REF decision.tlog-proof`); err != nil {
		return err
	}
	if err := flags.Require("policy", "subject-ref"); err != nil {
		return err
	}
	if ask.Action == "" || ask.ServiceLayer == "" {
		return cli.Usage(errors.New("--action or --layer is missing"))
	}
	if *state == "" && *fresh == "" {
		return cli.Usage(errors.New("--state or --fresh is missing: a receipt can't tell what came after it"))
	}
	ask.Now, ask.MaxAge = time.Now().Unix(), int64(maxAge.Seconds())
	text, err := os.ReadFile(flags.Arg(0))
	if err != nil {
		return cli.Unknown(err)
	}
	receipt, err := verify.ParseReceipt(text)
	if err != nil {
		return err
	}
	saved, err := audited(ctx, *state, *fresh, *policy, std)
	if err != nil {
		return err
	}
	proven, err := policy.Gate(saved, receipt, ask)
	if errors.Is(err, verify.ErrStale) || errors.Is(err, verify.ErrNotShown) {
		return cli.Unknown(err)
	}
	if err != nil {
		return err
	}
	if err := useOnce(*used, proven.ID); err != nil {
		return err
	}
	fmt.Fprintf(std.Out, "PERMITTED  %s on %s by %s\n", ask.Action, ask.ServiceLayer, proven.ID)
	return nil
}

// oneOf parses a flag that has a fixed set of values.
func oneOf[S ~string](to *S, allowed []S) func(string) error {
	return func(s string) error {
		if !slices.Contains(allowed, S(s)) {
			words := make([]string, len(allowed))
			for i, a := range allowed {
				words[i] = string(a)
			}
			return fmt.Errorf("want one of %s%s", strings.Join(words, ", "), cli.Suggest(s, words))
		}
		*to = S(s)
		return nil
	}
}

// audited returns the audit to answer from: kept in a file, or made now.
func audited(ctx context.Context, state, fresh string, policy policies, std cli.Streams) (*verify.Saved, error) {
	saved, err := readState(state)
	if err != nil {
		return nil, err
	}
	if fresh == "" {
		if saved == nil {
			return nil, cli.Unknown(fmt.Errorf("there is no %s: make it with docket-verify audit --state", state))
		}
		return saved, nil
	}
	src, err := source.Open(fresh)
	if err != nil {
		return nil, err
	}
	a := auditor{std: cli.Streams{In: std.In, Out: std.Err, Err: std.Err}, start: time.Now(), resume: saved, quiet: true}
	sum, err := a.run(ctx, src, policy)
	if err != nil {
		return nil, err
	}
	saved = sum.Saved(a.start.Unix())
	if saved == nil {
		return nil, errors.New("the log does not hold, see above")
	}
	return saved, keepState(state, saved)
}

// useOnce notes that a decision is acted on, on stable storage, unless it was
// before. The file has one id a line; it is locked meanwhile.
func useOnce(path string, id record.ID) (err error) {
	if path == "" {
		return nil
	}
	_, statErr := os.Stat(path)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return cli.Unknown(err)
	}
	defer func() {
		if closeErr := f.Close(); err == nil && closeErr != nil {
			err = cli.Unknown(closeErr)
		}
	}()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return cli.Unknown(fmt.Errorf("lock %s: %w", path, err))
	}
	text, err := io.ReadAll(f)
	if err != nil {
		return cli.Unknown(err)
	}
	if len(text) > 0 && text[len(text)-1] != '\n' {
		return cli.Unknown(fmt.Errorf("%s ends within a line: somebody else wrote to it, or a disk was full; look at it before anything is acted on", path))
	}
	for line := range bytes.Lines(text) {
		if string(bytes.TrimSuffix(line, []byte("\n"))) == string(id) {
			return fmt.Errorf("%w: it was acted on before, see %s", verify.ErrForbidden, path)
		}
	}
	if _, err := f.WriteString(string(id) + "\n"); err != nil {
		return cli.Unknown(err)
	}
	if err := f.Sync(); err != nil {
		return cli.Unknown(err)
	}
	if statErr != nil { // it is new: its name must be there after a crash, too
		return syncDir(filepath.Dir(path))
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return cli.Unknown(err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return cli.Unknown(err)
	}
	return nil
}
