package index

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/verify/record"
)

// The number of records in a page, and how much a query may ask for.
const (
	DefaultLimit = 20
	MaxLimit     = 100
	maxValues    = 50  // of one field
	maxValue     = 200 // bytes of one
)

// closed are the fields with a fixed set of values.
var closed = map[Field][]string{
	Type: plain(record.Types), Action: plain(record.Actions), Layer: plain(record.ServiceLayers),
	Trigger: record.TriggerKinds, Severity: record.Severities, Outcome: record.Outcomes,
	Mode: {"emergency", "retrospective", "automated"}, Standing: {"effective", "void"},
}

func plain[S ~string](values []S) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = string(v)
	}
	return out
}

// ParseQuery reads a query, as the site and the API take it:
//
//	q                    Query.Text
//	a field, repeatable  Query.Where; "" is no filter, so that a form may leave it empty
//	from, until          a day (2026-11-23; until includes it) or a time (RFC 3339)
//	order                newest, or oldest
//	limit, cursor        the page
//
// others are the names of further parameters that the caller reads. The error is a
// *QueryError; the query is then what could be read of it, so that a form can show it
// again.
func ParseQuery(values url.Values, others ...string) (Query, ledger.Page, error) {
	q, p := Query{Where: map[Field][]string{}}, ledger.Page{Limit: DefaultLimit}
	var first error
	fault := func(part, format string, args ...any) {
		if first == nil {
			first = &QueryError{part, fmt.Sprintf(format, args...)}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		list := values[name]
		if slices.Contains(others, name) {
			continue
		}
		if f := Field(name); slices.Contains(Fields, f) {
			q.where(f, list, fault)
			continue
		}
		if len(list) > 1 {
			fault(name, "it is there %d times: once is enough", len(list))
		}
		value := list[0]
		switch name {
		case "q":
			q.Text = strings.TrimSpace(strings.ToValidUTF8(value, ""))
			if _, err := parseText(q.Text); err != nil && first == nil {
				first = err
			}
		case "from":
			q.From = parseTime(name, value, false, fault)
		case "until":
			q.Until = parseTime(name, value, true, fault)
		case "order":
			if q.Oldest = value == "oldest"; !q.Oldest && value != "newest" && value != "" {
				fault(name, "%.40q is no order: it is newest or oldest", value)
			}
		case "limit":
			n, err := strconv.Atoi(value)
			if err != nil || n < 1 || n > MaxLimit {
				fault(name, "%.20q is not a number from 1 to %d", value, MaxLimit)
				continue
			}
			p.Limit = n
		case "cursor":
			p.After = value
		default:
			if first == nil {
				first = unknownField(name, name)
			}
		}
	}
	if q.From != 0 && q.Until != 0 && q.From >= q.Until {
		fault("until", "the time ends before it begins: no record can be in it")
	}
	if first == nil {
		_, _, first = after(q, p.After)
	}
	return q, p, first
}

// where adds the values of a field.
func (q *Query) where(f Field, list []string, fault func(part, format string, args ...any)) {
	for _, v := range list {
		switch allowed := closed[f]; {
		case v == "" || slices.Contains(q.Where[f], v):
			continue
		case len(v) > maxValue:
			fault(string(f), "a value of %d bytes: there is none longer than %d", len(v), maxValue)
			continue
		case allowed != nil && !slices.Contains(allowed, v):
			fault(string(f), "%.40q is none of its values, which are %s", v, strings.Join(allowed, ", "))
			continue
		case f == Month && !isMonth(v):
			fault(string(f), "%.40q is no month: write it as 2026-11", v)
			continue
		}
		q.Where[f] = append(q.Where[f], v)
	}
	if len(q.Where[f]) > maxValues {
		fault(string(f), "%d values: at most %d can be asked for at once", len(q.Where[f]), maxValues)
	}
}

func isMonth(v string) bool {
	t, err := time.Parse("2006-01", v)
	return err == nil && t.Format("2006-01") == v
}

// parseTime reads a day or a time; the end of a day is the beginning of the next.
func parseTime(name, value string, end bool, fault func(part, format string, args ...any)) record.Time {
	if value == "" {
		return 0
	}
	if day, err := time.Parse(time.DateOnly, value); err == nil {
		if end {
			day = day.AddDate(0, 0, 1)
		}
		return record.Time(day.Unix())
	}
	if t, err := time.Parse(time.RFC3339, value); err == nil {
		return record.Time(t.Unix())
	}
	fault(name, "%.40q is no day or time that there is: write a day as 2026-11-23, or a time as 2026-11-23T08:00:00Z", value)
	return 0
}

func unknownField(part, name string) error {
	return &QueryError{part, fmt.Sprintf("%.40q is no filter: there are q, %s, from, until, order, limit and cursor", name, strings.Join(plain(Fields), ", "))}
}

// Values spells a query so that ParseQuery reads it again.
func (q Query) Values() url.Values {
	v := url.Values{}
	set := func(name, value string) {
		if value != "" {
			v.Set(name, value)
		}
	}
	set("q", q.Text)
	for f, list := range q.Where {
		for _, one := range list {
			v.Add(string(f), one)
		}
	}
	if q.From != 0 {
		set("from", q.From.String())
	}
	if q.Until != 0 {
		set("until", q.Until.String())
	}
	if q.Oldest {
		set("order", "oldest")
	}
	return v
}
