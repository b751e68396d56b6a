package state

import (
	"encoding/binary"
	"errors"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// A Named is a record that names a case, or speaks about a record of it.
type Named struct {
	Index int64
	ID    record.ID
	Type  record.Type
}

func caseKey(name string, index int64) string { return indexKey("n"+name+"\x00", index) }

func leafKey(leaf tlog.Hash) string { return "w" + string(leaf[:16]) }

// named notes the case of a record that has one, also if the record is void.
func (o *Overlay) named(s rules.Standing, p record.Payload) error {
	name, err := o.caseOf(p)
	if name == "" || err != nil {
		return err
	}
	leaf, err := s.ID.Hash()
	if err != nil {
		return err
	}
	o.puts[caseKey(name, s.Index)] = append(leaf[:], p.Head().Type...)
	o.puts[leafKey(leaf)] = []byte(name)
	return nil
}

// caseOf returns the case that a payload names, or the case of the record that it
// is about, or "".
func (o *Overlay) caseOf(p record.Payload) (string, error) {
	var about record.ID
	switch p := p.(type) {
	case record.Act:
		name, _ := p.Place()
		return name, nil
	case *record.Erratum:
		about = p.About
	case *record.Execution:
		about = p.About
	case *record.Export:
		about = p.About
	case *record.Erasure:
		about = p.About
	default:
		return "", nil
	}
	leaf, err := about.Hash()
	if err != nil {
		return "", err
	}
	key := leafKey(leaf)
	if name, ok := o.puts[key]; ok {
		return string(name), nil
	}
	name, err := o.store.read(key)
	return string(name), err
}

var errNamed = errors.New("a row of the records of a case is damaged: delete the rules state, it is made anew")

func parseNamed(key, value []byte) (Named, error) {
	if len(key) < 8 || len(value) <= tlog.HashSize {
		return Named{}, errNamed
	}
	return Named{
		Index: int64(binary.BigEndian.Uint64(key[len(key)-8:])),
		ID:    record.HashID(tlog.Hash(value[:tlog.HashSize])), Type: record.Type(value[tlog.HashSize:]),
	}, nil
}
