package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/docket-ledger/docket/api/client"
	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/cmd/internal/source"
	"github.com/docket-ledger/docket/cmd/internal/watch"
	"github.com/docket-ledger/docket/verify"
)

// watchFlags are what docket-verify watch is told.
type watchFlags struct {
	policy                                  *policies
	state, exec, webhook, hookKey, listen   *string
	private, once                           *bool
	interval, timeout, age, maxLag, recheck *time.Duration
	peers                                   []string
}

func newWatchFlags(flags *cli.FlagSet) *watchFlags {
	f := &watchFlags{
		policy:   policyFlag(flags),
		state:    flags.String("state", "", "`file` that remembers what the log showed, required; FILE.audit and evidence are kept beside it"),
		exec:     flags.String("exec", "", "shell `command` to run for each alarm, with the event on standard input"),
		webhook:  flags.String("webhook", "", "`url` to post each alarm to"),
		hookKey:  flags.String("webhook-key", "", "`file` with the key that signs what is posted, at least 32 bytes"),
		private:  flags.Bool("webhook-private", false, "let the webhook be at a private or loopback address"),
		listen:   flags.String("listen", "", "`address` for /metrics (Prometheus) and /healthz"),
		once:     flags.Bool("once", false, "look once: exit 0 if there is nothing to report, 1 if an alarm was told or lasts, 3 if something could not be found out"),
		interval: flags.Duration("interval", time.Minute, "`pause` between two looks"),
		timeout:  flags.Duration("timeout", 6*time.Hour, "`time` that one look may take"),
		age:      flags.Duration("max-age", 24*time.Hour, "`age` of the head that is an alarm, by its witnesses or else since it changed; 0 for none"),
		maxLag:   flags.Duration("max-lag", 10*time.Minute, "`time` for which the log may show less than peers and witnesses have"),
		recheck:  flags.Duration("recheck", 7*24*time.Hour, "`time` after which the whole log is read again; 0 for never"),
	}
	flags.Func("peer", "`URL|DIR|ZIP` of a copy of the log, which must have the same history; may be repeated", func(s string) error {
		f.peers = append(f.peers, s)
		return nil
	})
	return f
}

func watchLog(ctx context.Context, args []string, std cli.Streams) error {
	flags := cli.Flags("docket-verify watch")
	f := newWatchFlags(flags)
	if err := flags.ParseArgs(args, 1, 1, "URL|DIR", "docket-verify watch --policy trust.policy --state ledger.watch --peer https://mirror.example.edu https://ledger.example.com"); err != nil {
		return err
	}
	if err := flags.Require("policy", "state"); err != nil {
		return err
	}
	cfg, err := f.config(flags.Arg(0), std)
	if err != nil {
		return err
	}
	w, err := watch.New(cfg)
	switch {
	case errors.Is(err, watch.ErrState):
		return err
	case err != nil:
		return cli.Unknown(err)
	}
	w.Forget()
	if *f.once {
		return watchOnce(ctx, w)
	}
	if *f.listen == "" {
		w.Run(ctx)
		return nil
	}
	return serveWatch(ctx, w, *f.listen)
}

// config checks the flags and opens what they name.
func (f *watchFlags) config(log string, std cli.Streams) (watch.Config, error) {
	cfg := watch.Config{
		Policies: f.policy.Policies, State: *f.state, Out: std.Out, Err: std.Err, Keep: f.keep,
		Interval: *f.interval, Timeout: *f.timeout, MaxAge: *f.age, MaxLag: *f.maxLag, Recheck: *f.recheck,
		Witness: func(url string) (verify.Source, error) { return client.New(url) },
	}
	switch {
	case *f.interval < 100*time.Millisecond:
		return cfg, cli.Usage(errors.New("--interval is less than 100ms"))
	case *f.timeout <= 0 || *f.age < 0 || *f.maxLag < 0 || *f.recheck < 0:
		return cfg, cli.Usage(errors.New("--timeout, --max-age, --max-lag and --recheck are not negative, and --timeout is not 0"))
	case *f.once && *f.listen != "":
		return cfg, cli.Usage(errors.New("--listen shows nothing with --once"))
	case (*f.webhook == "") != (*f.hookKey == ""):
		return cfg, cli.Usage(errors.New("--webhook and --webhook-key go together: what is posted is signed"))
	}
	var err error
	if cfg.Log, err = openPlace(log); err != nil {
		return cfg, err
	}
	for _, where := range f.peers {
		peer, err := openPlace(where)
		if err != nil {
			return cfg, err
		}
		cfg.Peers = append(cfg.Peers, peer)
	}
	if *f.exec != "" {
		cfg.Sinks = append(cfg.Sinks, watch.Command{Line: *f.exec, Out: std.Err})
	}
	if *f.webhook != "" {
		key, err := watch.ReadHookKey(*f.hookKey)
		if err != nil {
			return cfg, cli.Unknown(err)
		}
		hook, err := watch.NewWebhook(*f.webhook, key, *f.private)
		if err != nil {
			return cfg, cli.Usage(err)
		}
		cfg.Sinks = append(cfg.Sinks, hook)
	}
	return cfg, nil
}

func openPlace(where string) (watch.Place, error) {
	src, err := source.Open(where)
	return watch.Place{Name: where, Source: src}, err
}

// maxWatchEvidence is how many files of evidence one watch keeps.
const maxWatchEvidence = 32

// keep keeps evidence beside the state, in a file named after its contents.
func (f *watchFlags) keep(e verify.Evidence) (string, error) {
	b, err := e.Marshal()
	if err != nil {
		return "", err
	}
	files, err := os.ReadDir(filepath.Dir(*f.state))
	if err != nil {
		return "", err
	}
	kept := 0
	for _, file := range files {
		if strings.HasPrefix(file.Name(), filepath.Base(*f.state)+".fork-") {
			kept++
		}
	}
	sum := sha256.Sum256(b)
	path := fmt.Sprintf("%s.fork-%x.json", *f.state, sum[:8])
	if kept >= maxWatchEvidence {
		if _, err := os.Stat(path); err != nil {
			return "", fmt.Errorf("there are %d files %s.fork-* already", kept, *f.state)
		}
	}
	return path, keepEvidence(path, e)
}

// watchOnce looks once, and delivers what there is to deliver.
func watchOnce(ctx context.Context, w *watch.Watcher) error {
	out, err := w.Look(ctx)
	err = errors.Join(err, w.Drain(ctx))
	switch {
	case out == watch.Alarmed && err != nil:
		return fmt.Errorf("there is an alarm, and not all could be kept or delivered: %w", err)
	case out == watch.Alarmed:
		return cli.DoesNotHold()
	case err != nil:
		return cli.Unknown(err)
	case out == watch.Blind:
		return cli.Unknown(errors.New("something could not be found out, see the events of level unknown"))
	}
	return nil
}

// serveWatch watches, and shows metrics meanwhile.
func serveWatch(ctx context.Context, w *watch.Watcher, address string) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return cli.Unknown(err)
	}
	server := &http.Server{Handler: w, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second, MaxHeaderBytes: 1 << 14}
	failed := make(chan error, 1)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		failed <- server.Serve(listener)
		cancel()
	}()
	w.Run(ctx)
	if err := server.Close(); err != nil {
		return cli.Unknown(err)
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return cli.Unknown(err)
	}
	return nil
}
