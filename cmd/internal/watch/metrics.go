package watch

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// metrics are what --listen shows. They are written by hand in Prometheus' text
// format: this program links no more modules than it needs to verify.
type metrics struct {
	mu         sync.Mutex
	looks      map[Outcome]int64
	events     map[Code]int64
	deliveries map[[2]string]int64 // sink and outcome
	last       Outcome
	lastAt     int64
	took       time.Duration
	size       int64
	headAt     int64
	auditedAt  int64
	open       map[Code]int64
	pending    int64
}

var outcomes = map[Outcome]string{Quiet: "quiet", Alarmed: "alarm", Blind: "unknown"}

func (m *metrics) init(mem *memory) {
	m.looks, m.events, m.deliveries, m.last = map[Outcome]int64{}, map[Code]int64{}, map[[2]string]int64{}, unlooked
	m.remember(mem)
}

// remember takes over what the memory says.
func (m *metrics) remember(mem *memory) {
	m.headAt, m.auditedAt, m.pending, m.open = mem.ServedSince, mem.AuditedAt, int64(len(mem.Pending)), map[Code]int64{}
	for _, l := range mem.Open {
		if l.Level == Alarm {
			m.open[l.Code]++
		}
	}
	m.size = mem.Known
}

func (m *metrics) looked(w *Watcher, out Outcome, took time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.looks[out]++
	m.last, m.lastAt, m.took = out, w.cfg.Now().Unix(), took
	m.remember(w.mem)
}

func (m *metrics) told(e *Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.events[e.Code]++
}

func (m *metrics) delivered(sink string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	outcome := "ok"
	if err != nil {
		outcome = "error"
	}
	m.deliveries[[2]string{sink, outcome}]++
}

// ServeHTTP serves /metrics, and /healthz: 200 if the last look could find out all
// and no alarm lasts, else 503 with one word.
func (w *Watcher) ServeHTTP(res http.ResponseWriter, req *http.Request) {
	if req.Method != http.MethodGet && req.Method != http.MethodHead {
		res.Header().Set("Allow", "GET, HEAD")
		http.Error(res, "only GET", http.StatusMethodNotAllowed)
		return
	}
	switch req.URL.Path {
	case "/metrics":
		res.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
		w.metrics.write(res)
	case "/healthz":
		w.metrics.mu.Lock()
		last := w.metrics.last
		w.metrics.mu.Unlock()
		word := outcomes[last]
		if last == unlooked {
			word = "the first look is not over"
		}
		if last != Quiet {
			res.WriteHeader(http.StatusServiceUnavailable)
		}
		fmt.Fprintln(res, word)
	default:
		http.NotFound(res, req)
	}
}

func (m *metrics) write(out io.Writer) {
	m.mu.Lock()
	defer m.mu.Unlock()
	gauge := func(name, help string, value float64) {
		fmt.Fprintf(out, "# HELP %s %s\n# TYPE %s gauge\n%s %s\n", name, help, name, name, strconv.FormatFloat(value, 'f', -1, 64))
	}
	head := func(name, kind, help string) {
		fmt.Fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
	}
	gauge("docket_watch_size_entries", "Entries whose events were told.", float64(m.size))
	gauge("docket_watch_head_changed_seconds", "When the log's head last changed, by the watcher's clock, since the epoch.", float64(m.headAt))
	gauge("docket_watch_audited_seconds", "When an audit last came to an end, since the epoch.", float64(m.auditedAt))
	gauge("docket_watch_looked_seconds", "When the last look ended, since the epoch.", float64(m.lastAt))
	gauge("docket_watch_look_duration_seconds", "How long the last look took.", m.took.Seconds())
	gauge("docket_watch_pending_events", "Events that wait for delivery.", float64(m.pending))
	head("docket_watch_looks_total", "counter", "Looks by outcome.")
	for _, o := range []Outcome{Quiet, Alarmed, Blind} {
		fmt.Fprintf(out, "docket_watch_looks_total{outcome=%q} %d\n", outcomes[o], m.looks[o])
	}
	head("docket_watch_events_total", "counter", "Events told by code.")
	for _, c := range slices.Sorted(maps.Keys(m.events)) {
		fmt.Fprintf(out, "docket_watch_events_total{code=%q} %d\n", c, m.events[c])
	}
	head("docket_watch_open_alarms", "gauge", "Alarms that last, by code.")
	for _, c := range slices.Sorted(maps.Keys(m.open)) {
		fmt.Fprintf(out, "docket_watch_open_alarms{code=%q} %d\n", c, m.open[c])
	}
	head("docket_watch_deliveries_total", "counter", "Tries to deliver an event.")
	for _, d := range slices.SortedFunc(maps.Keys(m.deliveries), func(a, b [2]string) int { return slices.Compare(a[:], b[:]) }) {
		fmt.Fprintf(out, "docket_watch_deliveries_total{sink=%q,outcome=%q} %d\n", d[0], d[1], m.deliveries[d])
	}
}
