package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/ledger"
	"github.com/docket-ledger/docket/ledger/ledgertest"
	"github.com/docket-ledger/docket/ledger/state"
	"github.com/docket-ledger/docket/ledger/tree"
	"github.com/docket-ledger/docket/ledger/tree/embedded"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// servers are those of a shared log, in this process: they keep leaves, and do as they
// are told. The real ones are in the tests of package fleet.
type servers struct {
	mu     sync.Mutex
	leaves [][]byte
	away   error         // what every call is answered with
	meddle func()        // called once before an append, without the lock
	doubt  map[bool]bool // whether an append is done, and its answer lost; each once
}

// A node is a tree.Shared over servers, which it follows into a tree of its own.
type node struct {
	*embedded.Log
	of *servers
}

var errAway = fmt.Errorf("%w: nobody answers", tree.ErrUnavailable)

func (n *node) Follow(ctx context.Context, most int64) (int64, error) {
	n.of.mu.Lock()
	leaves, away := slices.Clone(n.of.leaves), n.of.away
	n.of.mu.Unlock()
	if away != nil {
		return 0, away
	}
	head, err := n.Head(ctx)
	if err != nil {
		return 0, err
	}
	for i := int64(0); i < head.Size; i += max(1, head.Size-1) { // its first and its last
		have, err := n.Leaves(ctx, i, i+1)
		if err != nil {
			return 0, err
		}
		if head.Size > int64(len(leaves)) || string(have[0]) != string(leaves[i]) {
			return 0, tree.ErrDiverged
		}
	}
	if more := leaves[head.Size:]; len(more) > 0 {
		_, err = n.Log.Append(ctx, more[:min(most, int64(len(more)))])
	}
	return int64(len(leaves)), err
}

func (n *node) Append(ctx context.Context, leaves [][]byte) ([]int64, error) {
	if meddle := n.of.meddle; meddle != nil {
		n.of.meddle = nil
		meddle()
	}
	n.of.mu.Lock()
	defer n.of.mu.Unlock()
	if n.of.away != nil {
		return nil, n.of.away
	}
	head, err := n.Head(ctx)
	if err != nil {
		return nil, err
	}
	if int64(len(n.of.leaves)) != head.Size {
		return nil, tree.ErrMoved
	}
	for done := range n.of.doubt {
		delete(n.of.doubt, done)
		if done {
			n.of.leaves = append(n.of.leaves, leaves...)
		}
		return nil, tree.ErrUnknown
	}
	indexes, err := n.Log.Append(ctx, leaves)
	if err == nil {
		n.of.leaves = append(n.of.leaves, leaves...)
	}
	return indexes, err
}

// newShared returns a World whose log is shared.
func newShared(t *testing.T) (*ledgertest.World, *servers) {
	t.Helper()
	s := &servers{}
	return ledgertest.New(t, func(c *ledger.Config) { c.Log, c.VoidsPerDay = &node{c.Log.(*embedded.Log), s}, 1000 }), s
}

// join opens another ledger of the same log, in a folder of its own.
func join(t *testing.T, w *ledgertest.World, s *servers) *ledger.Ledger {
	t.Helper()
	dir, cfg := t.TempDir(), w.Config
	log, err := embedded.Open(t.Context(), embedded.Config{Dir: filepath.Join(dir, "log")})
	if err != nil {
		t.Fatal(err)
	}
	st, err := state.Open(state.Config{Dir: filepath.Join(dir, "state")})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Log, cfg.State, cfg.Guard = &node{log, s}, st, filepath.Join(dir, "guard")
	if err := ledger.CreateGuard(cfg.Guard, w.Ledger.Head().Note); err != nil {
		t.Fatal(err)
	}
	l, err := ledger.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(l.Close(), st.Close(), log.Close()); err != nil {
			t.Error(err)
		}
	})
	return l
}

// awaits returns when a ledger has a size.
func awaits(t *testing.T, l *ledger.Ledger, size int64) {
	t.Helper()
	select {
	case <-l.Grown(size - 1):
	case <-l.Halted():
		t.Fatal(l.Ready())
	case <-time.After(20 * time.Second):
		t.Fatalf("size %d, want %d", l.Head().Checkpoint.Size, size)
	}
}

// agree checks that two ledgers have the same records and the same standings.
func agree(t *testing.T, a, b *ledger.Ledger) {
	t.Helper()
	size := max(a.Head().Checkpoint.Size, b.Head().Checkpoint.Size)
	awaits(t, a, size)
	awaits(t, b, size)
	if x, y := a.Head().Checkpoint, b.Head().Checkpoint; x != y {
		t.Fatalf("%v and %v", x, y)
	}
	one, err := a.Entries(t.Context(), 0, int(size))
	if err != nil {
		t.Fatal(err)
	}
	two, err := b.Entries(t.Context(), 0, int(size))
	if err != nil {
		t.Fatal(err)
	}
	for i := range one {
		if one[i].ID != two[i].ID || fmt.Sprint(one[i].Standing) != fmt.Sprint(two[i].Standing) {
			t.Errorf("record %d: %+v and %+v", i, one[i].Standing, two[i].Standing)
		}
	}
}

