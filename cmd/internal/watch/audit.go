package watch

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
	"github.com/docket-ledger/docket/verify/telling"
)

// pinned is a source whose checkpoint is the one that was compared: a server that
// shows another one the next time does not change what is audited.
type pinned struct {
	patient
	note []byte
}

func (p pinned) ReadFile(ctx context.Context, path string) ([]byte, error) {
	if path == checkpoint {
		return p.note, nil
	}
	return p.patient.ReadFile(ctx, path)
}

// An examination is what one audit found.
type examination struct {
	findings []verify.Finding
	changes  []Event
	judged   int64 // up to this entry, if something could not be judged
}

// audit audits what is new since the last audit that held, and now and then the
// whole log.
func (w *Watcher) audit(ctx context.Context, r *report, now verify.Signed) {
	resume := w.saved
	if w.cfg.Recheck > 0 && r.at-w.mem.CheckedAt >= int64(w.cfg.Recheck/time.Second) {
		resume = nil
	}
	x, sum, err := w.examine(ctx, now, resume)
	if err == nil && sum.Broken > 0 { // what a cache on the way has mixed up may be right the next time
		x, sum, err = w.examine(ctx, now, resume)
	}
	if err != nil {
		w.unread(r, err)
		return
	}
	r.looked[partRead], r.looked[partAudit] = true, true
	w.changes(r, x, sum)
	w.findings(r, x, sum)
	w.duties(r, sum)
	saved := sum.Saved(r.at)
	r.then = append(r.then, func(m *memory) {
		m.AuditedAt = r.at
		if sum.Resumed == 0 && saved != nil {
			m.CheckedAt = r.at
		}
	})
	w.keepAudit(saved)
}

// examine audits once. It does not tell anything.
func (w *Watcher) examine(ctx context.Context, now verify.Signed, resume *verify.Saved) (*examination, *verify.Summary, error) {
	x := &examination{}
	sum, err := w.cfg.Policies.Audit(ctx, pinned{patient{w.cfg.Log.Source}, now.Note}, verify.AuditOptions{
		Resume: resume,
		Found: func(f verify.Finding) {
			if f.Severity != verify.Note {
				x.findings = append(x.findings, f)
			}
		},
		Each: func(index int64, rec record.Checked, s rules.Standing) {
			x.judged = index + 1
			if e, ok := change(rec.Payload()); ok && s.Effective() && index >= w.known() {
				e.Index, e.Record, e.Size = &index, s.ID, now.Checkpoint.Size
				x.changes = append(x.changes, e)
			}
		},
	})
	return x, sum, err
}

// known returns of how many entries the events were told. Before the first audit
// none is to be told: it says what there is.
func (w *Watcher) known() int64 {
	if !w.mem.Began {
		return verify.MaxSize
	}
	return w.mem.Known
}

// findings tells what an honest server can't produce, and what is void and new.
func (w *Watcher) findings(r *report, x *examination, sum *verify.Summary) {
	size := sum.Signed.Checkpoint.Size
	byRecord := map[int64]*Event{}
	var order []int64
	for _, f := range x.findings {
		subject := ""
		e := Event{Code: Dishonest, Size: size, Codes: []string{string(f.Code)}, Detail: f.Detail, Record: f.ID}
		if f.Index >= 0 {
			e.Index, subject = &f.Index, strconv.FormatInt(f.Index, 10)
		}
		switch {
		case f.Severity == verify.Void && f.Index < w.known():
			continue
		case f.Severity == verify.Void:
			if old := byRecord[f.Index]; old != nil {
				old.Codes = append(old.Codes, string(f.Code))
				continue
			}
			e.Code = RecordVoid
			byRecord[f.Index], order = &e, append(order, f.Index)
			continue
		case f.Code == verify.AuditFork && f.Fork != nil:
			e.Code = Fork
			r.lasts(partAudit, subject, e, f.Fork.Evidence)
			continue
		case f.Code == verify.AuditSmaller:
			e.Code = Smaller
		case f.Code == verify.AuditEntry, f.Code == verify.AuditFile:
			e.Code = Altered
		}
		r.lasts(partAudit, subject, e, nil)
	}
	slices.Sort(order)
	for _, i := range order {
		r.once(*byRecord[i])
	}
}

