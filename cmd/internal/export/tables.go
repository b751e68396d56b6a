package export

import (
	"fmt"
	"io"

	"github.com/go-json-experiment/json"

	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// An encoding spells the rows of tables.
type encoding struct {
	ending    string // of the names of files
	whole     bool   // with payloads and records
	records   func(*File) rows[Record]
	decisions func(*File) rows[Decision]
}

// rows writes the rows of a table.
type rows[T any] interface {
	write(*T) error
	close() error // writes what is left, and leaves the file open
}

var (
	jsonLines     = encoding{"jsonl", true, newJSON[Record], newJSON[Decision]}
	csvTables     = encoding{"csv", false, newCSV[Record], newCSV[Decision]}
	parquetTables = encoding{"parquet", false, newParquet[Record], newParquet[Decision]}
)

// inTables begins an export of records.* and decisions.*.
func inTables(e encoding) func(*Folder) (Writer, error) {
	return func(d *Folder) (Writer, error) {
		recordFile, err := d.Create("records." + e.ending)
		if err != nil {
			return nil, err
		}
		decisionFile, err := d.Create("decisions." + e.ending)
		if err != nil {
			return nil, err
		}
		wait, err := d.Scratch()
		if err != nil {
			return nil, err
		}
		return &tables{as: e, recordFile: recordFile, records: e.records(recordFile),
			decisionFile: decisionFile, waiting: newScratch[Decision](wait)}, nil
	}
}

// tables is a Writer. What becomes of a decision is known at the end, so decisions
// wait on disk until then.
type tables struct {
	as                       encoding
	recordFile, decisionFile *File
	records                  rows[Record]
	waiting                  *scratch[Decision]
}

// Add implements Writer.
func (t *tables) Add(index int64, r record.Checked, s rules.Standing) error {
	row := newRecord(index, r, s)
	if t.as.whole {
		row.Payload, row.Record = r.PayloadBytes(), r.Bytes()
	}
	t.recordFile.Rows++
	if err := t.records.write(&row); err != nil {
		return fmt.Errorf("record %d: %w", index, err)
	}
	if p, ok := r.Payload().(*record.Decision); ok {
		d := newDecision(row, p)
		return t.waiting.add(&d)
	}
	return nil
}

// Finish implements Writer.
func (t *tables) Finish(sum *verify.Summary) error {
	if err := t.records.close(); err != nil {
		return err
	}
	end, decisions := rules.NewStatusReader(sum.State()), t.as.decisions(t.decisionFile)
	err := t.waiting.each(func(d *Decision) error {
		if err := d.became(end, sum.Time); err != nil {
			return err
		}
		t.decisionFile.Rows++
		if err := decisions.write(d); err != nil {
			return fmt.Errorf("decision %d: %w", d.Index, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return decisions.close()
}

// jsonRows writes one JSON object a line.
type jsonRows[T any] struct{ out io.Writer }

func newJSON[T any](f *File) rows[T] { return jsonRows[T]{f} }

func (j jsonRows[T]) write(row *T) error {
	b, err := json.Marshal(row)
	if err == nil {
		_, err = j.out.Write(append(b, '\n'))
	}
	return err
}

func (j jsonRows[T]) close() error { return nil }
