package web_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/verify/record"
)

// TestProblems: what can't be answered is a page that says what to do, with the
// right status.
func TestProblems(t *testing.T) {
	s := newTestSite(t)
	id := string(s.Submit(s.Sign(s.Decision("case-one"), "dora", "erik")).ID)
	s.url = serve(t, s.World)
	for _, test := range []struct {
		path   string
		status int
		says   []string
	}{
		{"/records/d-x", 404, []string{"There is nothing here", "43 characters", "request.not_found", "urn:uuid:"}},
		{"/records/d-" + strings.Repeat("A", 43), 404, []string{"There is nothing here", "Search the ledger for it"}},
		{"/records/" + id[:len(id)-1] + "!", 404, []string{"Did you mean " + id + " a record"}},
		{"/records/" + id[:20], 404, []string{"Did you mean " + id + " a record"}},
		{"/cases/case-onne", 404, []string{"Did you mean case-one a case"}},
		{"/search?q=case-onne", 200, []string{"Did you mean case-one a case"}},
		{"/records/" + strings.Repeat("x", 5000), 404, []string{"There is nothing here"}},
		{"/records/", 404, []string{"There is nothing here"}},
		{"/records/a/b", 404, []string{"There is nothing here"}},
		{"/cases/nowhere", 404, []string{"There is nothing here"}},
		{"/cases/%ff%fe", 404, []string{"There is nothing here"}},
		{"/cases/case-one?cursor=x", 400, []string{"This question can't be answered", "the cursor", "request.query"}},
		{"/cases/case-one?cursor=-1", 400, []string{"This question can't be answered"}},
		{"/cases/case-one?cursor=99999999", 200, []string{"There are no further records in this case."}},
		{"/no/such/page", 404, []string{"There is nothing here"}},
		{"/static/nothing.css", 404, []string{"There is nothing here"}},
		{"/static/../web.go", 404, []string{"There is nothing here"}},
		{"/search?colour=red", 400, []string{"This can't be searched for", "colour", "is no filter: there are q, type"}},
		{"/search?from=2026-02-30", 400, []string{"This can't be searched for"}},
		{"/search?until=yesterday", 400, []string{"This can't be searched for"}},
		{"/search?cursor=garbage", 400, []string{"This can't be searched for", "cursor"}},
		{"/search?type=judgement", 400, []string{"none of its values", "decision"}},
		{"/search?q=%22open", 400, []string{"This can't be searched for"}},
		{"/search?order=sideways", 400, []string{"This can't be searched for"}},
		{"/search?q=nothing-of-this&type=decision", 200, []string{"Nothing found", "No record has all that was asked for", "take a filter away"}},
		{"/search?q=&from=&until=&order=", 200, []string{"records found"}},
	} {
		d := s.get(t, test.path)
		if d.StatusCode != test.status {
			t.Errorf("%.60s: %d, want %d", test.path, d.StatusCode, test.status)
		}
		d.sound(t)
		d.says(t, test.says...)
		if d.StatusCode != 200 && d.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%.60s may be kept: %s", test.path, d.Header.Get("Cache-Control"))
		}
	}
}

// TestWrongField: what is wrong stands beside its field, which keeps what was
// asked for, and the filters that were right stay.
func TestWrongField(t *testing.T) {
	s := newTestSite(t)
	d := s.get(t, "/search?q=malware&from=2026-13-01&type=decision")
	for _, n := range d.all("input") {
		switch attr(n, "name") {
		case "q":
			if attr(n, "value") != "malware" {
				t.Errorf("the words are %q", attr(n, "value"))
			}
		case "from":
			if attr(n, "value") != "2026-13-01" || attr(n, "aria-invalid") != "true" || attr(n, "aria-describedby") != "from-error" {
				t.Errorf("the field: %v", n.Attr)
			}
		}
	}
	if d.StatusCode != http.StatusBadRequest || !slices.ContainsFunc(d.all("p"), func(n *html.Node) bool { return attr(n, "id") == "from-error" && text(n) != "" }) {
		t.Errorf("%d: nothing stands beside the field", d.StatusCode)
	}
}

