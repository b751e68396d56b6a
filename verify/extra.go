package verify

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/mod/sumdb/tlog"
)

// MaxExtra is the most bytes of JSON that a ledger puts into the extra line of a
// receipt: in base64 they are 65,456 characters, so that the line stays under
// the 64 KiB at which some readers stop. Only a record that is larger by itself
// makes a longer one.
const MaxExtra = 49092

// Extra is what the extra line of a full receipt holds: the record, and the
// records that support it, each proven in the same checkpoint. It is canonical
// JSON (RFC 8785):
//
//	{"record":{…},"seen":[…],"support":[{"index":0,"proof":["…"],"record":{…}}, …],"v":1}
//
// Nothing in it is authenticated by itself: the record and each support count
// only once their leaf hashes are proven.
type Extra struct {
	Record []byte
	// Support is sorted by index; every index is below the record's.
	Support []Support
}

// Support is a record that supports another, with its inclusion proof.
type Support struct {
	Index  int64
	Record []byte
	Proof  []tlog.Hash
}

type extraJSON struct {
	Record  jsontext.Value   `json:"record"`
	Seen    []jsontext.Value `json:"seen"` // comes with timemarks
	Support []supportJSON    `json:"support"`
	V       int64            `json:"v"`
}

type supportJSON struct {
	Index  int64          `json:"index"`
	Proof  []tlog.Hash    `json:"proof"` // standard base64, as in the proof lines
	Record jsontext.Value `json:"record"`
}

// Len returns about how many bytes Marshal makes of e, at most.
func (e Extra) Len() int {
	n := len(e.Record) + len(`{"record":,"seen":[],"support":[],"v":1}`)
	for _, s := range e.Support {
		n += s.Len()
	}
	return n
}

// Len returns about how many bytes a support takes in an Extra, at most.
func (s Support) Len() int { return len(s.Record) + 47*len(s.Proof) + 64 }

// Marshal returns the one spelling of e.
func (e Extra) Marshal() ([]byte, error) {
	j := extraJSON{Record: e.Record, Seen: []jsontext.Value{}, Support: []supportJSON{}, V: 1}
	for _, s := range e.Support {
		j.Support = append(j.Support, supportJSON{s.Index, s.Proof, s.Record})
	}
	b, err := json.Marshal(j)
	if err != nil {
		return nil, fmt.Errorf("extra of a receipt: %w", err)
	}
	v := jsontext.Value(b)
	if err := v.Canonicalize(); err != nil {
		return nil, fmt.Errorf("extra of a receipt: %w", err)
	}
	return v, nil
}

// ParseExtra accepts exactly what Marshal prints.
func ParseExtra(b []byte) (Extra, error) {
	var j extraJSON
	if err := json.Unmarshal(b, &j, json.RejectUnknownMembers(true)); err != nil {
		return Extra{}, fmt.Errorf("extra of the receipt: %w", err)
	}
	switch {
	case j.V != 1:
		return Extra{}, fmt.Errorf("extra of the receipt: version %d, want 1: a newer docket-verify may know it", j.V)
	case len(j.Seen) > 0:
		return Extra{}, errors.New("extra of the receipt: seen is not empty, which version 0 of the rules does not know")
	case j.Record.Kind() != '{':
		return Extra{}, errors.New("extra of the receipt: it holds no record")
	}
	e := Extra{Record: j.Record}
	last := int64(-1)
	for _, s := range j.Support {
		if s.Index <= last {
			return Extra{}, errors.New("extra of the receipt: support is not sorted by index")
		}
		last = s.Index
		e.Support = append(e.Support, Support{s.Index, s.Record, s.Proof})
	}
	again, err := e.Marshal()
	if err != nil {
		return Extra{}, err
	}
	if !bytes.Equal(again, b) {
		return Extra{}, errors.New("extra of the receipt: not in its one spelling, canonical JSON")
	}
	return e, nil
}
