package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/docket-ledger/docket/api/client"
	"github.com/docket-ledger/docket/api/problem"
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
	compare := flags.String("compare", "", "`URL` of a ledger whose own numbers are held against what is counted; a ledger that is counted itself is always compared")
	if err := flags.ParseArgs(args, 1, 1, "URL|DIR|ZIP", "docket-verify stats --policy trust.policy --compare https://ledger.example.com mirror"); err != nil {
		return err
	}
	if err := flags.Require("policy"); err != nil {
		return err
	}
	src, err := source.Open(flags.Arg(0))
	if err != nil {
		return err
	}
	said, err := statsSaid(ctx, *compare, src)
	if err != nil {
		return err
	}
	c, then := stats.NewCounter(), stats.NewCounter().Figures()
	a := auditor{std: std, json: *asJSON, quiet: true, start: time.Now(),
		each: func(index int64, r record.Checked, s rules.Standing) {
			if c.Add(r, s); said != nil && index+1 == said.Size {
				then = c.Figures()
			}
		}}
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
	if a.err != nil || said == nil {
		return a.err
	}
	return a.compared(cp, then, said)
}

// statsSaid returns what a ledger says that the numbers are: that of compare, else the
// one that is counted, if it is one and says any; nil if none is asked.
func statsSaid(ctx context.Context, compare string, counted verify.Source) (*client.Stats, error) {
	c, _ := counted.(*client.Client)
	if compare != "" {
		var err error
		if c, err = client.New(compare); err != nil {
			return nil, cli.Usage(fmt.Errorf("--compare: %w", err))
		}
	}
	if c == nil {
		return nil, nil
	}
	for {
		said, err := c.Stats(ctx)
		var p *problem.Problem
		switch {
		case err == nil:
			return &said, nil
		case errors.Is(err, fs.ErrNotExist) && compare == "": // a copy, served
			return nil, nil
		case errors.As(err, &p) && p.RetryAfter > 0 && p.RetryAfter <= maxRetryAfter: // it counts
			select {
			case <-time.After(p.RetryAfter):
			case <-ctx.Done():
				return nil, cli.Unknown(ctx.Err())
			}
		default:
			return nil, cli.Unknown(fmt.Errorf("ask the ledger for its numbers: %w", err))
		}
	}
}

// maxRetryAfter is the longest pause that a ledger may ask for.
const maxRetryAfter = time.Minute

// compared tells how what a ledger says differs from what was counted at that size.
func (a *auditor) compared(cp verify.Checkpoint, counted stats.Figures, said *client.Stats) error {
	switch {
	case said.Origin != cp.Origin:
		return fmt.Errorf("the server's numbers are of the log %q, those counted of %q", said.Origin, cp.Origin)
	case said.Size > cp.Size:
		return cli.Unknown(fmt.Errorf("the server has counted %d records, and this copy has %d: docket-mirror sync brings the rest", said.Size, cp.Size))
	case said.Size == cp.Size && said.Root != cp.Root.String():
		return fmt.Errorf("the server has counted another log: its root at size %d is %q, this one's %s. docket-verify diff compares the two", cp.Size, said.Root, cp.Root)
	}
	wrong := counted.Differences(said.Figures, "the server")
	for _, d := range wrong {
		fmt.Fprintf(a.std.Err, "docket-verify: at size %d: %s\n", said.Size, telling.Plain(d))
	}
	if len(wrong) > 0 {
		return fmt.Errorf("the server's numbers are not those of the log: %s listed above", count(int64(len(wrong)), "difference is", "differences are"))
	}
	if !a.json {
		_, err := fmt.Fprintf(a.std.Out, "the server says the same of the first %d records\n", said.Size)
		return err
	}
	return nil
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
