package record

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxHours bounds every period: ten years.
const maxHours = 10 * 366 * 24

// A checker keeps the first fault that the checks of one part find.
type checker struct {
	part string
	err  *Error
}

func (c *checker) wrong(member, found, want string) {
	if c.err == nil {
		c.err = malformed(c.part, member, found, want)
	}
}

func (c *checker) missing(member, want string) { c.wrong(member, "nothing", want) }

// at names element i of an array.
func at(member string, i int) string { return fmt.Sprintf("%s/%d", member, i) }

func (c *checker) between(member string, n, low, high int64) {
	if n >= low && n <= high {
		return
	}
	found := fmt.Sprint(n)
	if n == 0 {
		found = "nothing or 0"
	}
	c.wrong(member, found, fmt.Sprintf("an integer from %d to %d", low, high))
}

func (c *checker) count(member string, n, low, high int) {
	if n < low || n > high {
		c.wrong(member, fmt.Sprintf("%d elements", n), fmt.Sprintf("%d to %d", low, high))
	}
}

func (c *checker) once(member, value string, seen map[string]bool) {
	if seen[value] {
		c.wrong(member, "the same a second time", "each once")
	}
	seen[value] = true
}

func (c *checker) oneOf(member, value string, allowed ...string) {
	oneOf(c, member, value, allowed)
}

func oneOf[S ~string](c *checker, member string, value S, allowed []S) {
	if slices.Contains(allowed, value) {
		return
	}
	want := words(allowed)
	if len(allowed) > 1 {
		want = "one of " + want
	}
	if value == "" {
		c.missing(member, want)
		return
	}
	c.wrong(member, quote(string(value)), want)
}

// words lists values.
func words[S ~string](values []S) string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = string(v)
	}
	return strings.Join(texts, ", ")
}

func (c *checker) roles(member string, roles []Role) {
	c.count(member, len(roles), 1, len(Roles))
	seen := map[string]bool{}
	for i, r := range roles {
		oneOf(c, at(member, i), r, Roles)
		c.once(at(member, i), string(r), seen)
	}
}

func (c *checker) text(member, s string) {
	if strings.TrimSpace(s) == "" {
		c.missing(member, "a text")
	}
}

// most bounds a text, in Unicode characters.
func (c *checker) most(member, s string, n int) {
	if got := utf8.RuneCountInString(s); got > n {
		c.wrong(member, fmt.Sprintf("%d characters", got), fmt.Sprintf("at most %d", n))
	}
}

// absent refuses a member that is there beside something it does not go with.
func (c *checker) absent(member string, there bool, beside string) {
	if there {
		c.wrong(member, "it with "+beside, "it left out")
	}
}

func (c *checker) given(member string, t Time) {
	if t == 0 {
		c.missing(member, timeForm)
	}
}

// form checks a string with a function that says whether it has its form.
func (c *checker) form(member, s string, is func(string) bool, want string) {
	switch {
	case s == "":
		c.missing(member, want)
	case !is(s):
		c.wrong(member, quote(s), want)
	}
}

var (
	langPattern    = regexp.MustCompile(`^[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,4}$`)
	countryPattern = regexp.MustCompile(`^[A-Z]{2}$`)
)

func isLang(s string) bool {
	return s == "en" || langPattern.MatchString(s) // most are, and it takes its time
}

// isSlug reports whether s is 1 to 64 of a-z, 0-9 and -, not beginning with -.
func isSlug(s string) bool {
	for i := range len(s) {
		if c := s[i]; !isLower(c) && !isDigit(c) && (c != '-' || i == 0) {
			return false
		}
	}
	return len(s) >= 1 && len(s) <= 64
}

func isCaseName(s string) bool {
	return isSlug(s) && len(s) >= 3 && !strings.HasPrefix(s, "d-")
}

func isLower(c byte) bool { return 'a' <= c && c <= 'z' }
func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// ValidOrigin reports whether s may be the origin of a ledger: a host name, with
// a port if need be, of at most 128 of a-z, 0-9, full stop, colon and -, and at
// most 8 path segments of at most 64 of these, A-Z, _ and ~; without scheme and
// final slash.
func ValidOrigin(s string) bool {
	host, path, hasPath := strings.Cut(s, "/")
	for i := range len(host) {
		if c := host[i]; !isLower(c) && !isDigit(c) && (i == 0 || !strings.Contains(".:-", string(c))) {
			return false
		}
	}
	if len(host) < 1 || len(host) > 128 || strings.Count(path, "/") > 7 {
		return false
	}
	if !hasPath {
		return true
	}
	for segment := range strings.SplitSeq(path, "/") {
		for i := range len(segment) {
			c := segment[i]
			if !isLower(c|0x20) && !isDigit(c) && !strings.Contains("._~-", string(c)) {
				return false
			}
		}
		if len(segment) < 1 || len(segment) > 64 {
			return false
		}
	}
	return true
}

func (c *checker) slug(member, s string) {
	c.form(member, s, isSlug, "1 to 64 of a-z, 0-9 and -, beginning with a letter or digit")
}

func (c *checker) caseName(member, s string) {
	c.form(member, s, isCaseName, "3 to 64 of a-z, 0-9 and -, not beginning with - or d-")
}

func (c *checker) lang(member, s string) {
	c.form(member, s, isLang, "a BCP 47 language tag like en or de-AT")
}

func (c *checker) country(member, s string) {
	c.form(member, s, countryPattern.MatchString, "an ISO 3166-1 code of two capital letters")
}

func (c *checker) origin(member, s string) {
	c.form(member, s, ValidOrigin, "the origin of a ledger, like ledger.example.com/2026")
}

// hash checks for 32 bytes in unpadded base64url.
func (c *checker) hash(member, s string) {
	const want = "43 characters of unpadded base64url (32 bytes)"
	if s == "" {
		c.missing(member, want)
		return
	}
	if b, err := decode64(s); err != nil || len(b) != 32 {
		c.wrong(member, quote(s), want)
	}
}

func (c *checker) id(member string, id ID) {
	const want = "a record id, d- and 43 characters of base64url"
	if id == "" {
		c.missing(member, want)
		return
	}
	if _, err := id.Hash(); err != nil {
		c.wrong(member, quote(string(id)), want)
	}
}

// values checks a list of words from a fixed set, each once.
func (c *checker) values(member string, list []string, low int, allowed []string) {
	c.count(member, len(list), low, len(allowed))
	seen := map[string]bool{}
	for i, v := range list {
		oneOf(c, at(member, i), v, allowed)
		c.once(at(member, i), v, seen)
	}
}

// slugs checks a list of slugs, each once.
func (c *checker) slugs(member string, list []string, low, high int) {
	c.count(member, len(list), low, high)
	seen := map[string]bool{}
	for i, s := range list {
		c.slug(at(member, i), s)
		c.once(at(member, i), s, seen)
	}
}

// ids checks a list of ids, each once.
func (c *checker) ids(member string, ids []ID, most int) {
	c.count(member, len(ids), 0, most)
	seen := map[string]bool{}
	for i, id := range ids {
		c.id(at(member, i), id)
		c.once(at(member, i), string(id), seen)
	}
}

func (c *checker) optionalID(member string, id ID) {
	if id != "" {
		c.id(member, id)
	}
}
