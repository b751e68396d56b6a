package ledger

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/docket-ledger/docket/ledger/tree"
)

// Metrics are what a Ledger counts. The caller registers them, see Collectors.
type Metrics struct {
	Submitted *prometheus.CounterVec // :: outcome (effective, void, known, refused, busy) -> records
	Size      prometheus.Gauge       // records in the log
	HeadTime  prometheus.Gauge       // when the newest checkpoint was signed, seconds since 1970
	Witnessed prometheus.Gauge       // records that a checkpoint covers which reached the quorum
	Behind    prometheus.Gauge       // records of a shared log that were not taken over yet
	Reached   prometheus.Gauge       // 0 if the servers of a shared log did not answer last, else 1
	Batch     prometheus.Histogram   // records in a batch
	Commit    prometheus.Histogram   // seconds from the first write of a batch to its answer
}

// NewMetrics returns metrics that are not registered anywhere.
func NewMetrics() *Metrics {
	return &Metrics{
		Submitted: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "docket_submitted_total",
			Help: "Records submitted, by outcome."}, []string{"outcome"}),
		Size: prometheus.NewGauge(prometheus.GaugeOpts{Name: "docket_log_size", Help: "Records in the log."}),
		HeadTime: prometheus.NewGauge(prometheus.GaugeOpts{Name: "docket_head_timestamp_seconds",
			Help: "When the newest checkpoint was signed."}),
		Witnessed: prometheus.NewGauge(prometheus.GaugeOpts{Name: "docket_witnessed_size",
			Help: "Records covered by a checkpoint that reached the quorum of witnesses."}),
		Behind: prometheus.NewGauge(prometheus.GaugeOpts{Name: "docket_log_behind_records",
			Help: "Records of a shared log that this node has not taken over yet."}),
		Reached: prometheus.NewGauge(prometheus.GaugeOpts{Name: "docket_log_reached",
			Help: "Whether the servers of a shared log answered when they were asked last."}),
		Batch: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "docket_batch_records",
			Help: "Records in a batch.", Buckets: prometheus.ExponentialBuckets(1, 2, 11)}),
		Commit: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "docket_commit_seconds",
			Help: "Time to commit, sign and guard a batch.", Buckets: prometheus.ExponentialBuckets(0.0005, 2, 12)}),
	}
}

// Collectors returns all of them, to be registered.
func (m *Metrics) Collectors() []prometheus.Collector {
	return []prometheus.Collector{m.Submitted, m.Size, m.HeadTime, m.Witnessed, m.Behind, m.Reached, m.Batch, m.Commit}
}

func (m *Metrics) integrated(head tree.Head, records int, took time.Duration) {
	m.Size.Set(float64(head.Size))
	m.HeadTime.SetToCurrentTime()
	if records > 0 {
		m.Batch.Observe(float64(records))
		m.Commit.Observe(took.Seconds())
	}
}
