package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/docket-ledger/docket/api/client"
	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/telling"
)

// maxPrecedents is how many like cases a decision can name.
const maxPrecedents = 16

// likeCases asks a ledger for what was decided before under each clause that a decision
// rests on, on the same service layer and in other cases. A reinstatement is like
// nothing, nor is what rests on no clause. What comes back is what the ledger says; that
// the ids are ids is checked.
func likeCases(ctx context.Context, c *client.Client, d *record.Decision) ([]client.Precedents, error) {
	if !hasLike(d) {
		return nil, nil
	}
	info, err := c.Info(ctx)
	if err != nil {
		return nil, told(err)
	}
	if info.Origin != d.Ledger {
		return nil, fmt.Errorf("%w: it is %s, and not %s", errOtherLedger, telling.Plain(info.Origin), telling.Plain(d.Ledger))
	}
	var all []client.Precedents
	asked := map[[2]string]bool{}
	for _, g := range d.Grounds {
		if g.Policy == "" || asked[[2]string{g.Policy, g.Clause}] {
			continue
		}
		asked[[2]string{g.Policy, g.Clause}] = true
		p, err := c.Precedents(ctx, client.Likeness{Policy: g.Policy, Clause: g.Clause, Layer: d.ServiceLayer, Except: d.Case, AtLeast: info.Size})
		if err != nil {
			return nil, told(err)
		}
		for _, n := range p.Newest {
			if _, err := n.ID.Hash(); err != nil {
				return nil, fmt.Errorf("the ledger names %s as a like case, which is no id", telling.Plain(string(n.ID)))
			}
		}
		all = append(all, p)
	}
	return all, nil
}

// hasLike reports whether there can be cases like a decision.
func hasLike(d *record.Decision) bool {
	return d.Action != record.Reinstate && slices.ContainsFunc(d.Grounds, func(g record.Ground) bool { return g.Policy != "" })
}

// errOtherLedger says that a URL is that of another ledger than was meant.
var errOtherLedger = errors.New("at the URL is another ledger than was meant")

// shownIDs are the like cases that are shown, as many as a decision can name.
func shownIDs(all []client.Precedents) []record.ID {
	var ids []record.ID
	for _, p := range all {
		for _, n := range p.Newest {
			if !slices.Contains(ids, n.ID) && len(ids) < maxPrecedents {
				ids = append(ids, n.ID)
			}
		}
	}
	return ids
}

// differs reports whether most like cases under one of the clauses were decided
// otherwise.
func differs(all []client.Precedents, action record.Action) bool {
	return slices.ContainsFunc(all, func(p client.Precedents) bool { return p.Differs(action) })
}

// counted says how many like cases there are.
func counted(p *client.Precedents) string {
	where := fmt.Sprintf("under policy %s, clause %s, on %s, in other cases", p.Policy, p.Clause, p.Layer)
	if p.Total == 0 {
		return telling.Plain("none yet " + where)
	}
	var by []string
	for _, a := range p.Actions {
		by = append(by, fmt.Sprintf("%s %d", a.Action, a.Count))
	}
	return telling.Plain(fmt.Sprintf("%d %s: %s", p.Total, where, strings.Join(by, ", ")))
}

// statusWords says where a like case stands.
func statusWords(p *client.Precedent) string {
	return strings.ReplaceAll(string(p.Status), "_", " ")
}

// tellLike shows like cases: how many, by what was decided, and the newest.
func tellLike(out io.Writer, all []client.Precedents) {
	for _, p := range all {
		fmt.Fprintf(out, "Like cases: %s\n", counted(&p))
		for _, n := range p.Newest {
			row := fmt.Sprintf("%-10s %s  %s  version %d, now %s", n.Action, n.Time, n.ID, n.Version, statusWords(&n))
			fmt.Fprintf(out, "  %s\n             %s\n", telling.Plain(row), telling.Plain(n.Gist))
		}
	}
}

// alike shows a decision that comes from a file the like cases of the ledger at a URL,
// which it names from then on unless it names others, and warns if most of them differ.
// Without an answer it is drafted all the same.
func alike(ctx context.Context, from string, d *record.Decision, std cli.Streams) error {
	if !hasLike(d) {
		return nil
	}
	if from == "" {
		fmt.Fprintln(std.Err, "docket: no like cases were looked up: --from URL shows those of the ledger, and names them in the draft")
		return nil
	}
	c, err := client.New(from)
	if err != nil {
		return cli.Usage(fmt.Errorf("--from: %w", err))
	}
	all, err := likeCases(ctx, c, d)
	if errors.Is(err, errOtherLedger) {
		return fmt.Errorf("--from: %w", err)
	}
	if err != nil {
		fmt.Fprintf(std.Err, "docket: %s\n", noneShown(err))
		return ctx.Err()
	}
	tellLike(std.Err, all)
	if len(d.Precedents) == 0 {
		d.Precedents = shownIDs(all)
	}
	if differs(all, d.Action) && d.DistinguishingReason == "" {
		fmt.Fprintln(std.Err, "docket: warning: most like cases were decided otherwise, and the decision does not say what makes this one different (distinguishing_reason)")
	}
	return nil
}

