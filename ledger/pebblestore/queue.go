package pebblestore

import (
	"encoding/binary"
	"slices"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/trillian"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// queue is the leaves of a tree that wait to be integrated, in the order of
// their timestamps and, among equals, of their arrival.
type queue struct {
	mu       sync.Mutex
	waiting  []*queued
	pending  map[string]*queued // by identity
	bytes    int
	sequence uint64
	maxItems int
	maxBytes int
}

type queued struct {
	leaf     *trillian.LogLeaf
	nanos    int64
	sequence uint64
}

func (q *queue) init(opt Options) {
	q.pending = map[string]*queued{}
	q.maxItems, q.maxBytes = opt.MaxQueued, opt.MaxQueuedBytes
}

func leafBytes(l *trillian.LogLeaf) int { return len(l.LeafValue) + len(l.ExtraData) }

// hold takes a leaf into pending, so that nobody else queues it, and returns the
// one that is there already.
func (q *queue) hold(l *trillian.LogLeaf, at time.Time) (item *queued, there *trillian.LogLeaf, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if p := q.pending[string(l.LeafIdentityHash)]; p != nil {
		return nil, p.leaf, nil
	}
	if len(q.pending) >= q.maxItems || q.bytes+leafBytes(l) > q.maxBytes {
		return nil, nil, status.Errorf(codes.ResourceExhausted, "%d leaves are queued", len(q.pending))
	}
	q.sequence++
	item = &queued{leaf: l, nanos: at.UnixNano(), sequence: q.sequence}
	q.pending[string(l.LeafIdentityHash)] = item
	q.bytes += leafBytes(l)
	return item, nil, nil
}

// drop takes items out again, held or waiting.
func (q *queue) drop(items []*queued) {
	q.mu.Lock()
	defer q.mu.Unlock()
	gone := make(map[*queued]bool, len(items))
	for _, i := range items {
		gone[i] = true
		delete(q.pending, string(i.leaf.LeafIdentityHash))
		q.bytes -= leafBytes(i.leaf)
	}
	q.waiting = slices.DeleteFunc(q.waiting, func(i *queued) bool { return gone[i] })
}

// release makes held items visible to take.
func (q *queue) release(items []*queued) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, item := range items {
		at := len(q.waiting)
		for at > 0 && q.waiting[at-1].nanos > item.nanos {
			at--
		}
		q.waiting = slices.Insert(q.waiting, at, item)
	}
}

// take returns up to limit waiting items with a timestamp up to cutoff, after
// those that skip has. They stay in the queue.
func (q *queue) take(limit int, cutoff time.Time, skip []*queued) []*queued {
	q.mu.Lock()
	defer q.mu.Unlock()
	taken := make(map[*queued]bool, len(skip))
	for _, s := range skip {
		taken[s] = true
	}
	var out []*queued
	for _, item := range q.waiting {
		if len(out) >= limit || item.nanos > cutoff.UnixNano() {
			break
		}
		if !taken[item] {
			out = append(out, item)
		}
	}
	return out
}

// queueLeaves queues what is not there yet, see storage.LogStorage.
func (t *tree) queueLeaves(leaves []*trillian.LogLeaf, at time.Time) ([]*trillian.QueuedLogLeaf, error) {
	if err := t.store.room(); err != nil {
		return nil, err
	}
	out := make([]*trillian.QueuedLogLeaf, len(leaves))
	var held []*queued
	for i, l := range leaves {
		if len(l.LeafIdentityHash) != hashSize || len(l.MerkleLeafHash) != hashSize {
			t.queue.drop(held)
			return nil, status.Errorf(codes.InvalidArgument, "leaf %d has no hashes of %d bytes", i, hashSize)
		}
		l.QueueTimestamp = timestamppb.New(at)
		item, there, err := t.queue.hold(l, at)
		if err != nil {
			t.queue.drop(held)
			return nil, err
		}
		if item != nil { // not in the queue: is it in the tree?
			if _, there, err = t.indexOf(l.LeafIdentityHash); err != nil || there != nil {
				t.queue.drop([]*queued{item})
			}
			if err != nil {
				t.queue.drop(held)
				return nil, err
			}
		}
		if there != nil {
			out[i] = &trillian.QueuedLogLeaf{Leaf: there, Status: status.Newf(codes.AlreadyExists, "leaf already exists: %x", l.LeafIdentityHash).Proto()}
			continue
		}
		held = append(held, item)
		out[i] = &trillian.QueuedLogLeaf{Leaf: l}
	}
	if t.store.opt.Queue == DurableQueue && len(held) > 0 {
		if err := t.storeQueued(held); err != nil {
			t.queue.drop(held)
			return nil, err
		}
	}
	t.queue.release(held)
	return out, nil
}

func (t *tree) storeQueued(items []*queued) error {
	b := t.store.db.NewBatch()
	for _, i := range items {
		v, err := proto.Marshal(i.leaf)
		if err == nil {
			err = b.Set(t.queueKey(uint64(i.nanos), i.sequence), v, nil)
		}
		if err != nil {
			b.Close()
			return err
		}
	}
	if err := b.Commit(pebble.Sync); err != nil {
		b.Close()
		return err
	}
	return b.Close()
}

// loadQueue reads the rows Q.
func (t *tree) loadQueue() error {
	p := t.prefix('Q')
	return t.store.scan(p, prefixEnd(p), func(key, value []byte) (bool, error) {
		l := &trillian.LogLeaf{}
		if err := proto.Unmarshal(value, l); err != nil || len(key) != len(p)+16 {
			return false, errDamaged
		}
		i := &queued{leaf: l, nanos: int64(binary.BigEndian.Uint64(key[len(p):])), sequence: binary.BigEndian.Uint64(key[len(p)+8:])}
		t.queue.waiting = append(t.queue.waiting, i)
		t.queue.pending[string(l.LeafIdentityHash)] = i
		t.queue.bytes += leafBytes(l)
		t.queue.sequence = max(t.queue.sequence, i.sequence)
		return true, nil
	})
}

// Unqueue takes leaves that QueueLeaves has queued out of the queue again. It
// must not run while a transaction may dequeue them. With DurableQueue it is
// not supported.
func (s *Store) Unqueue(treeID int64, leaves []*trillian.LogLeaf) error {
	if s.opt.Queue == DurableQueue {
		return status.Error(codes.Unimplemented, "unqueue from a durable queue")
	}
	t, err := s.tree(treeID)
	if err != nil {
		return err
	}
	t.queue.mu.Lock()
	var items []*queued
	for _, l := range leaves {
		if i := t.queue.pending[string(l.LeafIdentityHash)]; i != nil && i.leaf == l {
			items = append(items, i)
		}
	}
	t.queue.mu.Unlock()
	t.queue.drop(items)
	return nil
}
