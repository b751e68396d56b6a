package web

import (
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"slices"

	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/figures"
	"github.com/docket-ledger/docket/ledger/index"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
	"github.com/docket-ledger/docket/verify/stats"
)

// clausesOnPage is how many clauses the page lists; the rest are in the CSV.
const clausesOnPage = 100

// A statsView is how decisions are taken: numbers of the whole log.
type statsView struct {
	*figures.Figures
	URL      string
	Charts   []columnChart
	All      clauseStats
	Codes    barList
	Clauses  []clauseStats
	More     int // clauses that are not listed
	Agreeing string
}

// A clauseStats is a clause on a layer with its numbers in words.
type clauseStats struct {
	stats.Clause
	Href     string // of its page
	Outcomes barList
	Triggers barList
	Spread   string
}

// Stats is the page of the numbers of the whole log.
func (p *Pages) Stats(w http.ResponseWriter, r *http.Request) error {
	f, err := p.counter.Figures(r.Context(), 0)
	if err != nil {
		return err
	}
	v := statsView{Figures: f, URL: p.url(r), Charts: chartsOf(f.Months), All: newClauseStats(f.All),
		Agreeing: percent(f.Deciders.Agreement.Pairs-f.Deciders.Agreement.Differing, f.Deciders.Agreement.Pairs)}
	var codes []bar
	for _, c := range f.Codes {
		codes = append(codes, bar{Text: ledger.Explain(rules.Code(c.Name)), Code: c.Name, Count: c.Count, Class: "c1"})
	}
	v.Codes = newBarList("Why records are void", "Reason", "codes", codes, f.Void)
	for _, c := range f.Clauses {
		v.Clauses = append(v.Clauses, newClauseStats(c))
	}
	slices.SortStableFunc(v.Clauses, func(a, b clauseStats) int { return int(b.Decisions - a.Decisions) })
	if v.More = len(v.Clauses) - clausesOnPage; v.More > 0 {
		v.Clauses = v.Clauses[:clausesOnPage]
	}
	return p.render(w, r, http.StatusOK, "stats.html", v)
}

// ClauseStats is the page of one clause on one layer: how like cases were decided. The
// error wraps fs.ErrNotExist if nothing was.
func (p *Pages) ClauseStats(w http.ResponseWriter, r *http.Request) error {
	f, err := p.counter.Figures(r.Context(), 0)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	for _, c := range f.Clauses {
		if c.Policy == q.Get("policy") && c.Clause == q.Get("clause") && string(c.Layer) == q.Get("layer") {
			return p.render(w, r, http.StatusOK, "clausestats.html", struct {
				clauseStats
				Figures *figures.Figures
			}{newClauseStats(c), f})
		}
	}
	return fmt.Errorf("no decision cites this clause on this service: %w", fs.ErrNotExist)
}

func newClauseStats(c stats.Clause) clauseStats {
	v := clauseStats{Clause: c, Spread: percent(c.Spread.Differing, c.Spread.Pairs)}
	v.Href = "/stats/clause?" + url.Values{"policy": {c.Policy}, "clause": {c.Clause}, "layer": {string(c.Layer)}}.Encode()
	var outcomes, triggers []bar
	for _, n := range c.Outcomes {
		outcomes = append(outcomes, bar{Text: valueText(index.Action, n.Name), Count: n.Count, Class: actionSeries[actionAt(n.Name)].Class})
	}
	for _, n := range c.Triggers {
		triggers = append(triggers, bar{Text: valueText(index.Trigger, n.Name), Count: n.Count})
	}
	v.Outcomes = newBarList("What was decided", "Decision", "outcomes", outcomes, c.Decisions)
	v.Triggers = newBarList("What led to it", "On whose demand", "triggers", triggers, c.Decisions)
	return v
}

// Name names the clause; the parts are slugs.
func (c clauseStats) Name() string {
	if c.Policy == "" && c.Clause.Clause == "" {
		return "no clause"
	}
	if c.Policy == "" {
		return c.Clause.Clause
	}
	return c.Policy + ", clause " + c.Clause.Clause
}

// Service is the layer in words.
func (c clauseStats) Service() string { return valueText(index.Layer, string(c.Layer)) }

// Search is where its decisions are.
func (c clauseStats) Search() string {
	q := index.Query{Where: map[index.Field][]string{index.Type: {string(record.TypeDecision)}, index.Standing: {"effective"}, index.Layer: {string(c.Layer)}}}
	if c.Policy != "" {
		q.Where[index.Policy] = []string{c.Policy}
	}
	return searchPath(q.Values())
}

// Rulings is how many there are.
func (c clauseStats) Rulings() int64 { return c.Upheld + c.Reversed + c.Modified }

// Changed is how many rulings did not leave a decision as it was.
func (c clauseStats) Changed() int64 { return c.Reversed + c.Modified }

// The series of the charts, in the order of record.Actions and record.ServiceLayers. The
// last of each are those that were recorded afterwards.
var (
	actionSeries = []series{{Class: "c1", Name: "End"}, {Class: "c2", Name: "Suspend"}, {Class: "c3", Name: "Restrict"}, {Class: "c4", Name: "Warn"},
		{Class: "c5", Name: "No measure"}, {Class: "c6", Name: "Passed on"}, {Class: "c7", Name: "Restore"}, {Class: "c8", Name: afterwards}}
	layerSeries = []series{{Class: "c5", Name: "Hosting"}, {Class: "c2", Name: "CDN"}, {Class: "c3", Name: "Security"}, {Class: "c7", Name: "DNS"},
		{Class: "c4", Name: "Registration"}, {Class: "c6", Name: "Other"}, {Class: "c8", Name: afterwards}}
)

const afterwards = "Recorded afterwards"

// actionAt and layerAt return which series an action and a layer belong to.
func actionAt(name string) int { return at(record.Actions, record.Action(name)) }
func layerAt(name string) int  { return at(record.ServiceLayers, record.ServiceLayer(name)) }

// at returns where an item is in a list, its length if nowhere.
func at[T comparable](list []T, item T) int {
	if i := slices.Index(list, item); i >= 0 {
		return i
	}
	return len(list)
}

// chartsOf draws the decisions over time, by what was decided and by service.
func chartsOf(months []stats.Month) []columnChart {
	var actions, layers []happening
	for _, m := range months {
		action, layer := string(m.Action), string(m.Layer)
		if m.Retrospective {
			action, layer = afterwards, afterwards
		}
		actions = append(actions, happening{m.Month, action, m.Count})
		layers = append(layers, happening{m.Month, layer, m.Count})
	}
	return []columnChart{newColumnChart("decisions by what was decided", actions, actionSeries, actionAt),
		newColumnChart("decisions by service", layers, layerSeries, layerAt)}
}
