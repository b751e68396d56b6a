package pebblestore_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/trillian"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/docket-ledger/docket/ledger/pebblestore"
)

// FuzzLeafRow: what is written is read back; what is read is written the same.
func FuzzLeafRow(f *testing.F) {
	f.Add([]byte("value"), []byte("extra"), []byte{}, int64(1), int64(2))
	f.Add([]byte{}, []byte{}, bytes.Repeat([]byte{1}, 32), int64(0), int64(-1))
	f.Add(bytes.Repeat([]byte{1}, 300), []byte{0}, []byte{}, int64(1e18), int64(1e18))
	f.Fuzz(func(t *testing.T, value, extra, identity []byte, queued, integrated int64) {
		hash := bytes.Repeat([]byte{7}, 32)
		l := &trillian.LogLeaf{MerkleLeafHash: hash, LeafIdentityHash: hash, LeafValue: value, ExtraData: extra, LeafIndex: 42}
		if len(identity) == 32 {
			l.LeafIdentityHash = identity
		}
		q, i := time.Unix(0, queued), time.Unix(0, integrated)
		row := pebblestore.AppendLeaf(nil, l, q, i)
		if len(row) != pebblestore.LeafRowSize(l) {
			t.Errorf("row has %d bytes, expected were %d", len(row), pebblestore.LeafRowSize(l))
		}
		l.QueueTimestamp, l.IntegrateTimestamp = timestamppb.New(q), timestamppb.New(i)
		got, err := pebblestore.ParseLeaf(row, 42)
		if err != nil || !proto.Equal(got, l) || (got.LeafValue == nil) != (value == nil) || (got.ExtraData == nil) != (extra == nil) {
			t.Errorf("read %v, %v; written %v", got, err, l)
		}
		// Any other row is refused, or a leaf.
		for n := range row {
			if l, err := pebblestore.ParseLeaf(row[:n], 42); err == nil && (len(l.MerkleLeafHash) != 32 || len(l.LeafIdentityHash) != 32) {
				t.Errorf("the first %d bytes are read as %v", n, l)
			}
		}
		if l, err := pebblestore.ParseLeaf(value, 1); err == nil && len(l.LeafIdentityHash) != 32 {
			t.Errorf("%x is read as %v", value, l)
		}
	})
}
