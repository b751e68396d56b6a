package watch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
)

// The parts of a look, for what lasts.
const (
	partReach = "reach" // is there an answer
	partHead  = "head"  // the head, and what it was before
	partAge   = "age"
	partRead  = "read"  // could all be read
	partAudit = "audit" // what the entries are
	partDuty  = "duty"
)

// checkpoint is the path of a log's head.
const checkpoint = "checkpoint"

// head reads what the log serves and compares it with what it showed before. ok
// says that it may be audited; now is then not nil.
func (w *Watcher) head(ctx context.Context, r *report) (now *verify.Signed, ok bool) {
	r.looked[partReach] = true
	note, err := patient{w.cfg.Log.Source}.ReadFile(ctx, checkpoint)
	if err != nil {
		r.lasts(partReach, "", Event{Level: Unknown, Code: Unreachable, Detail: "the checkpoint can't be read: " + err.Error()}, nil)
		return nil, false
	}
	signed, err := w.cfg.Policies.Open(note)
	if err != nil {
		r.lasts(partHead, "", Event{Code: refusal(err), Detail: err.Error()}, nil)
		if signed.Note == nil {
			r.looked[partHead] = true
			return nil, false
		}
	}
	cp := signed.Checkpoint
	if origin := w.mem.Origin; origin != "" && cp.Origin != origin {
		r.looked[partHead] = true
		r.lasts(partHead, "", Event{Code: OtherLog, Detail: fmt.Sprintf("the checkpoint is of %s, and this watch is of %s", cp.Origin, origin)}, nil)
		return nil, false
	}
	holds := err == nil
	if !w.keeps(ctx, r, signed) {
		return nil, false
	}
	w.learnHead(r, signed)
	return &signed, holds
}

// refusal is the code for why a checkpoint does not satisfy the policies.
func refusal(err error) Code {
	switch {
	case errors.Is(err, verify.ErrQuorum):
		return NoQuorum
	case errors.Is(err, verify.ErrRetired):
		return Retired
	case errors.Is(err, verify.ErrUnknownLog):
		return Unsigned
	case errors.Is(err, verify.ErrSignature):
		return BadSignature
	case errors.Is(err, verify.ErrOrigin):
		return OtherLog
	}
	return Malformed
}

// keeps reports whether the head is of one history with what the log showed
// before, and tells if not.
func (w *Watcher) keeps(ctx context.Context, r *report, now verify.Signed) bool {
	notes := [][]byte{}
	if w.mem.Served != "" {
		notes = append(notes, []byte(w.mem.Served))
	}
	if w.mem.Newest != "" && w.mem.Newest != w.mem.Served {
		notes = append(notes, []byte(w.mem.Newest))
	}
	held, err := w.cfg.Policies.Held(notes...)
	if err != nil { // New has opened them
		r.lasts(partHead, "", Event{Level: Unknown, Code: Unread, Detail: err.Error()}, nil)
		return false
	}
	good, decided := true, true
	for i, old := range held {
		smaller := i == 0 && now.Checkpoint.Size < old.Checkpoint.Size // than what was served, not than what others have
		if smaller {
			good = false
			r.lasts(partHead, "", Event{Code: Smaller, Size: now.Checkpoint.Size,
				Detail: fmt.Sprintf("the log shows %d entries, and showed %d before: an old copy, or a log that was set back", now.Checkpoint.Size, old.Checkpoint.Size)},
				func() verify.Evidence { return verify.RollbackEvidence(old.Note, now.Note) })
		}
		err := oneHistory(ctx, old, now, w.cfg.Log.Source, w.cfg.Log.Source)
		switch f := accusation(err); {
		case err == nil:
		case f != nil:
			good = false
			r.lasts(partHead, "", Event{Code: Fork, Size: now.Checkpoint.Size, Detail: f.Error()}, f.evidence)
		case missing(err):
			if !smaller { // else it is no wonder
				good = false
				r.lasts(partHead, "", Event{Code: Altered, Size: now.Checkpoint.Size, Detail: "the log can't show that it has only grown: " + err.Error()}, nil)
			}
		default:
			good, decided = false, decided && smaller
			r.lasts(partHead, "", Event{Level: Unknown, Code: Unread, Size: now.Checkpoint.Size, Detail: "compare with the checkpoint from before: " + err.Error()}, nil)
		}
	}
	r.looked[partHead] = decided
	return good
}

// missing reports whether an error says that a file is missing, or another one than
// the log signed.
func missing(err error) bool {
	var file *verify.FileError
	var entry *verify.EntryError
	return errors.As(err, &file) || errors.As(err, &entry) || errors.Is(err, fs.ErrNotExist)
}

// A split is two checkpoints that are not of one history.
type split struct {
	fork     *verify.ForkError // or
	one, two []byte            // checkpoints of two sizes with one root
}

