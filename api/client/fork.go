package client

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
)

var (
	// ErrSplit says that a ledger showed what excludes an earlier
	// checkpoint, or what a signer saw. The error names the file with the
	// evidence. Sign and believe nothing of that ledger until it is
	// explained.
	ErrSplit = errors.New("the ledger contradicts what it showed before")
	// ErrShrunk says that a ledger shows less than it did. Errors that wrap
	// it wrap ErrSplit, too.
	ErrShrunk = errors.New("it shows fewer records than it did before: an old copy, or a log that was set back")
)

// maxEvidence is how many files of evidence are kept beside one memory: a client
// that asks again and again does not fill the disk.
const maxEvidence = 32

// Evidence is the content of the file that is written when a ledger contradicts
// itself, NAME.fork-… beside the memory NAME.state: docket-verify fork tells what
// it proves.
type Evidence = verify.Evidence

// take compares a checkpoint with the remembered one, and remembers the newer
// one of them. The error wraps ErrSplit if they are not of one history. The tiles
// come from src. If head is set, now is what the ledger serves as its checkpoint,
// and must not be smaller than what it served before.
func (r *Remembered) take(ctx context.Context, src verify.Source, now verify.Signed, head bool) error {
	if now.Checkpoint.Origin != r.origin {
		return fmt.Errorf("%w: this is the ledger %s, want %s: %w", ErrUnproven, now.Checkpoint.Origin, r.origin, verify.ErrOrigin)
	}
	if r.Checkpoint == "" {
		r.newest(now, head)
		return nil
	}
	before, err := r.signed(r.Checkpoint)
	if err != nil {
		return err
	}
	if now.Checkpoint.Size < before.Checkpoint.Size {
		return r.takeOlder(ctx, src, before, now, head)
	}
	if err := now.Tree(src).ExtendsSigned(ctx, before); err != nil {
		return r.accuse(err, Evidence{Old: r.Checkpoint, New: string(now.Note)})
	}
	r.newest(now, head)
	return nil
}

// newest remembers a checkpoint that nothing is newer than.
func (r *Remembered) newest(now verify.Signed, head bool) {
	if vkey := now.LogKey.String(); vkey != r.VKey {
		if former := slices.DeleteFunc(r.Former, func(k string) bool { return k == vkey }); r.VKey != "" && r.Checkpoint != "" {
			r.Former = append(former, r.VKey)
		}
		r.VKey = vkey
	}
	r.Checkpoint = string(now.Note)
	if head {
		r.Head = r.Checkpoint
	}
}

// takeOlder is take of one that is older than the remembered one, before. The
// ledger has to show the files of that one: if it can't, it was set back.
func (r *Remembered) takeOlder(ctx context.Context, src verify.Source, before, now verify.Signed, head bool) error {
	e := Evidence{Old: string(now.Note), New: r.Checkpoint}
	err := before.Tree(src).ExtendsSigned(ctx, now)
	var fork *verify.ForkError
	var file *verify.FileError
	gone := errors.As(err, &file) || errors.Is(err, fs.ErrNotExist) || now.Checkpoint.Size == 0
	if head && gone && !errors.As(err, &fork) {
		return r.accuse(shrunk(now, before), e)
	}
	if !head || err != nil {
		return r.accuse(err, e)
	}
	if r.Head != "" {
		served, err := r.signed(r.Head)
		if err != nil {
			return err
		}
		if now.Checkpoint.Size < served.Checkpoint.Size {
			return r.accuse(shrunk(now, served), Evidence{Old: string(now.Note), New: r.Head})
		}
	}
	r.Head = string(now.Note)
	return nil
}

func shrunk(now, before verify.Signed) error {
	return fmt.Errorf("%w (%d, before %d)", ErrShrunk, now.Checkpoint.Size, before.Checkpoint.Size)
}

// seenFits checks that what the keys signed to have seen is part of the
// remembered tree. It does nothing before there is one.
func (r *Remembered) seenFits(ctx context.Context, src verify.Source, u record.Checked) error {
	if r.Checkpoint == "" {
		return nil
	}
	own, err := r.signed(r.Checkpoint)
	if err != nil {
		return err
	}
	tree := own.Tree(src)
	for _, h := range u.Headers() {
		e := Evidence{Record: string(u.Bytes()), KID: h.KID, New: r.Checkpoint}
		if h.Seen.Size > own.Checkpoint.Size {
			err := fmt.Errorf("%w (%d, and the key %s signed that it saw %d)", ErrShrunk, own.Checkpoint.Size, h.KID, h.Seen.Size)
			return r.accuse(err, e)
		}
		root, err := base64.RawURLEncoding.DecodeString(h.Seen.Root)
		if err != nil || len(root) != tlog.HashSize {
			return fmt.Errorf("the key %s saw no root of a tree: %q", h.KID, h.Seen.Root)
		}
		saw := verify.Checkpoint{Origin: r.origin, Size: h.Seen.Size, Root: tlog.Hash(root)}
		if err := tree.Extends(ctx, saw); err != nil {
			return r.accuse(err, e)
		}
	}
	return nil
}

// accuse keeps evidence if err is one that accuses the ledger. Other errors, and
// nil, are returned as they are.
func (r *Remembered) accuse(err error, e Evidence) error {
	var fork *verify.ForkError
	var file *verify.FileError
	isFork := errors.As(err, &fork)
	if !isFork && !errors.Is(err, ErrShrunk) && !errors.As(err, &file) {
		return err
	}
	e.V = 1
	switch {
	case e.Record != "":
		e.Kind = verify.KindSeen
	case isFork:
		e.Kind = verify.KindFork
	case errors.Is(err, ErrShrunk):
		e.Kind = verify.KindRollback
	}
	if isFork {
		proven := fork.Evidence()
		e.Root, e.Proof = proven.Root, proven.Proof
	}
	if r.evidence == "" {
		return fmt.Errorf("%w: %w", ErrSplit, err)
	}
	path, writeErr := r.keep(e)
	if writeErr != nil {
		return fmt.Errorf("%w: %w. The evidence could not be kept: %w", ErrSplit, err, writeErr)
	}
	return fmt.Errorf("%w: %w. The evidence is in %s: keep that file, and show it to others who follow this ledger", ErrSplit, err, path)
}

// keep writes evidence to a file named after its contents.
func (r *Remembered) keep(e Evidence) (path string, err error) {
	b, err := e.Marshal()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(b)
	path = fmt.Sprintf("%s%x.json", r.evidence, sum[:8])
	files, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return "", err
	}
	kept := 0
	for _, f := range files {
		if f.Name() == filepath.Base(path) {
			return path, nil
		}
		if strings.HasPrefix(f.Name(), filepath.Base(r.evidence)) {
			kept++
		}
	}
	if kept >= maxEvidence {
		return "", fmt.Errorf("there are %d files %s* already: %w", kept, r.evidence, fs.ErrExist)
	}
	return path, replaceFile(path, b, 0o600)
}
