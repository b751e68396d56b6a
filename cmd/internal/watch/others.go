package watch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"sync"
	"time"

	"github.com/docket-ledger/docket/api/client"
	"github.com/docket-ledger/docket/api/problem"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/witness"
)

// otherTime is how long a peer or witness may take.
const otherTime = 2 * time.Minute

// An other is a peer or a witness, who has a checkpoint of the log.
type other struct {
	Place
	path                string
	fork, wrong, absent Code

	note   []byte
	err    error
	signed verify.Signed
	ahead  bool
}

// others compares the head with what peers and witnesses have. now is nil if the
// log shows none; then they are compared with what it showed before.
func (w *Watcher) others(ctx context.Context, r *report, now *verify.Signed, ok bool) {
	all := w.all(r, now)
	var wg sync.WaitGroup
	for _, o := range all {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, otherTime)
			defer cancel()
			o.note, o.err = patient{o.Source}.ReadFile(ctx, o.path)
		})
	}
	wg.Wait()
	ours := now
	if ours == nil {
		if held, err := w.cfg.Policies.Held([]byte(w.mem.Newest)); err == nil {
			ours = &held[0]
		}
	}
	for _, o := range all {
		ctx, cancel := context.WithTimeout(ctx, otherTime)
		w.compare(ctx, r, o, ours)
		cancel()
	}
	if now != nil {
		w.behind(ctx, r, all, *now)
	}
}

// all are the peers, and the witnesses with a URL.
func (w *Watcher) all(r *report, now *verify.Signed) []*other {
	var all []*other
	for _, p := range w.cfg.Peers {
		all = append(all, &other{Place: p, path: checkpoint, fork: PeerFork, wrong: PeerInvalid, absent: NoPeer})
	}
	origin := w.mem.Origin
	if now != nil {
		origin = now.Checkpoint.Origin
	}
	seen := map[string]bool{}
	for i := len(w.cfg.Policies) - 1; i >= 0; i-- {
		for _, wit := range w.cfg.Policies[i].Witnesses() {
			if wit.URL == "" || seen[wit.URL] || origin == "" {
				continue
			}
			seen[wit.URL] = true
			o := &other{Place: Place{Name: wit.Name}, path: witness.ID(origin) + "/" + checkpoint, fork: WitnessFork, wrong: WitnessWrong, absent: NoWitness}
			var err error
			if o.Source, err = w.cfg.Witness(wit.URL); err != nil {
				r.lasts(o.Name, "", Event{Level: Unknown, Code: NoWitness, Source: o.Name, Detail: err.Error()}, nil)
				continue
			}
			all = append(all, o)
		}
	}
	return all
}

