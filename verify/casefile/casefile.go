// Package casefile is the file that a party to a case holds: a zip with the full
// receipts of all records of the case, and with the case told in plain words. It
// is verified offline, without the operator, under a trust policy.
//
//	case.json                  what is in it
//	receipts/000012.tlog-proof the full receipt of entry 12, and so on
//	case.txt, index.html       the case in words, for people without the program
//
// Nothing but the receipts is believed: Check proves each of them, and tells the
// case anew from what they hold. case.json has one spelling, that of Write.
//
// # Not checked here
//
// That nothing came after the last record, and that no record is left out which
// speaks about one of these: no file can show that, only an audit of the log as it
// is now.
package casefile

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/telling"
)

// Bounds of a file that is read.
const (
	MaxRecords = 4096
	MaxSize    = 256 << 20 // bytes of all that is read from it, and of the file
	maxIndex   = 1 << 20   // bytes of case.json
)

// A File is the content of a case file.
type File struct {
	Origin  string
	Case    string
	Entries []Entry // by index
}

// An Entry is a record of the case with its full receipt, a c2sp.org/tlog-proof.
type Entry struct {
	Index   int64
	ID      record.ID
	Type    record.Type
	Receipt []byte
	// SaidVoid says that the ledger calls it void. Where the receipt does
	// not show why, that is said and not proven. A lie hides no more than
	// leaving out the newest act would: an act that others follow is missed.
	SaidVoid bool
}

// contents is case.json.
type contents struct {
	V       int64         `json:"v"`
	Origin  string        `json:"origin"`
	Case    string        `json:"case"`
	Records []contentItem `json:"records"`
}

type contentItem struct {
	Index   int64       `json:"index"`
	ID      record.ID   `json:"id"`
	Type    record.Type `json:"type"`
	Receipt string      `json:"receipt"`
	Void    bool        `json:"void,omitzero"`
}

func receiptName(index int64) string { return fmt.Sprintf("receipts/%06d.tlog-proof", index) }

// list returns case.json.
func (f *File) list() ([]byte, error) {
	list := contents{V: 1, Origin: f.Origin, Case: f.Case}
	for _, e := range f.Entries {
		list.Records = append(list.Records, contentItem{e.Index, e.ID, e.Type, receiptName(e.Index), e.SaidVoid})
	}
	b, err := json.Marshal(list, jsontext.WithIndent("  "))
	return append(b, '\n'), err
}

// Write writes a file. The same content gives the same bytes. It believes f and
// story: call Check first. plain makes a text of a record fit to be looked at, as
// for telling.Case.Tell.
func Write(w io.Writer, f *File, story *telling.Case, plain func(string) string) error {
	index, err := f.list()
	if err != nil {
		return err
	}
	size := len(index)
	for _, e := range f.Entries {
		size += len(e.Receipt)
	}
	if len(f.Entries) > MaxRecords || len(index) > maxIndex || size > MaxSize {
		return fmt.Errorf("the case has %d records of %d bytes, more than a file holds", len(f.Entries), size)
	}
	var words strings.Builder
	if err := story.Tell(&words, plain); err != nil {
		return err
	}
	var page bytes.Buffer
	if err := writePage(&page, f.Case, f.Origin, words.String()); err != nil {
		return err
	}
	z := zip.NewWriter(w)
	add := func(name string, b []byte) error {
		out, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)})
		if err == nil {
			_, err = out.Write(b)
		}
		return err
	}
	err = errors.Join(add("case.json", index), add("case.txt", []byte(words.String())), add("index.html", page.Bytes()))
	for _, e := range f.Entries {
		err = errors.Join(err, add(receiptName(e.Index), e.Receipt))
	}
	return errors.Join(err, z.Close())
}

var namePattern = regexp.MustCompile(`^(case\.json|case\.txt|index\.html|receipts/[0-9]{6,16}\.tlog-proof)$`)

// Read reads a file, up to its bounds. Nothing of it is proven yet. The error wraps
// verify.ErrNotShown if nothing is wrong but a receipt is missing.
func Read(r io.ReaderAt, size int64) (*File, error) {
	if size > MaxSize {
		return nil, fmt.Errorf("not a case file: %d bytes, the most is %d", size, MaxSize)
	}
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil, fmt.Errorf("not a case file: %w", err)
	}
	if len(z.File) > MaxRecords+3 {
		return nil, fmt.Errorf("not a case file: %d files, the most is %d", len(z.File), MaxRecords+3)
	}
	files := map[string][]byte{}
	left := int64(MaxSize)
	for _, f := range z.File {
		if !namePattern.MatchString(f.Name) {
			return nil, fmt.Errorf("not a case file: it holds %.80q", f.Name)
		}
		if _, twice := files[f.Name]; twice {
			return nil, fmt.Errorf("not a case file: %s is there twice", f.Name)
		}
		if files[f.Name], err = readOne(f, left); err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
		left -= int64(len(files[f.Name]))
	}
	out, err := parseList(files["case.json"])
	if err != nil {
		return nil, err
	}
	return out, out.fill(files)
}

// parseList accepts exactly what list prints.
func parseList(b []byte) (*File, error) {
	var list contents
	if err := json.Unmarshal(b, &list, json.RejectUnknownMembers(true)); err != nil {
		return nil, errors.New("not a case file: case.json is missing or damaged")
	}
	if list.V != 1 || len(list.Records) == 0 {
		return nil, fmt.Errorf("case.json has version %d and %d records, want 1 and at least one: a newer docket-verify may know it", list.V, len(list.Records))
	}
	f := &File{Origin: list.Origin, Case: list.Case}
	for i, item := range list.Records {
		if item.Index < 0 || i > 0 && item.Index <= list.Records[i-1].Index {
			return nil, fmt.Errorf("case.json: record %d is out of place", item.Index)
		}
		f.Entries = append(f.Entries, Entry{Index: item.Index, ID: item.ID, Type: item.Type, SaidVoid: item.Void})
	}
	again, err := f.list()
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(again, b) {
		return nil, errors.New("case.json: not in its one spelling")
	}
	return f, nil
}

// fill adds the receipts: those of the list, and no other.
func (f *File) fill(files map[string][]byte) error {
	missing := ""
	listed := map[string]bool{"case.json": true, "case.txt": true, "index.html": true}
	for i := range f.Entries {
		e := &f.Entries[i]
		name := receiptName(e.Index)
		listed[name] = true
		var ok bool
		if e.Receipt, ok = files[name]; !ok && missing == "" {
			missing = name
		}
	}
	for name := range files {
		if !listed[name] {
			return fmt.Errorf("%s is not in case.json", name)
		}
	}
	if missing != "" {
		return fmt.Errorf("%s: %w", missing, verify.ErrNotShown)
	}
	return nil
}

// readOne reads a file of the zip, whatever size it claims to have, if that is no
// more than what is left.
func readOne(f *zip.File, left int64) ([]byte, error) {
	limit := min(left, verify.MaxReceipt)
	switch f.Name {
	case "case.json":
		limit = min(left, maxIndex)
	case "case.txt", "index.html":
		return nil, nil // not believed, so not read
	}
	in, err := f.Open()
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(in, limit+1))
	if err = errors.Join(err, in.Close()); err != nil {
		return nil, err
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("more than %d bytes", limit)
	}
	return b, nil
}
