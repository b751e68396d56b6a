package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/aymanbagabas/go-udiff"

	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/telling"
)

// policyBefore returns the version before that a new version of a policy
// replaces: from a file, or from a ledger; nil if neither is named or there is
// none.
func policyBefore(ctx context.Context, p *record.PolicyPublish, file, url string) (*record.PolicyPublish, error) {
	switch {
	case file != "" && url != "":
		return nil, cli.Usage(errors.New("give --before or --from, not both"))
	case file != "":
		return policyFrom(file)
	case url == "":
		return nil, nil
	}
	c, err := connect(url)
	if err != nil {
		return nil, err
	}
	known, err := c.Policy(ctx, p.Policy)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, told(err)
	}
	last := known.Versions[len(known.Versions)-1]
	if p.Version != last.Version+1 {
		return nil, fmt.Errorf("the ledger has version %d of policy %s, so the next one is %d, not %d", last.Version, p.Policy, last.Version+1, p.Version)
	}
	r, err := c.Record(ctx, last.Record)
	if err != nil {
		return nil, told(err)
	}
	if record.IDOf(r.Record) != last.Record {
		return nil, fmt.Errorf("the ledger answers for %s with another record", last.Record)
	}
	return policyIn(r.Record)
}

// policyFrom reads a policy from a draft, a record, a receipt or a YAML file.
func policyFrom(file string) (*record.PolicyPublish, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	switch {
	case strings.HasPrefix(string(b), "c2sp.org/tlog-proof@"):
		if b, err = recordIn(b); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	case !strings.HasPrefix(string(b), "{"):
		s, err := parseSheet(file, b)
		if err != nil {
			return nil, err
		}
		p := &record.PolicyPublish{}
		return p, s.payload(p, record.TypePolicyPublish, "")
	}
	return policyIn(b)
}

func policyIn(b []byte) (*record.PolicyPublish, error) {
	u, err := record.ParseDraft(b)
	if err != nil {
		return nil, err
	}
	p, ok := u.Payload().(*record.PolicyPublish)
	if !ok {
		return nil, fmt.Errorf("a record of type %s, want policy.publish", u.Payload().Head().Type)
	}
	return p, nil
}

// tellChanges says what a new version of a policy changes, clause by clause.
func tellChanges(out io.Writer, before, after *record.PolicyPublish) {
	fmt.Fprintf(out, "Policy %s, version %d after version %d:\n", telling.Plain(after.Policy), after.Version, before.Version)
	changed := false
	say := func(format string, args ...any) {
		changed = true
		fmt.Fprintf(out, format+"\n", args...)
	}
	for _, old := range before.Clauses {
		if clauseNamed(after, old.Clause) == nil {
			say("  - clause %s, %q, is gone: what it permitted is permitted no more by it", old.Clause, telling.Plain(old.Title))
		}
	}
	for _, c := range after.Clauses {
		old := clauseNamed(before, c.Clause)
		if old == nil {
			say("  + clause %s, %q, is new", c.Clause, telling.Plain(c.Title))
			for _, line := range clauseLines(&c) {
				say("      + %s", line)
			}
			continue
		}
		var lines []string
		lines = append(lines, lineChanges(clauseLines(old), clauseLines(&c))...)
		lines = append(lines, tendency(old, &c)...)
		if d := wordChanges(old.Title, c.Title); d != "" {
			lines = append(lines, "title: "+d)
		}
		if d := wordChanges(old.Text, c.Text); d != "" {
			lines = append(lines, "text: "+d)
		}
		if len(lines) > 0 {
			say("  ~ clause %s", c.Clause)
			for _, line := range lines {
				say("      %s", line)
			}
		}
	}
	if !changed {
		fmt.Fprintln(out, "  no clause changes")
	}
}

func clauseNamed(p *record.PolicyPublish, name string) *record.Clause {
	i := slices.IndexFunc(p.Clauses, func(c record.Clause) bool { return c.Clause == name })
	if i < 0 {
		return nil
	}
	return &p.Clauses[i]
}

