package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/docket-ledger/docket/api/client"
	"github.com/docket-ledger/docket/ledger/index"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/telling"
)

// How long a search waits for the index at most, and how many rows of counts are
// answered.
const (
	maxBehind   = 5 * time.Second
	defaultRows = 100
	maxRows     = 1000
)

// errBehind says that the index has not come to what a search wants to see.
var errBehind = errors.New("the index has not come to this size of the log yet; ask again in a moment")

// search lists the records that a query finds.
func (s *server) search(w *response, r *http.Request) error {
	params, err := s.reflecting(r)
	if err != nil {
		return err
	}
	q, p, err := index.ParseQuery(params)
	if err != nil {
		return err
	}
	found, err := s.lookup.Search(r.Context(), q, p)
	if err != nil {
		return err
	}
	answer := client.Search{Head: s.lookup.Lag().Head, Total: found.Total, Records: []client.Found{}, Next: found.Next}
	for _, h := range found.Items {
		answer.Records = append(answer.Records, foundObject(h))
	}
	return replyReflecting(w, r, found.Size, &answer.Size, &answer.Head, &answer)
}

func foundObject(h index.Hit) client.Found {
	f := client.Found{Standing: standing(h.Standing), Time: h.Time}
	if h.Payload == nil {
		return f
	}
	f.Type, f.Summary = h.Payload.Head().Type, telling.Summary(h.Payload)
	if act, ok := h.Payload.(record.Act); ok {
		f.Case, _ = act.Place()
	}
	switch p := h.Payload.(type) {
	case *record.Decision:
		f.Action = p.Action
	case *record.Ruling:
		f.Action = p.Action
	}
	return f
}

// counts counts the records that a query finds by the values of fields.
func (s *server) counts(w *response, r *http.Request) error {
	params, err := s.reflecting(r)
	if err != nil {
		return err
	}
	by, limit, err := grouping(params)
	if err != nil {
		return err
	}
	q, _, err := index.ParseQuery(params)
	if err != nil {
		return err
	}
	counts, err := s.lookup.Count(r.Context(), q, limit, by...)
	if err != nil {
		return err
	}
	answer := client.Counts{Head: s.lookup.Lag().Head, Total: counts.Total, Rows: []client.Count{}, More: counts.More}
	for _, f := range by {
		answer.By = append(answer.By, string(f))
	}
	for _, row := range counts.Rows {
		answer.Rows = append(answer.Rows, client.Count(row))
	}
	return replyReflecting(w, r, counts.Size, &answer.Size, &answer.Head, &answer)
}

// grouping takes by and limit out of a query.
func grouping(params url.Values) (by []index.Field, limit int, err error) {
	fault := func(part, format string, args ...any) ([]index.Field, int, error) {
		return nil, 0, &index.QueryError{Part: part, Detail: fmt.Sprintf(format, args...)}
	}
	if len(params["by"]) != 1 || params.Get("by") == "" {
		return fault("by", "name one to three fields to count by, as in by=action,month")
	}
	for name := range strings.SplitSeq(params.Get("by"), ",") {
		by = append(by, index.Field(strings.TrimSpace(name)))
	}
	limit = defaultRows
	if text := params.Get("limit"); params.Has("limit") {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > maxRows || len(params["limit"]) > 1 {
			return fault("limit", "%.20q is not a number from 1 to %d", text, maxRows)
		}
	}
	if params.Has("cursor") {
		return fault("cursor", "counts have no pages: raise limit, or filter")
	}
	params.Del("by")
	params.Del("limit")
	return by, limit, nil
}

// reflecting waits for the index if a request names the size that it has to reflect,
// and returns the other parameters.
func (s *server) reflecting(r *http.Request) (url.Values, error) {
	params, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, fmt.Errorf("%w: it is not encoded as a query", errQuery)
	}
	if !params.Has("at_least") {
		return params, nil
	}
	size, err := strconv.ParseInt(params.Get("at_least"), 10, 64)
	if err != nil || size < 0 || len(params["at_least"]) > 1 {
		return nil, &index.QueryError{Part: "at_least", Detail: fmt.Sprintf("%.20q is no size of a log", params.Get("at_least"))}
	}
	params.Del("at_least")
	if head := s.lookup.Lag().Head; size > head {
		return nil, &index.QueryError{Part: "at_least", Detail: fmt.Sprintf("the log has %d records, fewer than %d", head, size)}
	}
	ctx, cancel := context.WithTimeout(r.Context(), maxBehind)
	defer cancel()
	if err := s.lookup.Wait(ctx, size); err != nil && r.Context().Err() == nil {
		return nil, errBehind
	}
	return params, nil
}

// replyReflecting is replyListing for what an index answers: where the log has got to
// since is not in the tag either.
func replyReflecting(w *response, r *http.Request, reflects int64, size, head *int64, answer any) error {
	now := *head
	return replyListing(w, r, reflects, func(n int64) any {
		if *size, *head = n, now; n == 0 {
			*head = 0
		}
		return answer
	})
}
