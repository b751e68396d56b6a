package pebblestore

import (
	"encoding/binary"
	"fmt"
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
	dropped  int // how many in waiting are not pending any more
	pending  map[identity]*queued
	bytes    int
	sequence uint64
	maxItems int
	maxBytes int
}

// An identity is the identity hash of a leaf.
type identity [hashSize]byte

// queued is a leaf in the queue: pending from when it is held until it is
// dropped, and waiting from when it is released.
type queued struct {
	leaf     *trillian.LogLeaf // not changed while it is queued
	nanos    int64
	sequence uint64
	waiting  bool // stays, also after it was dropped
	dropped  bool
	settled  chan struct{} // if somebody waits: closed when it is waiting or dropped
}

func (i *queued) identity() identity { return identity(i.leaf.LeafIdentityHash) }

// copy returns the leaf for a transaction, which writes to it. The queue's own
// is in the hands of those who queued it, too.
func (i *queued) copy() *trillian.LogLeaf {
	l := i.leaf
	return &trillian.LogLeaf{
		MerkleLeafHash: l.MerkleLeafHash, LeafValue: l.LeafValue, ExtraData: l.ExtraData, LeafIndex: l.LeafIndex,
		LeafIdentityHash: l.LeafIdentityHash, QueueTimestamp: l.QueueTimestamp, IntegrateTimestamp: l.IntegrateTimestamp,
	}
}

func (q *queue) init(opt Options) {
	q.pending = map[identity]*queued{}
	q.maxItems, q.maxBytes = opt.MaxQueued, opt.MaxQueuedBytes
}

func leafBytes(l *trillian.LogLeaf) int { return len(l.LeafValue) + len(l.ExtraData) }

// hold takes a leaf into pending, so that nobody else queues it. If one is there
// already, it returns that; it is not fresh.
func (q *queue) hold(l *trillian.LogLeaf, at time.Time) (item *queued, fresh bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if p := q.pending[identity(l.LeafIdentityHash)]; p != nil {
		return p, false, nil
	}
	if len(q.pending) >= q.maxItems || q.bytes+leafBytes(l) > q.maxBytes {
		return nil, false, status.Errorf(codes.ResourceExhausted, "%d leaves are queued", len(q.pending))
	}
	q.sequence++
	item = &queued{leaf: l, nanos: at.UnixNano(), sequence: q.sequence}
	q.pending[item.identity()] = item
	q.bytes += leafBytes(l)
	return item, true, nil
}

// settled waits until whoever holds an item has released or dropped it, and
// reports whether it was queued.
func (q *queue) settled(item *queued) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !item.waiting && !item.dropped {
		if item.settled == nil {
			item.settled = make(chan struct{})
		}
		settled := item.settled
		q.mu.Unlock()
		<-settled
		q.mu.Lock()
	}
	return item.waiting
}

// settle wakes those who wait for an item.
func (i *queued) settle() {
	if i.settled != nil {
		close(i.settled)
		i.settled = nil
	}
}

// drop takes items out again, held or waiting. Those in the midst of waiting
// stay there, marked, until they are at its head or most of it.
func (q *queue) drop(items []*queued) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, i := range items {
		if i.dropped {
			continue
		}
		i.dropped = true
		i.settle()
		delete(q.pending, i.identity())
		q.bytes -= leafBytes(i.leaf)
		if i.waiting {
			q.dropped++
		}
	}
	for len(q.waiting) > 0 && q.waiting[0].dropped {
		q.waiting[0] = nil
		q.waiting = q.waiting[1:]
		q.dropped--
	}
	if q.dropped > len(q.waiting)/2 {
		q.waiting = slices.DeleteFunc(q.waiting, func(i *queued) bool { return i.dropped })
		q.dropped = 0
	}
}

// release makes held items visible to take.
func (q *queue) release(items []*queued) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, item := range items {
		item.waiting = true
		item.settle()
		at := len(q.waiting) // where a leaf belongs that comes in order
		for at > 0 && q.waiting[at-1].nanos > item.nanos {
			at--
		}
		q.waiting = slices.Insert(q.waiting, at, item)
	}
}

