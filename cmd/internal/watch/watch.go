package watch

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
)

// A Place is where a log is read.
type Place struct {
	Name   string // as the user gave it: a URL or a folder; or a witness's name
	Source verify.Source
}

// Config is read by New; later changes have no effect.
type Config struct {
	Policies verify.Policies // required
	Log      Place           // required
	Peers    []Place         // copies of the log
	// Witness returns the source of what a witness monitors under its URL: the
	// file "<id>/checkpoint". Required if a policy names witnesses with a URL.
	Witness func(url string) (verify.Source, error)

	// State is the file that remembers; State.audit is beside it. Required.
	State string
	// Keep keeps evidence in a file and returns its name. Required.
	Keep func(verify.Evidence) (string, error)

	// Interval is the pause between looks, default one minute, Timeout how long
	// one look may take, default six hours.
	Interval, Timeout time.Duration
	// MaxAge is how old the head may become, and for how long the log may be
	// unreadable; 0 means that no age is too old.
	MaxAge time.Duration
	// MaxLag is for how long the log may show less than others have. 0 means not
	// at all.
	MaxLag time.Duration
	// Recheck is how often the whole log is read again; 0 means never.
	Recheck time.Duration

	// Sinks take the alarms. Their names are distinct.
	Sinks []Sink
	// Out gets a line an event, Err what goes wrong with the watch itself.
	Out, Err io.Writer
	// Now is the watcher's clock; nil means time.Now.
	Now func() time.Time
}

// A Watcher looks at a log. Only one at a time may use a state file.
type Watcher struct {
	cfg     Config
	saved   *verify.Saved // the last audit that held
	metrics metrics

	mu  sync.Mutex // for mem, which looks and deliveries change
	mem *memory
}

// New returns a Watcher that knows what the state file holds. The error wraps
// ErrState if that can't be used, or says that it is of another log.
func New(cfg Config) (*Watcher, error) {
	cfg.Interval = cmp.Or(cfg.Interval, time.Minute)
	cfg.Timeout = cmp.Or(cfg.Timeout, 6*time.Hour)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	w := &Watcher{cfg: cfg}
	var err error
	if w.mem, err = readMemory(cfg.State); err != nil {
		return nil, err
	}
	if w.mem.Since == 0 {
		w.mem.Since = cfg.Now().Unix()
	}
	for _, note := range []string{w.mem.Newest, w.mem.Served} {
		if note == "" {
			continue
		}
		if _, err := cfg.Policies.Held([]byte(note)); err != nil {
			return nil, fmt.Errorf("%s is of %s, and no policy here names the log key that signed its checkpoint: give those of earlier epochs, too (%w)", cfg.State, w.mem.Origin, err)
		}
	}
	if w.saved, err = readAudit(cfg.State + ".audit"); errors.Is(err, verify.ErrSaved) {
		fmt.Fprintf(cfg.Err, "docket-verify: %s.audit: %v; the whole log is read again\n", cfg.State, err)
	} else if err != nil {
		return nil, err
	}
	w.metrics.init(w.mem)
	return w, nil
}

// An Outcome is what a look came to.
type Outcome int

const (
	Quiet    Outcome = iota // all could be found out, and nothing is wrong
	Alarmed                 // an alarm was told, or an earlier one lasts
	Blind                   // something could not be found out
	unlooked                // before the first look
)

// Look looks once, and tells what it found. The error says that it could not be
// told, or that the state could not be kept: the watch knows it as long as it runs.
// The outcome holds all the same.
func (w *Watcher) Look(ctx context.Context) (Outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, w.cfg.Timeout)
	defer cancel()
	start := time.Now()
	r := &report{w: w, at: w.cfg.Now().Unix(), raised: map[string]lasting{}, looked: map[string]bool{}, counts: map[Code]int{}}
	now, ok := w.head(ctx, r)
	w.others(ctx, r, now, ok)
	w.age(r, now != nil)
	err := r.tell()
	if ok { // also if the state can't be kept: the disk may be full for long
		w.audit(ctx, r, *now)
		err = errors.Join(err, r.tell())
	}
	out := r.outcome()
	w.metrics.looked(w, out, time.Since(start))
	return out, err
}

// Run looks until ctx ends, and delivers alarms meanwhile.
func (w *Watcher) Run(ctx context.Context) {
	var wg sync.WaitGroup
	for _, s := range w.cfg.Sinks {
		wg.Go(func() { w.deliver(ctx, s) })
	}
	for ctx.Err() == nil {
		if _, err := w.Look(ctx); err != nil && ctx.Err() == nil {
			fmt.Fprintf(w.cfg.Err, "docket-verify: the state of the watch can't be kept: %v\n", err)
		}
		pause := w.cfg.Interval + rand.N(w.cfg.Interval/10+1) // so that many watches don't come at once
		sleep(ctx, pause)
	}
	wg.Wait()
}

