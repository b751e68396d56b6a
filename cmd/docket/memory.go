package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
)

// A memory is what a signer must not forget, in a file beside the key, KEY.state:
// per ledger the log's key, the next number of the signer's key, and the newest
// checkpoint that was verified. It has no secrets.
type memory struct {
	V       int64                  `json:"v"`
	KID     string                 `json:"kid"`
	Ledgers map[string]*remembered `json:"ledgers"` // by origin

	read []byte // the file as it was read
}

type remembered struct {
	// VKey signs the checkpoints: pinned on first use, or from a trust
	// policy.
	VKey string `json:"vkey"`
	// NextSeq is the number of the key's next signature.
	NextSeq int64 `json:"next_seq"`
	// Checkpoint is the newest one that was verified, as signed; empty
	// before there is one.
	Checkpoint string `json:"checkpoint,omitempty"`
}

func memoryFile(keyFile string) string { return keyFile + ".state" }

// readMemory returns an empty memory if there is no file.
func readMemory(keyFile, kid string) (*memory, error) {
	m := &memory{V: 1, KID: kid, Ledgers: map[string]*remembered{}}
	file := memoryFile(keyFile)
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(b, m, json.RejectUnknownMembers(true)); err != nil {
		return nil, fmt.Errorf("%s is damaged: %w", file, err)
	}
	m.read = b
	if m.V != 1 || m.KID != kid {
		return nil, fmt.Errorf("%s belongs to another key, %s, or to a newer docket", file, m.KID)
	}
	return m, nil
}

// of returns what is remembered of a ledger.
func (m *memory) of(origin string) *remembered {
	if m.Ledgers[origin] == nil {
		m.Ledgers[origin] = &remembered{NextSeq: 1}
	}
	return m.Ledgers[origin]
}

// write replaces the file, so that it is always whole; it is on the disk when
// write returns. It refuses if somebody else has written it meanwhile: two
// signatures must not have one number.
func (m *memory) write(keyFile string) error {
	now, err := os.ReadFile(memoryFile(keyFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if !bytes.Equal(now, m.read) {
		return fmt.Errorf("%s has changed: the key is being used by another docket; nothing was signed, try again", memoryFile(keyFile))
	}
	b, err := json.Marshal(m, json.Deterministic(true), jsontext.WithIndent("  "))
	if err != nil {
		return err
	}
	m.read = append(b, '\n')
	return replaceFile(memoryFile(keyFile), m.read, 0o600)
}

// replaceFile writes a file beside path and renames it.
func replaceFile(path string, b []byte, mode fs.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", path, err), os.Remove(f.Name()))
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// seen returns the remembered checkpoint as a signature names it.
func (r *remembered) seen() (record.Seen, error) {
	if r.Checkpoint == "" {
		return record.SeenNothing, nil
	}
	s, err := r.signed()
	return record.SeenTree(s.Checkpoint.Size, s.Checkpoint.Root), err
}

func (r *remembered) signed() (verify.Signed, error) {
	p, err := pinned(r.VKey)
	if err != nil {
		return verify.Signed{}, err
	}
	return p.Open([]byte(r.Checkpoint))
}

// pinned is the trust policy of one log key and no witnesses.
func pinned(vkey string) (*verify.Policy, error) {
	return verify.ParsePolicy([]byte("log " + vkey + "\nquorum none\n"))
}

// errSplit says that a ledger showed what its earlier checkpoint rules out.
var errSplit = errors.New("the ledger contradicts what it signed before; nothing was signed")

// advance takes the newest checkpoint of a ledger into memory. policy says whose
// signatures count; nil means the key that is remembered. It refuses a tree that
// does not extend the remembered one with an error that wraps errSplit, and
// writes both checkpoints to a file: they may prove that the log shows different
// histories to different people.
func (r *remembered) advance(ctx context.Context, src verify.Source, origin string, policy *verify.Policy, keyFile string) error {
	note, err := src.ReadFile(ctx, "checkpoint")
	if err != nil {
		return fmt.Errorf("read the checkpoint: %w", err)
	}
	if policy == nil {
		if policy, err = pinned(r.VKey); err != nil {
			return err
		}
	}
	now, err := policy.Open(note)
	if err != nil {
		return err
	}
	if now.Checkpoint.Origin != origin {
		return fmt.Errorf("the draft is for %s, and this is the ledger %s", origin, now.Checkpoint.Origin)
	}
	if r.Checkpoint != "" {
		before, err := r.signed()
		if err != nil {
			return fmt.Errorf("%s: %w", memoryFile(keyFile), err)
		}
		if err := compare(ctx, src, before, now); err != nil {
			return r.split(err, now, keyFile)
		}
	}
	r.VKey, r.Checkpoint = now.LogKey.String(), string(note)
	return nil
}

// errShrunk says that a ledger shows less than it did.
var errShrunk = errors.New("it shows fewer records than it did before: an old copy, or a log that was set back")

func compare(ctx context.Context, src verify.Source, before, now verify.Signed) error {
	if now.Checkpoint.Size < before.Checkpoint.Size {
		return fmt.Errorf("%w (%d, before %d)", errShrunk, now.Checkpoint.Size, before.Checkpoint.Size)
	}
	return now.Tree(src).ExtendsSigned(ctx, before)
}

// evidence is what split writes: two checkpoints, and, if the smaller one is not
// part of the larger, the proof of that.
type evidence struct {
	V     int64    `json:"v"`
	Old   string   `json:"old"`
	New   string   `json:"new"`
	Root  string   `json:"root,omitempty"`  // base64: of the tree of new at the size of old
	Proof []string `json:"proof,omitempty"` // base64: the consistency proof of root and new
}

// split keeps evidence of a ledger that contradicts itself. Errors that prove
// nothing are returned as they are.
func (r *remembered) split(err error, now verify.Signed, keyFile string) error {
	var fork *verify.ForkError
	var file *verify.FileError
	isFork := errors.As(err, &fork)
	if !isFork && !errors.Is(err, errShrunk) && !errors.As(err, &file) {
		return err
	}
	e := evidence{V: 1, Old: r.Checkpoint, New: string(now.Note)}
	if isFork {
		e.Root = base64.StdEncoding.EncodeToString(fork.Root[:])
		for _, h := range fork.Proof {
			e.Proof = append(e.Proof, base64.StdEncoding.EncodeToString(h[:]))
		}
	}
	b, jsonErr := json.Marshal(e, jsontext.WithIndent("  "))
	if jsonErr != nil {
		return jsonErr
	}
	path := keyFile + ".fork-" + time.Now().UTC().Format("20060102T150405Z")
	if writeErr := replaceFile(path, append(b, '\n'), 0o600); writeErr != nil {
		return writeErr
	}
	return fmt.Errorf("%w: %w. Both checkpoints are in %s: keep that file, and show it to others who follow this ledger", errSplit, err, path)
}
