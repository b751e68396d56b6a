package ledger

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// Timemarks put into the log what the witnesses say of the time. The writer makes
// them, and decides alone when:
//
//   - when a witnessed head covers a record, other than a timemark, that no
//     timemark covers, and the last one was made a minute ago or more;
//   - before the next record, if the ledger time is an hour or more behind the
//     newest witnessed head.
//
// Witnesses cosign an idle log again every few minutes, so the first also makes
// one an hour at least if anything was logged. Whatever keeps a timemark from
// being made is said in the log and by Info, once; records are taken all the
// same.

// How often a timemark is made at most, and how far the ledger time may be behind
// when a record is taken, in seconds.
const (
	markEvery = time.Minute
	markStale = 3600
)

// leastAhead is how far the witnesses may be ahead of this machine's clock at
// least, in seconds, if the charter tolerates less.
const leastAhead = 60

// A marker is what the writer knows of timemarks.
type marker struct {
	head  *published         // the witnessed head that was looked at last,
	terms *rules.CharterInfo // under this charter:
	shows rules.Head         // what it shows of the time,
	fault error              // or why it shows none;
	idle  bool               // and that it covers nothing new
	tried time.Time          // when the last timemark was made
	timer *time.Timer        // for the end of the minute after tried
}

// nudge lets the writer look whether a timemark is due.
func (l *Ledger) nudge() {
	select {
	case l.marks <- struct{}{}:
	default: // it will look
	}
}

// timemark returns a timemark to log now, before the records if there are any;
// nil if none is due, or none can be made.
func (w *writer) timemark(records bool) *waiter {
	m, l := &w.marker, w.l
	head, _ := l.heads.last()
	if head == nil || l.cfg.Machine == nil {
		return nil
	}
	now := l.cfg.Now()
	if since := now.Sub(m.tried); since >= 0 && since < markEvery { // negative: the clock was set back
		if !records {
			m.later(markEvery-since, l.nudge)
		}
		return nil
	}
	due, err := w.markDue(head, records)
	if err != nil {
		l.unmarked(err.Error())
	}
	if !due || err != nil {
		return nil
	}
	if ahead := m.shows.NotBefore - now.Unix(); ahead > max(leastAhead, m.terms.Charter.Tolerance) {
		l.unmarked(fmt.Sprintf("the witnesses say that it is %s, and the clock of this machine %s: the ledger time could not be set back",
			record.Time(m.shows.NotBefore), record.Time(now.Unix())))
		return nil
	}
	m.tried = now
	mark, err := w.makeMark(head, now)
	if err != nil {
		l.unmarked(err.Error())
		return nil
	}
	return mark
}

// later looks again after a time.
func (m *marker) later(wait time.Duration, nudge func()) {
	if m.timer == nil {
		m.timer = time.AfterFunc(wait, nudge)
		return
	}
	m.timer.Reset(wait)
}

func (m *marker) stop() {
	if m.timer != nil {
		m.timer.Stop()
	}
}

// markDue looks whether head is worth a timemark. The error says why it can't be
// one.
func (w *writer) markDue(head *published, records bool) (bool, error) {
	m := &w.marker
	terms, err := w.l.keys.charter()
	if err != nil {
		return false, err
	}
	if terms.Charter.Witnesses[0] == rules.NoWitnesses {
		return false, nil
	}
	if head != m.head || terms != m.terms {
		m.head, m.terms, m.idle = head, terms, false
		m.shows, m.fault = verify.OpenTimemark(w.l.origin, &terms.Charter.Terms, string(head.note))
	}
	if m.fault != nil {
		return false, fmt.Errorf("the newest witnessed checkpoint is none for the charter's witnesses: %w", m.fault)
	}
	time, err := rules.Clock(w)
	if err != nil {
		return false, err
	}
	if records && m.shows.NotBefore >= time+markStale {
		return true, nil
	}
	if m.idle {
		return false, nil
	}
	uncovered, err := rules.Uncovered(w, head.Size)
	m.idle = uncovered == 0
	return uncovered > 0, err
}

