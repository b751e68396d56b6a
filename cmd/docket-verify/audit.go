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
	"github.com/docket-ledger/docket/cmd/internal/source"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
	"github.com/docket-ledger/docket/verify/telling"
)

func audit(ctx context.Context, args []string, std cli.Streams) error {
	flags := cli.Flags("docket-verify audit")
	policy := policyFlag(flags)
	strict := flags.Bool("strict", false, "exit 1 for void records and notes, too")
	asJSON := flags.Bool("json", false, "print one JSON object a finding, and last one with the summary")
	evidence := flags.String("evidence", "", evidenceUse)
	state := flags.String("state", "", "`file` to resume from if it is there, and to keep this audit in if it holds")
	var earlier []string
	flags.Func("checkpoint", "`file` with a checkpoint of this log from before: the log must be what that has grown to; may be repeated", func(s string) error {
		earlier = append(earlier, s)
		return nil
	})
	if err := flags.ParseArgs(args, 1, 1, "URL|DIR|ZIP", "docket-verify audit --policy trust.policy --state audit.state https://ledger.example.com"); err != nil {
		return err
	}
	if err := flags.Require("policy"); err != nil {
		return err
	}
	src, err := source.Open(flags.Arg(0))
	if err != nil {
		return err
	}
	a := auditor{std: std, json: *asJSON, start: time.Now()}
	if a.resume, err = readState(*state); err != nil {
		return err
	}
	if a.earlier, err = readFiles(earlier); err != nil {
		return err
	}
	sum, err := a.run(ctx, src, *policy)
	if err != nil {
		return err
	}
	if err := keepState(*state, sum.Saved(a.start.Unix())); err != nil {
		return err
	}
	if err := a.summary(sum); err != nil {
		return err
	}
	if a.accused != nil && *evidence != "" {
		if err := keepEvidence(*evidence, *a.accused); err != nil {
			return err
		}
	}
	if sum.Broken > 0 || *strict && (a.found > 0 || sum.Void > 0) {
		return cli.DoesNotHold()
	}
	return nil
}

// An auditor tells what an audit finds.
type auditor struct {
	std   cli.Streams
	json  bool
	start time.Time
	quiet bool // tells only what is broken
	found int
	err   error // of writing

	accused *verify.Evidence // the first fork, or else that the log is smaller

	resume  *verify.Saved
	earlier [][]byte // checkpoints, as signed
	each    func(index int64, r record.Checked, s rules.Standing)
}

// run audits under the newest policy that takes the log's checkpoint.
func (a *auditor) run(ctx context.Context, src verify.Source, policy policies) (*verify.Summary, error) {
	held, err := policy.Held(a.earlier...)
	if err != nil {
		return nil, fmt.Errorf("--checkpoint: %w", err)
	}
	sum, err := policy.Audit(ctx, src, verify.AuditOptions{Found: a.finding, Progress: a.progress(), Earlier: held, Resume: a.resume, Each: a.each})
	switch {
	case err == nil:
		return sum, a.err
	case errors.Is(err, verify.ErrCheckpoint):
		return nil, err
	case errors.Is(err, verify.ErrSaved):
		return nil, fmt.Errorf("%w; give another --state, or remove that file", err)
	}
	return nil, cli.Unknown(err)
}

// progress tells on a terminal how far the audit is, every second.
func (a *auditor) progress() func(entries, of int64) {
	if a.json || !a.std.Terminal() {
		return nil
	}
	var first int64
	last := time.Now()
	return func(entries, of int64) {
		if first == 0 {
			first = entries
		}
		if time.Since(last) < time.Second {
			return
		}
		last = time.Now()
		rate := float64(entries-first) / time.Since(a.start).Seconds()
		left := "?"
		if rate > 0 {
			left = time.Duration(float64(of-entries) / rate * float64(time.Second)).Round(time.Second).String()
		}
		fmt.Fprintf(a.std.Err, "\rdocket-verify: %d of %d entries, %.0f a second, %s left \033[K", entries, of, rate, left)
	}
}

func (a *auditor) finding(f verify.Finding) {
	a.found++
	if f.Evidence != nil && (a.accused == nil || a.accused.Kind != verify.KindFork) {
		a.accused = f.Evidence
	}
	if a.quiet && f.Severity != verify.Broken {
		return
	}
	if a.json {
		a.print(f)
		return
	}
	where := "log"
	if f.Index >= 0 {
		where = fmt.Sprintf("entry %d", f.Index)
	}
	if _, err := fmt.Fprintf(a.std.Out, "%-6s %-10s %s: %s\n", f.Severity, where, f.Code, telling.Plain(f.Detail)); err != nil {
		a.err = err
	}
}

func (a *auditor) print(v any) {
	b, err := json.Marshal(v, json.Deterministic(true))
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
	Resumed   int64                 `json:"resumed"`
	ByType    map[record.Type]int64 `json:"by_type"`
	Time      record.Time           `json:"time,omitzero"`
	Witnessed bool                  `json:"witnessed"`
	Duties    []verify.Owed         `json:"duties"`
	Gaps      []rules.Gap           `json:"gaps"`
}

func (a *auditor) summary(s *verify.Summary) error {
	cp := s.Signed.Checkpoint
	if a.json {
		a.print(summaryJSON{true, s.Broken == 0, cp.Origin, cp.Size, cp.Root.String(), s.Effective, s.Void, s.Unjudged, s.Broken, a.found, s.Resumed,
			s.ByType, record.Time(s.Time), s.Witnessed, s.Duties, s.Gaps})
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
	if s.Resumed > 0 {
		say("  resumed     entries 0 to %d were checked by the audit in --state, and this tree extends that one", s.Resumed-1)
	}
	say("  witnesses   %s", witnesses(s.Signed))
	say("  records     %d effective, %d void; %s", s.Effective, s.Void, types(s.ByType))
	say("  time        %s, %s", record.Time(s.Time), timeSource(s.Witnessed))
	a.duties(s)
	for _, g := range s.Gaps {
		say("  missing     numbers %d to %d of key %s: something that it signed may have been kept from the log", g.First, g.Last, g.KID)
	}
	say("  proven      every signature; that the records stand in this order, unchanged under this checkpoint; and, by the")
	say("              published rules alone, which of them count and what is owed")
	say("  not proven  %s that the log shows everyone the same: compare checkpoints with others;", unprovenTime(s.Witnessed))
	say("              that the facts are true, that two names are two people, that everything was recorded")
	return nil
}

func timeSource(witnessed bool) string {
	if witnessed {
		return "shown by witnesses of the trust policy"
	}
	return "as signers claim"
}

func unprovenTime(witnessed bool) string {
	if witnessed {
		return ""
	}
	return "the times, which signers claim;"
}

// duties lists what is owed, what is overdue before the rest.
func (a *auditor) duties(s *verify.Summary) {
	if len(s.Duties) == 0 {
		fmt.Fprintln(a.std.Out, "  owed        nothing")
	}
	for _, d := range s.Duties {
		fmt.Fprintf(a.std.Out, "  owed        %s\n", telling.Plain(telling.Duty(d.Duty)))
	}
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
