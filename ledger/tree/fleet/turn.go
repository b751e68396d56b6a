package fleet

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/google/trillian"
	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/docket-ledger/docket/ledger/tree"
)

// What a writer says beside each leaf, in Trillian's extra data, which is not
// hashed: a version, a number of the batch that nobody else has, and how many
// leaves of the batch follow. It is for taking turns only. Nothing depends on
// its being true but how long the writers wait for one another.
const (
	extraVersion = 1
	nonceSize    = 16
)

// batch is what is appended at once.
type batch struct {
	at     int64 // the index of the first leaf
	leaves []*trillian.LogLeaf
	nonce  []byte
}

// newBatch returns a batch with its leaves at their indexes.
func newBatch(at int64, leaves [][]byte) *batch {
	b := &batch{at: at, leaves: make([]*trillian.LogLeaf, len(leaves)), nonce: make([]byte, nonceSize)}
	rand.Read(b.nonce) // never fails
	for i, value := range leaves {
		extra := append([]byte{extraVersion}, b.nonce...)
		b.leaves[i] = &trillian.LogLeaf{
			LeafValue: value,
			// The database takes no second leaf of this identity.
			LeafIdentityHash: rfc6962.DefaultHasher.HashLeaf(value),
			LeafIndex:        at + int64(i),
			ExtraData:        binary.AppendUvarint(extra, uint64(len(leaves)-1-i)),
		}
	}
	return b
}

// wrote reports whether a leaf was written with this batch.
func (b *batch) wrote(leaf *trillian.LogLeaf) bool {
	at := leaf.LeafIndex - b.at
	return at >= 0 && at < int64(len(b.leaves)) && bytes.Equal(leaf.ExtraData, b.leaves[at].ExtraData)
}

// part returns the leaves from i on, as many as fit in a request.
func (b *batch) part(i int) []*trillian.LogLeaf {
	n, size := 0, 0
	for _, leaf := range b.leaves[i:] {
		if size += len(leaf.LeafValue) + 256; n > 0 && (size > maxWrite || n == maxLeaves) {
			break
		}
		n++
	}
	return b.leaves[i : i+n]
}

// turn is what is known of the batch that the last leaf of the head is of.
type turn struct {
	known bool      // the last leaf was looked at
	end   int64     // the size once the batch is written
	since time.Time // when it was first seen
}

// saw takes note of the last leaf of a head.
func (t *turn) saw(last *trillian.LogLeaf, size int64) {
	t.known = true
	end := size
	if x := last.ExtraData; len(x) > 1+nonceSize && x[0] == extraVersion {
		if more, n := binary.Uvarint(x[1+nonceSize:]); n > 0 && more < 1<<32 {
			end += int64(more)
		}
	}
	if end != t.end {
		t.end, t.since = end, time.Now()
	}
}

// await waits for the end of the turn of another writer. If its batch grew
// meanwhile, the error is tree.ErrMoved.
func (l *Log) await(ctx context.Context) error {
	if !l.turn.known {
		last, err := l.fetch(ctx, l.head.Size-1, 1)
		if err != nil {
			return err
		}
		l.turn.saw(last[0], l.head.Size)
	}
	// The other counts from before its first leaf was written, this process from
	// when it saw that leaf, and waits half as long again.
	for try := 0; l.turn.end > l.head.Size && time.Since(l.turn.since) < l.cfg.Turn*3/2; try++ {
		root, err := l.newest(ctx)
		if err != nil {
			return err
		}
		if err := l.here(root); err != nil {
			return err
		}
		if err := poll(ctx, try); err != nil {
			return err
		}
	}
	return nil
}

// here checks that a root that is the newest is that of the head.
func (l *Log) here(root told) error {
	if root.Size > l.head.Size {
		return fmt.Errorf("%w: it has %d records, and %d were followed", tree.ErrMoved, root.Size, l.head.Size)
	}
	return l.continues(root)
}
