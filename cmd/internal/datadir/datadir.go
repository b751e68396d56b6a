// Package datadir opens the data directory of a ledger and puts its parts
// together: the one place, besides tests, where engines are named.
//
//	VERSION            1; a newer one is refused
//	keys/log.key       the private log key, or where it is in a token; see keys.go
//	keys/log.vkey      its verifier key
//	keys/log-pq.*      the log's own ML-DSA-44 key, if it has one
//	keys/next*.*       the keys that follow
//	keys/retired-*.*   those that signed before
//	keys/machine.jwk   the private key of the machine
//	log/ state/        databases
//	index/             the database of what readers look up; made anew if it is not there
//	checkpoints/       witnessed checkpoints, and what cosigning remembers
//	drafts/            what waits for co-signers
//	guard              the last checkpoint that was signed
//	control            the socket of the docketd that serves it
//	RESTORED           it was restored, and witnesses were not asked since
//	BACKUP             it is a backup, and not served
package datadir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/docket-ledger/docket/cmd/internal/pkcs11key"
	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/index"
	"github.com/docket-ledger/docket/ledger/state"
	"github.com/docket-ledger/docket/ledger/tree"
	"github.com/docket-ledger/docket/ledger/tree/embedded"
)

// version is the layout of a data directory that this program writes.
const version = 1

// create writes a file that must not be there.
func create(path, text string, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Sync(), f.Close())
}

// checkVersion refuses a directory of a newer program, and marks a new one.
func checkVersion(dir string) error {
	path := filepath.Join(dir, "VERSION")
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return create(path, strconv.Itoa(version)+"\n", 0o644)
	}
	if err != nil {
		return err
	}
	_, err = parseVersion(dir, b)
	return err
}

// parseVersion judges what VERSION holds; newer says that a newer program wrote it.
func parseVersion(dir string, b []byte) (newer bool, err error) {
	v, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil || v < 1 {
		return false, fmt.Errorf("%s is damaged: it holds %.20q, want %d", filepath.Join(dir, "VERSION"), b, version)
	}
	if v > version {
		return true, fmt.Errorf("%s was written by a newer docketd (layout %d, this one knows %d): use that one", dir, v, version)
	}
	return false, nil
}

// Options change how a directory is opened.
type Options struct {
	// Guard is the path of the guard file; empty means guard in dir.
	Guard string
	// Logger gets what the parts have to say; nil means nothing is said.
	Logger *slog.Logger
	// Metrics, if set, are counted into.
	Metrics *ledger.Metrics
	// LogKey, if set, is the pkcs11: URI of the log key, in place of what
	// keys/log.key says.
	LogKey string
	// Witnesses, if set, cosign; only Open knows them.
	Witnesses *Witnesses
	// Fleet, if set, keeps the log; Init, Open and Join know it.
	Fleet *Fleet
}

// A Dir is an open data directory.
type Dir struct {
	// Ledger is the ledger in it.
	Ledger *ledger.Ledger
	// VKey is the verifier key of its log.
	VKey string
	// Index is what readers look up, a moment behind the log. It is nil if it
	// could not be opened, which the logger was told.
	Index *index.Index

	parts *parts
	// stop ends following the log, and waits until that has ended.
	stop func()
}

type parts struct {
	dir   string
	cfg   ledger.Config
	log   *embedded.Log // in dir; what was followed, if there is a fleet
	cache interface{ Unref() }
	keys  []*logKey
	// index says how the index of a log is opened.
	index func(log index.Log) index.Config
}

// cacheSize is what the databases of a ledger share, in bytes.
const cacheSize = 256 << 20

// Init begins the ledger in dir, whose keys CreateKeys has made, with a charter.
// See ledger.Init.
func Init(ctx context.Context, dir string, opt Options, charter []byte) (ledger.Outcome, error) {
	p, err := openToChange(ctx, dir, opt)
	if err != nil {
		return ledger.Outcome{}, err
	}
	out, err := ledger.Init(ctx, p.cfg, charter)
	return out, errors.Join(err, p.close())
}

// Open opens the ledger in dir, which Init has begun. The error wraps
// tree.ErrInUse if another process has it open, ledger.ErrEmpty if it was not
// begun, ledger.ErrHalted if the ledger refuses to go on.
func Open(ctx context.Context, dir string, opt Options) (*Dir, error) {
	p, err := openToChange(ctx, dir, opt)
	if err != nil {
		return nil, err
	}
	if err := withWitnesses(&p.cfg, dir, opt.Witnesses); err != nil {
		return nil, errors.Join(err, p.close())
	}
	if err := withPeers(&p.cfg, dir, opt.Fleet); err != nil {
		return nil, errors.Join(err, p.close())
	}
	l, err := ledger.Open(ctx, p.cfg)
	if err != nil {
		return nil, errors.Join(err, p.close())
	}
	d := &Dir{Ledger: l, VKey: p.cfg.VKey, parts: p, stop: func() {}}
	d.follow(ctx, p.index(l))
	return d, nil
}

