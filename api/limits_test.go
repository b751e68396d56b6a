package api_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docket-ledger/docket/api"
	"github.com/docket-ledger/docket/api/client"
	"github.com/docket-ledger/docket/api/problem"
	"github.com/docket-ledger/docket/api/proof"
	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/verify/record"
)

// limited serves the ledger of a site with limits.
func (s *site) limited(t *testing.T, l api.Limits) {
	t.Helper()
	s.url, s.log = serveWith(t, s.Ledger, api.Options{Drafts: s.drafts, Now: s.Now, Limits: l})
	var err error
	if s.client, err = client.New(s.url); err != nil {
		t.Fatal(err)
	}
}

func wantLimit(t *testing.T, what string, res *http.Response, body string) {
	t.Helper()
	wantProblem(t, what, res, body, 429, problem.RateLimit)
	if n, err := strconv.Atoi(res.Header.Get("Retry-After")); err != nil || n < 1 {
		t.Errorf("%s: Retry-After %q", what, res.Header.Get("Retry-After"))
	}
}

// from returns a client of an address of this machine.
func from(t testing.TB, address string) *http.Client {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	transport := &http.Transport{DialContext: dialer.DialContext, MaxIdleConnsPerHost: 64}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func TestAddressLimit(t *testing.T) {
	s := newSite(t)
	s.limited(t, api.Limits{AddressRate: 0.01, AddressBurst: 12, Loopback: true})
	for range 12 {
		if res, body := do(t, "GET", s.url+"/checkpoint", nil); res.StatusCode != 200 {
			t.Fatalf("below the limit: %d %s", res.StatusCode, body)
		}
	}
	start := time.Now()
	for _, path := range []string{"/none", "/tile/0/000"} {
		res, body := do(t, "GET", s.url+path, nil)
		wantLimit(t, path, res, body)
	}
	if took := time.Since(start); took < 2*time.Second {
		t.Errorf("two refusals took %s, want each a second late", took)
	}
	for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
		if res, body := do(t, "GET", s.url+path, nil); res.StatusCode != 200 {
			t.Errorf("%s: %d %s", path, res.StatusCode, body)
		}
	}
	res, err := from(t, "127.0.0.2").Get(s.url + "/checkpoint")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != 200 {
		t.Errorf("another address: %d", res.StatusCode)
	}
}

// TestStrangerCost: records that nobody here has signed use up the share of their
// address ten times as fast.
func TestStrangerCost(t *testing.T) {
	s := newSite(t)
	s.limited(t, api.Limits{AddressRate: 0.01, AddressBurst: 30, Loopback: true})
	var statuses []int
	for i := range 4 {
		res, _ := s.post(t, string(s.Sign(s.Decision(fmt.Sprintf("case-%d", i)), "nobody")))
		statuses = append(statuses, res.StatusCode)
	}
	if want := []int{422, 422, 422, 429}; !slices.Equal(statuses, want) {
		t.Errorf("strangers: %v, want %v", statuses, want)
	}
	s.limited(t, api.Limits{AddressRate: 0.01, AddressBurst: 30, Loopback: true})
	for i := range 10 {
		if res, body := s.post(t, string(s.Sign(s.Decision(fmt.Sprintf("case-%d", i)), "dora"))); res.StatusCode != 422 {
			t.Errorf("staff whose record is refused: %d %s", res.StatusCode, body)
		}
	}
}

// TestLoopbackExempt: a proxy on the same machine brings everybody.
func TestLoopbackExempt(t *testing.T) {
	s := newSite(t)
	s.limited(t, api.Limits{AddressRate: 0.01, AddressBurst: 1})
	for range 30 {
		if res, body := do(t, "GET", s.url+"/checkpoint", nil); res.StatusCode != 200 {
			t.Fatalf("got %d %s", res.StatusCode, body)
		}
	}
}

