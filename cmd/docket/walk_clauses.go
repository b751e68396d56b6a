package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/docket-ledger/docket/api/client"
	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
	"github.com/docket-ledger/docket/verify/telling"
)

// An offer is a clause that a decision may rest on.
type offer struct {
	clause record.Clause
	ground record.Ground
	lang   string // of its policy
}

// permits reports whether the clause permits an action on a service layer.
func (o *offer) permits(action, layer string) bool {
	return slices.ContainsFunc(o.clause.Permits, func(p record.Permit) bool {
		return slices.Contains(p.Actions, record.Action(action)) && slices.Contains(p.ServiceLayers, record.ServiceLayer(layer))
	})
}

// readOffers reads the clauses from the ledger, or from files. They are not
// proven: the ledger looks at them again when the decision is submitted.
func (w *walk) readOffers(ctx context.Context) error {
	if w.opt.from == "" {
		return w.readPolicyFiles()
	}
	c, err := client.New(w.opt.from)
	if err != nil {
		return cli.Usage(fmt.Errorf("--from: %w", err))
	}
	info, err := c.Info(ctx)
	if err != nil {
		return told(err)
	}
	if err := w.sameLedger("at --from", info.Origin); err != nil {
		return err
	}
	w.ledger = c
	for cursor := ""; ; {
		page, err := c.Policies(ctx, 0, cursor)
		if err != nil {
			return told(err)
		}
		for _, p := range page.Policies {
			if err := w.offerInForce(ctx, p); err != nil {
				return err
			}
		}
		if page.Next == "" {
			return nil
		}
		if page.Next == cursor {
			return errors.New("the ledger gives the same page of policies again and again")
		}
		cursor = page.Next
	}
}

// offerInForce offers the clauses of the version in force. Texts from before the
// ledger are not offered: no decision of today rests on them.
func (w *walk) offerInForce(ctx context.Context, p client.Policy) error {
	i := slices.IndexFunc(p.Versions, func(v client.PolicyVersion) bool { return v.Version == p.InForce })
	if p.InForce == 0 || p.Historic || i < 0 {
		return nil
	}
	id := p.Versions[i].Record
	e, err := w.ledger.Record(ctx, id)
	if err != nil {
		return told(err)
	}
	u, err := record.Parse(e.Record)
	if err != nil {
		return fmt.Errorf("policy %s: %w", telling.Plain(p.Policy), err)
	}
	publish, ok := u.Payload().(*record.PolicyPublish)
	if u.ID() != id || !ok || publish.Policy != p.Policy || publish.Version != p.InForce {
		return fmt.Errorf("the ledger answered with another record than %s, which is policy %s", telling.Plain(string(id)), telling.Plain(p.Policy))
	}
	return w.offer(publish, id)
}

// readPolicyFiles offers of each policy the newest version whose time has come.
func (w *walk) readPolicyFiles() error {
	type published struct {
		p  *record.PolicyPublish
		id record.ID
	}
	newest := map[string]published{}
	for _, name := range w.opt.policies {
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if strings.HasPrefix(string(b), "c2sp.org/tlog-proof@") {
			if b, err = recordIn(b); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
		u, err := record.Parse(b)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		p, ok := u.Payload().(*record.PolicyPublish)
		switch {
		case !ok:
			return fmt.Errorf("%s is a %s, and not a %s", name, u.Payload().Head().Type, record.TypePolicyPublish)
		case p.Historic != nil:
			w.say("docket: %s is from before the ledger: not offered", name)
		case p.EffectiveFrom.Unix() > time.Now().Unix():
			w.say("docket: %s is not in force before %s: not offered", name, p.EffectiveFrom)
		case newest[p.Policy].p == nil || newest[p.Policy].p.Version < p.Version:
			newest[p.Policy] = published{p, u.ID()}
		}
	}
	for _, policy := range sortedKeys(newest) {
		if err := w.offer(newest[policy].p, newest[policy].id); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) offer(p *record.PolicyPublish, id record.ID) error {
	if err := w.sameLedger("of policy "+p.Policy, p.Ledger); err != nil {
		return err
	}
	for _, c := range p.Clauses {
		w.offers = append(w.offers, offer{c, record.Ground{Policy: p.Policy, Version: p.Version, Clause: c.Clause, Record: id}, p.Lang})
	}
	return nil
}

// sameLedger sets the origin, once.
func (w *walk) sameLedger(which, origin string) error {
	if w.opt.origin != "" && origin != w.opt.origin {
		return fmt.Errorf("the ledger %s is %s, and not %s", which, telling.Plain(origin), w.opt.origin)
	}
	w.opt.origin = origin
	return nil
}

// unbound are the actions that need no clause.
var unbound = []string{string(record.Decline), string(record.Forward)}

// permitting returns the clauses for the action and layer of the decision.
func (w *walk) permitting() []offer {
	return slices.DeleteFunc(slices.Clone(w.offers), func(o offer) bool {
		return !o.permits(getText(w.value, "action"), getText(w.value, "service_layer"))
	})
}

// aboutClauses shows the clauses to choose from.
func aboutClauses(w *walk) string {
	var b strings.Builder
	for i, o := range w.permitting() {
		fmt.Fprintf(&b, "  %d  %s, version %d, clause %s: %s\n", i+1, o.ground.Policy, o.ground.Version, o.ground.Clause, telling.Plain(o.clause.Title))
		for line := range strings.SplitSeq(strings.TrimSpace(o.clause.Text), "\n") {
			fmt.Fprintf(&b, "       %s\n", telling.Plain(line))
		}
	}
	return b.String()
}

// readGrounds reads numbers of clauses; or the id of what a reinstatement rests
// on, if that is no clause.
func readGrounds(_ context.Context, w *walk, text string) (any, error) {
	offers := w.permitting()
	var chosen []offer
	var grounds []any
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == ',' || r == '\t' }) {
		if _, err := record.ID(word).Hash(); err == nil && getText(w.value, "action") == string(record.Reinstate) {
			grounds = append(grounds, map[string]any{"record": word})
			continue
		}
		i := slices.IndexFunc(offers, func(o offer) bool { return o.ground.Clause == word })
		var n int
		if _, err := fmt.Sscanf(word, "%d", &n); err == nil && fmt.Sprint(n) == word && n >= 1 && n <= len(offers) {
			i = n - 1
		}
		if i < 0 {
			return nil, wrong(fmt.Sprintf("there is no clause %s here%s", telling.Plain(word), hint(numbers(len(offers)), cli.Suggest(word, clauseNames(offers)))))
		}
		if slices.ContainsFunc(chosen, func(o offer) bool { return o.ground == offers[i].ground }) {
			return nil, wrong(fmt.Sprintf("clause %s is named twice", offers[i].ground.Clause))
		}
		chosen = append(chosen, offers[i])
		g := offers[i].ground
		grounds = append(grounds, map[string]any{"policy": g.Policy, "version": g.Version, "clause": g.Clause, "record": string(g.Record)})
	}
	if len(grounds) == 0 {
		return nil, wrong("no clause is named")
	}
	w.chosen = chosen
	return grounds, nil
}

