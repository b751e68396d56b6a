package rules

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"

	"github.com/docket-ledger/docket/verify/record"
)

// State is where a Fold remembers. Keys are short; values are at most a few
// kilobytes. An empty value means absent. It need not be safe for concurrent
// use.
type State interface {
	// Get returns the newest value put under key, or nil. The caller does
	// not change it and does not keep it past the next call.
	Get(key string) ([]byte, error)
	// Put sets the value of key. It does not retain value.
	Put(key string, value []byte) error
}

// A Lister is a State that can list its rows. Status and Duties need one.
type Lister interface {
	State
	// List calls yield for every row whose key begins with prefix, in no
	// order, until yield returns an error, which it returns. The value is
	// not changed and not kept.
	List(prefix string, yield func(key string, value []byte) error) error
}

// The rows of the state. Those that many records touch are binary, the rest
// JSON. An id is cut to idBytes in a key, see shortID.
const (
	rowCharter = "charter" // CharterInfo
	rowAmend   = "amend"   // amendRow: an amendment that is not in force yet
	rowClock   = "clock"   // clockRow
	rowAhead   = "ahead"   // aheadRow: the newest iat that no timemark covers
	rowStep    = "t/"      // + number: stepRow
	rowKey     = "k/"      // + kid: KeyInfo
	rowKeys    = "keys"    // how many keys there are
	rowNumber  = "i/"      // + number of a key: kid
	rowSeq     = "q/"      // + kid: intervals
	rowRole    = "r/"      // + role: kids, for registrar and administration
	rowPolicy  = "p/"      // + policy: policyRow
	rowClause  = "l/"      // + policy/version/clause: clauseRow
	rowClauses = "clauses" // how many clauses there are
	rowCite    = "j/"      // + number of a clause: its rowClause key
	rowCase    = "c/"      // + case: caseRow
	rowAct     = "d/"      // + id: actRow of a decision or a ruling
	rowPending = "n/"      // + id of a decision: pendingRow
	rowAppeal  = "o/"      // + case: appealRow, an appeal that waits for its ruling
	rowSubject = "e/"      // + subject ref: an emergency without an ordinary decision since
)

// CharterRow is the row that ReadCharter reads: it is put whenever the charter
// in force changes.
const CharterRow = rowCharter

// CharterInfo is what the charter in force says, and when it was signed.
type CharterInfo struct {
	// Charter has the terms of the newest amendment in force.
	Charter *record.Charter `json:"charter"`
	// Time is the newest iat of the charter, in seconds since 1970.
	Time int64 `json:"time"`
	// Amendments are the indexes of the effective amendments, in order;
	// Pending says that the last one is not in force yet.
	Amendments []int64 `json:"amendments,omitempty"`
	Pending    bool    `json:"pending,omitzero"`
}

// ReadCharter returns the charter that state holds, or nil if there is none.
func ReadCharter(state State) (*CharterInfo, error) {
	return readJSON[CharterInfo](state, rowCharter)
}

// KeyInfo is what is known of a key.
type KeyInfo struct {
	JWK    record.JWK    `json:"jwk"`
	Holder string        `json:"holder"`
	Roles  []record.Role `json:"roles,omitempty"`
	// Indexes are those of the records that enrolled it, in order; 0 is the
	// charter.
	Indexes    []int64     `json:"indexes"`
	ValidUntil record.Time `json:"valid_until,omitzero"`
	// Recovery marks a recovery key of the charter or of an amendment; it
	// counts while the charter in force names it.
	Recovery bool        `json:"recovery,omitzero"`
	Revoked  *Revocation `json:"revoked,omitzero"`
	// Number counts the keys of the ledger, from 0.
	Number int64 `json:"number"`
}

// A Revocation ended a key from Index on.
type Revocation struct {
	Index  int64       `json:"index"`
	Reason string      `json:"reason"`
	Since  record.Time `json:"since,omitzero"`
}

// ReadKey returns what state knows of a key, or nil if it was never enrolled.
func ReadKey(state State, kid string) (*KeyInfo, error) { return readJSON[KeyInfo](state, rowKey+kid) }

// NextSeq returns the number that a key's next signature should have.
func NextSeq(state State, kid string) (int64, error) {
	raw, err := state.Get(rowSeq + kid)
	if err != nil {
		return 0, err
	}
	used, err := parseIntervals(raw)
	if err != nil {
		return 0, err
	}
	return used.max() + 1, nil
}

func readJSON[T any](state State, key string) (*T, error) {
	raw, err := state.Get(key)
	if err != nil || len(raw) == 0 {
		return nil, err
	}
	v := new(T)
	if err := json.Unmarshal(raw, v); err != nil {
		return nil, fmt.Errorf("row %q of the rules state is damaged: %w", key, err)
	}
	return v, nil
}

// rows reads the rows of a state.
type rows struct {
	get  func(key string) ([]byte, error)
	memo memo
}

