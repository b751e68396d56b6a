package main

import (
	"context"
	"fmt"
	"time"

	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/cmd/internal/source"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
	"github.com/docket-ledger/docket/verify/stats"
	"github.com/docket-ledger/docket/verify/telling"
)

// statsJSON is what --json prints.
type statsJSON struct {
	Origin  string        `json:"origin"`
	Root    string        `json:"root"`
	AsOf    record.Time   `json:"as_of"`
	Overdue []stats.Count `json:"overdue"`
	stats.Figures
}

func countLog(ctx context.Context, args []string, std cli.Streams) error {
	flags := cli.Flags("docket-verify stats")
	policy := policyFlag(flags)
	asJSON := flags.Bool("json", false, "print all numbers as one JSON object")
	if err := flags.ParseArgs(args, 1, 1, "URL|DIR|ZIP", "docket-verify stats --policy trust.policy --json mirror"); err != nil {
		return err
	}
	if err := flags.Require("policy"); err != nil {
		return err
	}
	src, err := source.Open(flags.Arg(0))
	if err != nil {
		return err
	}
	c := stats.NewCounter()
	a := auditor{std: std, json: *asJSON, quiet: true, start: time.Now(),
		each: func(_ int64, r record.Checked, s rules.Standing) { c.Add(r, s) }}
	sum, err := a.run(ctx, src, *policy)
	if err != nil {
		return err
	}
	if sum.Broken > 0 {
		return fmt.Errorf("the log does not hold, so nothing is counted: %s", count(sum.Broken, "thing is listed above", "things are listed above"))
	}
	duties := make([]rules.Duty, len(sum.Duties))
	for i, d := range sum.Duties {
		duties[i] = d.Duty
	}
	cp := sum.Signed.Checkpoint
	out := statsJSON{cp.Origin, cp.Root.String(), record.Time(sum.Time), stats.Overdue(duties), c.Figures()}
	if *asJSON {
		a.print(out)
	} else {
		a.figures(sum, out)
	}
	return a.err
}

// figures tells the numbers in words.
func (a *auditor) figures(sum *verify.Summary, out statsJSON) {
	say := func(format string, args ...any) {
		if _, err := fmt.Fprintf(a.std.Out, format+"\n", args...); err != nil {
			a.err = err
		}
	}
	say("%s, %d records, root %s", out.Origin, out.Size, out.Root)
	say("  as of       %s, %s", out.AsOf, timeSource(sum.Witnessed))
	say("  records     %d effective, %d void (%d of them decisions)", out.Effective, out.Void, out.VoidDecisions)
	for _, n := range out.Overdue {
		say("  overdue     %d %s", n.Count, telling.Plain(n.Name))
	}
	d := out.Deciders
	say("  deciders    %d", d.Count)
	if d.Suppressed {
		say("              too few to say how they decide without saying who")
	} else if d.Count > 0 {
		say("              the busiest signed %d of %d decisions; like cases of different signers differ in %d of %d pairs",
			d.Busiest, out.All.Decisions, d.Agreement.Differing, d.Agreement.Pairs)
	}
	say("all decisions")
	tellClause(say, out.All)
	for _, c := range out.Clauses {
		say("%s on %s", telling.Plain(clauseTitle(c)), telling.Plain(string(c.Layer)))
		tellClause(say, c)
	}
}

func clauseTitle(c stats.Clause) string {
	switch {
	case c.Policy == "" && c.Clause == "":
		return "no clause"
	case c.Policy == "":
		return c.Clause
	}
	return c.Policy + ", clause " + c.Clause
}

func tellClause(say func(string, ...any), c stats.Clause) {
	say("  decisions   %d, and %d retrospective; %d acted, %d declined", c.Decisions, c.Retrospective, c.Acted, c.Declined)
	for _, n := range c.Outcomes {
		say("              %d %s", n.Count, telling.Plain(n.Name))
	}
	say("  spread      %d of %d pairs ended differently", c.Spread.Differing, c.Spread.Pairs)
	say("  on order    %d, by an authority or a court", c.ByOrder)
	say("  emergencies %d: %d ratified in time, %d too late, %d not", c.Emergencies, c.Ratified, c.TooLate, c.Unratified)
	say("  appealed    %d; rulings: %d upheld, %d reversed, %d modified", c.Appealed, c.Upheld, c.Reversed, c.Modified)
	for _, m := range []struct {
		what string
		stats.Median
	}{{"notice to decision", c.NoticeToDecision}, {"decision to appeal", c.DecisionToAppeal}, {"appeal to ruling", c.AppealToRuling}} {
		if m.Count > 0 {
			say("  median      %s: %v (of %d)", m.what, time.Duration(m.Seconds)*time.Second, m.Count)
		}
	}
}
