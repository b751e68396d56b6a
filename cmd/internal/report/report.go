package report

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/docket-ledger/docket/cmd/internal/export"
	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
	"github.com/docket-ledger/docket/verify/stats"
)

// Config says what is reported.
type Config struct {
	From, To time.Time // the first and the last day, UTC
	// Tool names the program, Command is what makes the report again.
	Tool, Command string
}

// Format is that of an export: report.html and report.md.
func Format(c Config) export.Format {
	return export.Format{Name: "report", Begin: func(d *export.Folder) (export.Writer, error) {
		page, err := d.Create("report.html")
		if err != nil {
			return nil, err
		}
		text, err := d.Create("report.md")
		if err != nil {
			return nil, err
		}
		counter := stats.NewPeriodCounter(stats.Period{From: c.From.Unix(), Until: c.To.AddDate(0, 0, 1).Unix()})
		return &writer{config: c, counter: counter, page: page, text: text}, nil
	}}
}

// A writer is an export.Writer.
type writer struct {
	config     Config
	counter    *stats.PeriodCounter
	operator   string
	page, text *export.File
}

// Add implements export.Writer.
func (w *writer) Add(_ int64, r record.Checked, s rules.Standing) error {
	w.counter.Add(r, s)
	if p, ok := r.Payload().(*record.Charter); ok && s.Effective() {
		w.operator = p.Operator
	}
	return nil
}

// Finish implements export.Writer.
func (w *writer) Finish(sum *verify.Summary) error {
	r := report{Report: w.counter.Report(), Config: w.config, operator: w.operator, checkpoint: sum.Signed.Checkpoint, witnessed: sum.Witnessed}
	d := r.document()
	w.page.Rows, w.text.Rows = r.decisions(), r.decisions()
	return errors.Join(d.html(w.page), d.markdown(w.text))
}

// A report is what is reported of a log.
type report struct {
	stats.Report
	Config
	operator   string // as the charter names it
	checkpoint verify.Checkpoint
	witnessed  bool // the times of the log are shown by witnesses
}

// decisions is how many there are in the period.
func (r *report) decisions() int64 { return r.All.Decisions + r.All.Retrospective + r.VoidDecisions }

func day(t time.Time) string { return t.Format("2 January 2006") }

