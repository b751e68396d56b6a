package casefile_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/docket-ledger/docket/cmd/internal/casefile"
	"github.com/docket-ledger/docket/cmd/internal/demo"
	"github.com/docket-ledger/docket/verify"
)

// The case of the demonstration: declined, restricted in an emergency, approved.
var demonstration = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "docket-casefile-")
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "demo"), demo.Run(context.Background(), demo.Config{Dir: filepath.Join(dir, "demo"), Once: true, Out: io.Discard})
})

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := demonstration(); err == nil {
		os.RemoveAll(filepath.Dir(dir))
	}
	os.Exit(code)
}

func example(t testing.TB) (*casefile.File, []*verify.Policy) {
	t.Helper()
	dir, err := demonstration()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "trust.policy"))
	if err != nil {
		t.Fatal(err)
	}
	policy, err := verify.ParsePolicy(text)
	if err != nil {
		t.Fatal(err)
	}
	f := &casefile.File{Origin: "demo.docket.example/2026", Case: "example-emergency"}
	for index, name := range map[int64]string{11: "11-example-emergency-decline", 12: "12-example-emergency-restrict", 13: "13-example-emergency-ratification"} {
		b, err := os.ReadFile(filepath.Join(dir, "receipts", name+".tlog-proof"))
		if err != nil {
			t.Fatal(err)
		}
		r, err := verify.ParseReceipt(b)
		if err != nil {
			t.Fatal(err)
		}
		p, err := r.Check(policy, nil)
		if err != nil {
			t.Fatal(err)
		}
		f.Entries = append(f.Entries, casefile.Entry{Index: index, ID: p.ID, Type: p.Record.Payload().Head().Type, Receipt: b})
	}
	for i := range f.Entries { // by index
		for j := range i {
			if f.Entries[i].Index < f.Entries[j].Index {
				f.Entries[i], f.Entries[j] = f.Entries[j], f.Entries[i]
			}
		}
	}
	return f, []*verify.Policy{policy}
}

func written(t testing.TB, f *casefile.File, policies []*verify.Policy) []byte {
	t.Helper()
	story, err := f.Check(policies)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := casefile.Write(&b, f, story); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestRoundTrip: what is written is read, holds, and is the same bytes each time.
func TestRoundTrip(t *testing.T) {
	f, policies := example(t)
	b := written(t, f, policies)
	if !bytes.Equal(b, written(t, f, policies)) {
		t.Error("a second time it has other bytes")
	}
	again, err := casefile.Read(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	story, err := again.Check(policies)
	if err != nil || len(story.Entries) != 3 {
		t.Fatalf("%+v, %v", story, err)
	}
	var told strings.Builder
	if err := story.Tell(&told, func(s string) string { return s }); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"decision to restrict", "duty-officer (decider)", "Immediate danger to life", "does not show"} {
		if !strings.Contains(told.String(), want) {
			t.Errorf("no %q in\n%s", want, told.String())
		}
	}
	if !bytes.Equal(b, written(t, again, policies)) {
		t.Error("written again it has other bytes")
	}
}

// rezip changes the files of a zip.
func rezip(t *testing.T, b []byte, change func(files map[string][]byte)) []byte {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, f := range z.File {
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if files[f.Name], err = io.ReadAll(in); err != nil {
			t.Fatal(err)
		}
	}
	change(files)
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for name, text := range files {
		f, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestTampered: whatever is changed in the file is found, but in the words that
// nobody believes.
func TestTampered(t *testing.T) {
	f, policies := example(t)
	good := written(t, f, policies)
	name := func(i int64) string { return fmt.Sprintf("receipts/%06d.tlog-proof", i) }
	check := func(change func(files map[string][]byte)) error {
		b := rezip(t, good, change)
		f, err := casefile.Read(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return err
		}
		_, err = f.Check(policies)
		return err
	}
	if err := check(func(files map[string][]byte) { files["case.txt"], files["index.html"] = []byte("lies"), nil }); err != nil {
		t.Errorf("the words were believed: %v", err)
	}
	for what, change := range map[string]func(files map[string][]byte){
		"a byte of a receipt":  func(files map[string][]byte) { files[name(12)][200] ^= 1 },
		"receipts swapped":     func(files map[string][]byte) { files[name(11)], files[name(12)] = files[name(12)], files[name(11)] },
		"a receipt gone":       func(files map[string][]byte) { delete(files, name(12)) },
		"a file too many":      func(files map[string][]byte) { files["notes.txt"] = nil },
		"a path out of place":  func(files map[string][]byte) { files["../case.json"] = nil },
		"a receipt not listed": func(files map[string][]byte) { files[name(99)] = files[name(12)] },
		"no list":              func(files map[string][]byte) { delete(files, "case.json") },
		"another case": func(files map[string][]byte) {
			files["case.json"] = bytes.Replace(files["case.json"], []byte("example-emergency"), []byte("example-other"), 1)
		},
		"another origin": func(files map[string][]byte) {
			files["case.json"] = bytes.Replace(files["case.json"], []byte("demo.docket"), []byte("mode.docket"), 1)
		},
		"another type": func(files map[string][]byte) {
			files["case.json"] = bytes.Replace(files["case.json"], []byte(`"decision"`), []byte(`"ruling"`), 1)
		},
		"an unknown member": func(files map[string][]byte) {
			files["case.json"] = bytes.Replace(files["case.json"], []byte(`"v"`), []byte(`"w": 1, "v"`), 1)
		},
		"another version": func(files map[string][]byte) {
			files["case.json"] = bytes.Replace(files["case.json"], []byte(`"v": 1`), []byte(`"v": 2`), 1)
		},
		"a receipt of a megabyte": func(files map[string][]byte) { files[name(12)] = make([]byte, verify.MaxReceipt+1) },
		"a list without an end":   func(files map[string][]byte) { files["case.json"] = bytes.Repeat([]byte(" "), 2<<20) },
		"an act said to be void": func(files map[string][]byte) {
			files["case.json"] = bytes.Replace(files["case.json"], []byte(`000011.tlog-proof"`), []byte(`000011.tlog-proof", "void": true`), 1)
		},
		"an act in the middle out": func(files map[string][]byte) { dropMiddle(files, name(12)) },
	} {
		if err := check(change); err == nil {
			t.Errorf("%s: it holds", what)
		}
	}
	err := check(func(files map[string][]byte) { dropMiddle(files, name(12)) })
	if !errors.Is(err, verify.ErrNotShown) {
		t.Errorf("an act in the middle out: %v, want ErrNotShown", err)
	}
	if _, err := casefile.Read(strings.NewReader("no zip"), 6); err == nil {
		t.Error("what is no zip was read")
	}
}

// dropMiddle takes the second record out of the list and the files.
func dropMiddle(files map[string][]byte, name string) {
	delete(files, name)
	text := string(files["case.json"])
	parts := strings.SplitAfter(text, "},")
	files["case.json"] = []byte(parts[0] + parts[2])
}

func FuzzRead(f *testing.F) {
	file, policies := example(f)
	f.Add(written(f, file, policies))
	f.Add([]byte("PK\x05\x06" + strings.Repeat("\x00", 18)))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := casefile.Read(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		for i, e := range got.Entries {
			if i > 0 && e.Index <= got.Entries[i-1].Index || len(e.Receipt) > verify.MaxReceipt {
				t.Errorf("entry %d of %+v", i, e.Index)
			}
		}
	})
}
