package web

import (
	"context"
	"net/http"

	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/index"
	"github.com/docket-ledger/docket/verify/record"
)

// homeLatest is how many decisions the first page shows.
const homeLatest = 6

// A homeView is what the first page shows.
type homeView struct {
	Site   site
	Latest []hitView
	// Decisions is how many there are, Figures what else there is to count.
	Decisions int64
	Figures   []figure
	Actions   []facetValue
}

// A figure is a number with what it counts, and where those are.
type figure struct {
	Count int64
	What  string
	Href  string
}

// Home is the first page: what this is, how to check it, what was decided last.
func (p *Pages) Home(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	s, err := p.site(ctx, r)
	if err != nil {
		return err
	}
	decisions := index.Query{Where: map[index.Field][]string{index.Type: {string(record.TypeDecision)}}}
	found, err := p.index.Search(ctx, decisions, ledger.Page{Limit: homeLatest})
	if err != nil {
		return err
	}
	v := homeView{Site: s, Decisions: found.Total}
	if v.Latest, err = p.hits(ctx, found.Items); err != nil {
		return err
	}
	if v.Figures, err = p.figures(ctx); err != nil {
		return err
	}
	counts, err := p.index.Count(ctx, decisions, len(record.Actions), index.Action)
	if err != nil {
		return err
	}
	for _, row := range counts.Rows {
		v.Actions = append(v.Actions, facetValue{Value: row.Values[0], Text: valueText(index.Action, row.Values[0]), Count: row.Count,
			Href: searchURL(decisions, index.Action, row.Values[0])})
	}
	return p.renderOn(w, r, http.StatusOK, "home.html", s, v)
}

// figures counts what the first page tells.
func (p *Pages) figures(ctx context.Context) ([]figure, error) {
	byType, err := p.index.Count(ctx, index.Query{}, 64, index.Type)
	if err != nil {
		return nil, err
	}
	byStanding, err := p.index.Count(ctx, index.Query{}, 2, index.Standing)
	if err != nil {
		return nil, err
	}
	count := map[string]int64{}
	for _, c := range []index.Counts{byType, byStanding} {
		for _, row := range c.Rows {
			count[row.Values[0]] = row.Count
		}
	}
	return []figure{
		{byType.Total, "records", "/search"},
		{count[string(record.TypeDecision)], "decisions", "/search?type=decision"},
		{count[string(record.TypeAppeal)], "complaints", "/search?type=appeal"},
		{count[string(record.TypeRuling)], "rulings on complaints", "/search?type=ruling"},
		{count["void"], "void records", "/void"},
	}, nil
}
