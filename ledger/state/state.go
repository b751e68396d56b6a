// Package state keeps what is derived from a log while records are admitted: the
// rows of package rules, the standing of each record, the index of each
// effective payload and the records of each case. It is a Pebble database with a cursor: how many records it
// has seen, and the root of their tree. It is never ahead of the log and may be
// behind after a crash; the ledger then replays what is missing. It can be
// deleted at any time.
//
// Rows:
//
//	r <rules row>        value of rules.State
//	s <index>            codes and findings of a record that has any
//	p <payload hash>     index of the effective record with that payload
//	n <case> 0 <index>   leaf hash and type of a record that names the case, or a
//	                     record of it; effective or void
//	w <leaf hash>        case of a record that has one
//	c                    cursor: size ‖ root
//	v                    version of these rows; another one is made anew
//
// Keys of numbers are big endian; payload and leaf hashes are cut to 16 bytes, and
// a payload must be compared with that of the record on a hit.
package state

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// formatVersion is pinned, as that of package pebblestore: a newer one can't be
// undone.
const formatVersion pebble.FormatMajorVersion = 24

// version is that of the rows, those of package rules included. It is raised when
// a state that an earlier program made would be misread.
const version = "2"

// Config is read by Open.
type Config struct {
	// Dir is the directory of the database; it is made if it is not there.
	Dir string
	// FS is the file system; nil means the real one.
	FS vfs.FS
	// Cache is shared with other databases of the process; nil means a
	// cache of Pebble's default size.
	Cache *pebble.Cache
	// Logger gets what Pebble has to say; nil means nothing is said.
	Logger *slog.Logger
}

// NewCache returns a block cache of a size in bytes, for all databases of a
// process to share. Its owner calls Unref when they are closed.
func NewCache(bytes int64) *pebble.Cache { return pebble.NewCache(bytes) }

// A Store holds the state. Reads may run concurrently with each other and with
// one writer; they see what was merged.
type Store struct {
	db    *pebble.DB
	cache rows // what the writer read or wrote lately
	size  int64
	root  tlog.Hash
}

// rows is a bounded cache of rows, for the writer alone: nil means absent.
type rows map[string][]byte

const cacheRows = 1 << 16

// Open opens the state, or makes an empty one.
func Open(cfg Config) (*Store, error) {
	db, err := pebble.Open(cfg.Dir, options(cfg))
	if err != nil {
		return nil, fmt.Errorf("open the rules state in %s: %w", cfg.Dir, err)
	}
	s := &Store{db: db, cache: rows{}}
	if err := s.load(); err != nil {
		return nil, errors.Join(fmt.Errorf("open the rules state in %s: %w", cfg.Dir, err), db.Close())
	}
	return s, nil
}

func options(cfg Config) *pebble.Options {
	opts := &pebble.Options{
		FS: cfg.FS, Cache: cfg.Cache, FormatMajorVersion: formatVersion,
		Logger: logger{cfg.Logger},
		// The state can be made anew: a commit need not be in the WAL of
		// a damaged disk, but it must never be half there.
		MemTableSize: 32 << 20,
	}
	for i := range opts.Levels {
		opts.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	return opts
}

// load reads the cursor. A state of another version is emptied, so that the log
// is replayed.
func (s *Store) load() error {
	made, err := s.read("v")
	if err != nil {
		return err
	}
	if string(made) != version {
		return s.Reset()
	}
	s.size, s.root, err = cursor(s.read)
	return err
}

// cursor reads the cursor from a reader of rows.
func cursor(read func(key string) ([]byte, error)) (size int64, root tlog.Hash, err error) {
	raw, err := read("c")
	switch {
	case err != nil:
		return 0, root, err
	case raw == nil:
		return 0, tlog.Hash(emptyRoot), nil
	case len(raw) != 8+tlog.HashSize:
		return 0, root, errors.New("the cursor is damaged: delete that folder, it is made anew")
	}
	return int64(binary.BigEndian.Uint64(raw)), tlog.Hash(raw[8:]), nil
}

var emptyRoot = sha256.Sum256(nil)

// Close closes the database.
func (s *Store) Close() error { return s.db.Close() }

// Cursor returns how many records the state has seen, and the root of their
// tree. It must not run concurrently with Merge or Reset.
func (s *Store) Cursor() (size int64, root tlog.Hash) { return s.size, s.root }

// Reset empties the state.
func (s *Store) Reset() error {
	b := s.db.NewBatch()
	err := errors.Join(b.DeleteRange([]byte{0}, []byte{0xff}, nil), b.Set([]byte("v"), []byte(version), nil))
	if err == nil {
		err = b.Commit(pebble.Sync)
	}
	if err := errors.Join(err, b.Close()); err != nil {
		return fmt.Errorf("empty the rules state: %w", err)
	}
	s.cache, s.size, s.root = rows{}, 0, tlog.Hash(emptyRoot)
	return nil
}

func (s *Store) read(key string) ([]byte, error) { return read(s.db, key) }

func read(from pebble.Reader, key string) ([]byte, error) {
	v, closer, err := from.Get([]byte(key))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the rules state: %w", err)
	}
	out := append([]byte{}, v...)
	return out, closer.Close()
}

// Get returns a row of package rules, as merged. It is part of rules.State;
// Put is refused: writes go through an Overlay.
func (s *Store) Get(key string) ([]byte, error) { return s.read("r" + key) }

// Put refuses: see Overlay.
func (s *Store) Put(string, []byte) error {
	return errors.New("state: the merged state is written by Merge alone")
}

func indexKey(kind string, index int64) string {
	return string(binary.BigEndian.AppendUint64([]byte(kind), uint64(index)))
}

func payloadKey(payload []byte) string {
	h := sha256.Sum256(payload)
	return "p" + string(h[:16])
}