// sleep reports whether ctx went on for so long.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// maxEvents is how many events of one code a look tells; more are counted.
// maxPending is how many wait for delivery: then only those about the log itself
// are added.
const (
	maxEvents  = 100
	maxPending = 1000
)

// A report is what a look found.
type report struct {
	w      *Watcher
	at     int64
	events []Event
	raised map[string]lasting
	looked map[string]bool // parts of the look that came to an end
	counts map[Code]int
	alarms int
	then   []func(m *memory) // what the memory learns once the events are told
}

// once tells an event that does not last.
func (r *report) once(e Event) {
	e.At = record.Time(r.at)
	if e.Level == "" {
		e.Level = Alarm
	}
	if e.Source == "" {
		e.Source = r.w.cfg.Log.Name
	}
	r.counts[e.Code]++
	if e.Level == Alarm {
		r.alarms++
	}
	if r.counts[e.Code] <= maxEvents {
		r.events = append(r.events, e)
	}
}

// lasts tells an event of a part of the look, unless it was told and still lasts.
// subject tells it from others of the same code and source. prove returns the
// evidence, if there is any; it may be nil.
func (r *report) lasts(part, subject string, e Event, prove func() verify.Evidence) {
	e.Source = cmp.Or(e.Source, r.w.cfg.Log.Name)
	e.Level = cmp.Or(e.Level, Alarm)
	key := strings.Join([]string{string(e.Code), e.Source, subject}, " ")
	r.w.mu.Lock()
	old, open := r.w.mem.Open[key]
	r.w.mu.Unlock()
	if _, again := r.raised[key]; again || open {
		if open {
			r.raised[key] = old
		}
		return
	}
	if r.counts[e.Code] >= maxEvents {
		r.counts[e.Code]++ // it is told in a later look
		return
	}
	if prove != nil {
		path, err := r.w.cfg.Keep(prove())
		if err != nil {
			e.Detail += "; the evidence could not be kept: " + err.Error()
		}
		e.Evidence = path
	}
	r.raised[key] = lasting{part, e.Level, e.Code, e.Source, r.at}
	r.once(e)
}

// tell prints what was found since the last time, and remembers that it did.
func (r *report) tell() error {
	w := r.w
	w.mu.Lock()
	defer w.mu.Unlock()
	for key, old := range w.mem.Open {
		if _, still := r.raised[key]; still || !r.looked[old.Part] {
			continue
		}
		delete(w.mem.Open, key)
		r.events = append(r.events, Event{At: record.Time(r.at), Level: Info, Code: Cleared, Of: old.Code, Source: old.Source,
			Detail: fmt.Sprintf("no longer so: %s, since %v", strings.TrimSpace(key), record.Time(old.Since))})
	}
	for code, n := range r.counts {
		if n > maxEvents {
			r.events = append(r.events, Event{At: record.Time(r.at), Level: Alarm, Code: More, Of: code, Source: w.cfg.Log.Name,
				Detail: fmt.Sprintf("%d more of the code %s", n-maxEvents, code)})
		}
	}
	for i := range r.events {
		if err := w.print(&r.events[i]); err != nil {
			return err
		}
	}
	for key, l := range r.raised {
		w.mem.Open[key] = l
	}
	for _, learn := range r.then {
		learn(w.mem)
	}
	r.events, r.then, r.looked, r.counts = nil, nil, map[string]bool{}, map[Code]int{}
	return w.mem.write(w.cfg.State)
}

// print prints an event, and queues it for delivery. w.mu is held.
func (w *Watcher) print(e *Event) error {
	e.Origin = w.mem.Origin
	if err := e.name(); err != nil {
		return err
	}
	line, err := e.line()
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(w.cfg.Out, "%s\n", line); err != nil {
		return err
	}
	w.metrics.told(e)
	if e.Level != Alarm && e.Code != Cleared {
		return nil
	}
	if len(w.mem.Pending) >= maxPending && !strings.HasPrefix(string(e.Code), "log.") {
		fmt.Fprintf(w.cfg.Err, "docket-verify: %d events wait for delivery: event %s is not delivered\n", maxPending, e.ID)
		return nil
	}
	p := pending{Event: *e}
	for _, s := range w.cfg.Sinks {
		p.To = append(p.To, s.Name())
	}
	if len(p.To) > 0 {
		w.mem.Pending = append(w.mem.Pending, p)
	}
	return nil
}

// outcome says what the look came to: what was told, and what lasts.
func (r *report) outcome() Outcome {
	r.w.mu.Lock()
	defer r.w.mu.Unlock()
	out := Quiet
	for _, l := range r.w.mem.Open {
		if l.Level == Alarm {
			return Alarmed
		}
		out = Blind
	}
	if r.alarms > 0 {
		return Alarmed
	}
	return out
}
