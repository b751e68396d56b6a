package index

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/cockroachdb/pebble/v2"

	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/verify/record"
)

func fieldKey(f Field, value string) string { return "p" + string(f) + "\x00" + value + "\x00" }
func wordKey(word string) string            { return "w" + word + "\x00" }

// dayKey sorts days before 1970 first: the sign is turned round.
func dayKey(t record.Time) string {
	day := int64(t) / 86400
	if int64(t)%86400 < 0 {
		day--
	}
	return string(binary.BigEndian.AppendUint64([]byte("d"), uint64(day)^1<<63))
}

func textKey(index int64) []byte { return binary.BigEndian.AppendUint64([]byte("t"), uint64(index)) }

func chunkKey(posting string, index int64) []byte {
	return binary.BigEndian.AppendUint16([]byte(posting), uint16(index>>16))
}

// A batch collects what some records add to the index. It knows what they tell of
// later ones.
type batch struct {
	db       *pebble.DB
	rows     *pebble.Batch
	postings map[string]*roaring.Bitmap // by row
}

func newBatch(db *pebble.DB) *batch {
	return &batch{db: db, rows: db.NewIndexedBatch(), postings: map[string]*roaring.Bitmap{}}
}

func (b *batch) caseOf(id record.ID) (string, error) {
	v, err := get(b.rows, []byte("k"+string(id)))
	return string(v), err
}

func (b *batch) holderOf(kid string) (string, error) {
	v, err := get(b.rows, []byte("h"+kid))
	return string(v), err
}

// maxRecords is how many records an index can number.
const maxRecords = 1 << 32

// put adds a record.
func (b *batch) put(e ledger.Entry, d *doc) error {
	if e.Index >= maxRecords {
		return fmt.Errorf("record %d is more than an index can number", e.Index)
	}
	for f, values := range d.values {
		for _, v := range values {
			b.post(fieldKey(f, v), e.Index)
		}
	}
	for _, w := range d.words {
		if w != textEnd {
			b.post(wordKey(w), e.Index)
		}
	}
	if d.time != 0 {
		b.post(dayKey(d.time), e.Index)
	}
	text := binary.BigEndian.AppendUint64(nil, uint64(d.time))
	text = append(text, " "+strings.Join(d.words, " ")+" "...)
	errs := []error{
		b.rows.Set(textKey(e.Index), text, nil),
		b.rows.Set([]byte("i"+string(e.ID)), binary.BigEndian.AppendUint64(nil, uint64(e.Index)), nil),
	}
	if d.of != "" {
		errs = append(errs, b.rows.Set([]byte("k"+string(e.ID)), []byte(d.of), nil))
	}
	for kid, holder := range d.holders {
		errs = append(errs, b.rows.Set([]byte("h"+kid), []byte(holder), nil))
	}
	return errors.Join(errs...)
}

func (b *batch) post(posting string, index int64) {
	key := string(chunkKey(posting, index))
	set := b.postings[key]
	if set == nil {
		set = roaring.New()
		b.postings[key] = set
	}
	set.Add(uint32(index))
}

// commit writes it all, at once. It need not be on the disk: what a crash loses is
// indexed again.
func (b *batch) commit(last ledger.Entry) error {
	for key, set := range b.postings {
		before, err := get(b.db, []byte(key))
		if err != nil {
			return err
		}
		if before != nil {
			old := roaring.New()
			if err := old.UnmarshalBinary(before); err != nil {
				return fmt.Errorf("%w: %w", errDamaged, err)
			}
			set.Or(old)
		}
		row, err := set.ToBytes()
		if err != nil {
			return err
		}
		if err := b.rows.Set([]byte(key), row, nil); err != nil {
			return err
		}
	}
	cursor := append(binary.BigEndian.AppendUint64(nil, uint64(last.Index+1)), last.ID...)
	if err := b.rows.Set([]byte("c"), cursor, nil); err != nil {
		return err
	}
	return errors.Join(b.rows.Commit(pebble.NoSync), b.rows.Close())
}

// A view is the index after one batch.
type view struct {
	*pebble.Snapshot
	size int64
}

// viewed calls use with a view.
func (x *Index) viewed(use func(v view) error) error {
	s := x.db.NewSnapshot()
	cursor, err := get(s, []byte("c"))
	if err == nil && cursor != nil && len(cursor) <= 8 {
		err = errDamaged
	}
	if err != nil {
		return errors.Join(err, s.Close())
	}
	v := view{Snapshot: s}
	if cursor != nil {
		v.size = int64(binary.BigEndian.Uint64(cursor))
	}
	return errors.Join(use(v), s.Close())
}

// posting returns the records of a posting.
func (v view) posting(posting string) (*roaring.Bitmap, error) {
	set := roaring.New()
	err := v.between(posting, posting+"\xff\xff\xff", func(_, row []byte) error { return or(set, row) })
	return set, err
}

// or adds the records in a row to a set.
func or(set *roaring.Bitmap, row []byte) error {
	some := roaring.New()
	if err := some.UnmarshalBinary(row); err != nil {
		return fmt.Errorf("%w: %w", errDamaged, err)
	}
	set.Or(some)
	return nil
}

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

// values calls use with each value of a field, in their order, and its records.
func (v view) values(f Field, use func(value string, set *roaring.Bitmap) error) error {
	prefix := "p" + string(f) + "\x00"
	var value []byte
	set := roaring.New()
	err := v.between(prefix, prefix[:len(prefix)-1]+"\x01", func(key, row []byte) error {
		key = key[len(prefix) : len(key)-3]
		if !bytes.Equal(key, value) {
			if !set.IsEmpty() {
				if err := use(string(value), set); err != nil {
					return err
				}
			}
			value, set = append(value[:0], key...), roaring.New()
		}
		return or(set, row)
	})
	if err == nil && !set.IsEmpty() {
		err = use(string(value), set)
	}
	return err
}
