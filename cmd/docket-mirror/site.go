package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/docket-ledger/docket/cmd/internal/mirror"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/tile"
)

// How long a reader may keep what it got.
const (
	cacheNever = "no-cache"
	cacheEver  = "public, max-age=31536000, immutable"

	typeText = "text/plain; charset=utf-8"
	typeTile = "application/octet-stream"
)

// A site serves the folder of a mirror: the files of c2sp.org/tlog-tiles, the kept
// checkpoints, a page for people, and a witness if there is one. It checks nothing:
// what has a name in the folder was checked when it got it, and readers check.
type site struct {
	fsys    fs.FS
	src     verify.Source
	log     *slog.Logger
	from    string   // what is followed, "" for nothing
	vkeys   []string // of the witness
	witness http.Handler
	metrics http.Handler
	m       siteMetrics

	mu      sync.Mutex
	asked   time.Time // when the log was last copied without an error
	trouble string    // the last error, "" if there is none since
}

type siteMetrics struct {
	answers  *prometheus.CounterVec // kind, status
	failures prometheus.Counter
	copied   prometheus.Gauge // seconds since 1970
}

func newSite(fsys fs.FS, log *slog.Logger) *site {
	s := &site{fsys: fsys, src: verify.DirSource(fsys), log: log}
	s.m = siteMetrics{
		answers:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "docket_mirror_answers_total", Help: "Requests answered."}, []string{"kind", "status"}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{Name: "docket_mirror_copy_failures_total", Help: "Copies that failed."}),
		copied:   prometheus.NewGauge(prometheus.GaugeOpts{Name: "docket_mirror_copied_timestamp_seconds", Help: "When the log was last copied without an error, seconds since 1970."}),
	}
	size := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "docket_mirror_size_entries", Help: "Entries of the checkpoint that is served."}, func() float64 {
		cp, _, err := s.checkpoint(context.Background())
		if err != nil {
			return 0
		}
		return float64(cp.Size)
	})
	reg := prometheus.NewRegistry()
	reg.MustRegister(s.m.answers, s.m.failures, s.m.copied, size)
	s.metrics = promhttp.HandlerFor(reg, promhttp.HandlerOpts{})
	return s
}

// told notes how a copy ended.
func (s *site) told(res *mirror.Result, err error, pause time.Duration, dir string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.m.failures.Inc()
		s.trouble = err.Error()
		s.log.Error("nothing is copied", slog.Any("error", explain(err, dir)), slog.Duration("again_in", pause))
		return
	}
	s.asked, s.trouble = time.Now(), ""
	s.m.copied.SetToCurrentTime()
	if res.Signed.Checkpoint.Size != res.Before {
		s.log.Info("copied", slog.Int64("size", res.Signed.Checkpoint.Size), slog.Int64("new", res.Signed.Checkpoint.Size-res.Before), slog.Int64("files", res.Fetched))
	}
}

// witnessPath is what is for the witness.
var witnessPath = regexp.MustCompile(`^/(add-checkpoint|[0-9a-f]{64}/checkpoint)$`)

// ServeHTTP implements http.Handler. Paths are taken as they are: no cleaning, no
// redirects.
func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a := &answerWriter{ResponseWriter: w, status: http.StatusOK}
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("X-Content-Type-Options", "nosniff")
	kind := s.route(a, r)
	s.m.answers.WithLabelValues(kind, strconv.Itoa(a.status)).Inc()
}

// route answers, and returns which kind of request it was.
func (s *site) route(w http.ResponseWriter, r *http.Request) (kind string) {
	path := r.URL.Path
	if s.witness != nil && witnessPath.MatchString(path) {
		s.witness.ServeHTTP(w, r)
		return "witness"
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "a mirror is only read", http.StatusMethodNotAllowed)
		return "method"
	}
	switch {
	case path == "/":
		s.page(w, r)
		return "page"
	case path == "/checkpoint":
		b, err := s.src.ReadFile(r.Context(), "checkpoint")
		s.reply(w, r, b, err, typeText, cacheNever)
		return "checkpoint"
	case strings.HasPrefix(path, "/tile/"):
		b, err := s.tile(r.Context(), path[1:])
		s.reply(w, r, b, err, typeTile, cacheEver)
		return "tile"
	case strings.HasPrefix(path, "/checkpoints/"):
		size, err := strconv.ParseInt(strings.TrimPrefix(path, "/checkpoints/"), 10, 64)
		var b []byte
		if err == nil && "/"+mirror.KeptName(size) == path {
			b, err = s.kept(size)
		} else {
			err = fs.ErrNotExist
		}
		s.reply(w, r, b, err, typeText, cacheEver)
		return "kept"
	case path == "/v1/checkpoints":
		s.covering(w, r)
		return "kept"
	case path == "/healthz":
		s.health(w, r)
		return "health"
	case path == "/metrics":
		s.metrics.ServeHTTP(w, r)
		return "metrics"
	}
	s.reply(w, r, nil, fs.ErrNotExist, "", "")
	return "none"
}

// tile returns a tile or bundle. A partial one that the folder does not have, since
// the log was larger when it was copied, is the beginning of a wider one.
func (s *site) tile(ctx context.Context, path string) ([]byte, error) {
	id, err := tile.ParsePath(path)
	if err != nil {
		return nil, fs.ErrNotExist
	}
	b, err := s.src.ReadFile(ctx, path)
	if err == nil || id.Width == tile.FullWidth || !errors.Is(err, fs.ErrNotExist) {
		return b, err
	}
	wider, err := fs.ReadDir(s.fsys, id.Full().Path()+".p")
	if errors.Is(err, fs.ErrNotExist) { // readers fall back to the full one
		return nil, err
	}
	for _, e := range wider {
		w, convErr := strconv.Atoi(e.Name())
		other := tile.ID{Level: id.Level, N: id.N, Width: w}
		if convErr != nil || w <= id.Width || w >= tile.FullWidth {
			continue
		}
		if b, err = s.src.ReadFile(ctx, other.Path()); err == nil {
			return cut(id, b)
		}
	}
	return nil, fs.ErrNotExist
}

