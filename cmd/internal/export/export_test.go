package export_test

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/docket-ledger/docket/cmd/internal/export"
	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// A copied log is what a mirror of a World has.
type copied struct {
	files    fstest.MapFS
	policies verify.Policies
}

func copyOf(tb testing.TB, w *ledgertest.World) copied {
	tb.Helper()
	p, err := verify.ParsePolicy(w.TrustPolicy())
	if err != nil {
		tb.Fatal(err)
	}
	log := copied{fstest.MapFS{}, verify.Policies{p}}
	for name, b := range w.Files() {
		log.files[name] = &fstest.MapFile{Data: b}
	}
	return log
}

func (c copied) config(format export.Format, dir string) export.Config {
	return export.Config{Source: verify.DirSource(c.files), Policies: c.policies, Format: format, Dir: dir, Tool: "test 1", Made: 1_700_000_000}
}

// export exports into a folder of its own, and checks that with Verify.
func (c copied) export(tb testing.TB, format export.Format) (string, *export.Manifest) {
	tb.Helper()
	dir := filepath.Join(tb.TempDir(), "out")
	m, err := export.Run(tb.Context(), c.config(format, dir))
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := export.Verify(os.DirFS(dir), c.policies); err != nil {
		tb.Fatal(err)
	}
	return dir, m
}

func format(tb testing.TB, name string) export.Format {
	tb.Helper()
	i := slices.IndexFunc(export.Formats, func(f export.Format) bool { return f.Name == name })
	if i < 0 {
		tb.Fatalf("no format %s", name)
	}
	return export.Formats[i]
}

// odd adds a void and an effective decision whose texts a spreadsheet would calculate
// with, or that break lines.
func odd(tb testing.TB) *ledgertest.World {
	w := ledgertest.New(tb, nil)
	for i, text := range oddTexts {
		p := w.Decision("odd" + string(rune('a'+i)) + ".example")
		p.Case, p.Facts, p.Reasons, p.Subject.Name = "case-odd-"+string(rune('a'+i)), text, "x"+text, text
		w.Submit(w.Sign(p, "dora", "erik"))
	}
	return w
}

var oddTexts = []string{"=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "'=1", "''", "＝1", "a,b", `say "x"`, "a\r\nb\nc\rd", "nul\x00nul", " =1 ", "1", "a;b"}

// worlds are the ledgers that the formats are tried on.
func worlds(tb testing.TB) map[string]copied {
	every := ledgertest.New(tb, nil)
	every.EveryType("a text")
	return map[string]copied{"varied": copyOf(tb, ledgertest.NewVaried(tb, 600)), "every type": copyOf(tb, every),
		"hostile": copyOf(tb, ledgertest.NewHostile(tb)), "odd": copyOf(tb, odd(tb))}
}

// TestSame: the same log gives the same files.
func TestSame(t *testing.T) {
	log := copyOf(t, ledgertest.NewVaried(t, 300))
	for _, f := range export.Formats {
		_, first := log.export(t, f)
		_, again := log.export(t, f)
		if !slices.Equal(first.Files, again.Files) {
			t.Errorf("%s: %+v and %+v", f.Name, first.Files, again.Files)
		}
	}
}

// left lists what a folder has.
func left(tb testing.TB, dir string) (names []string) {
	tb.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		tb.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestBroken: of a log that does not hold nothing is exported, wherever it is broken.
func TestBroken(t *testing.T) {
	log := copyOf(t, ledgertest.NewVaried(t, 600))
	for i, name := range slices.Sorted(maps.Keys(log.files)) {
		bad := copied{maps.Clone(log.files), log.policies}
		b := slices.Clone(log.files[name].Data)
		b[len(b)/2] ^= 1
		bad.files[name] = &fstest.MapFile{Data: b}
		parent := t.TempDir()
		_, err := export.Run(t.Context(), bad.config(export.Formats[i%len(export.Formats)], filepath.Join(parent, "out")))
		if !errors.Is(err, export.ErrBroken) && !errors.Is(err, verify.ErrCheckpoint) {
			t.Errorf("%s: %v", name, err)
		}
		if names := left(t, parent); len(names) > 0 {
			t.Errorf("%s: there is %s", name, names)
		}
	}
}

// failing is a format that fails, or stops the export, at a record or at the end.
type failing struct {
	at  int64
	how func() error
}

func (f failing) Add(index int64, _ record.Checked, _ rules.Standing) error {
	if index == f.at {
		return f.how()
	}
	return nil
}

func (f failing) Finish(*verify.Summary) error { return f.how() }

// TestInterrupted: after an error, or if it is stopped, nothing is left.
func TestInterrupted(t *testing.T) {
	log := copyOf(t, ledgertest.NewVaried(t, 600))
	full := errors.New("no space left")
	for _, at := range []int64{0, 300, -1} {
		ctx, cancel := context.WithCancel(t.Context())
		for _, test := range []struct {
			how  func() error
			want error
		}{{func() error { return full }, full}, {func() error { cancel(); return ctx.Err() }, context.Canceled}} {
			parent := t.TempDir()
			begin := func(d *export.Folder) (export.Writer, error) {
				f, err := d.Create("half.csv")
				if err == nil {
					_, err = f.Write([]byte("a,b\r\n"))
				}
				return failing{at, test.how}, err
			}
			_, err := export.Run(ctx, log.config(export.Format{Name: "failing", Begin: begin}, filepath.Join(parent, "out")))
			if !errors.Is(err, test.want) {
				t.Errorf("at %d: %v, want %v", at, err, test.want)
			}
			if names := left(t, parent); len(names) > 0 {
				t.Errorf("at %d: there is %s", at, names)
			}
		}
		cancel()
	}
}

// TestInUse: what is there already stays, but for an empty folder.
func TestInUse(t *testing.T) {
	log := copyOf(t, ledgertest.New(t, nil))
	parent := t.TempDir()
	run := func(dir string) error {
		_, err := export.Run(t.Context(), log.config(format(t, "csv"), filepath.Join(parent, dir)))
		return err
	}
	if err := os.WriteFile(filepath.Join(parent, "file"), []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(parent, "empty"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := run("file"); !errors.Is(err, export.ErrInUse) {
		t.Error(err)
	}
	if b, err := os.ReadFile(filepath.Join(parent, "file")); err != nil || string(b) != "mine" {
		t.Errorf("%q, %v", b, err)
	}
	if err := run("empty"); err != nil {
		t.Error(err)
	}
	if err := run("empty"); !errors.Is(err, export.ErrInUse) || !strings.Contains(err.Error(), "SHA256SUMS") {
		t.Error(err)
	}
	if err := run("no/such/parent"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	want := []string{"SHA256SUMS", "decisions.csv", "manifest.json", "records.csv"}
	if got := left(t, filepath.Join(parent, "empty")); !slices.Equal(got, want) {
		t.Errorf("there is %s", got)
	}
	if got := left(t, parent); !slices.Equal(got, []string{"empty", "file"}) {
		t.Errorf("there is %s", got)
	}
}
