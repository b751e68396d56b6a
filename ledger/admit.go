package ledger

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/docket-ledger/docket/ledger/state"
	"github.com/docket-ledger/docket/ledger/tree"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// maxBatch bounds a batch: in records, and so in bytes (a record is at most 64
// KiB), which keeps one commit well within a memtable.
const (
	maxBatch      = 1024
	maxBatchBytes = 8 << 20
)

// writer is the one goroutine that judges, appends and signs. It is the
// rules.State and the rules.Roots of the tip: the log with the batch on top.
type writer struct {
	l       *Ledger
	fold    *rules.Fold
	overlay *state.Overlay
	nodes   nodes // the tree with the batch on top
	marker  marker

	voidDay int64 // the day that voids counts
	voids   int
	// voided has the leaves that were logged as void since the start: the
	// rules don't know them, and might let the same bytes count now.
	voided map[tlog.Hash]bool
}

// Get implements rules.State.
func (w *writer) Get(key string) ([]byte, error) { return w.overlay.Get(key) }

// Put implements rules.State.
func (w *writer) Put(key string, value []byte) error { return w.overlay.Put(key, value) }

// Root implements rules.Roots: also for trees that end within the batch.
func (w *writer) Root(size int64) (tlog.Hash, error) {
	head := w.l.head.Load()
	if head != nil && size <= head.Size {
		return w.l.roots.of(context.Background(), size, &head.nodes)
	}
	return tlog.TreeHash(size, keptOrTiles{&w.nodes, tileReader{context.Background(), w.l.cfg.Log}})
}

// run takes what waits, until the queue is closed or the ledger halts. Then it
// answers everyone who is left.
func (w *writer) run() {
	defer close(w.l.done)
	defer w.marker.stop()
	var look <-chan time.Time // at what others appended
	if w.l.shared != nil {
		ticker := time.NewTicker(followEvery)
		defer ticker.Stop()
		look = ticker.C
	}
	reached := true
	for {
		select {
		case <-look:
			reached = w.watch(reached)
		case looked := <-w.l.looks:
			reached = w.watch(reached)
			close(looked)
		case first, open := <-w.l.queue:
			if !open {
				return
			}
			if err := w.l.Ready(); errors.Is(err, ErrHalted) {
				w.answer(first, answer{err: err})
				continue
			}
			w.batch(w.gather(first))
		case <-w.l.marks:
			if err := w.l.Ready(); err == nil {
				w.batch(nil)
			}
		}
	}
}

// watch follows a shared log, and says once that this can't be done. reached is whether
// it could before, and now.
func (w *writer) watch(reached bool) bool {
	if w.l.Ready() != nil {
		return reached
	}
	err := w.follow(w.l.trying)
	w.l.cfg.Metrics.Behind.Set(float64(w.l.Behind()))
	w.l.cfg.Metrics.Reached.Set(map[bool]float64{true: 1}[err == nil])
	if reached && err != nil {
		w.l.cfg.Logger.Warn("the log is not followed now", slog.Any("error", err))
	}
	return err == nil
}

// gather takes all that wait, and all that is about to come: it lets the callers
// run that are ready to, and goes on when that brings nothing new. While the
// processors are busy with signatures that makes batches large, and a fuller
// batch is worth more than the wait; while they are idle it costs nothing.
func (w *writer) gather(first *waiter) []*waiter {
	batch := []*waiter{first}
	bytes := len(first.record.Bytes())
	for before := 0; before < len(batch); {
		before = len(batch)
		for more := true; more; {
			if len(batch) >= maxBatch || bytes >= maxBatchBytes {
				return batch
			}
			select {
			case next, open := <-w.l.queue:
				if !open {
					return batch
				}
				batch = append(batch, next)
				bytes += len(next.record.Bytes())
			default:
				more = false
			}
		}
		runtime.Gosched()
	}
	return batch
}

func (w *writer) answer(to *waiter, a answer) {
	if !to.mark {
		<-w.l.slots
	}
	to.answer <- a // has room for the one answer
}

// batch takes records through the rules and, those that pass, into the log, after
// a timemark if one is due.
func (w *writer) batch(batch []*waiter) {
	w.overlay = w.l.cfg.State.Overlay()
	if mark := w.timemark(len(batch) > 0); mark != nil {
		batch = slices.Insert(batch, 0, mark)
		defer w.marked(mark)
	}
	for len(batch) > 0 {
		batch = w.try(batch)
	}
}

