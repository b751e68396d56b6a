package api

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/gorilla/mux"

	"github.com/docket-ledger/docket/api/web"
	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/index"
)

// An Index answers what is looked up. *index.Index is one; see there for what the
// methods promise. They are called concurrently.
type Index interface {
	Search(ctx context.Context, q index.Query, p ledger.Page) (index.Found, error)
	Count(ctx context.Context, q index.Query, limit int, by ...index.Field) (index.Counts, error)
	Near(ctx context.Context, text string) ([]index.Suggestion, error)
	Lag() index.Lag
	Wait(ctx context.Context, size int64) error
}

// sitePages are the pages of the public site, by path. The name of the route is
// that of the page.
func sitePages(p *web.Pages) []sitePage {
	return []sitePage{
		{"page.search", "/search", p.Search},
		{"page.record", "/records/{id}", p.Record},
		{"page.case", "/cases/{case}", p.Case},
		{"page.policies", "/policies", p.Policies},
		{"page.policy", "/policies/{policy}", p.Policy},
		{"page.keys", "/keys", p.Keys},
		{"page.key", "/keys/{kid}", p.Key},
		{"page.stats", "/stats", p.Stats},
		{"page.clausestats", "/stats/clause", p.ClauseStats},
		{"page.due", "/due", p.Due},
		{"page.void", "/void", p.Void},
		{"page.log", "/log", p.Log},
		{"page.check", "/check", p.Check},
		{"page.api", "/api", p.API},
	}
}

type sitePage struct {
	route, path string
	write       func(http.ResponseWriter, *http.Request) error
}

// routeSite adds the public site but for its first page, which shares its path
// with the list for programs.
func (s *server) routeSite(r *mux.Router) {
	get := only(http.MethodGet, http.MethodHead)
	for _, page := range sitePages(s.pages) {
		r.Path(page.path).Handler(s.endpoint(page.route, forPeople(s.limited(get(written(page.write))))))
	}
	r.PathPrefix("/static/").Handler(s.endpoint("static", s.limited(get(s.static))))
}

// static answers with a file of the site.
func (s *server) static(w *response, r *http.Request) error {
	err := web.Static(w, r)
	if err != nil {
		w.forPeople = s.wantsPage(w, r)
	}
	return err
}

// forPeople makes the problems of a handler pages.
func forPeople(h handler) handler {
	return func(w *response, r *http.Request) error {
		w.forPeople = true
		return h(w, r)
	}
}

// written makes a page a handler.
func written(write func(http.ResponseWriter, *http.Request) error) handler {
	return func(w *response, r *http.Request) error {
		for name, value := range mux.Vars(r) {
			r.SetPathValue(name, value)
		}
		return write(w, r)
	}
}

// home answers with the first page of the site, or with the list for programs.
func (s *server) home(w *response, r *http.Request) error {
	if w.forPeople = s.wantsPage(w, r); w.forPeople {
		return s.pages.Home(w, r)
	}
	return s.index(w, r)
}

// nothing answers what has no route.
func (s *server) nothing(w *response, r *http.Request) error {
	first, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	w.forPeople = s.wantsPage(w, r) && !slices.Contains([]string{"v1", "tile", "checkpoint"}, first)
	return errNoPath
}

// wantsPage reports whether there is a site and the client asks for HTML by name.
func (s *server) wantsPage(w http.ResponseWriter, r *http.Request) bool {
	return s.pages != nil && prefers(w, r, "text/html", "text/plain")
}