// compare checks that what an other has is of one history with the log, both ways:
// the larger of the two must extend the smaller one. ours is nil before the log
// has shown anything.
func (w *Watcher) compare(ctx context.Context, r *report, o *other, ours *verify.Signed) {
	part := o.path + " of " + o.Name
	if o.err != nil {
		if o.absent == NoWitness && none(o.err) {
			r.looked[part] = true // it has none yet, or shows none to anybody
			return
		}
		r.lasts(part, "", Event{Level: Unknown, Code: o.absent, Source: o.Name, Detail: "its checkpoint can't be read: " + o.err.Error()}, nil)
		return
	}
	held, err := w.cfg.Policies.Held(o.note)
	if err != nil {
		r.looked[part] = true
		r.lasts(part, "", Event{Code: o.wrong, Source: o.Name, Detail: err.Error()}, nil)
		return
	}
	if o.signed = held[0]; ours == nil {
		r.looked[part] = true
		return
	}
	if o.signed.Checkpoint.Origin != ours.Checkpoint.Origin {
		r.looked[part] = true
		r.lasts(part, "", Event{Code: o.wrong, Source: o.Name, Detail: "its checkpoint is of " + o.signed.Checkpoint.Origin}, nil)
		return
	}
	o.ahead = o.signed.Checkpoint.Size > ours.Checkpoint.Size
	theirs := o.Source
	if o.absent == NoWitness {
		theirs = w.cfg.Log.Source // a witness serves no tiles
	}
	err = oneHistory(ctx, *ours, o.signed, w.cfg.Log.Source, theirs)
	if o.ahead && err != nil && accusation(err) == nil && o.absent == NoPeer { // perhaps the log can say more
		if fromLog := oneHistory(ctx, *ours, o.signed, w.cfg.Log.Source, w.cfg.Log.Source); fromLog == nil || accusation(fromLog) != nil {
			err = fromLog
		}
	}
	r.looked[part] = true
	e := Event{Source: o.Name, Size: o.signed.Checkpoint.Size}
	switch f := accusation(err); {
	case err == nil:
		s := o.signed
		r.then = append(r.then, func(m *memory) { w.learnNewest(m, s) })
	case f != nil:
		o.ahead = false // it is of another history
		e.Code, e.Detail = o.fork, f.Error()
		r.lasts(part, "", e, f.evidence)
	case o.ahead && o.absent == NoWitness && missing(err): // too new for the log to show; see behind
	case missing(err) && o.ahead:
		e.Code, e.Detail = o.wrong, err.Error()
		r.lasts(part, "", e, nil)
	case missing(err):
		e.Code, e.Source, e.Detail = Altered, w.cfg.Log.Name, "the log can't show that it extends what "+o.Name+" has: "+err.Error()
		r.lasts(part, "", e, nil)
	default:
		r.looked[part] = false
		e.Level, e.Code, e.Detail = Unknown, o.absent, "compare with its checkpoint: "+err.Error()
		r.lasts(part, "", e, nil)
	}
}

// none reports whether a witness says that it has no checkpoint to show.
func none(err error) bool {
	var p *problem.Problem
	if errors.As(err, &p) {
		return p.Status == http.StatusForbidden || p.Status == http.StatusMethodNotAllowed || p.Status == http.StatusNotFound
	}
	return errors.Is(err, fs.ErrNotExist)
}

// behind tells if the log goes on to serve less than others have. A log is asked
// again, since they may have grown meanwhile.
func (w *Watcher) behind(ctx context.Context, r *report, all []*other, now verify.Signed) {
	r.looked["behind"] = true
	size := now.Checkpoint.Size
	for _, o := range all {
		if !o.ahead {
			r.then = append(r.then, func(m *memory) { delete(m.Ahead, o.Name) })
			continue
		}
		if note, err := w.cfg.Log.Source.ReadFile(ctx, checkpoint); err == nil {
			if again, err := w.cfg.Policies.Held(note); err == nil {
				size = max(size, again[0].Checkpoint.Size)
			}
		}
		if o.signed.Checkpoint.Size <= size {
			r.then = append(r.then, func(m *memory) { delete(m.Ahead, o.Name) })
			continue
		}
		since, known := w.mem.Ahead[o.Name]
		if !known {
			since = r.at
			r.then = append(r.then, func(m *memory) { m.Ahead[o.Name] = since })
		}
		if time.Duration(r.at-since)*time.Second >= w.cfg.MaxLag {
			r.lasts("behind", o.Name, Event{Code: Behind, Size: size, Detail: fmt.Sprintf("the log shows %d entries, and %s has a checkpoint of %d, since %v: it shows an old one here, or stopped",
				size, o.Name, o.signed.Checkpoint.Size, record.Time(since))}, nil)
		}
	}
}

// A patient source asks again, twice, if that may help.
type patient struct{ verify.Source }

func (p patient) ReadFile(ctx context.Context, path string) ([]byte, error) {
	for _, pause := range []time.Duration{200 * time.Millisecond, time.Second} {
		b, err := p.Source.ReadFile(ctx, path)
		if err == nil || errors.Is(err, fs.ErrNotExist) || client.Lasting(err) {
			return b, err
		}
		if !sleep(ctx, pause) {
			return b, err
		}
	}
	return p.Source.ReadFile(ctx, path)
}
