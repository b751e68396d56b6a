package rules

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"github.com/docket-ledger/docket/verify/record"
)

// A Status is where an effective decision stands at a time.
type Status string

// The statuses. While it is InForce, AwaitingRatification, UnderAppeal or Upheld a
// decision may be acted on.
const (
	InForce              Status = "in_force"
	AwaitingRatification Status = "awaiting_ratification"
	UnderAppeal          Status = "under_appeal"
	Upheld               Status = "upheld"
	Lapsed               Status = "lapsed"     // nobody ratified it in time
	Reversed             Status = "reversed"   // by a ruling
	Modified             Status = "modified"   // by a ruling, which stands in its place
	Expired              Status = "expired"    // it ran out
	Superseded           Status = "superseded" // by a later decision of the case
)

// Statuses lists all, with a sentence each for a layman.
var Statuses = []struct {
	Status Status
	Acts   bool // may be acted on
	Text   string
}{
	{InForce, true, "It is in force."},
	{AwaitingRatification, true, "It is in force, and others must approve it in time or it lapses."},
	{UnderAppeal, true, "It is in force, and a complaint about it waits for its ruling."},
	{Upheld, true, "It is in force: a complaint about it was rejected."},
	{Lapsed, false, "It is not in force: nobody approved it in time, and it has to be undone."},
	{Reversed, false, "It is not in force: a ruling reversed it, and it has to be undone."},
	{Modified, false, "A ruling put a milder measure in its place."},
	{Expired, false, "It is not in force: its time is over."},
	{Superseded, false, "A later decision of the case took its place."},
}

// Acts reports whether a decision of this status may be acted on.
func (s Status) Acts() bool {
	for _, t := range Statuses {
		if t.Status == s {
			return t.Acts
		}
	}
	return false
}

// Decided is what the log says of a decision or a ruling, as of a time.
type Decided struct {
	Status Status        `json:"status"`
	Action record.Action `json:"action"`
	Index  int64         `json:"index"`
	// Deadline is until when it must be ratified, 0 if it need not be or if
	// that is not known yet.
	Deadline record.Time `json:"deadline,omitzero"`
	// Until is when it runs out, Review when it is to be reviewed.
	Until  record.Time `json:"until,omitzero"`
	Review record.Time `json:"review,omitzero"`
	// Appeal is until when it can be appealed, 0 if there is no limit or it
	// is not known yet.
	Appeal        record.Time `json:"appeal,omitzero"`
	Emergency     bool        `json:"emergency,omitzero"`
	Retrospective bool        `json:"retrospective,omitzero"`
	Notified      bool        `json:"notified,omitzero"`
	// Contested says that a key that signed in its case may have been in
	// other hands, and nobody has confirmed it since.
	Contested bool `json:"contested,omitzero"`
}

// ErrNoDecision is returned where the log holds no such decision as effective.
var ErrNoDecision = errors.New("no effective decision of this id in this case")

// ReadStatus returns where a decision, or a ruling that changed one, stands at a
// time in seconds since 1970: the greatest that is proven, which is at least
// Clock. The error wraps ErrNoDecision if the log has none.
func ReadStatus(state State, name string, id record.ID, at int64) (*Decided, error) {
	return NewStatusReader(state).Read(name, id, at)
}

// A StatusReader reads many statuses of one state, and keeps what it decodes for the next.
// It must not be used concurrently.
type StatusReader struct{ rows *rows }

// NewStatusReader returns one for a state.
func NewStatusReader(state State) *StatusReader {
	return &StatusReader{&rows{get: state.Get, memo: memo{}}}
}

// Read is ReadStatus.
func (s *StatusReader) Read(name string, id record.ID, at int64) (*Decided, error) {
	r := s.rows
	short := shortID(id)
	c, err := r.caseAt(name)
	if err != nil {
		return nil, err
	}
	a, err := r.act(short)
	if err != nil {
		return nil, err
	}
	if c == nil || a == nil {
		return nil, ErrNoDecision
	}
	raw, err := r.get(rowAppeal + name)
	if err != nil {
		return nil, err
	}
	open, err := parseAppeal(raw)
	if err != nil {
		return nil, err
	}
	d := &Decided{Action: a.action, Index: a.index, Until: record.Time(a.until), Review: record.Time(a.review),
		Emergency: a.is(flagEmergency), Retrospective: a.is(flagRetrospective), Notified: a.is(flagNotified)}
	if d.Status, err = r.status(c, a, short, open, at); err != nil {
		return nil, err
	}
	return d, r.fill(d, c, a, short)
}

