package api_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/docket-ledger/docket/api"
	"github.com/docket-ledger/docket/api/client"
	"github.com/docket-ledger/docket/api/problem"
	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/index"
	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/casefile"
	"github.com/docket-ledger/docket/verify/record"
)

// followed returns an index that follows a ledger, and has seen all of it.
func followed(t *testing.T, l *ledger.Ledger) *index.Index {
	t.Helper()
	x, err := index.Open(t.Context(), index.Config{Dir: t.TempDir(), Log: l})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- x.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-ended, x.Close()); err != nil {
			t.Error(err)
		}
	})
	if err := x.Wait(t.Context(), l.Head().Checkpoint.Size); err != nil {
		t.Fatal(err)
	}
	return x
}

// searched serves a world with an index that follows it.
func searched(t *testing.T) (*ledgertest.World, string, *client.Client) {
	t.Helper()
	w := ledgertest.New(t, nil)
	url, _ := serveWith(t, w.Ledger, api.Options{Index: followed(t, w.Ledger)})
	c, err := client.New(url)
	if err != nil {
		t.Fatal(err)
	}
	return w, url, c
}

// decided logs a decision about a name.
func decided(w *ledgertest.World, name, facts string) int64 {
	d := w.Decision(name)
	d.Facts = facts
	return w.Submit(w.Sign(d, "dora", "erik")).Index
}

// TestSearchRecords: what was submitted is found, page by page, and counted; who asks
// to see what it has written sees it.
func TestSearchRecords(t *testing.T) {
	w, _, c := searched(t)
	last := int64(0)
	for i := range 7 {
		last = decided(w, fmt.Sprintf("case-%d", i), "A shop that sold nothing.")
	}
	query := url.Values{"q": {`"sold nothing"`}, "type": {"decision"}, "limit": {"3"}, "at_least": {fmt.Sprint(last + 1)}}
	var found []int64
	for one, err := range c.SearchAll(t.Context(), query) {
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, one.Index)
		if one.Type != record.TypeDecision || one.Case == "" || one.Standing.Standing != client.Effective || !strings.Contains(one.Summary, one.Case) {
			t.Errorf("found %+v", one)
		}
	}
	if len(found) != 7 || found[0] != last || found[6] != last-6 {
		t.Errorf("found %v, want 7 down from %d", found, last)
	}
	query.Del("limit")
	counts, err := c.Counts(t.Context(), query, 0, "action", "standing")
	if err != nil || len(counts.Rows) != 1 || counts.Rows[0].Count != 7 || counts.Total != 7 || counts.Size != last+1 || counts.Head != last+1 {
		t.Errorf("counts %+v, %v", counts, err)
	}
}

// TestSearchWrong: what is wrong with a query is said with a stable code.
func TestSearchWrong(t *testing.T) {
	_, base, _ := searched(t)
	for _, query := range []string{"v1/records?colour=red", "v1/records?from=2026-02-30", "v1/records?cursor=zzz", "v1/records?q=%22", "v1/records?at_least=99999",
		"v1/records?%zz", "v1/counts", "v1/counts?by=colour", "v1/counts?by=type,action,layer,month", "v1/counts?by=type&limit=0", "v1/counts?by=type&cursor=n1",
		"v1/stream?from=77777", "v1/stream?from=-1"} {
		res, err := http.Get(base + "/" + query)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(res.Body)
		res.Body.Close()
		if p := problem.Parse(res.StatusCode, res.Header.Get("Content-Type"), b); err != nil || p.Status != http.StatusBadRequest || p.Code != problem.BadQuery || p.Detail == "" {
			t.Errorf("%s: %d %s", query, res.StatusCode, b)
		}
	}
	for method, want := range map[string]string{http.MethodDelete: "GET, HEAD, POST"} {
		req, err := http.NewRequest(method, base+"/v1/records", nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if got := res.Header.Get("Allow"); res.StatusCode != http.StatusMethodNotAllowed || got != want {
			t.Errorf("%s: %d, Allow %q, want %q", method, res.StatusCode, got, want)
		}
	}
}

// TestStream: a reader that comes back goes on after the last event it saw.
func TestStream(t *testing.T) {
	w, base, _ := searched(t)
	first := decided(w, "one", "facts")
	ids := func(n int, header string) []string {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/v1/stream?from=0", nil)
		if err != nil {
			t.Fatal(err)
		}
		if header != "" {
			req.Header.Set("Last-Event-ID", header)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if got := res.Header.Get("Content-Type"); res.StatusCode != 200 || !strings.HasPrefix(got, "text/event-stream") {
			t.Fatalf("%d, %s", res.StatusCode, got)
		}
		var out []string
		for lines := bufio.NewScanner(res.Body); len(out) < n && lines.Scan(); {
			if id, ok := strings.CutPrefix(lines.Text(), "id: "); ok {
				out = append(out, id)
			}
		}
		return out
	}
	seen := ids(int(first)+1, "")
	if len(seen) != int(first)+1 || seen[0] != "0" || seen[first] != fmt.Sprint(first) {
		t.Errorf("events %v, want 0 to %d", seen, first)
	}
	next := make(chan []string, 1)
	go func() { next <- ids(1, fmt.Sprint(first)) }()
	time.Sleep(50 * time.Millisecond)
	second := decided(w, "two", "facts")
	if got := <-next; len(got) != 1 || got[0] != fmt.Sprint(second) {
		t.Errorf("after %d came %v, want %d", first, got, second)
	}
}

// TestFeed: the newest decisions, with links that lead to them, and texts that do nothing.
func TestFeed(t *testing.T) {
	w, base, c := searched(t)
	d := w.Decision("one")
	d.Reasons = "<script>alert(1)</script> & \u202e"
	out := w.Submit(w.Sign(d, "dora", "erik"))
	if _, err := c.Search(t.Context(), url.Values{"at_least": {fmt.Sprint(out.Index + 1)}}); err != nil {
		t.Fatal(err)
	}
	res, err := http.Get(base + "/feed.atom")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var feed struct {
		Entries []struct {
			Summary string `xml:"summary"`
			Link    struct {
				Href string `xml:"href,attr"`
			} `xml:"link"`
		} `xml:"entry"`
	}
	if err := xml.Unmarshal(b, &feed); err != nil || len(feed.Entries) != 1 {
		t.Fatalf("%v: %s", err, b)
	}
	e := feed.Entries[0]
	if !strings.Contains(e.Summary, "<script>") || strings.Contains(e.Summary, "\u202e") || bytes.Contains(b, []byte("<script>")) || e.Link.Href != base+"/records/"+string(out.ID) {
		t.Errorf("%+v in %s", e, b)
	}
	page, err := http.Get(e.Link.Href)
	if err != nil {
		t.Fatal(err)
	}
	page.Body.Close()
	if page.StatusCode != http.StatusOK {
		t.Errorf("%s: %d", e.Link.Href, page.StatusCode)
	}
}

// TestCaseFile: the file of a case holds under the trust policy that the ledger names,
// and is the same twice.
func TestCaseFile(t *testing.T) {
	w, base, c := searched(t)
	decided(w, "one", "facts")
	b, err := c.CaseFile(t.Context(), "one")
	if err != nil {
		t.Fatal(err)
	}
	f, err := casefile.Read(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.Get(base + "/v1/trust.policy")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	policy, err := verify.ParsePolicy(text)
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	story, err := f.Check(verify.Policies{policy})
	if err != nil || len(story.Entries) != 1 {
		t.Errorf("%+v, %v", story, err)
	}
	if _, err := c.CaseFile(t.Context(), "none"); err == nil {
		t.Error("there is a file of a case that is not there")
	}
}
