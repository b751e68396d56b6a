package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/docket-ledger/docket/cmd/internal/datadir"
	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/cosign"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/rules"
)

// agreeTime is how long a start waits for witnesses to say what they have
// cosigned. A restored ledger waits as long as package cosign does.
const agreeTime = 3 * time.Second

// witnesses asks those that a policy names to cosign a ledger. Its zero value but
// for data and log asks nobody.
type witnesses struct {
	data    string // the data directory
	policy  []byte // nil without --witness-policy
	log     *slog.Logger
	metrics *cosign.Metrics

	cosigner *cosign.Cosigner
	cancel   context.CancelFunc
	ended    chan struct{}
}

// readWitnesses reads the policy in a file, "" for none.
func readWitnesses(data, file string, log *slog.Logger) (*witnesses, error) {
	w := &witnesses{data: data, log: log, metrics: cosign.NewMetrics()}
	if file == "" {
		return w, nil
	}
	var err error
	w.policy, err = os.ReadFile(file)
	return w, err
}

// options are for datadir.Open: nil if nobody is asked.
func (w *witnesses) options() *datadir.Witnesses {
	if w.policy == nil {
		return nil
	}
	return &datadir.Witnesses{Policy: w.policy, Ask: w.ask}
}

// collectors are the metrics, if anybody is asked.
func (w *witnesses) collectors() []prometheus.Collector {
	if w.policy == nil {
		return nil
	}
	return w.metrics.Collectors()
}

// ask finds out, before anything is signed, whether the witnesses have seen more
// than this log, or something else. Those that don't answer don't keep a ledger
// from starting, unless it was restored: then the quorum has to agree.
func (w *witnesses) ask(ctx context.Context, l *ledger.Ledger, policy *verify.Policy, dir string) error {
	var err error
	w.cosigner, err = cosign.Open(cosign.Config{Log: l, Policy: policy, Dir: dir, Logger: w.log, Metrics: w.metrics})
	if err != nil {
		return err
	}
	restored := w.restored()
	asked, cancel := ctx, context.CancelFunc(func() {})
	if !restored {
		asked, cancel = context.WithTimeout(ctx, agreeTime)
	}
	defer cancel()
	err = w.cosigner.Agreed(asked)
	switch {
	case errors.Is(err, ledger.ErrNotExtended):
		return fmt.Errorf("%w. Nothing was signed. If this directory is a copy or an older backup, serve the newer one, or restore from a mirror", err)
	case err == nil && restored:
		w.log.Info("the witnesses agree with the restored ledger")
		return w.settled()
	case restored:
		return fmt.Errorf("this ledger was restored, and before it signs again a quorum of its witnesses has to say that it has lost nothing: %w", err)
	case err != nil:
		w.log.Warn("too few witnesses say what they have cosigned; they are asked again while the ledger is served", slog.Any("error", err))
	}
	return nil
}

// start asks the witnesses from now on. Without a policy it only sees to it that a
// restored ledger that has witnesses is not served without them.
func (w *witnesses) start(ctx context.Context, l *ledger.Ledger) error {
	if w.cosigner == nil {
		if !w.restored() {
			return nil
		}
		terms, err := l.Terms(ctx)
		if err != nil {
			return err
		}
		if terms.Witnesses[0] != rules.NoWitnesses && !datadir.Attested(w.data) {
			return errors.New("this ledger was restored, and its charter names witnesses: they have to say that it has lost nothing. Give --witness-policy")
		}
		return w.settled()
	}
	l.SetWitnesses(w.cosigner.Witnesses)
	ctx, w.cancel = context.WithCancel(context.WithoutCancel(ctx)) // it ends after the last answer, not before
	w.ended = make(chan struct{})
	go func() {
		defer close(w.ended)
		if err := w.cosigner.Run(ctx); err != nil { // the ledger has halted and says why
			w.log.Error("the witnesses are asked no more", slog.Any("error", err))
		}
	}()
	return nil
}

// stop ends the asking, and returns when all requests have ended.
func (w *witnesses) stop() {
	if w.cancel != nil {
		w.cancel()
		<-w.ended
	}
}

// restored reports whether the ledger was restored, and nobody has agreed since.
func (w *witnesses) restored() bool { return datadir.WasRestored(w.data) }

// settled removes the mark.
func (w *witnesses) settled() error { return datadir.Settled(w.data) }