// duties tells what is overdue, by the watcher's clock or the log's time, whichever
// is later.
func (w *Watcher) duties(r *report, sum *verify.Summary) {
	if sum.Unjudged > 0 || sum.State() == nil {
		return
	}
	duties, err := rules.Duties(sum.State(), max(r.at, sum.Time))
	if err != nil {
		r.lasts(partRead, "", Event{Level: Unknown, Code: Unread, Detail: "duties: " + err.Error()}, nil)
		return
	}
	r.looked[partDuty] = true
	for _, d := range duties {
		if !d.Overdue {
			continue
		}
		e := Event{Code: Overdue, Size: sum.Signed.Checkpoint.Size, Detail: telling.Duty(d)}
		if d.Index >= 0 {
			e.Index = &d.Index
		}
		r.lasts(partDuty, fmt.Sprintf("%s %s %d", d.Kind, d.Case, d.Index), e, nil)
	}
}

// changes tells what is new.
func (w *Watcher) changes(r *report, x *examination, sum *verify.Summary) {
	size, known := sum.Signed.Checkpoint.Size, sum.Signed.Checkpoint.Size
	if sum.Unjudged > 0 {
		known = max(x.judged, w.mem.Known, sum.Resumed)
	}
	if !w.mem.Began {
		r.once(Event{Level: Info, Code: Began, Size: size,
			Detail: fmt.Sprintf("%d entries, %d effective, %d void, which are not told one by one", size, sum.Effective, sum.Void)})
	} else if known > w.mem.Known {
		r.once(Event{Level: Info, Code: Grown, Size: size, Detail: fmt.Sprintf("new entries: %d", known-w.mem.Known)})
	}
	for _, e := range x.changes {
		r.once(e)
	}
	r.then = append(r.then, func(m *memory) { m.Began, m.Known = true, max(m.Known, known) })
}

// change is the event of a payload that changes who or what counts.
func change(p record.Payload) (Event, bool) {
	switch p := p.(type) {
	case *record.Charter:
		return Event{Code: CharterMade, Detail: "the charter"}, true
	case *record.CharterAmend:
		return Event{Code: CharterAmended, Detail: p.Reasons}, true
	case *record.KeyEnrol:
		return Event{Code: KeyEnrolled, Detail: fmt.Sprintf("key %s of %s, for %v", p.JWK.KID(), p.Holder, p.Roles)}, true
	case *record.KeyRevoke:
		return Event{Code: KeyRevoked, Detail: fmt.Sprintf("key %s: %s", p.KID, p.Reason)}, true
	case *record.PolicyPublish:
		return Event{Code: PolicyPublished, Detail: fmt.Sprintf("%s, version %d: %s", p.Policy, p.Version, p.Title)}, true
	case *record.PolicyRepeal:
		return Event{Code: PolicyRepealed, Detail: fmt.Sprintf("%s: %s", p.Policy, p.Reasons)}, true
	}
	return Event{}, false
}

// saveEvery is how often an audit is kept that found nothing new, in seconds: the
// gate asks how old it is.
const saveEvery = 3600

// keepAudit keeps an audit that held, so that the next one begins there.
func (w *Watcher) keepAudit(saved *verify.Saved) {
	if saved == nil {
		return
	}
	old := w.saved
	w.saved = saved
	if old != nil && string(old.Checkpoint()) == string(saved.Checkpoint()) && saved.At()-old.At() < saveEvery {
		w.saved = old
		return
	}
	if err := replace(w.cfg.State+".audit", saved.Write); err != nil {
		fmt.Fprintf(w.cfg.Err, "docket-verify: the audit can't be kept: %v\n", err)
	}
}
