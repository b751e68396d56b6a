package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/docket-ledger/docket/api"
	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/cmd/internal/datadir"
	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/drafts"
)

// drainTime is how long requests that run may take to end at shutdown.
const drainTime = 30 * time.Second

// settings are what the command line says.
type settings struct {
	data, guard, public string
	logKey              string
	pq                  bool
	witnessPolicy       string
	listeners           listeners
	limits              api.Limits
	fleet               *datadir.Fleet
}

// serve serves a ledger until ctx ends.
func serve(ctx context.Context, args []string, std cli.Streams) error {
	set, err := parseServe(args)
	if err != nil {
		return err
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400) // the heap is small: the caches are not in it
	}
	log := slog.New(slog.NewTextHandler(std.Err, nil))
	if err := set.listeners.open(); err != nil {
		return err
	}
	defer set.listeners.close()
	metrics := ledger.NewMetrics()
	asking, err := readWitnesses(set.data, set.witnessPolicy, log)
	if err != nil {
		return cli.Unknown(err)
	}
	dir, err := datadir.Open(ctx, set.data, datadir.Options{Guard: set.guard, Logger: log, Metrics: metrics, LogKey: set.logKey, Witnesses: asking.options(), Fleet: set.fleet})
	if err != nil {
		if errors.Is(err, ledger.ErrEmpty) {
			err = fmt.Errorf("%w: docketd init --data %s --charter FILE begins it", err, set.data)
		}
		return cli.Unknown(err)
	}
	if set.pq && !dir.Ledger.PQ() {
		err := fmt.Errorf("--pq: there is no ML-DSA-44 key (docketd key --data %s --pq makes it), or the charter in force does not name it (docket charter amend)", set.data)
		return errors.Join(err, dir.Close())
	}
	waiting, err := openDrafts(filepath.Join(set.data, "drafts"), dir.Ledger, log)
	if err != nil {
		return errors.Join(cli.Unknown(err), dir.Close())
	}
	opt := api.Options{Logger: log, Registry: registry(append(metrics.Collectors(), asking.collectors()...)), Drafts: waiting,
		PublicURL: set.public, Limits: set.limits}
	if dir.Index != nil {
		opt.Index = dir.Index
		opt.Registry.MustRegister(dir.Index.Collectors()...)
	}
	site := api.NewSite(dir.Ledger, opt)
	ctl, err := openControl(set.data, (&operator{dir: dir, since: time.Now()}).handler())
	if err != nil {
		return errors.Join(cli.Unknown(err), dir.Close())
	}
	if err := asking.start(ctx, dir.Ledger); err != nil {
		return errors.Join(cli.Unknown(err), ctl.close(), dir.Close())
	}
	set.listeners.announce(std.Err, dir.VKey)
	counting, enough := context.WithCancel(ctx)
	counted := make(chan struct{})
	go func() {
		defer close(counted)
		if err := site.Count(counting); err != nil && counting.Err() == nil {
			log.Error("the numbers of the log can't be counted", slog.Any("error", err))
		}
	}()
	err = run(ctx, set.listeners.servers(site, log), dir.Ledger)
	enough()
	<-counted
	asking.stop()
	return errors.Join(err, ctl.close(), dir.Close())
}

