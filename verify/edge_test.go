package verify_test

import (
	"context"
	"sync/atomic"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/tile"
)

// counted counts the reads of a source.
type counted struct {
	verify.Source
	reads atomic.Int64
}

func (c *counted) ReadFile(ctx context.Context, path string) ([]byte, error) {
	c.reads.Add(1)
	return c.Source.ReadFile(ctx, path)
}

// TestWrongEdge: where the right edge of the tree is wrong nothing can be said of
// any entry. It is said once, however large the log claims to be.
func TestWrongEdge(t *testing.T) {
	files := historyFiles(t)
	top := append([]byte{}, files["tile/1/000.p/1"].Data...)
	top[3] ^= 1
	src := &counted{Source: verify.DirSource(with(files, "tile/1/000.p/1", top))}
	var found []verify.Finding
	sum, err := verify.Audit(context.Background(), src, historyPolicy(t),
		verify.AuditOptions{Found: func(f verify.Finding) { found = append(found, f) }})
	if err != nil || sum.Broken != 1 || sum.Unjudged != 322 || sum.Entries != 0 || sum.Saved(1) != nil {
		t.Errorf("%+v, %v", sum, err)
	}
	if len(found) != 2 || found[0].Code != verify.AuditFile || found[1].Code != verify.AuditUnjudged || src.reads.Load() > 20 {
		t.Errorf("%d reads, found %+v", src.reads.Load(), found)
	}

	key := historyLogKey(t)
	huge := verify.Checkpoint{Origin: origin, Size: 1<<53 - 1}
	policy := parsePolicy(t, "log "+key.String(), "quorum none")
	src = &counted{Source: verify.DirSource(with(files, "checkpoint", signNote(t, huge.Text(), key)))}
	sum, err = verify.Audit(context.Background(), src, policy, verify.AuditOptions{})
	if err != nil || sum.Broken != 1 || sum.Unjudged != huge.Size || src.reads.Load() > 20 {
		t.Errorf("a log of 2^53-1 entries: %+v, %v after %d reads", sum, err, src.reads.Load())
	}
}

// endless answers for every file with as many bytes as it should have.
type endless struct{ checkpoint []byte }

func (e endless) ReadFile(_ context.Context, path string) ([]byte, error) {
	id, err := tile.ParsePath(path)
	switch {
	case path == "checkpoint":
		return e.checkpoint, nil
	case err != nil:
		return nil, err
	case id.Level == tile.Entries:
		return make([]byte, 2*id.Width), nil // empty entries
	}
	return make([]byte, id.Width*tlog.HashSize), nil
}

// TestBlameIsBounded: to say which file is wrong, a liar's log is not read for
// ever.
func TestBlameIsBounded(t *testing.T) {
	key := historyLogKey(t)
	policy := parsePolicy(t, "log "+key.String(), "quorum none")
	for _, test := range []struct {
		size int64
		most int64
	}{{1<<24 - 1, 520}, {1<<32 - 1, 520}, {verify.MaxSize, 520}, {256, 4}} {
		cp := verify.Checkpoint{Origin: origin, Size: test.size}
		src := &counted{Source: endless{signNote(t, cp.Text(), key)}}
		sum, err := verify.Audit(context.Background(), src, policy, verify.AuditOptions{})
		if err != nil || sum.Broken != 1 || src.reads.Load() > test.most {
			t.Errorf("size %d: %+v, %v after %d reads, want at most %d", test.size, sum, err, src.reads.Load(), test.most)
		}
	}
}
