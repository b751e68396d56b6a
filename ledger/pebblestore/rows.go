package pebblestore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/trillian"
	"google.golang.org/protobuf/types/known/timestamppb"
)

const hashSize = 32

func treeKey(id int64) []byte { return binary.BigEndian.AppendUint64([]byte{'T'}, uint64(id)) }

// prefix begins all rows of a kind of a tree.
func (t *tree) prefix(kind byte) []byte {
	return binary.BigEndian.AppendUint32(append(make([]byte, 0, 32), kind), t.number)
}

// prefixEnd is the first key after all that begin with p.
func prefixEnd(p []byte) []byte {
	end := bytes.Clone(p)
	for i := len(end) - 1; i >= 0; i-- {
		if end[i]++; end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

func (t *tree) rootKey() []byte { return t.prefix('R') }

func (t *tree) leafKey(index int64) []byte {
	return binary.BigEndian.AppendUint64(t.prefix('L'), uint64(index))
}

func (t *tree) identityKey(identity []byte) []byte {
	return append(t.prefix('I'), identity...)
}

func (t *tree) merklePrefix(hash []byte) []byte {
	return append(t.prefix('H'), hash...)
}

func (t *tree) tileKey(level int, n int64) []byte {
	return binary.BigEndian.AppendUint64(append(t.prefix('M'), byte(level)), uint64(n))
}

func (t *tree) nodeKey(level int, index int64) []byte {
	return binary.BigEndian.AppendUint64(append(t.prefix('n'), byte(level)), uint64(index))
}

func (t *tree) queueKey(nanos, sequence uint64) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(t.prefix('Q'), nanos), sequence)
}

const (
	ownIdentity = 1 << iota // the identity is not the Merkle hash
	nilExtra                // there is no extra data
	nilValue
)

// fixedLeaf is how many bytes begin every row L.
const fixedLeaf = hashSize + 8 + 8 + 1

// leafRowSize returns how many bytes appendLeaf appends.
func leafRowSize(l *trillian.LogLeaf) int {
	n := fixedLeaf + leafBytes(l) + len(binary.AppendUvarint(make([]byte, 0, binary.MaxVarintLen64), uint64(len(l.LeafValue))))
	if !bytes.Equal(l.LeafIdentityHash, l.MerkleLeafHash) {
		n += hashSize
	}
	return n
}

// appendLeaf encodes a leaf for rows L.
func appendLeaf(b []byte, l *trillian.LogLeaf, queued, integrated time.Time) []byte {
	b = append(b, l.MerkleLeafHash...)
	b = binary.BigEndian.AppendUint64(b, uint64(queued.UnixNano()))
	b = binary.BigEndian.AppendUint64(b, uint64(integrated.UnixNano()))
	var flags byte
	same := bytes.Equal(l.LeafIdentityHash, l.MerkleLeafHash)
	if !same {
		flags |= ownIdentity
	}
	if l.ExtraData == nil {
		flags |= nilExtra
	}
	if l.LeafValue == nil {
		flags |= nilValue
	}
	b = append(b, flags)
	if !same {
		b = append(b, l.LeafIdentityHash...)
	}
	b = binary.AppendUvarint(b, uint64(len(l.LeafValue)))
	b = append(b, l.LeafValue...)
	return append(b, l.ExtraData...)
}

// parseLeaf decodes what appendLeaf made. The leaf does not refer to b.
func parseLeaf(b []byte, index int64) (*trillian.LogLeaf, error) {
	if len(b) < fixedLeaf {
		return nil, errLeaf(index)
	}
	b = bytes.Clone(b)
	l := &trillian.LogLeaf{
		MerkleLeafHash: b[:hashSize:hashSize], LeafIndex: index,
		QueueTimestamp:     nanos(binary.BigEndian.Uint64(b[hashSize:])),
		IntegrateTimestamp: nanos(binary.BigEndian.Uint64(b[hashSize+8:])),
	}
	flags := b[fixedLeaf-1]
	b = b[fixedLeaf:]
	l.LeafIdentityHash = l.MerkleLeafHash
	if flags&ownIdentity != 0 {
		if len(b) < hashSize {
			return nil, errLeaf(index)
		}
		l.LeafIdentityHash, b = b[:hashSize:hashSize], b[hashSize:]
	}
	n, k := binary.Uvarint(b)
	if k <= 0 || n > uint64(len(b)-k) {
		return nil, errLeaf(index)
	}
	b = b[k:]
	if l.LeafValue = b[:n:n]; flags&nilValue != 0 {
		l.LeafValue = nil
	}
	if l.ExtraData = b[n:]; flags&nilExtra != 0 {
		l.ExtraData = nil
	}
	return l, nil
}

func errLeaf(index int64) error { return fmt.Errorf("%w: leaf %d", ErrDamaged, index) }

func nanos(n uint64) *timestamppb.Timestamp { return timestamppb.New(time.Unix(0, int64(n))) }

// leaf returns the leaf at an index, or nil if there is none.
func (t *tree) leaf(index int64) (*trillian.LogLeaf, error) {
	v, closer, err := t.store.db.Get(t.leafKey(index))
	if notFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, damage(err)
	}
	l, err := parseLeaf(v, index)
	return l, errors.Join(err, closer.Close())
}

// A seeker finds leaves by identity, as of when it was made. Unlike a Get it asks
// the Bloom filters of all levels, so what is new costs no read from the disk.
type seeker struct {
	t  *tree
	it *pebble.Iterator
}

func (t *tree) seek() (seeker, error) {
	p := t.prefix('I')
	it, err := t.store.db.NewIter(&pebble.IterOptions{LowerBound: p, UpperBound: prefixEnd(p), UseL6Filters: true})
	return seeker{t, it}, err
}

// close releases the seeker. Its errors were those of its calls.
func (s seeker) close() { s.it.Close() }

// indexOf returns where the leaf with an identity is stored, or -1.
func (s seeker) indexOf(identity []byte) (int64, *trillian.LogLeaf, error) {
	key := s.t.identityKey(identity)
	if !s.it.SeekPrefixGE(key) {
		return -1, nil, damage(s.it.Error())
	}
	v, err := s.it.ValueAndErr()
	if err != nil {
		return -1, nil, damage(err)
	}
	if len(v) != 8 {
		return -1, nil, fmt.Errorf("%w: identity %x", ErrDamaged, identity)
	}
	index := int64(binary.BigEndian.Uint64(v))
	l, err := s.t.leaf(index)
	if err != nil {
		return -1, nil, err
	}
	if l == nil || !bytes.Equal(l.LeafIdentityHash, identity) {
		return -1, nil, fmt.Errorf("%w: identity %x leads to leaf %d, which has another", ErrDamaged, identity, index)
	}
	return index, l, nil
}

// indexOf is seeker.indexOf for one leaf.
func (t *tree) indexOf(identity []byte) (int64, *trillian.LogLeaf, error) {
	s, err := t.seek()
	if err != nil {
		return -1, nil, err
	}
	defer s.close()
	return s.indexOf(identity)
}
