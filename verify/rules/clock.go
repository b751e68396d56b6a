package rules

import (
	"fmt"
	"strconv"

	"github.com/docket-ledger/docket/verify/record"
)

// stepSeconds is how finely the ledger times of earlier trees are known where
// they are claimed: the time of a tree is rounded down to the last step, so that
// the state does not grow with every record.
const stepSeconds = 60

// clockRow is the ledger time T, in seconds since 1970.
//
// In a ledger with witnesses it is the greatest not-before time of its timemarks;
// without, the newest iat of the effective records, which is only claimed.
type clockRow struct {
	now   int64
	steps int64 // how many stepRows there are
}

// A stepRow says what a timemark showed, or, without witnesses, what signers
// claim: trees of size and more are younger than time; the first covers records
// are older than after.
type stepRow struct{ size, time, covers, after int64 }

func (c clockRow) encode() []byte {
	var e encoder
	e.int(c.now)
	e.int(c.steps)
	return e
}

func (r *rows) clock() (c clockRow, err error) {
	raw, err := r.get(rowClock)
	if err != nil || len(raw) == 0 {
		return c, err
	}
	d := decoder{raw}
	c = clockRow{d.int(), d.int()}
	return c, d.end(rowClock)
}

func stepKey(n int64) string { return rowStep + strconv.FormatInt(n, 10) }

func (s stepRow) encode() []byte {
	var e encoder
	for _, n := range []int64{s.size, s.time, s.covers, s.after} {
		e.int(n)
	}
	return e
}

func (r *rows) step(n int64) (s stepRow, err error) {
	raw, err := r.get(stepKey(n))
	if err != nil {
		return s, err
	}
	d := decoder{raw}
	s = stepRow{d.int(), d.int(), d.int(), d.int()}
	return s, d.end(stepKey(n))
}

// firstStep returns the number of the first of steps for which is holds, steps
// if there is none; once it holds it holds for all that follow. It looks from
// the end, in strides that double: most of what is asked for is new.
func (r *rows) firstStep(steps int64, is func(stepRow) bool) (int64, error) {
	low, high := int64(0), steps
	for stride := int64(1); low < high; stride *= 2 {
		n := max(low, high-stride)
		s, err := r.step(n)
		if err != nil {
			return 0, err
		}
		if !is(s) {
			low = n + 1
			break
		}
		high = n
	}
	for low < high {
		n := (low + high) / 2
		s, err := r.step(n)
		if err != nil {
			return 0, err
		}
		if is(s) {
			high = n
		} else {
			low = n + 1
		}
	}
	return low, nil
}

// timeOf returns the ledger time of the tree of a size, 0 if it is not known.
// What is in no older tree is younger than that.
func (r *rows) timeOf(size int64) (int64, error) {
	c, err := r.clock()
	if err != nil {
		return 0, err
	}
	n, err := r.firstStep(c.steps, func(s stepRow) bool { return s.size > size })
	if n == 0 || err != nil {
		return 0, err
	}
	s, err := r.step(n - 1)
	return s.time, err
}

// olderThan returns U of the record at index: the not-after time of the first
// timemark that covers it; 0 while there is none.
func (r *rows) olderThan(index int64) (int64, error) {
	c, err := r.clock()
	if err != nil {
		return 0, err
	}
	n, err := r.firstStep(c.steps, func(s stepRow) bool { return s.covers > index })
	if n == c.steps || err != nil {
		return 0, err
	}
	s, err := r.step(n)
	return s.after, err
}

// A period begins with a record, at its U, and lasts some hours. In a ledger
// without witnesses the beginning is known at once; else it is looked up.
type period struct {
	index int64 // of the record
	begin int64 // its U in seconds since 1970; 0: look it up
	hours int64
}

// ends returns when the period is over; ok is false as long as it has not begun.
func (r *rows) ends(p period) (end int64, ok bool, err error) {
	if p.begin == 0 {
		if p.begin, err = r.olderThan(p.index); p.begin == 0 || err != nil {
			return 0, false, err
		}
	}
	return p.begin + p.hours*3600, true, nil
}

// past reports whether a maximum period was over before time.
func (r *rows) past(p period, time int64) (bool, error) {
	end, ok, err := r.ends(p)
	return ok && time > end, err
}

// reached reports whether a minimum period is over at time.
func (r *rows) reached(p period, time int64) (bool, error) {
	end, ok, err := r.ends(p)
	return ok && time >= end, err
}

// begins returns the period of some hours that begins with this record.
func (e *exam) begins(hours int64) period {
	p := period{index: e.index, hours: hours}
	if !e.witnessed() {
		p.begin = e.now
	}
	return p
}

// witnessed reports whether the clock is that of timemarks.
func (e *exam) witnessed() bool {
	w := e.charter.Charter.Witnesses
	return len(w) != 1 || w[0] != NoWitnesses
}

// NoWitnesses is the only line of a charter's witnesses where there are none.
const NoWitnesses = "quorum none"

// tick moves the clock to the ledger time of this record, where that is claimed.
func (e *exam) tick() error {
	if e.now <= e.time.now {
		return nil
	}
	steps := e.time.steps
	last := stepRow{}
	if steps > 0 {
		var err error
		if last, err = e.step(steps - 1); err != nil {
			return err
		}
	}
	if e.now >= last.time+stepSeconds {
		e.put(stepKey(steps), stepRow{e.index + 1, e.now, max(e.index+1, last.covers), e.now}.encode())
		steps++
	}
	e.put(rowClock, clockRow{e.now, steps}.encode())
	return nil
}

