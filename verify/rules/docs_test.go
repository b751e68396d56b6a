package rules_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// TestFormatTables holds the tables of docs/format.md to the code.
func TestFormatTables(t *testing.T) {
	b, err := os.ReadFile("../../docs/format.md")
	if err != nil {
		t.Fatal(err)
	}
	doc := string(b)
	var codes strings.Builder
	codes.WriteString("| code | kind | in plain words |\n|---|---|---|\n")
	for _, s := range rules.Sentences {
		kind := "void"
		if s.Finding {
			kind = "finding"
		}
		if s.Whole {
			kind += ", whole log"
		}
		fmt.Fprintf(&codes, "| `%s` | %s | %s |\n", s.Code, kind, s.Text)
	}
	compare(t, doc, "codes", codes.String())

	compare(t, doc, "transitions", transitions())
	compare(t, doc, "grounds", grounds())

	var statuses strings.Builder
	statuses.WriteString("| status | may be acted on | in plain words |\n|---|---|---|\n")
	for _, s := range rules.Statuses {
		acts := "no"
		if s.Status.Acts() {
			acts = "yes"
		}
		fmt.Fprintf(&statuses, "| `%s` | %s | %s |\n", s.Status, acts, s.Text)
	}
	compare(t, doc, "statuses", statuses.String())

	var types strings.Builder
	for _, name := range record.Types {
		if !strings.Contains(doc, "`"+string(name)+"`") {
			fmt.Fprintf(&types, " %s", name)
		}
	}
	if types.Len() > 0 {
		t.Errorf("docs/format.md says nothing about%s", types.String())
	}
}

// transitions is the table of what may be decided in which state of a case.
func transitions() string {
	said := map[string]string{"": "(new case)", "open": "nothing yet", "reversed": "a measure that a ruling reversed",
		"lapsed": "a measure that lapsed", "expired": "a measure that ran out"}
	order := []string{"", "open", "decline", "forward", "warn", "reinstate", "restrict", "suspend", "terminate", "lapsed", "expired", "reversed"}
	var b strings.Builder
	b.WriteString("| in force |")
	for _, a := range record.Actions {
		fmt.Fprintf(&b, " %s |", a)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(record.Actions)) + "\n")
	for _, from := range order {
		name := said[from]
		if name == "" {
			name = "`" + from + "`"
		}
		fmt.Fprintf(&b, "| %s |", name)
		for _, a := range record.Actions {
			mark := "–"
			if slices.Contains(rules.Transitions[from], a) {
				mark = "yes"
			}
			fmt.Fprintf(&b, " %s |", mark)
		}
		b.WriteString("\n")
	}
	if len(order) != len(rules.Transitions) {
		return fmt.Sprintf("%d states, this test knows %d", len(rules.Transitions), len(order))
	}
	return b.String()
}

// grounds is the table of what each action must rest on.
func grounds() string {
	var b strings.Builder
	b.WriteString("| action | a clause that permits it | no clause | a record alone |\n|---|---|---|---|\n")
	for _, g := range rules.Grounds {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", g.Action, g.Clause, g.None, g.Alone)
	}
	return b.String()
}

// compare holds what stands between two marks of the document to want.
func compare(t *testing.T, doc, mark, want string) {
	t.Helper()
	_, rest, ok := strings.Cut(doc, "<!-- "+mark+" -->\n")
	got, _, ended := strings.Cut(rest, "<!-- end -->")
	if !ok || !ended {
		t.Fatalf("docs/format.md has no table between <!-- %s --> and <!-- end -->", mark)
	}
	if got != want {
		t.Errorf("docs/format.md: the table %q is\n%swant\n%s", mark, got, want)
	}
}