// TestKeyLimit: a key is charged for what it signed, and for nothing else.
func TestKeyLimit(t *testing.T) {
	s := newSite(t)
	s.limited(t, api.Limits{KeyRate: 0.01, KeyBurst: 2})
	forgedBy := func(name string) string {
		return string(forge(t, s.Sign(s.Decision("case-"+name), "erik"), func(f *forged) { resign(f, "nobody") }))
	}
	for i := range 5 { // in erik's name
		res, body := s.post(t, forgedBy(fmt.Sprint("forged-", i)))
		wantProblem(t, "forged", res, body, 422, "signature.invalid")
	}
	var last []byte
	for i := range 2 {
		last = s.Sign(s.Decision(fmt.Sprintf("case-%d", i)), "dora", "erik")
		if res, body := s.post(t, string(last)); res.StatusCode != 201 {
			t.Errorf("record %d: %d %s", i, res.StatusCode, body)
		}
	}
	third := string(s.Sign(s.Decision("case-2"), "dora", "erik"))
	res, body := s.post(t, third)
	wantLimit(t, "the third record", res, body)
	if res, body := s.post(t, string(last)); res.StatusCode != 200 {
		t.Errorf("what is known: %d %s", res.StatusCode, body)
	}
	res, body = s.as(t, "dora", "GET", "/v1/drafts", "")
	wantLimit(t, "a proof", res, body)
	if res, body := s.as(t, "ada", "GET", "/v1/drafts", ""); res.StatusCode != 200 {
		t.Errorf("another key: %d %s", res.StatusCode, body)
	}
	if size := s.Seen().Size; size != 8 {
		t.Errorf("size %d, want 8", size)
	}
}

// TestBatchWaits: where a single record is refused, a batch goes slower.
func TestBatchWaits(t *testing.T) {
	s := newSite(t)
	s.limited(t, api.Limits{KeyRate: 20, KeyBurst: 5})
	var records [][]byte
	for i := range 15 {
		records = append(records, s.Sign(s.Decision(fmt.Sprintf("case-%d", i)), "dora", "erik"))
	}
	start := time.Now()
	n := 0
	for line, err := range s.client.SubmitBatch(context.Background(), slices.Values(records)) {
		if n++; err != nil || line.Status != 201 {
			t.Errorf("line %d: %+v, %v", n, line, err)
		}
	}
	if took := time.Since(start); n != 15 || took < 400*time.Millisecond {
		t.Errorf("%d records in %s, want 15 in half a second", n, took)
	}
}

// TestPlaces: strangers who send slowly keep out other strangers, but not who has
// sent something signed before.
func TestPlaces(t *testing.T) {
	s := newSite(t)
	s.limited(t, api.Limits{Loopback: true, Strangers: 2})
	b := s.Sign(s.Decision("case-one"), "dora", "erik")
	if res, body := s.post(t, string(b)); res.StatusCode != 201 {
		t.Fatalf("%d %s", res.StatusCode, body)
	}
	for range 2 {
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP("127.0.0.2")}}
		c, err := dialer.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		fmt.Fprintf(c, "POST /v1/records HTTP/1.1\r\nHost: x\r\nContent-Type: application/jose+json\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n")
		if n, err := c.Read(make([]byte, 100)); err != nil || n == 0 { // 100: it has its place
			t.Fatalf("%d, %v", n, err)
		}
	}
	res, err := from(t, "127.0.0.3").Post(s.url+"/v1/records", "application/jose+json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	wantProblem(t, "another stranger", res, string(body), 503, problem.Busy)
	if res, body := s.post(t, string(s.Sign(s.Decision("case-two"), "dora", "erik"))); res.StatusCode != 201 {
		t.Errorf("staff: %d %s", res.StatusCode, body)
	}
}

