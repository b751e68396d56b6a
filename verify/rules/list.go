package rules

import (
	"slices"
	"strings"
)

// Keys calls yield for every key that was ever enrolled, in no order.
func Keys(state Lister, yield func(kid string, key *KeyInfo) error) error {
	return state.List(rowKey, func(row string, _ []byte) error {
		kid := strings.TrimPrefix(row, rowKey)
		key, err := ReadKey(state, kid)
		if err != nil {
			return err
		}
		return yield(kid, key)
	})
}

// A Gap is a range of numbers of a key that no effective record has used, though
// a later one was.
type Gap struct {
	KID string `json:"kid"`
	// First and Last are the numbers of the range.
	First int64 `json:"first"`
	Last  int64 `json:"last"`
}

// Gaps returns the numbers that are missing, by key and number.
func Gaps(state Lister) ([]Gap, error) {
	var gaps []Gap
	err := state.List(rowSeq, func(row string, value []byte) error {
		used, err := parseIntervals(value)
		if err != nil {
			return err
		}
		next := int64(1)
		for i := 0; i < len(used); i += 2 {
			if used[i] > next {
				gaps = append(gaps, Gap{strings.TrimPrefix(row, rowSeq), next, used[i] - 1})
			}
			next = used[i+1] + 1
		}
		return nil
	})
	slices.SortFunc(gaps, func(a, b Gap) int {
		if c := strings.Compare(a.KID, b.KID); c != 0 {
			return c
		}
		return int(min(max(a.First-b.First, -1), 1))
	})
	return gaps, err
}
