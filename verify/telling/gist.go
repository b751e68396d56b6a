package telling

import "strings"

// gistLength is how many characters a gist has at most.
const gistLength = 120

// Gist returns the beginning of a text in one line.
func Gist(text string) string {
	line := strings.Join(strings.Fields(text), " ")
	n := 0
	for i := range line {
		if n++; n > gistLength {
			return strings.TrimRight(line[:i], " ") + " …"
		}
	}
	return line
}
