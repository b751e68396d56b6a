package index

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are what an Index counts.
type metrics struct {
	Size   prometheus.GaugeFunc     // records indexed
	Lag    prometheus.GaugeFunc     // records in the log that are not
	Anew   prometheus.Counter       // times it was made anew
	Batch  prometheus.Histogram     // seconds to index what is new
	Answer *prometheus.HistogramVec // :: kind (search, count, near) -> seconds
}

func newMetrics(lag func() Lag) *metrics {
	return &metrics{
		Size: prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "docket_index_size", Help: "Records in the index."},
			func() float64 { return float64(lag().Size) }),
		Lag: prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "docket_index_lag_records", Help: "Records in the log that the index does not have yet."},
			func() float64 { l := lag(); return float64(l.Head - l.Size) }),
		Anew: prometheus.NewCounter(prometheus.CounterOpts{Name: "docket_index_anew_total",
			Help: "How often the index was made anew: damaged, of another version, or of another log."}),
		Batch: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "docket_index_batch_seconds",
			Help: "Time to index what is new in the log, until it is found.", Buckets: prometheus.ExponentialBuckets(0.0005, 2, 12)}),
		Answer: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "docket_index_answer_seconds",
			Help: "Time to answer, by kind.", Buckets: prometheus.ExponentialBuckets(0.0001, 2, 14)}, []string{"kind"}),
	}
}

// answered notes an answer that was begun at a time.
func (m *metrics) answered(kind string, start time.Time) {
	m.Answer.WithLabelValues(kind).Observe(time.Since(start).Seconds())
}

// Collectors returns what is measured, to be registered.
func (x *Index) Collectors() []prometheus.Collector {
	m := x.metrics
	return []prometheus.Collector{m.Size, m.Lag, m.Anew, m.Batch, m.Answer}
}
