package api

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/docket-ledger/docket/api/client"
	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/index"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
	"github.com/docket-ledger/docket/verify/telling"
)

// defaultPrecedents is how many of the newest like cases are answered.
const defaultPrecedents = 5

// precedents answers what was decided under a clause on a service layer.
func (s *server) precedents(w *response, r *http.Request) error {
	params, err := s.reflecting(r)
	if err != nil {
		return err
	}
	answer, page, err := likeness(params)
	if err != nil {
		return err
	}
	policy, err := s.ledger.Policy(r.Context(), answer.Policy)
	if err != nil {
		return err
	}
	clauses := clauseValues(policy, answer.Clause)
	published := index.Query{Where: map[index.Field][]string{index.Type: {string(record.TypePolicyPublish)}, index.Clause: clauses}}
	if found, err := s.lookup.Count(r.Context(), published, 1, index.Type); err != nil {
		return err
	} else if found.Total == 0 {
		return &index.QueryError{Part: "clause", Detail: fmt.Sprintf("no version of policy %s has a clause %.40q", answer.Policy, answer.Clause)}
	}
	q := index.Query{
		Where: map[index.Field][]string{index.Type: {string(record.TypeDecision)}, index.Standing: {client.Effective},
			index.Clause: clauses, index.Layer: {string(answer.Layer)}},
		Not: map[index.Field][]string{index.Action: {string(record.Reinstate)}, index.Case: params["except"]},
	}
	counts, err := s.lookup.Count(r.Context(), q, len(record.Actions), index.Action)
	if err != nil {
		return err
	}
	found, err := s.lookup.Search(r.Context(), q, page)
	if err != nil {
		return err
	}
	answer.Head, answer.Total = s.lookup.Lag().Head, counts.Total
	for _, row := range counts.Rows {
		answer.Actions = append(answer.Actions, client.ActionCount{Action: record.Action(row.Values[0]), Count: row.Count})
	}
	if answer.Newest, err = s.stand(r, answer.Policy, answer.Clause, found.Items); err != nil {
		return err
	}
	return replyReflecting(w, r, min(counts.Size, found.Size), &answer.Size, &answer.Head, &answer)
}

// likeness reads what makes a case like another.
func likeness(params url.Values) (client.Precedents, ledger.Page, error) {
	answer := client.Precedents{Actions: []client.ActionCount{}, Newest: []client.Precedent{}}
	for name, values := range params {
		if !slices.Contains([]string{"policy", "clause", "layer", "except", "limit"}, name) {
			return answer, ledger.Page{}, &index.QueryError{Part: name, Detail: "there are policy, clause, layer, except, limit and at_least"}
		}
		if len(values) > 1 {
			return answer, ledger.Page{}, &index.QueryError{Part: name, Detail: "it can be given once"}
		}
	}
	for _, name := range []string{"policy", "clause", "layer"} {
		if params.Get(name) == "" {
			return answer, ledger.Page{}, &index.QueryError{Part: name, Detail: "it is missing: like cases are those under a clause of a policy, on a service layer"}
		}
	}
	_, page, err := index.ParseQuery(params, "except")
	if !params.Has("limit") {
		page.Limit = defaultPrecedents
	}
	answer.Policy, answer.Clause, answer.Layer = params.Get("policy"), params.Get("clause"), record.ServiceLayer(params.Get("layer"))
	return answer, page, err
}

// clauseValues are the values of a clause in all versions of its policy.
func clauseValues(p rules.PolicyInfo, clause string) []string {
	var all []string
	for _, v := range p.Versions {
		all = append(all, fmt.Sprintf("%s/%d/%s", p.Policy, v.Version, clause))
	}
	return all
}

// stand says of decisions where they stand now.
func (s *server) stand(r *http.Request, policy, clause string, hits []index.Hit) ([]client.Precedent, error) {
	all, cases := []client.Precedent{}, map[record.ID]string{}
	for _, h := range hits {
		d, ok := h.Payload.(*record.Decision)
		if !ok {
			return nil, fmt.Errorf("the index has record %d as a decision, which it is not", h.Index)
		}
		one := client.Precedent{Found: foundObject(h), Gist: telling.Gist(d.Facts)}
		for _, g := range d.Grounds {
			if g.Policy == policy && g.Clause == clause {
				one.Version = g.Version
			}
		}
		cases[h.ID] = d.Case
		all = append(all, one)
	}
	now, err := s.ledger.Statuses(r.Context(), cases)
	if err != nil {
		return nil, err
	}
	for i := range all {
		all[i].Status = now[all[i].ID].Status
	}
	return all, nil
}
