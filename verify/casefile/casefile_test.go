package casefile_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/casefile"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/telling"
)

// demonstration holds the receipts of docket demo, whose case was declined,
// restricted in an emergency, approved.
var demonstration = filepath.Join("..", "testdata", "golden")

func example(t testing.TB) (*casefile.File, []*verify.Policy) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(demonstration, "trust.policy"))
	if err != nil {
		t.Fatal(err)
	}
	policy, err := verify.ParsePolicy(text)
	if err != nil {
		t.Fatal(err)
	}
	f := &casefile.File{Origin: "demo.docket.example/2026", Case: "example-emergency"}
	for _, name := range []string{"11-example-emergency-decline", "12-example-emergency-restrict", "13-example-emergency-ratification"} {
		b, err := os.ReadFile(filepath.Join(demonstration, "receipts", name+".tlog-proof"))
		if err != nil {
			t.Fatal(err)
		}
		f.Entries = append(f.Entries, entry(t, b, policy))
	}
	return f, []*verify.Policy{policy}
}

// entry is what a receipt is for.
func entry(t testing.TB, b []byte, policy *verify.Policy) casefile.Entry {
	t.Helper()
	r, err := verify.ParseReceipt(b)
	if err != nil {
		t.Fatal(err)
	}
	p, err := r.Check(policy, nil)
	if err != nil {
		t.Fatal(err)
	}
	return casefile.Entry{Index: p.Index, ID: p.ID, Type: p.Record.Payload().Head().Type, Receipt: b}
}

