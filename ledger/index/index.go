// Package index is what readers look up: a follower of the log.
//
// It takes each record when the log has it, a moment later, and finds it again by
// its words and by the values of its fields. It is derived and can be deleted at
// any time. Nobody who records waits for it.
//
// It is a Pebble database. Records are numbered as in the log, and a posting is the
// set of the numbers that have something in common, in chunks of 65,536 numbers, so
// that a new record adds to the last chunk only:
//
//	p <field> 0 <value> 0 <chunk>   records with a value of a field
//	w <word> 0 <chunk>              records with a word, folded
//	n <word> <word> 0 <chunk>       records with a short word before another
//	d <day> <chunk>                 records that say they happened on a day
//	t <index>                       when, in seconds, and the words of the record, folded and in their order
//	i <id>                          index of a record ‖ case of an act
//	h <kid>                         pseudonym of the holder of a key
//	c                               cursor: how many records it has seen ‖ id of the last
//	v                               version of these rows; another one is made anew
//
// docs/notes/index.md says why it is not a search library.
package index

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
)

// formatVersion is pinned, as that of package pebblestore.
const formatVersion pebble.FormatMajorVersion = 24

// version is that of the rows, and of the words in them.
const version = "2"

// A Log is what is followed. *ledger.Ledger is one.
type Log interface {
	Head() verify.Signed
	Grown(size int64) <-chan struct{}
	Entries(ctx context.Context, from int64, limit int) ([]ledger.Entry, error)
}

// Config is read by Open.
type Config struct {
	// Dir is the directory of the database; it is made if it is not there.
	Dir string
	// FS is the file system; nil means the real one.
	FS vfs.FS
	// Cache is shared with other databases of the process; nil means one of
	// Pebble's default size.
	Cache *pebble.Cache
	// Log is followed.
	Log Log
	// Logger gets what Pebble has to say, and a line when the index is made
	// anew; nil means nothing is said.
	Logger *slog.Logger
}

// An Index answers what is looked up. Its methods may be used concurrently.
type Index struct {
	cfg     Config
	metrics *metrics

	gate sync.RWMutex // held by who reads db; taken to replace it
	db   *pebble.DB   // nil once closed

	recent recent

	mu    sync.Mutex
	size  int64 // records seen
	last  record.ID
	grown chan struct{} // closed when size changes, or err is set
	err   error         // that ended Run

	damage chan error // what a reader met, for Run
}

// ErrAnew says that an answer met damage, and that the index is made anew: soon it
// answers again.
var ErrAnew = errors.New("the index is damaged and is being made anew")

var (
	errDamaged = errors.New("a row of the index is damaged")
	errClosed  = errors.New("the index is closed")
)

// Open opens the index in a directory, or makes an empty one. One of another version,
// of another log, or a damaged one is made anew, which the logger is told.
func Open(ctx context.Context, cfg Config) (*Index, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.FS == nil {
		cfg.FS = vfs.Default
	}
	x := &Index{cfg: cfg, grown: make(chan struct{}), damage: make(chan error, 1)}
	x.metrics = newMetrics(x.Lag)
	err := x.open(ctx)
	if err != nil && ctx.Err() == nil && !errors.Is(err, os.ErrPermission) && !errors.Is(err, errFull) {
		err = x.anew(ctx, err)
	}
	if err != nil {
		return nil, fmt.Errorf("open the index in %s: %w", cfg.Dir, err)
	}
	return x, nil
}

// anew deletes the database and opens an empty one.
func (x *Index) anew(ctx context.Context, why error) error {
	x.cfg.Logger.Warn("the index is made anew", slog.Any("error", why))
	x.metrics.Anew.Inc()
	x.gate.Lock()
	defer x.gate.Unlock()
	if x.db != nil {
		_ = x.db.Close() // it may be what is broken
		x.db = nil
	}
	select {
	case <-x.damage: // of the old one
	default:
	}
	if err := x.cfg.FS.RemoveAll(x.cfg.Dir); err != nil {
		return err
	}
	return x.open(ctx)
}