// TestParts: each listener has its part, and all share the limits.
func TestParts(t *testing.T) {
	s := newSite(t)
	site := api.NewSite(s.Ledger, api.Options{Drafts: s.drafts, Now: s.Now, Limits: api.Limits{KeyRate: 0.01, KeyBurst: 2}})
	urls := map[api.Parts]string{}
	for _, parts := range []api.Parts{api.Reads, api.Reads | api.Writes, api.Operations} {
		server := httptest.NewServer(site.Handler(parts))
		t.Cleanup(server.Close)
		urls[parts] = server.URL
	}
	for path, part := range map[string]api.Parts{"/checkpoint": api.Reads, "/v1/log": api.Reads, "/": api.Reads, "/v1/records": api.Writes,
		"/v1/records:batch": api.Writes, "/v1/drafts": api.Writes, "/healthz": api.Operations, "/readyz": api.Operations, "/metrics": api.Operations} {
		for parts, url := range urls {
			res, _ := do(t, "GET", url+path, nil)
			if here := res.StatusCode != 404; here != (parts&part != 0) {
				t.Errorf("%s with parts %d: %d", path, parts, res.StatusCode)
			}
		}
	}
	p, err := proof.Sign(ledgertest.Key("dora"), "GET", urls[api.Reads|api.Writes]+"/v1/drafts", nil, s.Now())
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{200, 401} { // a second use is one anywhere
		if res, body := do(t, "GET", urls[api.Reads|api.Writes]+"/v1/drafts", nil, proof.Header, p); res.StatusCode != want {
			t.Errorf("use %d: %d %s", i, res.StatusCode, body)
		}
	}
}

// BenchmarkStaff measures how long staff waits for a receipt, alone and while
// strangers send records as fast as they can; ratio is how many times as long.
func BenchmarkStaff(b *testing.B) {
	w := ledgertest.New(b, nil)
	server := httptest.NewServer(api.New(w.Ledger, api.Options{Now: w.Now, Limits: api.Limits{
		KeyRate: 1000, KeyBurst: 10000, AddressRate: 200, AddressBurst: 2000, Loopback: true}}))
	defer server.Close()
	const n = 300
	serial := 0
	median := func() (p50, p99 time.Duration) {
		took := make([]time.Duration, n)
		c := from(b, "127.0.0.1")
		for i := range took {
			serial++
			rec := w.Sign(w.Decision(fmt.Sprintf("case-%d", serial)), "dora", "erik")
			start := time.Now()
			if status := post(c, server.URL, rec); status != 201 {
				b.Errorf("staff: status %d", status)
			}
			took[i] = time.Since(start)
			time.Sleep(time.Millisecond)
		}
		slices.Sort(took)
		return took[n/2], took[n*99/100]
	}
	for b.Loop() {
		alone50, alone99 := median()
		ctx, stop := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		stranger := w.Sign(w.Decision("case-x"), "nobody")
		var mu sync.Mutex
		sent := map[int]int{}
		for i := range 64 {
			wg.Go(func() {
				c := from(b, fmt.Sprintf("127.0.0.%d", 2+i%8))
				for ctx.Err() == nil {
					status := post(c, server.URL, stranger)
					mu.Lock()
					sent[status]++
					mu.Unlock()
				}
			})
		}
		time.Sleep(2 * time.Second) // what they may do at once is used up
		flood50, flood99 := median()
		stop()
		wg.Wait()
		b.ReportMetric(float64(flood50)/float64(alone50), "ratio-p50")
		b.ReportMetric(float64(flood99)/float64(alone99), "ratio-p99")
		b.ReportMetric(float64(alone50.Microseconds())/1000, "ms-p50-alone")
		b.ReportMetric(float64(flood50.Microseconds())/1000, "ms-p50-flood")
		b.ReportMetric(float64(sent[422]+sent[429]), "refused")
		b.ReportMetric(0, "ns/op")
	}
}

// post submits a record and returns the status, 0 if there was no answer.
func post(c *http.Client, url string, rec []byte) int {
	res, err := c.Post(url+"/v1/records", record.ContentType, strings.NewReader(string(rec)))
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return 0
	}
	return res.StatusCode
}
