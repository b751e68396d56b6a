package demo

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/tile"
)

// audit audits a folder and returns the findings beside the summary.
func audit(ctx context.Context, dir string, policy *verify.Policy) (*verify.Summary, []verify.Finding, error) {
	var found []verify.Finding
	sum, err := verify.Audit(ctx, verify.DirSource(os.DirFS(dir)), policy,
		verify.AuditOptions{Found: func(f verify.Finding) { found = append(found, f) }})
	return sum, found, err
}

// alter changes one byte of an entry in a copy of a log: a letter of what the
// record states.
func alter(dir string, size, index int64) error {
	n := index / tile.FullWidth
	id := tile.ID{Level: tile.Entries, N: n, Width: tile.Width(tile.Entries, n, size)}
	file := filepath.Join(dir, filepath.FromSlash(id.Path()))
	bundle, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	rest := bundle
	for range index % tile.FullWidth {
		if _, rest, err = tile.CutEntry(rest); err != nil {
			return err
		}
	}
	entry, _, err := tile.CutEntry(rest)
	if err != nil {
		return err
	}
	entry[len(`{"payload":"`)+len(entry)/4]++ // the entry is a part of bundle
	return os.WriteFile(file, bundle, 0o644)
}

// forge returns a record in which one word of the statement was replaced, with
// the signatures of the original.
func forge(signed []byte, old, new string) ([]byte, error) {
	u, err := record.Parse(signed)
	if err != nil {
		return nil, err
	}
	payload := u.PayloadBytes()
	changed := bytes.Replace(payload, []byte(old), []byte(new), 1)
	if bytes.Equal(payload, changed) {
		return nil, fmt.Errorf("the record does not say %s", old)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	forged := bytes.Replace(signed, []byte(b64(payload)), []byte(b64(changed)), 1)
	if bytes.Equal(signed, forged) {
		return nil, errors.New("the record does not hold its payload")
	}
	return forged, nil
}