// open opens the database and reads its cursor.
func (x *Index) open(ctx context.Context) error {
	if err := x.room(); err != nil {
		return err
	}
	opts := &pebble.Options{FS: x.cfg.FS, Cache: x.cfg.Cache, FormatMajorVersion: formatVersion, Logger: logger{x.cfg.Logger},
		MemTableSize: 16 << 20, Merger: merger,
		// What is lost with the memory is indexed again, and a full disk
		// ends nothing.
		DisableWAL: true,
		// Without it Pebble ends the process.
		EventListener: &pebble.EventListener{DataCorruption: func(info pebble.DataCorruptionInfo) { x.met(info.Details) }},
	}
	for i := range opts.Levels {
		opts.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	db, err := pebble.Open(x.cfg.Dir, opts)
	if err != nil {
		return err
	}
	size, last, err := x.load(ctx, db)
	if err != nil {
		return errors.Join(err, db.Close())
	}
	x.db = db
	x.reached(size, last)
	return nil
}

// load reads the cursor, and sees that it is of this log.
func (x *Index) load(ctx context.Context, db *pebble.DB) (size int64, last record.ID, err error) {
	made, err := get(db, []byte("v"))
	if err == nil {
		size, last, err = readCursor(db)
	}
	switch {
	case err != nil:
		return 0, "", err
	case made == nil && size == 0:
		return 0, "", db.Set([]byte("v"), []byte(version), pebble.NoSync)
	case string(made) != version:
		return 0, "", fmt.Errorf("it has version %.10q, want %s", made, version)
	case size == 0:
		return 0, "", nil
	}
	entries, err := x.cfg.Log.Entries(ctx, size-1, 1)
	if err != nil {
		return 0, "", err
	}
	if len(entries) == 0 || entries[0].ID != last {
		return 0, "", fmt.Errorf("it is of another log: record %d is not %s there", size-1, last)
	}
	return size, last, nil
}

// reached notes how far the index goes, and wakes those who wait for it.
func (x *Index) reached(size int64, last record.ID) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.size, x.last = size, last
	close(x.grown)
	x.grown = make(chan struct{})
}

// met notes damage that was met, for Run to make the index anew.
func (x *Index) met(damage error) {
	select {
	case x.damage <- damage:
	default: // it will
	}
}

// Close closes the database; Run has ended before.
func (x *Index) Close() error {
	x.gate.Lock()
	defer x.gate.Unlock()
	if x.db == nil {
		return nil
	}
	err := errors.Join(x.db.Flush(), x.db.Close())
	x.db = nil
	return err
}

// Lag says how far it is behind.
func (x *Index) Lag() Lag {
	head := x.cfg.Log.Head().Checkpoint.Size
	x.mu.Lock()
	defer x.mu.Unlock()
	return Lag{Size: x.size, Head: max(head, x.size)}
}

// Wait returns once the index reflects the log up to a size: what a reader has
// written it can then read. The error is that of ctx, or says why the index has
// stopped.
func (x *Index) Wait(ctx context.Context, size int64) error {
	for {
		x.mu.Lock()
		have, grown, err := x.size, x.grown, x.err
		x.mu.Unlock()
		if have >= size || err != nil {
			return err
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// logger hands Pebble's messages to slog.
type logger struct{ log *slog.Logger }

func (l logger) Infof(format string, args ...any) {
	l.log.Debug("pebble", slog.String("store", "index"), slog.String("message", fmt.Sprintf(format, args...)))
}

func (l logger) Errorf(format string, args ...any) {
	l.log.Error("pebble", slog.String("store", "index"), slog.String("message", fmt.Sprintf(format, args...)))
}

func (l logger) Fatalf(format string, args ...any) {
	l.Errorf(format, args...)
	panic("index: " + fmt.Sprintf(format, args...))
}
