package datadir

import (
	"context"
	"log/slog"
	"os"

	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/index"
	"github.com/docket-ledger/docket/ledger/state"
	"github.com/docket-ledger/docket/ledger/tree"
	"github.com/docket-ledger/docket/verify"
)

// follow opens the index and lets it follow the log. Records are taken without it, too.
func (d *Dir) follow(ctx context.Context, cfg index.Config) {
	logger := cfg.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	x, err := index.Open(ctx, cfg)
	if err != nil {
		logger.Error("no index: there is no search and no site", slog.Any("error", err))
		return
	}
	d.Index = x
	following, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := x.Run(following); err != nil {
			logger.Error("the index has stopped: docketd reindex makes it anew", slog.Any("error", err))
		}
	}()
	d.stop = func() { cancel(); <-ended }
}

// Reindex makes the index of a directory anew that no process has open, and returns how
// many records are in it. progress, if set, is called now and then. The error wraps
// tree.ErrInUse if a process has it open.
func Reindex(ctx context.Context, dir string, logger *slog.Logger, progress func(done, of int64)) (size int64, err error) {
	p, err := openStores(ctx, dir, Options{Logger: logger})
	if err != nil {
		return 0, err
	}
	defer func() {
		if e := p.close(); err == nil {
			err = e
		}
	}()
	judged, _ := p.cfg.State.Cursor()
	head, err := p.log.Head(ctx)
	if err != nil {
		return 0, err
	}
	size = min(judged, head.Size)
	cfg := p.index(stored{p.log, p.cfg.State, size})
	if err := os.RemoveAll(cfg.Dir); err != nil {
		return 0, err
	}
	x, err := index.Open(ctx, cfg)
	if err != nil {
		return 0, err
	}
	defer func() {
		if e := x.Close(); err == nil {
			err = e
		}
	}()
	for {
		n, err := x.Catch(ctx)
		if err != nil || n == 0 {
			return size, err
		}
		if progress != nil {
			progress(x.Lag().Size, size)
		}
	}
}

// stored is the index.Log of a directory that nobody serves.
type stored struct {
	log   tree.Log
	state *state.Store
	size  int64
}

func (s stored) Head() verify.Signed {
	return verify.Signed{Checkpoint: verify.Checkpoint{Size: s.size}}
}

func (s stored) Grown(int64) <-chan struct{} { return nil }

func (s stored) Entries(ctx context.Context, from int64, limit int) ([]ledger.Entry, error) {
	return ledger.ReadEntries(ctx, s.log, s.state, from, min(s.size, from+int64(limit)))
}
