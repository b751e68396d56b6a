package web

import (
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
	Case     string
	Lang     string
	Gist     string
}

func (p *Pages) hit(h index.Hit) hitView {
	return hitView{ID: h.ID, Index: h.Index, Kind: typeWords[h.Payload.Head().Type], Title: titleOf(h.Payload), At: h.Time,
		Standing: h.Standing, Case: caseOf(h.Payload), Gist: gist(h.Payload)}
}
