package telling

import (
	"fmt"
	"io"
	"strings"

	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// A Case is what is told of a case: its records in the order of the log.
type Case struct {
	Name    string
	Origin  string
	Entries []Entry
	// Whole says that the whole log was audited: nothing of the case is
	// missing, and Status and Duties are there.
	Whole  bool
	Duties []rules.Duty
	// Size is that of the log, Time the greatest time that it proves.
	Size      int64
	Time      record.Time
	Witnessed bool
}

// An Entry is a record of a case.
type Entry struct {
	Index    int64
	ID       record.ID
	Payload  record.Payload
	Standing rules.Standing
	Signers  []verify.Signer
	Clauses  []verify.CitedClause
	// Times is what witnesses show; Interval, where they show nothing, what
	// the rules or the signers say.
	Times    verify.Times
	Interval rules.Interval
	// SaidVoid says that the ledger calls it void, though what is at hand
	// does not show why.
	SaidVoid bool
	// Status is where a decision stands now, nil if that is not known.
	Status *rules.Decided
}

// Tell writes the case in order: who, by which rule and for how long it had been
// public, when, what became of it, what is owed. plain makes a text of a record
// fit for where it is written.
func (c *Case) Tell(out io.Writer, plain func(string) string) error {
	w := &writer{out: out, plain: plain}
	w.line("Case %s of %s", c.Name, c.Origin)
	how := "as far as the records in this file show"
	if c.Whole {
		how = fmt.Sprintf("whole: the log of %d entries was audited", c.Size)
	}
	w.line("%d records, %s", len(c.Entries), how)
	for _, e := range c.Entries {
		w.line("")
		w.entry(e)
	}
	w.line("")
	if c.Whole {
		c.tellDuties(w)
	} else {
		w.line("What came later, if anything, this file does not show: audit the log as it is now.")
		w.line("Nor does it show that no record about one of these was left out, or that no key was revoked since.")
	}
	return w.err
}

func (c *Case) tellDuties(w *writer) {
	source := "claimed by signers"
	if c.Witnessed {
		source = "shown by witnesses"
	}
	w.line("As of %s (%s):", c.Time, source)
	if len(c.Duties) == 0 {
		w.line("  nothing is owed")
	}
	for _, d := range c.Duties {
		w.line("  %s", Duty(d))
	}
}

// writer writes lines until the first error.
type writer struct {
	out   io.Writer
	plain func(string) string
	err   error
}

func (w *writer) line(format string, args ...any) {
	if w.err == nil {
		_, w.err = fmt.Fprintf(w.out, "%s\n", w.plain(fmt.Sprintf(format, args...)))
	}
}

// text writes a free text, indented.
func (w *writer) text(label, text string) {
	if strings.TrimSpace(text) == "" {
		return
	}
	for i, l := range strings.Split(strings.TrimSpace(text), "\n") {
		if i > 0 {
			label = ""
		}
		w.line("    %-13s%s", label, l)
	}
}

func (w *writer) entry(e Entry) {
	w.line("entry %d  %s", e.Index, Summary(e.Payload))
	w.line("    %-13s%s", "id", e.ID)
	w.time(e)
	for _, s := range e.Signers {
		role := list(s.Roles)
		if s.Recovery {
			role = "recovery key"
		}
		if s.Filer {
			role = "shown, not counted"
		}
		w.line("    %-13s%s (%s), claims %s", "signed by", s.Holder, role, record.Time(s.Header.IAT))
	}
	for _, c := range e.Clauses {
		w.line("    %-13s%s", "under", Clause(c, AtDecision(e.Payload, e.Times), earliest(e.Signers)))
		w.text("", c.Clause.Text)
	}
	w.payload(e.Payload)
	switch {
	case e.Standing.Effective() && e.SaidVoid:
		w.line("    %-13sVOID, the ledger says; this file does not show why", "standing")
	case e.Standing.Effective():
		w.line("    %-13seffective", "standing")
	}
	for _, code := range e.Standing.Codes {
		w.line("    %-13s%s (%s)", "VOID", rules.Explain(code), code)
	}
	for _, code := range e.Standing.Findings {
		w.line("    %-13s%s (%s)", "note", e.Standing.Detail(code), code)
	}
	if e.Status != nil {
		w.line("    %-13s%s", "now", Status(e.Status.Status))
		if e.Status.Contested {
			w.line("    %-13sa key that signed in this case may have been in other hands, and nobody has confirmed it since", "")
		}
	}
}

func earliest(signers []verify.Signer) int64 {
	first := int64(0)
	for _, s := range signers {
		if first == 0 || s.Header.IAT < first {
			first = s.Header.IAT
		}
	}
	return first
}

// payload writes the free texts of a record.
func (w *writer) payload(p record.Payload) {
	switch p := p.(type) {
	case *record.Intake:
		w.text("summary", p.Summary)
	case *record.Notice:
		w.text("text", p.Text)
		w.text("redress", p.Redress)
	case *record.Decision:
		w.text("subject", strings.TrimSpace(p.Subject.Name+" "+p.Subject.Locator))
		w.text("facts", p.Facts)
		w.text("reasons", p.Reasons)
		for _, a := range p.Alternatives {
			w.text("instead of", fmt.Sprintf("%s: %s", a.Action, a.WhyNot))
		}
		if p.Retrospective != nil {
			w.text("late because", p.Retrospective.Why)
		}
		w.text("redress", p.Redress)
		if p.Until != 0 {
			w.line("    %-13s%s", "until", p.Until)
		}
	case *record.Ratification:
		w.text("reasons", p.Reasons)
	case *record.Appeal:
		w.text("statement", p.Statement)
	case *record.Ruling:
		w.text("reasons", p.Reasons)
	case *record.Erratum:
		for _, c := range p.Corrections {
			w.text("correction", fmt.Sprintf("%s: not %q but %q", c.Member, c.Was, c.Is))
		}
		w.text("reasons", p.Reasons)
	case *record.Execution:
		w.text("detail", p.Detail)
	}
}

// time writes between which times a record was signed and logged.
func (w *writer) time(e Entry) {
	lines := Times(e.Times)
	if len(lines) == 0 {
		lines = []string{e.Interval.String()}
	}
	if dated := Dated(e.Payload, e.Times); dated != "" {
		lines = append(lines, dated)
	}
	w.text("time", strings.Join(lines, "\n"))
}

// Clause says which clause a decision rests on and for how long it had been
// public: as witnesses show, else as signed (signed is the earliest iat of the
// decision).
func Clause(c verify.CitedClause, t verify.Times, signed int64) string {
	text := fmt.Sprintf("%q: %s, version %d, clause %s, published as entry %d", c.Clause.Title, c.Ground.Policy, c.Ground.Version, c.Ground.Clause, c.Published)
	if c.Historic {
		return text + ", a text from before the ledger"
	}
	return text + ", " + Public(c, t, signed)
}