// TestShared: what one ledger records is judged, signed and proven by the other.
func TestShared(t *testing.T) {
	w, s := newShared(t)
	other := join(t, w, s)
	out := w.Submit(w.Sign(w.Decision("one"), "dora", "erik"))
	awaits(t, other, out.Index+1)
	e, err := other.Record(t.Context(), out.ID)
	if err != nil || e.Index != out.Index {
		t.Fatalf("%+v, %v", e, err)
	}
	receipt, err := other.BareReceipt(t.Context(), out.Index)
	if err != nil {
		t.Fatal(err)
	}
	holds(t, w, e.Record, receipt)
	b := w.Sign(w.Decision("two"), "dora", "erik")
	second, err := other.Submit(t.Context(), b, ledger.Options{})
	if err != nil || second.Index != out.Index+1 {
		t.Fatalf("%+v, %v", second, err)
	}
	holds(t, w, b, second.Receipt)
	awaits(t, w.Ledger, second.Index+1)
	again, err := w.Ledger.Submit(t.Context(), b, ledger.Options{})
	if err != nil || !again.Known || again.Index != second.Index {
		t.Errorf("the same bytes elsewhere: %+v, %v", again, err)
	}
	if n := other.Behind(); n != 0 {
		t.Errorf("it is %d behind", n)
	}
	agree(t, w.Ledger, other)
	audited(t, w)
	w.Reopen() // alone, over its own tree: what was followed is all there
	if head := w.Ledger.Head().Checkpoint; head.Size != second.Index+1 {
		t.Errorf("%v after a start", head)
	}
}

// TestSharedRace: many callers of two ledgers; everything is recorded once.
func TestSharedRace(t *testing.T) {
	w, s := newShared(t)
	ledgers := []*ledger.Ledger{w.Ledger, join(t, w, s)}
	var wg sync.WaitGroup
	records := make([][]byte, 60)
	for i := range records {
		records[i] = w.Sign(w.Decision(fmt.Sprintf("race-%d", i)), "dora", "erik")
	}
	indexes := make([][2]int64, len(records))
	for i, b := range records {
		for n, l := range ledgers {
			wg.Go(func() {
				out, err := l.Submit(t.Context(), b, ledger.Options{})
				if err != nil || !out.Standing.Effective() {
					t.Errorf("record %d at ledger %d: %+v, %v", i, n, out, err)
				}
				indexes[i][n] = out.Index
			})
		}
	}
	wg.Wait()
	for i, pair := range indexes {
		if pair[0] != pair[1] {
			t.Errorf("record %d is at %v", i, pair)
		}
	}
	agree(t, ledgers[0], ledgers[1])
	audited(t, w)
}

// TestSharedTip: of two that rest on the same tip one is recorded; the other is refused
// with its codes, and accepted once it rests on the first.
func TestSharedTip(t *testing.T) {
	w, s := newShared(t)
	other := join(t, w, s)
	first := w.Submit(w.Sign(w.Decision("tip"), "dora", "erik"))
	awaits(t, other, first.Index+1)
	reinstate := func(prev record.ID) *record.Decision {
		d := w.Decision("tip")
		d.Action, d.Prev = record.Reinstate, prev
		return d
	}
	mine, theirs := w.Sign(reinstate(first.ID), "dora", "erik"), reinstate(first.ID)
	theirs.Reasons = "For another reason."
	signed := w.Sign(theirs, "dora", "erik")
	var won ledger.Outcome
	s.meddle = func() { // the other is first, between judgement and append
		var err error
		if won, err = other.Submit(t.Context(), signed, ledger.Options{}); err != nil {
			t.Error(err)
		}
	}
	_, err := w.Ledger.Submit(t.Context(), mine, ledger.Options{})
	var refused *ledger.RefusedError
	if !errors.As(err, &refused) || !slices.Contains(refused.Codes, rules.CasePrevMismatch) {
		t.Fatalf("the one that lost: %v", err)
	}
	if size := w.Ledger.Head().Checkpoint.Size; size != won.Index+1 {
		t.Errorf("size %d, want %d: nothing else was recorded", size, won.Index+1)
	}
	again := w.Decision("tip")
	again.Prev = won.ID
	if out := w.Submit(w.Sign(again, "dora", "erik")); out.Index != won.Index+1 {
		t.Errorf("signed anew: %+v", out)
	}
	agree(t, w.Ledger, other)
	audited(t, w)
}

