package api_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/docket-ledger/docket/api"
	"github.com/docket-ledger/docket/api/problem"
	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// broken is a ledger of which every method fails with err, or panics if there is
// none.
type broken struct{ err error }

func (b broken) fail() error {
	if b.err == nil {
		panic("secret reason")
	}
	return b.err
}

func (broken) Behind() int64 { return 0 }

func (b broken) Submit(context.Context, []byte, ledger.Options) (ledger.Outcome, error) {
	return ledger.Outcome{}, b.fail()
}
func (b broken) SubmitAll(_ context.Context, records iter.Seq[[]byte], _ ledger.Options) iter.Seq2[ledger.Outcome, error] {
	return func(yield func(ledger.Outcome, error) bool) {
		for range records {
			if !yield(ledger.Outcome{}, b.fail()) {
				return
			}
		}
	}
}
func (b broken) Record(context.Context, record.ID) (ledger.Entry, error) {
	return ledger.Entry{}, b.fail()
}
func (b broken) Receipt(context.Context, record.ID) ([]byte, error)          { return nil, b.fail() }
func (b broken) Key(context.Context, string) (ledger.Key, error)             { return ledger.Key{}, b.fail() }
func (b broken) Info(context.Context) (ledger.Info, error)                   { return ledger.Info{}, b.fail() }
func (b broken) Entries(context.Context, int64, int) ([]ledger.Entry, error) { return nil, b.fail() }
func (b broken) Grown(int64) <-chan struct{}                                 { return nil }
func (b broken) Stands(context.Context, string, ...record.ID) (ledger.Stands, error) {
	return ledger.Stands{}, b.fail()
}
func (b broken) Statuses(context.Context, map[record.ID]string) (map[record.ID]rules.Decided, error) {
	return nil, b.fail()
}
func (b broken) Due(context.Context, int64) (ledger.Due, error) { return ledger.Due{}, b.fail() }
func (b broken) Terms(context.Context) (record.Terms, error)    { return record.Terms{}, b.fail() }
func (b broken) InForce(context.Context, string) error          { return b.fail() }
func (b broken) Examine(context.Context, []byte) (record.Checked, error) {
	return record.Checked{}, b.fail()
}
func (b broken) Policies(context.Context, ledger.Page) (ledger.List[rules.PolicyInfo], error) {
	return ledger.List[rules.PolicyInfo]{}, b.fail()
}
func (b broken) Policy(context.Context, string) (rules.PolicyInfo, error) {
	return rules.PolicyInfo{}, b.fail()
}
func (b broken) Keys(context.Context, ledger.Page) (ledger.List[ledger.Key], error) {
	return ledger.List[ledger.Key]{}, b.fail()
}
func (b broken) Case(context.Context, string, int64, int) (ledger.Case, error) {
	return ledger.Case{}, b.fail()
}
func (b broken) Stated(context.Context, []byte) (record.ID, error) { return "", b.fail() }
func (b broken) Ready() error                                      { return b.fail() }
func (b broken) ReadFile(context.Context, string) ([]byte, error)  { return nil, b.fail() }

