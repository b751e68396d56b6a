package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/docket-ledger/docket/verify/record"
)

// maxCaseFile bounds a case file, in bytes; casefile.MaxSize is the bound of those that
// are read.
const maxCaseFile = 256 << 20

// A Found is a record that a search found.
type Found struct {
	Standing
	Type   record.Type   `json:"type,omitempty"`
	Case   string        `json:"case,omitempty"`
	Action record.Action `json:"action,omitempty"`
	// Time is when the record says that it happened. It is claimed.
	Time record.Time `json:"time,omitzero"`
	// Summary says in a line what it states; texts of the record are in it as
	// they are.
	Summary string `json:"summary,omitempty"`
}

// A Search is a page of what a search finds.
type Search struct {
	// Size is how many records the log had that it reflects, Head how many the
	// log has: an index follows it, a moment behind.
	Size int64 `json:"size"`
	Head int64 `json:"head"`
	// Total is how many records are found in all.
	Total   int64   `json:"total"`
	Records []Found `json:"records"`
	// Next is the cursor of the next page, "" after the last.
	Next string `json:"next,omitempty"`
}

// Counts says how many records that a search finds have each combination of values.
type Counts struct {
	Size  int64    `json:"size"` // as in Search
	Head  int64    `json:"head"`
	Total int64    `json:"total"`
	By    []string `json:"by"` // the fields, in the order of the values
	Rows  []Count  `json:"rows"`
	// More says that there are more rows; those with the largest counts are here.
	More bool `json:"more,omitzero"`
}

// A Count is a combination of values.
type Count struct {
	Values []string `json:"values"`
	Count  int64    `json:"count"`
}

// Search returns a page of the records that a query finds, the newest first. The
// members of query are those of GET /v1/records: q for words, the fields of a record
// such as type, action or case, from, until, order, limit, cursor, at_least.
func (c *Client) Search(ctx context.Context, query url.Values) (Search, error) {
	var s Search
	err := c.getObject(ctx, "v1/records?"+query.Encode(), &s)
	return s, err
}

// SearchAll yields all records that a query finds, a page at a time. It ends after the
// first error.
func (c *Client) SearchAll(ctx context.Context, query url.Values) iter.Seq2[Found, error] {
	return func(yield func(Found, error) bool) {
		next := url.Values{}
		for name, values := range query {
			next[name] = values
		}
		for {
			page, err := c.Search(ctx, next)
			if err != nil {
				yield(Found{}, err)
				return
			}
			for _, one := range page.Records {
				if !yield(one, nil) {
					return
				}
			}
			if page.Next == "" {
				return
			}
			next.Set("cursor", page.Next)
		}
	}
}

// Counts counts the records that a query finds by one to three fields, at most limit
// rows, 0 for as many as the ledger likes to give.
func (c *Client) Counts(ctx context.Context, query url.Values, limit int, by ...string) (Counts, error) {
	all := url.Values{"by": {strings.Join(by, ",")}}
	if limit > 0 {
		all.Set("limit", strconv.Itoa(limit))
	}
	for name, values := range query {
		all[name] = values
	}
	var out Counts
	err := c.getObject(ctx, "v1/counts?"+all.Encode(), &out)
	return out, err
}

// CaseFile returns the file of a case, a zip with a full receipt of each record. What
// is in it is checked with package casefile of verify.
func (c *Client) CaseFile(ctx context.Context, name string) ([]byte, error) {
	req, err := c.request(ctx, http.MethodGet, "v1/cases/"+url.PathEscape(name)+"/file", nil, "application/zip")
	if err != nil {
		return nil, err
	}
	return c.do(req, maxCaseFile)
}
