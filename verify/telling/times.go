package telling

import (
	"fmt"

	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
)

// Times says in lines between which times a record was signed and logged, as
// witnesses show, and which words mean what; none if witnesses show nothing.
func Times(t verify.Times) []string {
	var lines []string
	proven, claimed := false, false
	add := func(what string, b verify.Bound) {
		if b.At != 0 {
			lines = append(lines, fmt.Sprintf("%s %s (%s)", what, record.Time(b.At), how(b)))
			proven, claimed = proven || b.Proven, claimed || !b.Proven
		}
	}
	add("signed not before", t.NotBefore)
	add("logged not before", t.Logged)
	add("in the log by    ", t.NotAfter)
	if proven {
		lines = append(lines, "proven: witnesses of the trust policy show it")
	}
	if claimed {
		lines = append(lines, "claimed: witnesses that only the ledger's own charter names show it")
	}
	return lines
}

func how(b verify.Bound) string {
	if b.Proven {
		return "proven"
	}
	return "claimed"
}

// AtDecision returns the times that count for what was public when it was decided:
// none of a decision that was recorded afterwards, of which nothing is proven.
func AtDecision(p record.Payload, t verify.Times) verify.Times {
	if d, ok := p.(*record.Decision); ok && d.Retrospective != nil {
		return verify.Times{}
	}
	return t
}

// Public says for how many days a clause had been public when a record under it was
// signed: at least so many by what witnesses show, else by what signers claim
// (signed is the earliest iat of the record).
func Public(c verify.CitedClause, t verify.Times, signed int64) string {
	if t.NotBefore.At != 0 && c.PublishedBy.At != 0 {
		b := verify.Bound{Proven: t.NotBefore.Proven && c.PublishedBy.Proven}
		return fmt.Sprintf("public for at least %d days (%s)", PublicDays(c, t), how(b))
	}
	return fmt.Sprintf("public for %d days (claimed)", max(0, (signed-c.PublishedAt.Unix())/86400))
}

// PublicDays returns for how many days witnesses show that a clause had been public
// when a record under it was signed, 0 if they don't.
func PublicDays(c verify.CitedClause, t verify.Times) int64 {
	if t.NotBefore.At == 0 || c.PublishedBy.At == 0 {
		return 0
	}
	return max(0, (t.NotBefore.At-c.PublishedBy.At)/86400)
}

// Where a date that a record gives lies.
const (
	Inside = "inside"
	Before = "before"
	After  = "after"
)

// Lies compares a date that a decision gives with the times between which it was
// signed and logged; "" where they don't tell.
func Lies(at record.Time, t verify.Times) string {
	switch {
	case at == 0:
		return ""
	case t.NotAfter.At != 0 && at.Unix() > t.NotAfter.At:
		return After
	case t.NotBefore.At != 0 && at.Unix() < t.NotBefore.At:
		return Before
	case t.NotBefore.At != 0 && t.NotAfter.At != 0:
		return Inside
	}
	return ""
}

// Dated says where the date lies that a decision gives for itself; "" where that
// is not known, or the record is no decision.
func Dated(p record.Payload, t verify.Times) string {
	d, ok := p.(*record.Decision)
	if !ok {
		return ""
	}
	switch Lies(d.DecidedAt, t) {
	case Inside:
		return fmt.Sprintf("it says that it was taken at %s: inside these times", d.DecidedAt)
	case Before:
		return fmt.Sprintf("it says that it was taken at %s: before these times, so that date is only claimed", d.DecidedAt)
	case After:
		return fmt.Sprintf("it says that it was taken at %s: after these times, when witnesses had seen it in the log", d.DecidedAt)
	}
	return ""
}