// Close answers everyone who waits and closes all parts.
func (d *Dir) Close() error {
	d.stop()
	var err error
	if d.Index != nil {
		err = d.Index.Close()
	}
	return errors.Join(err, d.Ledger.Close(), d.parts.close())
}

func (p *parts) close() error {
	defer p.cache.Unref()
	errs := []error{p.cfg.State.Close(), p.cfg.Log.Close()}
	for _, k := range p.keys {
		errs = append(errs, k.close())
	}
	return errors.Join(errs...)
}

// openToChange is open of what may append to the log.
func openToChange(ctx context.Context, dir string, opt Options) (*parts, error) {
	if opt.Fleet == nil {
		if err := alone(dir); err != nil {
			return nil, err
		}
	}
	return open(ctx, dir, opt)
}

// open opens the databases and the keys.
func open(ctx context.Context, dir string, opt Options) (*parts, error) {
	p, err := openStores(ctx, dir, opt)
	if err != nil {
		return nil, err
	}
	if err := p.openKeys(dir, opt); err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

// openStores opens the databases, so that nobody else has dir open.
func openStores(ctx context.Context, dir string, opt Options) (*parts, error) {
	if err := refuseBackup(dir); err != nil {
		return nil, err
	}
	if !exists(keyPath(dir, current+".vkey")) && !exists(keyPath(dir, current+".key")) {
		return nil, fmt.Errorf("%s holds no log key: make one with docketd key --data %s --origin NAME", dir, dir)
	}
	if err := checkVersion(dir); err != nil {
		return nil, err
	}
	cache := state.NewCache(cacheSize)
	log, own, err := openLog(ctx, dir, embedded.Config{Dir: filepath.Join(dir, "log"), Cache: cache, Logger: opt.Logger}, opt)
	if errors.Is(err, tree.ErrInUse) {
		err = fmt.Errorf("%s is in use by another docketd: stop that one first: %w", dir, err)
	}
	if err != nil {
		cache.Unref()
		return nil, err
	}
	st, err := state.Open(state.Config{Dir: filepath.Join(dir, "state"), Cache: cache, Logger: opt.Logger})
	if err != nil {
		defer cache.Unref()
		return nil, errors.Join(err, log.Close())
	}
	guard := opt.Guard
	if guard == "" {
		guard = filepath.Join(dir, "guard")
	}
	return &parts{dir: dir, log: own, cache: cache, cfg: ledger.Config{
		Log: log, State: st, Guard: guard, Logger: opt.Logger, Metrics: opt.Metrics,
	}, index: func(log index.Log) index.Config {
		return index.Config{Dir: filepath.Join(dir, "index"), Cache: cache, Log: log, Logger: opt.Logger}
	}}, nil
}

// openKeys opens the keys that sign, after the rest of a succession that was
// interrupted.
func (p *parts) openKeys(dir string, opt Options) error {
	if err := finishSuccession(dir); err != nil {
		return err
	}
	key, err := readLogKey(dir, opt.LogKey)
	if err != nil {
		return err
	}
	p.keys = append(p.keys, key)
	former, err := formerKeys(dir)
	if err != nil {
		return err
	}
	p.cfg.Signer, p.cfg.VKey = key.LogSigner, key.VKey().String()
	p.cfg.Former = without(former, p.cfg.VKey)
	if !exists(keyPath(dir, current+pq+".key")) {
		return nil
	}
	also, err := readKey(dir, current+pq)
	if err != nil {
		return err
	}
	p.cfg.PQ = also.LogSigner
	p.cfg.Former = without(p.cfg.Former, also.VKey().String())
	return nil
}

// readLogKey opens the log key: that of the URI if it is not empty.
func readLogKey(dir, uri string) (*logKey, error) {
	if uri == "" {
		key, err := readKey(dir, current)
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w: put it back from its safe; docs/operations.md says what to do if there is no copy", err)
		}
		return key, err
	}
	vkey, err := readVKey(dir, current)
	if err != nil {
		return nil, err
	}
	key, err := tokenKey(vkey.Name, uri, pkcs11key.Open)
	if err != nil {
		return nil, err
	}
	return matching(key, vkey, keyPath(dir, current+".vkey"))
}
