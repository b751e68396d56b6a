// Package index is what readers look up: a follower of the log.
package index

import (
	"context"
	"errors"
	"log/slog"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/verify"
)

// A Log is what is followed. *ledger.Ledger is one.
type Log interface {
	Head() verify.Signed
	Grown(size int64) <-chan struct{}
	Entries(ctx context.Context, from int64, limit int) ([]ledger.Entry, error)
}

// Config is read by Open.
type Config struct {
	Dir    string
	FS     vfs.FS
	Cache  *pebble.Cache
	Log    Log
	Logger *slog.Logger
}

// An Index answers what is looked up. Its methods may be used concurrently.
type Index struct{}

var errNotYet = errors.New("index: not built yet")

// Open opens the index in a directory, or makes an empty one. One of another version is emptied.
func Open(Config) (*Index, error) { return nil, errNotYet }

// Run follows the log until ctx ends.
func (x *Index) Run(ctx context.Context) error { return errNotYet }

// Close closes the database; Run has ended before.
func (x *Index) Close() error { return errNotYet }

// Lag says how far it is behind.
func (x *Index) Lag() Lag { return Lag{} }

// Wait returns once the index reflects the log up to a size (read your writes).
func (x *Index) Wait(ctx context.Context, size int64) error { return errNotYet }

// Search returns a page of what a query finds. The error is a *QueryError if the query or the cursor is at fault.
func (x *Index) Search(ctx context.Context, q Query, p ledger.Page) (Found, error) {
	return Found{}, errNotYet
}

// Count counts by fields, one to three; at most limit rows. Rows are sorted by count, the largest first, then by value;
// by Month alone they are sorted by month.
func (x *Index) Count(ctx context.Context, q Query, limit int, by ...Field) (Counts, error) {
	return Counts{}, errNotYet
}

// Near returns what is spelled almost like text among the ids, cases and policies: at most a few, the nearest first.
func (x *Index) Near(ctx context.Context, text string) ([]Suggestion, error) { return nil, errNotYet }

// A Suggestion is something that exists.
type Suggestion struct {
	Field Field // Case, Policy, or "id"
	Value string
}
