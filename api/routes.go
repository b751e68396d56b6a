package api

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/mux"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/docket-ledger/docket/api/web"
	"github.com/docket-ledger/docket/ledger/figures"
)

// Parts of what is served; a listener may have some of them.
type Parts int

// The parts. Writes are submissions and drafts, Operations the health and the
// metrics, Reads all the rest.
const (
	Reads Parts = 1 << iota
	Writes
	Operations
	Everything = Reads | Writes | Operations
)

// A Site serves a ledger.
type Site struct {
	server   *server
	registry *prometheus.Registry
	stop     context.CancelFunc
}

// NewSite returns a site for a ledger. A Registry of opt serves one site only.
func NewSite(l Ledger, opt Options) *Site {
	s := &server{ledger: l, log: opt.Logger, drafts: opt.Drafts, publicURL: opt.PublicURL, now: opt.Now,
		limits: newLimits(opt.Limits), figures: figures.New(l)}
	if opt.Index != nil {
		s.lookup = opt.Index
		s.pages = web.New(web.Config{Ledger: l, Index: opt.Index, Figures: s.figures, PublicURL: opt.PublicURL, Now: opt.Now})
	}
	var stop context.CancelFunc
	s.stopping, stop = context.WithCancel(context.Background())
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	s.proofs.Key = func(kid string) error { return l.InForce(context.Background(), kid) }
	registry := opt.Registry
	if registry == nil {
		registry = prometheus.NewRegistry()
	}
	s.requests = prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "docket_http_request_seconds",
		Help: "Time to answer a request, by route and status.", Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14)},
		[]string{"route", "status"})
	registry.MustRegister(s.requests)
	return &Site{s, registry, stop}
}

// Stop ends the batches that are on their way: what was read is answered, and a
// last line says that there is no more. Who waits for witnesses is answered. It is for http.Server.RegisterOnShutdown.
func (site *Site) Stop() { site.stop() }

// Count counts the log for the numbers that are asked for later. It returns when that is
// done, or ctx ends; an error will be met again by who asks.
func (site *Site) Count(ctx context.Context) error { return site.server.figures.All(ctx) }

// New returns the handler of a site that serves everything.
func New(l Ledger, opt Options) http.Handler { return NewSite(l, opt).Handler(Everything) }

// Handler returns the handler of some parts. Several of one site share its limits.
func (site *Site) Handler(parts Parts) http.Handler {
	// Paths are matched as they were sent, so there is one path for a thing:
	// nothing is cleaned, unescaped or redirected.
	s, r := site.server, mux.NewRouter().SkipClean(true).UseEncodedPath()
	serve := func(route, path string, h handler) { r.Path(path).Handler(s.endpoint(route, s.limited(h))) }
	post, get := only(http.MethodPost), only(http.MethodGet, http.MethodHead)

	records := methods{} // two routes of one path
	if parts&Reads != 0 && s.lookup != nil {
		records[http.MethodGet] = s.search
		r.Path("/v1/records").Methods(http.MethodGet, http.MethodHead, http.MethodOptions).Handler(s.endpoint("search", s.limited(get(s.search))))
	}
	if parts&Writes != 0 {
		submit := takes(s.submit, "void", "wait", "deadline")
		records[http.MethodPost] = submit
		r.Path("/v1/records").Methods(http.MethodPost).Handler(s.endpoint("submit", s.limited(post(submit))))
	}
	if len(records) > 0 {
		serve("submit", "/v1/records", records.handle) // refuses other methods
	}
	if parts&Writes != 0 {
		serve("batch", "/v1/records:batch", post(takes(s.batch)))
		if s.drafts != nil {
			serve("drafts", "/v1/drafts", methods{"GET": takes(s.listDrafts), "POST": takes(s.postDraft)}.handle)
			serve("draft", "/v1/drafts/{id}", methods{"GET": takes(s.getDraft), "DELETE": takes(s.deleteDraft)}.handle)
		}
	}
	if parts&Reads != 0 {
		serve("record", "/v1/records/{id}", get(takes(s.record)))
		serve("receipt", "/v1/records/{id}/receipt", get(takes(s.receipt, "wait", "deadline")))
		serve("log", "/v1/log", get(takes(s.info)))
		serve("due", "/v1/due", get(takes(s.due, "at")))
		serve("policies", "/v1/policies", get(takes(s.policies, "limit", "cursor")))
		serve("policy", "/v1/policies/{policy}", get(takes(s.policy)))
		serve("case", "/v1/cases/{case}", get(takes(s.caseOf, "limit", "cursor")))
		serve("casefile", "/v1/cases/{case}/file", get(takes(s.caseFile)))
		serve("stats", "/v1/stats", get(takes(s.stats, "at_least")))
		serve("statstable", "/v1/stats.csv", get(takes(s.statsTable, "table", "at_least")))
		serve("stream", "/v1/stream", get(takes(s.stream, "from")))
		serve("trust", "/v1/trust.policy", get(takes(s.trust)))
		serve("keys", "/v1/keys", get(takes(s.keys, "limit", "cursor")))
		serve("key", "/v1/keys/{kid}", get(takes(s.key)))
		serve("checkpoint", "/checkpoint", get(s.checkpoint))
		serve("checkpoints", "/v1/checkpoints", get(takes(s.checkpoints, "covers")))
		r.PathPrefix("/tile/").Handler(s.endpoint("tile", s.limited(get(s.tile))))
		serve("openapi", "/openapi.json", get(s.openapi))
		serve("index", "/", get(s.home))
		if s.lookup != nil {
			serve("counts", "/v1/counts", get(s.counts))
			serve("precedents", "/v1/precedents", get(s.precedents))
			serve("feed", "/feed.atom", get(s.feed))
			s.routeSite(r)
		}
	}
	if parts&Operations != 0 { // never limited: whoever watches must see the flood
		r.Path("/healthz").Handler(s.endpoint("healthz", get(s.healthz)))
		r.Path("/readyz").Handler(s.endpoint("readyz", get(s.readyz)))
		r.Path("/metrics").Handler(s.endpoint("metrics", get(std(promhttp.HandlerFor(site.registry, promhttp.HandlerOpts{})))))
	}
	r.NotFoundHandler = s.endpoint("none", s.limited(s.nothing))
	return r
}

