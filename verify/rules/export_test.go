package rules

import "github.com/docket-ledger/docket/verify/record"

// What the tests of the clock and of the used numbers reach into.

// Tick moves the clock of a state as an effective record would.
func Tick(state State, index, now int64) error {
	e := &exam{fold: New(state, nil, nil), index: index, now: now, puts: map[string][]byte{}}
	e.rows = rows{get: e.getRow}
	var err error
	if e.time, err = e.clock(); err != nil {
		return err
	}
	if err := e.tick(); err != nil {
		return err
	}
	for _, key := range e.order {
		if err := state.Put(key, e.puts[key]); err != nil {
			return err
		}
	}
	return nil
}

// TimeOf returns the ledger time of the tree of a size.
func TimeOf(state State, size int64) (int64, error) {
	return (&rows{get: state.Get}).timeOf(size)
}

// Used is a set of numbers as a row of the state.
type Used []byte

// With returns the set with n added, which is not in it.
func (u Used) With(n int64) (Used, error) {
	s, err := parseIntervals(u)
	return s.with(n).encode(), err
}

// Has reports whether n is in the set.
func (u Used) Has(n int64) bool {
	s, _ := parseIntervals(u)
	return s.has(n)
}

// Ranges returns first, last, first, last …
func (u Used) Ranges() ([]int64, error) { return parseIntervals(u) }

// CaseRows returns the rows of a case and of a decision in it.
func CaseRows(state State, decision record.ID, name string) [2][]byte {
	var out [2][]byte
	for i, key := range []string{rowCase + name, rowAct + shortID(decision)} {
		b, err := state.Get(key)
		if err != nil || len(b) == 0 {
			panic("no row " + key)
		}
		out[i] = append([]byte{}, b...)
	}
	return out
}
