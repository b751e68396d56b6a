package datadir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/tree"
	"github.com/docket-ledger/docket/ledger/tree/embedded"
	"github.com/docket-ledger/docket/ledger/tree/fleet"
	"github.com/docket-ledger/docket/verify"
)

// A data directory whose ledger shares its log with others is a node of a fleet. Its
// folder log is then what it has followed, and can be lost. The file FLEET names the
// tree: opened without the fleet the node would append to its copy alone, and begin a
// second history.

const fleetMark = "FLEET"

// Fleet says which tree of which log servers a directory follows.
type Fleet struct {
	Servers fleet.Servers
	Tree    int64
	// Peers are other nodes. What they show is compared before the first signature.
	Peers []Peer
}

// A Peer is another node of the fleet.
type Peer struct {
	URL    string
	Source verify.Source
}

// Errors of directories that are opened as what they are not.
var (
	ErrNode     = errors.New("the directory is a node of a fleet")
	ErrEmbedded = errors.New("the directory has a ledger of its own")
)

func markOf(tree int64) string { return fmt.Sprintf("tree %d\n", tree) }

// markedFleet returns what FLEET holds, "" if it is not there.
func markedFleet(dir string) (string, error) {
	b, err := os.ReadFile(filepath.Join(dir, fleetMark))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return string(b), err
}

// alone checks that dir is no node of a fleet.
func alone(dir string) error {
	mark, err := markedFleet(dir)
	if err == nil && mark != "" {
		err = fmt.Errorf("%s: %w (%s): without its servers it must not be changed. Say which they are with --trillian and --tree-id", dir, ErrNode, strings.TrimSpace(mark))
	}
	return err
}

// openLog opens the log of dir: with its fleet, or without one.
func openLog(ctx context.Context, dir string, local embedded.Config, opt Options) (log tree.Log, own *embedded.Log, err error) {
	if opt.Fleet == nil {
		own, err = embedded.Open(ctx, local)
		if err != nil {
			return nil, nil, err
		}
		return own, own, nil
	}
	mark, err := markedFleet(dir)
	switch {
	case err != nil:
		return nil, nil, err
	case mark != "" && mark != markOf(opt.Fleet.Tree):
		return nil, nil, fmt.Errorf("%s: %w of %s, not of tree %d", dir, ErrNode, strings.TrimSpace(mark), opt.Fleet.Tree)
	}
	logger := opt.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	if own, err = embedded.Open(ctx, local); err != nil {
		return nil, nil, err
	}
	head, err := own.Head(ctx)
	if err == nil && mark == "" && head.Size > 0 {
		err = fmt.Errorf("%s: %w, of %d records: it is not followed from anywhere. A new node has a directory of its own (docketd fleet join)", dir, ErrEmbedded, head.Size)
	}
	if err == nil && mark == "" {
		err = create(filepath.Join(dir, fleetMark), markOf(opt.Fleet.Tree), 0o644)
	}
	if err == nil {
		log, err = fleet.Open(ctx, fleet.Config{Servers: opt.Fleet.Servers, Tree: opt.Fleet.Tree, Local: own, Logger: logger,
			Incident: func(i *fleet.Incident) { keepIncident(dir, i, logger) }})
	}
	if err != nil {
		return nil, nil, errors.Join(err, own.Close())
	}
	return log, own, nil
}

// keepIncident writes the evidence that servers contradict what was followed.
func keepIncident(dir string, i *fleet.Incident, logger *slog.Logger) {
	b, err := i.JSON()
	path := filepath.Join(dir, "incident.json")
	if err == nil {
		err = create(path, string(b), 0o644)
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		logger.Error("the evidence could not be kept", slog.Any("error", err))
		return
	}
	logger.Error("the evidence of what the log servers told is kept", slog.String("file", path))
}

// Join makes dir, in which there are the keys, a node of a fleet: its guard gets the
// newest checkpoint that a peer shows, so that this node signs nothing that does not
// extend what the others have signed. The size is that of the checkpoint. It wraps
// fs.ErrExist if dir has a guard already, and ErrUnbound if no peer answers.
func Join(ctx context.Context, dir string, opt Options) (size int64, err error) {
	guard := opt.Guard
	if guard == "" {
		guard = filepath.Join(dir, "guard")
	}
	if _, err := os.Lstat(guard); err == nil {
		return 0, fmt.Errorf("%w: %s: this node has joined, or served, before", fs.ErrExist, guard)
	}
	own, err := ownPolicy(dir)
	if err != nil {
		return 0, err
	}
	var newest *verify.Signed
	var silent []error
	for _, p := range opt.Fleet.Peers {
		signed, err := p.shows(ctx, own)
		if err != nil {
			silent = append(silent, err)
		} else if newest == nil || signed.Checkpoint.Size > newest.Checkpoint.Size {
			newest = &signed
		}
	}
	if newest == nil {
		return 0, fmt.Errorf("%w, since no other node answers: %w", ErrUnbound, errors.Join(silent...))
	}
	p, err := openStores(ctx, dir, opt) // which writes the mark
	if err != nil {
		return 0, err
	}
	if err := p.close(); err != nil {
		return 0, err
	}
	return newest.Checkpoint.Size, ledger.CreateGuard(guard, newest.Note)
}

