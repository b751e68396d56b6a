// Package report writes the transparency report of a period: one document, as HTML and as
// Markdown, of numbers that package stats of verify counts.
package report

import (
	"embed"
	"fmt"
	"html/template"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/docket-ledger/docket/verify/telling"
)

// document.go is a document and how it is spelled, report.go what stands in it.

// A document is what both spellings say.
type document struct {
	Title    string
	Subtitle string
	Sections []section
}

// A section is a heading with texts and tables. Words in `backquotes` are code; all
// else is text as it is.
type section struct {
	Title  string
	Texts  []string
	Tables []*table
	After  []string // texts
	Code   string   // a line to copy
}

// A table has a first column of words and others of numbers.
type table struct {
	Caption string
	Header  []string
	Rows    [][]string
	Words   int // the first so many columns are words; at least 1
}

//go:embed report.html
var htmlFile embed.FS

var htmlTemplate = template.Must(template.New("report.html").Funcs(template.FuncMap{
	"runs":  runs,
	"wordy": func(t *table, i int) bool { return i < max(t.Words, 1) },
}).ParseFS(htmlFile, "report.html"))

// html writes d as one page that loads nothing.
func (d *document) html(w io.Writer) error { return htmlTemplate.Execute(w, d) }

// A run is a part of a text.
type run struct {
	Text string
	Code bool
}

// runs takes a text apart at its backquotes.
func runs(text string) []run {
	var all []run
	for i, part := range strings.Split(text, "`") {
		if part != "" {
			all = append(all, run{part, i%2 == 1})
		}
	}
	return all
}

// markdown writes d as CommonMark with the tables of GitHub.
func (d *document) markdown(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s\n", escaped(d.Title), marked(d.Subtitle))
	for _, s := range d.Sections {
		fmt.Fprintf(&b, "\n## %s\n", escaped(s.Title))
		for _, text := range s.Texts {
			fmt.Fprintf(&b, "\n%s\n", marked(text))
		}
		for _, t := range s.Tables {
			t.markdown(&b)
		}
		for _, text := range s.After {
			fmt.Fprintf(&b, "\n%s\n", marked(text))
		}
		if s.Code != "" {
			fmt.Fprintf(&b, "\n    %s\n", s.Code)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (t *table) markdown(b *strings.Builder) {
	if t.Caption != "" {
		fmt.Fprintf(b, "\n%s:\n", escaped(t.Caption))
	}
	b.WriteString("\n|")
	for _, h := range t.Header {
		b.WriteString(" " + escaped(h) + " |")
	}
	b.WriteString("\n|")
	for i := range t.Header {
		if i < max(t.Words, 1) {
			b.WriteString(" --- |")
		} else {
			b.WriteString(" ---: |")
		}
	}
	for _, row := range t.Rows {
		b.WriteString("\n|")
		for _, cell := range row {
			b.WriteString(" " + escaped(cell) + " |")
		}
	}
	b.WriteString("\n")
}

// marked escapes a text but for its code.
func marked(text string) string {
	var b strings.Builder
	for _, r := range runs(text) {
		if r.Code {
			b.WriteString("`" + r.Text + "`")
		} else {
			b.WriteString(escaped(r.Text))
		}
	}
	return b.String()
}

// escaped makes a text one that Markdown shows as it is.
func escaped(text string) string {
	var b strings.Builder
	for i, r := range text {
		if strings.ContainsRune("\\`*_{}[]<>#|~&!^$=", r) || r == ':' && strings.HasPrefix(text[i+1:], "//") || i == 0 && strings.ContainsRune("+-", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// longest is how much of a text of a record is shown, in characters.
const longest = 120

// told makes a text of a record one line in which nothing is hidden.
func told(text string) string {
	text = telling.Plain(strings.Join(strings.Fields(strings.ReplaceAll(text, "`", "'")), " "))
	if utf8.RuneCountInString(text) > longest {
		text = string([]rune(text)[:longest]) + "…"
	}
	return text
}