func (r *rows) status(c *caseRow, a *actRow, id string, open *appealRow, at int64) (Status, error) {
	waits, err := r.waiting(id, at)
	if err != nil {
		return "", err
	}
	superseded := false
	if c.by != id {
		now, err := r.act(c.by)
		if err != nil {
			return "", err
		}
		superseded = now != nil && now.index > a.index
	}
	switch {
	case a.is(flagReversed):
		return Reversed, nil
	case a.is(flagModified) && !a.ruling:
		return Modified, nil
	case superseded:
		return Superseded, nil
	case waits == hasLapsed:
		return Lapsed, nil
	case a.until != 0 && at >= a.until:
		return Expired, nil
	case open != nil && open.decision == id:
		return UnderAppeal, nil
	case waits == isWaiting:
		return AwaitingRatification, nil
	case a.is(flagUpheld):
		return Upheld, nil
	}
	return InForce, nil
}

// fill adds the deadlines, and whether a contested key signed.
func (r *rows) fill(d *Decided, c *caseRow, a *actRow, id string) error {
	p, err := r.pending(id)
	if err != nil {
		return err
	}
	if p != nil {
		end, ok, err := r.ends(p.period)
		if err != nil {
			return err
		}
		if ok {
			d.Deadline = record.Time(end)
		}
	}
	clauses, err := r.rested(a)
	if err != nil {
		return err
	}
	if within, _ := appealPeriods(clauses); within > 0 {
		end, ok, err := r.ends(period{a.index, a.begin, within})
		if err != nil {
			return err
		}
		if ok {
			d.Appeal = record.Time(end)
		}
	}
	contested, err := r.contested(c, a)
	d.Contested = len(contested) > 0 && !a.is(flagConfirmed)
	return err
}

// The kinds of a Duty.
const (
	DutyRatify    = "ratify"    // approve an emergency or a retrospective decision
	DutyUndo      = "undo"      // reinstate what a lapsed or reversed measure took
	DutyNotify    = "notify"    // tell the subject what was decided
	DutyRule      = "rule"      // decide an appeal
	DutyReview    = "review"    // look at a measure again
	DutyReconfirm = "reconfirm" // confirm what a contested key signed
	DutyRenew     = "renew"     // enrol keys before too few are left
)

// A Duty is something that somebody owes.
type Duty struct {
	Kind string `json:"kind"`
	// Case is the case it is about, "" for what concerns the whole ledger.
	Case string `json:"case,omitempty"`
	// Index is that of the record it arose from, -1 if from none.
	Index int64 `json:"index"`
	// Count people with Role owe it.
	Role  record.Role `json:"role"`
	Count int64       `json:"count"`
	// Due is until when: for what is owed at once since when. 0 if that is not
	// known: no timemark covers the record yet.
	Due record.Time `json:"due,omitzero"`
	// Overdue says that Due is past.
	Overdue bool `json:"overdue,omitzero"`
}

// renewDays is how long before keys run out Duties warns.
const renewDays = 60

