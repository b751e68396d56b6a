// Package export writes what a log holds into files for those who count and
// compare: JSON Lines, CSV, Parquet. A log is audited while it is read, and a folder
// gets its name only if the audit holds. Each export has a manifest that says which
// checkpoint it was computed from; Verify checks it. docs/exports.md is for readers.
package export

// export.go reads a log into a folder, folder.go is that folder, manifest.go what
// describes it, verify.go what checks it; formats.go has the formats, tables.go what
// most of them share, rows.go what is in a row, csv.go and parquet.go how it is spelled,
// scratch.go where rows wait, background.go what is done beside the reading.

import (
	"context"
	"errors"
	"fmt"

	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// ErrBroken is returned by Run for a log that does not hold: nothing of it is exported.
var ErrBroken = errors.New("the log does not hold, so nothing is exported")

// Config says what is exported where.
type Config struct {
	Source   verify.Source
	Policies verify.Policies
	Format   Format
	// Dir is made; it may be there if it is empty.
	Dir string
	// Tool names the program that exports, and Made is when.
	Tool string
	Made record.Time
	// Progress, if set, is called now and then with how many entries are read,
	// of how many.
	Progress func(entries, of int64)
}

// Run audits a log and exports it, in one pass; memory grows as that of verify.Audit.
// Until all is written and holds there is nothing under the name of the folder, and
// after an error nothing is left. The error wraps ErrInUse, ErrBroken or
// verify.ErrCheckpoint for what is the fault of the caller or of the log.
func Run(ctx context.Context, c Config) (*Manifest, error) {
	folder, err := newFolder(c.Dir)
	if err != nil {
		return nil, err
	}
	m, err := c.fill(ctx, folder)
	if err == nil {
		err = folder.keep()
	}
	if err != nil {
		return nil, errors.Join(err, folder.discard())
	}
	return m, nil
}

// fill writes all files of an export.
func (c Config) fill(ctx context.Context, folder *Folder) (*Manifest, error) {
	w, err := c.Format.Begin(folder)
	if err != nil {
		return nil, err
	}
	sum, err := c.audit(ctx, w)
	if err != nil {
		return nil, err
	}
	if err := w.Finish(sum); err != nil {
		return nil, err
	}
	files, err := folder.close()
	if err != nil {
		return nil, err
	}
	m := c.manifest(sum, files)
	if counter, ok := w.(Counter); ok {
		m.Counts = counter.Counts()
	}
	return m, folder.describe(m)
}

// audit hands all records to a writer.
func (c Config) audit(ctx context.Context, w Writer) (*verify.Summary, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var first *verify.Finding // that is broken
	records := int64(0)
	sum, err := c.Policies.Audit(ctx, c.Source, verify.AuditOptions{
		Progress: c.Progress,
		Found: func(f verify.Finding) {
			if f.Severity == verify.Broken && first == nil {
				first = &f
			}
		},
		Each: func(index int64, r record.Checked, s rules.Standing) {
			if first != nil || ctx.Err() != nil {
				return
			}
			records++
			if err := w.Add(index, r, s); err != nil {
				cancel(err)
			}
		}})
	if ctx.Err() != nil { // err says only that it was cancelled
		return nil, context.Cause(ctx)
	}
	switch {
	case err != nil:
		return nil, err
	case first != nil && first.Index >= 0:
		return nil, fmt.Errorf("%w: entry %d: %s (%s)", ErrBroken, first.Index, first.Detail, first.Code)
	case first != nil:
		return nil, fmt.Errorf("%w: %s (%s)", ErrBroken, first.Detail, first.Code)
	case records != sum.Signed.Checkpoint.Size:
		return nil, fmt.Errorf("%w: %d of %d records could be judged", ErrBroken, records, sum.Signed.Checkpoint.Size)
	}
	return sum, nil
}
