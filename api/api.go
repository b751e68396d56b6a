// Package api serves a ledger over HTTP.
//
// routes.go is its table of contents; docs/format.md, section 8, describes it to
// those who call it. package client is the other side, whose types are the JSON
// objects that are answered; package problem has the answers that say why there
// is no other.
//
// A request goes through one function, endpoint, that gives it an id, calls its
// handler, turns an error into a problem, counts it and writes one line to the
// log. A handler reads, makes one call, and writes.
//
// # Not done here
//
// Nothing is judged here: package ledger refuses records, package tile paths.
package api

import (
	"context"
	"crypto/rand"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/docket-ledger/docket/api/problem"
	"github.com/docket-ledger/docket/api/proof"
	"github.com/docket-ledger/docket/api/web"
	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/drafts"
	"github.com/docket-ledger/docket/ledger/figures"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// A Ledger is what is served. *ledger.Ledger is one; see there for what the
// methods promise. They are called concurrently.
type Ledger interface {
	SubmitAll(ctx context.Context, records iter.Seq[[]byte], opt ledger.Options) iter.Seq2[ledger.Outcome, error]
	Submit(ctx context.Context, record []byte, opt ledger.Options) (ledger.Outcome, error)
	Record(ctx context.Context, id record.ID) (ledger.Entry, error)
	Receipt(ctx context.Context, id record.ID) ([]byte, error)
	Key(ctx context.Context, kid string) (ledger.Key, error)
	Info(ctx context.Context) (ledger.Info, error)
	Terms(ctx context.Context) (record.Terms, error)
	Due(ctx context.Context, at int64) (ledger.Due, error)
	InForce(ctx context.Context, kid string) error
	Examine(ctx context.Context, record []byte) (record.Checked, error)
	Policies(ctx context.Context, p ledger.Page) (ledger.List[rules.PolicyInfo], error)
	Policy(ctx context.Context, name string) (rules.PolicyInfo, error)
	Keys(ctx context.Context, p ledger.Page) (ledger.List[ledger.Key], error)
	Case(ctx context.Context, name string, from int64, limit int) (ledger.Case, error)
	Stands(ctx context.Context, name string, ids ...record.ID) (ledger.Stands, error)
	Statuses(ctx context.Context, cases map[record.ID]string) (map[record.ID]rules.Decided, error)
	Stated(ctx context.Context, payload []byte) (record.ID, error)
	AsksWitnesses() bool
	AwaitWitnessed(ctx context.Context, index int64) error
	BareReceipt(ctx context.Context, index int64) ([]byte, error)
	Checkpoint(ctx context.Context, index int64) ([]byte, error)
	Entries(ctx context.Context, from int64, limit int) ([]ledger.Entry, error)
	Grown(size int64) <-chan struct{}
	Ready() error
	Behind() int64
	verify.Source
}

// Options are read by New.
type Options struct {
	// Logger gets one line a request: debug for what the client did wrong,
	// error for what we did. nil means no log.
	Logger *slog.Logger
	// Registry is served at /metrics, and New registers the metrics of the
	// API in it. nil means one of its own.
	Registry *prometheus.Registry
	// Drafts keeps what waits for co-signers. nil means that there are no
	// drafts here.
	Drafts *drafts.Store
	// PublicURL is the URL under which the ledger is reached, for proofs of
	// keys (RFC 9449). Empty means that of each request.
	PublicURL string
	// Limits are what one key and one address may ask for.
	Limits Limits
	// Index is what is looked up in. nil means that there is no search here,
	// and no site for people.
	Index Index
	// Now is the clock for proofs; nil means time.Now.
	Now func() time.Time
}

// Limits of a connection. What a request may hold up is bounded by them and by
// record.MaxSize.
const (
	headerTime = 10 * time.Second // to send the header
	readTime   = 30 * time.Second // to send header and body
	writeTime  = 2 * time.Minute  // from the header to the end of the answer
	idleTime   = 2 * time.Minute  // between requests
	maxHeader  = 16 << 10         // bytes
)

// Server returns a server for handler with the limits of the API. Its own
// troubles, such as failed TLS handshakes, go to logger, which may be nil.
func Server(handler http.Handler, logger *slog.Logger) *http.Server {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: headerTime,
		ReadTimeout:       readTime,
		WriteTimeout:      writeTime,
		IdleTimeout:       idleTime,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
	}
}

