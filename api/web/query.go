package web

import (
	"net/url"
	"slices"

	"github.com/docket-ledger/docket/ledger/index"
	"github.com/docket-ledger/docket/verify/record"
)

// queryValues spells a query as the parameters of /search.
func queryValues(q index.Query) url.Values {
	v := url.Values{}
	if q.Text != "" {
		v.Set("q", q.Text)
	}
	for f, values := range q.Where {
		v[string(f)] = slices.Clone(values)
	}
	for name, t := range map[string]record.Time{"from": q.From, "until": q.Until} {
		if t != 0 {
			v.Set(name, t.String())
		}
	}
	if q.Oldest {
		v.Set("order", "oldest")
	}
	return v
}

// searchURL is the search for a query with one field set to a value, or without
// it if the value is "".
func searchURL(q index.Query, f index.Field, value string) string {
	v := queryValues(q)
	v.Del(string(f))
	if value != "" {
		v.Set(string(f), value)
	}
	if len(v) == 0 {
		return "/search"
	}
	return "/search?" + v.Encode()
}

// A facetValue is a value of a field, and how many records of a search have it.
type facetValue struct {
	Value string
	Text  string
	Count int64
	Href  string
}
