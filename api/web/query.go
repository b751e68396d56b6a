package web

import (
	"net/url"
	"slices"

	"github.com/docket-ledger/docket/ledger/index"
)

// searchURL is the search for a query with one field set to a value alone, or
// without that field if the value is "".
func searchURL(q index.Query, f index.Field, value string) string {
	v := q.Values()
	v.Del(string(f))
	if value != "" {
		v.Set(string(f), value)
	}
	return searchPath(v)
}

// without is the search for a query without one of its values.
func without(q index.Query, f index.Field, value string) string {
	v := q.Values()
	v[string(f)] = slices.DeleteFunc(v[string(f)], func(s string) bool { return s == value })
	return searchPath(v)
}

func searchPath(v url.Values) string {
	if query := v.Encode(); query != "" {
		return "/search?" + query
	}
	return "/search"
}
