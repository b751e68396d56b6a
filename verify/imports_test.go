package verify_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/docket-ledger/docket/"

// A goFile is a source file of this module that is not a test.
type goFile struct {
	name    string // slash-separated, from the module's root
	dir     string
	imports []string // of ours without the module's path: "verify/tile"
	ast     *ast.File
}

// goFiles returns the source files below a folder of the module, without tests.
func goFiles(t *testing.T, folder string) []goFile {
	t.Helper()
	var files []goFile
	root := os.DirFS("..")
	err := fs.WalkDir(root, folder, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || name != "." && d.Name()[0] == '.'):
			return fs.SkipDir
		case d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		src, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, src, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		file := goFile{name: name, dir: path.Dir(name), ast: f}
		for _, spec := range f.Imports {
			p, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			file.imports = append(file.imports, strings.TrimPrefix(p, module))
		}
		files = append(files, file)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Fatalf("no source files in %s", folder)
	}
	return files
}

// within reports whether p is one of the patterns, or below one that ends in
// "/...".
func within(p string, patterns ...string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		prefix, below := strings.CutSuffix(pattern, "/...")
		return p == prefix || below && strings.HasPrefix(p, prefix+"/")
	})
}

// ours reports whether an import is of this module.
func ours(p string) bool { return within(p, "verify/...", "ledger/...", "api/...", "cmd/...") }

// TestImports keeps the auditor's reading list short. Everything that package
// verify and those below it import is named here; a new line needs its reason in
// docs/dependencies.md.
func TestImports(t *testing.T) {
	outside := []string{
		"golang.org/x/mod/sumdb/note",                 // signed checkpoints
		"golang.org/x/mod/sumdb/tlog",                 // Merkle proofs, RFC 6962
		"github.com/go-jose/go-jose/v4",               // signatures of records, RFC 7515
		"github.com/go-json-experiment/json",          // records as structs
		"github.com/go-json-experiment/json/jsontext", // canonical JSON, RFC 8785
		"filippo.io/mldsa",                            // ML-DSA-44 cosignatures
	}
	impure := []string{"net/...", "os/...", "log/...", "math/rand/...", "syscall/...", "plugin", "unsafe"}
	clock := []string{"Now", "Since", "Until", "After", "AfterFunc", "Sleep", "Tick", "NewTimer", "NewTicker"}

	for _, file := range goFiles(t, "verify") {
		for _, p := range file.imports {
			first, _, _ := strings.Cut(p, "/")
			foreign := strings.Contains(first, ".") || ours(p)
			if within(p, impure...) || foreign && !within(p, "verify/...") && !slices.Contains(outside, p) {
				t.Errorf("%s imports %s", file.name, p)
			}
		}
		ast.Inspect(file.ast, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := sel.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains(clock, sel.Sel.Name) {
					t.Errorf("%s uses time.%s: package verify has no clock", file.name, sel.Sel.Name)
				}
			}
			return true
		})
	}
}

// TestLayout holds the arrows between the packages of this module. Tests, and
// packages that are for tests, may import anything.
func TestLayout(t *testing.T) {
	// Each of these is imported by the named packages only.
	restricted := []struct {
		what string
		by   []string
	}{
		{"github.com/google/trillian/...", []string{"ledger/tree/...", "ledger/pebblestore/..."}},
		{"github.com/cockroachdb/pebble/v2/...", []string{"ledger/pebblestore/...", "ledger/state", "ledger/index",
			"ledger/tree/embedded"}}, // which hands over the shared cache and the file system
		{"github.com/gorilla/mux", []string{"api"}},
		{"ledger/tree/embedded", engineUsers},
		{"ledger/tree/fleet", engineUsers},
		{"cmd/...", []string{"cmd/..."}},
		{"api", []string{"cmd/docketd", "cmd/docket-bench", "cmd/internal/demo"}},
		{"api/web/...", []string{"api", "api/web/..."}},
		{"ledger/...", []string{"ledger/...", "api", "api/web/...", "cmd/docketd", "cmd/docket-bench", "cmd/internal/datadir", "cmd/internal/demo"}},
	}
	// Each of these imports of ours the named packages only.
	auditor := []string{"verify/...", "api/client", "api/problem", "cmd/internal/cli", "cmd/internal/source"}
	confined := []struct {
		who  string
		what []string
	}{
		{"verify/...", []string{"verify/..."}},
		{"ledger/pebblestore/...", []string{"ledger/pebblestore/..."}},
		{"ledger/tree", []string{"verify/..."}},
		{"ledger/...", []string{"ledger/...", "verify/..."}},
		{"api/client", []string{"verify/...", "api/problem", "api/proof"}},
		{"api/proof", []string{"verify/..."}},
		{"api/problem", []string{"verify/..."}},
		{"cmd/internal/cli", nil},
		{"cmd/docket", slices.Concat(auditor, []string{"cmd/internal/..."})},
		{"cmd/docket-bench", []string{"verify/...", "api/client", "api/problem", "cmd/internal/cli", "cmd/internal/keyfile"}},
		{"cmd/docket-verify/...", slices.Concat(auditor, []string{"cmd/internal/watch"})},
		{"cmd/docket-mirror/...", slices.Concat(auditor, []string{"cmd/internal/mirror", "cmd/internal/witnessing", "cmd/internal/export", "cmd/internal/dsa", "cmd/internal/report"})},
		{"cmd/internal/mirror", []string{"verify/...", "api/client", "api/problem"}},
		{"cmd/internal/export", []string{"verify/...", "cmd/internal/dsa"}},
		{"cmd/internal/dsa", []string{"verify/..."}},
		{"cmd/internal/report", []string{"verify/...", "cmd/internal/export"}},
		{"cmd/internal/source", []string{"verify/...", "api/client", "api/problem", "cmd/internal/cli"}},
		{"cmd/internal/witnessing", []string{"verify/..."}},
		{"cmd/internal/watch", []string{"verify/...", "api/client", "api/problem"}},
	}
	for _, file := range goFiles(t, ".") {
		if forTests(file.dir) {
			continue
		}
		for _, p := range file.imports {
			if ours(p) && forTests(p) {
				t.Errorf("%s imports %s, which is for tests", file.name, p)
			}
			for _, r := range restricted {
				if within(p, r.what) && !within(file.dir, r.by...) {
					t.Errorf("%s imports %s, which is for %s", file.name, p, strings.Join(r.by, ", "))
				}
			}
			for _, c := range confined {
				if within(file.dir, c.who) && ours(p) && !within(p, c.what...) {
					t.Errorf("%s imports %s; of ours it may import %s", file.name, p, strings.Join(c.what, ", "))
				}
			}
		}
	}
}

// forTests reports whether a package is for tests only: treetest, ledgertest.
func forTests(dir string) bool { return strings.HasSuffix(dir, "test") }

// engineUsers put a ledger together.
var engineUsers = []string{"cmd/docketd", "cmd/docket-bench", "cmd/internal/datadir", "cmd/internal/demo"}

// TestTopLevel keeps the number of places to look in at five.
func TestTopLevel(t *testing.T) {
	entries, err := os.ReadDir("..")
	if err != nil {
		t.Fatal(err)
	}
	known := []string{"cmd", "ledger", "api", "verify", "docs", "go.mod", "go.sum", "README.md", "LICENSE"}
	for _, e := range entries {
		if e.Name()[0] != '.' && !slices.Contains(known, e.Name()) {
			t.Errorf("%s has no place at the top level", e.Name())
		}
	}
}