// cut returns the tile of an ID from a wider one.
func cut(id tile.ID, b []byte) ([]byte, error) {
	if id.Level != tile.Entries {
		const hash = sha256.Size
		if len(b) < id.Width*hash {
			return nil, fmt.Errorf("%s: what is wider is cut", id.Path())
		}
		return b[:id.Width*hash], nil
	}
	rest := b
	for range id.Width {
		var err error
		if _, rest, err = tile.CutEntry(rest); err != nil {
			return nil, fmt.Errorf("%s: %w", id.Path(), err)
		}
	}
	return b[:len(b)-len(rest)], nil
}

func (s *site) kept(size int64) ([]byte, error) {
	b, err := fs.ReadFile(s.fsys, mirror.KeptName(size))
	if len(b) > verify.MaxNote {
		return nil, fmt.Errorf("%s has more than %d bytes", mirror.KeptName(size), verify.MaxNote)
	}
	return b, err
}

// covering answers as a ledger does: with the first kept checkpoint that covers an
// index.
func (s *site) covering(w http.ResponseWriter, r *http.Request) {
	covers := r.URL.Query()["covers"]
	index := int64(-1)
	if len(covers) == 1 {
		if n, err := strconv.ParseInt(covers[0], 10, 64); err == nil {
			index = n
		}
	}
	if index < 0 {
		http.Error(w, "want covers=INDEX, once", http.StatusBadRequest)
		return
	}
	sizes, err := mirror.Kept(s.fsys)
	if err == nil {
		i, _ := slices.BinarySearch(sizes, index+1)
		var b []byte
		if err = fs.ErrNotExist; i < len(sizes) {
			b, err = s.kept(sizes[i])
		}
		s.reply(w, r, b, err, typeText, cacheNever)
		return
	}
	s.reply(w, r, nil, err, "", "")
}

// reply writes an answer with its validator, or what an error says.
func (s *site) reply(w http.ResponseWriter, r *http.Request, b []byte, err error, contentType, cache string) {
	h := w.Header()
	if err != nil {
		h.Set("Cache-Control", "no-store")
		if errors.Is(err, fs.ErrNotExist) {
			http.Error(w, "there is nothing of that name", http.StatusNotFound)
			return
		}
		if r.Context().Err() == nil {
			s.log.Error("a file can't be read", slog.String("path", r.URL.Path), slog.Any("error", err))
		}
		http.Error(w, "the mirror can't read this", http.StatusInternalServerError)
		return
	}
	h.Set("Content-Type", contentType)
	h.Set("Cache-Control", cache)
	h.Set("ETag", fmt.Sprintf(`"%x"`, sha256.Sum256(b)))
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b))
}

// checkpoint reads the checkpoint that is served.
func (s *site) checkpoint(ctx context.Context) (cp verify.Checkpoint, note []byte, err error) {
	if note, err = s.src.ReadFile(ctx, "checkpoint"); err != nil {
		return cp, nil, err
	}
	text, _, _ := bytes.Cut(note, []byte("\n\n"))
	cp, err = verify.ParseCheckpoint(string(text) + "\n")
	return cp, note, err
}

// health says whether there is something to serve. That the log can't be copied
// just now is told, and no reason not to be asked.
func (s *site) health(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Type", typeText)
	cp, _, err := s.checkpoint(r.Context())
	if err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprintln(w, "there is no checkpoint yet")
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(w, "ok: %s, %d entries\n", cp.Origin, cp.Size)
	if s.trouble != "" {
		fmt.Fprintf(w, "not copied since %s: %s\n", at(s.asked), s.trouble)
	}
}

func at(t time.Time) string {
	if t.IsZero() {
		return "the start"
	}
	return t.UTC().Format(time.RFC3339)
}

//go:embed site.html
var pageText string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// pageData is what the page for people shows.
type pageData struct {
	Origin, Root, From, Copied, Trouble string
	Size                                int64
	VKeys, Kept                         []string
	AllKept                             int
}

// maxListed is how many of the kept checkpoints the page lists, the newest.
const maxListed = 20

func (s *site) page(w http.ResponseWriter, r *http.Request) {
	cp, _, err := s.checkpoint(r.Context())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.reply(w, r, nil, err, "", "")
		return
	}
	sizes, err := mirror.Kept(s.fsys)
	if err != nil {
		s.reply(w, r, nil, err, "", "")
		return
	}
	d := pageData{Origin: cp.Origin, Size: cp.Size, Root: cp.Root.String(), From: s.from, VKeys: s.vkeys, AllKept: len(sizes)}
	for _, size := range slices.Backward(sizes[max(0, len(sizes)-maxListed):]) {
		d.Kept = append(d.Kept, mirror.KeptName(size))
	}
	s.mu.Lock()
	d.Copied, d.Trouble = at(s.asked), s.trouble
	s.mu.Unlock()
	var b bytes.Buffer
	if err := pageTemplate.Execute(&b, d); err != nil {
		s.reply(w, r, nil, err, "", "")
		return
	}
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	s.reply(w, r, b.Bytes(), nil, "text/html; charset=utf-8", cacheNever)
}

// An answerWriter remembers the status.
type answerWriter struct {
	http.ResponseWriter
	status int
}

func (w *answerWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}
