package api_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/docket-ledger/docket/api/openapi"
	"github.com/docket-ledger/docket/api/problem"
)

// parts are what a schema describes of an answer: all of it, or each line of a batch's.
func parts(res *http.Response, b []byte) [][]byte {
	if res.Header.Get("Content-Type") != "application/x-ndjson" {
		return [][]byte{b}
	}
	return bytes.Split(bytes.TrimSuffix(b, []byte("\n")), []byte("\n"))
}

// ours are the header fields that mean something in this API; the others are those of any
// server.
var ours = []string{"Accept-Post", "Allow", "Content-Disposition", "Etag", "Location", "Retry-After", "Ratelimit", "Ratelimit-Policy", "Www-Authenticate"}

// undescribed says which header fields and which code of a problem an answer has that its
// description does not name. The codes of the rules, of a 422, are a table of their own.
func undescribed(a openapi.Answer, res *http.Response, b []byte) (wrong []string) {
	for field := range res.Header {
		described := slices.ContainsFunc(a.Headers, func(h string) bool { return strings.EqualFold(h, field) })
		if (slices.Contains(ours, field) || strings.HasPrefix(field, "Docket-")) && !described {
			wrong = append(wrong, fmt.Sprintf("%d has %s, described are %v", res.StatusCode, field, a.Headers))
		}
	}
	if res.StatusCode == http.StatusUnprocessableEntity || res.Header.Get("Content-Type") != problem.ContentType {
		return wrong
	}
	var p problem.Problem
	if err := json.Unmarshal(b, &p); err != nil || p.Code == "" || !strings.Contains(a.Description, p.Code) {
		wrong = append(wrong, fmt.Sprintf("%d has the code %q, described: %s", res.StatusCode, p.Code, a.Description))
	}
	return wrong
}

// misspelled sends a parameter that is not described to each path under /v1, which
// refuses it by its name.
func (s *describedSite) misspelled() {
	s.TB.Helper()
	for _, o := range s.d.operation {
		if !strings.HasPrefix(o.Path, "/v1/") {
			continue
		}
		path := strings.NewReplacer("{id}", "d-x", "{case}", "x", "{policy}", "x", "{kid}", "x").Replace(o.Path) + "?colour=red"
		var fields []string
		switch {
		case o.ID == "counts":
			path += "&by=action"
		case o.ID == "batch":
			fields = []string{"Content-Type", "application/x-ndjson"}
		case o.Method == http.MethodPost:
			fields = []string{"Content-Type", "application/jose+json"}
		}
		_, body := s.d.wants(http.StatusBadRequest, o.Method, s.url+path, "", fields...)
		if !strings.Contains(body, problem.BadQuery) || !strings.Contains(body, "colour") {
			s.TB.Errorf("%s %s: %s", o.Method, path, body)
		}
	}
}

// TestUndescribedMatters: what an answer has beside its description is found out.
func TestUndescribedMatters(t *testing.T) {
	d := newDescribed(t, openapi.JSON)
	s := newDescribedSite(t, d)
	limits := []string{"RateLimit", "RateLimit-Policy"}
	res, body := do(t, "GET", s.url+"/v1/records/"+string(s.Policy), nil)
	if wrong := undescribed(openapi.Answer{Headers: append(limits, "Docket-Id", "Docket-Index", "ETag")}, res, []byte(body)); len(wrong) != 1 || !strings.Contains(wrong[0], "Docket-Standing") {
		t.Errorf("a header that is not described: %q", wrong)
	}
	res, body = do(t, "GET", s.url+"/v1/records/d-x", nil)
	if wrong := undescribed(openapi.Answer{Headers: limits, Description: "There is none: request.lost."}, res, []byte(body)); len(wrong) != 1 || !strings.Contains(wrong[0], problem.NotFound) {
		t.Errorf("a code that is not described: %q", wrong)
	}
}
