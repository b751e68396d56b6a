package api_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/docket-ledger/docket/api"
	"github.com/docket-ledger/docket/api/client"
	"github.com/docket-ledger/docket/api/problem"
	"github.com/docket-ledger/docket/ledger/drafts"
	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
)

// A site is a ledger that is served.
type site struct {
	*ledgertest.World
	url    string
	client *client.Client
	drafts *drafts.Store
	log    *logBuffer
}

// logBuffer collects the request log.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{World: ledgertest.New(t, nil)}
	var err error
	s.drafts, err = drafts.Open(drafts.Config{Dir: filepath.Join(s.Dir, "drafts"), Now: s.Now,
		Life: func() time.Duration { return 720 * time.Hour }, PerKey: 3})
	if err != nil {
		t.Fatal(err)
	}
	s.url, s.log = serveWith(t, s.Ledger, api.Options{Drafts: s.drafts, Now: s.Now})
	if s.client, err = client.New(s.url); err != nil {
		t.Fatal(err)
	}
	return s
}

func serve(t *testing.T, l api.Ledger) (string, *logBuffer) {
	t.Helper()
	return serveWith(t, l, api.Options{})
}

// serveWith serves with a log and a registry of its own.
func serveWith(t *testing.T, l api.Ledger, opt api.Options) (string, *logBuffer) {
	t.Helper()
	log := &logBuffer{}
	opt.Logger = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	opt.Registry = prometheus.NewRegistry()
	server := httptest.NewUnstartedServer(nil)
	server.Config = api.Server(api.New(l, opt), opt.Logger)
	server.Start()
	t.Cleanup(server.Close)
	return server.URL, log
}

// do makes a request with the header fields given in pairs.
func do(t *testing.T, method, url string, body io.Reader, fields ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(fields); i += 2 {
		req.Header.Add(fields[i], fields[i+1])
	}
	res, err := http.DefaultTransport.RoundTrip(req) // follows no redirect
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	return res, string(b)
}

func (s *site) post(t *testing.T, body string, fields ...string) (*http.Response, string) {
	t.Helper()
	return do(t, "POST", s.url+"/v1/records", strings.NewReader(body), append([]string{"Content-Type", "application/jose+json"}, fields...)...)
}

func (s *site) policy(t *testing.T) *verify.Policy {
	t.Helper()
	p, err := verify.ParsePolicy(s.TrustPolicy())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func wantProblem(t *testing.T, what string, res *http.Response, body string, status int, code string) *problem.Problem {
	t.Helper()
	p := problem.Parse(res.StatusCode, res.Header.Get("Content-Type"), []byte(body))
	if res.StatusCode != status || p.Code != code {
		t.Errorf("%s: got %d %q, want %d %q: %s", what, res.StatusCode, p.Code, status, code, body)
	}
	if res.Header.Get("Cache-Control") != "no-store" || !strings.HasPrefix(p.Instance, "urn:uuid:") {
		t.Errorf("%s: want no-store and an instance: %v %s", what, res.Header, body)
	}
	return p
}

func TestSubmit(t *testing.T) {
	s := newSite(t)
	b := s.Sign(s.Decision("case-one"), "dora", "erik")
	res, receipt := s.post(t, string(b))
	if res.StatusCode != http.StatusCreated || res.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Fatalf("got %d %s: %s, want 201 and a receipt", res.StatusCode, res.Header.Get("Content-Type"), receipt)
	}
	id := record.IDOf(b)
	for name, want := range map[string]string{
		"Docket-Id": string(id), "Docket-Index": "6", "Docket-Standing": "effective", "Docket-Codes": "",
		"Location": "/v1/records/" + string(id), "Vary": "Accept",
	} {
		if got := res.Header.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	checkBare(t, s, []byte(receipt), b)

	res, again := s.post(t, string(b), "Accept", "text/html, */*;q=0.8")
	if res.StatusCode != http.StatusOK || !strings.HasPrefix(again, "c2sp.org/tlog-proof@v1\n") {
		t.Errorf("the same bytes again: got %d %s, want 200 and a receipt", res.StatusCode, again)
	}
	res, text := s.post(t, string(b), "Accept", "application/json, text/plain, */*")
	var got client.Submitted
	if err := json.Unmarshal([]byte(text), &got); err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("by Accept: %d %v: %s", res.StatusCode, err, text)
	}
	if got.ID != id || got.Index != 6 || !got.Known || got.Standing.Standing != client.Effective {
		t.Errorf("by Accept: got %+v", got)
	}
	checkBare(t, s, []byte(got.Receipt), b)
}

func checkBare(t *testing.T, s *site, receipt, b []byte) {
	t.Helper()
	r, err := verify.ParseReceipt(receipt)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Check(s.policy(t), b); err != nil {
		t.Errorf("receipt: %v", err)
	}
}

