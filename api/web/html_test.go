package web_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/net/html"

	"github.com/docket-ledger/docket/api"
	"github.com/docket-ledger/docket/ledger/index"
	"github.com/docket-ledger/docket/ledger/ledgertest"
)

// A testSite is a real ledger with its site, over HTTP.
type testSite struct {
	*ledgertest.World
	url string
}

func newTestSite(t testing.TB) *testSite {
	t.Helper()
	w := ledgertest.New(t, nil)
	return &testSite{w, serve(t, w)}
}

// serve serves a ledger with an index.
func serve(t testing.TB, w *ledgertest.World) string {
	t.Helper()
	logger := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError}))
	s := httptest.NewServer(api.New(w.Ledger, api.Options{Index: newIndex(t, w), Now: w.Now, Logger: logger}))
	t.Cleanup(s.Close)
	return s.URL
}

// newIndex follows a ledger, and has seen all of it.
func newIndex(t testing.TB, w *ledgertest.World) *index.Index {
	t.Helper()
	x, err := index.Open(t.Context(), index.Config{Dir: "index", FS: vfs.NewMem(), Log: w.Ledger})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- x.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ran; err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := x.Wait(t.Context(), w.Ledger.Head().Checkpoint.Size); err != nil {
		t.Fatal(err)
	}
	return x
}

