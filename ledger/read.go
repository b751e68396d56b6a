package ledger

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/ledger/state"
	"github.com/docket-ledger/docket/ledger/tree"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
	"github.com/docket-ledger/docket/verify/tile"
)

// An Entry is a record in the log.
type Entry struct {
	ID       record.ID
	Index    int64
	Record   []byte // its exact bytes
	Standing rules.Standing
}

// find returns where a record is; an error that wraps fs.ErrNotExist if head
// does not hold it.
func (l *Ledger) find(ctx context.Context, id record.ID, head *published) (int64, tlog.Hash, error) {
	leaf, err := id.Hash()
	if err != nil {
		return 0, leaf, fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	}
	index, err := l.cfg.Log.Index(ctx, leaf)
	if errors.Is(err, tree.ErrNotFound) || err == nil && index >= head.Size {
		return 0, leaf, fmt.Errorf("no record %s in this ledger: %w", id, fs.ErrNotExist)
	}
	return index, leaf, err
}

func (l *Ledger) standing(index int64, leaf tlog.Hash) (rules.Standing, error) {
	codes, findings, err := l.cfg.State.Standing(index)
	return rules.Standing{Index: index, ID: record.HashID(leaf), Codes: codes, Findings: findings}, err
}

// Record returns the record with an id. The error wraps fs.ErrNotExist if the
// log does not hold it.
func (l *Ledger) Record(ctx context.Context, id record.ID) (Entry, error) {
	index, leaf, err := l.find(ctx, id, l.head.Load())
	if err != nil {
		return Entry{}, err
	}
	leaves, err := l.cfg.Log.Leaves(ctx, index, index+1)
	if err != nil {
		return Entry{}, fmt.Errorf("read record %d: %w", index, err)
	}
	s, err := l.standing(index, leaf)
	return Entry{ID: id, Index: index, Record: leaves[0], Standing: s}, err
}

// Entries returns the records from an index on, at most limit, in the order of the
// log, as far as the newest signed head goes; none if that is no larger than from.
func (l *Ledger) Entries(ctx context.Context, from int64, limit int) ([]Entry, error) {
	return ReadEntries(ctx, l.cfg.Log, l.cfg.State, from, min(l.head.Load().Size, from+int64(limit)))
}

// ReadEntries returns the records from <= index < end of a log whose state has seen
// them; none if there are none.
func ReadEntries(ctx context.Context, log tree.Log, judged *state.Store, from, end int64) ([]Entry, error) {
	if from >= end {
		return nil, nil
	}
	leaves, err := log.Leaves(ctx, from, end)
	if err != nil {
		return nil, fmt.Errorf("read records [%d, %d): %w", from, end, err)
	}
	out := make([]Entry, len(leaves))
	for i, leaf := range leaves {
		s := rules.Standing{Index: from + int64(i), ID: record.IDOf(leaf)}
		if s.Codes, s.Findings, err = judged.Standing(s.Index); err != nil {
			return nil, err
		}
		out[i] = Entry{ID: s.ID, Index: s.Index, Record: leaf, Standing: s}
	}
	return out, nil
}

// A Key is what the ledger knows of a key.
type Key struct {
	rules.KeyInfo
	KID string
	// NextSeq is the number that its next signature should have.
	NextSeq int64
}

// Key returns a key by its thumbprint. The error wraps fs.ErrNotExist if it was
// never enrolled.
func (l *Ledger) Key(_ context.Context, kid string) (Key, error) {
	return readKey(l.cfg.State, kid)
}

// Info describes the ledger as it stands.
type Info struct {
	Origin string
	VKey   string
	Size   int64
	// Root is the standard base64 of the root hash, as in the checkpoint.
	Root       string
	Checkpoint []byte // as signed
	// Rules is the version of the rules.
	Rules int64
	// Time is the ledger time. Without timemarks it is claimed, not proven.
	Time record.Time

	// Witnessed is the newest checkpoint that reached the quorum of the witness
	// policy, as cosigned; nil if there is none. Served is what ReadFile answers
	// as the checkpoint.
	Witnessed, Served []byte
	// WitnessedSize is the size of Witnessed.
	WitnessedSize int64
	// Witnesses are those that are asked, see SetWitnesses.
	Witnesses []Witness
	// Behind is as the method says.
	Behind int64
	// Unmarked says why no timemarks are made, "" if nothing is in the way.
	Unmarked string
}

// Info returns what the newest checkpoint and the charter say.
func (l *Ledger) Info(context.Context) (Info, error) {
	head := l.head.Load()
	charter, err := l.keys.charter()
	if err != nil {
		return Info{}, err
	}
	now, err := rules.Clock(l.cfg.State)
	if err != nil {
		return Info{}, err
	}
	h := &l.heads
	h.mu.Lock()
	newest, witnesses, unmarked := h.newest, h.witnesses, h.unmarked
	h.mu.Unlock()
	i := Info{
		Behind: l.Behind(), Origin: l.origin, VKey: l.cfg.VKey, Size: head.Size, Root: base64.StdEncoding.EncodeToString(head.Root[:]),
		Checkpoint: head.note, Rules: charter.Charter.Rules, Time: record.Time(now),
		Served: l.served().note, Unmarked: l.unmarkable(l.cfg.State),
	}
	if i.Unmarked == "" {
		i.Unmarked = unmarked
	}
	if newest != nil {
		i.Witnessed, i.WitnessedSize = newest.note, newest.Size
	}
	if witnesses != nil {
		i.Witnesses = witnesses()
	}
	return i, nil
}

var _ verify.Source = (*Ledger)(nil)

// ReadFile implements verify.Source: "checkpoint" and the paths of
// c2sp.org/tlog-tiles, as far as the newest signed head covers them. With a witness
// policy the checkpoint is the newest one that reached the quorum.
func (l *Ledger) ReadFile(ctx context.Context, path string) ([]byte, error) {
	if path == "checkpoint" {
		return l.served().note, nil
	}
	head := l.head.Load()
	id, err := tile.ParsePath(path)
	if err != nil || id.Width > tile.Width(id.Level, id.N, head.Size) {
		return nil, fmt.Errorf("%s: %w", path, fs.ErrNotExist)
	}
	return tree.File(ctx, l.cfg.Log, id)
}
