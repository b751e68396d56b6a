package main

// serve.go has the command that serves a copy, site.go the pages, site_witness.go
// how such a site cosigns.

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/cmd/internal/mirror"
	"github.com/docket-ledger/docket/cmd/internal/source"
	"github.com/docket-ledger/docket/cmd/internal/witnessing"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/witness"
)

const serveExample = "docket-mirror serve mirror --listen 127.0.0.1:8442 --from https://ledger.example.com --policy trust.policy"

// witnessDir is where a witness keeps what it has cosigned, within the mirror.
const witnessDir = ".witness"

// A serveConfig is what serveCommand is told.
type serveConfig struct {
	dir, address string
	from         string // what is followed, "" for nothing
	every        time.Duration
	policies     verify.Policies
	cosigners    []verify.Cosigner // none: no witness
}

// serveCommand serves a mirror until ctx ends.
func serveCommand(ctx context.Context, args []string, std cli.Streams) error {
	flags := cli.Flags("docket-mirror serve")
	var cfg serveConfig
	flags.StringVar(&cfg.address, "listen", "127.0.0.1:8442", "`address` to serve on")
	flags.StringVar(&cfg.from, "from", "", "`URL|DIR` of the log, to copy from it what is new all the time; wants --policy")
	flags.DurationVar(&cfg.every, "every", defaultEvery, "how long to wait in between, as a `duration`")
	policies := policyFlag(flags)
	flags.Func("witness", "private key `file` of a witness, which docket-mirror witness key made: cosign what is copied; wants --policy; may be repeated", func(path string) error {
		c, err := witnessing.ReadKey(path)
		cfg.cosigners = append(cfg.cosigners, c)
		return err
	})
	if err := flags.ParseArgs(args, 1, 1, "MIRROR", serveExample); err != nil {
		return err
	}
	cfg.dir, cfg.policies = flags.Arg(0), *policies
	switch {
	case len(cfg.policies) == 0 && (cfg.from != "" || len(cfg.cosigners) > 0):
		return cli.Usage(errors.New("--policy is missing: --from and --witness want to know whom to trust"))
	case cfg.every < leastEvery:
		return cli.Usage(fmt.Errorf("--every is %v, want %v or more", cfg.every, leastEvery))
	}
	if cfg.from != "" || len(cfg.cosigners) > 0 {
		if err := os.MkdirAll(cfg.dir, 0o755); err != nil {
			return cli.Unknown(err)
		}
	}
	return runSite(ctx, cfg, std)
}

// runSite serves, follows and cosigns as it is told.
func runSite(ctx context.Context, cfg serveConfig, std cli.Streams) error {
	root, err := os.OpenRoot(cfg.dir) // no symbolic link leads out of it
	if err != nil {
		return cli.Unknown(fmt.Errorf("%w: want the folder of a mirror, which docket-mirror sync makes", err))
	}
	defer root.Close()
	log := slog.New(slog.NewTextHandler(std.Err, nil))
	site := newSite(root.FS(), log)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var follower *mirror.Follower
	if cfg.from != "" {
		src, err := source.OpenPatient(cfg.from)
		if err != nil {
			return err
		}
		if follower, err = mirror.NewFollower(mirror.Config{Source: src, Policies: cfg.policies, Dir: cfg.dir}); err != nil {
			return cli.Usage(err)
		}
		site.from = cfg.from
	}
	if len(cfg.cosigners) > 0 {
		store, err := witnessing.OpenStore(filepath.Join(cfg.dir, witnessDir))
		if err != nil {
			return cli.Unknown(err)
		}
		defer store.Close()
		if err := site.cosign(ctx, cfg, store, follower); err != nil {
			return cli.Usage(err)
		}
	}
	n, err := net.Listen("tcp", cfg.address)
	if err != nil {
		return cli.Unknown(err)
	}
	fmt.Fprintf(std.Err, "docket-mirror: serving %s on http://%s\n", cfg.dir, n.Addr())
	for _, c := range cfg.cosigners {
		fmt.Fprintf(std.Err, "docket-mirror: witness %s on http://%s\n", c.VKey(), n.Addr())
	}
	followed := make(chan struct{})
	go func() {
		defer close(followed)
		if follower != nil {
			cancel(follower.Run(ctx, cfg.every, func(res *mirror.Result, err error, pause time.Duration) { site.told(res, err, pause, cfg.dir) }))
		}
	}()
	err = serveUntil(ctx, n, site, log)
	cancel(nil)
	<-followed
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return explain(cause, cfg.dir)
	}
	return err
}

// serveUntil serves until ctx ends, and then ends what is under way.
func serveUntil(ctx context.Context, n net.Listener, h http.Handler, log *slog.Logger) error {
	server := &http.Server{Handler: h, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 2 * time.Minute, IdleTimeout: 3 * time.Minute, MaxHeaderBytes: 16 << 10}
	served := make(chan error, 1)
	go func() { served <- server.Serve(n) }()
	select {
	case err := <-served:
		return cli.Unknown(err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := server.Shutdown(drain); err != nil {
		return errors.Join(err, server.Close())
	}
	return nil
}

// cosign makes the site a witness of the logs of the policies.
func (s *site) cosign(ctx context.Context, cfg serveConfig, store *witnessing.Store, follower *mirror.Follower) error {
	var keys []string
	seen := map[string]bool{}
	for _, p := range cfg.policies {
		for _, l := range p.Logs() {
			if key := l.Key.String(); !seen[key] {
				seen[key] = true
				keys = append(keys, key)
			}
		}
	}
	known, err := verify.ParsePolicy([]byte("log " + strings.Join(keys, "\nlog ") + "\nquorum none\n"))
	if err != nil {
		return fmt.Errorf("the logs of --policy: %w", err)
	}
	w := &witness.Witness{Logs: known, Cosigners: cfg.cosigners, Store: store}
	gate := &copied{ctx: ctx, logs: known, policies: cfg.policies, dir: cfg.dir, store: store, follower: follower, log: s.log, busy: make(chan struct{}, 1)}
	s.witness = witnessing.Handler(w, store, s.log, gate.check)
	for _, c := range cfg.cosigners {
		s.vkeys = append(s.vkeys, c.VKey().String())
	}
	return nil
}
