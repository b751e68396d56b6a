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

// Memory is a State in memory. The zero value is not useful; use Memory{}.
type Memory map[string][]byte

// Get implements State.
func (m Memory) Get(key string) ([]byte, error) { return m[key], nil }

// Put implements State.
func (m Memory) Put(key string, value []byte) error {
	if len(value) == 0 {
		delete(m, key)
		return nil
	}
	m[key] = bytes.Clone(value)
	return nil
}

// The rows of the state. Those that every record touches are binary, the rest
// JSON.
const (
	rowCharter = "charter" // CharterInfo
	rowClock   = "clock"   // clockRow
	rowStep    = "t/"      // + number: stepRow
	rowKey     = "k/"      // + kid: KeyInfo
	rowSeq     = "q/"      // + kid: intervals
	rowRole    = "r/"      // + role: kids, for registrar and administration
	rowPolicy  = "p/"      // + policy: policyRow
	rowClause  = "l/"      // + policy/version/clause: record.Clause without its text
	rowCase    = "c/"      // + case: caseRow
	rowPending = "n/"      // + decision id: pendingRow
	rowSubject = "e/"      // + subject ref: an emergency without an ordinary decision since
)

// CharterInfo is what the charter in force says, and when it was signed.
type CharterInfo struct {
	Charter *record.Charter `json:"charter"`
	// Time is the newest iat of the charter, in seconds since 1970.
	Time int64 `json:"time"`
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
	// Recovery marks a recovery key of the charter.
	Recovery bool        `json:"recovery,omitzero"`
	Revoked  *Revocation `json:"revoked,omitzero"`
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

// Clock returns the ledger time: the newest iat of the effective records so
// far, in seconds since 1970, 0 before there is one. It is claimed, not proven.
func Clock(state State) (int64, error) {
	c, err := readClock(state)
	return c.now, err
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

// memo keeps decoded rows as long as their bytes are the same.
type memo map[string]memoized

type memoized struct {
	raw   []byte
	value any
}

// memoSize bounds the memo; a ledger has few keys, policies and clauses.
const memoSize = 4096

// cached is readJSON with a memo. The value is shared: it must not be changed.
func cached[T any](e *exam, key string) (*T, error) {
	raw, err := e.get(key)
	if err != nil || len(raw) == 0 {
		return nil, err
	}
	if m, ok := e.fold.memo[key]; ok && bytes.Equal(m.raw, raw) {
		return m.value.(*T), nil
	}
	v := new(T)
	if err := json.Unmarshal(raw, v); err != nil {
		return nil, fmt.Errorf("row %q of the rules state is damaged: %w", key, err)
	}
	if len(e.fold.memo) >= memoSize {
		clear(e.fold.memo)
	}
	e.fold.memo[key] = memoized{bytes.Clone(raw), v}
	return v, nil
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
