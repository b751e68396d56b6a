package index

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/verify/record"
)

func fieldKey(f Field, value string) string { return "p" + string(f) + "\x00" + value + "\x00" }
func wordKey(word string) string            { return "w" + word + "\x00" }
func pairKey(pair string) string            { return "n" + pair + "\x00" }

// dayKey sorts days before 1970 first: the sign is turned round.
func dayKey(t record.Time) string {
	day := int64(t) / 86400
	if int64(t)%86400 < 0 {
		day--
	}
	return string(binary.BigEndian.AppendUint64([]byte("d"), uint64(day)^1<<63))
}

func textKey(index int64) []byte { return binary.BigEndian.AppendUint32([]byte("t"), uint32(index)) }

func idKey(id record.ID) []byte { return []byte("i" + string(id)) }

// A batch collects what some records add to the index. It knows what they tell of
// later ones.
type batch struct {
	db   *pebble.DB
	rows *pebble.Batch
	// fields, words and pairs are the numbers that postings get, of one chunk.
	fields, words, pairs map[string][]uint16
	chunk                uint16
	cases                map[record.ID]string
	holders              map[string]string
}

func newBatch(db *pebble.DB, first int64) *batch {
	return &batch{db: db, rows: db.NewBatch(), fields: map[string][]uint16{}, words: map[string][]uint16{}, pairs: map[string][]uint16{}, chunk: uint16(first >> 16),
		cases: map[record.ID]string{}, holders: map[string]string{}}
}

func (b *batch) caseOf(id record.ID) (string, error) {
	if name, ok := b.cases[id]; ok {
		return name, nil
	}
	row, err := get(b.db, idKey(id))
	if err != nil || len(row) < 4 {
		return "", err
	}
	return string(row[4:]), nil
}

func (b *batch) holderOf(kid string) (string, error) {
	if holder, ok := b.holders[kid]; ok {
		return holder, nil
	}
	v, err := get(b.db, []byte("h"+kid))
	b.holders[kid] = string(v)
	return string(v), err
}

// maxRecords is how many records an index can number.
const maxRecords = 1 << 32

// put adds a record.
func (b *batch) put(e ledger.Entry, d *doc) error {
	if e.Index >= maxRecords {
		return fmt.Errorf("record %d is more than an index can number", e.Index)
	}
	if chunk := uint16(e.Index >> 16); chunk != b.chunk {
		if err := b.flush(); err != nil {
			return err
		}
		b.chunk = chunk
	}
	n := uint16(e.Index)
	for f, values := range d.values {
		for _, v := range values {
			post(b.fields, fieldKey(f, v), n)
		}
	}
	for _, w := range d.words {
		post(b.words, w, n)
	}
	for _, pair := range d.pairs {
		post(b.pairs, pair, n)
	}
	if d.time != 0 {
		post(b.fields, dayKey(d.time), n)
	}
	text := append(binary.BigEndian.AppendUint64(nil, uint64(d.time)), d.text...)
	number := binary.BigEndian.AppendUint32(nil, uint32(e.Index))
	b.cases[e.ID] = d.of
	errs := []error{b.rows.Set(textKey(e.Index), text, nil), b.rows.Set(idKey(e.ID), append(number, d.of...), nil)}
	for kid, holder := range d.holders {
		b.holders[kid] = holder
		errs = append(errs, b.rows.Set([]byte("h"+kid), []byte(holder), nil))
	}
	return errors.Join(errs...)
}

// post adds a record to a posting. A value that a record has twice counts once.
func post(postings map[string][]uint16, name string, n uint16) {
	numbers := postings[name]
	if len(numbers) == 0 || numbers[len(numbers)-1] != n {
		postings[name] = append(numbers, n)
	}
}

// flush writes the postings of a chunk.
func (b *batch) flush() error {
	var errs []error
	write := func(posting string, numbers []uint16) {
		errs = append(errs, b.rows.Merge(binary.BigEndian.AppendUint16([]byte(posting), b.chunk), fewRow(numbers), nil))
	}
	for posting, numbers := range b.fields {
		write(posting, numbers)
	}
	for word, numbers := range b.words {
		write(wordKey(word), numbers)
	}
	for pair, numbers := range b.pairs {
		write(pairKey(pair), numbers)
	}
	clear(b.fields)
	clear(b.words)
	clear(b.pairs)
	return errors.Join(errs...)
}

// commit writes it all, at once, and how far it goes. It need not be on the disk: what
// a crash loses is indexed again.
func (b *batch) commit(last ledger.Entry) error {
	if err := b.flush(); err != nil {
		return err
	}
	cursor := append(binary.BigEndian.AppendUint64(nil, uint64(last.Index+1)), last.ID...)
	if err := b.rows.Set([]byte("c"), cursor, nil); err != nil {
		return err
	}
	if err := b.rows.Commit(pebble.NoSync); err != nil {
		return err
	}
	return b.rows.Close()
}
