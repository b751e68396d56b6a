package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/verify"
)

// evidenceUse explains the flag --evidence.
const evidenceUse = "`file` for evidence, if the log contradicts itself; it must not be there yet: docket-verify fork proves it to others"

// keepEvidence makes a file with evidence. Its name is there only once the file
// is whole; another file of that name is left alone.
func keepEvidence(path string, e verify.Evidence) error {
	b, err := e.Marshal()
	if err != nil {
		return err
	}
	if have, err := os.ReadFile(path); err == nil {
		if bytes.Equal(have, b) {
			return nil
		}
		return cli.Unknown(fmt.Errorf("%s: %w, and is left alone: the evidence is not kept", path, fs.ErrExist))
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return cli.Unknown(err)
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close()); err == nil {
		err = os.Link(f.Name(), path) // not Rename: never over a file that came meanwhile
	}
	if err = errors.Join(err, os.Remove(f.Name())); err != nil {
		return cli.Unknown(err)
	}
	return nil
}

// An accusedError says that a log contradicts itself, with the evidence.
type accusedError struct {
	error
	evidence verify.Evidence
}

func (e accusedError) Unwrap() error { return e.error }

// broken finds the evidence that a log does not keep what a receipt promised: both
// entries at that place, if the log as it is now has another one there; else the
// two histories that err is about. rec is the record of the receipt, or nil. If
// there is none, it returns err.
func broken(ctx context.Context, err error, policy policies, r verify.Receipt, rec []byte, now *head) error {
	if extra, parseErr := verify.ParseExtra(r.Extra); r.Extra != nil && parseErr == nil {
		rec = extra.Record
	}
	if rec != nil && r.Index < now.signed.Checkpoint.Size {
		place, placeErr := now.tree.Place(ctx, r.Index)
		e := verify.EntryEvidence(verify.NewPlace(r.Checkpoint, r.Index, rec, tlog.RecordHash(rec), r.Proof), place)
		if placeErr == nil {
			if _, proveErr := policy.Prove(e); proveErr == nil {
				return accusedError{fmt.Errorf("--head: the log promised this record as entry %d, and holds another one there: %w", r.Index, decided(err)), e}
			}
		}
	}
	var fork *verify.ForkError
	if errors.As(err, &fork) {
		return accusedError{err, fork.Evidence()}
	}
	return err
}

// decided takes the exit code from what could not be found out, once it was.
func decided(err error) error {
	if cli.Code(err) == 3 {
		return errors.New(err.Error())
	}
	return err
}
