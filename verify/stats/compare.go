package stats

import (
	"fmt"
	"reflect"
)

// Differences returns what f and other, of the same log at the same size, say
// differently, a sentence each; none if they agree. theirs names who says other.
func (f Figures) Differences(other Figures, theirs string) []string {
	var all []string
	mine, others := f.Tables(), other.Tables()
	for i, t := range mine {
		keys := len(t.Header) - 1
		if t.Name == "clauses" {
			keys = 3
		}
		all = append(all, t.differences(others[i], keys, theirs)...)
	}
	if len(all) == 0 && !reflect.DeepEqual(f, other) {
		all = append(all, "the numbers of "+theirs+" are the same, but some are missing, stand twice or in another order")
	}
	return all
}

// differences compares two tables whose first cells, so many, name a row.
func (t Table) differences(other Table, keys int, theirs string) []string {
	said := map[string]string{}
	about := func(row []string, i int) string { return fmt.Sprintf("%s, %q: %s", t.Name, row[:keys], t.Header[i]) }
	for _, row := range other.Rows {
		for i := keys; i < len(row); i++ {
			said[about(row, i)] = row[i]
		}
	}
	var all []string
	for _, row := range t.Rows {
		for i := keys; i < len(row); i++ {
			key := about(row, i)
			if n, ok := said[key]; !ok {
				all = append(all, fmt.Sprintf("%s is %s, and %s says nothing of it", key, word(row[i]), theirs))
			} else if n != row[i] {
				all = append(all, fmt.Sprintf("%s is %s, and %s says %s", key, word(row[i]), theirs, word(n)))
			}
			delete(said, key)
		}
	}
	for _, row := range other.Rows { // in their order
		for i := keys; i < len(row); i++ {
			if n, ok := said[about(row, i)]; ok {
				all = append(all, fmt.Sprintf("%s is nothing of the log, and %s says %s", about(row, i), theirs, word(n)))
				delete(said, about(row, i))
			}
		}
	}
	return all
}

func word(cell string) string {
	if cell == "" {
		return "nothing"
	}
	return cell
}
