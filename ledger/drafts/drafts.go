// Package drafts keeps records that wait for co-signers, outside the log.
//
// A draft is what several signatures are collected for: its name is that of the
// payload, so the same statement is one draft, however many have signed it and
// in whatever order they come. It is a file:
//
//	draft-<base64url SHA-256 of the payload>.json
//	{"by":["<kid>",…],"posted":"<time>","record":{…}}
//
// written under another name, synced and renamed. Nothing here is evidence: a
// draft may be lost without harm, since its signers have what they signed, and a
// file that can't be read is left aside.
//
// A draft ends when its oldest signature is too old for the ledger to take.
//
// # Not checked here
//
// Who may read, write and remove: callers do that. Signatures are checked before
// a draft is put here, and not again.
package drafts

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/docket-ledger/docket/verify/record"
)

// Config is read by Open.
type Config struct {
	// Dir is the directory of the drafts; it is made if it is not there, and
	// used by one Store at a time. Required.
	Dir string
	// Life is how old the oldest signature of a draft may be: the charter's
	// draft_life. Required.
	Life func() time.Duration
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// PerKey is how many drafts one key may have posted. Default 64.
	PerKey int
	// Max is how many drafts there may be, MaxBytes how large their records
	// may be together. Default 512, and 8 MiB.
	Max      int
	MaxBytes int64
	// Logger gets what was left aside; nil means nothing is said.
	Logger *slog.Logger
}

// ErrFull is wrapped by errors of Put: there are too many drafts, or too many of
// this key. Remove some, or wait until they are submitted or have ended.
var ErrFull = errors.New("too many drafts are waiting")

// A Draft is a record with the signatures that it has so far. It is not changed.
type Draft struct {
	// ID is "draft-" and the unpadded base64url SHA-256 of the payload.
	ID string
	// Posted is when the draft was first posted, By who posted it, or
	// signatures for it, by their keys' thumbprints.
	Posted time.Time
	By     []string
	Record *record.Unverified
}

// Expires returns when the oldest signature is older than life.
func (d *Draft) Expires(life time.Duration) time.Time {
	oldest := slices.MinFunc(d.Record.Headers(), func(a, b record.Header) int { return cmp.Compare(a.IAT, b.IAT) })
	return time.Unix(oldest.IAT, 0).Add(life)
}

// Concerns reports whether a key has signed or posted d.
func (d *Draft) Concerns(kid string) bool {
	return slices.Contains(d.By, kid) ||
		slices.ContainsFunc(d.Record.Headers(), func(h record.Header) bool { return h.KID == kid })
}

// IDOf returns the name of the draft that states this payload.
func IDOf(payload []byte) string {
	sum := sha256.Sum256(payload)
	return "draft-" + base64.RawURLEncoding.EncodeToString(sum[:])
}

// A Store holds drafts. Its methods may be used concurrently.
type Store struct {
	cfg Config

	mu     sync.Mutex
	drafts map[string]*Draft
}

// file is the form of a draft on disk.
type file struct {
	By     []string       `json:"by"`
	Posted record.Time    `json:"posted"`
	Record jsontext.Value `json:"record"`
}

const (
	suffix    = ".json"
	temporary = ".new"
)

