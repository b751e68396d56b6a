package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/index"
	"github.com/docket-ledger/docket/verify/record"
)

// facetLimit is how many values of a field are shown.
const facetLimit = 10

// facetFields are those whose values the search counts, in their order.
var facetFields = []index.Field{index.Type, index.Action, index.Layer, index.Policy, index.Trigger, index.Severity,
	index.Mode, index.Outcome, index.Standing, index.Month}

// A searchView is what the search shows.
type searchView struct {
	Words string
	// Params are the parameters as they were asked for, for the form.
	Params url.Values
	// Errors say what is wrong with a parameter, by its name.
	Errors map[string]string
	// Hidden are the parameters that the form does not show.
	Hidden [][2]string
	Chips  []chip
	Facets []facet
	Found  bool // the question could be answered
	Hits   []hitView
	Total  int64
	Lag    index.Lag
	// Past says that the page is past the end.
	Past bool
	// First is the search without a cursor, Next its next page; "" if this
	// is the first, or the last.
	First, Next string
	Oldest      bool
	Turned      string // the same in the other order
	Direct      []link // cases and policies of this very name
	Near        []link
}

// A chip is a filter that is set, and the search without it.
type chip struct{ Label, Text, Href string }

// A facet is a field with its values, and how many records have each.
type facet struct {
	Label  string
	Values []facetValue
	Open   bool
	More   bool
}

// A facetValue is a value of a field, and how many records of a search have it.
type facetValue struct {
	Value string
	Text  string
	Count int64
	Href  string
	Set   bool // it is what is searched for; Href takes it away
}

// Search is the search. A question that can't be answered is shown again, with
// what is wrong beside it, with status 400.
func (p *Pages) Search(w http.ResponseWriter, r *http.Request) error {
	ctx, params := r.Context(), r.URL.Query()
	if id := record.ID(strings.TrimSpace(params.Get("q"))); len(params) == 1 {
		if _, err := p.ledger.Record(ctx, id); err == nil {
			w.Header().Set("Location", "/records/"+url.PathEscape(string(id)))
			return reply(w, http.StatusSeeOther, nil)
		}
	}
	v := &searchView{Words: params.Get("q"), Params: params, Lag: p.index.Lag(), Errors: map[string]string{}}
	q, page, err := index.ParseQuery(params)
	if err == nil {
		err = p.search(ctx, v, q, page)
	}
	v.describe(q)
	status := http.StatusOK
	var wrong *index.QueryError
	switch {
	case errors.As(err, &wrong):
		status = http.StatusBadRequest
		v.Errors[wrong.Part] = wrong.Detail
		w.Header().Set("Cache-Control", "no-store")
	case err != nil:
		return err
	}
	return p.render(w, r, status, "search.html", v)
}

// search asks the index.
func (p *Pages) search(ctx context.Context, v *searchView, q index.Query, page ledger.Page) error {
	found, err := p.index.Search(ctx, q, page)
	if err != nil {
		return err
	}
	v.Found, v.Total, v.Past = true, found.Total, page.After != "" && len(found.Items) == 0
	if v.Hits, err = p.hits(ctx, found.Items); err != nil {
		return err
	}
	if page.After != "" {
		v.First = searchURL(q, "", "")
	}
	if found.Next != "" {
		values := q.Values()
		values.Set("cursor", found.Next)
		if page.Limit != index.DefaultLimit {
			values.Set("limit", strconv.Itoa(page.Limit))
		}
		v.Next = searchPath(values)
	}
	if q.Text != "" {
		v.Direct = p.direct(ctx, q.Text)
		if found.Total == 0 && len(v.Direct) == 0 {
			v.Near = p.near(ctx, q.Text)
		}
	}
	return p.facets(ctx, v, q)
}

// describe puts what is asked for into words.
func (v *searchView) describe(q index.Query) {
	for _, f := range index.Fields {
		for _, value := range q.Where[f] {
			v.Chips = append(v.Chips, chip{fieldWords[f], valueText(f, value), without(q, f, value)})
			v.Hidden = append(v.Hidden, [2]string{string(f), value})
		}
	}
	turned := q
	turned.Oldest = !q.Oldest
	v.Oldest, v.Turned = q.Oldest, searchURL(turned, "", "")
}

// facets counts the values of each field among what is found, as if that field
// were not asked for: what else there is can be chosen instead.
func (p *Pages) facets(ctx context.Context, v *searchView, q index.Query) error {
	for _, f := range facetFields {
		open := q
		open.Where = map[index.Field][]string{}
		for other, values := range q.Where {
			if other != f {
				open.Where[other] = values
			}
		}
		counts, err := p.index.Count(ctx, open, facetLimit, f)
		if err != nil {
			return err
		}
		one := facet{Label: fieldWords[f], More: counts.More, Open: len(q.Where[f]) > 0 || f == index.Type || f == index.Action}
		for _, row := range counts.Rows {
			value := row.Values[0]
			set := slices.Contains(q.Where[f], value)
			href := searchURL(q, f, value)
			if set {
				href = without(q, f, value)
			}
			one.Values = append(one.Values, facetValue{value, valueText(f, value), row.Count, href, set})
		}
		if len(one.Values) > 0 {
			v.Facets = append(v.Facets, one)
		}
	}
	return nil
}

// direct are the case and the policy of exactly this name.
func (p *Pages) direct(ctx context.Context, text string) []link {
	name := strings.ToLower(strings.TrimSpace(text))
	if len(name) > 64 {
		return nil
	}
	var all []link
	if _, err := p.ledger.Case(ctx, name, 0, 1); err == nil {
		all = append(all, link{"/cases/" + url.PathEscape(name), name, "the case of this name"})
	}
	if _, err := p.ledger.Policy(ctx, name); err == nil {
		all = append(all, link{"/policies/" + url.PathEscape(name), name, "the policy of this name"})
	}
	return all
}
