package verify_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/docket-ledger/docket/verify"
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
