package index

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/cockroachdb/pebble/v2"
)

// A row of a posting holds numbers, all of one chunk: a few as two bytes each, more as
// a roaring bitmap. What is written adds to what is there, so that nobody need read a
// row to add to it: Pebble merges them when it reads or compacts.
const (
	rowFew  = 0
	rowMany = 1

	maxFew = 64
)

// fewRow is a row with some numbers of one chunk.
func fewRow(numbers []uint16) []byte {
	row := make([]byte, 1, 1+2*len(numbers))
	for _, n := range numbers {
		row = binary.BigEndian.AppendUint16(row, n)
	}
	return row
}

// eachOf calls use with the numbers of a row of a chunk, in their order.
func eachOf(chunk uint16, row []byte, use func(n uint32)) error {
	switch {
	case len(row) > 0 && row[0] == rowFew && len(row)%2 == 1:
		for i := 1; i < len(row); i += 2 {
			use(uint32(chunk)<<16 | uint32(binary.BigEndian.Uint16(row[i:])))
		}
		return nil
	case len(row) > 1 && row[0] == rowMany:
		some := roaring.New()
		if err := some.UnmarshalBinary(row[1:]); err != nil {
			return fmt.Errorf("%w: %w", errDamaged, err)
		}
		for it := some.Iterator(); it.HasNext(); {
			use(it.Next())
		}
		return nil
	}
	return errDamaged
}

// addRow adds the numbers of a row of a chunk to a set.
func addRow(set *roaring.Bitmap, chunk uint16, row []byte) error {
	if len(row) > 1 && row[0] == rowMany { // many at once
		some := roaring.New()
		if err := some.UnmarshalBinary(row[1:]); err != nil {
			return fmt.Errorf("%w: %w", errDamaged, err)
		}
		set.Or(some)
		return nil
	}
	return eachOf(chunk, row, set.Add)
}

// setRow is the row of a set of one chunk.
func setRow(set *roaring.Bitmap) ([]byte, error) {
	if set.GetCardinality() <= maxFew {
		numbers := make([]uint16, 0, maxFew)
		for _, n := range set.ToArray() {
			numbers = append(numbers, uint16(n))
		}
		return fewRow(numbers), nil
	}
	set.RunOptimize()
	row, err := set.ToBytes()
	return append([]byte{rowMany}, row...), err
}

// merger lets Pebble unite rows of a posting.
var merger = &pebble.Merger{
	Name: "docket.index.sets",
	Merge: func(key, value []byte) (pebble.ValueMerger, error) {
		if len(key) < 2 {
			return nil, errDamaged
		}
		m := &union{chunk: binary.BigEndian.Uint16(key[len(key)-2:]), set: roaring.New()}
		return m, m.MergeNewer(value)
	},
}

// A union is a pebble.ValueMerger.
type union struct {
	chunk uint16
	set   *roaring.Bitmap
}

func (u *union) MergeNewer(row []byte) error { return addRow(u.set, u.chunk, row) }
func (u *union) MergeOlder(row []byte) error { return addRow(u.set, u.chunk, row) }

func (u *union) Finish(bool) ([]byte, io.Closer, error) {
	row, err := setRow(u.set)
	return row, nil, err
}
