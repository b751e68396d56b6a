package main_test

import (
	"debug/buildinfo"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestModules compares what is linked into docket-verify, as go version -m shows
// it, with the list in testdata: a new line there needs its reason in
// docs/dependencies.md.
func TestModules(t *testing.T) {
	program := filepath.Join(t.TempDir(), "docket-verify")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range info.Deps {
		got = append(got, m.Path)
	}
	slices.Sort(got)
	b, err := os.ReadFile("testdata/modules.txt")
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Fields(string(b)); !slices.Equal(got, want) {
		t.Errorf("docket-verify links\n%s\ntestdata/modules.txt says\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestDependencies holds docs/dependencies.md to go.mod: a line for each direct
// dependency, and none for what is not one.
func TestDependencies(t *testing.T) {
	read := func(path string) string {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	direct := map[string]bool{}
	for line := range strings.Lines(read("../../go.mod")) {
		f := strings.Fields(line)
		if len(f) == 2 && strings.Contains(f[0], ".") && strings.HasPrefix(line, "\t") {
			direct[f[0]] = true
		}
	}
	if len(direct) < 10 {
		t.Fatalf("go.mod has %d direct dependencies: this test reads it wrongly", len(direct))
	}
	for line := range strings.Lines(read("../../docs/dependencies.md")) {
		if module, ok := strings.CutPrefix(line, "| `"); ok {
			module, _, _ = strings.Cut(module, "`")
			if !direct[module] {
				t.Errorf("docs/dependencies.md has a line for %s, which go.mod does not require directly", module)
			}
			delete(direct, module)
		}
	}
	for m := range direct {
		t.Errorf("docs/dependencies.md has no line for %s", m)
	}
}
