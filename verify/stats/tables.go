package stats

import (
	"encoding/csv"
	"io"
	"strconv"
)

// A Table is some of the figures, in rows of text. No cell begins with what a
// spreadsheet takes for a formula: names are slugs and codes, the rest numbers.
type Table struct {
	Name   string
	Header []string
	Rows   [][]string
}

// Tables returns all of f in tables: totals, codes, months, clauses, outcomes and
// triggers. A row with neither policy, clause nor layer is about all decisions.
func (f Figures) Tables() []Table {
	clauses := append([]Clause{f.All}, f.Clauses...)
	list := []Table{f.totals(), {Name: "codes", Header: []string{"code", "records"}, Rows: countRows(nil, f.Codes)},
		{Name: "months", Header: []string{"month", "layer", "action", "retrospective", "decisions"}, Rows: [][]string{}}, clauseTable(clauses)}
	for _, m := range f.Months {
		list[2].Rows = append(list[2].Rows, []string{m.Month, string(m.Layer), string(m.Action), strconv.FormatBool(m.Retrospective), number(m.Count)})
	}
	outcomes := Table{Name: "outcomes", Header: []string{"policy", "clause", "layer", "action", "decisions"}, Rows: [][]string{}}
	triggers := Table{Name: "triggers", Header: []string{"policy", "clause", "layer", "trigger", "decisions"}, Rows: [][]string{}}
	for _, c := range clauses {
		outcomes.Rows = append(outcomes.Rows, countRows(c.name(), c.Outcomes)...)
		triggers.Rows = append(triggers.Rows, countRows(c.name(), c.Triggers)...)
	}
	return append(list, outcomes, triggers)
}

// WriteCSV writes t as RFC 4180 has it, with its header. The errors are those of w.
func (t Table) WriteCSV(w io.Writer) error {
	c := csv.NewWriter(w)
	c.UseCRLF = true
	if err := c.Write(t.Header); err != nil {
		return err
	}
	return c.WriteAll(t.Rows)
}

func (f Figures) totals() Table {
	rows := [][]string{}
	add := func(name string, n int64) { rows = append(rows, []string{name, number(n)}) }
	add("size", f.Size)
	add("effective", f.Effective)
	add("void", f.Void)
	add("void_decisions", f.VoidDecisions)
	add("deciders", f.Deciders.Count)
	suppressed := int64(0)
	if f.Deciders.Suppressed {
		suppressed = 1
	}
	add("deciders_suppressed", suppressed)
	if d := f.Deciders; d != (Deciders{Count: d.Count, Suppressed: d.Suppressed}) || d.Count > 0 && !d.Suppressed {
		add("deciders_busiest", f.Deciders.Busiest)
		add("deciders_agreement_pairs", f.Deciders.Agreement.Pairs)
		add("deciders_agreement_differing", f.Deciders.Agreement.Differing)
	}
	return Table{"totals", []string{"name", "value"}, rows}
}

// clauseTable has the plain numbers of each clause.
func clauseTable(clauses []Clause) Table {
	t := Table{Name: "clauses", Rows: [][]string{}, Header: []string{"policy", "clause", "layer",
		"decisions", "retrospective", "acted", "declined", "spread_pairs", "spread_differing", "by_order",
		"emergencies", "ratified", "too_late", "unratified", "appealed", "upheld", "reversed", "modified",
		"notice_to_decision_count", "notice_to_decision_seconds", "decision_to_appeal_count", "decision_to_appeal_seconds",
		"appeal_to_ruling_count", "appeal_to_ruling_seconds"}}
	for _, c := range clauses {
		row := c.name()
		for _, n := range []int64{c.Decisions, c.Retrospective, c.Acted, c.Declined, c.Spread.Pairs, c.Spread.Differing, c.ByOrder,
			c.Emergencies, c.Ratified, c.TooLate, c.Unratified, c.Appealed, c.Upheld, c.Reversed, c.Modified} {
			row = append(row, number(n))
		}
		for _, m := range []Median{c.NoticeToDecision, c.DecisionToAppeal, c.AppealToRuling} {
			if row = append(row, number(m.Count)); m == (Median{}) {
				row = append(row, "")
			} else {
				row = append(row, number(m.Seconds))
			}
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// name returns the first cells of a row about c.
func (c Clause) name() []string { return []string{c.Policy, c.Clause, string(c.Layer)} }

func countRows(before []string, counts []Count) [][]string {
	rows := [][]string{}
	for _, c := range counts {
		rows = append(rows, append(append([]string{}, before...), c.Name, number(c.Count)))
	}
	return rows
}

func number(n int64) string { return strconv.FormatInt(n, 10) }
