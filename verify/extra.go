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
// records that support it, each proven in the same checkpoint; and that some of
// them are in trees which a signer or a timemark names. It is canonical JSON (RFC
// 8785):
//
//	{"record":{…},"seen":[{"index":9,"proof":["…"],"size":12}, …],
//	"support":[{"index":0,"proof":["…"],"record":{…}}, …],"v":1}
//
// Nothing in it is authenticated by itself: the record and each support count
// only once their leaf hashes are proven.
type Extra struct {
	Record []byte
	// Support is sorted by index, without the record's. Above the record
	// stand only amendments, enrolments and timemarks.
	Support []Support
	// Seen is sorted by size, then index, each pair once.
	Seen []Link
}

// A Link proves that a record of the file is in an earlier tree: one of that size
// whose root a signer of the record, or the checkpoint of a timemark, names.
type Link struct {
	Index int64
	Size  int64
	Proof []tlog.Hash
}

// Support is a record that supports another, with its inclusion proof.
type Support struct {
	Index  int64
	Record []byte
	Proof  []tlog.Hash
}

type extraJSON struct {
	Record  jsontext.Value `json:"record"`
	Seen    []linkJSON     `json:"seen"`
	Support []supportJSON  `json:"support"`
	V       int64          `json:"v"`
}

type linkJSON struct {
	Index int64       `json:"index"`
	Proof []tlog.Hash `json:"proof"`
	Size  int64       `json:"size"`
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
	for _, l := range e.Seen {
		n += l.Len()
	}
	return n
}

// Len returns about how many bytes a support takes in an Extra, at most.
func (s Support) Len() int { return len(s.Record) + 47*len(s.Proof) + 64 }

// Len returns about how many bytes a link takes in an Extra, at most.
func (l Link) Len() int { return 47*len(l.Proof) + 72 }

// Marshal returns the one spelling of e.
func (e Extra) Marshal() ([]byte, error) {
	j := extraJSON{Record: e.Record, Seen: []linkJSON{}, Support: []supportJSON{}, V: 1}
	for _, s := range e.Support {
		j.Support = append(j.Support, supportJSON{s.Index, s.Proof, s.Record})
	}
	for _, l := range e.Seen {
		j.Seen = append(j.Seen, linkJSON{l.Index, l.Proof, l.Size})
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
	for i, l := range j.Seen {
		if l.Index < 0 || i > 0 && (l.Size < j.Seen[i-1].Size || l.Size == j.Seen[i-1].Size && l.Index <= j.Seen[i-1].Index) {
			return Extra{}, errors.New("extra of the receipt: seen is not sorted by size and index")
		}
		e.Seen = append(e.Seen, Link{Index: l.Index, Size: l.Size, Proof: l.Proof})
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
