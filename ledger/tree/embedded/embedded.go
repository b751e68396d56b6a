// Package embedded is a tree.Log in this process: Trillian's sequencer,
// log.IntegrateBatch, on package pebblestore.
//
// It promises more than tree.Log: a batch is appended as a whole, in the order
// given, the index of item k being the size before + k, or not at all. A batch
// is one synced commit.
package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/trillian"
	sequencer "github.com/google/trillian/log"
	"github.com/google/trillian/quota"
	"github.com/google/trillian/storage"
	"github.com/google/trillian/types"
	tclock "github.com/google/trillian/util/clock"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/tlog"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"k8s.io/klog/v2"

	"github.com/docket-ledger/docket/ledger/pebblestore"
	"github.com/docket-ledger/docket/ledger/tree"
)

// Config is read by Open.
type Config struct {
	// Dir is the directory of the log; it is made if it is not there.
	Dir string
	// FS is the file system; nil means the real one.
	FS vfs.FS
	// Cache is shared with other databases of the process; nil means one of
	// 256 MiB.
	Cache *pebble.Cache
	// MinFree is how many bytes must be free on the disk for an Append, 0
	// meaning 64 MiB. Free, if set, says how many are.
	MinFree uint64
	Free    func() (uint64, error)
	// Logger gets what Pebble and Trillian have to say; nil means nothing is
	// said.
	Logger *slog.Logger
	// Fatal is called when a commit failed, and must not return; nil means
	// to end the process. The next start reads back what happened.
	Fatal func(reason string)
	// Corrupt, if set, is called when a damaged block was met.
	Corrupt func(error)
}

// A Log is a tree.Log. All methods may be used concurrently; appends run one at
// a time.
type Log struct {
	store *pebblestore.Store
	log   storage.LogStorage
	tree  *trillian.Tree
	clock *clock

	use    sync.RWMutex // held for reading by every call, for writing by Close
	closed bool

	mu      sync.Mutex // held by Append
	unknown error      // set while a batch is integrated and if that fails: nothing more is appended
}

// errClosed is returned by calls after Close.
var errClosed = errors.New("the log is closed")

// begin lets a call run; Close waits for its end. If the error is nil, the
// caller calls l.use.RUnlock.
func (l *Log) begin(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l.use.RLock()
	if l.closed {
		l.use.RUnlock()
		return errClosed
	}
	return nil
}

var _ tree.Log = (*Log)(nil)

// once guards what is global in Trillian: its metrics must be there before the
// first batch, and its messages would go to standard error.
var once sync.Once

// Open opens the log in cfg.Dir, or makes an empty one. It reads the right edge
// of the tree, not the log. The error wraps tree.ErrInUse if it is open
// elsewhere. If the power fails while an empty one is made, the directory may be
// of no use any more; it holds nothing and can be removed.
func Open(ctx context.Context, cfg Config) (*Log, error) {
	once.Do(func() {
		sequencer.InitMetrics(nil)
		logger := cfg.Logger
		if logger == nil {
			logger = slog.New(slog.DiscardHandler)
		}
		klog.SetSlogLogger(logger)
	})
	store, err := pebblestore.Open(cfg.Dir, pebblestore.Options{
		MaxQueued: math.MaxInt, MaxQueuedBytes: math.MaxInt, // one batch at a time is queued
		FS: cfg.FS, Cache: cfg.Cache, MinFree: cfg.MinFree, Free: cfg.Free, Logger: cfg.Logger, Fatal: cfg.Fatal, Corrupt: cfg.Corrupt,
	})
	if errors.Is(err, pebblestore.ErrInUse) {
		return nil, fmt.Errorf("%w: %w", tree.ErrInUse, err)
	}
	if err != nil {
		return nil, err
	}
	l := &Log{store: store, log: store.Log(), clock: &clock{TimeSource: tclock.System}}
	if err := l.load(ctx); err != nil {
		return nil, errors.Join(err, store.Close())
	}
	return l, nil
}

// load finds the one tree of the store, or makes it, and its newest root.
func (l *Log) load(ctx context.Context) error {
	trees, err := storage.ListTrees(ctx, l.store.Admin(), false)
	if err != nil {
		return err
	}
	switch len(trees) {
	case 0:
		if l.tree, err = storage.CreateTree(ctx, l.store.Admin(), &trillian.Tree{
			TreeState: trillian.TreeState_ACTIVE, TreeType: trillian.TreeType_LOG,
			DisplayName: "docket", MaxRootDuration: durationpb.New(0),
		}); err != nil {
			return err
		}
	case 1:
		l.tree = trees[0]
	default:
		return fmt.Errorf("the log holds %d trees, want one", len(trees))
	}
	root, err := l.store.Root(l.tree.TreeId)
	if err == storage.ErrTreeNeedsInit {
		if err := l.init(ctx); err != nil {
			return err
		}
		root, err = l.store.Root(l.tree.TreeId)
	}
	if err != nil {
		return err
	}
	l.clock.seed(root.TimestampNanos)
	return nil
}

// init stores the root of the empty tree.
func (l *Log) init(ctx context.Context) error {
	root := types.LogRootV1{RootHash: rfc6962.DefaultHasher.EmptyRoot(), TimestampNanos: uint64(l.clock.Now().UnixNano())}
	b, err := root.MarshalBinary()
	if err != nil {
		return err
	}
	return l.log.ReadWriteTransaction(ctx, l.tree, func(ctx context.Context, tx storage.LogTreeTX) error {
		return tx.StoreSignedLogRoot(ctx, &trillian.SignedLogRoot{LogRoot: b})
	})
}