// recallGrounds finds the clauses of grounds that were kept. Without any clauses
// to choose from they stay as they are.
func (w *walk) recallGrounds(v any) error {
	list, ok := v.([]any)
	if !ok {
		return wrong("no list")
	}
	var chosen []offer
	for _, e := range list {
		g, _ := e.(map[string]any)
		if len(w.offers) == 0 || g["policy"] == nil {
			continue
		}
		version, _ := g["version"].(int64)
		is := record.Ground{Policy: getText(g, "policy"), Version: version, Clause: getText(g, "clause"), Record: record.ID(getText(g, "record"))}
		offers := w.permitting()
		i := slices.IndexFunc(offers, func(o offer) bool { return o.ground == is })
		if i < 0 {
			return wrong(fmt.Sprintf("clause %s of policy %s is not in force, or does not permit this", is.Clause, is.Policy))
		}
		chosen = append(chosen, offers[i])
	}
	w.chosen = chosen
	return nil
}

func clauseNames(offers []offer) []string {
	var names []string
	for _, o := range offers {
		names = append(names, o.ground.Clause)
	}
	return names
}

// numbers says which numbers can be chosen.
func numbers(n int) string {
	switch n {
	case 0:
		return "; there is none to choose"
	case 1:
		return "; the one to choose is 1"
	}
	return fmt.Sprintf("; choose from 1 to %d", n)
}

// hint returns the suggestion, or else the other words.
func hint(otherwise, suggestion string) string {
	if suggestion != "" {
		return suggestion
	}
	return otherwise
}

// measure reports whether the decision takes something from its subject.
func (w *walk) measure() bool {
	return slices.Contains(rules.Measures, record.Action(getText(w.value, "action")))
}

// demands reports whether a chosen clause does.
func (w *walk) demands(it func(*record.Clause) bool) bool {
	return slices.ContainsFunc(w.chosen, func(o offer) bool { return it(&o.clause) })
}

// limit returns the smallest number of hours that a chosen clause sets, 0 if none
// does, and from when they count until when.
func (w *walk) limit(hours func(*record.Clause) int64) (least int64, clause string, until record.Time) {
	for _, o := range w.chosen {
		if h := hours(&o.clause); h > 0 && (least == 0 || h < least) {
			least, clause = h, o.ground.Clause
		}
	}
	from, err := record.ParseTime(getText(w.value, "effective_at"))
	if err != nil || !w.measure() {
		return 0, "", 0
	}
	return least, clause, from + record.Time(least*3600)
}

// harms returns the harms that all chosen clauses take for an emergency.
func (w *walk) harms() []string {
	var common []string
	for i, o := range w.chosen {
		switch {
		case o.clause.Emergency == nil:
			return nil
		case i == 0:
			common = slices.Clone(o.clause.Emergency.Harms)
		default:
			common = slices.DeleteFunc(common, func(h string) bool { return !slices.Contains(o.clause.Emergency.Harms, h) })
		}
	}
	return common
}