// parseServe reads the command line.
func parseServe(args []string) (*settings, error) {
	var set settings
	l := &set.listeners
	flags := cli.Flags("docketd serve")
	flags.StringVar(&set.data, "data", "", "data `directory`; required")
	flags.StringVar(&l.main, "listen", "127.0.0.1:8440", "`address` to serve on")
	flags.StringVar(&l.submit, "submit-listen", "", "`address` that takes records and drafts, and serves the rest as well; --listen only reads then")
	flags.StringVar(&l.admin, "admin-listen", "", "`address` for /healthz, /readyz and /metrics, without TLS; the others don't have them then")
	flags.StringVar(&set.guard, "guard", "", "guard `file`, best on another disk (default guard in the data directory)")
	node := addNodeFlags(flags)
	flags.StringVar(&set.logKey, "log-key", "", "`URI` of the log key in a token, pkcs11:…, in place of keys/log.key in the data directory")
	flags.BoolVar(&set.pq, "pq", false, "refuse to serve without the log's own ML-DSA-44 signature line, which is there whenever the charter names its key")
	flags.StringVar(&set.witnessPolicy, "witness-policy", "", "trust policy `file` with the witnesses that are asked to cosign, their URLs and the quorum of a witnessed checkpoint")
	flags.StringVar(&l.cert, "tls-cert", "", "certificate `file` (PEM); with --tls-key. A renewed one is taken without a restart")
	flags.StringVar(&l.key, "tls-key", "", "private key `file` of the certificate (PEM)")
	flags.StringVar(&set.public, "public-url", "", "the `URL` under which the ledger is reached, if a proxy stands before it")
	flags.Float64Var(&set.limits.KeyRate, "key-rate", 1000, "records and proofs a second, a `number`, of one key; 0 for no limit")
	flags.IntVar(&set.limits.KeyBurst, "key-burst", 10000, "`number` of these at once after a pause")
	flags.Float64Var(&set.limits.AddressRate, "address-rate", 200, "requests a second, a `number`, of one address; 0 for no limit")
	flags.IntVar(&set.limits.AddressBurst, "address-burst", 2000, "`number` of these at once after a pause")
	flags.BoolVar(&set.limits.Loopback, "limit-loopback", false, "limit loopback addresses, too: no proxy on this machine brings others")
	if err := flags.ParseArgs(args, 0, 0, "", "docketd serve --data /var/lib/docket --listen 127.0.0.1:8440"); err != nil {
		return nil, err
	}
	if err := flags.Require("data"); err != nil {
		return nil, err
	}
	var err error
	if set.fleet, err = node.fleet(); err != nil {
		return nil, err
	}
	return &set, set.check()
}

func (set *settings) check() error {
	if (set.listeners.cert == "") != (set.listeners.key == "") {
		return cli.Usage(errors.New("--tls-cert and --tls-key go together"))
	}
	if n := set.limits; n.KeyRate < 0 || n.AddressRate < 0 || n.KeyBurst < 1 || n.AddressBurst < 1 {
		return cli.Usage(errors.New("a rate is 0 or more, a burst 1 or more"))
	}
	if set.public != "" {
		u, err := url.Parse(set.public)
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
			return cli.Usage(fmt.Errorf("--public-url %q: want one like https://ledger.example.com/2026", set.public))
		}
	}
	return nil
}

// openDrafts opens what waits for co-signers.
func openDrafts(dir string, l *ledger.Ledger, log *slog.Logger) (*drafts.Store, error) {
	terms, err := l.Terms(context.Background())
	if err != nil {
		return nil, err
	}
	var last atomic.Int64 // for when the charter can't be read
	last.Store(terms.DraftLife)
	return drafts.Open(drafts.Config{Dir: dir, Logger: log, Life: func() time.Duration {
		if terms, err := l.Terms(context.Background()); err == nil {
			last.Store(terms.DraftLife)
		}
		return time.Duration(last.Load()) * time.Hour
	}})
}

// run serves until ctx ends or the ledger halts. Requests that run are answered.
func run(ctx context.Context, servers []server, l *ledger.Ledger) error {
	served := make(chan error, len(servers))
	for _, s := range servers {
		go func() { served <- s.serve() }()
	}
	var ended error
	select {
	case err := <-served:
		ended = cli.Unknown(err)
	case <-l.Halted():
		ended = cli.Unknown(fmt.Errorf("%w: start again, which reads back what happened", l.Ready()))
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	var wg sync.WaitGroup
	errs := make([]error, len(servers))
	for i, s := range servers { // all stop taking at once
		wg.Go(func() {
			if errs[i] = s.Shutdown(drain); errs[i] != nil {
				errs[i] = errors.Join(errs[i], s.Close())
			}
		})
	}
	wg.Wait()
	return errors.Join(append(errs, ended)...)
}

// registry holds the metrics of the ledger and of this process.
func registry(all []prometheus.Collector) *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(all...)
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}
