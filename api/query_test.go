package api_test

import (
	"strings"
	"testing"

	"github.com/docket-ledger/docket/api"
	"github.com/docket-ledger/docket/api/problem"
	"github.com/docket-ledger/docket/ledger/ledgertest"
)

// TestStrictQueries: a parameter that a path does not know, has twice or can't decode is
// refused, with words that say what it takes, and nothing is recorded.
func TestStrictQueries(t *testing.T) {
	s := newSite(t)
	s.limited(t, api.Limits{})
	b := string(s.Sign(s.Decision("case-1"), "dora", "erik"))
	s.Submit([]byte(b))
	id, kid, before := string(s.Policy), ledgertest.JWK("dora").KID(), s.Ledger.Head().Checkpoint.Size
	for path, takes := range map[string]string{
		"/v1/records/" + id: "none is taken", "/v1/records/" + id + "/receipt": "wait, deadline", "/v1/log": "none is taken", "/v1/due": "at",
		"/v1/policies": "limit, cursor", "/v1/policies/abuse": "none is taken", "/v1/cases/case-1": "limit, cursor", "/v1/cases/case-1/file": "none is taken",
		"/v1/stream": "from", "/v1/trust.policy": "none is taken", "/v1/keys": "limit, cursor", "/v1/keys/" + kid: "none is taken", "/v1/checkpoints": "covers",
	} {
		for query, words := range map[string]string{"colour=red": takes, "%zz=1": "not encoded", "limit=1;cursor=2": "not encoded", "": ""} {
			if query == "" {
				first, _, _ := strings.Cut(takes, ",")
				query, words = first+"=1&"+first+"=2", "2 of "+first
				if first == "none is taken" {
					continue
				}
			}
			res, body := do(t, "GET", s.url+path+"?"+query, nil)
			if p := wantProblem(t, path+"?"+query, res, body, 400, problem.BadQuery); !strings.Contains(p.Detail, words) {
				t.Errorf("%s?%s: %q, want %q", path, query, p.Detail, words)
			}
		}
	}
	fresh := string(s.Sign(s.Decision("case-2"), "dora", "erik"))
	for _, query := range []string{"viod=log", "wiat=witnessed", "wait=witnessed&wait=witnessed"} {
		res, body := do(t, "POST", s.url+"/v1/records?"+query, strings.NewReader(fresh), "Content-Type", "application/jose+json")
		wantProblem(t, query, res, body, 400, problem.BadQuery)
	}
	res, body := do(t, "POST", s.url+"/v1/records:batch?void=log", strings.NewReader(fresh+"\n"), "Content-Type", "application/x-ndjson")
	wantProblem(t, "batch", res, body, 400, problem.BadQuery)
	if size := s.Ledger.Head().Checkpoint.Size; size != before {
		t.Errorf("%d records, had %d", size, before)
	}
}