// Duties returns what is owed at a time in seconds since 1970, what is due first
// before the rest. It looks at every case.
func Duties(state Lister, at int64) ([]Duty, error) {
	l, err := newDuties(state, at)
	if err != nil || l == nil {
		return nil, err
	}
	var names []string // of cases; the rows are not read while they are listed
	err = state.List(rowCase, func(key string, _ []byte) error {
		names = append(names, strings.TrimPrefix(key, rowCase))
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if err := l.ofCase(name); err != nil {
			return nil, err
		}
	}
	if err := l.renew(); err != nil {
		return nil, err
	}
	return l.sorted(), nil
}

// DutiesOf is Duties for one case alone; none if there is no such case.
func DutiesOf(state Lister, name string, at int64) ([]Duty, error) {
	l, err := newDuties(state, at)
	if err != nil || l == nil {
		return nil, err
	}
	if err := l.ofCase(name); err != nil {
		return nil, err
	}
	return l.sorted(), nil
}

// newDuties returns nil if there is no charter.
func newDuties(state Lister, at int64) (*duties, error) {
	r := &rows{get: state.Get, memo: memo{}}
	charter, err := cached[CharterInfo](r, rowCharter)
	if err != nil || charter == nil {
		return nil, err
	}
	l := &duties{rows: r, at: at, terms: &charter.Charter.Terms}
	l.compromised, err = anyCompromised(state)
	return l, err
}

func (l *duties) sorted() []Duty {
	slices.SortFunc(l.list, func(a, b Duty) int {
		never := func(t record.Time) int64 { return (t.Unix() - 1) & record.MaxInt } // 0 comes last
		return cmp.Or(cmp.Compare(never(a.Due), never(b.Due)), cmp.Compare(a.Case, b.Case), cmp.Compare(a.Kind, b.Kind))
	})
	return l.list
}

func anyCompromised(state Lister) (found bool, err error) {
	err = state.List(rowKey, func(key string, _ []byte) error {
		k, err := ReadKey(state, strings.TrimPrefix(key, rowKey))
		found = found || k != nil && k.Revoked != nil && k.Revoked.Reason == record.Compromised
		return err
	})
	return found, err
}

type duties struct {
	*rows
	at          int64
	terms       *record.Terms
	compromised bool
	list        []Duty
}

func (l *duties) add(kind, name string, index int64, q record.Quorum, due int64) {
	l.list = append(l.list, Duty{Kind: kind, Case: name, Index: index, Role: q.Role, Count: q.Count,
		Due: record.Time(due), Overdue: due != 0 && l.at > due})
}

func (l *duties) ofCase(name string) error {
	c, err := l.caseAt(name)
	if err != nil || c == nil {
		return err
	}
	if err := l.toRule(name); err != nil {
		return err
	}
	if c.by == "" {
		return nil
	}
	a, err := l.act(c.by)
	if err != nil || a == nil {
		return err
	}
	deciders := record.Quorum{Role: record.RoleDecider, Count: l.terms.DefaultQuorum}
	state, err := l.stateAt(c, l.at)
	if err != nil {
		return err
	}
	switch state {
	case stateLapsed:
		p, err := l.pending(c.by)
		if err != nil {
			return err
		}
		end, _, err := l.ends(p.period)
		if err != nil {
			return err
		}
		l.add(DutyUndo, name, a.index, deciders, end)
		return nil
	case stateReversed:
		since, _, err := l.ends(period{index: a.index, begin: a.begin})
		if err != nil {
			return err
		}
		l.add(DutyUndo, name, a.index, deciders, since)
		return nil
	}
	if err := l.toRatify(name, c, a); err != nil || !slices.Contains(Measures, record.Action(state)) {
		return err
	}
	return l.ofMeasure(name, c, a)
}

// toRule is owed while an appeal is open.
func (l *duties) toRule(name string) error {
	raw, err := l.get(rowAppeal + name)
	if err != nil {
		return err
	}
	open, err := parseAppeal(raw)
	if err != nil || open == nil {
		return err
	}
	due := int64(0)
	if open.hours > 0 {
		if due, _, err = l.ends(open.period); err != nil {
			return err
		}
	}
	l.add(DutyRule, name, open.index, record.Quorum{Role: record.RoleAppeals, Count: l.terms.DefaultQuorum}, due)
	return nil
}

func (l *duties) toRatify(name string, c *caseRow, a *actRow) error {
	waits, err := l.waiting(c.by, l.at)
	if err != nil || waits != isWaiting {
		return err
	}
	p, err := l.pending(c.by)
	if err != nil {
		return err
	}
	end, _, err := l.ends(p.period)
	if err != nil {
		return err
	}
	quorums, err := l.ratifiers(a)
	if err != nil {
		return err
	}
	for _, q := range quorums {
		l.add(DutyRatify, name, a.index, q, end)
	}
	return nil
}

// ofMeasure is what is owed while a measure is in force.
func (l *duties) ofMeasure(name string, c *caseRow, a *actRow) error {
	if !a.is(flagNotified) && !a.ruling && !a.is(flagRetrospective) && l.terms.Rules > 0 {
		clauses, err := l.rested(a)
		if err != nil {
			return err
		}
		hours := int64(-1)
		for _, k := range clauses {
			if hours < 0 || k.NotifyWithin < hours {
				hours = k.NotifyWithin
			}
		}
		end, _, err := l.ends(period{a.index, a.begin, max(hours, 0)})
		if err != nil {
			return err
		}
		l.add(DutyNotify, name, a.index, record.Quorum{Role: record.RoleDecider, Count: 1}, end)
	}
	if a.review != 0 {
		l.add(DutyReview, name, a.index, record.Quorum{Role: record.RoleDecider, Count: a.count}, a.review)
	}
	if !l.compromised || a.is(flagConfirmed) {
		return nil
	}
	contested, err := l.contested(c, a)
	if err != nil || len(contested) == 0 {
		return err
	}
	k, err := l.keyNumber(contested[0])
	if err != nil {
		return err
	}
	l.add(DutyReconfirm, name, a.index, record.Quorum{Role: record.RoleDecider, Count: a.count}, k.Revoked.Since.Unix())
	return nil
}

// renew is owed before so many keys run out that a quorum can't be reached.
func (l *duties) renew() error {
	now, err := l.reachAt(l.at)
	if err != nil {
		return err
	}
	for days := int64(1); days <= renewDays; days++ {
		then, err := l.reachAt(l.at + days*24*3600)
		if err != nil {
			return err
		}
		for _, role := range watched {
			quorum := quorums(l.terms)[role]
			if now[role] >= quorum && then[role] < quorum {
				l.add(DutyRenew, "", -1, record.Quorum{Role: role, Count: quorum - then[role]}, l.at+days*24*3600)
				now[role] = 0 // said once
			}
		}
	}
	return nil
}