// Open reads the drafts in a directory.
func Open(cfg Config) (*Store, error) {
	cfg.PerKey = cmp.Or(cfg.PerKey, 64)
	cfg.Max = cmp.Or(cfg.Max, 512)
	cfg.MaxBytes = cmp.Or(cfg.MaxBytes, 8<<20)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Dir == "" || cfg.Life == nil {
		return nil, errors.New("drafts: Config.Dir or Config.Life is missing")
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(cfg.Dir)
	if err != nil {
		return nil, err
	}
	s := &Store{cfg: cfg, drafts: map[string]*Draft{}}
	for _, e := range entries {
		path := filepath.Join(cfg.Dir, e.Name())
		switch filepath.Ext(e.Name()) {
		case temporary: // the process ended while it wrote
			if err := os.Remove(path); err != nil {
				return nil, err
			}
		case suffix:
			d, err := read(path)
			if err != nil {
				cfg.Logger.Warn("draft left aside", slog.String("file", e.Name()), slog.Any("error", err))
				continue
			}
			s.drafts[d.ID] = d
		}
	}
	return s, nil
}

func read(path string) (*Draft, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var f file
	if err := json.Unmarshal(b, &f); err != nil {
		return nil, err
	}
	u, err := record.Parse(f.Record)
	if err != nil {
		return nil, err
	}
	d := &Draft{ID: IDOf(u.PayloadBytes()), Posted: time.Unix(f.Posted.Unix(), 0).UTC(), By: f.By, Record: u}
	if d.ID+suffix != filepath.Base(path) || len(u.Headers()) == 0 || len(f.By) == 0 {
		return nil, errors.New("not a signed draft of the name of its payload")
	}
	return d, nil
}

// Put keeps the draft that r is, posted by the holder of a key. Signatures for a draft that is known are added to it; of two by one key the one
// dated later is kept. added says that the draft was not known. The error wraps
// ErrFull, or is a *record.Error if there are too many signatures.
func (s *Store) Put(r record.Checked, by string) (d *Draft, added bool, err error) {
	u, err := record.Parse(r.Bytes())
	if err != nil {
		return nil, false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.expire(); err != nil {
		return nil, false, err
	}
	d = &Draft{ID: IDOf(u.PayloadBytes()), Posted: s.cfg.Now().UTC().Truncate(time.Second), By: []string{by}, Record: u}
	known := s.drafts[d.ID]
	if known != nil {
		d.Posted = known.Posted
		if d.By = slices.Clone(known.By); !slices.Contains(d.By, by) {
			d.By = append(d.By, by)
		}
		if d.Record, err = merge(known.Record, u); err != nil {
			return nil, false, err
		}
	}
	if err := s.room(d, known, by); err != nil {
		return nil, false, err
	}
	if err := s.write(d); err != nil {
		return nil, false, fmt.Errorf("keep %s: %w", d.ID, err)
	}
	s.drafts[d.ID] = d
	return d, known == nil, nil
}

// room says whether d may take the place of known, which may be nil.
func (s *Store) room(d, known *Draft, by string) error {
	count, bytes := 0, int64(len(d.Record.Bytes()))
	for _, other := range s.drafts {
		if other == known {
			continue
		}
		bytes += int64(len(other.Record.Bytes()))
		if other.By[0] == by {
			count++
		}
	}
	switch {
	case known == nil && count >= s.cfg.PerKey:
		return fmt.Errorf("%w: this key has posted %d: submit or delete some", ErrFull, count)
	case known == nil && len(s.drafts) >= s.cfg.Max, bytes > s.cfg.MaxBytes:
		return fmt.Errorf("%w: %d in all: submit or delete some", ErrFull, len(s.drafts))
	}
	return nil
}

// merge adds the signatures of two records that state the same.
func merge(a, b *record.Unverified) (*record.Unverified, error) {
	type signature struct {
		Protected string `json:"protected"`
		Signature string `json:"signature"`
	}
	type jws struct {
		Payload    string      `json:"payload"`
		Signatures []signature `json:"signatures"`
	}
	type dated struct {
		signature
		iat int64
	}
	byKID := map[string]dated{}
	var out jws
	for _, u := range []*record.Unverified{a, b} {
		if err := json.Unmarshal(u.Bytes(), &out); err != nil {
			return nil, err
		}
		for i, h := range u.Headers() {
			if have, ok := byKID[h.KID]; !ok || have.iat <= h.IAT {
				byKID[h.KID] = dated{out.Signatures[i], h.IAT}
			}
		}
	}
	out.Signatures = nil
	for _, kid := range slices.Sorted(maps.Keys(byKID)) {
		out.Signatures = append(out.Signatures, byKID[kid].signature)
	}
	text, err := json.Marshal(out)
	if err != nil {
		return nil, err
	}
	return record.Parse(text)
}

// write puts a draft on disk: as a whole or not at all.
func (s *Store) write(d *Draft) error {
	b, err := json.Marshal(file{By: d.By, Posted: record.Time(d.Posted.Unix()), Record: d.Record.Bytes()})
	if err != nil {
		return err
	}
	path := filepath.Join(s.cfg.Dir, d.ID+suffix)
	f, err := os.OpenFile(path+temporary, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(append(b, '\n'))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(path+temporary))
	}
	if err := os.Rename(path+temporary, path); err != nil {
		return err
	}
	return s.syncDir()
}

func (s *Store) syncDir() error {
	dir, err := os.Open(s.cfg.Dir)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// Get returns a draft. The error wraps fs.ErrNotExist if there is none, or none
// any more.
func (s *Store) Get(id string) (*Draft, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.expire(); err != nil {
		return nil, err
	}
	d := s.drafts[id]
	if d == nil {
		return nil, fmt.Errorf("no draft %.60q: %w", id, fs.ErrNotExist)
	}
	return d, nil
}

// List returns all drafts, the one posted first before the others.
func (s *Store) List() ([]*Draft, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.expire(); err != nil {
		return nil, err
	}
	return slices.SortedFunc(maps.Values(s.drafts), func(a, b *Draft) int {
		return cmp.Or(a.Posted.Compare(b.Posted), strings.Compare(a.ID, b.ID))
	}), nil
}

// Remove removes a draft; that it is not there is no error.
func (s *Store) Remove(id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.remove(id)
}

func (s *Store) remove(id string) error {
	if s.drafts[id] == nil {
		return nil
	}
	if err := os.Remove(filepath.Join(s.cfg.Dir, id+suffix)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove %s: %w", id, err)
	}
	delete(s.drafts, id)
	return nil
}

// expire removes the drafts that have ended.
func (s *Store) expire() error {
	now, life := s.cfg.Now(), s.cfg.Life()
	for id, d := range s.drafts {
		if now.After(d.Expires(life)) {
			if err := s.remove(id); err != nil {
				return err
			}
		}
	}
	return nil
}
