package export_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/docket-ledger/docket/cmd/internal/export"
	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/verify"
)

// exported returns the files of an export.
func exported(t *testing.T, log copied, name string) fstest.MapFS {
	t.Helper()
	dir, _ := log.export(t, format(t, name))
	files := fstest.MapFS{}
	for _, name := range left(t, dir) {
		b, err := fs.ReadFile(os.DirFS(dir), name)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = &fstest.MapFile{Data: b}
	}
	return files
}

// with returns the files with one that is another.
func with(files fstest.MapFS, name string, b []byte) fstest.MapFS {
	files = maps.Clone(files)
	files[name] = &fstest.MapFile{Data: b}
	return files
}

// TestOneByte: an export of which one byte is another, wherever, does not hold, and
// neither does one that is shorter or longer.
func TestOneByte(t *testing.T) {
	files := exported(t, copyOf(t, ledgertest.New(t, nil)), "csv")
	for name, f := range files {
		does := func(b []byte, what string) {
			t.Helper()
			_, err := export.Verify(with(files, name, b), nil)
			if !errors.Is(err, export.ErrAltered) {
				t.Errorf("%s, %s: %v", name, what, err)
			}
		}
		for i := range f.Data {
			for _, flip := range []byte{0x01, 0x20} { // another digit, another letter case
				b := slices.Clone(f.Data)
				b[i] ^= flip
				does(b, fmt.Sprintf("byte %d", i))
			}
		}
		does(f.Data[:len(f.Data)-1], "shorter")
		does(append(slices.Clone(f.Data), '\n'), "longer")
		does(nil, "empty")
	}
}

// TestAltered: what is missing, too much, or said by who is not the log.
func TestAltered(t *testing.T) {
	log := copyOf(t, ledgertest.NewVaried(t, 200))
	files := exported(t, log, "parquet")
	without := func(name string) fstest.MapFS {
		files := maps.Clone(files)
		delete(files, name)
		return files
	}
	manifest := files["manifest.json"].Data
	said := func(old, new string) fstest.MapFS { // with hashes that fit
		text := bytes.Replace(manifest, []byte(old), []byte(new), 1)
		sums := strings.Replace(string(files["SHA256SUMS"].Data), fmt.Sprintf("%x", sha256.Sum256(manifest)), fmt.Sprintf("%x", sha256.Sum256(text)), 1)
		return with(with(files, "manifest.json", text), "SHA256SUMS", []byte(sums))
	}
	folder := maps.Clone(files)
	folder["records.parquet"] = &fstest.MapFile{Mode: fs.ModeDir}
	link := maps.Clone(files)
	link["records.parquet"] = &fstest.MapFile{Mode: fs.ModeSymlink, Data: []byte("decisions.parquet")}
	for name, test := range map[string]struct {
		files    fstest.MapFS
		policies verify.Policies
		want     string
	}{
		"missing":            {without("decisions.parquet"), nil, "decisions.parquet: it is missing"},
		"no manifest":        {without("manifest.json"), nil, "manifest.json: it is missing"},
		"no sums":            {without("SHA256SUMS"), nil, "SHA256SUMS: it is missing"},
		"extra":              {with(files, "more.csv", nil), nil, "more.csv: it is no file of the export"},
		"hidden":             {with(files, ".more", nil), nil, ".more: it is no file of the export"},
		"folder":             {folder, nil, "records.parquet: it is not a plain file"},
		"link":               {link, nil, "records.parquet: it is not a plain file"},
		"another size":       {said("\"size\": 2", "\"size\": 3"), nil, "and its checkpoint"},
		"another origin":     {said("\"origin\": \"", "\"origin\": \"x"), nil, "and its checkpoint"},
		"another version":    {said("\"v\": 1", "\"v\": 2"), nil, "version 2, want 1"},
		"member":             {said("\"v\": 1", "\"v\": 1, \"w\": 1"), nil, "no manifest of this version"},
		"signature":          {said("\\n\\n— ", "\\n\\n— x"), log.policies, "does not satisfy the trust policy"},
		"hash that is wrong": {said("\"sha256\": \"", "\"sha256\": \"0"), nil, "SHA256SUMS: it does not name"},
	} {
		_, err := export.Verify(test.files, test.policies)
		if !errors.Is(err, export.ErrAltered) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
	if _, err := export.Verify(said("\\n\\n— ", "\\n\\n— x"), nil); err != nil {
		t.Errorf("without a policy: %v", err)
	}
}

// TestPolicies: the checkpoint is checked under the policies that are given.
func TestPolicies(t *testing.T) {
	log := copyOf(t, ledgertest.New(t, nil))
	files := exported(t, log, "csv")
	other, err := verify.ParsePolicy([]byte("log sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8\nquorum none\n"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := export.Verify(files, verify.Policies{other}); !errors.Is(err, export.ErrAltered) || !strings.Contains(err.Error(), "trust policy") {
		t.Error(err)
	}
	if m, err := export.Verify(files, log.policies); err != nil || m.Format != "csv" {
		t.Errorf("%+v, %v", m, err)
	}
}
