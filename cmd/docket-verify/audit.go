package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
)

func audit(ctx context.Context, args []string, std cli.Streams) error {
	flags := cli.Flags("docket-verify audit")
	policy := policyFlag(flags)
	strict := flags.Bool("strict", false, "exit 1 for void records and notes, too")
	asJSON := flags.Bool("json", false, "print one JSON object a finding, and last one with the summary")
	if err := flags.ParseArgs(args, 1, 1, "URL|DIR", "docket-verify audit --policy trust.policy https://ledger.example.com"); err != nil {
		return err
	}
	if err := flags.Require("policy"); err != nil {
		return err
	}
	src, err := openSource(flags.Arg(0))
	if err != nil {
		return err
	}
	a := auditor{std: std, json: *asJSON}
	sum, err := a.run(ctx, src, *policy)
	if err != nil {
		return err
	}
	if err := a.summary(sum); err != nil {
		return err
	}
	if sum.Broken > 0 || *strict && a.found > 0 {
		return cli.DoesNotHold()
	}
	return nil
}

// An auditor tells what an audit finds.
type auditor struct {
	std   cli.Streams
	json  bool
	found int
	err   error // of writing
}

// run audits under the first policy that knows the log.
func (a *auditor) run(ctx context.Context, src verify.Source, policy policies) (*verify.Summary, error) {
	var first error
	for _, p := range policy {
		sum, err := verify.Audit(ctx, src, p, verify.AuditOptions{Found: a.finding, Progress: a.progress()})
		switch {
		case err == nil:
			return sum, a.err
		case errors.Is(err, verify.ErrUnknownLog):
			if first == nil {
				first = err
			}
		case errors.Is(err, verify.ErrCheckpoint):
			return nil, err
		default:
			return nil, cli.Unknown(err)
		}
	}
	return nil, first
}

// progress tells on a terminal how far the audit is, every second.
func (a *auditor) progress() func(int64) {
	if a.json || !a.std.Terminal() {
		return nil
	}
	start, last := time.Now(), time.Now()
	return func(entries int64) {
		if time.Since(last) < time.Second {
			return
		}
		last = time.Now()
		fmt.Fprintf(a.std.Err, "\rdocket-verify: %d entries, %.0f a second ", entries, float64(entries)/time.Since(start).Seconds())
	}
}

func (a *auditor) finding(f verify.Finding) {
	a.found++
	if a.json {
		a.print(f)
		return
	}
	where := "log"
	if f.Index >= 0 {
		where = fmt.Sprintf("entry %d", f.Index)
	}
	if _, err := fmt.Fprintf(a.std.Out, "%-6s %-10s %s: %s\n", f.Severity, where, f.Code, cli.Plain(f.Detail)); err != nil {
		a.err = err
	}
}

func (a *auditor) print(v any) {
	b, err := json.Marshal(v)
	if err == nil {
		_, err = fmt.Fprintf(a.std.Out, "%s\n", b)
	}
	if err != nil {
		a.err = err
	}
}

// summaryJSON is the last line of --json.
type summaryJSON struct {
	Summary   bool                  `json:"summary"`
	Holds     bool                  `json:"holds"`
	Origin    string                `json:"origin"`
	Size      int64                 `json:"size"`
	Root      string                `json:"root"`
	Effective int64                 `json:"effective"`
	Void      int64                 `json:"void"`
	Unjudged  int64                 `json:"unjudged"`
	Broken    int64                 `json:"broken"`
	Findings  int                   `json:"findings"`
	ByType    map[record.Type]int64 `json:"by_type"`
}

func (a *auditor) summary(s *verify.Summary) error {
	cp := s.Signed.Checkpoint
	if a.json {
		a.print(summaryJSON{true, s.Broken == 0, cp.Origin, cp.Size, cp.Root.String(), s.Effective, s.Void, s.Unjudged, s.Broken, a.found, s.ByType})
		return a.err
	}
	say := func(format string, args ...any) { fmt.Fprintf(a.std.Out, format+"\n", args...) }
	if s.Broken > 0 {
		say("DOES NOT HOLD  %s, %d records", cp.Origin, cp.Size)
		say("  %s above that an honest server can't produce. Keep this copy: it is the evidence.", count(s.Broken, "thing is listed", "things are listed"))
		if s.Unjudged > 0 {
			say("  %d records could not be judged by the rules for want of what was altered.", s.Unjudged)
		}
		return nil
	}
	say("HOLDS  %s, %d records", cp.Origin, cp.Size)
	say("  tree        every tile and entry was hashed to the root that the log signed, %v", cp.Root)
	say("  witnesses   %s", witnesses(s.Signed))
	say("  records     %d effective, %d void; %s", s.Effective, s.Void, types(s.ByType))
	say("  proven      every signature; that the records stand in this order, unchanged under this checkpoint; and, by the")
	say("              published rules alone, which of them count")
	say("  not proven  the times, which signers claim; that the log shows everyone the same: compare checkpoints with others;")
	say("              that the facts are true, that two names are two people, that everything was recorded")
	return nil
}

func count(n int64, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, more)
}

func types(by map[record.Type]int64) string {
	var words []string
	for t, n := range by {
		words = append(words, fmt.Sprintf("%d %s", n, t))
	}
	slices.Sort(words)
	return strings.Join(words, ", ")
}
