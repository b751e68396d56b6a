package api

import (
	"fmt"
	"net/http"
	"strconv"

	"github.com/go-json-experiment/json"

	"github.com/docket-ledger/docket/api/client"
	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/verify/rules"
)

// The number of items in a page of a listing.
const (
	defaultLimit = 100
	maxLimit     = 1000
)

// pageOf reads limit and cursor from a query.
func pageOf(r *http.Request) (ledger.Page, error) {
	p := ledger.Page{Limit: defaultLimit}
	query := r.URL.Query()
	if query.Has("limit") {
		n, err := strconv.Atoi(query.Get("limit"))
		if err != nil || n < 1 || n > maxLimit {
			return p, fmt.Errorf("%w: limit is %.20q, want 1 to %d", errQuery, query.Get("limit"), maxLimit)
		}
		p.Limit = n
	}
	p.After = query.Get("cursor")
	return p, nil
}

// policies lists the policies.
func (s *server) policies(w *response, r *http.Request) error {
	p, err := pageOf(r)
	if err != nil {
		return err
	}
	list, err := s.ledger.Policies(r.Context(), p)
	if err != nil {
		return err
	}
	answer := client.Policies{Policies: []client.Policy{}}
	for _, one := range list.Items {
		answer.Policies = append(answer.Policies, policyObject(one))
	}
	if list.More {
		answer.Next = list.Items[len(list.Items)-1].Policy
	}
	return replyListing(w, r, list.Size, func(size int64) any { answer.Size = size; return answer })
}

// policy answers what the ledger knows of a policy.
func (s *server) policy(w *response, r *http.Request) error {
	p, err := s.ledger.Policy(r.Context(), variable(r, "policy"))
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", fresh)
	return replyTagged(w, r, policyObject(p))
}

func policyObject(p rules.PolicyInfo) client.Policy {
	answer := client.Policy{Policy: p.Policy, Historic: p.Historic, InForce: p.InForce, Repealed: p.Repealed, RepealedAt: p.RepealedAt}
	for _, v := range p.Versions {
		answer.Versions = append(answer.Versions, client.PolicyVersion{Version: v.Version, Record: v.Record, Start: v.Start})
	}
	return answer
}

// keys lists the keys.
func (s *server) keys(w *response, r *http.Request) error {
	p, err := pageOf(r)
	if err != nil {
		return err
	}
	list, err := s.ledger.Keys(r.Context(), p)
	if err != nil {
		return err
	}
	answer := client.Keys{Keys: []client.Key{}}
	for _, one := range list.Items {
		answer.Keys = append(answer.Keys, keyObject(one))
	}
	if list.More {
		answer.Next = list.Items[len(list.Items)-1].KID
	}
	return replyListing(w, r, list.Size, func(size int64) any { answer.Size = size; return answer })
}

// caseOf answers with the records of a case, and where it stands.
func (s *server) caseOf(w *response, r *http.Request) error {
	p, err := pageOf(r)
	if err != nil {
		return err
	}
	from := int64(0) // the cursor is the index of the last record of the page before
	if p.After != "" {
		if from, err = strconv.ParseInt(p.After, 10, 64); err != nil || from < 0 || from == 1<<63-1 {
			return fmt.Errorf("%w: %.30q is no cursor of this listing", errQuery, p.After)
		}
		from++
	}
	c, err := s.ledger.Case(r.Context(), variable(r, "case"), from, p.Limit)
	if err != nil {
		return err
	}
	answer := client.Case{Case: c.Name, Subject: c.Subject, Tip: c.Tip, Records: []client.CaseRecord{}}
	if c.InForce != nil {
		answer.InForce = &client.InForce{Action: c.InForce.Action, Decision: c.InForce.Decision, Status: c.InForce.Status}
	}
	for _, one := range c.Items {
		answer.Records = append(answer.Records, client.CaseRecord{Standing: standing(one.Standing), Type: one.Type})
	}
	if c.More {
		answer.Next = strconv.FormatInt(c.Items[len(c.Items)-1].Standing.Index, 10)
	}
	return replyListing(w, r, c.Size, func(size int64) any { answer.Size = size; return answer })
}

// replyListing writes a listing. Its tag is a weak one, of all but the size: who
// has the listing hears that it is the same, however the rest of the log has
// grown. The size travels in the header, too.
func replyListing(w *response, r *http.Request, size int64, answer func(size int64) any) error {
	same, err := json.Marshal(answer(0))
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	b, err := json.Marshal(answer(size))
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	w.Header().Set("Cache-Control", fresh)
	w.Header().Set("Docket-Size", strconv.FormatInt(size, 10))
	return replyConditional(w, r, typeJSON, "W/"+tag(same), append(b, '\n'))
}
