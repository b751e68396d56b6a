package api_test

import (
	"context"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/docket-ledger/docket/api"
	"github.com/docket-ledger/docket/api/client"
	"github.com/docket-ledger/docket/api/problem"
)

// TestPreflight: a page of another site may ask before it reads, and gets leave for
// nothing else.
func TestPreflight(t *testing.T) {
	_, url, _ := searched(t)
	for _, test := range []struct {
		path, wants string
		status      int
	}{
		{"/checkpoint", "GET", 204}, {"/v1/records", "GET", 204}, {"/v1/records", "HEAD", 204}, {"/v1/stream", "GET", 204}, {"/tile/0/000", "GET", 204},
		{"/v1/records", "POST", 405}, {"/v1/records:batch", "POST", 405}, {"/v1/log", "DELETE", 405}, {"/v1/log", "", 405},
	} {
		fields := []string{"Origin", "https://reader.example", "Access-Control-Request-Headers", "last-event-id"}
		if test.wants != "" {
			fields = append(fields, "Access-Control-Request-Method", test.wants)
		}
		res, body := do(t, "OPTIONS", url+test.path, nil, fields...)
		allowed := res.Header.Get("Access-Control-Allow-Methods")
		if res.StatusCode != test.status || (test.status == 204) != (allowed == "GET, HEAD") {
			t.Errorf("may %s %s: %d, allowed %q; %s", test.wants, test.path, res.StatusCode, allowed, body)
		}
		if test.status == 204 && (res.Header.Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(res.Header.Get("Access-Control-Allow-Headers"), "Last-Event-ID")) {
			t.Errorf("%s: %v", test.path, res.Header)
		}
	}
}

// TestRateHeaders: an answer says what its address may ask for, and what is left.
func TestRateHeaders(t *testing.T) {
	s := newSite(t)
	s.limited(t, api.Limits{AddressRate: 0.01, AddressBurst: 12, Loopback: true})
	for _, want := range []string{`"address";r=11;t=100`, `"address";r=10;t=200`} {
		res, _ := do(t, "GET", s.url+"/checkpoint", nil)
		if policy, left := res.Header.Get("RateLimit-Policy"), res.Header.Get("RateLimit"); policy != `"address";q=12;w=1200` || left != want {
			t.Errorf("RateLimit-Policy %q, RateLimit %q, want %q", policy, left, want)
		}
		if !strings.Contains(res.Header.Get("Access-Control-Expose-Headers"), "RateLimit") {
			t.Error("pages of other sites can't read it")
		}
	}
	for range 11 {
		do(t, "GET", s.url+"/checkpoint", nil)
	}
	res, _ := do(t, "GET", s.url+"/checkpoint", nil)
	if res.StatusCode != http.StatusTooManyRequests || !strings.HasPrefix(res.Header.Get("RateLimit"), `"address";r=0;`) {
		t.Errorf("above the limit: %d, RateLimit %q", res.StatusCode, res.Header.Get("RateLimit"))
	}
	free := newSite(t)
	if res, _ := do(t, "GET", free.url+"/checkpoint", nil); res.Header.Get("RateLimit") != "" || res.Header.Get("RateLimit-Policy") != "" {
		t.Error("a limit is said where there is none")
	}
}

// TestNear: what is spelled almost like what was not found is named.
func TestNear(t *testing.T) {
	w, url, c := searched(t)
	decided(w, "case-one", "It happened.")
	if _, err := c.Search(t.Context(), map[string][]string{"at_least": {"7"}}); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]problem.Near{
		"/v1/cases/case-onne":                              {Kind: "case", Value: "case-one"},
		"/v1/policies/abus":                                {Kind: "policy", Value: "abuse"},
		"/v1/cases/case-onne/file":                         {Kind: "case", Value: "case-one"},
		"/v1/records/" + strings.ToLower(string(w.Policy)): {Kind: "record", Value: string(w.Policy)},
	} {
		res, body := do(t, "GET", url+path, nil)
		var p problem.Problem
		if err := json.Unmarshal([]byte(body), &p); err != nil || res.StatusCode != 404 || len(p.Near) == 0 || p.Near[0] != want {
			t.Errorf("%s: %d %s", path, res.StatusCode, body)
		}
	}
	if _, body := do(t, "GET", url+"/v1/cases/zzzzzzzzzz", nil); strings.Contains(body, "near") {
		t.Errorf("near nothing: %s", body)
	}
}

// TestClientStream: every record comes once and in order, though connections break.
func TestClientStream(t *testing.T) {
	w, base, _ := searched(t)
	to, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	proxy, connections := httputil.NewSingleHostReverseProxy(to), atomic.Int32{}
	proxy.ErrorLog = log.New(io.Discard, "", 0)
	breaking := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		connections.Add(1)
		ctx, cancel := context.WithTimeout(r.Context(), 50*time.Millisecond)
		defer cancel()
		proxy.ServeHTTP(w, r.WithContext(ctx))
	}))
	defer breaking.Close()
	breaking.Config.ErrorLog = proxy.ErrorLog
	c, err := client.New(breaking.URL)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for i := range 5 {
			decided(w, "streamed-"+string(rune('a'+i)), "It happened.")
			time.Sleep(20 * time.Millisecond)
		}
	}()
	next := int64(0)
	for one, err := range c.Stream(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if one.Index != next {
			t.Fatalf("record %d came, want %d", one.Index, next)
		}
		if next++; next == 11 {
			break
		}
	}
	if connections.Load() < 2 {
		t.Error("no connection broke")
	}
	for _, err := range c.Stream(t.Context(), 1000) {
		if p, ok := err.(*problem.Problem); !ok || p.Code != problem.BadQuery {
			t.Errorf("from beyond the end: %v", err)
		}
	}
}
