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

// Precedents returns the like cases of a decision under a clause on a service layer: how
// many, and at most limit of the newest, 0 for as many as the ledger likes to give. Those
// of the case except are left out; it may be "". The error wraps fs.ErrNotExist if the
// ledger has no such policy.
func (c *Client) Precedents(ctx context.Context, policy, clause string, layer record.ServiceLayer, except string, limit int) (Precedents, error) {
	query := url.Values{"policy": {policy}, "clause": {clause}, "layer": {string(layer)}}
	if except != "" {
		query.Set("except", except)
	}
	if limit > 0 {
		query.Set("limit", strconv.Itoa(limit))
	}
	var p Precedents
	err := c.getObject(ctx, "v1/precedents?"+query.Encode(), &p)
	return p, err
}
