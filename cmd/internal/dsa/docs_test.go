package dsa

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestDocument holds docs/dsa.md to the code: all reasons in their order, all rules, and
// where each field comes from.
func TestDocument(t *testing.T) {
	b, err := os.ReadFile("../../../docs/dsa.md")
	if err != nil {
		t.Fatal(err)
	}
	section := func(name string) string {
		_, s, ok := strings.Cut(string(b), "\n## "+name+"\n")
		if !ok {
			t.Fatalf("no section %s", name)
		}
		s, _, _ = strings.Cut(s, "\n## ")
		return s
	}
	var reasons, rules, names []string
	word := regexp.MustCompile("`([a-z_]+)`")
	rows := func(section string, list *[]string) {
		for line := range strings.Lines(section) {
			if cells := strings.Split(line, " | "); strings.HasPrefix(line, "| `") {
				for _, m := range word.FindAllStringSubmatch(cells[0], -1) {
					*list = append(*list, m[1])
				}
			}
		}
	}
	rows(section("Which decisions have a statement"), &reasons)
	if !slices.Equal(reasons, Codes) {
		t.Errorf("reasons %q, want %q", reasons, Codes)
	}
	rows(section("The dry run"), &rules)
	for rule := range Rules {
		if !slices.Contains(rules, rule) {
			t.Errorf("the rule %s is not there", rule)
		}
	}
	if len(rules) != len(Rules) {
		t.Errorf("rules %q", rules)
	}
	rows(section("What is asked, and what is derived"), &names)
	for _, f := range fields {
		if !slices.Contains(names, f.name) {
			t.Errorf("the field %s is not there", f.name)
		}
	}
}