// makeMark signs a timemark of head.
func (w *writer) makeMark(head *published, now time.Time) (*waiter, error) {
	l := w.l
	if why := l.unmarkable(w); why != "" {
		return nil, fmt.Errorf("%s", why)
	}
	jwk, err := record.NewJWK(l.cfg.Machine.Public())
	if err != nil {
		return nil, err
	}
	seq, err := rules.NextSeq(w, jwk.KID())
	if err != nil {
		return nil, err
	}
	u, err := record.NewDraft(&record.Timemark{Common: record.Common{Ledger: l.origin}, Checkpoint: string(head.note)})
	if err != nil {
		return nil, err
	}
	newest := l.head.Load()
	if u, err = u.Sign(l.cfg.Machine, now.Unix(), seq, record.SeenTree(newest.Size, newest.Root)); err != nil {
		return nil, err
	}
	checked, err := u.Verify(&l.keys)
	if err != nil {
		return nil, err
	}
	return &waiter{record: checked, leaf: u.Leaf(), payload: u.PayloadBytes(), answer: make(chan answer, 1), mark: true}, nil
}

// marked takes the answer to a timemark.
func (w *writer) marked(mark *waiter) {
	select {
	case a := <-mark.answer:
		if a.err != nil {
			w.l.unmarked("the last timemark was not logged: " + a.err.Error())
			return
		}
		w.l.unmarked("")
	default:
	}
}

// unmarked remembers why no timemarks are made, "" if they are, and says it once.
func (l *Ledger) unmarked(why string) {
	h := &l.heads
	h.mu.Lock()
	before := h.unmarked
	h.unmarked = why
	h.mu.Unlock()
	switch {
	case why == before:
	case why != "":
		l.cfg.Logger.Warn("no timemark is made", slog.String("reason", why))
	default:
		l.cfg.Logger.Info("timemarks are made again")
	}
}

// unmarkable says what is in the way of timemarks as the ledger stands, "" if
// nothing is, or if the charter names no witnesses and none are asked.
func (l *Ledger) unmarkable(s rules.State) string {
	terms, err := l.keys.charter()
	if err != nil {
		return err.Error()
	}
	none := terms.Charter.Witnesses[0] == rules.NoWitnesses
	switch {
	case none && l.heads.policy == nil:
		return ""
	case none:
		return "the charter names no witnesses; an amendment can"
	case l.heads.policy == nil:
		return "the charter names witnesses, and this server asks none: it has no witness policy"
	case l.cfg.Machine == nil:
		return "this server has no machine key"
	}
	if why := l.otherWitnesses(&terms.Charter.Terms); why != "" {
		return why
	}
	return l.machineFault(s)
}

// otherWitnesses says if the charter's quorum can't be reached by those who are
// asked.
func (l *Ledger) otherWitnesses(terms *record.Terms) string {
	charter, err := verify.ParsePolicy([]byte("log " + l.cfg.VKey + "\n" + strings.Join(terms.Witnesses, "\n") + "\n"))
	if err != nil {
		return "the charter's witnesses: " + err.Error()
	}
	asked := map[string]bool{}
	for _, w := range l.heads.policy.Witnesses() {
		asked[w.Key.String()] = true
	}
	var names []string
	for _, w := range charter.Witnesses() {
		if asked[w.Key.String()] {
			names = append(names, w.Name)
		}
	}
	if !charter.Reached(names) {
		return "the witness policy asks too few of the witnesses that the charter names"
	}
	return ""
}

// machineFault says what is wrong with the machine key.
func (l *Ledger) machineFault(s rules.State) string {
	jwk, err := record.NewJWK(l.cfg.Machine.Public())
	if err != nil {
		return "the machine key: " + err.Error()
	}
	kid := jwk.KID()
	k, err := rules.ReadKey(s, kid)
	switch {
	case err != nil:
		return err.Error()
	case k == nil:
		return "the machine key " + kid + " is not enrolled: the charter, or a record, gives it the role machine"
	case k.Revoked != nil:
		return "the machine key " + kid + " was revoked"
	case k.ValidUntil != 0 && l.cfg.Now().Unix() >= k.ValidUntil.Unix():
		return "the machine key " + kid + " has expired"
	case !slices.Contains(k.Roles, record.RoleMachine):
		return "the machine key " + kid + " has not the role machine"
	}
	return ""
}
