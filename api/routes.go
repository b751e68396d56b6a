package api

import (
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/gorilla/mux"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// New returns the handler of a ledger. A Registry of opt serves one handler only.
func New(l Ledger, opt Options) http.Handler {
	s := &server{ledger: l, log: opt.Logger}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	registry := opt.Registry
	if registry == nil {
		registry = prometheus.NewRegistry()
	}
	s.requests = prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "docket_http_request_seconds",
		Help: "Time to answer a request, by route and status.", Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14)},
		[]string{"route", "status"})
	registry.MustRegister(s.requests)

	// Paths are matched as they were sent, so there is one path for a thing:
	// nothing is cleaned, unescaped or redirected.
	r := mux.NewRouter().SkipClean(true).UseEncodedPath()
	post, get := only(http.MethodPost), only(http.MethodGet, http.MethodHead)

	r.Path("/v1/records").Handler(s.endpoint("submit", post(s.submit)))
	r.Path("/v1/records/{id}").Handler(s.endpoint("record", get(s.record)))
	r.Path("/v1/records/{id}/receipt").Handler(s.endpoint("receipt", get(s.receipt)))
	r.Path("/v1/log").Handler(s.endpoint("log", get(s.info)))
	r.Path("/v1/keys/{kid}").Handler(s.endpoint("key", get(s.key)))
	r.Path("/checkpoint").Handler(s.endpoint("checkpoint", get(s.checkpoint)))
	r.PathPrefix("/tile/").Handler(s.endpoint("tile", get(s.tile)))
	r.Path("/healthz").Handler(s.endpoint("healthz", get(s.healthz)))
	r.Path("/readyz").Handler(s.endpoint("readyz", get(s.readyz)))
	r.Path("/metrics").Handler(s.endpoint("metrics", get(std(promhttp.HandlerFor(registry, promhttp.HandlerOpts{})))))
	r.Path("/").Handler(s.endpoint("index", get(s.index)))
	r.NotFoundHandler = s.endpoint("none", func(*response, *http.Request) error { return errNoPath })
	return r
}

// indexText is what GET / says below the ledger's name and size.
const indexText = `
Signed moderation decisions, checked against published rules, in a log that
nobody can change unseen. Nothing here need be believed: docket-verify checks
receipts and the log offline.

  POST /v1/records               submits a record (application/jose+json); answers with its receipt
  GET  /v1/records/{id}          the exact bytes of a record; as JSON with its standing by Accept
  GET  /v1/records/{id}/receipt  its full receipt (c2sp.org/tlog-proof)
  GET  /v1/keys/{kid}            holder, roles and validity of a key
  GET  /v1/log                   name, key, size and rules of this ledger
  GET  /checkpoint               the signed head of the log (c2sp.org/tlog-checkpoint)
  GET  /tile/...                 the log itself (c2sp.org/tlog-tiles)
  GET  /healthz /readyz /metrics for those who operate it
`

// variable returns the part of the path that a route names.
func variable(r *http.Request, name string) string { return mux.Vars(r)[name] }

// only returns a function that makes a handler answer some methods and refuse
// the rest with 405 and Allow. What can be read can be read by pages of other
// sites, too (CORS): the log is public.
func only(methods ...string) func(handler) handler {
	return func(h handler) handler {
		return func(w *response, r *http.Request) error {
			if slices.Contains(methods, http.MethodGet) {
				w.Header().Set("Access-Control-Allow-Origin", "*")
				w.Header().Set("Access-Control-Expose-Headers", exposed)
			}
			if !slices.Contains(methods, r.Method) {
				w.Header().Set("Allow", strings.Join(methods, ", "))
				return errMethod
			}
			return h(w, r)
		}
	}
}

// exposed are the headers that pages of other sites may read.
const exposed = "Docket-Id, Docket-Index, Docket-Standing, Docket-Codes, Docket-Findings, ETag, Retry-After"

// std makes an http.Handler a handler.
func std(h http.Handler) handler {
	return func(w *response, r *http.Request) error {
		h.ServeHTTP(w, r)
		return nil
	}
}
