package report_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"golang.org/x/net/html"

	"github.com/docket-ledger/docket/cmd/internal/export"
	"github.com/docket-ledger/docket/cmd/internal/report"
	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/verify"
)

// written reports a ledger, and returns both spellings.
func written(t *testing.T, w *ledgertest.World, from, to time.Time) (page, text string) {
	t.Helper()
	files := fstest.MapFS{}
	for path, b := range w.Files() {
		files[path] = &fstest.MapFile{Data: b}
	}
	p, err := verify.ParsePolicy(w.TrustPolicy())
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "report")
	c := report.Config{From: from, To: to, Tool: "docket-mirror test", Command: "docket-mirror report …"}
	if _, err := export.Run(context.Background(), export.Config{Source: verify.DirSource(files), Policies: verify.Policies{p}, Format: report.Format(c), Dir: dir}); err != nil {
		t.Fatal(err)
	}
	both := [2]string{}
	for i, name := range []string{"report.html", "report.md"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		both[i] = string(b)
	}
	return both[0], both[1]
}

// words are what a reader reads: of HTML the texts, of Markdown what it shows.
func words(t *testing.T, page string) string {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	var walk func(n *html.Node)
	walk = func(n *html.Node) {
		if n.Type == html.TextNode && n.Parent.Data != "style" && n.Parent.Data != "title" {
			b.WriteString(" " + n.Data)
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c)
		}
	}
	walk(root)
	return b.String()
}

var (
	escape = regexp.MustCompile("\\\\([!-/:-@\\[-`{-~])")
	layout = regexp.MustCompile("(?m)^#+ |^\\| (--+:? \\| ?)+(--+:? \\|)?$|^\\| | \\|$| \\| |`|^    ")
	spaces = regexp.MustCompile(`[\s:]+`)
)

func plainText(markdown string) string {
	shown := layout.ReplaceAllString(markdown, " ")
	return escape.ReplaceAllString(shown, "$1")
}

// TestSame: the page and the Markdown say the same, of an ordinary ledger and of one whose
// texts are hostile.
func TestSame(t *testing.T) {
	for name, w := range map[string]*ledgertest.World{"varied": ledgertest.NewVaried(t, 300), "hostile": ledgertest.NewHostile(t)} {
		day := w.Now().UTC().Truncate(24 * time.Hour)
		page, text := written(t, w, day.AddDate(-1, 0, 0), day.AddDate(1, 0, 0))
		squeeze := func(s string) string { return strings.TrimSpace(spaces.ReplaceAllString(s, " ")) }
		a, b := squeeze(words(t, page)), squeeze(plainText(text))
		if a != b {
			at := 0
			for at < min(len(a), len(b)) && a[at] == b[at] {
				at++
			}
			t.Errorf("%s: the page says …%.160q, the Markdown …%.160q", name, a[max(0, at-30):], b[max(0, at-30):])
		}
		if strings.Contains(page, "<script") || strings.Contains(page, "<img") || strings.Contains(escape.ReplaceAllString(text, ""), "<") {
			t.Errorf("%s: a text of a record is markup", name)
		}
		if strings.ContainsAny(page+text, "\u202e\u200b\u2066") {
			t.Errorf("%s: a hidden character is in the report", name)
		}
		for line := range strings.Lines(text) {
			if strings.HasPrefix(line, "|") && strings.Count(strings.ReplaceAll(line, `\|`, ""), "|") < 3 {
				t.Errorf("%s: a row of a table is %q", name, line)
			}
		}
	}
}

// TestPeriods: what happened on a day is in the report of that day, and in no other.
func TestPeriods(t *testing.T) {
	w := ledgertest.New(t, nil)
	w.Submit(w.Sign(w.Decision("one"), "dora", "erik"))
	first := w.Now().UTC().Truncate(24 * time.Hour)
	w.Advance(48 * time.Hour)
	w.Submit(w.Sign(w.Decision("two"), "dora", "erik"))
	w.Submit(w.Sign(w.Decision("three"), "dora", "erik"))
	for days, want := range map[[2]int]string{{0, 0}: "1", {0, 1}: "1", {0, 2}: "3", {1, 2}: "2", {2, 30}: "2", {1, 1}: "0", {-30, -1}: "0"} {
		_, text := written(t, w, first.AddDate(0, 0, days[0]), first.AddDate(0, 0, days[1]))
		if line := fmt.Sprintf("| All | %s |\n| Acted against somebody |", want); !strings.Contains(text, line) {
			t.Errorf("days %v: %.400s, want %s", days, text, line)
		}
		if empty := strings.Contains(text, "## Nothing in this period"); empty != (want == "0") {
			t.Errorf("days %v: empty is %t with %s decisions", days, empty, want)
		}
	}
}