// shows asks a peer for its checkpoint, which this log's key must have signed.
func (p Peer) shows(ctx context.Context, own *verify.Policy) (verify.Signed, error) {
	note, err := p.Source.ReadFile(ctx, "checkpoint")
	if err != nil {
		return verify.Signed{}, fmt.Errorf("%s: %w", p.URL, err)
	}
	signed, err := own.Open(note)
	if err != nil {
		return verify.Signed{}, fmt.Errorf("%s shows a checkpoint that is not this ledger's: %w", p.URL, err)
	}
	return signed, nil
}

// withPeers compares, before anything is signed, what the peers show. One that does not
// answer is passed over.
func withPeers(cfg *ledger.Config, dir string, f *Fleet) error {
	if f == nil || len(f.Peers) == 0 {
		return nil
	}
	own, err := ownPolicy(dir)
	if err != nil {
		return err
	}
	then := cfg.BeforeSigning
	cfg.BeforeSigning = func(ctx context.Context, l *ledger.Ledger) error {
		for _, p := range f.Peers {
			signed, err := p.shows(ctx, own)
			if err != nil {
				cfg.Logger.Warn("a peer is not compared", slog.Any("error", err))
				continue
			}
			if err := l.Extends(ctx, signed.Checkpoint); err != nil {
				return fmt.Errorf("%s shows size %d with root %v: %w. Nothing is signed: either the servers have lost records, or there are two histories", p.URL, signed.Checkpoint.Size, signed.Checkpoint.Root, err)
			}
		}
		if then == nil {
			return nil
		}
		return then(ctx, l)
	}
	return nil
}

// Migrate makes a directory that has a ledger of its own a node of a fleet: its records
// are copied into the tree, and both have one root. If it is interrupted, calling it again
// goes on; the directory is what it was until it is done. progress, if set, is told how
// many records are there, of how many. Nobody may have dir open.
func Migrate(ctx context.Context, dir string, opt Options, progress func(done, of int64)) (tree.Head, error) {
	if err := alone(dir); err != nil {
		return tree.Head{}, err
	}
	alone := opt
	alone.Fleet = nil
	p, err := openStores(ctx, dir, alone)
	if err != nil {
		return tree.Head{}, err
	}
	head, err := p.log.Head(ctx)
	switch {
	case err != nil:
	case head.Size == 0:
		err = ledger.ErrEmpty
	default:
		err = p.copyTo(ctx, opt.Fleet, progress)
	}
	if err == nil {
		err = create(filepath.Join(dir, fleetMark), markOf(opt.Fleet.Tree), 0o644)
	}
	return head, errors.Join(err, p.close())
}

// copyTo copies the log into the tree of a fleet, by way of a log beside it that is
// removed in the end.
func (p *parts) copyTo(ctx context.Context, f *Fleet, progress func(done, of int64)) error {
	beside := filepath.Join(p.dir, "migrating")
	own, err := embedded.Open(ctx, embedded.Config{Dir: beside})
	if err != nil {
		return err
	}
	log, err := fleet.Open(ctx, fleet.Config{Servers: f.Servers, Tree: f.Tree, Local: own, Logger: p.cfg.Logger})
	if err != nil {
		return errors.Join(err, own.Close())
	}
	err = errors.Join(log.Copy(ctx, p.log, progress), log.Close())
	if err != nil {
		return err
	}
	return os.RemoveAll(beside)
}

// Return makes a node of a fleet a directory with a ledger of its own, which goes on where
// the fleet ends: the tree is frozen, so that no node can append to it any more, and
// followed to its end. The other nodes are of no use then. If it is interrupted, calling
// it again goes on. Nobody may have dir open.
func Return(ctx context.Context, dir string, opt Options) (verify.Checkpoint, error) {
	mark, err := markedFleet(dir)
	if err == nil && mark == "" {
		err = fmt.Errorf("%s: %w already", dir, ErrEmbedded)
	}
	if err != nil {
		return verify.Checkpoint{}, err
	}
	if err := fleet.Freeze(ctx, opt.Fleet.Servers, opt.Fleet.Tree); err != nil {
		return verify.Checkpoint{}, err
	}
	p, err := openToChange(ctx, dir, opt)
	if err != nil {
		return verify.Checkpoint{}, err
	}
	shared := p.cfg.Log.(tree.Shared)
	for {
		size, err := shared.Follow(ctx, 1<<13)
		if err != nil {
			return verify.Checkpoint{}, errors.Join(err, p.close())
		}
		if head, err := shared.Head(ctx); err != nil || head.Size >= size {
			if err != nil {
				return verify.Checkpoint{}, errors.Join(err, p.close())
			}
			break
		}
	}
	l, err := ledger.Open(ctx, p.cfg) // signs what was followed
	if err != nil {
		return verify.Checkpoint{}, errors.Join(err, p.close())
	}
	cp := l.Head().Checkpoint
	if err := errors.Join(l.Close(), p.close()); err != nil {
		return verify.Checkpoint{}, err
	}
	return cp, errors.Join(os.Remove(filepath.Join(dir, fleetMark)), syncDir(dir))
}
