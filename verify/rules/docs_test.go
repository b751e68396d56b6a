package rules_test

import (
	"fmt"
	"os"
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

	names := map[string]string{"": "(new case)"}
	var transitions strings.Builder
	transitions.WriteString("| in force | may be decided |\n|---|---|\n")
	for _, from := range []string{"", "decline", "forward", "warn", "reinstate", "restrict", "suspend", "terminate", "lapsed"} {
		name := from
		if n := names[from]; n != "" {
			name = n
		}
		fmt.Fprintf(&transitions, "| %s | %s |\n", name, join(rules.Transitions[from]))
	}
	if len(rules.Transitions) != 9 {
		t.Errorf("%d rows of transitions, this test knows 9", len(rules.Transitions))
	}
	compare(t, doc, "transitions", transitions.String())
}

func join(actions []record.Action) string {
	words := make([]string, len(actions))
	for i, a := range actions {
		words[i] = string(a)
	}
	return strings.Join(words, ", ")
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
