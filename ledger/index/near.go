package index

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
)

// A Suggestion is something that exists.
type Suggestion struct {
	Field Field // Case, Policy, or "id"
	Value string
}

const (
	maxNear     = 5
	maxMistakes = 3       // letters that are wrong, left out or too many
	maxCompared = 100_000 // names that are compared with one
)

// Near returns what is spelled almost like text among the ids, cases and policies: at
// most a few, the nearest first.
func (x *Index) Near(_ context.Context, text string) ([]Suggestion, error) {
	if len(text) < 3 || len(text) > maxValue {
		return nil, nil
	}
	defer x.metrics.answered("near", time.Now())
	var near []candidate
	err := x.viewed(func(v view) error {
		for _, f := range []Field{Case, Policy} {
			compared := 0
			err := v.names(f, func(value string) error {
				if compared++; compared > maxCompared {
					return errEnough
				}
				near = consider(near, f, value, text)
				return nil
			})
			if err != nil && !errors.Is(err, errEnough) {
				return err
			}
		}
		var err error
		near, err = v.nearIDs(near, text)
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(near, func(a, b candidate) int {
		if a.mistakes != b.mistakes {
			return a.mistakes - b.mistakes
		}
		return strings.Compare(a.Value, b.Value)
	})
	out := make([]Suggestion, 0, maxNear)
	for _, c := range near[:min(len(near), maxNear)] {
		out = append(out, c.Suggestion)
	}
	return out, nil
}

var errEnough = errors.New("enough")

type candidate struct {
	Suggestion
	mistakes int
}

// nearIDs adds the ids that begin as text does, in the case of the letters or not: a
// mistake further on is found by what stands before it.
func (v view) nearIDs(near []candidate, text string) ([]candidate, error) {
	id := text
	if !strings.HasPrefix(id, "d-") {
		id = "d-" + id
	}
	for n := len(id); n >= len("d-")+4; n-- {
		compared := 0
		err := v.between("i"+id[:n], "i"+id[:n]+"\x7f", func(key, _ []byte) error {
			if compared++; compared > maxCompared {
				return errEnough
			}
			value := string(key[1:])
			if len(id) < len(value)-maxMistakes { // the beginning of an id, cut off
				near = append(near, candidate{Suggestion{"id", value}, 1})
				return nil
			}
			near = consider(near, "id", value, id)
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) {
			return near, err
		}
		if slices.ContainsFunc(near, func(c candidate) bool { return c.Field == "id" }) {
			return near, nil
		}
	}
	return v.foldedIDs(near, id)
}

// foldedIDs adds the ids that are spelled as id is but for the case of the letters.
func (v view) foldedIDs(near []candidate, id string) ([]candidate, error) {
	const letters = 4 // of the beginning: 16 spellings at most, each of few ids
	begin := id[:min(len(id), len("d-")+letters)]
	for _, spelled := range spellings(begin[2:]) {
		prefix := "id-" + spelled
		err := v.between(prefix, prefix+"\x7f", func(key, _ []byte) error {
			if value := string(key[1:]); strings.EqualFold(value, id) {
				near = append(near, candidate{Suggestion{"id", value}, 0})
			}
			return nil
		})
		if err != nil {
			return near, err
		}
	}
	return near, nil
}

// spellings returns text in every combination of capital and small letters.
func spellings(text string) []string {
	all := []string{""}
	for _, letter := range text {
		var longer []string
		for _, s := range all {
			low, up := s+strings.ToLower(string(letter)), s+strings.ToUpper(string(letter))
			if longer = append(longer, low); up != low {
				longer = append(longer, up)
			}
		}
		all = longer
	}
	return all
}

// consider adds a value that is near enough.
func consider(near []candidate, f Field, value, text string) []candidate {
	if strings.EqualFold(value, text) {
		return append(near, candidate{Suggestion{f, value}, 0})
	}
	if f != "id" && len(text) >= 4 && strings.HasPrefix(value, strings.ToLower(text)) {
		return append(near, candidate{Suggestion{f, value}, 1})
	}
	if n := distance(strings.ToLower(value), strings.ToLower(text)); n <= min(maxMistakes, len(text)/3) {
		return append(near, candidate{Suggestion{f, value}, n})
	}
	return near
}

// distance is how many letters are wrong, left out or too many (Levenshtein), or more
// than maxMistakes.
func distance(a, b string) int {
	if len(a)-len(b) > maxMistakes || len(b)-len(a) > maxMistakes {
		return maxMistakes + 1
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		best := row[0]
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
			best = min(best, row[j+1])
		}
		if best > maxMistakes {
			return best
		}
	}
	return row[len(b)]
}
