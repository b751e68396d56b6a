package web

import (
	"context"

	"github.com/docket-ledger/docket/ledger/index"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// A hitView is a record in a list.
type hitView struct {
	ID       record.ID
	Index    int64
	Kind     string
	Title    title
	At       record.Time // claimed
	Standing rules.Standing
	// Word is where a decision stands, "" for other records; Acts says that
	// it may be acted on.
	Word string
	Acts bool
	Case string
	Gist string
}

// hits are records in a list, decisions and rulings with where they stand now.
func (p *Pages) hits(ctx context.Context, found []index.Hit) ([]hitView, error) {
	cases := map[record.ID]string{}
	all := make([]hitView, len(found))
	for i, h := range found {
		typ := h.Payload.Head().Type
		all[i] = hitView{ID: h.ID, Index: h.Index, Kind: typeWords[typ], Title: titleOf(h.Payload), At: h.Time,
			Standing: h.Standing, Case: caseOf(h.Payload), Gist: gist(h.Payload)}
		if (typ == record.TypeDecision || typ == record.TypeRuling) && h.Standing.Effective() {
			cases[h.ID] = all[i].Case
		}
	}
	statuses, err := p.ledger.Statuses(ctx, cases)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if d, ok := statuses[all[i].ID]; ok {
			all[i].stands(d)
		}
	}
	return all, nil
}

// stands adds where a decision stands.
func (h *hitView) stands(d rules.Decided) {
	h.Word, h.Acts = statusWords[d.Status][0], d.Status.Acts()
}
