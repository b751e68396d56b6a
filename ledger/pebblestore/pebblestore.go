// Package pebblestore is a storage driver of Trillian (github.com/google/trillian)
// on the embedded store Pebble: storage.LogStorage and storage.AdminStorage for
// trees of type LOG and PREORDERED_LOG. It passes both of Trillian's suites for
// drivers, integration/storagetest and storage/testonly.
//
// # Guarantees
//
//   - A ReadWriteTransaction is one Pebble batch and one synced commit: after a
//     crash all of it is there, or nothing. A transaction that writes nothing
//     does not touch the disk.
//   - Reads see only what is on stable storage. What lies below the newest root
//     never changes, so a read transaction is a pointer to that root, without a
//     Pebble snapshot.
//   - QueueLeaves is durable with DurableQueue, also where it says that a leaf
//     exists. With StagedQueue, the default, queued leaves are in memory until
//     they are integrated, which saves a sync: right for an owner who answers
//     nobody before that.
//   - A leaf is a duplicate by its identity hash, among those queued and those
//     integrated. New identities are told from old ones by Bloom filters, as a
//     rule without a read from the disk.
//   - A commit that fails ends the process (see Options.Fatal), since Pebble
//     can't say whether it happened. Damaged blocks are reported to
//     Options.Corrupt and as errors of the reads that meet them, ErrDamaged.
//
// Not detected: damage near the end of the WAL is taken for its end, and what was
// committed after that is gone. It is the last block of 32 KiB, or the last two
// commits where these reach further back. An owner who signs roots keeps the
// newest one elsewhere, too.
//
// # Layout
//
// Keys begin with a letter; numbers are big endian, so that they sort. A tree is
// named by a number of 4 bytes.
//
//	T id(8)                       number(4) ‖ the trillian.Tree message
//	C                             number(4) of the newest tree
//	R tree                        the newest LogRootV1
//	L tree index(8)               merkle hash(32) queued(8) integrated(8) flags(1)
//	                              identity(32, if another) uvarint(len) value extra
//	I tree identity(32)           index(8): to find duplicates; compared with L
//	H tree merkle hash(32) index(8)   nothing: only where it is not the identity
//	M tree level(1) tile(8)       256 hashes of 32 bytes: a full tile, written once
//	n tree level(1) index(8)      one hash of a partial tile of level 1 or more
//	Q tree time(8) sequence(8)    a queued leaf (DurableQueue)
//
// Rows M are the tiles of c2sp.org/tlog-tiles as they are served. A leaf has two
// keys, L and I, if its identity is its Merkle hash. The hashes of the partial
// tile of level 0 are in the rows L.
package pebblestore

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// formatVersion is pinned: a newer one can't be undone. From version 20 on a
// flipped bit in a synced WAL is an error at the next start, and not taken for
// its end, except as the package comment says.
const formatVersion pebble.FormatMajorVersion = 24

// A QueueMode says where queued leaves are kept until they are integrated.
type QueueMode int

const (
	// StagedQueue keeps them in memory.
	StagedQueue QueueMode = iota
	// DurableQueue keeps them on stable storage, too.
	DurableQueue
)

// ErrFull is returned by writes when there is less room on the disk than
// Options.MinFree. Nothing was written.
var ErrFull = errors.New("pebblestore: too little room on the disk")

// ErrInUse is returned by Open if another process, or this one, has the
// directory open.
var ErrInUse = errors.New("pebblestore: directory is in use")

// ErrDamaged is wrapped by the errors of Open and of reads that met what can't be
// what was written: a block with a wrong checksum, or rows that disagree.
var ErrDamaged = errors.New("pebblestore: damaged data")

// damage marks an error if it is Pebble's about damaged data.
func damage(err error) error {
	if pebble.IsCorruptionError(err) {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	return err
}

// Options are read by Open.
type Options struct {
	// FS is the file system; nil means the real one.
	FS vfs.FS
	// Cache is shared with other databases; nil means one of 256 MiB.
	Cache *pebble.Cache
	// Queue is StagedQueue or DurableQueue.
	Queue QueueMode
	// MaxQueued bounds the leaves that are queued in a tree, MaxQueuedBytes
	// their size; QueueLeaves answers ResourceExhausted beyond. 0 means
	// 100,000 and 256 MiB.
	MaxQueued, MaxQueuedBytes int
	// MinFree is how many bytes must be free on the disk for a write.
	// 0 means 64 MiB. Free, if set, returns how many are, instead of FS.
	MinFree uint64
	Free    func() (uint64, error)
	// Logger gets what Pebble has to say; nil means nothing is said.
	Logger *slog.Logger
	// Fatal is called when a commit failed: it must not return, and the
	// store must not be used any more. nil means to write to standard error
	// and end the process.
	Fatal func(reason string)
	// Corrupt, if set, is called when a damaged block was met.
	Corrupt func(err error)
}

// A Store is an open database: it hands out the two storages of Trillian, which
// share it. All methods may be used concurrently.
type Store struct {
	db   *pebble.DB
	opt  Options
	dir  string
	lock *pebble.Lock

	mu    sync.Mutex
	trees map[int64]*tree // by Trillian's id
	admin sync.Mutex      // held by admin transactions
}

// Open opens the database in dir, or makes one.
func Open(dir string, opt Options) (*Store, error) {
	if opt.FS == nil {
		opt.FS = vfs.Default
	}
	if opt.MaxQueued == 0 {
		opt.MaxQueued = 100_000
	}
	if opt.MaxQueuedBytes == 0 {
		opt.MaxQueuedBytes = 256 << 20
	}
	if opt.MinFree == 0 {
		opt.MinFree = 64 << 20
	}
	if opt.Free == nil {
		opt.Free = func() (uint64, error) {
			usage, err := opt.FS.GetDiskUsage(dir)
			return usage.AvailBytes, err
		}
	}
	if opt.Fatal == nil {
		opt.Fatal = func(reason string) {
			fmt.Fprintln(os.Stderr, "pebblestore:", reason)
			os.Exit(1)
		}
	}
	cache := opt.Cache
	if cache == nil {
		cache = pebble.NewCache(256 << 20)
		defer cache.Unref()
	}
	if err := makeDir(opt.FS, dir); err != nil {
		return nil, err
	}
	if opt.FS == vfs.Default {
		// One spelling: this process is told from itself by the name.
		var err error
		if dir, err = realPath(dir); err != nil {
			return nil, err
		}
	}
	lock, err := pebble.LockDirectory(dir, opt.FS)
	var noFile *fs.PathError
	switch {
	case errors.As(err, &noFile):
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("%w: %s: %w", ErrInUse, dir, err)
	}
	s := &Store{opt: opt, dir: dir, lock: lock, trees: map[int64]*tree{}}
	if s.db, err = openDB(dir, opt, cache, lock); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", dir, damage(err)), lock.Close())
	}
	return s, nil
}

