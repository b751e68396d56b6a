package web

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"

	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/index"
)

//go:embed templates/*.html
var templateFiles embed.FS

// shared are the templates that others are made of; each of the rest is a page,
// which defines "title" and "main".
var shared = []string{"templates/layout.html", "templates/parts.html"}

// parsed are the templates of all pages by their file name.
var parsed = func() map[string]*template.Template {
	base := template.Must(template.New("layout.html").Funcs(functions).ParseFS(templateFiles, shared...))
	files, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil {
		panic(err) // the pattern is a constant
	}
	all := map[string]*template.Template{}
	for _, file := range files {
		if file != shared[0] && file != shared[1] {
			all[path.Base(file)] = template.Must(template.Must(base.Clone()).ParseFS(templateFiles, file))
		}
	}
	return all
}()

// A page is what the layout shows around a page's own Data, which alone its
// templates "title" and "main" see.
type page struct {
	Site site
	// Section is the first part of the path, "" at home: which link of the
	// header is that of this page.
	Section string
	Data    any
}

// Nav lists the links of the header: the first part of the path, and the words.
func (page) Nav() [][2]string {
	return [][2]string{{"search", "Search"}, {"policies", "Policies"}, {"keys", "People and keys"}, {"stats", "Statistics"}, {"due", "Overdue"},
		{"void", "Void records"}, {"log", "The log"}, {"check", "Check a receipt"}, {"api", "For programs"}}
}

// A site is what every page says of the ledger that it reflects.
type site struct {
	Origin   string
	Operator string
	Info     ledger.Info
	// Lag is how far the index was behind when the page was made.
	Lag index.Lag
	// URL is where the ledger is reached, without a slash at the end.
	URL string
}

// Behind is how many records are in the log and not yet in the index.
func (s site) Behind() int64 { return max(0, s.Lag.Head-s.Lag.Size) }

func (p *Pages) site(ctx context.Context, r *http.Request) (site, error) {
	info, err := p.ledger.Info(ctx)
	if err != nil {
		return site{}, err
	}
	terms, err := p.ledger.Terms(ctx)
	if err != nil {
		return site{}, err
	}
	return site{Origin: info.Origin, Operator: terms.Operator, Info: info, Lag: p.index.Lag(), URL: p.url(r)}, nil
}

// url is where the ledger is reached, as far as is known.
func (p *Pages) url(r *http.Request) string {
	if p.publicURL != "" {
		return strings.TrimSuffix(p.publicURL, "/")
	}
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

// contentPolicy lets a page load what this server has, and nothing else.
const contentPolicy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// setPolicies writes the headers that confine a page.
func setPolicies(h http.Header) {
	h.Set("Content-Security-Policy", contentPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
}

// render writes a page. With status 200 a client that has it is told so. The
// error comes before anything is written, or says that the client went away.
func (p *Pages) render(w http.ResponseWriter, r *http.Request, status int, name string, data any) error {
	s, err := p.site(r.Context(), r)
	if err != nil {
		return err
	}
	return p.renderOn(w, r, status, name, s, data)
}

// renderOn is render with what is said of the ledger.
func (p *Pages) renderOn(w http.ResponseWriter, r *http.Request, status int, name string, s site, data any) error {
	section, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	var b bytes.Buffer
	if err := p.templates[name].ExecuteTemplate(&b, "layout.html", page{Site: s, Section: section, Data: data}); err != nil {
		return fmt.Errorf("page %s: %w", name, err)
	}
	h := w.Header()
	setPolicies(h)
	h.Set("Content-Type", "text/html; charset=utf-8")
	if status == http.StatusOK {
		h.Set("Cache-Control", "no-cache")
		h.Set("ETag", tag(b.Bytes()))
		if matches(r, tag(b.Bytes())) {
			w.WriteHeader(http.StatusNotModified)
			return nil
		}
	}
	return reply(w, status, b.Bytes())
}

func reply(w http.ResponseWriter, status int, body []byte) error {
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if _, err := w.Write(body); err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	return nil
}

// tag returns the entity tag of a content.
func tag(content []byte) string {
	sum := sha256.Sum256(content)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
}

// matches reports whether If-None-Match names a tag, compared as weak (RFC 9110,
// Section 13.1.2). No tag of ours has a comma in it.
func matches(r *http.Request, etag string) bool {
	for _, field := range r.Header.Values("If-None-Match") {
		for one := range strings.SplitSeq(field, ",") {
			if one = strings.TrimSpace(one); one == "*" || strings.TrimPrefix(one, "W/") == etag {
				return true
			}
		}
	}
	return false
}
