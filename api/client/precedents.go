package client

import (
	"context"
	"net/url"
	"strconv"

	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// Precedents are like cases: effective decisions under a clause, in any version of its
// policy, on a service layer. Reinstatements are none, for they end a measure and judge
// nothing alike.
type Precedents struct {
	Size   int64               `json:"size"` // as in Search
	Head   int64               `json:"head"`
	Policy string              `json:"policy"`
	Clause string              `json:"clause"`
	Layer  record.ServiceLayer `json:"layer"`
	// Total is how many there are in all.
	Total int64 `json:"total"`
	// Actions counts them by what was decided, the most frequent first, whatever
	// became of them.
	Actions []ActionCount `json:"actions"`
	// Newest are the newest of them, the newest first.
	Newest []Precedent `json:"newest"`
}

// An ActionCount says how often an action was decided.
type ActionCount struct {
	Action record.Action `json:"action"`
	Count  int64         `json:"count"`
}

// A Precedent is a like case.
type Precedent struct {
	Found
	// Version is that of the policy under which it was decided.
	Version int64 `json:"version"`
	// Status is where it stands now.
	Status rules.Status `json:"status"`
	// Gist is the beginning of its facts, as they are.
	Gist string `json:"gist"`
}

// Differs reports whether most like cases were decided otherwise than by action.
func (p *Precedents) Differs(action record.Action) bool {
	same := int64(0)
	for _, a := range p.Actions {
		if a.Action == action {
			same += a.Count
		}
	}
	return 2*(p.Total-same) > p.Total
}

// A Likeness says what makes cases alike.
type Likeness struct {
	Policy string
	Clause string
	Layer  record.ServiceLayer
	// Except is the case that is to be decided: its decisions are left out.
	Except string
	// Limit is how many of the newest are wanted, 0 for as many as the ledger
	// likes to give.
	Limit int
	// AtLeast is a size of the log that the answer has to reflect.
	AtLeast int64
}

// Precedents returns the like cases of a decision. The error wraps fs.ErrNotExist if
// the ledger has no such policy.
func (c *Client) Precedents(ctx context.Context, like Likeness) (Precedents, error) {
	query := url.Values{"policy": {like.Policy}, "clause": {like.Clause}, "layer": {string(like.Layer)}}
	if like.Except != "" {
		query.Set("except", like.Except)
	}
	if like.Limit > 0 {
		query.Set("limit", strconv.Itoa(like.Limit))
	}
	if like.AtLeast > 0 {
		query.Set("at_least", strconv.FormatInt(like.AtLeast, 10))
	}
	var p Precedents
	err := c.getObject(ctx, "v1/precedents?"+query.Encode(), &p)
	return p, err
}
