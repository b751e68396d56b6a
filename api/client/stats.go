package client

import (
	"context"
	"fmt"
	"net/http"

	"github.com/docket-ledger/docket/verify/stats"
	"github.com/go-json-experiment/json"
)

// maxStats bounds the numbers of a log, in bytes: some 10,000 clauses.
const maxStats = 16 << 20

// Stats are the numbers that a ledger counts over its log, at a checkpoint that it gave
// to readers.
type Stats struct {
	Origin string `json:"origin"`
	Root   string `json:"root"` // of the checkpoint, base64
	stats.Figures
}

// Stats returns the numbers of the log. Whoever has a copy counts the same with package
// stats of verify. A *problem.Problem with RetryAfter says that they are being counted.
func (c *Client) Stats(ctx context.Context) (Stats, error) {
	var out Stats
	req, err := c.request(ctx, http.MethodGet, "v1/stats", nil, "application/json")
	if err != nil {
		return out, err
	}
	b, err := c.do(req, maxStats)
	if err != nil {
		return out, err
	}
	if err := json.Unmarshal(b, &out); err != nil {
		return out, fmt.Errorf("%s: %w: %w", req.URL, errAnswer, err)
	}
	return out, nil
}
