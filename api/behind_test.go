package api_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/docket-ledger/docket/api"
	"github.com/docket-ledger/docket/api/client"
	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/ledgertest"
)

// atLeast asks for something that has to reflect a size.
func atLeast(t *testing.T, url, size string) (status int, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set(api.AtLeast, size)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// TestAtLeast: a request waits for what it has to reflect.
func TestAtLeast(t *testing.T) {
	w := ledgertest.New(t, nil)
	url, _ := serveWith(t, w.Ledger, api.Options{})
	size := w.Ledger.Head().Checkpoint.Size
	for text, want := range map[string]int{"0": 200, fmt.Sprint(size): 200, "-1": 400, "all": 400, fmt.Sprint(size + 2): 503} {
		if status, body := atLeast(t, url+"/v1/log", text); status != want || want == 503 && !strings.Contains(body, "ledger.behind") {
			t.Errorf("at least %s of %d: %d, want %d: %s", text, size, status, want, body)
		}
	}
	b := w.Sign(w.Decision("awaited"), "dora", "erik")
	time.AfterFunc(200*time.Millisecond, func() { w.Submit(b) })
	if status, body := atLeast(t, url+"/v1/cases/awaited", fmt.Sprint(size+1)); status != 200 {
		t.Errorf("what is recorded a moment later: %d %s", status, body)
	}
}

// A lagging ledger follows a log, and is behind.
type lagging struct{ *ledger.Ledger }

func (lagging) Behind() int64 { return 3 }

// TestBehind: what a server that is behind does not have may be there in a moment.
func TestBehind(t *testing.T) {
	w := ledgertest.New(t, nil)
	out := w.Submit(w.Sign(w.Decision("there"), "dora", "erik"))
	url, _ := serveWith(t, lagging{w.Ledger}, api.Options{})
	for path, want := range map[string]int{"/v1/records/" + string(out.ID): 200, "/v1/cases/there": 200, "/v1/cases/elsewhere": 503, "/v1/records/d-x": 503, "/v1/keys/none": 503, "/v1/nothing": 404} {
		status, body := atLeast(t, url+path, "")
		if status != want || want == 503 && (!strings.Contains(body, "ledger.behind") || !strings.Contains(body, "3 records behind")) {
			t.Errorf("%s: %d, want %d: %s", path, status, want, body)
		}
	}
}

// TestReadsOwnWrites: a client that comes to another server after it has submitted
// something does not read what was before it.
func TestReadsOwnWrites(t *testing.T) {
	w := ledgertest.New(t, nil)
	var asked []string
	handler := api.New(w.Ledger, api.Options{})
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.Header.Get(api.AtLeast))
		handler.ServeHTTP(rw, r)
	}))
	defer server.Close()
	c, err := client.New(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Info(t.Context()); err != nil {
		t.Fatal(err)
	}
	out, err := c.Submit(t.Context(), w.Sign(w.Decision("own"), "dora", "erik"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Record(t.Context(), out.ID); err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("[GET  POST  GET %d]", out.Index+1); fmt.Sprint(asked) != want {
		t.Errorf("%v, want %s", asked, want)
	}
}
