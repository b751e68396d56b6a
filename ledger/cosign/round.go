package cosign

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/docket-ledger/docket/verify"
)

// A round is a head that witnesses are asked to cosign.
type round struct {
	head  verify.Signed
	note  []byte            // the head with the log's signature lines alone
	lines map[string]string // cosignature lines, by the witness's name
	fresh bool              // there are lines that were not handed over
}

// Run asks the witnesses whenever the log has grown, and from time to time if it
// has not. It returns when ctx has ended, and nil then, or when the log was
// halted, and why; no request is on its way any more. It is called once.
func (c *Cosigner) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer c.requests.Wait()
	defer cancel()
	for ctx.Err() == nil {
		if err := c.round(ctx); err != nil {
			return err
		}
		if err := c.rest(ctx); err != nil {
			return err
		}
	}
	return nil
}

// round asks all witnesses at once that lack the newest head, and hands over what
// they answer. It ends at the deadline, a moment after the quorum is reached, or
// when all have answered. The error is that the log was halted.
func (c *Cosigner) round(ctx context.Context) error {
	c.started = time.Now()
	r, err := c.next()
	if err != nil {
		c.refuse(err)
		return nil
	}
	waiting := c.send(ctx, r)
	if waiting == 0 {
		c.publish(r) // if it was not taken before
		return nil
	}
	deadline := time.NewTimer(c.cfg.Deadline)
	defer deadline.Stop()
	var grace <-chan time.Time
	for number := c.rounds; waiting > 0; {
		select {
		case a := <-c.answers:
			if err := c.take(a); err != nil {
				return err
			}
			if a.r != r {
				c.publish(a.r)
			}
			if a.round == number {
				waiting--
			}
			if grace == nil && c.reached(r) {
				grace = time.After(c.cfg.Grace)
			}
		case <-grace:
			waiting = 0
		case <-deadline.C:
			waiting = 0
		case <-ctx.Done():
			waiting = 0
		}
	}
	c.cfg.Metrics.Round.Observe(time.Since(c.started).Seconds())
	if !c.reached(r) && ctx.Err() == nil {
		c.cfg.Metrics.Missed.Inc()
	}
	c.publish(r)
	return nil
}

// next returns what to ask for: the newest head, with what there is of it already
// unless it is time to have it cosigned anew. The error is that the witness policy
// does not know the key that the log signs with.
func (c *Cosigner) next() (*round, error) {
	head := c.cfg.Log.Head()
	again := c.last != nil && c.last.head.Checkpoint == head.Checkpoint
	if again && time.Since(c.full) < c.cfg.Heartbeat {
		return c.last, nil
	}
	note := ownLines(head.Note, c.origin)
	if _, err := c.own.Open(note); err != nil {
		return nil, fmt.Errorf("the head can't be shown to witnesses: %w. Give --witness-policy a file with the log's key of now", err)
	}
	c.full = time.Now()
	c.last = &round{head: head, note: note, lines: map[string]string{}}
	return c.last, nil
}

// ownLines returns a note with the signature lines that bear the log's name alone,
// also those of keys that the witness policy does not name.
func ownLines(note []byte, origin string) []byte {
	split := bytes.LastIndex(note, []byte("\n\n")) + 2
	own := slices.Clone(note[:split])
	for line := range bytes.Lines(note[split:]) {
		if bytes.HasPrefix(line, []byte("— "+origin+" ")) {
			own = append(own, line...)
		}
	}
	return own
}

// refuse tells, once, why nobody is asked.
func (c *Cosigner) refuse(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, w := range c.peers {
		if i == 0 && w.state.Error != err.Error() {
			c.cfg.Logger.Error("the witnesses are not asked", slog.Any("error", err))
		}
		w.state.Error, w.state.ErrorAt = err.Error(), c.cfg.Now().Unix()
	}
}

// send asks all who may be asked and have not cosigned the head in this round or
// one before. It returns how many these are. What is sent is remembered first; if
// that fails nobody is asked.
func (c *Cosigner) send(ctx context.Context, r *round) int {
	c.rounds++
	var ask []*peer
	now := time.Now()
	for _, w := range c.peers {
		if w.base != "" && !w.busy && !w.retry.After(now) && r.lines[w.Name] == "" && r.head.Checkpoint.Size > 0 {
			ask = append(ask, w)
		}
	}
	if len(ask) == 0 {
		return 0
	}
	if err := c.remember(r.head.Checkpoint, ask); err != nil {
		c.cfg.Logger.Error("what is sent to the witnesses can't be remembered, so nothing is sent", slog.Any("error", err))
		for _, w := range ask {
			c.leaveAlone(w, 0)
		}
		return 0
	}
	for _, w := range ask {
		a := answer{w: w, r: r, round: c.rounds, known: w.known}
		before := w.before
		w.busy, w.before = true, r.head.Checkpoint
		c.requests.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, 2*c.cfg.Deadline)
			defer cancel()
			c.answers <- c.ask(ctx, w, a, before)
		})
	}
	return len(ask)
}

// remember writes what will be sent to witnesses.
func (c *Cosigner) remember(cp verify.Checkpoint, witnesses []*peer) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range witnesses {
		s := c.sent.by[keyName(w.Key)]
		s.Size, s.Root, s.Time = cp.Size, cp.Root, c.cfg.Now().Unix()
		c.sent.by[keyName(w.Key)] = s
	}
	return c.sent.save()
}

