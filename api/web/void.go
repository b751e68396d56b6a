package web

import (
	"context"
	"net/http"

	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/index"
	"github.com/docket-ledger/docket/verify/rules"
)

// voidOnPage is how many void records a page shows.
const voidOnPage = 20

// A voidView is what counts for nothing, and why.
type voidView struct {
	Total int64
	Codes []codeCount
	Items []voidLine
	Past  bool
	Next  string // the next page, "" after the last
}

// A codeCount is a reason, and how many records are void for it.
type codeCount struct {
	reason
	Count int64
	Href  string
}

// A voidLine is a void record with the reasons.
type voidLine struct {
	hitView
	Reasons []reason
}

// Void is the list of the void records, the newest first.
func (p *Pages) Void(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	q := index.Query{Where: map[index.Field][]string{index.Standing: {"void"}}}
	page := ledger.Page{Limit: voidOnPage, After: r.URL.Query().Get("cursor")}
	found, err := p.index.Search(ctx, q, page)
	if err != nil {
		return err
	}
	v := voidView{Total: found.Total, Past: page.After != "" && len(found.Items) == 0}
	hits, err := p.hits(ctx, found.Items)
	if err != nil {
		return err
	}
	for _, h := range hits {
		line := voidLine{hitView: h}
		for _, code := range h.Standing.Codes {
			line.Reasons = append(line.Reasons, reason{ledger.Explain(code), string(code)})
		}
		v.Items = append(v.Items, line)
	}
	if found.Next != "" {
		v.Next = "/void?cursor=" + found.Next
	}
	if v.Codes, err = p.voidCodes(ctx, q); err != nil {
		return err
	}
	return p.render(w, r, http.StatusOK, "void.html", v)
}

// voidCodes counts the reasons. Findings, which make nothing void, are left out.
func (p *Pages) voidCodes(ctx context.Context, q index.Query) ([]codeCount, error) {
	counts, err := p.index.Count(ctx, q, 64, index.Code)
	if err != nil {
		return nil, err
	}
	var all []codeCount
	for _, row := range counts.Rows {
		code := rules.Code(row.Values[0])
		if !rules.Finding(code) {
			all = append(all, codeCount{reason{ledger.Explain(code), string(code)}, row.Count, searchURL(q, index.Code, string(code))})
		}
	}
	return all, nil
}
