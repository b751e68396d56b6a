package web

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Charts are SVG without text: what they measure stands beside them in HTML, so that it
// is read at every width and aloud, and their numbers in a table below. Colours are
// classes of the style, c1 to c8.

// A series is what one colour stands for.
type series struct {
	Class string // of the style
	Name  string
	Total int64
}

// A columnChart shows how often things happened in one period after another, in columns
// of several colours. A drawing unit is a tenth of a column, and a thousandth of the height.
type columnChart struct {
	Name    string // what it counts, as in decisions by what was decided
	Series  []series
	Periods []period // the first first, without gaps; at most maxColumns
	Top     int64    // the height
	Earlier int64    // how many periods before the first one are not drawn
}

// A period is a month or a year with how often each series occurred.
type period struct {
	Value  string // 2026-11 or 2026
	Text   string
	Counts []int64 // by series
	Total  int64
	Blocks []block
}

// A block is a part of a column.
type block struct {
	Class      string
	X, Y, W, H int64
}

// maxColumns is how many months are drawn at most; a log of more is drawn by years.
const maxColumns = 60

// A happening is something to be counted: how often a kind of it occurred in a month.
type happening struct {
	Month string // 2026-11
	Kind  string
	Count int64
}

// newColumnChart draws happenings, of kinds in this order. Kinds that never occurred are
// left out.
func newColumnChart(name string, all []happening, kinds []series, kindOf func(string) int) columnChart {
	c := columnChart{Name: name}
	totals := make([]int64, len(kinds))
	var first, last string
	for _, h := range all {
		totals[kindOf(h.Kind)] += h.Count
		if first == "" || h.Month < first {
			first = h.Month
		}
		last = max(last, h.Month)
	}
	if first == "" {
		return c
	}
	place := make([]int, len(kinds)) // of a kind among the series
	for i, k := range kinds {
		if place[i] = -1; totals[i] > 0 {
			k.Total = totals[i]
			place[i], c.Series = len(c.Series), append(c.Series, k)
		}
	}
	values := periods(first, last)
	if more := len(values) - maxColumns; more > 0 {
		c.Earlier, values = int64(more), values[more:]
	}
	for _, v := range values {
		c.Periods = append(c.Periods, period{Value: v, Text: periodText(v), Counts: make([]int64, len(c.Series))})
	}
	for _, h := range all {
		if i := slices.Index(values, h.Month[:len(values[0])]); i >= 0 {
			c.Periods[i].Counts[place[kindOf(h.Kind)]] += h.Count
			c.Periods[i].Total += h.Count
		}
	}
	c.draw()
	return c
}

// draw gives each period its blocks.
func (c *columnChart) draw() {
	for _, p := range c.Periods {
		c.Top = max(c.Top, p.Total)
	}
	for i := range c.Periods {
		p, below := &c.Periods[i], int64(0)
		for s, n := range p.Counts {
			if n == 0 {
				continue
			}
			from, to := scaled(below, c.Top), scaled(below+n, c.Top)
			p.Blocks = append(p.Blocks, block{Class: c.Series[s].Class, X: int64(10*i + 1), Y: 1000 - to, W: 8, H: max(to-from, 1)})
			below += n
		}
	}
}

// scaled returns n thousandths of a top, without an overflow.
func scaled(n, top int64) int64 { return int64(1000 * (float64(n) / float64(top))) }

// Width is that of the drawing.
func (c columnChart) Width() int { return 10 * len(c.Periods) }

// First and Last name the ends of the axis.
func (c columnChart) First() string { return c.Periods[0].Text }
func (c columnChart) Last() string  { return c.Periods[len(c.Periods)-1].Text }

// Newest lists the periods, the newest first, for a table.
func (c columnChart) Newest() []period {
	all := slices.Clone(c.Periods)
	slices.Reverse(all)
	return all
}

// Described says in a sentence what there is to see.
func (c columnChart) Described() string {
	most := slices.MaxFunc(c.Periods, func(a, b period) int { return int(min(max(a.Total-b.Total, -1), 1)) })
	return fmt.Sprintf("%s, from %s to %s. The most were %s, in %s. The numbers are in the table below.",
		upperFirst(c.Name), c.First(), c.Last(), number(most.Total), most.Text)
}

// minColumns is how many months are drawn at least: those before the first are empty.
const minColumns = 12

// periods lists the months from first to last, or the years if these are too many.
func periods(first, last string) (all []string) {
	from, err := time.Parse("2006-01", first)
	to, err2 := time.Parse("2006-01", last)
	if err != nil || err2 != nil {
		return []string{first}
	}
	if 12*(to.Year()-from.Year())+int(to.Month()-from.Month()) >= maxColumns {
		for y := from.Year(); y <= to.Year(); y++ {
			all = append(all, fmt.Sprintf("%04d", y))
		}
		return all
	}
	if begin := to.AddDate(0, 1-minColumns, 0); begin.Before(from) {
		from = begin
	}
	for m := from; !m.After(to); m = m.AddDate(0, 1, 0) {
		all = append(all, m.Format("2006-01"))
	}
	return all
}

func periodText(value string) string {
	if len(value) == 4 {
		return value
	}
	return monthText(value)
}

// A barList is a table of counts, each with a bar.
type barList struct {
	Caption string
	What    string // the heading of the first column
	Table   string // of the CSV
	Rows    []bar
}

// A bar is a row of it.
type bar struct {
	Text  string
	Code  string // as in the records, "" if it says no more
	Count int64
	Share string
	Width int64 // in thousandths of the longest
	Class string
}

// newBarList lists counts, the largest first, as shares of a whole.
func newBarList(caption, what, table string, rows []bar, whole int64) barList {
	slices.SortStableFunc(rows, func(a, b bar) int { return int(min(max(b.Count-a.Count, -1), 1)) })
	for i := range rows {
		rows[i].Share = percent(rows[i].Count, whole)
		rows[i].Width = max(scaled(rows[i].Count, max(rows[0].Count, 1)), 1)
		if rows[i].Class == "" {
			rows[i].Class = "c5"
		}
	}
	return barList{caption, what, table, rows}
}

// percent is a share of a whole in words: – of nothing.
func percent(n, of int64) string {
	if of <= 0 {
		return "–"
	}
	share := 100 * (float64(n) / float64(of))
	switch {
	case n > 0 && share < 0.1:
		return "< 0.1 %"
	case n > 0 && n < of && (share < 10 || share >= 99.5):
		return strconv.FormatFloat(min(share, 99.9), 'f', 1, 64) + " %"
	}
	return strconv.FormatFloat(share, 'f', 0, 64) + " %"
}

// lasting says how long some seconds are, in the two largest units.
func lasting(seconds int64) string {
	if seconds < 0 {
		return "−" + lasting(-max(seconds, -1<<62))
	}
	units := []struct {
		of        int64
		one, many string
	}{{86400, "day", "days"}, {3600, "hour", "hours"}, {60, "minute", "minutes"}, {1, "second", "seconds"}}
	for i, u := range units {
		if seconds < u.of {
			continue
		}
		text := plural(seconds/u.of, u.one, u.many)
		if rest := seconds % u.of; i+1 < len(units) && rest >= units[i+1].of && seconds/u.of < 10 {
			text += " " + plural(rest/units[i+1].of, units[i+1].one, units[i+1].many)
		}
		return text
	}
	return "0 seconds"
}