func TestRefused(t *testing.T) {
	s := newSite(t)
	good := s.Sign(s.Decision("case-one"), "dora", "erik")
	ruleless := s.Decision("case-two")
	ruleless.Grounds = nil
	other := s.Decision("case-three")
	other.Ledger = "other.example/2026"
	for _, test := range []struct {
		what, body string
		status     int
		code       string
		codes      int
		text       string // in the sentences or the detail
	}{
		{"empty", "", 400, "record.malformed", 1, "not a record"},
		{"no JSON", "hello", 400, "record.malformed", 1, "spelling"},
		{"a space more", string(good) + " ", 400, "record.malformed", 1, "spelling"},
		{"other signature", strings.Replace(string(good), `"signature":"`, `"signature":"AAAA`, 1), 400, "record.malformed", 1, "signature 1"},
		{"unknown key", string(s.Sign(s.Decision("case-four"), "nobody")), 422, "key.unknown", 1, "never enrolled"},
		{"another ledger's", string(s.Sign(other, "dora", "erik")), 422, "ledger.mismatch", 1, "another ledger"},
		{"no rule, one holder", string(s.Sign(ruleless, "dora")), 422, "ground.none", 2, "Too few different people"},
		{"disclosures", `{"record":` + string(good) + `,"disclosures":["WyJhIl0"]}`, 501, problem.DisclosuresUnsupported, 0, "disclosures"},
		{"too large", strings.Repeat("x", record.MaxSize+1), 413, problem.TooLarge, 0, "65535"},
	} {
		res, body := s.post(t, test.body)
		p := wantProblem(t, test.what, res, body, test.status, test.code)
		if len(p.Codes) != test.codes || !strings.Contains(body, test.text) {
			t.Errorf("%s: got %s, want %d codes and %q", test.what, body, test.codes, test.text)
		}
	}
	for _, fields := range [][]string{
		{}, {"Content-Type", "application/json"}, {"Content-Type", "application/x-www-form-urlencoded"}, {"Content-Type", ";"},
		{"Content-Type", "application/jose+json", "Content-Encoding", "gzip"},
	} {
		res, body := do(t, "POST", s.url+"/v1/records", bytes.NewReader(good), fields...)
		wantProblem(t, strings.Join(fields, " "), res, body, 415, problem.MediaType)
		if got := res.Header.Get("Accept-Post"); got != "application/jose+json" {
			t.Errorf("%v: Accept-Post: %q", fields, got)
		}
	}
	// Chunked, so that the server can't know before; and nothing was logged.
	res, body := do(t, "POST", s.url+"/v1/records", io.MultiReader(strings.NewReader(strings.Repeat("x", 1<<20))), "Content-Type", "application/jose+json")
	wantProblem(t, "chunked", res, body, 413, problem.TooLarge)
	if info, err := s.client.Info(context.Background()); err != nil || info.Size != 6 {
		t.Errorf("size %d, %v after refusals, want 6", info.Size, err)
	}
	if res, body := s.post(t, string(good), "Content-Type", "application/jose+json"); res.StatusCode != 201 {
		t.Errorf("good record after the bad ones: %d %s", res.StatusCode, body)
	}
}

func TestRead(t *testing.T) {
	s := newSite(t)
	b := s.Sign(s.Decision("case-one"), "dora", "erik")
	id := s.Submit(b).ID
	path := s.url + "/v1/records/" + string(id)

	res, body := do(t, "GET", path, nil)
	if res.StatusCode != 200 || body != string(b) || res.Header.Get("Content-Type") != "application/jose+json" {
		t.Errorf("record: got %d %s: %s", res.StatusCode, res.Header.Get("Content-Type"), body)
	}
	if !strings.Contains(res.Header.Get("Cache-Control"), "immutable") || res.Header.Get("Docket-Index") != "6" {
		t.Errorf("record: header %v", res.Header)
	}
	if res, body := do(t, "GET", path, nil, "If-None-Match", res.Header.Get("ETag")); res.StatusCode != 304 || body != "" {
		t.Errorf("record again: got %d %q, want 304", res.StatusCode, body)
	}
	head, body := do(t, "HEAD", path, nil)
	if head.StatusCode != 200 || body != "" || head.ContentLength != int64(len(b)) || head.Header.Get("ETag") != res.Header.Get("ETag") {
		t.Errorf("HEAD: got %d, %d bytes of %d, %v", head.StatusCode, len(body), head.ContentLength, head.Header)
	}
	for _, path := range []string{"/", "/healthz", "/readyz", "/v1/log", "/checkpoint"} {
		if res, body := do(t, "GET", s.url+path, nil); res.StatusCode != 200 || body == "" {
			t.Errorf("GET %s: %d %s", path, res.StatusCode, body)
		}
	}
	if res, _ := do(t, "GET", s.url+"/checkpoint", nil); res.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Errorf("/checkpoint: %v", res.Header)
	}
	for path, want := range s.Files() {
		res, body := do(t, "GET", s.url+"/"+path, nil)
		if res.StatusCode != 200 || body != string(want) {
			t.Errorf("%s: got %d and %d bytes, want %d", path, res.StatusCode, len(body), len(want))
		}
		if path != "checkpoint" && (res.Header.Get("Content-Type") != "application/octet-stream" || !strings.Contains(res.Header.Get("Cache-Control"), "immutable")) {
			t.Errorf("%s: %v", path, res.Header)
		}
	}
}

