package api

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// takes returns a handler that refuses a query with parameters other than those named, or
// with one of them twice: a misspelled parameter must not get the answer to another
// question, or record what was not to be recorded.
func takes(h handler, names ...string) handler {
	return func(w *response, r *http.Request) error {
		params, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil {
			return fmt.Errorf("%w: it is not encoded as a query", errQuery)
		}
		for name, values := range params {
			switch {
			case !slices.Contains(names, name) && len(names) == 0:
				return fmt.Errorf("%w: there is no parameter %.40q, and none is taken here", errQuery, name)
			case !slices.Contains(names, name):
				return fmt.Errorf("%w: there is no parameter %.40q; there are: %s", errQuery, name, strings.Join(names, ", "))
			case len(values) > 1:
				return fmt.Errorf("%w: there are %d of %s, want one", errQuery, len(values), name)
			}
		}
		return h(w, r)
	}
}
