package export

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/docket-ledger/docket/cmd/internal/dsa"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// What Manifest.Counts names beside the reasons of package dsa.
const (
	Exported = "exported"
	Refused  = "refused"
)

// A without is a row about a record that has no statement.
type without struct {
	Index  int64  `json:"index"`
	ID     string `json:"id"`
	Type   string `json:"type"`
	Case   string `json:"case"`
	Reason string `json:"reason"`
	Why    string `json:"why"`
}

// A refused is a row about something in a statement that the database would refuse. The
// statement itself is in refused.jsonl, for whoever can mend it.
type refused struct {
	Index  int64  `json:"index"`
	ID     string `json:"id"`
	Case   string `json:"case"`
	Field  string `json:"field"`
	Rule   string `json:"rule"`
	What   string `json:"what"`
	Advice string `json:"advice"`
}

// A candidate is a record that waits for the end of the log on disk: only then is it
// known what was corrected, and what was reported already.
type candidate struct {
	Index   int64          `json:"index"`
	ID      record.ID      `json:"id"`
	Case    string         `json:"case"`
	Type    record.Type    `json:"type"`
	Void    []rules.Code   `json:"void,omitempty"`
	Payload jsontext.Value `json:"payload"`
}

// statements is a Writer of files for the EU's DSA Transparency Database. It holds what
// was corrected and reported, a few bytes for each.
type statements struct {
	folder      *Folder
	withoutFile *File
	refusedFile *File
	brokenFile  *File // the statements that are refused
	scratch     *os.File
	waiting     *bufio.Writer
	clauses     map[record.ID]map[string]*dsa.Clause
	reported    map[record.ID]int64
	corrections map[record.ID][]record.Correction
	counts      map[string]int64
	next        []jsontext.Value // statements of the next file
	files       int              // of statements
}

// beginStatements begins an export of statements-0001.json and so on, not-exported.csv,
// and refused.csv with refused.jsonl: each decision is in one of the three.
func beginStatements(d *Folder) (Writer, error) {
	s := &statements{folder: d, clauses: map[record.ID]map[string]*dsa.Clause{}, reported: map[record.ID]int64{},
		corrections: map[record.ID][]record.Correction{}, counts: map[string]int64{Exported: 0, Refused: 0}}
	var err error
	if s.withoutFile, err = d.Create("not-exported.csv"); err != nil {
		return nil, err
	}
	if s.refusedFile, err = d.Create("refused.csv"); err != nil {
		return nil, err
	}
	if s.brokenFile, err = d.Create("refused.jsonl"); err != nil {
		return nil, err
	}
	if s.scratch, err = d.Scratch(); err != nil {
		return nil, err
	}
	s.waiting = bufio.NewWriterSize(s.scratch, 1<<16)
	return s, nil
}

// Add implements Writer.
func (s *statements) Add(index int64, r record.Checked, standing rules.Standing) error {
	p := r.Payload()
	if dsa.Applies(p) {
		name, _ := p.(record.Act).Place()
		b, err := json.Marshal(candidate{index, standing.ID, name, p.Head().Type, standing.Codes, r.PayloadBytes()})
		if err == nil {
			_, err = s.waiting.Write(append(b, '\n'))
		}
		return err
	}
	if !standing.Effective() {
		return nil
	}
	switch p := p.(type) {
	case *record.PolicyPublish:
		s.clauses[standing.ID] = clausesOf(p)
	case *record.Erratum:
		s.corrections[p.About] = append(s.corrections[p.About], p.Corrections...)
	case *record.Export:
		if _, before := s.reported[p.About]; !before && p.Register == dsa.Register {
			s.reported[p.About] = index
		}
	}
	return nil
}

func clausesOf(p *record.PolicyPublish) map[string]*dsa.Clause {
	all := map[string]*dsa.Clause{}
	for _, l := range p.Clauses {
		c := &dsa.Clause{Title: l.Title}
		if p.Historic != nil {
			c.Source = p.Historic.Source
		}
		all[l.Clause] = c
	}
	return all
}

// Finish implements Writer.
func (s *statements) Finish(*verify.Summary) error {
	if err := s.waiting.Flush(); err != nil {
		return err
	}
	if _, err := s.scratch.Seek(0, io.SeekStart); err != nil {
		return err
	}
	not, wrong := newCSV[without](s.withoutFile), newCSV[refused](s.refusedFile)
	in := jsontext.NewDecoder(bufio.NewReaderSize(s.scratch, 1<<16))
	for {
		var c candidate
		err := json.UnmarshalDecode(in, &c)
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = s.judge(c, not, wrong)
		}
		if err != nil {
			return fmt.Errorf("record %d: %w", c.Index, err)
		}
	}
	return errors.Join(not.close(), wrong.close(), s.writeFile())
}

// judge writes what becomes of a candidate.
func (s *statements) judge(c candidate, not rows[without], wrong rows[refused]) error {
	p := map[record.Type]record.Payload{record.TypeDecision: &record.Decision{}, record.TypeAppeal: &record.Appeal{}, record.TypeRuling: &record.Ruling{}}[c.Type]
	if err := json.Unmarshal(c.Payload, p); err != nil {
		return err
	}
	known := dsa.Known{Export: -1, Corrections: s.corrections[c.ID]}
	if i, ok := s.reported[c.ID]; ok {
		known.Export = i
	}
	if d, ok := p.(*record.Decision); ok && len(d.Grounds) > 0 {
		known.Clause = s.clauses[d.Grounds[0].Record][d.Grounds[0].Clause]
	}
	o, err := dsa.Judge(c.ID, p, c.Void, known)
	switch {
	case err != nil:
		return err
	case o.Not != nil:
		s.counts[o.Not.Code]++
		s.withoutFile.Rows++
		return not.write(&without{c.Index, string(c.ID), string(c.Type), c.Case, o.Not.Code, o.Not.Text})
	case len(o.Faults) == 0:
		return s.add(o.Statement)
	}
	s.counts[Refused]++
	s.brokenFile.Rows++
	if _, err := s.brokenFile.Write(append(o.Statement, '\n')); err != nil {
		return err
	}
	for _, f := range o.Faults {
		s.refusedFile.Rows++
		if err := wrong.write(&refused{c.Index, string(c.ID), c.Case, f.Field, f.Rule, f.Text, f.Advice}); err != nil {
			return err
		}
	}
	return nil
}

// add keeps a statement for the next file, and writes that if it is full.
func (s *statements) add(statement jsontext.Value) error {
	s.counts[Exported]++
	if s.next = append(s.next, statement); len(s.next) < dsa.MaxStatements {
		return nil
	}
	return s.writeFile()
}

// writeFile writes the next file of statements, if there is something for it.
func (s *statements) writeFile() error {
	if len(s.next) == 0 {
		return nil
	}
	s.files++
	f, err := s.folder.Create(fmt.Sprintf("statements-%04d.json", s.files))
	if err != nil {
		return err
	}
	f.Rows = int64(len(s.next))
	err = dsa.WriteStatements(f, s.next)
	s.next = s.next[:0]
	return err
}

// Counts implements Counter.
func (s *statements) Counts() map[string]int64 { return s.counts }
