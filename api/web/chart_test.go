package web

import (
	"fmt"
	"math"
	"strings"
	"testing"
)

// TestColumns: the columns are as high as what they count, whatever that is.
func TestColumns(t *testing.T) {
	kinds := []series{{Class: "c1", Name: "A"}, {Class: "c2", Name: "B"}, {Class: "c8", Name: "Other"}}
	kindOf := func(name string) int {
		if i := strings.Index("AB", name); i >= 0 {
			return i
		}
		return 2
	}
	for _, test := range []struct {
		name    string
		all     []happening
		columns int
		first   string
		top     int64
		series  int
	}{
		{"nothing", nil, 0, "", 0, 0},
		{"one month", []happening{{"2026-11", "A", 3}}, 12, "December 2025", 3, 1},
		{"a gap", []happening{{"2026-11", "A", 3}, {"2025-09", "B", 1}, {"2026-11", "B", 2}}, 15, "September 2025", 5, 2},
		{"sixty months", []happening{{"2026-12", "A", 1}, {"2022-01", "A", 1}}, 60, "January 2022", 1, 1},
		{"sixty-one", []happening{{"2026-12", "A", 1}, {"2021-12", "?", 2}, {"2026-01", "A", 4}}, 6, "2021", 5, 2},
		{"a century", []happening{{"2026-12", "A", 1}, {"1901-01", "A", 1}}, 60, "1967", 1, 1},
		{"very many", []happening{{"2026-12", "A", math.MaxInt64 / 2}, {"2026-12", "B", 1}}, 12, "January 2026", math.MaxInt64/2 + 1, 2},
		{"no month", []happening{{"whenever", "A", 1}}, 1, "whenever", 1, 1},
	} {
		c := newColumnChart("things", test.all, kinds, kindOf)
		if len(c.Periods) != test.columns || c.Top != test.top || len(c.Series) != test.series {
			t.Errorf("%s: %d columns up to %d of %d series, want %d, %d, %d", test.name, len(c.Periods), c.Top, len(c.Series), test.columns, test.top, test.series)
		}
		if test.columns == 0 {
			continue
		}
		if c.First() != test.first || !strings.Contains(c.Described(), test.first) {
			t.Errorf("%s: begins with %s, want %s; %s", test.name, c.First(), test.first, c.Described())
		}
		var drawn, counted int64
		for i, p := range c.Periods {
			bottom := int64(1000)
			for _, b := range p.Blocks {
				if b.X < int64(10*i) || b.X+b.W > int64(10*i+10) || b.Y < 0 || b.H < 1 || b.Y > bottom {
					t.Errorf("%s: column %d has %+v above %d", test.name, i, b, bottom)
				}
				bottom = b.Y
			}
			if p.Total == c.Top && bottom != 0 || p.Total == 0 && len(p.Blocks) > 0 {
				t.Errorf("%s: column %d of %d ends at %d", test.name, i, p.Total, bottom)
			}
			drawn += p.Total
		}
		for _, h := range test.all {
			counted += h.Count
		}
		if c.Earlier == 0 && drawn != counted {
			t.Errorf("%s: %d are drawn, want %d", test.name, drawn, counted)
		}
	}
}

// TestWords of shares and durations.
func TestWords(t *testing.T) {
	for want, got := range map[string]string{
		"–": percent(0, 0), "0 %": percent(0, 5), "100 %": percent(5, 5), "33 %": percent(1, 3), "5.0 %": percent(1, 20), "99.9 %": percent(99999, 100000),
		"< 0.1 %": percent(1, 5000), "50 %": percent(math.MaxInt64/2, math.MaxInt64),
		"0 seconds": lasting(0), "59 seconds": lasting(59), "1 minute": lasting(60), "1 hour 1 minute": lasting(3661), "1 day 21 hours": lasting(165480),
		"12 days": lasting(12*86400 + 7200), "−1 hour": lasting(-3600), "−53 375 995 583 650 days": strings.ReplaceAll(lasting(math.MinInt64), "\u202f", " "),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	list := newBarList("", "", "", []bar{{Text: "few", Count: 1}, {Text: "many", Count: 99}, {Text: "none"}}, 100)
	if got := fmt.Sprint(list.Rows); got != "[{many  99 99 % 1000 c5} {few  1 1.0 % 10 c5} {none  0 0 % 1 c5}]" {
		t.Error(got)
	}
}