// noneShown says why there are no like cases to see.
func noneShown(err error) string {
	return fmt.Sprintf("no like cases could be shown: %v", err)
}

// findAlike shows the like cases and returns those that the decision is to name, nil if
// none can be shown.
func findAlike(ctx context.Context, w *walk) (any, error) {
	w.like = nil
	d := &record.Decision{Common: record.Common{Ledger: getText(w.value, "ledger")}, Action: record.Action(getText(w.value, "action")), Case: getText(w.value, "case"),
		ServiceLayer: record.ServiceLayer(getText(w.value, "service_layer"))}
	for _, o := range w.chosen {
		d.Grounds = append(d.Grounds, o.ground)
	}
	if !hasLike(d) {
		return nil, nil
	}
	if w.ledger == nil {
		w.say("\nNo like cases can be shown without --from, the ledger that has them.")
		return nil, nil
	}
	all, err := likeCases(ctx, w.ledger, d)
	if err != nil {
		w.say("\n%s", noneShown(err))
		return nil, ctx.Err()
	}
	w.like = all
	w.say("")
	tellLike(w.std.Err, all)
	if differs(all, d.Action) {
		w.say("Most of them were decided otherwise: you will be asked what makes this case different.")
	}
	var ids []any
	for _, id := range shownIDs(all) {
		ids = append(ids, string(id))
	}
	if ids == nil {
		return nil, nil
	}
	return ids, nil
}

// differs reports whether most like cases were decided otherwise.
func (w *walk) differs() bool { return differs(w.like, record.Action(getText(w.value, "action"))) }

// aboutAlike says what was decided before.
func aboutAlike(w *walk) string {
	var lines []string
	for _, p := range w.like {
		lines = append(lines, "Like cases: "+counted(&p))
	}
	return strings.Join(lines, "\n")
}

// A precedent is a like case that a record names.
type precedent struct {
	action record.Action
	at     record.Time // decided, as its signers say
	gist   string
	status string // where it stands now, "" if that is not known
}

// precedentsOf asks for the like cases that a decision names. As in rulesOf, an answer
// is believed only if it has the id that is named.
func precedentsOf(ctx context.Context, c *client.Client, d *record.Decision, like []client.Precedents) map[record.ID]precedent {
	all := map[record.ID]precedent{}
	for _, id := range d.Precedents {
		e, err := c.Record(ctx, id)
		if err != nil || record.IDOf(e.Record) != id {
			continue
		}
		u, err := record.Parse(e.Record)
		if err != nil {
			continue
		}
		if decision, ok := u.Payload().(*record.Decision); ok {
			all[id] = precedent{decision.Action, decision.DecidedAt, telling.Gist(decision.Facts), shownIn(like)[id].status}
		}
	}
	return all
}

// shownIn are the newest of like cases.
func shownIn(like []client.Precedents) map[record.ID]precedent {
	all := map[record.ID]precedent{}
	for _, p := range like {
		for _, n := range p.Newest {
			all[n.ID] = precedent{n.Action, n.Time, n.Gist, statusWords(&n)}
		}
	}
	return all
}

// precedents says which like cases a decision names, and what is known of those there
// are.
func (w *words) precedents(d *record.Decision) {
	for _, id := range d.Precedents {
		p, known := w.cited.precedents[id]
		if !known {
			w.line("like case", "%s", id)
			w.line("", "give --ledger to read here what it says")
			continue
		}
		now := ""
		if p.status != "" {
			now = ", now " + p.status
		}
		w.line("like case", "%s, decided %s%s (%s)", p.action, p.at, now, id)
		w.line("", "%s", p.gist)
	}
	for _, p := range w.cited.like {
		w.line("like cases now", "%s", counted(&p))
		if p.Differs(d.Action) && d.DistinguishingReason == "" {
			w.line("", "most of them were decided otherwise, and it does not say what makes this one different")
		} else if p.Differs(d.Action) {
			w.line("", "most of them were decided otherwise")
		}
	}
	if w.cited.unlike != nil {
		w.line("like cases now", "%s", noneShown(w.cited.unlike))
	}
}
