// Package datadir opens the data directory of a ledger and puts its parts
// together: the one place, besides tests, where engines are named.
//
//	VERSION            1; a newer one is refused
//	keys/log.key       the private log key, as x/mod/sumdb/note spells it
//	keys/log.vkey      its verifier key
//	keys/machine.jwk   the private key of the machine
//	log/ state/        databases
//	checkpoints/       witnessed checkpoints, and what cosigning remembers
//	drafts/            what waits for co-signers
//	guard              the last checkpoint that was signed
//	control            the socket of the docketd that serves it
//	RESTORED           it was restored, and witnesses were not asked since
//	BACKUP             it is a backup, and not served
package datadir

import (
	"context"
	"crypto"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/docket-ledger/docket/cmd/internal/keyfile"
	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/state"
	"github.com/docket-ledger/docket/ledger/tree"
	"github.com/docket-ledger/docket/ledger/tree/embedded"
)

// version is the layout of a data directory that this program writes.
const version = 1

// CreateKeys makes the log key and the machine key of a new ledger in dir, which
// it makes if need be. It overwrites nothing: the error wraps fs.ErrExist if
// there is a key.
func CreateKeys(dir, origin string) (vkey string, machine crypto.PublicKey, err error) {
	if err := os.MkdirAll(filepath.Join(dir, "keys"), 0o700); err != nil {
		return "", nil, err
	}
	if err := checkVersion(dir); err != nil {
		return "", nil, err
	}
	skey, vkey, err := note.GenerateKey(rand.Reader, origin)
	if err != nil {
		return "", nil, err
	}
	if err := create(filepath.Join(dir, "keys", "log.key"), skey+"\n", 0o600); err != nil {
		return "", nil, err
	}
	if err := create(filepath.Join(dir, "keys", "log.vkey"), vkey+"\n", 0o644); err != nil {
		return "", nil, err
	}
	key, err := keyfile.New(keyfile.EdDSA)
	if err != nil {
		return "", nil, err
	}
	return vkey, key.Public(), keyfile.Write(filepath.Join(dir, "keys", "machine.jwk"), key, nil)
}

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
}

// A Dir is an open data directory.
type Dir struct {
	// Ledger is the ledger in it.
	Ledger *ledger.Ledger
	// VKey is the verifier key of its log.
	VKey string

	parts parts
}

type parts struct {
	dir   string
	cfg   ledger.Config
	log   *embedded.Log
	cache interface{ Unref() }
}

// cacheSize is what the databases of a ledger share, in bytes.
const cacheSize = 256 << 20

// Init begins the ledger in dir, whose keys CreateKeys has made, with a charter.
// See ledger.Init.
func Init(ctx context.Context, dir string, opt Options, charter []byte) (ledger.Outcome, error) {
	p, err := open(ctx, dir, opt)
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
	p, err := open(ctx, dir, opt)
	if err != nil {
		return nil, err
	}
	l, err := ledger.Open(ctx, p.cfg)
	if err != nil {
		return nil, errors.Join(err, p.close())
	}
	return &Dir{Ledger: l, VKey: p.cfg.VKey, parts: p}, nil
}

// Close answers everyone who waits and closes all parts.
func (d *Dir) Close() error { return errors.Join(d.Ledger.Close(), d.parts.close()) }

func (p parts) close() error {
	defer p.cache.Unref()
	return errors.Join(p.cfg.State.Close(), p.log.Close())
}

func open(ctx context.Context, dir string, opt Options) (parts, error) {
	if err := refuseBackup(dir); err != nil {
		return parts{}, err
	}
	if _, err := os.Stat(filepath.Join(dir, "keys", "log.key")); errors.Is(err, fs.ErrNotExist) {
		return parts{}, fmt.Errorf("%s holds no log key: make one with docketd key --data %s --origin NAME", dir, dir)
	}
	if err := checkVersion(dir); err != nil {
		return parts{}, err
	}
	signer, vkey, err := readLogKey(dir)
	if err != nil {
		return parts{}, err
	}
	cache := state.NewCache(cacheSize)
	log, err := embedded.Open(ctx, embedded.Config{Dir: filepath.Join(dir, "log"), Cache: cache, Logger: opt.Logger})
	if errors.Is(err, tree.ErrInUse) {
		err = fmt.Errorf("%s is in use by another docketd: stop that one first: %w", dir, err)
	}
	if err != nil {
		cache.Unref()
		return parts{}, err
	}
	st, err := state.Open(state.Config{Dir: filepath.Join(dir, "state"), Cache: cache, Logger: opt.Logger})
	if err != nil {
		defer cache.Unref()
		return parts{}, errors.Join(err, log.Close())
	}
	guard := opt.Guard
	if guard == "" {
		guard = filepath.Join(dir, "guard")
	}
	return parts{dir: dir, log: log, cache: cache, cfg: ledger.Config{
		Log: log, State: st, Signer: signer, VKey: vkey, Guard: guard, Logger: opt.Logger, Metrics: opt.Metrics,
	}}, nil
}

// readLogKey reads the private key, whose mode must keep others out, and its
// verifier key.
func readLogKey(dir string) (note.Signer, string, error) {
	path := filepath.Join(dir, "keys", "log.key")
	info, err := os.Stat(path)
	if err != nil {
		return nil, "", err
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, "", fmt.Errorf("%s may be read by others (mode %04o): chmod 600 %s", path, info.Mode().Perm(), path)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, "", err
	}
	signer, err := note.NewSigner(strings.TrimSpace(string(b)))
	if err != nil {
		return nil, "", fmt.Errorf("%s holds no log key: put it back from a backup", path) // never what it holds
	}
	v, err := os.ReadFile(filepath.Join(dir, "keys", "log.vkey"))
	if err != nil {
		return nil, "", err
	}
	vkey := strings.TrimSpace(string(v))
	verifier, err := note.NewVerifier(vkey)
	if err != nil || verifier.KeyHash() != signer.KeyHash() {
		return nil, "", fmt.Errorf("%s is not the verifier key of log.key beside it", filepath.Join(dir, "keys", "log.vkey"))
	}
	return signer, vkey, nil
}