// TestFailures: each error of a ledger becomes one answer, and what is ours
// stays in our log.
func TestFailures(t *testing.T) {
	for _, test := range []struct {
		err    error
		status int
		code   string
		retry  string
		level  string
	}{
		{ledger.ErrBusy, 503, problem.Busy, "1", "WARN"},
		{ledger.ErrStopping, 503, problem.Stopping, "5", "WARN"},
		{fmt.Errorf("secret reason: %w", ledger.ErrDiskFull), 503, problem.StorageFull, "60", "WARN"},
		{fmt.Errorf("%w: secret reason", ledger.ErrHalted), 503, problem.Halted, "60", "WARN"},
		{errors.New("secret reason"), 500, problem.Internal, "", "ERROR"},
		{nil, 500, problem.Internal, "", "ERROR"},
		{fmt.Errorf("secret reason: %w", fs.ErrNotExist), 404, problem.NotFound, "", "DEBUG"},
	} {
		url, log := serve(t, broken{test.err})
		for _, path := range []string{"/v1/records", "/v1/records/d-x", "/v1/records/d-x/receipt", "/v1/keys/k", "/v1/keys", "/v1/policies", "/v1/policies/p", "/v1/cases/c", "/v1/log", "/checkpoint", "/tile/0/000", "/readyz", "/"} {
			method := "GET"
			if path == "/v1/records" {
				method = "POST"
			}
			res, body := do(t, method, url+path, strings.NewReader("{}"), "Content-Type", "application/jose+json")
			wantProblem(t, fmt.Sprint(test.err, " ", path), res, body, test.status, test.code)
			if got := res.Header.Get("Retry-After"); got != test.retry {
				t.Errorf("%v: Retry-After %q, want %q", test.err, got, test.retry)
			}
			if strings.Contains(body, "secret") {
				t.Errorf("%v: told the client: %s", test.err, body)
			}
		}
		if !strings.Contains(log.String(), "level="+test.level) || test.status == 500 && !strings.Contains(log.String(), "secret reason") {
			t.Errorf("%v: log %s", test.err, log)
		}
		if res, body := do(t, "GET", url+"/healthz", nil); res.StatusCode != 200 {
			t.Errorf("%v: healthz: %d %s", test.err, res.StatusCode, body)
		}
	}
}

