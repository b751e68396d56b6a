// Package index is what readers look up: a follower of the log.
//
// It takes each record when the log has it, a moment later, and finds it again by
// its words and by the values of its fields. It is derived and can be deleted at
// any time. Nobody who records waits for it.
//
// It is a Pebble database. Records are numbered as in the log, and a posting is the
// set of the numbers that have something in common, as roaring bitmaps in chunks of
// 65,536 numbers, so that a new record touches the last chunk only:
//
//	p <field> 0 <value> 0 <chunk>   records with a value of a field
//	w <word> 0 <chunk>              records with a word, folded
//	d <day> <chunk>                 records that say they happened on a day
//	t <index>                       when, in seconds, and the words of the record, folded and in their order
//	i <id>                          index of a record
//	k <id>                          case of an act
//	h <kid>                         pseudonym of the holder of a key
//	c                               cursor: how many records it has seen ‖ id of the last
//	v                               version of these rows; another one is made anew
package index

import (
	"context"
	"encoding/binary"
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
const version = "1"

// batchSize is how many records are indexed at once.
const batchSize = 1024

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
	db  *pebble.DB
	log Log
	out *slog.Logger

	mu    sync.Mutex
	size  int64 // records seen
	last  record.ID
	grown chan struct{} // closed when size grows
	err   error         // that ended Run
}

// Open opens the index in a directory, or makes an empty one. One of another version,
// of another log, or a damaged one is made anew.
func Open(ctx context.Context, cfg Config) (*Index, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.FS == nil {
		cfg.FS = vfs.Default
	}
	x, err := open(ctx, cfg)
	if err == nil {
		return x, nil
	}
	if ctx.Err() != nil || errors.Is(err, os.ErrPermission) {
		return nil, fmt.Errorf("open the index in %s: %w", cfg.Dir, err)
	}
	cfg.Logger.Warn("the index is made anew", slog.Any("error", err))
	if err := cfg.FS.RemoveAll(cfg.Dir); err != nil {
		return nil, fmt.Errorf("remove the index: %w", err)
	}
	if x, err = open(ctx, cfg); err != nil {
		return nil, fmt.Errorf("open the index in %s: %w", cfg.Dir, err)
	}
	return x, nil
}

func open(ctx context.Context, cfg Config) (*Index, error) {
	opts := &pebble.Options{FS: cfg.FS, Cache: cfg.Cache, FormatMajorVersion: formatVersion, Logger: logger{cfg.Logger}, MemTableSize: 16 << 20}
	for i := range opts.Levels {
		opts.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	db, err := pebble.Open(cfg.Dir, opts)
	if err != nil {
		return nil, err
	}
	x := &Index{db: db, log: cfg.Log, out: cfg.Logger, grown: make(chan struct{})}
	if err := x.load(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return x, nil
}

// load reads the cursor, and sees that it is of this log.
func (x *Index) load(ctx context.Context) error {
	made, err := get(x.db, []byte("v"))
	if err != nil {
		return err
	}
	cursor, err := get(x.db, []byte("c"))
	switch {
	case err != nil:
		return err
	case made == nil && cursor == nil:
		return x.db.Set([]byte("v"), []byte(version), pebble.NoSync)
	case string(made) != version:
		return fmt.Errorf("it has version %.10q, want %s", made, version)
	case cursor == nil:
		return nil
	case len(cursor) <= 8:
		return errDamaged
	}
	x.size, x.last = int64(binary.BigEndian.Uint64(cursor)), record.ID(cursor[8:])
	entries, err := x.log.Entries(ctx, x.size-1, 1)
	if err != nil {
		return err
	}
	if len(entries) == 0 || entries[0].ID != x.last {
		return fmt.Errorf("it is of another log: record %d is not %s there", x.size-1, x.last)
	}
	return nil
}

var errDamaged = errors.New("a row of the index is damaged: docketd reindex makes it anew")

// Close closes the database; Run has ended before.
func (x *Index) Close() error { return x.db.Close() }

// Run follows the log until ctx ends, which is no error.
func (x *Index) Run(ctx context.Context) error {
	for {
		n, err := x.Catch(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			x.mu.Lock()
			x.err = err
			close(x.grown)
			x.grown = make(chan struct{})
			x.mu.Unlock()
			return fmt.Errorf("index: %w", err)
		}
		if n > 0 {
			continue
		}
		select {
		case <-x.log.Grown(x.Lag().Size):
		case <-ctx.Done():
			return nil
		}
	}
}

// Catch indexes the next records, at most a batch, and returns how many. Run does it
// all the time; only one may.
func (x *Index) Catch(ctx context.Context) (int, error) {
	entries, err := x.log.Entries(ctx, x.size, batchSize)
	if err != nil || len(entries) == 0 {
		return 0, err
	}
	b := newBatch(x.db)
	for _, e := range entries {
		d, _, err := read(e, b)
		if err != nil {
			return 0, err
		}
		if err := b.put(e, d); err != nil {
			return 0, err
		}
	}
	last := entries[len(entries)-1]
	if err := b.commit(last); err != nil {
		return 0, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.size, x.last = last.Index+1, last.ID
	close(x.grown)
	x.grown = make(chan struct{})
	return len(entries), nil
}

// Lag says how far it is behind.
func (x *Index) Lag() Lag {
	head := x.log.Head().Checkpoint.Size
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

func get(from pebble.Reader, key []byte) ([]byte, error) {
	v, closer, err := from.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the index: %w", err)
	}
	out := append([]byte{}, v...)
	return out, closer.Close()
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
