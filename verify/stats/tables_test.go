package stats_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/docket-ledger/docket/verify/stats"
)

// some are figures in which no list is empty.
func some() stats.Figures {
	c := stats.Clause{Decisions: 3, Retrospective: 1, Acted: 2, Declined: 1, Outcomes: []stats.Count{{Name: "decline", Count: 1}, {Name: "suspend", Count: 2}},
		Spread: stats.Pairs{Pairs: 3, Differing: 2}, Triggers: []stats.Count{{Name: "notice", Count: 3}}, ByOrder: 1, Emergencies: 3, Ratified: 1, TooLate: 1,
		Unratified: 1, Appealed: 1, Upheld: 1, Reversed: 1, Modified: 1, NoticeToDecision: stats.Median{Count: 2, Seconds: -60},
		DecisionToAppeal: stats.Median{Count: 1, Seconds: 5}, AppealToRuling: stats.Median{Count: 1, Seconds: 9}}
	one := c
	one.Policy, one.Clause, one.Layer = "abuse", "hosting", "hosting"
	return stats.Figures{Size: 9, Effective: 8, Void: 1, VoidDecisions: 1, Codes: []stats.Count{{Name: "quorum.short", Count: 1}},
		Months: []stats.Month{{Month: "2026-11", Layer: "hosting", Action: "suspend", Count: 2}}, All: c, Clauses: []stats.Clause{one},
		Deciders: stats.Deciders{Count: 3, Busiest: 2, Agreement: stats.Pairs{Pairs: 3, Differing: 1}}}
}

// TestDifferences changes each number of some figures in turn: each is found, and no other.
func TestDifferences(t *testing.T) {
	text, err := json.Marshal(some())
	if err != nil {
		t.Fatal(err)
	}
	if d := some().Differences(some(), "the server"); len(d) > 0 {
		t.Errorf("the same figures differ: %q", d)
	}
	places := 0
	for i, b := range text {
		if b < '0' || b > '9' || text[i-1] != ':' && text[i-1] != '-' || text[i-1] == '-' && text[i-2] != ':' {
			continue // not the first digit of a number
		}
		places++
		changed := slices.Clone(text)
		changed[i] = '1' + (b-'0')%9
		var other stats.Figures
		if err := json.Unmarshal(changed, &other); err != nil {
			t.Fatal(err)
		}
		if d := some().Differences(other, "the server"); len(d) != 1 || !strings.Contains(d[0], "the server says ") {
			t.Errorf("%s: %q", changed[max(0, i-40):i+1], d)
		}
	}
	if places < 50 {
		t.Errorf("%d numbers were changed", places)
	}
	for name, change := range map[string]func(f *stats.Figures){
		`months, ["2026-11" "hosting" "suspend" "false"]: decisions is 2, and the server says nothing of it`: func(f *stats.Figures) { f.Months = nil },
		`codes, ["role.missing"]: records is nothing of the log, and the server says 4`: func(f *stats.Figures) {
			f.Codes = append(f.Codes, stats.Count{Name: "role.missing", Count: 4})
		},
		"stand twice or in another order":                            func(f *stats.Figures) { f.Codes = append(f.Codes, f.Codes[0]) },
		`["deciders_suppressed"]: value is 0, and the server says 1`: func(f *stats.Figures) { f.Deciders.Suppressed = true },
	} {
		other := some()
		change(&other)
		if d := some().Differences(other, "the server"); len(d) == 0 || !strings.Contains(fmt.Sprint(d), name) {
			t.Errorf("%q, want %s", d, name)
		}
	}
}

// TestTables: no cell is one that a spreadsheet computes, but for negative numbers.
func TestTables(t *testing.T) {
	names := []string{}
	for _, table := range some().Tables() {
		names = append(names, table.Name)
		if len(table.Rows) == 0 {
			t.Errorf("%s is empty", table.Name)
		}
		for _, row := range table.Rows {
			if len(row) != len(table.Header) {
				t.Errorf("%s: %q under %q", table.Name, row, table.Header)
			}
			for _, cell := range row {
				if _, err := strconv.Atoi(cell); err != nil && cell != "" && strings.ContainsAny(cell[:1], "=+-@\t\r") {
					t.Errorf("%s has the cell %q", table.Name, cell)
				}
			}
		}
		var b strings.Builder
		if err := table.WriteCSV(&b); err != nil || !strings.HasPrefix(b.String(), strings.Join(table.Header, ",")+"\r\n") {
			t.Errorf("%s: %q, %v", table.Name, b.String(), err)
		}
	}
	if want := []string{"totals", "codes", "months", "clauses", "outcomes", "triggers"}; !slices.Equal(names, want) {
		t.Errorf("tables %q, want %q", names, want)
	}
}
