package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync/atomic"
	"syscall"
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

// serve serves a ledger until ctx ends.
func serve(ctx context.Context, args []string, std cli.Streams) error {
	flags := cli.Flags("docketd serve")
	data := flags.String("data", "", "data `directory`; required")
	listen := flags.String("listen", "127.0.0.1:8440", "`address` to serve on")
	guard := flags.String("guard", "", "guard `file`, best on another disk (default guard in the data directory)")
	cert := flags.String("tls-cert", "", "certificate `file` (PEM); with --tls-key")
	key := flags.String("tls-key", "", "private key `file` of the certificate (PEM)")
	public := flags.String("public-url", "", "the `URL` under which the ledger is reached, if a proxy stands before it")
	if err := flags.ParseArgs(args, 0, 0, "", "docketd serve --data /var/lib/docket --listen 127.0.0.1:8440"); err != nil {
		return err
	}
	if err := flags.Require("data"); err != nil {
		return err
	}
	if (*cert == "") != (*key == "") {
		return cli.Usage(errors.New("--tls-cert and --tls-key go together"))
	}
	config, err := tlsConfig(*cert, *key)
	if err != nil {
		return err
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400) // the heap is small: the caches are not in it
	}
	log := slog.New(slog.NewTextHandler(std.Err, nil))
	listener, err := net.Listen("tcp", *listen)
	if errors.Is(err, syscall.EADDRINUSE) {
		return cli.Unknown(fmt.Errorf("%s is taken by another program: stop that, or choose another address with --listen", *listen))
	}
	if err != nil {
		return cli.Unknown(err)
	}
	defer listener.Close()
	metrics := ledger.NewMetrics()
	dir, err := datadir.Open(ctx, *data, datadir.Options{Guard: *guard, Logger: log, Metrics: metrics})
	if err != nil {
		if errors.Is(err, ledger.ErrEmpty) {
			err = fmt.Errorf("%w: docketd init --data %s --charter FILE begins it", err, *data)
		}
		return cli.Unknown(err)
	}
	waiting, err := openDrafts(filepath.Join(*data, "drafts"), dir.Ledger, log)
	if err != nil {
		return errors.Join(cli.Unknown(err), dir.Close())
	}
	server := api.Server(api.New(dir.Ledger, api.Options{Logger: log, Registry: registry(metrics), Drafts: waiting, PublicURL: *public}), log)
	server.TLSConfig = config
	fmt.Fprintf(std.Err, "docketd: %s on %s\n", dir.VKey, url(listener, config))
	return errors.Join(run(ctx, server, listener, dir.Ledger), dir.Close())
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
func run(ctx context.Context, server *http.Server, listener net.Listener, l *ledger.Ledger) error {
	served := make(chan error, 1)
	go func() {
		if server.TLSConfig != nil {
			served <- server.ServeTLS(listener, "", "")
			return
		}
		served <- server.Serve(listener)
	}()
	var halted error
	select {
	case err := <-served:
		return cli.Unknown(err)
	case <-l.Halted():
		halted = cli.Unknown(fmt.Errorf("%w: start again, which reads back what happened", l.Ready()))
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	return errors.Join(halted, server.Shutdown(drain))
}

// tlsConfig reads a certificate; without one it is nil.
func tlsConfig(cert, key string) (*tls.Config, error) {
	if cert == "" {
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, cli.Unknown(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}, nil
}

func url(l net.Listener, config *tls.Config) string {
	if config != nil {
		return "https://" + l.Addr().String()
	}
	return "http://" + l.Addr().String()
}

// registry holds the metrics of the ledger and of this process.
func registry(m *ledger.Metrics) *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(m.Collectors()...)
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}