// TestSharedFresh: a record that rests on what was recorded elsewhere a moment ago is taken
// at once, by whatever ledger: a key that was enrolled, a head that was seen.
func TestSharedFresh(t *testing.T) {
	w, s := newShared(t)
	other := join(t, w, s)
	for i := range 5 {
		name := fmt.Sprintf("fresh-%d", i)
		w.Submit(w.Sign(&record.KeyEnrol{Holder: name, JWK: ledgertest.JWK(name), Roles: []record.Role{record.RoleDecider}}, "ada", "ben", name))
		checked := 0
		out, err := other.Submit(t.Context(), w.Sign(w.Decision(name), "dora", name), ledger.Options{Checked: func(record.Checked) error { checked++; return nil }})
		if err != nil || !out.Standing.Effective() || checked != 1 {
			t.Errorf("%s: %+v, %v, checked %d times", name, out, err, checked)
		}
		awaits(t, w.Ledger, out.Index+1)
	}
	if _, err := other.Submit(t.Context(), w.Sign(w.Decision("bad"), "dora"), ledger.Options{}); err == nil {
		t.Error("what the rules refuse is recorded")
	}
}

// TestSharedUnknown: if it is not known what came of a write, the log says it, and each
// record is there once and acknowledged.
func TestSharedUnknown(t *testing.T) {
	w, s := newShared(t)
	for name, doubt := range map[string]map[bool]bool{"done": {true: true}, "not-done": {false: true}, "both": {true: true, false: true}} {
		s.mu.Lock()
		s.doubt = doubt
		before := len(s.leaves)
		s.mu.Unlock()
		b := w.Sign(w.Decision(name), "dora", "erik")
		out, err := w.Ledger.Submit(t.Context(), b, ledger.Options{})
		if err != nil || out.Index != int64(before) || !out.Standing.Effective() {
			t.Fatalf("%s: %+v, %v", name, out, err)
		}
		holds(t, w, b, out.Receipt)
		if len(s.leaves) != before+1 {
			t.Errorf("%s: %d leaves more", name, len(s.leaves)-before)
		}
	}
	audited(t, w)
}

// TestSharedAway: while the servers are away nothing is recorded and everything can be
// read; then it goes on by itself.
func TestSharedAway(t *testing.T) {
	w, s := newShared(t)
	first := w.Submit(w.Sign(w.Decision("one"), "dora", "erik"))
	set := func(err error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.away = err
	}
	set(errAway)
	b := w.Sign(w.Decision("two"), "dora", "erik")
	if _, err := w.Ledger.Submit(t.Context(), b, ledger.Options{}); !errors.Is(err, ledger.ErrUnreachable) {
		t.Errorf("while they are away: %v", err)
	}
	if _, err := w.Ledger.Receipt(t.Context(), first.ID); err != nil {
		t.Error(err)
	}
	if err := w.Ledger.Ready(); err != nil {
		t.Error(err)
	}
	cfg := w.Config
	if err := w.Ledger.Close(); err != nil {
		t.Fatal(err)
	}
	var err error
	if w.Ledger, err = ledger.Open(t.Context(), cfg); err != nil { // it starts without them
		t.Fatal(err)
	}
	set(nil)
	if out := w.Submit(b); out.Index != first.Index+1 {
		t.Errorf("%+v", out)
	}
	other := join(t, w, s)
	agree(t, w.Ledger, other)
	set(errAway)
	empty := w.Config
	dir := t.TempDir()
	log, err := embedded.Open(t.Context(), embedded.Config{Dir: filepath.Join(dir, "log")})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	empty.Log, empty.Guard = &node{log, s}, filepath.Join(dir, "guard")
	if _, err := ledger.Open(t.Context(), empty); !errors.Is(err, ledger.ErrUnreachable) {
		t.Errorf("with nothing to serve: %v", err)
	}
}

// TestSharedDiverged: servers that tell another history end the ledger, which signs
// nothing of it and can still be read.
func TestSharedDiverged(t *testing.T) {
	w, s := newShared(t)
	out := w.Submit(w.Sign(w.Decision("one"), "dora", "erik"))
	signed := w.Ledger.Head()
	s.mu.Lock()
	s.leaves = append(slices.Clone(s.leaves[:out.Index]), []byte("something else"), []byte("and more"))
	s.mu.Unlock()
	select {
	case <-w.Ledger.Halted():
	case <-time.After(20 * time.Second):
		t.Fatal("it goes on")
	}
	if head := w.Ledger.Head(); head.Checkpoint != signed.Checkpoint {
		t.Errorf("it signed %v", head.Checkpoint)
	}
	if _, err := w.Ledger.Receipt(t.Context(), out.ID); err != nil {
		t.Error(err)
	}
	if _, err := w.Ledger.Submit(t.Context(), w.Sign(w.Decision("two"), "dora", "erik"), ledger.Options{}); !errors.Is(err, ledger.ErrHalted) {
		t.Errorf("a record: %v", err)
	}
	var none tlog.Hash
	if signed.Checkpoint.Root == none {
		t.Error("no root")
	}
}