func (s *split) Error() string {
	if s.fork != nil {
		return s.fork.Error()
	}
	return "the log signed one root for two sizes"
}

func (s *split) evidence() verify.Evidence {
	if s.fork != nil {
		return s.fork.Evidence()
	}
	return verify.Evidence{V: 1, Kind: verify.KindFork, Old: string(s.one), New: string(s.two)}
}

func accusation(err error) *split {
	var s *split
	var fork *verify.ForkError
	switch {
	case errors.As(err, &s):
		return s
	case errors.As(err, &fork):
		return &split{fork: fork}
	}
	return nil
}

// oneHistory checks that the larger one of two checkpoints is what the other has
// grown to. The files of a are read from one source, those of b from the other.
func oneHistory(ctx context.Context, a, b verify.Signed, ofA, ofB verify.Source) error {
	if a.Checkpoint.Size > b.Checkpoint.Size {
		a, b, ofB = b, a, ofA
	}
	if a.Checkpoint.Root == b.Checkpoint.Root && a.Checkpoint.Size != b.Checkpoint.Size {
		return &split{one: a.Note, two: b.Note}
	}
	return b.Tree(patient{ofB}).ExtendsSigned(ctx, a)
}

// learnHead remembers a head that is of one history with those before.
func (w *Watcher) learnHead(r *report, now verify.Signed) {
	before, err := w.cfg.Policies.Held([]byte(w.mem.Served))
	if err == nil && before[0].LogKey.String() != now.LogKey.String() {
		r.once(Event{Code: LogKey, Size: now.Checkpoint.Size,
			Detail: fmt.Sprintf("the checkpoint is signed with %v, the one before with %v", now.LogKey, before[0].LogKey)})
	}
	r.then = append(r.then, func(m *memory) {
		if err != nil || before[0].Checkpoint != now.Checkpoint {
			m.ServedSince = r.at
		}
		m.Origin, m.Served = now.Checkpoint.Origin, string(now.Note)
		w.learnNewest(m, now)
	})
}

// learnNewest remembers the newest checkpoint of the one history.
func (w *Watcher) learnNewest(m *memory, s verify.Signed) {
	newest, err := w.cfg.Policies.Held([]byte(m.Newest))
	if err != nil || newest[0].Checkpoint.Size <= s.Checkpoint.Size {
		m.Newest = string(s.Note)
	}
}

// age tells if the newest head that the log served is too old. Where the policy
// that takes it has witnesses its age is that of their cosignatures, else the
// watcher's clock says since when the log has not changed, or shows none. read says
// that this look has read one.
func (w *Watcher) age(r *report, read bool) {
	w.mu.Lock()
	for _, learn := range r.then { // of this look, and kept with what is told
		learn(w.mem)
	}
	r.then = nil
	w.mu.Unlock()
	r.looked[partAge] = true
	if w.cfg.MaxAge == 0 {
		return
	}
	since, basis := w.mem.ServedSince, "it has not changed since, by the watcher's clock"
	if t, ok := w.witnessed([]byte(w.mem.Served)); ok {
		since, basis = t, "so the cosignatures of its witnesses say"
	} else if !read {
		since, basis = r.since(partReach, Unreachable), "no head could be read since, by the watcher's clock"
	}
	if r.old(since) {
		r.lasts(partAge, "", Event{Code: Stale, Detail: fmt.Sprintf("the newest head is of %v, older than %v: %s", record.Time(since), w.cfg.MaxAge, basis)}, nil)
	}
}

// unread tells that the log could not be read to its end, and alarms if that lasts.
func (w *Watcher) unread(r *report, err error) {
	r.lasts(partRead, "", Event{Level: Unknown, Code: Unread, Detail: "audit: " + err.Error()}, nil)
	if since := r.since(partRead, Unread); r.old(since) {
		r.lasts(partRead, "", Event{Code: Unreadable, Detail: fmt.Sprintf("no audit came to an end since %v", record.Time(since))}, nil)
	}
}

// since returns since when something lasts that this look has found; now if it
// has not.
func (r *report) since(part string, code Code) int64 {
	for _, l := range r.raised {
		if l.Part == part && l.Code == code {
			return l.Since
		}
	}
	return r.at
}

// old reports whether a time is longer ago than Config.MaxAge allows.
func (r *report) old(since int64) bool {
	return r.w.cfg.MaxAge > 0 && time.Duration(r.at-since)*time.Second > r.w.cfg.MaxAge
}

// witnessed returns since when a checkpoint is proven to exist at the earliest, by
// the newest policy that takes it; ok is false if that has no witnesses.
func (w *Watcher) witnessed(note []byte) (at int64, ok bool) {
	for i := len(w.cfg.Policies) - 1; i >= 0; i-- {
		p := w.cfg.Policies[i]
		if s, err := p.Open(note); err == nil {
			at, _, ok = p.Times(s.Cosignatures)
			return at, ok
		}
	}
	return 0, false
}
