package rules

import (
	"encoding/binary"
	"errors"
	"strconv"
)

// stepSeconds is how finely the ledger times of earlier trees are known: the
// time of a tree is rounded down to the last step, so that the state does not
// grow with every record.
const stepSeconds = 60

// clockRow is the ledger time T: the newest iat of the effective records.
type clockRow struct {
	now   int64 // seconds since 1970
	steps int64 // how many stepRows there are
}

// stepRow says that the tree of this size had this ledger time.
type stepRow struct{ size, time int64 }

var errClock = errors.New("a row of the ledger clock is damaged")

func pair(a, b int64) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, uint64(a)), uint64(b))
}

func unpair(raw []byte) (a, b int64, err error) {
	if len(raw) == 0 {
		return 0, 0, nil
	}
	if len(raw) != 16 {
		return 0, 0, errClock
	}
	return int64(binary.BigEndian.Uint64(raw)), int64(binary.BigEndian.Uint64(raw[8:])), nil
}

func readClock(state State) (clockRow, error) {
	raw, err := state.Get(rowClock)
	if err != nil {
		return clockRow{}, err
	}
	now, steps, err := unpair(raw)
	return clockRow{now, steps}, err
}

func (e *exam) readStep(n int64) (stepRow, error) {
	raw, err := e.get(rowStep + strconv.FormatInt(n, 10))
	if err != nil {
		return stepRow{}, err
	}
	size, time, err := unpair(raw)
	return stepRow{size, time}, err
}

// timeOf returns the ledger time of the tree of a size, rounded down to a step;
// 0 if there was none. Most signers have seen a new tree, so it looks from the
// end, in strides that double.
func (e *exam) timeOf(size int64) (int64, error) {
	low, high := int64(0), e.clock.steps // steps below low are at or below size, from high on above
	for stride := int64(1); low < high; stride *= 2 {
		n := max(low, high-stride)
		s, err := e.readStep(n)
		if err != nil {
			return 0, err
		}
		if s.size <= size {
			low = n + 1
			break
		}
		high = n
	}
	for low < high {
		n := (low + high) / 2
		s, err := e.readStep(n)
		if err != nil {
			return 0, err
		}
		if s.size <= size {
			low = n + 1
		} else {
			high = n
		}
	}
	if low == 0 {
		return 0, nil
	}
	s, err := e.readStep(low - 1)
	return s.time, err
}

// tick moves the clock to the ledger time of this record.
func (e *exam) tick() error {
	if e.now <= e.clock.now {
		return nil
	}
	steps := e.clock.steps
	last := stepRow{}
	if steps > 0 {
		var err error
		if last, err = e.readStep(steps - 1); err != nil {
			return err
		}
	}
	if e.now >= last.time+stepSeconds {
		e.put(rowStep+strconv.FormatInt(steps, 10), pair(e.index+1, e.now))
		steps++
	}
	e.put(rowClock, pair(e.now, steps))
	return nil
}
