package web

import (
	"fmt"
	"slices"

	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/telling"
)

// A timesView is between which times a record was signed and logged, against the
// dates that it gives itself.
type timesView struct {
	Rows []timeRow
	// Witnessed says that witnesses show some of it.
	Witnessed bool
	// Says compares the date of a decision with what is shown, "" where
	// nothing is.
	Says string
	// Span is the figure, nil where there is nothing to compare.
	Span *span
}

// A timeRow is a time and by whose word it is known.
type timeRow struct {
	What string
	At   record.Time
	By   string
}

const (
	byWitnesses = "shown by witnesses"
	bySigners   = "claimed by its signers"
)

func timesOf(u *record.Unverified, proven *verify.Proven) timesView {
	var v timesView
	add := func(what string, at int64, by string) {
		if at != 0 {
			v.Rows = append(v.Rows, timeRow{what, record.Time(at), by})
			v.Witnessed = v.Witnessed || by == byWitnesses
		}
	}
	var t verify.Times
	if proven != nil {
		t = proven.Times
	}
	d, decided := u.Payload().(*record.Decision)
	if decided {
		add("It says that it was decided", d.DecidedAt.Unix(), bySigners)
	}
	first, last := firstSigned(u), lastSigned(u)
	if first == last {
		add("Signed, by the date of the signatures", first, bySigners)
	} else {
		add("First signed, by its date", first, bySigners)
		add("Last signed, by its date", last, bySigners)
	}
	add("Signed no earlier than", t.NotBefore.At, byWitnesses)
	add("Put into the log no earlier than", t.Logged.At, byWitnesses)
	add("In the log, as signed, no later than", t.NotAfter.At, byWitnesses)
	if decided {
		v.Says = saysOf(d, t)
		v.Span = spanOf(d.DecidedAt.Unix(), t)
	}
	return v
}

// saysOf compares the date of a decision with the times that are shown.
func saysOf(d *record.Decision, t verify.Times) string {
	if d.Retrospective != nil {
		return "It was recorded afterwards, and says so: that it was decided when it says is claimed, and nothing can prove it."
	}
	switch telling.Lies(d.DecidedAt, t) {
	case telling.Inside:
		return "The date that it gives lies between the times that witnesses show."
	case telling.Before:
		return "The date that it gives lies before the times that witnesses show: it is only claimed."
	case telling.After:
		return "The date that it gives lies after the time when witnesses had seen it in the log: it cannot be right."
	}
	return ""
}

// firstSigned and lastSigned are the smallest and the largest iat of a record.
func firstSigned(u *record.Unverified) int64 {
	return slices.MinFunc(u.Headers(), byIAT).IAT
}

func lastSigned(u *record.Unverified) int64 {
	return slices.MaxFunc(u.Headers(), byIAT).IAT
}

func byIAT(a, b record.Header) int { return int(a.IAT - b.IAT) }

// A span is a small figure: the interval that witnesses show as a bar, the date
// that is claimed as a line. Its numbers are of an SVG 640 wide.
type span struct {
	From, Width, Claimed float64
	// OpenLeft says that no witness bounds it from below.
	OpenLeft bool
	Words    string // what it shows, for those who don't see it
	First    record.Time
	Last     record.Time
}

// spanOf returns nil if witnesses don't say when it was in the log at the latest.
func spanOf(claimed int64, t verify.Times) *span {
	if t.NotAfter.At == 0 || claimed == 0 {
		return nil
	}
	const width, margin, least = 640.0, 20.0, 6.0
	from := t.NotBefore.At
	s := &span{OpenLeft: from == 0}
	if from == 0 {
		from = min(claimed, t.NotAfter.At)
	}
	low, high := min(from, claimed), max(t.NotAfter.At, claimed)
	s.First, s.Last = record.Time(low), record.Time(high)
	scale := func(at int64) float64 {
		if high == low {
			return width / 2
		}
		return margin + float64(at-low)/float64(high-low)*(width-2*margin)
	}
	s.From, s.Claimed = scale(from), scale(claimed)
	s.Width = max(least, scale(t.NotAfter.At)-s.From)
	s.From = min(s.From, width-margin-s.Width+least)
	s.Words = fmt.Sprintf("Witnesses show that it was in the log by %s", record.Time(t.NotAfter.At))
	if !s.OpenLeft {
		s.Words += fmt.Sprintf(" and signed after %s", record.Time(from))
	}
	s.Words += fmt.Sprintf("; it says %s.", record.Time(claimed))
	return s
}
