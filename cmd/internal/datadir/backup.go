package datadir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/docket-ledger/docket/ledger"
)

// The marks of a directory that is not, or was not, simply written by a ledger:
// backupMark is in a backup, which is never served; restoredMark in a directory
// that Restore has made, until witnesses were asked.
const (
	backupMark   = "BACKUP"
	restoredMark = "RESTORED"
)

// ErrBackup is wrapped by the errors of Open and Init for a directory that is a
// backup.
var ErrBackup = errors.New("a backup is not served, since a newer ledger may have signed more since then")

// refuseBackup refuses to open a backup.
func refuseBackup(dir string) error {
	if _, err := os.Lstat(filepath.Join(dir, backupMark)); err == nil {
		return fmt.Errorf("%s is a backup: docketd restore --data NEW --backup %s makes a ledger of it: %w", dir, dir, ErrBackup)
	}
	return nil
}

// Backup copies the ledger as it is into a folder that is not there. Recording goes
// on. The guard is copied before the state, and the state before the log, so that
// the log of the copy extends both. On one file system the tables of the databases
// are shared, since they never change; on another they are copied. All of it is on
// the disk when Backup returns, but was not read back: see Check.
//
// An error leaves what was copied, for the owner of the Place to remove.
func (d *Dir) Backup(ctx context.Context, to string) error { return d.parts.backup(ctx, to) }

// Backup is Dir.Backup for a directory that no process has open. Nothing is signed.
func Backup(ctx context.Context, dir string, opt Options, to string) error {
	p, err := open(ctx, dir, opt)
	if err != nil {
		return err
	}
	return errors.Join(p.backup(ctx, to), p.close())
}

func (p parts) backup(ctx context.Context, to string) error {
	head, err := p.log.Head(ctx)
	if err != nil {
		return err
	}
	if head.Size == 0 {
		return ledger.ErrEmpty
	}
	if err := os.Mkdir(to, 0o700); err != nil {
		return err
	}
	mark := fmt.Sprintf("A backup of %s, begun at %s when it had %d records.\nIt is never served: docketd restore --data NEW --backup DIR makes a ledger of it.\n",
		p.cfg.Signer.Name(), time.Now().UTC().Format(time.RFC3339), head.Size)
	if err := create(filepath.Join(to, backupMark), mark, 0o644); err != nil {
		return err
	}
	note, _, err := ledger.ReadGuard(p.cfg.Guard)
	if err != nil {
		return err
	}
	in := func(name string) (string, string) { return filepath.Join(p.dir, name), filepath.Join(to, name) }
	steps := []func() error{
		func() error { return ledger.CreateGuard(filepath.Join(to, "guard"), note) },
		func() error { a, b := in("checkpoints"); return copyFolder(a, b, nil) },
		func() error { a, b := in("keys"); return copyFolder(a, b, nil) },
		func() error { a, b := in("drafts"); return copyFolder(a, b, nil) },
		func() error { _, b := in("state"); return p.cfg.State.Backup(b) },
		func() error { _, b := in("log"); return p.log.Backup(ctx, b) },
		func() error { a, b := in("VERSION"); return copyFile(a, b) },
		func() error { return keepRestored(p.dir, to) },
		func() error { return syncDir(to) },
	}
	for _, step := range steps {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// keepRestored copies the mark of a restored directory.
func keepRestored(from, to string) error {
	err := copyFile(filepath.Join(from, restoredMark), filepath.Join(to, restoredMark))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