// clauseLines are what a clause permits and demands, a fact to a line, as signers
// are shown them.
func clauseLines(c *record.Clause) []string {
	var w words
	only := *c
	w.policy(&record.PolicyPublish{Clauses: []record.Clause{only}})
	var lines []string
	for line := range strings.Lines(w.facts.String()) {
		_, rest, ok := strings.Cut(strings.TrimSpace(line), "clause "+c.Clause)
		switch {
		case ok:
			lines = append(lines, strings.TrimSpace(rest))
		case !strings.HasPrefix(strings.TrimSpace(line), "publishes") && !strings.HasPrefix(strings.TrimSpace(line), "in force from"):
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

func lineChanges(old, next []string) (out []string) {
	for _, l := range old {
		if !slices.Contains(next, l) {
			out = append(out, "- "+l)
		}
	}
	for _, l := range next {
		if !slices.Contains(old, l) {
			out = append(out, "+ "+l)
		}
	}
	return out
}

// tendency says which way a clause moves, where that can be said.
func tendency(old, next *record.Clause) (out []string) {
	number := func(what string, before, now int64, moreIsStricter bool) {
		if before == now {
			return
		}
		word := "looser"
		if (now > before) == moreIsStricter {
			word = "stricter"
		}
		out = append(out, fmt.Sprintf("%s: %s (%d, before %d)", word, what, now, before))
	}
	number("people who must sign", old.Quorum.Count, next.Quorum.Count, true)
	if (old.Notice == nil) != (next.Notice == nil) {
		if old.Notice == nil {
			out = append(out, "stricter: the subject has to be told before")
		} else {
			out = append(out, "looser: the subject need not be told before")
		}
	} else if old.Notice != nil {
		number("hours of notice", old.Notice.Hours, next.Notice.Hours, true)
	}
	switch {
	case old.Emergency == nil && next.Emergency != nil:
		out = append(out, "looser: an emergency is possible")
	case old.Emergency != nil && next.Emergency == nil:
		out = append(out, "stricter: no emergency is possible any more")
	case old.Emergency != nil:
		number("people who decide in an emergency", old.Emergency.Quorum.Count, next.Emergency.Quorum.Count, true)
		number("people who must ratify", old.Emergency.Ratifiers.Count, next.Emergency.Ratifiers.Count, true)
		number("hours to ratify", old.Emergency.RatifyWithin, next.Emergency.RatifyWithin, false)
	}
	if old.MaxDuration > 0 && next.MaxDuration > 0 {
		number("hours that a measure may last", old.MaxDuration, next.MaxDuration, false)
	}
	if old.Appeal != nil && next.Appeal != nil {
		number("hours to appeal", old.Appeal.Within, next.Appeal.Within, true)
	}
	return out
}

// wordChanges marks what changed in a text: [-gone-] {+new+}; "" if nothing did.
func wordChanges(old, next string) string {
	if old == next {
		return ""
	}
	one := func(s string) string { return strings.Join(strings.Fields(s), "\n") + "\n" }
	edits := udiff.Strings(one(old), one(next))
	d, err := udiff.ToUnifiedDiff("", "", one(old), edits, 1<<20)
	if err != nil {
		return fmt.Sprintf("%q becomes %q", telling.Plain(old), telling.Plain(next))
	}
	var b strings.Builder
	kind := udiff.Equal
	end := func() {
		switch kind {
		case udiff.Delete:
			b.WriteString("-]")
		case udiff.Insert:
			b.WriteString("+}")
		}
	}
	for _, h := range d.Hunks {
		for _, l := range h.Lines {
			if l.Kind != kind {
				end()
			}
			if b.Len() > 0 {
				b.WriteString(" ")
			}
			if l.Kind != kind && l.Kind == udiff.Delete {
				b.WriteString("[-")
			}
			if l.Kind != kind && l.Kind == udiff.Insert {
				b.WriteString("{+")
			}
			kind = l.Kind
			b.WriteString(strings.TrimSuffix(l.Content, "\n"))
		}
	}
	end()
	return telling.Plain(b.String())
}