// TestPaths sends requests as no client library would.
func TestPaths(t *testing.T) {
	s := newSite(t)
	for _, test := range []struct {
		request string // method and target
		status  int
		allow   string
	}{
		{"GET /checkpoint", 200, ""},
		{"GET http://other.example/checkpoint", 200, ""},
		{"GET /checkpoint?x=%00", 200, ""},
		{"GET //checkpoint", 404, ""},
		{"GET /checkpoint/", 404, ""},
		{"GET /%63heckpoint", 404, ""},
		{"GET /./checkpoint", 404, ""},
		{"GET /tile/../checkpoint", 404, ""},
		{"GET /tile/", 404, ""},
		{"GET /tile", 404, ""},
		{"GET /tile/0/000.p/6", 200, ""},
		{"GET /tile/0/000.p/06", 404, ""},
		{"GET /tile/0/000.p%2F6", 404, ""},
		{"GET /tile/0/000.p/7", 404, ""},
		{"GET /tile/0/000.p/0", 404, ""},
		{"GET /tile/0/000", 404, ""},
		{"GET /tile/1/000.p/1", 404, ""},
		{"GET /tile/0//000.p/6", 404, ""},
		{"GET /tile/64/000", 404, ""},
		{"GET /tile/-1/000", 404, ""},
		{"GET /tile/entries/000.p/6", 200, ""},
		{"GET /tile/entries/x999/x999/x999/x999/x999/x999/999", 404, ""},
		{"GET /tile/" + strings.Repeat("x", 8000), 404, ""},
		{"GET /v1/records/", 404, ""},
		{"GET /v1/records/d-x", 404, ""},
		{"GET /v1/records/d-" + strings.Repeat("A", 43), 404, ""},
		{"GET /v1/records/d-" + strings.Repeat("A", 43) + "/receipt", 404, ""},
		{"GET /v1/records/%2e%2e/log", 404, ""},
		{"GET /v1/keys/nobody", 404, ""},
		{"GET /v1/keys/%00", 404, ""},
		{"GET /v2/log", 404, ""},
		{"GET /debug/pprof/", 404, ""},
		{"GET /v1/records", 405, "POST"},
		{"GET /v1/policies/", 404, ""},
		{"GET /v1/policies/none", 404, ""},
		{"GET /v1/cases", 404, ""},
		{"GET /v1/cases/none", 404, ""},
		{"GET /v1/cases/%00", 404, ""},
		{"GET /v1/policies?limit=0", 400, ""},
		{"GET /v1/policies?limit=1001", 400, ""},
		{"GET /v1/keys?limit=x", 400, ""},
		{"GET /v1/keys?limit=", 400, ""},
		{"GET /v1/keys?limit=1&limit=2", 400, ""},
		{"GET /v1/keys?limit=1&cursor=%FF", 200, ""},
		{"GET /v1/keys?limit=1&cursor=%FF&other=1", 400, ""},
		{"GET /v1/cases/none?cursor=x", 400, ""},
		{"GET /v1/cases/none?cursor=-1", 400, ""},
		{"GET /v1/cases/none?cursor=9223372036854775807", 400, ""},
		{"POST /v1/policies", 405, "GET, HEAD"},
		{"PATCH /v1/policies/abuse", 405, "GET, HEAD"},
		{"DELETE /v1/keys", 405, "GET, HEAD"},
		{"POST /v1/cases/case", 405, "GET, HEAD"},
		{"PUT /v1/records", 405, "POST"},
		{"OPTIONS /v1/records", 405, "POST"},
		{"POST /v1/log", 405, "GET, HEAD"},
		{"DELETE /v1/records/d-x", 405, "GET, HEAD"},
		{"DELETE /checkpoint", 405, "GET, HEAD"},
		{"POST /", 405, "GET, HEAD"},
		{"BREW /tile/0/000", 405, "GET, HEAD"},
	} {
		res, body := raw(t, s.url, test.request+" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
		if res.StatusCode != test.status || res.Header.Get("Allow") != test.allow {
			t.Errorf("%.80s: got %d, Allow %q, want %d, %q: %.200s", test.request, res.StatusCode, res.Header.Get("Allow"), test.status, test.allow, body)
		}
		if test.status >= 400 && res.Header.Get("Content-Type") != problem.ContentType {
			t.Errorf("%.80s: no problem but %s: %.200s", test.request, res.Header.Get("Content-Type"), body)
		}
	}
}

// raw sends bytes and returns what comes back before the other side closes.
func raw(t *testing.T, url, request string) (*http.Response, string) {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatalf("%.80q: %v", request, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%.80q: %v", request, err)
	}
	return res, string(body)
}

// TestSlow: a client that sends nothing more is answered when its time is over,
// and others are served meanwhile.
func TestSlow(t *testing.T) {
	server := httptest.NewUnstartedServer(nil)
	server.Config = api.Server(api.New(broken{errors.New("not reached")}, api.Options{}), nil)
	if c := server.Config; c.ReadHeaderTimeout == 0 || c.ReadTimeout == 0 || c.WriteTimeout == 0 || c.IdleTimeout == 0 || c.MaxHeaderBytes == 0 {
		t.Errorf("a limit is missing: %+v", c)
	}
	server.Config.ReadTimeout = 300 * time.Millisecond
	server.Start()
	defer server.Close()
	const header = "POST /v1/records HTTP/1.1\r\nHost: x\r\nContent-Type: application/jose+json\r\n"
	for what, request := range map[string]string{
		"half a body":  header + "Content-Length: 100\r\n\r\n{\"payload\"",
		"half a chunk": header + "Transfer-Encoding: chunked\r\n\r\n64\r\n{\"payload\"",
	} {
		res, body := raw(t, server.URL, request)
		wantProblem(t, what, res, body, 400, problem.Incomplete)
	}
	res, body := raw(t, server.URL, header+"Content-Length: 99999999999\r\nExpect: 100-continue\r\n\r\n")
	wantProblem(t, "huge", res, body, 413, problem.TooLarge)
	res, body = raw(t, server.URL, header+"X-Pad: "+strings.Repeat("x", 64<<10)+"\r\n\r\n")
	if res.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("64 KiB of header: %d %s", res.StatusCode, body)
	}
}

// TestTruncated: the client closes its side in the middle of a record.
func TestTruncated(t *testing.T) {
	url, log := serve(t, broken{errors.New("not reached")})
	c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "POST /v1/records HTTP/1.1\r\nHost: x\r\nContent-Type: application/jose+json\r\nContent-Length: 100\r\n\r\n{")
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	wantProblem(t, "truncated", res, string(body), 400, problem.Incomplete)
	if strings.Contains(log.String(), "ERROR") {
		t.Errorf("log: %s", log)
	}
}
func (b broken) AsksWitnesses() bool                                { return true }
func (b broken) AwaitWitnessed(context.Context, int64) error        { return b.fail() }
func (b broken) BareReceipt(context.Context, int64) ([]byte, error) { return nil, b.fail() }
func (b broken) Checkpoint(context.Context, int64) ([]byte, error)  { return nil, b.fail() }