// Append implements tree.Log.
func (l *Log) Append(ctx context.Context, leaves [][]byte) ([]int64, error) {
	if err := l.begin(ctx); err != nil {
		return nil, err
	}
	defer l.use.RUnlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.unknown != nil {
		return nil, l.unknown
	}
	if err := ctx.Err(); err != nil || len(leaves) == 0 {
		return nil, err
	}
	head, err := l.head()
	if err != nil {
		return nil, err
	}
	ctx = context.WithoutCancel(ctx) // what was begun is finished
	batch, err := l.queue(ctx, leaves)
	if err != nil {
		return nil, err
	}
	l.unknown = fmt.Errorf("%w: an append did not end", tree.ErrUnknown) // for a Config.Fatal that unwinds
	n, err := sequencer.IntegrateBatch(ctx, l.tree, len(batch), 0, 0, l.clock, l.log, quota.Noop())
	if errors.Is(err, pebblestore.ErrFull) {
		l.unknown = nil
		return nil, errors.Join(fmt.Errorf("%w: %w", tree.ErrFull, err), l.store.Unqueue(l.tree.TreeId, batch))
	}
	if err == nil && n != len(batch) {
		err = fmt.Errorf("%d of %d leaves were integrated", n, len(batch))
	}
	if err != nil {
		l.unknown = fmt.Errorf("%w: %w", tree.ErrUnknown, err)
		return nil, l.unknown
	}
	l.unknown = nil
	indexes := make([]int64, len(leaves))
	for i := range indexes {
		indexes[i] = head.Size + int64(i)
	}
	return indexes, nil
}

// queue queues a batch, all of it or nothing.
func (l *Log) queue(ctx context.Context, leaves [][]byte) ([]*trillian.LogLeaf, error) {
	batch := make([]*trillian.LogLeaf, len(leaves))
	for i, b := range leaves {
		hash := rfc6962.DefaultHasher.HashLeaf(b)
		batch[i] = &trillian.LogLeaf{LeafValue: b, MerkleLeafHash: hash, LeafIdentityHash: hash}
	}
	queued, err := l.log.QueueLeaves(ctx, l.tree, batch, l.clock.Now())
	switch {
	case errors.Is(err, pebblestore.ErrFull):
		return nil, fmt.Errorf("%w: %w", tree.ErrFull, err)
	case err != nil:
		return nil, err
	}
	for i, q := range queued {
		if q.Status != nil {
			return nil, errors.Join(fmt.Errorf("%w: item %d of the batch", tree.ErrDuplicate, i), l.store.Unqueue(l.tree.TreeId, batch))
		}
	}
	return batch, nil
}

// Head implements tree.Log.
func (l *Log) Head(ctx context.Context) (tree.Head, error) {
	if err := l.begin(ctx); err != nil {
		return tree.Head{}, err
	}
	defer l.use.RUnlock()
	return l.head()
}

func (l *Log) head() (tree.Head, error) {
	root, err := l.store.Root(l.tree.TreeId)
	if err != nil {
		return tree.Head{}, err
	}
	if root.TreeSize > math.MaxInt64 || len(root.RootHash) != tlog.HashSize {
		return tree.Head{}, fmt.Errorf("the stored root is damaged")
	}
	return tree.Head{Size: int64(root.TreeSize), Root: tlog.Hash(root.RootHash)}, nil
}

// Tile implements tree.Log.
func (l *Log) Tile(ctx context.Context, level int, n int64, width int) ([]byte, error) {
	if err := l.begin(ctx); err != nil {
		return nil, err
	}
	defer l.use.RUnlock()
	b, err := l.store.Tile(l.tree.TreeId, level, n, width)
	if status.Code(err) == codes.NotFound {
		return nil, fmt.Errorf("%w: %w", tree.ErrNotFound, err)
	}
	return b, err
}

// Leaves implements tree.Log.
func (l *Log) Leaves(ctx context.Context, start, end int64) ([][]byte, error) {
	if err := l.begin(ctx); err != nil {
		return nil, err
	}
	defer l.use.RUnlock()
	b, err := l.store.LeafValues(l.tree.TreeId, start, end)
	if status.Code(err) == codes.OutOfRange {
		return nil, fmt.Errorf("%w: %w", tree.ErrNotFound, err)
	}
	return b, err
}

// Index implements tree.Log.
func (l *Log) Index(ctx context.Context, leafHash tlog.Hash) (int64, error) {
	if err := l.begin(ctx); err != nil {
		return -1, err
	}
	defer l.use.RUnlock()
	i, err := l.store.IndexOf(l.tree.TreeId, leafHash[:])
	if err == nil && i < 0 {
		err = fmt.Errorf("%w: leaf %v", tree.ErrNotFound, leafHash)
	}
	return i, err
}

// Close implements tree.Log. It may be called again.
func (l *Log) Close() error {
	l.use.Lock()
	defer l.use.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	return l.store.Close()
}

// clock is Trillian's time source: it never repeats and never steps back, since
// a root must be later than the one before, and a leaf earlier than its batch.
type clock struct {
	tclock.TimeSource // for timers, which the sequencer does not use
	mu                sync.Mutex
	last              int64 // nanoseconds
}

func (c *clock) seed(nanos uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = max(c.last, int64(nanos)+1)
}

// Now implements clock.TimeSource.
func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = max(c.last+1, time.Now().UnixNano())
	return time.Unix(0, c.last)
}
