package web

import (
	"fmt"
	"html/template"
	"net/url"
	"strings"
	"time"

	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/telling"
)

// functions are what templates may call.
var functions = template.FuncMap{
	"static":  static,
	"script":  script,
	"plain":   plainLine,
	"prose":   newProse,
	"moment":  newMoment,
	"number":  number,
	"plural":  plural,
	"excerpt": excerpt,
	"short":   short,
	"segment": url.PathEscape,
	"percent": percent,
	"lasting": lasting,
	"upper":   upperFirst,
}

// prose is a text of a record, in paragraphs, in its language.
type prose struct {
	Lang  string
	Paras []string
}

// newProse takes a text apart. What is hidden in it becomes visible.
func newProse(lang, text string) prose {
	p := prose{Lang: lang}
	for line := range strings.Lines(strings.ReplaceAll(text, "\r\n", "\n")) {
		if line = strings.TrimSpace(line); line != "" {
			p.Paras = append(p.Paras, telling.Plain(line))
		}
	}
	return p
}

// A moment is a time as people read it and as programs do.
type moment struct {
	Known   bool
	RFC3339 string
	Day     string // 23 November 2026
	Clock   string // 08:00:05 UTC
}

// newMoment takes a record.Time, or seconds since 1970.
func newMoment(at any) (moment, error) {
	var t record.Time
	switch at := at.(type) {
	case record.Time:
		t = at
	case int64:
		t = record.Time(at)
	default:
		return moment{}, fmt.Errorf("a %T is no time", at)
	}
	if t == 0 {
		return moment{}, nil
	}
	u := time.Unix(t.Unix(), 0).UTC()
	return moment{true, t.String(), u.Format("2 January 2006"), u.Format("15:04:05 UTC")}, nil
}

// number writes a number with thin spaces, as in 100 000.
func number(n any) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "\u202f" + s[i:]
	}
	return s
}

// plural writes a number with its noun.
func plural(n any, one, many string) string {
	if fmt.Sprint(n) == "1" {
		return "1 " + one
	}
	return number(n) + " " + many
}

// excerpt is the beginning of a text in one line, of at most so many characters.
func excerpt(most int, text string) string {
	text = plainLine(text)
	runes := []rune(text)
	if len(runes) <= most {
		return text
	}
	cut := string(runes[:most])
	if at := strings.LastIndexByte(cut, ' '); at > most/2 {
		cut = cut[:at]
	}
	return cut + " …"
}

// short is a hash or an id that is long, as far as people compare it.
func short(s string) string {
	if len(s) <= 16 {
		return s
	}
	return s[:12] + "…"
}

// plainLine is telling.Plain in one line.
func plainLine(s string) string { return telling.Plain(strings.Join(strings.Fields(s), " ")) }

// plainLines is telling.Plain that keeps the lines.
func plainLines(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = telling.Plain(line)
	}
	return strings.Join(lines, "\n")
}