// get asks as browsers do, and follows nothing.
func (s *testSite) get(t testing.TB, path string) *document {
	t.Helper()
	return s.ask(t, http.MethodGet, path, "Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
}

func (s *testSite) ask(t testing.TB, method, path string, header ...string) *document {
	t.Helper()
	r, err := http.NewRequest(method, s.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	d := &document{Response: res, path: path, body: string(b)}
	if strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") {
		if d.root, err = html.Parse(strings.NewReader(d.body)); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// A document is an answer, parsed if it is a page.
type document struct {
	*http.Response
	path string
	body string
	root *html.Node
}

// all returns the elements of a name in their order, all elements for "".
func (d *document) all(name string) (found []*html.Node) {
	if d.root == nil {
		return nil
	}
	for n := range d.root.Descendants() {
		if n.Type == html.ElementNode && (name == "" || n.Data == name) {
			found = append(found, n)
		}
	}
	return found
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// text returns what a page says, in one line.
func text(n *html.Node) string {
	var b strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode {
			b.WriteString(" " + c.Data)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func (d *document) text() string {
	if d.root == nil {
		return d.body
	}
	return text(d.root)
}

// says fails the test if a page does not say each of some texts.
func (d *document) says(t testing.TB, texts ...string) {
	t.Helper()
	said := d.text()
	for _, want := range texts {
		if !strings.Contains(said, want) {
			t.Errorf("%s does not say %q; it says:\n%.3000s", d.path, want, said)
			return
		}
	}
}

// sound fails the test if a page is not what each page must be.
func (d *document) sound(t testing.TB) {
	t.Helper()
	if d.root == nil {
		t.Errorf("%s is no page: %d %s %.200s", d.path, d.StatusCode, d.Header.Get("Content-Type"), d.body)
		return
	}
	for name, want := range map[string]int{"h1": 1, "main": 1, "title": 1} {
		if got := d.all(name); len(got) != want || text(got[0]) == "" {
			t.Errorf("%s has %d %s, want %d with a text", d.path, len(got), name, want)
		}
	}
	for _, name := range []string{"header", "nav", "footer"} {
		if len(d.all(name)) == 0 {
			t.Errorf("%s has no %s", d.path, name)
		}
	}
	policy := d.Header.Get("Content-Security-Policy")
	if !strings.HasPrefix(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") || d.Header.Get("X-Content-Type-Options") != "nosniff" ||
		d.Header.Get("Referrer-Policy") != "no-referrer" || d.Header.Get("Cross-Origin-Opener-Policy") != "same-origin" {
		t.Errorf("%s: headers %v", d.path, d.Header)
	}
	d.soundElements(t)
	d.soundFields(t)
	d.soundHeadings(t)
}

func (d *document) soundElements(t testing.TB) {
	t.Helper()
	ids := map[string]bool{}
	for _, n := range d.all("") {
		for _, a := range n.Attr {
			switch {
			case a.Key == "style" || strings.HasPrefix(a.Key, "on"):
				t.Errorf("%s: <%s %s=%q>", d.path, n.Data, a.Key, a.Val)
			case a.Key == "id" && ids[a.Val]:
				t.Errorf("%s: two elements have the id %s", d.path, a.Val)
			case slices.Contains([]string{"src", "href", "action"}, a.Key) && !local(a.Val):
				t.Errorf("%s: <%s %s=%q> leads elsewhere", d.path, n.Data, a.Key, a.Val)
			}
		}
		ids[attr(n, "id")] = attr(n, "id") != ""
		switch n.Data {
		case "style", "iframe", "object", "embed", "base":
			t.Errorf("%s has <%s>", d.path, n.Data)
		case "script":
			if !strings.HasPrefix(attr(n, "src"), "/static/") || text(n) != "" {
				t.Errorf("%s has an own script: %s", d.path, text(n))
			}
		case "img", "svg":
			if attr(n, "alt")+attr(n, "aria-label") == "" && attr(n, "aria-hidden") != "true" {
				t.Errorf("%s: <%s> has no text for who does not see it", d.path, n.Data)
			}
		}
	}
	for _, n := range d.all("") {
		for _, key := range []string{"aria-labelledby", "aria-describedby", "for"} {
			if ref := attr(n, key); ref != "" && !ids[ref] {
				t.Errorf("%s: <%s %s=%q>, and there is no such element", d.path, n.Data, key, ref)
			}
		}
	}
}

// local reports whether a URL stays on this site.
func local(u string) bool {
	parsed, err := url.Parse(u)
	return err == nil && parsed.Scheme == "" && parsed.Host == "" && !strings.HasPrefix(u, "//")
}

// soundFields: fields have labels, tables captions and headings.
func (d *document) soundFields(t testing.TB) {
	t.Helper()
	labels := map[string]bool{}
	for _, n := range d.all("label") {
		labels[attr(n, "for")] = text(n) != ""
	}
	for _, name := range []string{"input", "select", "textarea"} {
		for _, n := range d.all(name) {
			if attr(n, "type") != "hidden" && !labels[attr(n, "id")] && attr(n, "aria-label") == "" {
				t.Errorf("%s: <%s name=%q> has no label", d.path, name, attr(n, "name"))
			}
		}
	}
	for _, n := range d.all("table") {
		captions, scopes := 0, 0
		for c := range n.Descendants() {
			if c.Data == "caption" {
				captions++
			}
			if c.Data == "th" && attr(c, "scope") != "" {
				scopes++
			}
		}
		if captions != 1 || scopes == 0 {
			t.Errorf("%s: a table has %d captions and %d headings with a scope", d.path, captions, scopes)
		}
	}
}

// soundHeadings: no level is skipped.
func (d *document) soundHeadings(t testing.TB) {
	t.Helper()
	last := byte('0')
	for _, n := range d.all("") {
		if len(n.Data) == 2 && n.Data[0] == 'h' && n.Data[1] >= '1' && n.Data[1] <= '6' {
			if n.Data[1] > last+1 {
				t.Errorf("%s: %s %q comes after a heading of level %c", d.path, n.Data, text(n), last)
			}
			if text(n) == "" {
				t.Errorf("%s: an empty %s", d.path, n.Data)
			}
			last = n.Data[1]
		}
	}
}

// links are the paths that a page leads to, with their query, each once.
func (d *document) links() (paths []string) {
	for _, name := range []string{"a", "link", "script"} {
		for _, n := range d.all(name) {
			to, _, _ := strings.Cut(attr(n, "href")+attr(n, "src"), "#")
			if to != "" && !slices.Contains(paths, to) {
				paths = append(paths, to)
			}
		}
	}
	return paths
}