// realPath returns the one absolute name of a file without links.
func realPath(name string) (string, error) {
	abs, err := filepath.Abs(name)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(abs)
}

// openDB opens a database. One that is new is closed and opened again: its first
// WAL would have the old format, in which damage is taken for the end.
func openDB(dir string, opt Options, cache *pebble.Cache, lock *pebble.Lock) (*pebble.DB, error) {
	desc, err := pebble.Peek(dir, opt.FS)
	if err != nil {
		return nil, err
	}
	if !desc.Exists {
		db, err := pebble.Open(dir, pebbleOptions(opt, cache, lock))
		if err != nil {
			return nil, err
		}
		if err := db.Close(); err != nil {
			return nil, err
		}
	}
	return pebble.Open(dir, pebbleOptions(opt, cache, lock))
}

func pebbleOptions(opt Options, cache *pebble.Cache, lock *pebble.Lock) *pebble.Options {
	o := &pebble.Options{
		FS: opt.FS, Cache: cache, Lock: lock, FormatMajorVersion: formatVersion,
		MemTableSize: 64 << 20, Logger: logger{opt.Logger, opt.Fatal},
		EventListener: &pebble.EventListener{
			// The default ends the process at the first read of a damaged block.
			DataCorruption: func(info pebble.DataCorruptionInfo) {
				if opt.Logger != nil {
					opt.Logger.Error("damaged block", slog.String("info", info.String()))
				}
				if opt.Corrupt != nil {
					opt.Corrupt(info.Details)
				}
			},
			BackgroundError: func(err error) {
				if opt.Logger != nil {
					opt.Logger.Error("pebble background error", slog.Any("error", err))
				}
			},
		},
	}
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	return o
}

// Close closes the database. Transactions must have ended.
func (s *Store) Close() error {
	return errors.Join(s.db.Close(), s.lock.Close())
}

// room returns ErrFull if the disk has too little room for a write.
func (s *Store) room() error {
	free, err := s.opt.Free()
	if errors.Is(err, vfs.ErrUnsupported) {
		return nil // a file system in memory
	}
	if err != nil {
		return fmt.Errorf("free space of %s: %w", s.dir, err)
	}
	if free < s.opt.MinFree {
		return fmt.Errorf("%w: %d MiB free in %s, %d MiB wanted", ErrFull, free>>20, s.dir, s.opt.MinFree>>20)
	}
	return nil
}

// get returns a copy of a value, or nil if there is none.
func (s *Store) get(key []byte) ([]byte, error) {
	v, closer, err := s.db.Get(key)
	if notFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, damage(err)
	}
	out := append([]byte{}, v...)
	return out, closer.Close()
}

// scan calls f for each row with start <= key < end, in order, until f returns
// false. f must not keep what it gets.
func (s *Store) scan(start, end []byte, f func(key, value []byte) (bool, error)) error {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: start, UpperBound: end})
	if err != nil {
		return err
	}
	for ok := it.First(); ok; ok = it.Next() {
		v, err := it.ValueAndErr()
		if err != nil {
			it.Close() // has nothing to add
			return damage(err)
		}
		more, err := f(it.Key(), v)
		if err != nil || !more {
			return errors.Join(err, it.Close())
		}
	}
	return damage(it.Close())
}

// logger hands Pebble's messages on. Fatalf is how Pebble reports that a commit
// failed.
type logger struct {
	log   *slog.Logger
	fatal func(string)
}

func (l logger) Infof(format string, args ...any) {
	if l.log != nil {
		l.log.Debug("pebble", slog.String("message", fmt.Sprintf(format, args...)))
	}
}

func (l logger) Errorf(format string, args ...any) {
	if l.log != nil {
		l.log.Error("pebble", slog.String("message", fmt.Sprintf(format, args...)))
	}
}

func (l logger) Fatalf(format string, args ...any) {
	l.fatal(fmt.Sprintf(format, args...))
	panic("pebblestore: Options.Fatal returned")
}
