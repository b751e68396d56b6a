// Package casefile is the file that a party to a case holds: a zip with the full
// receipts of all records of the case, and with the case told in plain words. It
// is verified offline, without the operator, under a trust policy.
//
//	case.json                  what is in it
//	receipts/000012.tlog-proof the full receipt of entry 12, and so on
//	case.txt, index.html       the case in words, for people without the program
//
// Nothing but the receipts is believed: Check proves each of them, and tells the
// case anew from what they hold.
//
// # Not checked here
//
// That nothing came after the last record: no file can show that, only an audit
// of the log as it is now.
package casefile

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"html/template"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/docket-ledger/docket/cmd/internal/telling"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// Bounds of a file that is read.
const (
	MaxRecords = 4096
	maxIndex   = 1 << 20 // bytes of case.json
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
	// not show why, that is said and not proven.
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

// Write writes a file. The same content gives the same bytes. It believes f and
// story: call Check first.
func Write(w io.Writer, f *File, story *telling.Case) error {
	list := contents{V: 1, Origin: f.Origin, Case: f.Case}
	for _, e := range f.Entries {
		list.Records = append(list.Records, contentItem{e.Index, e.ID, e.Type, receiptName(e.Index), e.SaidVoid})
	}
	index, err := json.Marshal(list, jsontext.WithIndent("  "))
	if err != nil {
		return err
	}
	var words strings.Builder
	if err := story.Tell(&words, func(s string) string { return s }); err != nil {
		return err
	}
	var page bytes.Buffer
	if err := pageTemplate.Execute(&page, map[string]string{"Case": f.Case, "Origin": f.Origin, "Words": words.String()}); err != nil {
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
	err = errors.Join(add("case.json", append(index, '\n')), add("case.txt", []byte(words.String())), add("index.html", page.Bytes()))
	for _, e := range f.Entries {
		err = errors.Join(err, add(receiptName(e.Index), e.Receipt))
	}
	return errors.Join(err, z.Close())
}

var namePattern = regexp.MustCompile(`^(case\.json|case\.txt|index\.html|receipts/[0-9]{6,16}\.tlog-proof)$`)

// Read reads a file, up to its bounds. Nothing of it is proven yet.
func Read(r io.ReaderAt, size int64) (*File, error) {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil, fmt.Errorf("not a case file: %w", err)
	}
	if len(z.File) > MaxRecords+3 {
		return nil, fmt.Errorf("not a case file: %d files, the most is %d", len(z.File), MaxRecords+3)
	}
	files := map[string][]byte{}
	for _, f := range z.File {
		if !namePattern.MatchString(f.Name) {
			return nil, fmt.Errorf("not a case file: it holds %.80q", f.Name)
		}
		if _, twice := files[f.Name]; twice {
			return nil, fmt.Errorf("not a case file: %s is there twice", f.Name)
		}
		if files[f.Name], err = readOne(f); err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
	}
	var list contents
	if err := json.Unmarshal(files["case.json"], &list, json.RejectUnknownMembers(true)); err != nil {
		return nil, errors.New("not a case file: case.json is missing or damaged")
	}
	if list.V != 1 || len(list.Records) == 0 {
		return nil, fmt.Errorf("case.json has version %d and %d records, want 1 and at least one: a newer docket-verify may know it", list.V, len(list.Records))
	}
	out := &File{Origin: list.Origin, Case: list.Case}
	for i, item := range list.Records {
		b, ok := files[item.Receipt]
		if !ok || item.Receipt != receiptName(item.Index) || i > 0 && item.Index <= list.Records[i-1].Index {
			return nil, fmt.Errorf("case.json: record %d is out of place or without its receipt", item.Index)
		}
		out.Entries = append(out.Entries, Entry{item.Index, item.ID, item.Type, b, item.Void})
	}
	for name := range files {
		if strings.HasPrefix(name, "receipts/") && !slices.ContainsFunc(list.Records, func(c contentItem) bool { return c.Receipt == name }) {
			return nil, fmt.Errorf("%s is not in case.json", name)
		}
	}
	return out, nil
}

// readOne reads a file of the zip, whatever size it claims to have.
func readOne(f *zip.File) ([]byte, error) {
	limit := int64(verify.MaxReceipt)
	switch f.Name {
	case "case.json":
		limit = maxIndex
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

// Check proves every receipt under one of the policies, and that the effective
// acts follow each other without a gap from the one that opened the case. It
// returns what is to be told. The error says what does not hold; it wraps
// verify.ErrNotShown if nothing is wrong but something is missing.
func (f *File) Check(policies []*verify.Policy) (*telling.Case, error) {
	story := &telling.Case{Name: f.Case, Origin: f.Origin}
	var tip record.ID
	known := map[record.ID]bool{}
	for _, e := range f.Entries {
		p, err := prove(e, policies)
		if err != nil {
			return nil, fmt.Errorf("entry %d: %w", e.Index, err)
		}
		if p.Signed.Checkpoint.Origin != f.Origin || p.Index != e.Index || p.ID != e.ID || p.Record.Payload().Head().Type != e.Type {
			return nil, fmt.Errorf("entry %d: the receipt is of entry %d, %s, of %s, and not of what case.json says", e.Index, p.Index, p.ID, p.Signed.Checkpoint.Origin)
		}
		if tip, err = f.follows(p, e.SaidVoid, tip, known); err != nil {
			return nil, fmt.Errorf("entry %d: %w", e.Index, err)
		}
		known[p.ID] = true
		story.Size = max(story.Size, p.Signed.Checkpoint.Size)
		story.Entries = append(story.Entries, telling.Entry{Index: p.Index, ID: p.ID, Payload: p.Record.Payload(), Standing: p.Standing,
			Signers: p.Signers, Clauses: p.Clauses, Interval: claimed(p), SaidVoid: e.SaidVoid})
	}
	return story, nil
}

func prove(e Entry, policies []*verify.Policy) (p *verify.Proven, err error) {
	receipt, err := verify.ParseReceipt(e.Receipt)
	if err != nil {
		return nil, err
	}
	for _, policy := range policies {
		if p, err = receipt.Check(policy, nil); !errors.Is(err, verify.ErrUnknownLog) {
			return p, err
		}
	}
	return nil, err
}

// follows holds a record to its place: acts of this case in their chain, others
// about one of them. It returns the newest effective act.
func (f *File) follows(p *verify.Proven, saidVoid bool, tip record.ID, known map[record.ID]bool) (record.ID, error) {
	act, ok := p.Record.Payload().(record.Act)
	if !ok {
		if !slices.ContainsFunc(record.Cited(p.Record.Payload()), func(id record.ID) bool { return known[id] }) {
			return tip, errors.New("it neither belongs to the case nor speaks about a record of it")
		}
		return tip, nil
	}
	name, prev := act.Place()
	switch {
	case name != f.Case:
		return tip, fmt.Errorf("it is an act of case %s", name)
	case saidVoid || !p.Standing.Effective():
		return tip, nil
	case prev != tip:
		return tip, fmt.Errorf("it follows %s, which is not here: %w", prev, verify.ErrNotShown)
	}
	return p.ID, nil
}

// claimed is between which times a record was signed, as its signers say.
func claimed(p *verify.Proven) rules.Interval {
	i := rules.Interval{}
	for _, h := range p.Record.Headers() {
		if i.NotBefore == 0 || h.IAT < i.NotBefore {
			i.NotBefore = h.IAT
		}
		i.NotAfter = max(i.NotAfter, h.IAT)
	}
	return i
}

// pageTemplate is a page that needs nothing but itself, and prints well.
var pageTemplate = template.Must(template.New("case").Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Case {{.Case}} of {{.Origin}}</title>
<style>
:root { color-scheme: light dark }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; font: 1rem/1.5 Georgia, serif }
h1 { font-size: 1.4rem } pre { white-space: pre-wrap; overflow-wrap: anywhere; font: .9rem/1.5 ui-monospace, monospace }
@media print { body { margin: 0; max-width: none } pre { font-size: 8.5pt } }
</style>
<h1>Case {{.Case}} of {{.Origin}}</h1>
<p>This page tells the case in words. Do not believe it: the receipts beside it prove it. Whoever trusts the log's key checks
them, without the operator and without a network, with</p>
<pre>docket-verify case --policy trust.policy THIS-FILE.zip</pre>
<pre>{{.Words}}</pre>
</html>
`))
