package demo_test

import (
	"os"
	"strings"
	"testing"
)

// TestReadme holds what the README shows of the demonstration to what it says.
func TestReadme(t *testing.T) {
	b, err := os.ReadFile("../../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(b), "<!-- demo -->\n```\n")
	shown, _, ended := strings.Cut(rest, "```\n<!-- end -->")
	if !ok || !ended {
		t.Fatal("README.md shows no demonstration between <!-- demo --> and <!-- end -->")
	}
	dir, story := once(t)
	if want := strings.ReplaceAll(story, dir, "/tmp/demo"); shown != want {
		t.Errorf("README.md shows\n%s\nthe demonstration says\n%s", shown, want)
	}
}