type server struct {
	ledger    Ledger
	log       *slog.Logger
	requests  *prometheus.HistogramVec
	drafts    *drafts.Store
	proofs    proof.Checker
	publicURL string
	now       func() time.Time
	limits    *limits
	figures   *figures.Keeper
	lookup    Index           // nil if there is none
	pages     *web.Pages      // nil without an index
	stopping  context.Context // ends with Site.Stop
}

// A handler answers a request, or returns why not before it has written
// anything.
type handler func(w *response, r *http.Request) error

// A response remembers what the request log says of it.
type response struct {
	http.ResponseWriter
	status    int
	about     string // the record or key in question
	forPeople bool   // a problem is shown as a page
}

// WriteHeader implements http.ResponseWriter.
func (w *response) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (w *response) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// endpoint makes a handler an http.Handler; route names it in log and metrics.
func (s *server) endpoint(route string, h handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		start := time.Now()
		id := requestID()
		w := &response{ResponseWriter: rw}
		w.Header().Set("X-Content-Type-Options", "nosniff")
		err := guarded(h, w, r)
		var p *problem.Problem
		if err != nil && w.status == 0 {
			p = problemFor(err)
			if n := s.missing(p, err); n > 0 {
				p = unavailable(problem.Behind, fmt.Errorf("this server is %d records behind the log, and what you ask for may be among them; ask again in a moment", n), time.Second)
			}
			p.Instance = id
			s.suggest(r, p)
			s.writeProblem(w, r, p)
		}
		took := time.Since(start)
		s.requests.WithLabelValues(route, strconv.Itoa(w.status)).Observe(took.Seconds())
		s.logRequest(r, w, p, err, slog.String("route", route), slog.String("request", id), slog.Duration("took", took))
	})
}

// guarded calls a handler and makes a panic the error of this one request.
func guarded(h handler, w *response, r *http.Request) (err error) {
	defer func() {
		switch v := recover(); v {
		case nil:
		case http.ErrAbortHandler:
			panic(v)
		default:
			err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		}
	}()
	return h(w, r)
}

// requestID returns a new random UUID as a URI (RFC 9562, RFC 8141).
func requestID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func (s *server) logRequest(r *http.Request, w *response, p *problem.Problem, err error, attrs ...slog.Attr) {
	level := slog.LevelInfo
	switch {
	case w.status == http.StatusServiceUnavailable:
		level = slog.LevelWarn
	case w.status >= 500 && w.status != http.StatusNotImplemented:
		level = slog.LevelError
	case w.status >= 400, err != nil: // the other side went away while it was answered
		level = slog.LevelDebug
	}
	attrs = append(attrs, slog.String("method", method(r)), slog.Int("status", w.status))
	if w.about != "" {
		attrs = append(attrs, slog.String("about", w.about))
	}
	if p != nil {
		attrs = append(attrs, slog.String("code", p.Code))
	}
	if err != nil && level >= slog.LevelWarn { // ours: what the client sent is in no error of ours
		attrs = append(attrs, slog.Any("error", err))
	}
	s.log.LogAttrs(r.Context(), level, "request", attrs...)
}

// method returns the method for the log, which is not a place for whatever a
// client sends.
func method(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions, http.MethodPatch:
		return r.Method
	}
	return "other"
}

// reply writes an answer in one piece; the server leaves the body out for HEAD.
func reply(w http.ResponseWriter, status int, contentType string, body []byte) error {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if _, err := w.Write(body); err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	return nil
}

// prefersJSON reports whether a request names application/json in Accept, and
// not the other type with more weight. It sets Vary.
func prefersJSON(w http.ResponseWriter, r *http.Request, other string) bool {
	return prefers(w, r, typeJSON, other)
}

// prefers reports whether a request names a media type in Accept, and not the
// other one with more weight. It sets Vary.
func prefers(w http.ResponseWriter, r *http.Request, this, other string) bool {
	w.Header().Add("Vary", "Accept")
	var weight, otherWeight float64
	for _, field := range r.Header.Values("Accept") {
		for part := range strings.SplitSeq(field, ",") {
			name, params, _ := strings.Cut(part, ";")
			q := 1.0
			for param := range strings.SplitSeq(params, ";") {
				key, value, _ := strings.Cut(strings.TrimSpace(param), "=")
				if f, err := strconv.ParseFloat(value, 64); err == nil && strings.EqualFold(key, "q") {
					q = f
				}
			}
			switch strings.ToLower(strings.TrimSpace(name)) {
			case this:
				weight = max(weight, q)
			case other:
				otherWeight = max(otherWeight, q)
			}
		}
	}
	return weight > 0 && weight >= otherWeight
}
