package cosign

import (
	"github.com/prometheus/client_golang/prometheus"
)

// Metrics are what a Cosigner counts. The caller registers them, see Collectors.
// The label witness is the name in the policy.
type Metrics struct {
	Size   *prometheus.GaugeVec   // :: witness -> records that it has cosigned
	Lag    *prometheus.GaugeVec   // :: witness -> records of the newest asked head that it has not cosigned
	Faulty *prometheus.GaugeVec   // :: witness -> 1 if it answered what no honest witness can
	Failed *prometheus.CounterVec // :: witness -> requests without a cosignature
	Round  prometheus.Histogram   // seconds from the first request of a round to its end
	Missed prometheus.Counter     // rounds that ended without the quorum
}

// NewMetrics returns metrics that are not registered anywhere.
func NewMetrics() *Metrics {
	gauge := func(name, help string) *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, []string{"witness"})
	}
	return &Metrics{
		Size:   gauge("docket_witness_size", "Records that a witness has cosigned."),
		Lag:    gauge("docket_witness_lag_records", "Records that a witness has not cosigned yet."),
		Faulty: gauge("docket_witness_faulty", "1 if a witness answered what no honest one can."),
		Failed: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "docket_witness_failures_total",
			Help: "Requests to a witness that brought no cosignature."}, []string{"witness"}),
		Round: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "docket_witness_round_seconds",
			Help: "Time of a round of requests to the witnesses.", Buckets: prometheus.ExponentialBuckets(0.005, 2, 12)}),
		Missed: prometheus.NewCounter(prometheus.CounterOpts{Name: "docket_witness_quorum_missed_total",
			Help: "Rounds that ended without the quorum."}),
	}
}

// Collectors returns all of them, to be registered.
func (m *Metrics) Collectors() []prometheus.Collector {
	return []prometheus.Collector{m.Size, m.Lag, m.Faulty, m.Failed, m.Round, m.Missed}
}

func (m *Metrics) witness(name string, size, head int64, faulty, failed bool) {
	m.Size.WithLabelValues(name).Set(float64(size))
	m.Lag.WithLabelValues(name).Set(float64(head - size))
	bad := 0.0
	if faulty {
		bad = 1
	}
	m.Faulty.WithLabelValues(name).Set(bad)
	if failed {
		m.Failed.WithLabelValues(name).Inc()
	}
}