// take returns up to limit waiting items with a timestamp up to cutoff, except
// those in skip. They stay in the queue.
func (q *queue) take(limit int, cutoff time.Time, skip map[identity]*queued) []*queued {
	q.mu.Lock()
	defer q.mu.Unlock()
	var out []*queued
	for _, item := range q.waiting {
		if len(out) >= limit || item.nanos > cutoff.UnixNano() {
			break
		}
		if !item.dropped && skip[item.identity()] == nil {
			out = append(out, item)
		}
	}
	return out
}

// queueLeaves queues what is not there yet, see storage.LogStorage. It answers
// for a leaf that another call is about to queue when that call has ended.
func (t *tree) queueLeaves(leaves []*trillian.LogLeaf, at time.Time) ([]*trillian.QueuedLogLeaf, error) {
	if err := t.store.room(); err != nil {
		return nil, err
	}
	out := make([]*trillian.QueuedLogLeaf, len(leaves))
	var others map[int]*queued // of other calls, or of this one
	held := make([]*queued, 0, len(leaves))
	defer func() { t.queue.drop(held) }() // what was not released
	stamp := timestamppb.New(at)
	var fresh []int // the leaves of held
	for i, l := range leaves {
		if len(l.LeafIdentityHash) != hashSize || len(l.MerkleLeafHash) != hashSize {
			return nil, status.Errorf(codes.InvalidArgument, "leaf %d has no hashes of %d bytes", i, hashSize)
		}
		l.QueueTimestamp = stamp
		item, first, err := t.queue.hold(l, at)
		if err != nil {
			return nil, err
		}
		if first {
			held, fresh = append(held, item), append(fresh, i)
			out[i] = &trillian.QueuedLogLeaf{Leaf: l}
			continue
		}
		if others == nil {
			others = map[int]*queued{}
		}
		others[i] = item
	}
	// What is held can't be integrated by others any more: look now.
	seek, err := t.seek()
	if err != nil {
		return nil, err
	}
	defer seek.close()
	var stored []*queued
	for n, i := range fresh {
		_, there, err := seek.indexOf(leaves[i].LeafIdentityHash)
		if err != nil {
			return nil, err
		}
		if there != nil {
			stored = append(stored, held[n])
			out[i] = exists(there)
		}
	}
	t.queue.drop(stored)
	held = slices.DeleteFunc(held, func(i *queued) bool { return i.dropped })
	if t.store.opt.Queue == DurableQueue && len(held) > 0 {
		if err := t.storeQueued(held); err != nil {
			return nil, err
		}
	}
	t.queue.release(held)
	held = nil
	for i, item := range others {
		if t.queue.settled(item) {
			out[i] = exists(item.leaf)
			continue
		}
		again, err := t.queueLeaves(leaves[i:i+1], at) // the other call did not queue it
		if err != nil {
			return nil, err
		}
		out[i] = again[0]
	}
	return out, nil
}

func exists(l *trillian.LogLeaf) *trillian.QueuedLogLeaf {
	return &trillian.QueuedLogLeaf{Leaf: l, Status: status.Newf(codes.AlreadyExists, "leaf already exists: %x", l.LeafIdentityHash).Proto()}
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
		if err := proto.Unmarshal(value, l); err != nil || len(key) != len(p)+16 || len(l.LeafIdentityHash) != hashSize || len(l.MerkleLeafHash) != hashSize {
			return false, fmt.Errorf("%w: queued leaf", ErrDamaged)
		}
		i := &queued{leaf: l, waiting: true, nanos: int64(binary.BigEndian.Uint64(key[len(p):])), sequence: binary.BigEndian.Uint64(key[len(p)+8:])}
		t.queue.waiting = append(t.queue.waiting, i)
		t.queue.pending[i.identity()] = i
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
		if len(l.LeafIdentityHash) != hashSize {
			continue // was never queued
		}
		if i := t.queue.pending[identity(l.LeafIdentityHash)]; i != nil && i.leaf == l {
			items = append(items, i)
		}
	}
	t.queue.mu.Unlock()
	t.queue.drop(items)
	return nil
}
