package rules

// A step of the ledger time is a timemark; while a ledger has no witnesses, it is
// any record. The caller of these looks which it is.

// StepBefore returns the index of the newest step of the ledger time below index,
// -1 if there is none.
func StepBefore(state State, index int64) (int64, error) {
	return stepAt(state, -1, func(s stepRow) bool { return s.size > index })
}

// StepOver returns the index of the first step that covers the record at index, -1
// if there is none.
func StepOver(state State, index int64) (int64, error) {
	return stepAt(state, 0, func(s stepRow) bool { return s.covers > index })
}

// StepReaching returns the index of the first step that brings the ledger time to
// time, in seconds since 1970, -1 if there is none.
func StepReaching(state State, time int64) (int64, error) {
	return stepAt(state, 0, func(s stepRow) bool { return s.time >= time })
}

// stepAt returns the index of the record that made the first step for which is
// holds, or of the one that is so much further.
func stepAt(state State, further int64, is func(stepRow) bool) (int64, error) {
	r := &rows{get: state.Get}
	c, err := r.clock()
	if err != nil {
		return -1, err
	}
	n, err := r.firstStep(c.steps, is)
	if n += further; n < 0 || n >= c.steps || err != nil {
		return -1, err
	}
	s, err := r.step(n)
	return s.size - 1, err
}

// PublicSince returns U of the record at index, in seconds since 1970: the not-after
// time of the first timemark that covers it; 0 while there is none.
func PublicSince(state State, index int64) (int64, error) {
	return (&rows{get: state.Get}).olderThan(index)
}