// take learns from an answer. The error is that the log was halted.
func (c *Cosigner) take(a answer) error {
	w, head := a.w, a.r.head.Checkpoint
	w.busy, w.known = false, a.known
	switch {
	case a.line != "":
		a.r.lines[w.Name], a.r.fresh = a.line, true
		w.pause, w.retry = 0, time.Time{}
	case a.err == nil: // it is ahead of this head
	case a.faulty:
		w.retry = time.Now().Add(c.cfg.Heartbeat)
	default:
		c.leaveAlone(w, a.wait)
	}
	c.show(a)
	c.cfg.Metrics.witness(w.Name, w.state.Size, max(head.Size, w.state.Size), w.state.Faulty, a.err != nil)
	if a.halt != nil {
		c.cfg.Logger.Error("the log was halted", slog.String("witness", w.Name), slog.Any("error", a.halt))
	}
	return a.halt
}

// leaveAlone lets a witness alone for a while after a failure: for twice as long
// as the last time, and for as long as it asked for.
func (c *Cosigner) leaveAlone(w *peer, asked time.Duration) {
	w.pause = min(max(2*w.pause, c.cfg.Interval), 64*c.cfg.Interval)
	w.retry = time.Now().Add(min(max(w.pause, asked), max(c.cfg.Heartbeat, w.pause)))
}

// show makes an answer visible to Witnesses, and tells the operator when a witness
// begins to fail, or returns.
func (c *Cosigner) show(a answer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w, s := a.w, &a.w.state
	switch {
	case a.line != "":
		if s.Error != "" {
			c.cfg.Logger.Info("witness is back", slog.String("witness", w.Name))
		}
		s.Size, s.At, s.Error, s.ErrorAt = max(s.Size, a.r.head.Checkpoint.Size), a.at, "", 0
		key := keyName(w.Key)
		known := c.sent.by[key]
		known.Cosigned = max(known.Cosigned, s.Size)
		c.sent.by[key] = known // saved with the next one that is sent
	case a.err == nil:
		s.Error, s.ErrorAt = "", 0
	default:
		text := fmt.Sprintf("%.500s", a.err.Error())
		if s.Error != text || a.faulty && !s.Faulty {
			c.cfg.Logger.Warn("witness does not cosign", slog.String("witness", w.Name), slog.Bool("faulty", a.faulty), slog.Any("error", a.err))
		}
		s.Error, s.ErrorAt, s.Faulty = text, c.cfg.Now().Unix(), s.Faulty || a.faulty
	}
}

// reached reports whether the cosignatures of a round reach the quorum.
func (c *Cosigner) reached(r *round) bool {
	var names []string
	for name := range r.lines {
		names = append(names, name)
	}
	return c.cfg.Policy.Reached(names)
}

// publish hands over a head that reached the quorum, with all cosignatures that
// there are, if there is a new one among them. It does so even while Run is being
// stopped. If the log does not take it, it is tried again with the next round.
func (c *Cosigner) publish(r *round) {
	if !r.fresh || !c.reached(r) {
		return
	}
	note := string(r.note)
	for _, w := range c.peers {
		note += r.lines[w.Name]
	}
	if err := c.cfg.Log.Cosigned(context.Background(), []byte(note)); err != nil {
		c.cfg.Logger.Error("the witnessed head was not taken", slog.Int64("size", r.head.Checkpoint.Size), slog.Any("error", err))
		return
	}
	r.fresh = false
}

// rest waits until there is a reason for another round.
func (c *Cosigner) rest(ctx context.Context) error {
	for earliest := c.started.Add(c.cfg.Interval); ctx.Err() == nil && time.Now().Before(earliest); {
		if _, err := c.wait(ctx, nil, earliest); err != nil {
			return err
		}
	}
	for ctx.Err() == nil {
		var size int64
		if c.last != nil {
			size = c.last.head.Checkpoint.Size
		}
		answered, err := c.wait(ctx, c.cfg.Log.Grown(size), c.due())
		if err != nil || !answered {
			return err
		}
	}
	return nil
}

// wait returns when the log has grown, at a time, or when ctx ends; or earlier,
// if a witness answered.
func (c *Cosigner) wait(ctx context.Context, grown <-chan struct{}, until time.Time) (answered bool, err error) {
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	select {
	case a := <-c.answers:
		if err := c.take(a); err != nil {
			return true, err
		}
		c.publish(a.r)
		return true, nil
	case <-grown:
	case <-timer.C:
	case <-ctx.Done():
	}
	return false, nil
}

// due returns when to ask again though the log has not grown: when a witness that
// lacks the head may be asked, or all for a fresh cosignature.
func (c *Cosigner) due() time.Time {
	at := c.full.Add(c.cfg.Heartbeat)
	if c.last == nil {
		return c.started.Add(c.cfg.Interval)
	}
	for _, w := range c.peers {
		if w.base != "" && !w.busy && c.last.lines[w.Name] == "" && w.retry.Before(at) {
			at = w.retry
		}
	}
	if c.last.fresh && c.reached(c.last) { // the log did not take it
		at = c.started.Add(c.cfg.Deadline)
	}
	return at
}
