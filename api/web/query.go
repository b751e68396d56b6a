package web

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/docket-ledger/docket/ledger/index"
	"github.com/docket-ledger/docket/verify/record"
)

// parseQuery reads the parameters of a search; empty ones, as forms send them,
// are none. The error is a *index.QueryError.
func parseQuery(params url.Values) (q index.Query, cursor string, err error) {
	q.Where = map[index.Field][]string{}
	for _, name := range slices.Sorted(maps.Keys(params)) {
		values := slices.DeleteFunc(slices.Clone(params[name]), func(s string) bool { return strings.TrimSpace(s) == "" })
		if len(values) == 0 {
			continue
		}
		if f := index.Field(name); slices.Contains(index.Fields, f) {
			q.Where[f] = values
			continue
		}
		one := values[0]
		switch {
		case len(values) > 1:
			return q, "", wrong(name, "there are %d of it: give one", len(values))
		case name == "q":
			q.Text = one
		case name == "from":
			q.From, err = bound(name, one, 0)
		case name == "until":
			q.Until, err = bound(name, one, 24*time.Hour)
		case name == "order" && (one == "oldest" || one == "newest"):
			q.Oldest = one == "oldest"
		case name == "order":
			err = wrong(name, "%.30q is no order: newest or oldest", one)
		case name == "cursor":
			cursor = one
		default:
			err = wrong(name, "there is no filter of this name; there are %s", fieldList())
		}
		if err != nil {
			return q, "", err
		}
	}
	return q, cursor, nil
}

func wrong(part, format string, args ...any) error {
	return &index.QueryError{Part: part, Detail: fmt.Sprintf(format, args...)}
}

// bound reads a time, or a day: its beginning, and for the end of a range the end
// of it, which is a day's length later.
func bound(name, text string, length time.Duration) (record.Time, error) {
	if t, err := record.ParseTime(text); err == nil {
		return t, nil
	}
	day, err := record.ParseTime(text + "T00:00:00Z")
	if err != nil {
		return 0, wrong(name, "%.30q is no day of the calendar: write it like 2026-11-23", text)
	}
	return day + record.Time(length/time.Second), nil
}

func fieldList() string {
	names := []string{"q", "from", "until", "order"}
	for _, f := range index.Fields {
		names = append(names, string(f))
	}
	return strings.Join(names, ", ")
}

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

// searchURL is the search for a query with one field set to a value alone, or
// without that field if the value is "".
func searchURL(q index.Query, f index.Field, value string) string {
	v := queryValues(q)
	v.Del(string(f))
	if value != "" {
		v.Set(string(f), value)
	}
	return searchPath(v)
}

func searchPath(v url.Values) string {
	if len(v) == 0 {
		return "/search"
	}
	return "/search?" + v.Encode()
}