// TestClient asks for everything from the other side.
func TestClient(t *testing.T) {
	s := newSite(t)
	ctx := context.Background()
	b := s.Sign(s.Decision("case-one"), "dora", "erik")
	out, err := s.client.Submit(ctx, b)
	if err != nil || out.Known || out.Index != 6 {
		t.Fatalf("submit: %+v, %v", out, err)
	}
	e, err := s.client.Record(ctx, out.ID)
	if err != nil || string(e.Record) != string(b) || e.Index != 6 || e.Standing.Standing != client.Effective {
		t.Errorf("record: %+v, %v", e, err)
	}
	text, err := s.client.Receipt(ctx, out.ID)
	if err != nil {
		t.Fatal(err)
	}
	receipt, err := verify.ParseReceipt(text)
	if err != nil {
		t.Fatal(err)
	}
	if proven, err := receipt.Check(s.policy(t), nil); err != nil || proven.ID != out.ID {
		t.Errorf("full receipt: %v", err)
	}
	k, err := s.client.Key(ctx, ledgertest.JWK("dora").KID())
	if err != nil || k.Holder != "dora" || k.NextSeq != 3 || k.JWK != ledgertest.JWK("dora") || k.Revoked != nil || len(k.Roles) != 1 {
		t.Errorf("key: %+v, %v", k, err)
	}
	info, err := s.client.Info(ctx)
	if err != nil || info.Origin != ledgertest.Origin || info.VKey != s.VKey() || info.Size != 7 || info.MaxRecord != record.MaxSize {
		t.Errorf("info: %+v, %v", info, err)
	}
	sum, err := verify.Audit(ctx, s.client, s.policy(t), verify.AuditOptions{Found: func(f verify.Finding) { t.Errorf("found %+v", f) }})
	if err != nil || sum.Broken != 0 || sum.Effective != 7 {
		t.Errorf("audit over HTTP: %+v, %v", sum, err)
	}
}

// TestCrowd submits from many at once.
func TestCrowd(t *testing.T) {
	s := newSite(t)
	var wg sync.WaitGroup
	for i := range 32 {
		b := s.Sign(s.Decision("case-"+strings.Repeat("x", i+1)), "dora", "erik")
		wg.Go(func() {
			if out, err := s.client.Submit(context.Background(), b); err != nil || out.Standing.Standing != client.Effective {
				t.Errorf("submit %d: %+v, %v", i, out, err)
			}
		})
	}
	wg.Wait()
	if info, err := s.client.Info(context.Background()); err != nil || info.Size != 6+32 {
		t.Errorf("size %d, %v, want 38", info.Size, err)
	}
}

// TestLog: one line a request, with what the operator needs and nothing that
// the client sent.
func TestLog(t *testing.T) {
	s := newSite(t)
	b := s.Sign(s.Decision("case-one"), "dora", "erik")
	s.post(t, string(b))
	s.post(t, "secret words")
	do(t, "GET", s.url+"/v1/secret?secret=words", nil)
	do(t, "SECRET", s.url+"/checkpoint", nil, "X-Secret", "words")
	_, metrics := do(t, "GET", s.url+"/metrics", nil)

	log := s.log.String()
	for _, want := range []string{
		"level=INFO msg=request route=submit request=urn:uuid:", "method=POST status=201 about=" + string(record.IDOf(b)),
		"level=DEBUG msg=request route=submit", "status=400", "code=record.malformed", "route=none", "method=other status=405",
	} {
		if !strings.Contains(log, want) {
			t.Errorf("the log lacks %q:\n%s", want, log)
		}
	}
	if n := strings.Count(log, "msg=request"); n != 5 {
		t.Errorf("%d lines for 5 requests:\n%s", n, log)
	}
	if strings.Contains(strings.ToLower(log), "secret") || strings.Contains(log, "malware") {
		t.Errorf("the log holds what was sent:\n%s", log)
	}
	for _, want := range []string{
		`docket_http_request_seconds_count{route="submit",status="201"} 1`, `docket_http_request_seconds_count{route="none",status="404"} 1`,
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
}

// decode parses a JSON object.
func decode(t *testing.T, body string, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(body), v); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
}