// aheadRow is the newest iat since the last timemark, and whose it is.
type aheadRow struct{ iat, index int64 }

// note remembers the newest iat, so that the next timemark can tell whether it
// was ahead.
func (e *exam) note() error {
	newest := int64(0)
	for _, h := range e.record.Headers() {
		newest = max(newest, h.IAT)
	}
	raw, err := e.get(rowAhead)
	if err != nil {
		return err
	}
	if len(raw) > 0 {
		d := decoder{raw}
		if iat := d.int(); iat >= newest {
			return nil
		}
	}
	var out encoder
	out.int(newest)
	out.int(e.index)
	e.put(rowAhead, out)
	return nil
}

// timemark examines a cosigned checkpoint and moves the clock.
func (e *exam) timemark(p *record.Timemark) error {
	e.demand(record.Quorum{Role: record.RoleMachine, Count: 1})
	if !e.witnessed() {
		e.voidf(TimemarkInvalid, "this ledger has no witnesses")
		return nil
	}
	c := e.charter.Charter
	head, err := e.fold.open(c.Ledger, &c.Terms, p.Checkpoint)
	if err != nil {
		e.voidf(TimemarkInvalid, "%v", err)
		return nil
	}
	last := stepRow{}
	if e.time.steps > 0 {
		if last, err = e.step(e.time.steps - 1); err != nil {
			return err
		}
	}
	switch {
	case head.Size > e.index:
		e.voidf(TimemarkInvalid, "a checkpoint of size %d in entry %d", head.Size, e.index)
		return nil
	case head.Size < last.covers:
		e.voidf(TimemarkInvalid, "a checkpoint of size %d after one of size %d", head.Size, last.covers)
		return nil
	}
	if !e.fold.excerpt {
		root, err := e.fold.roots.Root(head.Size)
		if err != nil {
			return err
		}
		if root != head.Root {
			e.voidf(TimemarkInvalid, "its root %v at size %d is not that of this log, %v: the log showed two histories", head.Root, head.Size, root)
			return nil
		}
	}
	if err := e.findAhead(head); err != nil {
		return err
	}
	e.now = max(e.time.now, head.NotBefore)
	e.put(stepKey(e.time.steps), stepRow{e.index + 1, e.now, head.Size, head.NotAfter}.encode())
	e.put(rowClock, clockRow{e.now, e.time.steps + 1}.encode())
	return nil
}

// findAhead tells of a signature that is dated later than the witnesses saw it.
func (e *exam) findAhead(head Head) error {
	raw, err := e.get(rowAhead)
	if err != nil || len(raw) == 0 {
		return err
	}
	d := decoder{raw}
	a := aheadRow{d.int(), d.int()}
	if err := d.end(rowAhead); err != nil {
		return err
	}
	if a.index >= head.Size {
		return nil
	}
	if a.iat > head.NotAfter+e.charter.Charter.Tolerance {
		e.findf(TimeAhead, "entry %d claims to be signed at %s and was witnessed by %s", a.index, record.Time(a.iat), record.Time(head.NotAfter))
	}
	e.put(rowAhead, nil)
	return nil
}

// Uncovered returns how many of the first size records, timemarks apart, no
// timemark covers yet.
func Uncovered(state State, size int64) (int64, error) {
	r := &rows{get: state.Get}
	c, err := r.clock()
	if err != nil {
		return 0, err
	}
	covered, marks := int64(0), int64(0)
	for n := c.steps - 1; n >= 0; n-- {
		s, err := r.step(n)
		if err != nil {
			return 0, err
		}
		index := s.size - 1 // of the timemark
		if n == c.steps-1 {
			covered = s.covers
		}
		if index < covered {
			break
		}
		if index < size {
			marks++
		}
	}
	return max(0, size-covered-marks), nil
}

// An Interval is between which times a record was signed and logged, in seconds
// since 1970; 0 where it is not known.
type Interval struct {
	NotBefore, NotAfter int64
	// Witnessed says that both rest on the cosignatures of the charter's
	// witnesses, not on what signers claim.
	Witnessed bool
}

// String says it in words.
func (i Interval) String() string {
	from, to := "no witnessed time", "no later than now"
	if i.NotBefore != 0 {
		from = "not before " + record.Time(i.NotBefore).String()
	}
	if i.NotAfter != 0 {
		to = "not after " + record.Time(i.NotAfter).String()
	}
	how := "witnessed"
	if !i.Witnessed {
		how = "claimed"
	}
	return fmt.Sprintf("%s, %s (%s)", from, to, how)
}

// ReadInterval returns between which times the record at index was signed: after
// the tree of size seen, the smallest that a signer names, and before the first
// timemark that covers it.
func ReadInterval(state State, seen, index int64) (Interval, error) {
	r := &rows{get: state.Get, memo: memo{}}
	charter, err := cached[CharterInfo](r, rowCharter)
	if err != nil || charter == nil {
		return Interval{}, err
	}
	i := Interval{Witnessed: (&exam{charter: charter}).witnessed()}
	if i.NotBefore, err = r.timeOf(seen); err != nil {
		return i, err
	}
	i.NotAfter, err = r.olderThan(index)
	return i, err
}

// Clock returns the ledger time T, in seconds since 1970, 0 before there is one:
// witnessed, or claimed by signers where the ledger has no witnesses.
func Clock(state State) (int64, error) {
	c, err := (&rows{get: state.Get}).clock()
	return c.now, err
}
