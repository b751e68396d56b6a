package dsa

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// ReadStatements returns the statements of a file: one for the bulk endpoint, or
// statements one after the other, as refused.jsonl has them.
func ReadStatements(b []byte) ([]jsontext.Value, error) {
	var all []jsontext.Value
	in := jsontext.NewDecoder(bytes.NewReader(b))
	for {
		v, err := in.ReadValue()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("statement %d: %w", len(all), err)
		}
		var bulk struct {
			Statements []jsontext.Value `json:"statements"`
		}
		if err := json.Unmarshal(v, &bulk); err == nil && bulk.Statements != nil {
			all = append(all, bulk.Statements...)
			continue
		}
		all = append(all, v.Clone())
	}
}

// WriteStatements writes a file for the bulk endpoint.
func WriteStatements(w io.Writer, all []jsontext.Value) error {
	between := "{\"statements\":[\n"
	for _, s := range all {
		if _, err := w.Write(append([]byte(between), s...)); err != nil {
			return err
		}
		between = ",\n"
	}
	_, err := io.WriteString(w, "\n]}\n")
	return err
}

// A Checked is a statement of a file that the database refuses, by its place from 0.
// The place is -1 for what is wrong with the file.
type Checked struct {
	Place  int
	PUID   string
	Faults []Fault
}

// CheckAll does a dry run of the bulk endpoint over the statements of one call, and
// returns those that it would refuse. It takes all of them or none.
func CheckAll(all []jsontext.Value) []Checked {
	var wrong []Checked
	if n := len(all); n == 0 || n > MaxStatements {
		wrong = append(wrong, Checked{-1, "", []Fault{{"statements", "count",
			fmt.Sprintf("There are %d statements, and the database takes 1 to %d at once.", n, MaxStatements), "Send them in several files."}}})
	}
	seen := map[string]bool{}
	for i, s := range all {
		var head struct {
			PUID string `json:"puid"`
		}
		faults := Check(s)
		if err := json.Unmarshal(s, &head); err == nil && head.PUID != "" {
			if seen[head.PUID] {
				faults = append(faults, Fault{"puid", "unique", "Another statement of the file has the same puid.", "Send it once."})
			}
			seen[head.PUID] = true
		}
		if len(faults) > 0 {
			wrong = append(wrong, Checked{i, head.PUID, faults})
		}
	}
	return wrong
}
