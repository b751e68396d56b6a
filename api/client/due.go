package client

import (
	"context"

	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
)

// Due is what a ledger says is owed. It can be recomputed by an audit.
type Due struct {
	// Size is that of the log it reflects.
	Size int64 `json:"size"`
	// Time is the time it was asked for, or the ledger time if that is later.
	Time   record.Time   `json:"time,omitzero"`
	Duties []verify.Owed `json:"duties"`
}

// Due returns what is owed at a time, or at the ledger time if that is later.
func (c *Client) Due(ctx context.Context, at record.Time) (Due, error) {
	path := "v1/due"
	if at != 0 {
		path += "?at=" + at.String()
	}
	var d Due
	return d, c.getObject(ctx, path, &d)
}
