package index

import (
	"fmt"

	"github.com/RoaringBitmap/roaring/v2"
)

// maxCombined is how many combinations of values of two or three fields are counted.
const maxCombined = 50_000

// A combination is the places of values, of one to three fields.
type combination [3]uint32

// A column is what the records of a set have in a field: the values of a record are
// chained, as it may have several.
type column struct {
	values []string
	first  []uint32 // by record: a place in chain, or 0
	chain  []link
}

// A link is a value of a record.
type link struct{ value, next uint32 }

// column reads a field for the records of a set.
func (v view) column(f Field, set *roaring.Bitmap) (*column, error) {
	c := &column{first: make([]uint32, v.size), chain: make([]link, 1)}
	return c, v.field(f, func(value []byte, chunk uint16, row []byte) error {
		return eachOf(chunk, row, func(n uint32) {
			if int64(n) >= v.size || !set.Contains(n) {
				return
			}
			if last := len(c.values) - 1; last < 0 || c.values[last] != string(value) {
				c.values = append(c.values, string(value))
			}
			c.chain = append(c.chain, link{uint32(len(c.values) - 1), c.first[n]})
			c.first[n] = uint32(len(c.chain) - 1)
		})
	})
}

// count returns how many records of a set have each combination of values.
func (v view) count(set *roaring.Bitmap, by []Field) ([]Count, error) {
	if len(by) == 1 {
		var rows []Count
		err := v.values(by[0], func(value string, some *roaring.Bitmap) error {
			if n := set.AndCardinality(some); n > 0 {
				rows = append(rows, Count{Values: []string{value}, Count: int64(n)})
			}
			return nil
		})
		return rows, err
	}
	columns := make([]*column, len(by))
	for i, f := range by {
		var err error
		if columns[i], err = v.column(f, set); err != nil {
			return nil, err
		}
	}
	counts := map[combination]int64{}
	for it := set.Iterator(); it.HasNext(); {
		combine(counts, columns, it.Next(), 0, combination{})
		if len(counts) > maxCombined {
			return nil, &QueryError{"by", fmt.Sprintf("there are more than %d combinations: name fewer fields, or filter", maxCombined)}
		}
	}
	rows := make([]Count, 0, len(counts))
	for places, n := range counts {
		row := Count{Values: make([]string, len(by)), Count: n}
		for i, c := range columns {
			row.Values[i] = c.values[places[i]]
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// combine counts the combinations of values of a record, those of the columns before i
// being chosen.
func combine(counts map[combination]int64, columns []*column, record uint32, i int, places combination) {
	if i == len(columns) {
		counts[places]++
		return
	}
	for at := columns[i].first[record]; at != 0; at = columns[i].chain[at].next {
		places[i] = columns[i].chain[at].value
		combine(counts, columns, record, i+1, places)
	}
}