// document puts the numbers in the order of the Santa Clara Principles, version 2.0 (2021),
// Numbers: what was done, complaints, authorities, reports, machines, notice.
func (r *report) document() *document {
	d := &document{Title: "Transparency report: " + told(r.operator),
		Subtitle: fmt.Sprintf("Decisions of %s to %s (UTC), counted from the public log `%s`.", day(r.From), day(r.To), r.checkpoint.Origin)}
	if r.decisions() == 0 && len(r.Flags) == 0 {
		d.Sections = append(d.Sections, section{Title: "Nothing in this period", Texts: []string{"No decision was signed and no report arrived between these days. That is what the log says; whether something was done that is not in it no log can tell."}})
	}
	d.Sections = append(d.Sections, r.done(), r.clauses(), r.places(), r.emergencies(), r.complaints(), r.undone(), r.states(), r.reports(), r.machines(), r.notice(), r.spread(), r.uncounted(), r.missing(), r.proof())
	return d
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

// share is a number with its part of a whole.
func share(n, of int64) string {
	if of == 0 || n == 0 {
		return number(n)
	}
	return fmt.Sprintf("%d (%.1f %%)", n, 100*float64(n)/float64(of))
}

// facts is a table of labels and values.
func facts(caption string, labelsAndValues ...string) *table {
	t := &table{Caption: caption, Header: []string{"What", "Number"}}
	for i := 0; i < len(labelsAndValues); i += 2 {
		t.Rows = append(t.Rows, labelsAndValues[i:i+2])
	}
	return t
}

// counted is a table of counts as shares of a whole, nil if there are none.
func counted(caption, what string, counts []stats.Count, words map[string]string, of int64) *table {
	t := &table{Caption: caption, Header: []string{what, "Number"}}
	for _, c := range counts {
		name := words[c.Name]
		if name == "" {
			name = told(c.Name)
		}
		t.Rows = append(t.Rows, []string{name, share(c.Count, of)})
	}
	if len(t.Rows) == 0 {
		return nil
	}
	return t
}

// lasting is a median in words.
func lasting(m stats.Median) string {
	if m.Count == 0 {
		return "none so far"
	}
	return fmt.Sprintf("%v (of %d)", time.Duration(m.Seconds)*time.Second, m.Count)
}

// Words for values of records.
var (
	actionWords = map[string]string{"terminate": "End the service", "suspend": "Suspend the service", "restrict": "Restrict the service", "warn": "Warn",
		"decline": "Take no measure", "forward": "Pass the report on", "reinstate": "Restore the service"}
	layerWords = map[string]string{"hosting": "Hosting", "cdn_proxy": "Content delivery (CDN)", "security": "Security services", "dns": "DNS",
		"registrar": "Domain registration", "other": "Another service"}
	triggerWords = map[string]string{"own_initiative": "The provider's own initiative", "notice": "A notice from somebody", "trusted_flagger": "A notice from a trusted flagger",
		"authority_order": "The order of an authority", "court_order": "The order of a court"}
	detectionWords  = map[string]string{"manual": "Found by people", "automated": "Found by a machine"}
	automationWords = map[string]string{"none": "Decided by people alone", "partial": "Decided with a machine", "full": "Decided by a machine"}
	outcomeWords    = map[string]string{record.Upheld: "Upheld: the decision stays", record.Reversed: "Reversed: the decision is undone", record.Modified: "Modified: a milder measure"}
)

func (r *report) done() section {
	return section{Title: "What was done", Tables: tables(
		facts("Decisions that count", "All", number(r.All.Decisions), "Acted against somebody", share(r.All.Acted, r.All.Decisions),
			"Took no measure", share(r.All.Declined, r.All.Decisions), "Different subjects of measures", number(r.Subjects)),
		counted("By what was decided", "Decision", r.All.Outcomes, actionWords, r.All.Decisions),
		counted("By service", "Service", r.layers(), layerWords, r.All.Decisions))}
}

// layers counts the decisions that count by service.
func (r *report) layers() (all []stats.Count) {
	for _, l := range record.ServiceLayers {
		n := int64(0)
		for _, m := range r.Months {
			if m.Layer == l && !m.Retrospective {
				n += m.Count
			}
		}
		if n > 0 {
			all = append(all, stats.Count{Name: string(l), Count: n})
		}
	}
	return all
}

func (r *report) clauses() section {
	t := &table{Caption: "Decisions by the clause that they rest on, and by service", Words: 2,
		Header: []string{"Clause", "Service", "Decisions", "Acted", "Declined", "Complained of", "Reversed or modified", "Recorded afterwards"}}
	for _, c := range r.Clauses {
		name := "no clause"
		if c.Policy != "" || c.Clause != "" {
			name = c.Policy + ", " + c.Clause
		}
		t.Rows = append(t.Rows, []string{name, layerWords[string(c.Layer)], number(c.Decisions), number(c.Acted), number(c.Declined), number(c.Appealed),
			number(c.Reversed + c.Modified), number(c.Retrospective)})
	}
	if len(t.Rows) == 0 {
		t = nil
	}
	return section{Title: "Which rules were applied", Texts: []string{"Each clause had been published in the log before. A decision that cites two clauses is in two rows. Complaints and rulings are those about these decisions so far."}, Tables: tables(t)}
}

func (r *report) places() section {
	return section{Title: "Where, and in which languages", Texts: []string{"A measure acts everywhere unless it is limited to countries. Where the subjects are the log does not say."}, Tables: tables(
		counted("Measures by country in which they act", "Country", r.Territories, map[string]string{stats.Everywhere: "Everywhere"}, r.All.Acted),
		counted("Decisions by language", "Language", r.Languages, nil, r.All.Decisions))}
}

func (r *report) emergencies() section {
	a := r.All
	return section{Title: "Emergencies and crises", Texts: []string{"In an emergency fewer people may decide, if others approve it afterwards, in time."}, Tables: tables(
		facts("Emergencies", "Decisions", share(a.Emergencies, a.Decisions), "Approved in time", share(a.Ratified, a.Emergencies),
			"Approved too late", share(a.TooLate, a.Emergencies), "Not approved, or not yet", share(a.Unratified, a.Emergencies)))}
}

func (r *report) complaints() section {
	given := int64(0)
	for _, n := range r.Rulings {
		given += n.Count
	}
	a := r.All
	return section{Title: "Complaints", Tables: tables(
		facts("In the period, also about earlier decisions", "Complaints that arrived", number(r.Appeals), "Rulings", number(given)),
		counted("Rulings of the period", "Ruling", r.Rulings, outcomeWords, given),
		facts("About the decisions of the period, so far", "Complained of", share(a.Appealed, a.Decisions), "Rulings: reversed or modified", number(a.Reversed+a.Modified), "Rulings: upheld", number(a.Upheld),
			"Median from decision to complaint", lasting(a.DecisionToAppeal), "Median from complaint to ruling", lasting(a.AppealToRuling)),
		facts("Rulings of the period about what a machine had detected", "Upheld", number(r.AutomatedUpheld), "Reversed or modified", number(r.AutomatedChanged)))}
}

func (r *report) undone() section {
	return section{Title: "Restored", Texts: []string{"A service is restored because a ruling says so, because the time of a measure is over, or because somebody saw that it was wrong or not needed any more."}, Tables: tables(
		facts("Decisions to restore a service", "All", number(r.Reinstated), "After neither a ruling nor the end of the measure's time", number(r.Proactive)))}
}

func (r *report) states() section {
	s := section{Title: "Demands of states", Texts: []string{"Whatever is demanded, a decision has to rest on a published clause. Which law an order cites stands in its record."},
		Tables: tables(facts("Decisions on the order of an authority or a court", "All", share(r.All.ByOrder, r.All.Decisions)))}
	t := &table{Caption: "Demands by who made them", Header: []string{"Authority or court", "Kind", "Demands", "Acted on", "Not, or not yet"}, Words: 2}
	for _, a := range r.Authorities {
		name := told(a.Name)
		if name == "" {
			name = "not named"
		}
		t.Rows = append(t.Rows, []string{name, triggerWords[a.Kind], number(a.Demands), number(a.Acted), number(a.Demands - a.Acted)})
	}
	if len(t.Rows) > 0 {
		s.Tables = append(s.Tables, t)
	}
	return s
}

func (r *report) reports() section {
	t := &table{Caption: "Reports and orders that arrived, by kind", Header: []string{"Kind", "Received", "Acted on", "Declined", "Not decided, or not yet"}}
	all := int64(0)
	for _, f := range r.Flags {
		t.Rows = append(t.Rows, []string{triggerWords[f.Kind], number(f.Received), number(f.Acted), number(f.Declined), number(f.Received - f.Acted - f.Declined)})
		all += f.Received
	}
	if len(t.Rows) == 0 {
		t = facts("Reports and orders that arrived", "All", "0")
	}
	return section{Title: "Reports received", Tables: tables(t,
		counted("By what was alleged", "Category", r.Categories, nil, all),
		counted("What led to the decisions of the period", "Cause", r.All.Triggers, triggerWords, r.All.Decisions))}
}

func (r *report) machines() section {
	return section{Title: "Machines", Texts: []string{"As those who signed the decisions say."}, Tables: tables(
		counted("How it was found", "How", r.Detections, detectionWords, r.All.Decisions),
		counted("How it was decided", "How", r.Automations, automationWords, r.All.Decisions))}
}

func (r *report) notice() section {
	return section{Title: "Notice", Tables: tables(facts("Measures, and what the log holds of telling the subject", "Measures", number(r.All.Acted),
		"Told what was decided, why, and what can be done against it", share(r.Notified, r.All.Acted), "Asked before", share(r.Warned, r.All.Acted)))}
}

func (r *report) spread() section {
	d, pairs := r.Deciders, r.All.Spread
	s := section{Title: "Alike, or by whom", Texts: []string{"How alike like cases were decided, clause by clause, is on the page `/stats` of the ledger and in `docket-verify stats`."}, Tables: tables(
		facts("Pairs of decisions of the period, under whatever clause", "All", number(pairs.Pairs), "Ended differently", share(pairs.Differing, pairs.Pairs)))}
	rows := []string{"People who signed decisions", number(d.Count)}
	if d.Suppressed {
		s.After = []string{"There are too few deciders to say how they decide without saying who."}
	} else {
		rows = append(rows, "Signed by the busiest", share(d.Busiest, r.All.Decisions),
			"Pairs of like cases that not the same people decided", number(d.Agreement.Pairs), "Of these ended differently", share(d.Agreement.Differing, d.Agreement.Pairs))
	}
	s.Tables = append(s.Tables, facts("Those who decide", rows...))
	return s
}

func (r *report) uncounted() section {
	return section{Title: "Not in these numbers", Texts: []string{"What was recorded long after it was decided, and what breaks a rule and counts for nothing, stays in the log for all to read. It is left out of the numbers above."}, Tables: tables(
		facts("In the period", "Decisions recorded afterwards", number(r.All.Retrospective), "Void decisions", number(r.VoidDecisions), "Void records", number(r.Void), "Records that count", number(r.Effective)))}
}

func (r *report) missing() section {
	return section{Title: "What the Santa Clara Principles ask for and this log does not hold", Texts: []string{
		"Numbers by targeted group or characteristic; where the subjects are; how many people moderate in which language; error rates and thresholds of machines; demands of which no record was made, or of which nobody may speak; reports that were turned away before they were entered.",
		"What records state (times, causes, who demanded what) is what their signers say. The log proves that they said so, when it became public, and that nothing was changed since."}}
}

func (r *report) proof() section {
	times := "its times are what signers claim, since the trust policy names no witnesses"
	if r.witnessed {
		times = "its times are shown by witnesses"
	}
	cp := r.checkpoint
	return section{Title: "How to check this report", Texts: []string{
		fmt.Sprintf("It was computed by `%s` from the first %d records of `%s`, root `%s`, after an audit of every byte; %s. Later records may say what became of these decisions since. The checkpoint, with its signatures, is in `manifest.json` beside this report, and so are the hashes of its files. Who has a copy of the log of that size, the same trust policy and the same version of the program gets the same two pages, to the last byte:", r.Tool, cp.Size, cp.Origin, cp.Root, times)},
		Code: r.Command}
}

// tables leaves out those that are nil.
func tables(all ...*table) []*table {
	return slices.DeleteFunc(all, func(t *table) bool { return t == nil })
}