// Payload returns the index of the effective record with this payload, or
// ok = false. On a hit the caller compares the payloads.
func (s *Store) Payload(payload []byte) (index int64, ok bool, err error) {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: []byte("p"), UpperBound: []byte("q"), UseL6Filters: true})
	if err != nil {
		return 0, false, fmt.Errorf("read the rules state: %w", err)
	}
	// Unlike a Get, this asks the Bloom filters of all levels: what is new
	// costs no read from the disk.
	if ok = it.SeekPrefixGE([]byte(payloadKey(payload))); ok {
		if raw, err := it.ValueAndErr(); err == nil && len(raw) == 8 {
			index = int64(binary.BigEndian.Uint64(raw))
		}
	}
	return index, ok, it.Close()
}

// Standing returns the codes and findings of the record at index, which the
// state must have seen.
func (s *Store) Standing(index int64) (codes, findings []rules.Code, err error) {
	return standing(s.db, index)
}

func standing(from pebble.Reader, index int64) (codes, findings []rules.Code, err error) {
	raw, err := read(from, indexKey("s", index))
	if err != nil || raw == nil {
		return nil, nil, err
	}
	c, f, _ := strings.Cut(string(raw), ";")
	return splitCodes(c), splitCodes(f), nil
}

func splitCodes(s string) []rules.Code {
	if s == "" {
		return nil
	}
	var out []rules.Code
	for _, c := range strings.Split(s, ",") {
		out = append(out, rules.Code(c))
	}
	return out
}

func joinCodes(codes []rules.Code) string {
	words := make([]string, len(codes))
	for i, c := range codes {
		words[i] = string(c)
	}
	return strings.Join(words, ",")
}

// An Overlay is the state with the changes of one batch on top. It is a
// rules.State. There is one at a time, and only the writer uses it.
type Overlay struct {
	store *Store
	puts  map[string][]byte
}

// Overlay returns an overlay without changes.
func (s *Store) Overlay() *Overlay { return &Overlay{store: s, puts: map[string][]byte{}} }

// Get implements rules.State.
func (o *Overlay) Get(key string) ([]byte, error) { return o.get("r" + key) }

// Put implements rules.State.
func (o *Overlay) Put(key string, value []byte) error {
	o.puts["r"+key] = append([]byte{}, value...)
	return nil
}

func (o *Overlay) get(key string) ([]byte, error) {
	if v, ok := o.puts[key]; ok {
		return v, nil
	}
	if v, ok := o.store.cache[key]; ok {
		return v, nil
	}
	v, err := o.store.read(key)
	if err != nil {
		return nil, err
	}
	o.store.remember(key, v)
	return v, nil
}

func (s *Store) remember(key string, value []byte) {
	if len(s.cache) >= cacheRows {
		clear(s.cache)
	}
	s.cache[key] = value
}

// Amended reports whether the batch changes the charter in force.
func (o *Overlay) Amended() bool {
	_, ok := o.puts["r"+rules.CharterRow]
	return ok
}

// Payload is Store.Payload with the batch on top.
func (o *Overlay) Payload(payload []byte) (index int64, ok bool, err error) {
	if raw, ok := o.puts[payloadKey(payload)]; ok {
		return int64(binary.BigEndian.Uint64(raw)), true, nil
	}
	return o.store.Payload(payload)
}

// Judged notes the standing of a record, its case and, if it is effective, its
// payload. payload is what p was parsed from; both are nil if the record could
// not be opened.
func (o *Overlay) Judged(s rules.Standing, payload []byte, p record.Payload) error {
	if len(s.Codes)+len(s.Findings) > 0 {
		o.puts[indexKey("s", s.Index)] = []byte(joinCodes(s.Codes) + ";" + joinCodes(s.Findings))
	}
	if s.Effective() && payload != nil {
		o.puts[payloadKey(payload)] = binary.BigEndian.AppendUint64(nil, uint64(s.Index))
	}
	return o.named(s, p)
}

// Merge makes the changes of o part of the state: it has now seen size records
// with this root. It does not wait for the disk; what a crash loses is
// replayed. After an error the state must be closed.
func (s *Store) Merge(o *Overlay, size int64, root tlog.Hash) error {
	b := s.db.NewBatch()
	for key, value := range o.puts {
		var err error
		if len(value) == 0 {
			err = b.Delete([]byte(key), nil)
		} else {
			err = b.Set([]byte(key), value, nil)
		}
		if err != nil {
			return errors.Join(err, b.Close())
		}
		if key[0] == 'r' {
			s.remember(key, value)
		}
	}
	cursor := append(binary.BigEndian.AppendUint64(nil, uint64(size)), root[:]...)
	if err := b.Set([]byte("c"), cursor, nil); err != nil {
		return errors.Join(err, b.Close())
	}
	if err := b.Commit(pebble.NoSync); err != nil {
		return errors.Join(fmt.Errorf("write the rules state: %w", err), b.Close())
	}
	s.size, s.root = size, root
	return b.Close()
}

// logger hands Pebble's messages to slog. A write error of the state is as
// fatal as Pebble says: the process ends, and the next start replays the log.
type logger struct{ log *slog.Logger }

func (l logger) Infof(format string, args ...any) {
	if l.log != nil {
		l.log.Debug("pebble", slog.String("store", "state"), slog.String("message", fmt.Sprintf(format, args...)))
	}
}

func (l logger) Errorf(format string, args ...any) {
	if l.log != nil {
		l.log.Error("pebble", slog.String("store", "state"), slog.String("message", fmt.Sprintf(format, args...)))
	}
}

func (l logger) Fatalf(format string, args ...any) {
	l.Errorf(format, args...)
	panic("state: " + fmt.Sprintf(format, args...))
}
