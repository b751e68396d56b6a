package casefile

import (
	"html/template"
	"io"
	"strings"
)

// A section is a record of the case as the page shows it, or, without a title,
// what stands before and after the records.
type section struct {
	Title string
	Rows  []row
	Lines []string
}

// A row is a label and what it says, a paragraph to a line.
type row struct {
	Label string
	Lines []string
}

// labelWidth is where the text of a line begins, as telling.Case writes it.
const labelWidth = 4 + 13

// sections takes the words of a case apart: a line for a record, then lines with
// a label and a text.
func sections(words string) []section {
	var all []section
	for line := range strings.Lines(words) {
		line = strings.TrimSuffix(line, "\n")
		last := len(all) - 1
		switch {
		case line == "":
			all = append(all, section{})
		case strings.HasPrefix(line, "entry "):
			all = append(all, section{Title: line})
		case last >= 0 && all[last].Title != "" && strings.HasPrefix(line, "    ") && len(line) > labelWidth:
			label, text := strings.TrimSpace(line[4:labelWidth]), line[labelWidth:]
			rows := all[last].Rows
			if label == "" && len(rows) > 0 {
				rows[len(rows)-1].Lines = append(rows[len(rows)-1].Lines, text)
			} else {
				all[last].Rows = append(rows, row{label, []string{text}})
			}
		default:
			if last < 0 || all[last].Title != "" {
				all = append(all, section{})
				last++
			}
			all[last].Lines = append(all[last].Lines, line)
		}
	}
	return all
}

// writePage writes the words of a case as a page that needs nothing but itself,
// and prints well.
func writePage(w io.Writer, name, origin, words string) error {
	return pageTemplate.Execute(w, map[string]any{"Case": name, "Origin": origin, "Sections": sections(words)})
}

var pageTemplate = template.Must(template.New("case").Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Case {{.Case}} of {{.Origin}}</title>
<style>
:root { color-scheme: light dark }
body { max-width: 46rem; margin: 2rem auto; padding: 0 1rem; font: 1rem/1.55 Georgia, serif; overflow-wrap: anywhere }
h1 { font-size: 1.5rem; line-height: 1.25 }
h2 { font-size: 1.05rem; line-height: 1.4; margin: 0 0 .5rem }
section { border-top: 1px solid; margin-top: 1.5rem; padding-top: 1rem; break-inside: avoid }
dl { margin: 0; display: grid; grid-template-columns: 7rem 1fr; gap: .25rem 1rem }
dt { opacity: .75 } dd { margin: 0 } dd p { margin: 0 }
code { font: .85em ui-monospace, monospace }
@media (max-width: 32rem) { dl { display: block } dd { margin: 0 0 .5rem } }
@media print { body { margin: 0; max-width: none; font-size: 10pt } }
</style>
<h1>Case {{.Case}} of {{.Origin}}</h1>
<p>This page tells the case in words. Do not believe it: the receipts beside it prove it. Whoever trusts the log's key checks
them, without the operator and without a network, with <code>docket-verify case --policy trust.policy THIS-FILE.zip</code></p>
{{range .Sections}}{{if .Title}}<section>
<h2>{{.Title}}</h2>
<dl>{{range .Rows}}
<dt>{{.Label}}</dt><dd>{{range .Lines}}<p>{{.}}</p>{{end}}</dd>{{end}}
</dl>
</section>
{{else}}{{range .Lines}}<p>{{.}}</p>
{{end}}{{end}}{{end}}</html>
`))
