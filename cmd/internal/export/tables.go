package export

import (
	"bufio"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/go-json-experiment/json"

	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// An encoding spells the rows of tables.
type encoding struct {
	ending    string // of the names of files
	records   func(*File) rows[Record]
	decisions func(*File) rows[Decision]
}

// rows writes the rows of a table.
type rows[T any] interface {
	write(*T) error
	close() error // writes what is left, and leaves the file open
}

var (
	jsonLines     = encoding{"jsonl", newJSON[Record], newJSON[Decision]}
	csvTables     = encoding{"csv", newCSV[Record], newCSV[Decision]}
	parquetTables = encoding{"parquet", newParquet[Record], newParquet[Decision]}
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
		scratch, err := d.Scratch()
		if err != nil {
			return nil, err
		}
		buffer := bufio.NewWriter(scratch)
		return &tables{recordFile: recordFile, decisionFile: decisionFile, records: e.records(recordFile), decisions: e.decisions(decisionFile),
			scratch: scratch, buffer: buffer, later: gob.NewEncoder(buffer)}, nil
	}
}

// tables is a Writer. What becomes of a decision is known at the end, so decisions
// wait on disk until then.
type tables struct {
	recordFile, decisionFile *File
	records                  rows[Record]
	decisions                rows[Decision]
	scratch                  *os.File
	buffer                   *bufio.Writer // of scratch
	later                    *gob.Encoder
}

// Add implements Writer.
func (t *tables) Add(index int64, r record.Checked, s rules.Standing) error {
	row := newRecord(index, r, s)
	t.recordFile.Rows++
	if err := t.records.write(&row); err != nil {
		return fmt.Errorf("record %d: %w", index, err)
	}
	if p, ok := r.Payload().(*record.Decision); ok {
		return t.later.Encode(newDecision(row, p))
	}
	return nil
}

// Finish implements Writer.
func (t *tables) Finish(sum *verify.Summary) error {
	if err := t.records.close(); err != nil {
		return err
	}
	if err := t.buffer.Flush(); err != nil {
		return err
	}
	if _, err := t.scratch.Seek(0, io.SeekStart); err != nil {
		return err
	}
	waiting := gob.NewDecoder(t.scratch)
	for {
		var d Decision
		err := waiting.Decode(&d)
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = d.became(sum)
		}
		if err != nil {
			return err
		}
		t.decisionFile.Rows++
		if err := t.decisions.write(&d); err != nil {
			return fmt.Errorf("decision %d: %w", d.Index, err)
		}
	}
	return t.decisions.close()
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