// indexText is what GET / says below the ledger's name and size.
const indexText = `
Signed moderation decisions, checked against published rules, in a log that
nobody can change unseen. Nothing here need be believed: docket-verify checks
receipts and the log offline.

  POST /v1/records               submits a record (application/jose+json); answers with its receipt
  POST /v1/records:batch         submits many (application/x-ndjson); answers a line for each
  GET  /v1/records?q=&type=...   searches them: words, fields, from, until, order, limit, cursor
  GET  /v1/counts?by=...         counts what such a search finds by one to three fields
  GET  /v1/precedents?policy=&clause=&layer=
                                 like cases: what was decided under a clause, how often, and what became of the newest
  GET  /v1/records/{id}          the exact bytes of a record; as JSON with its standing by Accept
  GET  /v1/records/{id}/receipt  its full receipt (c2sp.org/tlog-proof); ?wait=witnessed for one
                                 that enough witnesses have cosigned, also with POST /v1/records
  POST /v1/drafts                keeps a record for others to sign; this and the next with a proof of a key (DPoP)
  GET  /v1/drafts, /{id}         what waits for signatures
  GET  /v1/due                   who owes what until when
  GET  /v1/policies, /{policy}   the rules that decisions rest on, and since when
  GET  /v1/cases/{case}          all records of a case, and what is in force
  GET  /v1/cases/{case}/file     the case in one file, which proves it: docket-verify case --policy T F.zip
  GET  /v1/stats                 the numbers: how often, how alike, how fast, on whose demand, and what became of it
  GET  /v1/stats.csv?table=T     one table of them: totals, codes, months, clauses, outcomes or triggers
  GET  /v1/stream                each record as it is logged (server-sent events); resumes after Last-Event-ID
  GET  /feed.atom                the newest decisions as an Atom feed
  GET  /v1/trust.policy          log key and witnesses as the charter names them (c2sp.org/tlog-policy):
                                 the ledger's own word, which you compare with what you got elsewhere
  GET  /v1/keys, /{kid}          holder, roles and validity of keys
  GET  /v1/log                   name, key, size and rules of this ledger, and its witnesses
  GET  /v1/checkpoints?covers=N  the first kept witnessed checkpoint that covers record N
  GET  /checkpoint               the head of the log (c2sp.org/tlog-checkpoint): if it has witnesses,
                                 the newest that enough of them have cosigned
  GET  /tile/...                 the log itself (c2sp.org/tlog-tiles)
  GET  /openapi.json             all of this in OpenAPI 3.1; /api shows it to people
  GET  /healthz /readyz /metrics for those who operate it
`

// variable returns the part of the path that a route names.
func variable(r *http.Request, name string) string { return mux.Vars(r)[name] }

// only returns a function that makes a handler answer some methods and refuse
// the rest with 405 and Allow. What can be read can be read by pages of other
// sites, too (CORS, with its preflights): the log is public.
func only(methods ...string) func(handler) handler {
	return func(h handler) handler {
		return func(w *response, r *http.Request) error {
			if slices.Contains(methods, http.MethodGet) {
				allowOrigins(w)
				if isPreflight(r) {
					return allowReads(w)
				}
			}
			if !slices.Contains(methods, r.Method) {
				w.Header().Set("Allow", strings.Join(methods, ", "))
				return errMethod
			}
			return h(w, r)
		}
	}
}

// allowOrigins lets pages of other sites read an answer.
func allowOrigins(w http.ResponseWriter) {
	w.Header().Set("Access-Control-Allow-Origin", "*")
	w.Header().Set("Access-Control-Expose-Headers", exposed)
}

// isPreflight reports whether a browser asks if a page of another site may read.
func isPreflight(r *http.Request) bool {
	wanted := r.Header.Get("Access-Control-Request-Method")
	return r.Method == http.MethodOptions && (wanted == http.MethodGet || wanted == http.MethodHead)
}

// allowReads answers a preflight.
func allowReads(w http.ResponseWriter) error {
	h := w.Header()
	h.Set("Access-Control-Allow-Methods", "GET, HEAD")
	h.Set("Access-Control-Allow-Headers", "Accept, If-None-Match, Last-Event-ID, "+AtLeast)
	h.Set("Access-Control-Max-Age", "86400")
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// methods are the handlers of a path that is not public, or has several. HEAD goes where GET
// goes.
type methods map[string]handler

func (m methods) handle(w *response, r *http.Request) error {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	if h := m[method]; h != nil {
		return h(w, r)
	}
	allowed := slices.Collect(maps.Keys(m))
	if m[http.MethodGet] != nil {
		allowed = append(allowed, http.MethodHead)
	}
	slices.Sort(allowed)
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	return errMethod
}

// exposed are the headers that pages of other sites may read.
const exposed = "Docket-Id, Docket-Index, Docket-Standing, Docket-Codes, Docket-Findings, Docket-Size, Docket-Witnessed, ETag, RateLimit, RateLimit-Policy, Retry-After"

// std makes an http.Handler a handler.
func std(h http.Handler) handler {
	return func(w *response, r *http.Request) error {
		h.ServeHTTP(w, r)
		return nil
	}
}