// memo keeps decoded rows as long as their bytes are the same.
type memo map[string]memoized

type memoized struct {
	raw   []byte
	value any
}

// memoSize bounds the memo; a ledger has few keys, policies and clauses.
const memoSize = 4096

// cached is readJSON with a memo. The value is shared: it must not be changed.
func cached[T any](r *rows, key string) (*T, error) {
	raw, err := r.get(key)
	if err != nil || len(raw) == 0 {
		return nil, err
	}
	if m, ok := r.memo[key]; ok && bytes.Equal(m.raw, raw) {
		return m.value.(*T), nil
	}
	v := new(T)
	if err := json.Unmarshal(raw, v); err != nil {
		return nil, fmt.Errorf("row %q of the rules state is damaged: %w", key, err)
	}
	if len(r.memo) >= memoSize {
		clear(r.memo)
	}
	r.memo[key] = memoized{bytes.Clone(raw), v}
	return v, nil
}

// count reads a row that holds a number.
func (r *rows) count(key string) (int64, error) {
	raw, err := r.get(key)
	if err != nil || len(raw) == 0 {
		return 0, err
	}
	d := decoder{raw}
	n := d.int()
	return n, d.end(key)
}

// An encoder and a decoder pack small rows: integers that are not negative as
// uvarints, and bytes of a known length.
type encoder []byte

func (e *encoder) int(n int64)    { *e = binary.AppendUvarint(*e, uint64(n)) }
func (e *encoder) bytes(b string) { *e = append(*e, b...) }
func (e *encoder) ints(list []int64) {
	e.int(int64(len(list)))
	for _, n := range list {
		e.int(n)
	}
}

// A decoder yields zeros from the first fault on; end reports it.
type decoder struct{ rest []byte }

func (d *decoder) int() int64 {
	n, k := binary.Uvarint(d.rest)
	if k <= 0 || n > record.MaxInt {
		d.rest = damaged
		return 0
	}
	d.rest = d.rest[k:]
	return int64(n)
}

func (d *decoder) bytes(n int) string {
	if len(d.rest) < n {
		d.rest = damaged
		return ""
	}
	s := string(d.rest[:n])
	d.rest = d.rest[n:]
	return s
}

func (d *decoder) ints() []int64 {
	n := d.int()
	if n > int64(len(d.rest)) {
		d.rest = damaged
		return nil
	}
	list := make([]int64, n)
	for i := range list {
		list[i] = d.int()
	}
	return list
}

// damaged is what is left of a row once a fault was found: it never ends well.
var damaged = []byte{0x80}

func (d *decoder) end(key string) error {
	if len(d.rest) > 0 {
		return fmt.Errorf("row %q of the rules state is damaged", key)
	}
	return nil
}

// idBytes is how much of an id the state keeps: to meet another record with the
// same beginning takes some 2^80 trials for who makes both.
const idBytes = 20

// shortID returns the beginning of the hash that an id spells; "" for none.
func shortID(id record.ID) string {
	h, err := id.Hash()
	if err != nil {
		return ""
	}
	return string(h[:idBytes])
}

// intervals is a set of numbers as sorted, disjoint, not adjacent closed
// ranges: first, last, first, last … A key that skips nothing has one.
type intervals []int64

var errIntervals = errors.New("a row of used numbers is damaged")

func parseIntervals(raw []byte) (intervals, error) {
	var s intervals
	last := int64(0)
	for len(raw) > 0 {
		d, n := binary.Uvarint(raw)
		if n <= 0 || d > record.MaxInt {
			return nil, errIntervals
		}
		last += int64(d)
		s = append(s, last)
		raw = raw[n:]
	}
	if len(s)%2 != 0 {
		return nil, errIntervals
	}
	return s, nil
}

func (s intervals) encode() []byte {
	var b []byte
	last := int64(0)
	for _, n := range s {
		b = binary.AppendUvarint(b, uint64(n-last))
		last = n
	}
	return b
}

func (s intervals) max() int64 {
	if len(s) == 0 {
		return 0
	}
	return s[len(s)-1]
}

func (s intervals) has(n int64) bool {
	for i := 0; i < len(s); i += 2 {
		if s[i] <= n && n <= s[i+1] {
			return true
		}
	}
	return false
}

// with returns the set with n added; n is not in it yet.
func (s intervals) with(n int64) intervals {
	i := 0
	for i < len(s) && s[i] <= n {
		i += 2
	}
	joinsLeft := i > 0 && s[i-1] == n-1
	joinsRight := i < len(s) && s[i] == n+1
	out := append(intervals{}, s[:i]...)
	switch {
	case joinsLeft && joinsRight:
		out = append(out[:len(out)-1], s[i+1:]...)
	case joinsLeft:
		out[len(out)-1] = n
		out = append(out, s[i:]...)
	case joinsRight:
		out = append(append(out, n), s[i+1:]...)
	default:
		out = append(append(out, n, n), s[i:]...)
	}
	return out
}
