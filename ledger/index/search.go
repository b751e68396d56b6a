package index

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/verify/record"
)

// found returns the records that a query asks for.
func (v view) found(q Query) (*roaring.Bitmap, error) {
	set, err := v.matching(q.Text)
	if err != nil {
		return nil, err
	}
	both := func(some *roaring.Bitmap) {
		if set == nil {
			set = some
		} else {
			set.And(some)
		}
	}
	for _, f := range Fields {
		wanted, ok := q.Where[f]
		if !ok {
			continue
		}
		any := roaring.New()
		for _, value := range wanted {
			some, err := v.posting(fieldKey(f, value))
			if err != nil {
				return nil, err
			}
			any.Or(some)
		}
		both(any)
	}
	if q.From != 0 || q.Until != 0 {
		some, err := v.dated(q.From, q.Until)
		if err != nil {
			return nil, err
		}
		both(some)
	}
	if set == nil {
		set = v.all()
	}
	for f, values := range q.Not {
		for _, value := range values {
			some, err := v.posting(fieldKey(f, value))
			if err != nil {
				return nil, err
			}
			set.AndNot(some)
		}
	}
	return set, nil
}

// dated returns the records of from <= time < until; 0 is no bound.
func (v view) dated(from, until record.Time) (*roaring.Bitmap, error) {
	low, high := "d", "e"
	if from != 0 {
		low = dayKey(from)
	}
	if until != 0 {
		high = dayKey(until) + "\xff\xff\xff"
	}
	edges := []string{dayKey(from), dayKey(until)}
	set := roaring.New()
	err := v.between(low, high, func(key, row []byte) error {
		if !slices.Contains(edges, string(key[:len(key)-2])) {
			return addRow(set, chunkOf(key), row)
		}
		day := roaring.New()
		if err := addRow(day, chunkOf(key), row); err != nil {
			return err
		}
		for it := day.Iterator(); it.HasNext(); {
			index := it.Next()
			text, err := get(v, textKey(int64(index)))
			if err != nil || len(text) < 8 {
				return errors.Join(err, errDamaged)
			}
			t := record.Time(binary.BigEndian.Uint64(text))
			if (from == 0 || t >= from) && (until == 0 || t < until) {
				set.Add(index)
			}
		}
		return nil
	})
	return set, err
}

// cursor spells where the next page begins.
func cursor(q Query, last int64) string {
	if q.Oldest {
		return "o" + strconv.FormatInt(last, 10)
	}
	return "n" + strconv.FormatInt(last, 10)
}

// after reads a cursor: the last record of the page before, or ok = false.
func after(q Query, text string) (last int64, ok bool, err error) {
	if text == "" {
		return 0, false, nil
	}
	last, err = strconv.ParseInt(text[1:], 10, 64)
	if err != nil || last < 0 || last >= maxRecords || cursor(q, last) != text {
		return 0, false, &QueryError{"cursor", fmt.Sprintf("%.40q is no cursor of this search: begin at its first page, and follow the links from there", text)}
	}
	return last, true, nil
}

// Search returns a page of what a query finds. The error is a *QueryError if the
// query or the cursor is at fault.
func (x *Index) Search(ctx context.Context, q Query, p ledger.Page) (Found, error) {
	defer x.metrics.answered("search", time.Now())
	var out Found
	var page []int64
	last, begun, err := after(q, p.After)
	if err != nil {
		return out, err
	}
	err = x.viewed(func(v view) error {
		set, err := v.found(q)
		if err != nil {
			return err
		}
		out.Size, out.Total = v.size, int64(set.GetCardinality())
		if q.Oldest {
			it := set.Iterator()
			if begun {
				it.AdvanceIfNeeded(uint32(min(last+1, maxRecords-1)))
			}
			for it.HasNext() && len(page) <= p.Limit {
				page = append(page, int64(it.Next()))
			}
			return nil
		}
		if begun { // those before it
			set.RemoveRange(uint64(last), maxRecords)
		}
		for it := set.ReverseIterator(); it.HasNext() && len(page) <= p.Limit; {
			page = append(page, int64(it.Next()))
		}
		return nil
	})
	if err != nil {
		return out, err
	}
	if out.More = len(page) > p.Limit; out.More {
		page = page[:p.Limit]
		out.Next = cursor(q, page[len(page)-1])
	}
	for _, index := range page {
		h, err := x.hit(ctx, index)
		if err != nil {
			return out, err
		}
		out.Items = append(out.Items, h)
	}
	return out, nil
}

// hit reads a record.
func (x *Index) hit(ctx context.Context, index int64) (Hit, error) {
	entries, err := x.cfg.Log.Entries(ctx, index, 1)
	if err != nil {
		return Hit{}, err
	}
	if len(entries) == 0 {
		return Hit{}, fmt.Errorf("the log does not have record %d, which the index has", index)
	}
	h := Hit{Entry: entries[0]}
	if u, err := record.Parse(h.Record); err == nil {
		h.Payload, h.Headers, h.Time = u.Payload(), u.Headers(), TimeOf(u)
	}
	return h, nil
}

// Count counts by fields, one to three; at most limit rows. Rows are sorted by count,
// the largest first, then by value; by Month alone they are sorted by month. The error
// is a *QueryError if the query is at fault, or has too many combinations.
func (x *Index) Count(_ context.Context, q Query, limit int, by ...Field) (Counts, error) {
	defer x.metrics.answered("count", time.Now())
	var out Counts
	if len(by) < 1 || len(by) > 3 {
		return out, &QueryError{"by", fmt.Sprintf("%d fields are named to count by: name one to three, as in by=action,month", len(by))}
	}
	for _, f := range by {
		if !slices.Contains(Fields, f) {
			return out, unknownField("by", string(f))
		}
	}
	err := x.viewed(func(v view) error {
		set, err := v.found(q)
		if err != nil {
			return err
		}
		out.Size, out.Total = v.size, int64(set.GetCardinality())
		out.Rows, err = v.count(set, by)
		return err
	})
	if err != nil {
		return Counts{}, err
	}
	byMonth := len(by) == 1 && by[0] == Month
	slices.SortFunc(out.Rows, func(a, b Count) int {
		if byMonth || a.Count == b.Count {
			return slices.Compare(a.Values, b.Values)
		}
		return int(b.Count - a.Count)
	})
	if out.More = len(out.Rows) > limit; out.More {
		out.Rows = out.Rows[:limit]
	}
	return out, nil
}