// try is one attempt. It returns those that have to be judged anew, since another
// writer of the log was first.
func (w *writer) try(batch []*waiter) (again []*waiter) {
	w.overlay = w.l.cfg.State.Overlay()
	before := w.nodes.snapshot()
	var in []*waiter
	var standings []rules.Standing
	same := map[*waiter]int{} // waiters whose record is in the batch already
	for _, item := range batch {
		s, refused := w.admit(item, in, same)
		switch {
		case refused != nil:
			w.answer(item, *refused)
		case s != nil:
			in = append(in, item)
			standings = append(standings, *s)
		}
	}
	if len(in) == 0 {
		return nil
	}
	head, err := w.append(in)
	if err != nil {
		w.nodes = before
		left := slices.DeleteFunc(batch, func(item *waiter) bool {
			_, dup := same[item]
			return !dup && !slices.Contains(in, item)
		})
		if errors.Is(err, errMoved) {
			if err = w.follow(w.l.trying); err == nil {
				return left
			}
		}
		for _, item := range left {
			w.answer(item, answer{err: err})
		}
		return nil
	}
	for i, item := range in {
		w.l.cfg.Metrics.Submitted.WithLabelValues(outcomeLabel(standings[i])).Inc()
		w.answer(item, answer{head: head, leaf: item.leaf, outcome: Outcome{ID: standings[i].ID, Index: standings[i].Index, Standing: standings[i]}})
	}
	for item, i := range same {
		w.answer(item, answer{head: head, leaf: in[i].leaf, outcome: Outcome{ID: standings[i].ID, Index: standings[i].Index, Standing: standings[i], Known: true}})
	}
	return nil
}

func outcomeLabel(s rules.Standing) string {
	if s.Effective() {
		return "effective"
	}
	return "void"
}

// admit judges one record on the tip. It returns its standing if it goes into
// the log; an answer if it does not; or neither, after noting in same that it
// is in the batch already.
func (w *writer) admit(item *waiter, in []*waiter, same map[*waiter]int) (*rules.Standing, *answer) {
	if w.voided[item.leaf] {
		if done, a := w.again(item, in, same); done {
			return nil, a
		}
	}
	index := w.nodes.size
	s, err := w.fold.Apply(index, item.record)
	if err != nil {
		return nil, &answer{err: w.l.halt(err)}
	}
	if !s.Effective() {
		if done, a := w.again(item, in, same); done {
			return nil, a
		}
		if !item.options.LogVoid || slices.Contains(s.Codes, rules.SeenMismatch) {
			w.l.cfg.Metrics.Submitted.WithLabelValues("refused").Inc()
			return nil, &answer{err: &RefusedError{Codes: s.Codes}}
		}
		if err := w.mayLogVoid(item.record); err != nil {
			return nil, &answer{err: err}
		}
		w.voided[item.leaf] = true
	}
	if err := w.overlay.Judged(s, item.payload, item.record.Payload()); err != nil {
		return nil, &answer{err: w.l.halt(err)}
	}
	w.nodes.add(item.leaf)
	return &s, nil
}

// again finds a refused record that is in the log, or in this batch, already:
// sent twice at once, or by another signer with the same payload.
func (w *writer) again(item *waiter, in []*waiter, same map[*waiter]int) (done bool, a *answer) {
	for i, other := range in {
		if other.leaf == item.leaf {
			same[item] = i
			return true, nil
		}
	}
	ctx := context.Background()
	head := w.l.head.Load()
	leaf := item.leaf
	index, err := w.l.cfg.Log.Index(ctx, leaf)
	if errors.Is(err, tree.ErrNotFound) {
		var ok bool
		if index, ok, err = w.overlay.Payload(item.payload); err == nil && !ok {
			return false, nil
		}
		if err == nil && index >= head.Size { // effective in this batch
			i := int(index - head.Size)
			if string(in[i].payload) == string(item.payload) {
				same[item] = i
				return true, nil
			}
			return false, nil
		}
		if err == nil {
			var equal bool
			if leaf, equal, err = w.l.samePayload(ctx, index, item.payload); err == nil && !equal {
				return false, nil
			}
		}
	}
	if err != nil {
		return true, &answer{err: err}
	}
	known, err := w.l.knownAt(ctx, index, leaf, head)
	if err != nil {
		return true, &answer{err: err}
	}
	return true, &answer{outcome: *known}
}

// voidRoles are the roles whose refused records may be logged as void.
var voidRoles = []record.Role{record.RoleDecider, record.RoleRegistrar, record.RoleAppeals}

func (w *writer) mayLogVoid(r record.Checked) error {
	now := w.l.cfg.Now()
	for _, h := range r.Headers() {
		k, err := rules.ReadKey(w, h.KID)
		if err != nil {
			return err
		}
		if k == nil || k.Revoked != nil || k.ValidUntil != 0 && now.Unix() >= k.ValidUntil.Unix() ||
			!slices.ContainsFunc(voidRoles, func(role record.Role) bool { return slices.Contains(k.Roles, role) }) {
			return ErrVoidSigner
		}
	}
	if day := clockDay(now); day != w.voidDay {
		w.voidDay, w.voids = day, 0
	}
	if w.voids >= w.l.cfg.VoidsPerDay {
		return ErrVoidLimit
	}
	w.voids++
	return nil
}
