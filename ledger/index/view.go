package index

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/cockroachdb/pebble/v2"

	"github.com/docket-ledger/docket/verify/record"
)

// A view is the index after one batch.
type view struct {
	*pebble.Snapshot
	size   int64
	recent *recent
}

// viewed calls use with a view. The error is ErrAnew if what it reads is damaged.
func (x *Index) viewed(use func(v view) error) error {
	x.gate.RLock()
	defer x.gate.RUnlock()
	if x.db == nil {
		return errClosed
	}
	s := x.db.NewSnapshot()
	size, _, err := readCursor(s)
	if err == nil {
		err = use(view{s, size, &x.recent})
	}
	if errors.Is(err, errDamaged) || pebble.IsCorruptionError(err) {
		x.met(err)
		err = fmt.Errorf("%w: %w", ErrAnew, err)
	}
	return errors.Join(err, s.Close())
}

// readCursor returns how many records were indexed, and the id of the last.
func readCursor(from pebble.Reader) (size int64, last record.ID, err error) {
	cursor, err := get(from, []byte("c"))
	if err != nil || cursor == nil {
		return 0, "", err
	}
	if len(cursor) <= 8 {
		return 0, "", errDamaged
	}
	return int64(binary.BigEndian.Uint64(cursor)), record.ID(cursor[8:]), nil
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

// posting returns the records of a posting.
func (v view) posting(posting string) (*roaring.Bitmap, error) {
	set := roaring.New()
	err := v.between(posting, posting+"\xff\xff\xff", func(key, row []byte) error {
		if len(key) != len(posting)+2 { // of a longer value
			return nil
		}
		return addRow(set, chunkOf(key), row)
	})
	return set, err
}

// chunkOf is the chunk of a row of a posting.
func chunkOf(key []byte) uint16 { return binary.BigEndian.Uint16(key[len(key)-2:]) }

// all returns every record.
func (v view) all() *roaring.Bitmap {
	set := roaring.New()
	set.AddRange(0, uint64(v.size))
	return set
}

// between calls use with the rows low <= key < high.
func (v view) between(low, high string, use func(key, value []byte) error) error {
	it, err := v.NewIter(&pebble.IterOptions{LowerBound: []byte(low), UpperBound: []byte(high)})
	if err != nil {
		return fmt.Errorf("read the index: %w", err)
	}
	for ok := it.First(); ok && err == nil; ok = it.Next() {
		var value []byte
		if value, err = it.ValueAndErr(); err == nil {
			err = use(it.Key(), value)
		}
	}
	return errors.Join(err, it.Error(), it.Close())
}

// field calls use with each row of a field: a value, a chunk, and the records with it.
// Values are in their order; use must not keep them.
func (v view) field(f Field, use func(value []byte, chunk uint16, row []byte) error) error {
	prefix := "p" + string(f) + "\x00"
	return v.between(prefix, prefix[:len(prefix)-1]+"\x01", func(key, row []byte) error {
		return use(key[len(prefix):len(key)-3], chunkOf(key), row)
	})
}

// names calls use with each value of a field, in their order.
func (v view) names(f Field, use func(value string) error) error {
	var last []byte
	return v.field(f, func(value []byte, _ uint16, _ []byte) error {
		if bytes.Equal(value, last) {
			return nil
		}
		last = append(last[:0], value...)
		return use(string(value))
	})
}

// values calls use with each value of a field, in their order, and its records, which
// use must not keep.
func (v view) values(f Field, use func(value string, set *roaring.Bitmap) error) error {
	var last []byte
	set := roaring.New()
	err := v.field(f, func(value []byte, chunk uint16, row []byte) error {
		if !bytes.Equal(value, last) {
			if !set.IsEmpty() {
				if err := use(string(last), set); err != nil {
					return err
				}
			}
			last = append(last[:0], value...)
			set.Clear()
		}
		return addRow(set, chunk, row)
	})
	if err == nil && !set.IsEmpty() {
		err = use(string(last), set)
	}
	return err
}
