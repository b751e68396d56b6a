package state

import (
	"errors"
	"fmt"
	"iter"

	"github.com/cockroachdb/pebble/v2"

	"github.com/docket-ledger/docket/verify/rules"
)

// A View is the state after one Merge, whatever is merged later: what several
// questions are asked of that belong together. It is a rules.Lister. It must be
// closed, and may be used by one goroutine at a time.
type View struct {
	snapshot *pebble.Snapshot
	size     int64
}

// View returns the state as it is now.
func (s *Store) View() (*View, error) {
	v := &View{snapshot: s.db.NewSnapshot()}
	var err error
	if v.size, _, err = cursor(v.read); err != nil {
		return nil, errors.Join(err, v.Close())
	}
	return v, nil
}

// Close ends the view.
func (v *View) Close() error { return v.snapshot.Close() }

// Size returns how many records the state has seen.
func (v *View) Size() int64 { return v.size }

func (v *View) read(key string) ([]byte, error) { return read(v.snapshot, key) }

// Get implements rules.State.
func (v *View) Get(key string) ([]byte, error) { return v.read("r" + key) }

// Put refuses: a view is read.
func (v *View) Put(string, []byte) error { return errors.New("state: a view is not written") }

// Standing is Store.Standing.
func (v *View) Standing(index int64) (codes, findings []rules.Code, err error) {
	return standing(v.snapshot, index)
}

// List implements rules.Lister, in the order of the keys.
func (v *View) List(prefix string, yield func(key string, value []byte) error) error {
	low := "r" + prefix
	return v.between(low, after(low), func(it *pebble.Iterator) error {
		for ok := it.First(); ok; ok = it.Next() {
			value, err := it.ValueAndErr()
			if err != nil {
				return err
			}
			if err := yield(string(it.Key()[1:]), value); err != nil {
				return err
			}
		}
		return nil
	})
}

// Case returns the records of a case from an index on, at most limit of them, in
// the order of the log.
func (v *View) Case(name string, from int64, limit int) ([]Named, error) {
	var out []Named
	err := v.between(caseKey(name, from), after("n"+name+"\x00"), func(it *pebble.Iterator) error {
		for ok := it.First(); ok && len(out) < limit; ok = it.Next() {
			if err := add(&out, it); err != nil {
				return err
			}
		}
		return nil
	})
	return out, err
}

// Newest yields the records of a case, the newest first. An error ends it.
func (v *View) Newest(name string) iter.Seq2[Named, error] {
	return func(yield func(Named, error) bool) {
		stopped := errors.New("stopped")
		err := v.between(caseKey(name, 0), after("n"+name+"\x00"), func(it *pebble.Iterator) error {
			for ok := it.Last(); ok; ok = it.Prev() {
				var one []Named
				if err := add(&one, it); err != nil {
					return err
				}
				if !yield(one[0], nil) {
					return stopped
				}
			}
			return nil
		})
		if err != nil && !errors.Is(err, stopped) {
			yield(Named{}, err)
		}
	}
}

func add(out *[]Named, it *pebble.Iterator) error {
	value, err := it.ValueAndErr()
	if err != nil {
		return err
	}
	n, err := parseNamed(it.Key(), value)
	*out = append(*out, n)
	return err
}

// between calls use with an iterator over the rows with low <= key < high.
func (v *View) between(low, high string, use func(it *pebble.Iterator) error) error {
	it, err := v.snapshot.NewIter(&pebble.IterOptions{LowerBound: []byte(low), UpperBound: []byte(high)})
	if err != nil {
		return fmt.Errorf("read the rules state: %w", err)
	}
	if err := errors.Join(use(it), it.Error(), it.Close()); err != nil {
		return fmt.Errorf("read the rules state: %w", err)
	}
	return nil
}

// after returns the first key that does not begin with prefix; no prefix here
// ends in 0xff.
func after(prefix string) string {
	return prefix[:len(prefix)-1] + string([]byte{prefix[len(prefix)-1] + 1})
}

var _ rules.Lister = (*View)(nil)