func written(t testing.TB, f *casefile.File, policies []*verify.Policy) []byte {
	t.Helper()
	story, err := f.Check(policies)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := casefile.Write(&b, f, story, same); err != nil {
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
	if err := story.Tell(&told, same); err != nil {
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

// same leaves a text as it is.
func same(s string) string { return s }

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
// nobody believes. What is missing is told from what does not hold.
func TestTampered(t *testing.T) {
	f, policies := example(t)
	good := written(t, f, policies)
	check := func(change func(files map[string][]byte)) error {
		b := rezip(t, good, change)
		f, err := casefile.Read(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return err
		}
		_, err = f.Check(policies)
		return err
	}
	name := func(i int64) string { return fmt.Sprintf("receipts/%06d.tlog-proof", i) }
	list := func(files map[string][]byte, old, new string) {
		if bytes.Count(files["case.json"], []byte(old)) == 0 {
			t.Fatalf("no %q in\n%s", old, files["case.json"])
		}
		files["case.json"] = bytes.Replace(files["case.json"], []byte(old), []byte(new), 1)
	}
	for _, row := range []struct {
		what   string
		change func(files map[string][]byte)
		want   string // in the error, "" if it holds
		less   bool   // it is verify.ErrNotShown
	}{
		{"lies for words", func(files map[string][]byte) { files["case.txt"], files["index.html"] = []byte("lies"), nil }, "", false},
		{"no words", func(files map[string][]byte) { delete(files, "case.txt"); delete(files, "index.html") }, "", false},
		{"the newest act out", func(files map[string][]byte) { drop(files, 2) }, "", false}, // no file shows what came later

		{"a receipt gone", func(files map[string][]byte) { delete(files, name(12)) }, "000012.tlog-proof: not shown", true},
		{"an act in the middle out", func(files map[string][]byte) { drop(files, 1) }, "which is not here", true},
		{"the opener out", func(files map[string][]byte) { drop(files, 0) }, "which is not here", true},

		{"a letter of a receipt", func(files map[string][]byte) { files[name(12)][200] ^= 1 }, "entry 12", false},
		{"the signature of the log", func(files map[string][]byte) { b := files[name(12)]; b[len(b)-12] ^= 1 }, "entry 12", false},
		{"receipts swapped", func(files map[string][]byte) { files[name(11)], files[name(12)] = files[name(12)], files[name(11)] }, "not of what case.json says", false},
		{"a bare receipt", func(files map[string][]byte) { files[name(12)] = bare(t, files[name(12)]) }, "a bare receipt", false},
		{"a receipt of nothing", func(files map[string][]byte) { files[name(12)] = nil }, "entry 12", false},
		{"a receipt that is too long", func(files map[string][]byte) { files[name(12)] = make([]byte, verify.MaxReceipt+1) }, "more than 1048576 bytes", false},

		{"a file too many", func(files map[string][]byte) { files["notes.txt"] = nil }, `holds "notes.txt"`, false},
		{"a path out of place", func(files map[string][]byte) { files["../case.json"] = nil }, `holds "../case.json"`, false},
		{"a path below", func(files map[string][]byte) { files["receipts/../case.json"] = nil }, "holds", false},
		{"a folder", func(files map[string][]byte) { files["receipts/"] = nil }, `holds "receipts/"`, false},
		{"a receipt not listed", func(files map[string][]byte) { files[name(99)] = files[name(12)] }, "000099.tlog-proof is not in case.json", false},
		{"a number spelled otherwise", func(files map[string][]byte) { files["receipts/0000012.tlog-proof"] = files[name(12)] }, "is not in case.json", false},

		{"no list", func(files map[string][]byte) { delete(files, "case.json") }, "case.json is missing", false},
		{"a list without an end", func(files map[string][]byte) { files["case.json"] = bytes.Repeat([]byte(" "), 2<<20) }, "more than 1048576 bytes", false},
		{"an empty list", func(files map[string][]byte) { drop(files, 2); drop(files, 1); drop(files, 0) }, "0 records", false},
		{"another case", func(files map[string][]byte) { list(files, "example-emergency", "example-other") }, "act of case example-emergency", false},
		{"another origin", func(files map[string][]byte) { list(files, "demo.docket", "mode.docket") }, "not of what case.json says", false},
		{"another type", func(files map[string][]byte) { list(files, `"decision"`, `"ruling"`) }, "not of what case.json says", false},
		{"another id", func(files map[string][]byte) { list(files, `"id": "d-`, `"id": "d_`) }, "not of what case.json says", false},
		{"another index", func(files map[string][]byte) {
			list(files, `"index": 11,`, `"index": 10,`)
			list(files, name(11), name(10))
			files[name(10)] = files[name(11)]
			delete(files, name(11))
		}, "not of what case.json says", false},
		{"a record twice", func(files map[string][]byte) { list(files, `"index": 12,`, `"index": 11,`) }, "out of place", false},
		{"a negative index", func(files map[string][]byte) { list(files, `"index": 11,`, `"index": -1,`) }, "out of place", false},
		{"an unknown member", func(files map[string][]byte) { list(files, `"v"`, `"w": 1, "v"`) }, "damaged", false},
		{"a member twice", func(files map[string][]byte) { list(files, `"v": 1,`, `"v": 1, "v": 1,`) }, "damaged", false},
		{"another spelling", func(files map[string][]byte) { list(files, `"v": 1,`, `"v":1,`) }, "spelling", false},
		{"another version", func(files map[string][]byte) { list(files, `"v": 1,`, `"v": 2,`) }, "version 2", false},
		{"an act said to be void", func(files map[string][]byte) {
			list(files, name(11)+`"`, name(11)+"\",\n      \"void\": true")
		}, "which is void or not the newest act", false},
	} {
		err := check(row.change)
		switch {
		case row.want == "" && err != nil:
			t.Errorf("%s: %v", row.what, err)
		case row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)):
			t.Errorf("%s: %v, want %q", row.what, err, row.want)
		case errors.Is(err, verify.ErrNotShown) != row.less:
			t.Errorf("%s: %v, is ErrNotShown: %v", row.what, err, !row.less)
		}
	}
}

// TestOtherPolicies: a file holds under any of the policies that knows its log, and
// under none that does not.
func TestOtherPolicies(t *testing.T) {
	f, policies := example(t)
	stranger, err := verify.ParsePolicy([]byte("log PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW\nquorum none\n"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Check([]*verify.Policy{stranger}); !errors.Is(err, verify.ErrUnknownLog) {
		t.Errorf("a stranger's policy: %v", err)
	}
	if _, err := f.Check(nil); err == nil {
		t.Error("it holds without a policy")
	}
	if _, err := f.Check([]*verify.Policy{stranger, policies[0]}); err != nil {
		t.Errorf("the second policy knows the log: %v", err)
	}
}

// TestSharedSupport: what did not fit into one receipt may be in another one of the
// same checkpoint, and is missed if it is in none.
func TestSharedSupport(t *testing.T) {
	f, policies := example(t)
	for i := 1; i < len(f.Entries); i++ {
		r, err := verify.ParseReceipt(f.Entries[i].Receipt)
		if err != nil {
			t.Fatal(err)
		}
		extra, err := verify.ParseExtra(r.Extra)
		if err != nil {
			t.Fatal(err)
		}
		before, err := verify.ParseReceipt(f.Entries[0].Receipt)
		if err != nil || !bytes.Equal(before.Checkpoint, r.Checkpoint) {
			t.Fatalf("the receipts have other checkpoints: %v", err)
		}
		there, err := verify.ParseExtra(before.Extra)
		if err != nil {
			t.Fatal(err)
		}
		extra.Support = slices.DeleteFunc(extra.Support, func(s verify.Support) bool {
			return slices.ContainsFunc(there.Support, func(other verify.Support) bool { return other.Index == s.Index })
		})
		if r.Extra, err = extra.Marshal(); err != nil {
			t.Fatal(err)
		}
		f.Entries[i].Receipt = r.Marshal()
		if _, err := r.Check(policies[0], nil); !errors.Is(err, verify.ErrNotShown) {
			t.Errorf("entry %d by itself: %v", r.Index, err)
		}
	}
	if _, err := f.Check(policies); err != nil {
		t.Error(err)
	}
	f.Entries = f.Entries[1:]
	if _, err := f.Check(policies); !errors.Is(err, verify.ErrNotShown) {
		t.Errorf("without the receipt that has it: %v", err)
	}
}

// TestVoid: a void record is told as such.
func TestVoid(t *testing.T) {
	f, policies := example(t)
	b, err := os.ReadFile(filepath.Join(demonstration, "void", "08-8chan.tlog-proof"))
	if err != nil {
		t.Fatal(err)
	}
	void := entry(t, b, policies[0])
	void.SaidVoid = true
	story, err := (&casefile.File{Origin: f.Origin, Case: "8chan", Entries: []casefile.Entry{void}}).Check(policies)
	if err != nil || len(story.Entries) != 1 || story.Entries[0].Standing.Effective() {
		t.Errorf("%+v, %v", story, err)
	}
	f.Entries = append([]casefile.Entry{void}, f.Entries...)
	if _, err := f.Check(policies); err == nil || !strings.Contains(err.Error(), "act of case 8chan") {
		t.Errorf("the act of another case: %v", err)
	}
}

// TestBomb: a small file that becomes a large one is refused before it does, and so
// is one that names a file twice.
func TestBomb(t *testing.T) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	noise := make([]byte, verify.MaxReceipt)
	for i := range casefile.MaxSize/len(noise) + 1 {
		w, err := z.Create(fmt.Sprintf("receipts/%06d.tlog-proof", i))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(noise); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if b.Len() > casefile.MaxSize/100 {
		t.Fatalf("a bomb of %d bytes", b.Len())
	}
	if _, err := casefile.Read(bytes.NewReader(b.Bytes()), int64(b.Len())); err == nil || !strings.Contains(err.Error(), "000256.tlog-proof: more than 0 bytes") {
		t.Errorf("the bomb: %v", err)
	}
	if _, err := casefile.Read(bytes.NewReader(b.Bytes()), casefile.MaxSize+1); err == nil {
		t.Error("a file larger than the bound was read")
	}

	b.Reset()
	z = zip.NewWriter(&b)
	for range 2 {
		if _, err := z.Create("case.json"); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := casefile.Read(bytes.NewReader(b.Bytes()), int64(b.Len())); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("a file twice: %v", err)
	}
	if _, err := casefile.Read(strings.NewReader("no zip"), 6); err == nil {
		t.Error("what is no zip was read")
	}
}

// TestWords: what a terminal or a browser would obey comes out made plain.
func TestWords(t *testing.T) {
	f, policies := example(t)
	story, err := f.Check(policies)
	if err != nil {
		t.Fatal(err)
	}
	story.Entries[0].Payload.(*record.Decision).Facts = "<script>alert(1)</script>\x1b[2J"
	var b bytes.Buffer
	if err := casefile.Write(&b, f, story, telling.Plain); err != nil {
		t.Fatal(err)
	}
	rezip(t, b.Bytes(), func(files map[string][]byte) {
		page, text := string(files["index.html"]), string(files["case.txt"])
		if !strings.Contains(text, "<script>alert(1)</script><U+001B>[2J") {
			t.Errorf("case.txt:\n%s", text)
		}
		if !strings.Contains(page, "&lt;script&gt;") || strings.Contains(page, "<script") || strings.Contains(page, "\x1b") {
			t.Errorf("index.html:\n%s", page)
		}
		for _, outside := range []string{"http://", "https://", "src=", "@import", "url("} {
			if strings.Contains(page, outside) {
				t.Errorf("index.html asks for something else: %s", outside)
			}
		}
	})
}

// drop takes record i out of the list and the files.
func drop(files map[string][]byte, i int) {
	var list struct {
		V       int    `json:"v"`
		Origin  string `json:"origin"`
		Case    string `json:"case"`
		Records []struct {
			Index   int64  `json:"index"`
			ID      string `json:"id"`
			Type    string `json:"type"`
			Receipt string `json:"receipt"`
		} `json:"records"`
	}
	if err := json.Unmarshal(files["case.json"], &list); err != nil {
		panic(err) // Write wrote it
	}
	delete(files, list.Records[i].Receipt)
	list.Records = slices.Delete(list.Records, i, i+1)
	b, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		panic(err)
	}
	files["case.json"] = append(b, '\n')
}

// bare takes the record and its support out of a receipt.
func bare(t *testing.T, b []byte) []byte {
	t.Helper()
	r, err := verify.ParseReceipt(b)
	if err != nil {
		t.Fatal(err)
	}
	r.Extra = nil
	return r.Marshal()
}

// FuzzRead: what is read is within its bounds, and written again it is read as the
// same.
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
			if e.Index < 0 || i > 0 && e.Index <= got.Entries[i-1].Index || len(e.Receipt) > verify.MaxReceipt {
				t.Errorf("entry %d, index %d, receipt of %d bytes", i, e.Index, len(e.Receipt))
			}
		}
		var again bytes.Buffer
		if err := casefile.Write(&again, got, &telling.Case{}, same); err != nil {
			t.Fatal(err)
		}
		second, err := casefile.Read(bytes.NewReader(again.Bytes()), int64(again.Len()))
		if err != nil || !reflect.DeepEqual(got, second) {
			t.Errorf("%+v, %v, want %+v", second, err, got)
		}
	})
}
