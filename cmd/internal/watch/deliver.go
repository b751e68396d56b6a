package watch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"time"
)

// A Sink takes alarms, and their ends. Deliver may be called again with an event
// that it has taken: after a crash nobody knows.
type Sink interface {
	Name() string
	// Deliver returns once the event has arrived. line is the event as printed.
	Deliver(ctx context.Context, e *Event, line []byte) error
}

const (
	firstPause = time.Second
	maxPause   = 10 * time.Minute
	sinkTime   = time.Minute // for one try
	onceTries  = 3           // of Drain
	pollPause  = time.Second / 2
)

// deliver hands pending events to a sink, one after another, until ctx ends. What
// fails is tried again with longer and longer pauses, for ever.
func (w *Watcher) deliver(ctx context.Context, s Sink) {
	pause := firstPause
	for ctx.Err() == nil {
		e := w.next(s)
		if e == nil {
			sleep(ctx, pollPause)
			continue
		}
		if err := w.hand(ctx, s, e); err != nil && ctx.Err() == nil {
			fmt.Fprintf(w.cfg.Err, "docket-verify: event %s by %s: %v; the next try in %v\n", e.ID, s.Name(), err, pause)
			sleep(ctx, pause)
			pause = min(2*pause, maxPause)
			continue
		}
		pause = firstPause
	}
}

// Drain hands over what is pending, and tries each sink a few times. What is left
// stays in the state, for the next run; the error says so.
func (w *Watcher) Drain(ctx context.Context) error {
	var errs []error
	for _, s := range w.cfg.Sinks {
		for e := w.next(s); e != nil; e = w.next(s) {
			err, pause := w.hand(ctx, s, e), firstPause
			for try := 1; err != nil && try < onceTries && sleep(ctx, pause); try++ {
				err, pause = w.hand(ctx, s, e), 2*pause
			}
			if err != nil {
				errs = append(errs, fmt.Errorf("event %s by %s, which is kept for the next run: %w", e.ID, s.Name(), err))
				break
			}
		}
	}
	return errors.Join(errs...)
}

// next returns the oldest event that a sink has not taken; nil if there is none.
func (w *Watcher) next(s Sink) *Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.mem.Pending {
		if slices.Contains(w.mem.Pending[i].To, s.Name()) {
			e := w.mem.Pending[i].Event
			return &e
		}
	}
	return nil
}

// hand delivers an event, and remembers that it did.
func (w *Watcher) hand(ctx context.Context, s Sink, e *Event) error {
	line, err := e.line()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, sinkTime)
	defer cancel()
	err = s.Deliver(ctx, e, line)
	w.metrics.delivered(s.Name(), err)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	var left []pending
	for _, p := range w.mem.Pending {
		if p.Event.ID == e.ID {
			p.To = slices.DeleteFunc(slices.Clone(p.To), func(name string) bool { return name == s.Name() })
		}
		if len(p.To) > 0 {
			left = append(left, p)
		}
	}
	w.mem.Pending = left
	return w.mem.write(w.cfg.State)
}

// Forget drops what waits for sinks that there are no longer.
func (w *Watcher) Forget() {
	w.mu.Lock()
	defer w.mu.Unlock()
	var left []pending
	for _, p := range w.mem.Pending {
		p.To = slices.DeleteFunc(p.To, func(name string) bool {
			return !slices.ContainsFunc(w.cfg.Sinks, func(s Sink) bool { return s.Name() == name })
		})
		if len(p.To) > 0 {
			left = append(left, p)
		}
	}
	w.mem.Pending = left
}

// A Command is a sink that runs a shell command, with the event on its standard
// input and its code and level in DOCKET_CODE and DOCKET_LEVEL: nothing that others
// wrote is on the command line. It has taken the event if it exits with 0.
type Command struct {
	Line string
	Out  io.Writer // takes what it prints
}

// Name implements Sink.
func (c Command) Name() string { return "exec" }

// Deliver implements Sink.
func (c Command) Deliver(ctx context.Context, e *Event, line []byte) error {
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", c.Line)
	cmd.Stdin = bytes.NewReader(append(line, '\n'))
	cmd.Env = append(os.Environ(), "DOCKET_CODE="+string(e.Code), "DOCKET_LEVEL="+string(e.Level))
	cmd.Stdout, cmd.Stderr = c.Out, c.Out
	cmd.WaitDelay = 5 * time.Second
	return cmd.Run()
}
