package rules

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/maphash"
	"iter"
	"slices"
	"strings"
)

// Memory is a State in memory, made for many small rows: a row takes its bytes,
// some eight more for its place, and two to four for its lengths. Only NewMemory
// makes a useful one. It must not be used concurrently.
type Memory struct {
	seed  maphash.Seed
	table []uint32 // places of rows; 0 is free
	used  int      // slots of table that are not free, dead rows included
	// chunks hold the rows one after the other: lengths of key and of value's
	// room as uvarints, the length of value, key, value, padded to unit. The
	// first unit is not used.
	chunks  [][]byte
	garbage int // bytes whose rows moved or are absent
}

// A place is the number of a chunk and, in its low bits, the units before the row.
const (
	unit       = 4
	chunkSize  = 1 << 20
	placeBits  = 18 // of chunkSize/unit
	placeUnits = 1 << placeBits
)

// NewMemory returns an empty Memory.
func NewMemory() *Memory {
	return &Memory{seed: maphash.MakeSeed(), table: make([]uint32, 64), chunks: [][]byte{make([]byte, unit, 1<<10)}}
}

// row is a row of a chunk.
type row struct {
	key, value []byte
	length     []byte // of value, two bytes
	room       []byte // value, and what it may grow to
	size       int    // of the row, with padding
}

// at decodes the row at a place. An absent row has no value.
func (m *Memory) at(place uint32) row {
	b := m.chunks[place>>placeBits][int(place%placeUnits)*unit:]
	keyLen, n := binary.Uvarint(b)
	room, k := binary.Uvarint(b[n:])
	n += k
	r := row{length: b[n : n+2]}
	n += 2
	r.key = b[n : n+int(keyLen)]
	n += int(keyLen)
	r.room = b[n : n+int(room) : n+int(room)]
	r.size = (n + int(room) + unit - 1) / unit * unit
	valueLen := int(binary.BigEndian.Uint16(r.length))
	if valueLen == maxShort {
		valueLen = int(room)
	}
	r.value = r.room[:valueLen:valueLen]
	return r
}

// maxShort marks a value that fills its room: those too long for the two bytes
// of their length are never put into a larger room.
const maxShort = 1<<16 - 1

// find returns the slot of a key, and whether it has a row.
func (m *Memory) find(key string) (slot int, ok bool) {
	mask := len(m.table) - 1
	for slot = int(maphash.String(m.seed, key)) & mask; m.table[slot] != 0; slot = (slot + 1) & mask {
		if string(m.at(m.table[slot]).key) == key {
			return slot, true
		}
	}
	return slot, false
}

// Get implements State.
func (m *Memory) Get(key string) ([]byte, error) {
	slot, ok := m.find(key)
	if !ok {
		return nil, nil
	}
	v := m.at(m.table[slot]).value
	if len(v) == 0 {
		return nil, nil
	}
	return v, nil
}

// Put implements State.
func (m *Memory) Put(key string, value []byte) error {
	slot, ok := m.find(key)
	if !ok && len(value) == 0 {
		return nil
	}
	if ok {
		r := m.at(m.table[slot])
		if fits := len(value) <= len(r.room) && len(r.room) < maxShort; fits || len(value) == 0 {
			m.garbage += len(r.value) - len(value)
			binary.BigEndian.PutUint16(r.length, uint16(len(value)))
			copy(r.room, value)
			return nil
		}
		m.garbage += r.size
	}
	place, err := m.append(key, value)
	if err != nil {
		return err
	}
	m.table[slot] = place
	if !ok {
		m.used++
	}
	if m.used*4 > len(m.table)*3 || m.garbage > chunkSize && m.garbage > len(m.chunks)*chunkSize/3 {
		m.rebuild()
	}
	return nil
}

var errRow = errors.New("a row of the rules state is too large")

// append adds a row and returns its place.
func (m *Memory) append(key string, value []byte) (uint32, error) {
	most := 2*binary.MaxVarintLen64 + 2 + len(key) + len(value) + unit
	if most > chunkSize || len(m.chunks) >= 1<<(32-placeBits) {
		return 0, errRow
	}
	c := m.chunks[len(m.chunks)-1]
	if len(c)+most > chunkSize {
		c = make([]byte, 0, chunkSize)
		m.chunks = append(m.chunks, c)
	}
	place := uint32((len(m.chunks)-1)<<placeBits | len(c)/unit)
	c = binary.AppendUvarint(c, uint64(len(key)))
	c = binary.AppendUvarint(c, uint64(len(value)))
	c = binary.BigEndian.AppendUint16(c, uint16(min(len(value), maxShort)))
	c = append(append(c, key...), value...)
	for len(c)%unit != 0 {
		c = append(c, 0)
	}
	m.chunks[len(m.chunks)-1] = c
	return place, nil
}

// rebuild leaves out what is absent and makes room.
func (m *Memory) rebuild() {
	live := 0
	for range m.All() {
		live++
	}
	size := 64
	for size*5 < live*8 { // at most five eighths full
		size *= 2
	}
	again := &Memory{seed: m.seed, table: make([]uint32, size), chunks: [][]byte{make([]byte, unit, 1<<10)}}
	for key, value := range m.All() {
		slot, _ := again.find(key)
		again.table[slot], _ = again.append(key, value) // it had its place before
		again.used++
	}
	*m = *again
}

// All yields every row, in no order. The values must not be kept or changed, and
// the Memory not be written to meanwhile.
func (m *Memory) All() iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		for _, pos := range m.table {
			if pos == 0 {
				continue
			}
			if r := m.at(pos); len(r.value) > 0 && !yield(string(r.key), r.value) {
				return
			}
		}
	}
}

// List implements Lister.
func (m *Memory) List(prefix string, yield func(key string, value []byte) error) error {
	for key, value := range m.All() {
		if strings.HasPrefix(key, prefix) {
			if err := yield(key, value); err != nil {
				return err
			}
		}
	}
	return nil
}

// Clone returns a copy that goes its own way.
func (m *Memory) Clone() *Memory {
	c := *m
	c.table, c.chunks = slices.Clone(m.table), make([][]byte, len(m.chunks))
	for i, chunk := range m.chunks {
		c.chunks[i] = bytes.Clone(chunk)
	}
	return &c
}