// TestSearch: filters are taken away and set by links, pages follow each other, an
// id leads to its record.
func TestSearch(t *testing.T) {
	s := newTestSite(t)
	var ids []record.ID
	for i := range 45 {
		ids = append(ids, s.Submit(s.Sign(s.Decision("case-"+string(rune('a'+i/26))+string(rune('a'+i%26))), "dora", "erik")).ID)
	}
	s.url = serve(t, s.World)
	found := map[string]int{}
	pages := 0
	for path := "/search?type=decision"; path != "" && pages < 9; pages++ {
		d := s.get(t, path)
		d.says(t, "45 records found")
		path = ""
		for _, n := range d.all("a") {
			to := attr(n, "href")
			if strings.HasPrefix(to, "/records/") {
				found[to]++
			}
			if attr(n, "rel") == "next" {
				path = to
			}
		}
	}
	if len(found) != 45 || pages != 3 {
		t.Errorf("%d records on %d pages", len(found), pages)
	}
	d := s.get(t, "/search?type=decision&action=suspend&q=malware")
	for _, want := range []string{"/search?action=suspend&q=malware", "/search?q=malware&type=decision"} {
		if !slices.Contains(d.links(), want) {
			t.Errorf("no link %s among %q", want, d.links())
		}
	}
	if d := s.get(t, "/search?q="+string(ids[3])); d.StatusCode != http.StatusSeeOther || d.Header.Get("Location") != "/records/"+string(ids[3]) {
		t.Errorf("an id: %d to %q", d.StatusCode, d.Header.Get("Location"))
	}
	s.get(t, "/search?q=Case-AB").says(t, "the case of this name")
	s.get(t, "/search?q=abuse").says(t, "the policy of this name")
	if d := s.get(t, "/search?from=2026-11-23&until=2026-11-23&type=decision"); !strings.Contains(d.text(), "45 records found") {
		t.Errorf("of the day: %.200s", d.text())
	}
	s.get(t, "/search?"+url.Values{"until": {"2026-11-22"}, "type": {"decision"}}.Encode()).says(t, "Nothing found")
}

// TestNegotiation: people get pages, programs what they got before.
func TestNegotiation(t *testing.T) {
	s := newTestSite(t)
	for _, test := range []struct {
		method, path, accept string
		status               int
		contentType          string
	}{
		{"GET", "/", "", 200, "text/plain; charset=utf-8"},
		{"GET", "/", "*/*", 200, "text/plain; charset=utf-8"},
		{"GET", "/", "text/plain, text/html;q=0.5", 200, "text/plain; charset=utf-8"},
		{"GET", "/", "text/html", 200, "text/html; charset=utf-8"},
		{"GET", "/nothing", "*/*", 404, "application/problem+json"},
		{"GET", "/nothing", "text/html", 404, "text/html; charset=utf-8"},
		{"GET", "/v1/nothing", "text/html", 404, "application/problem+json"},
		{"GET", "/v1/records/d-x", "text/html", 404, "application/problem+json"},
		{"GET", "/records/d-x", "*/*", 404, "text/html; charset=utf-8"},
		{"POST", "/search", "text/html", 405, "text/html; charset=utf-8"},
		{"GET", "/static/style.css", "*/*", 200, "text/css; charset=utf-8"},
	} {
		d := s.ask(t, test.method, test.path, "Accept", test.accept)
		if d.StatusCode != test.status || d.Header.Get("Content-Type") != test.contentType {
			t.Errorf("%s %s, Accept %q: %d %s, want %d %s", test.method, test.path, test.accept, d.StatusCode, d.Header.Get("Content-Type"), test.status, test.contentType)
		}
		if test.path == "/" && !strings.Contains(strings.Join(d.Header.Values("Vary"), ","), "Accept") {
			t.Errorf("/ does not vary by Accept")
		}
	}
}

// TestCaching: who has a page or a file is told so, HEAD has no body, and a file
// under the tag of its content is kept for ever.
func TestCaching(t *testing.T) {
	s := newTestSite(t)
	s.Submit(s.Sign(s.Decision("case-one"), "dora", "erik"))
	s.url = serve(t, s.World)
	for _, path := range []string{"/", "/search", "/cases/case-one", "/static/style.css", "/static/icon.svg"} {
		first := s.get(t, path)
		tag := first.Header.Get("ETag")
		again := s.ask(t, "GET", path, "Accept", "text/html", "If-None-Match", tag)
		if first.StatusCode != 200 || tag == "" || again.StatusCode != http.StatusNotModified || again.body != "" {
			t.Errorf("%s: %d with tag %q, then %d", path, first.StatusCode, tag, again.StatusCode)
		}
		head := s.ask(t, "HEAD", path, "Accept", "text/html")
		if head.StatusCode != 200 || head.body != "" || head.ContentLength != int64(len(first.body)) {
			t.Errorf("HEAD %s: %d, %d of %d bytes", path, head.StatusCode, head.ContentLength, len(first.body))
		}
	}
	for _, to := range s.get(t, "/").links() {
		if path, query, _ := strings.Cut(to, "?"); strings.HasPrefix(path, "/static/") {
			if d := s.get(t, to); query == "" || !strings.Contains(d.Header.Get("Cache-Control"), "immutable") {
				t.Errorf("%s: Cache-Control %q", to, d.Header.Get("Cache-Control"))
			}
			if d := s.get(t, path+"?old"); strings.Contains(d.Header.Get("Cache-Control"), "immutable") {
				t.Errorf("%s under an old tag: Cache-Control %q", path, d.Header.Get("Cache-Control"))
			}
		}
	}
	if len(s.get(t, "/cases/"+ledgertest.EveryCase).Header.Get("ETag")) != 0 {
		t.Error("a page of a problem has a tag")
	}
}
