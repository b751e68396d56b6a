package web

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/docket-ledger/docket/api/problem"
	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
	"github.com/docket-ledger/docket/verify/telling"
)

// How many records of a case a page shows: of the case, and of a record in it.
const (
	caseOnPage   = 100
	caseOnRecord = 40
)

// A caseView is a case, or a part of it, as a timeline.
type caseView struct {
	Name    string
	Subject string // its pseudonym
	Named   string // what its newest decision calls it
	Size    int64
	Steps   []step
	// From is the index from which on it is shown, 0 for the beginning; Next
	// that of the next part, 0 if there is none.
	From, Next int64
	// InForce is the decision or ruling in force, nil if there is none.
	InForce *inForce
	Duties  []dutyView
	Now     record.Time
	URL     string
}

// A dutyView is what somebody owes.
type dutyView struct {
	rules.Duty
	Task string
	Who  string
}

// An inForce is what may be acted on in a case.
type inForce struct {
	Action string
	Text   string
	ID     record.ID
	Until  record.Time
}

// A step is a record of a case.
type step struct {
	hitView
	Who  string // holders who signed
	Here bool   // it is the record that the page is about

	decision *record.Decision // nil if it is none
	tried    bool             // it is a decision, or told what was intended
}

// Case is the page of a case.
func (p *Pages) Case(w http.ResponseWriter, r *http.Request) error {
	from := int64(0)
	if cursor := r.URL.Query().Get("cursor"); cursor != "" {
		n, err := strconv.ParseInt(cursor, 10, 64)
		if err != nil || n < 0 {
			return problem.New(http.StatusBadRequest, problem.BadQuery, fmt.Sprintf("the cursor %.30q is none of this case: leave it out to begin with its first record", cursor))
		}
		from = n
	}
	v, _, err := p.caseOf(r.Context(), r.PathValue("case"), from, caseOnPage, "")
	if err != nil {
		return err
	}
	v.URL = p.url(r)
	return p.render(w, r, http.StatusOK, "case.html", v)
}

// caseOf reads a case, with the records at from and later, at most so many; here
// is the record that the page is about.
func (p *Pages) caseOf(ctx context.Context, name string, from int64, most int, here record.ID) (*caseView, ledger.Stands, error) {
	c, err := p.ledger.Case(ctx, name, from, most)
	if err != nil {
		return nil, ledger.Stands{}, err
	}
	v := &caseView{Name: name, Subject: c.Subject, Size: c.Size, From: from}
	if c.More && len(c.Items) > 0 {
		v.Next = c.Items[len(c.Items)-1].Standing.Index + 1
	}
	ids := []record.ID{here}
	for _, item := range c.Items {
		s, err := p.step(ctx, item)
		if err != nil {
			return nil, ledger.Stands{}, err
		}
		s.Here = s.ID == here
		v.Steps = append(v.Steps, s)
		ids = append(ids, s.ID)
	}
	if c.InForce != nil {
		ids = append(ids, c.InForce.Decision)
	}
	stands, err := p.ledger.Stands(ctx, name, ids...)
	if err != nil {
		return nil, stands, err
	}
	v.Now = stands.Time
	for i := range v.Steps {
		if d, ok := stands.Decided[v.Steps[i].ID]; ok {
			v.Steps[i].stands(d)
		}
	}
	for _, d := range stands.Duties {
		v.Duties = append(v.Duties, dutyView{d, upperFirst(telling.Task(d.Kind)), people(record.Quorum{Role: d.Role, Count: d.Count})})
	}
	v.inForce(c.InForce, stands)
	return v, stands, nil
}

// has reports whether a record is among the steps that are shown; v may be nil.
func (v *caseView) has(id record.ID) bool {
	return v != nil && slices.ContainsFunc(v.Steps, func(s step) bool { return s.ID == id })
}

// step reads a record of a case.
func (p *Pages) step(ctx context.Context, item ledger.CaseRecord) (step, error) {
	e, err := p.ledger.Record(ctx, item.Standing.ID)
	if err != nil {
		return step{}, err
	}
	u, err := record.Parse(e.Record)
	if err != nil {
		return step{}, fmt.Errorf("record %s of the log: %w", e.ID, err)
	}
	payload := u.Payload()
	s := step{hitView: hitView{ID: e.ID, Index: e.Index, Kind: typeWords[payload.Head().Type], Title: titleOf(payload),
		At: dated(payload, u.Headers()), Standing: item.Standing, Gist: gist(payload)}}
	var holders []string
	for _, h := range u.Headers() {
		if a, ok := payload.(*record.Appeal); ok && a.FilerJWK != nil && a.FilerJWK.KID() == h.KID {
			holders = append(holders, "the filer")
			continue
		}
		holders = append(holders, p.holder(ctx, h.KID))
	}
	s.Who = words(holders)
	s.decision, s.tried = payload.(*record.Decision)
	if n, ok := payload.(*record.Notice); ok {
		s.tried = n.Kind == record.Proposed
	}
	return s, nil
}

// inForce says what is in force in a case, and what its subject is called, as far
// as the decisions among the steps tell.
func (v *caseView) inForce(now *ledger.InForce, stands ledger.Stands) {
	layer := record.ServiceLayer("")
	for _, s := range v.Steps {
		if s.decision != nil && s.Standing.Effective() {
			layer, v.Named = s.decision.ServiceLayer, excerpt(longestName, s.decision.Subject.Name)
		}
	}
	if now == nil {
		return
	}
	v.InForce = &inForce{ID: now.Decision, Text: telling.Status(now.Status), Action: upperFirst(measure(now.Action, layer)),
		Until: stands.Decided[now.Decision].Until}
}
