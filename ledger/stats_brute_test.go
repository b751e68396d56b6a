package ledger_test

import (
	"cmp"
	"slices"

	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
	"github.com/docket-ledger/docket/verify/stats"
)

// clause fills a row with what is counted of the decisions that match.
func (b *brute) clause(row stats.Clause, match func(*record.Decision) bool) stats.Clause {
	row.Outcomes, row.Triggers = []stats.Count{}, []stats.Count{}
	counts := func(i int) bool {
		p, ok := b.records[max(i, 0)].Payload().(*record.Decision)
		return i >= 0 && ok && match(p) && p.Retrospective == nil
	}
	var noticed, appealed, ruled []int64
	each(b, true, func(i int, p *record.Decision) {
		if match(p) && p.Retrospective != nil {
			row.Retrospective++
		}
		if !counts(i) {
			return
		}
		row.Decisions++
		switch p.Action {
		case record.Terminate, record.Suspend, record.Restrict, record.Warn:
			row.Acted++
		case record.Decline:
			row.Declined++
		}
		one(&row.Outcomes, string(p.Action))
		one(&row.Triggers, p.Trigger.Kind)
		if k := p.Trigger.Kind; k == "court_order" || k == "authority_order" {
			row.ByOrder++
		}
		b.ratified(&row, i, p)
		if n := b.notice(p.Case, i); n >= 0 {
			noticed = append(noticed, b.at(i)-b.at(n))
		}
		if a := b.complaint(i); a >= 0 {
			row.Appealed++
			appealed = append(appealed, b.at(a)-b.at(i))
		}
	})
	each(b, true, func(i int, p *record.Ruling) {
		each(b, true, func(j int, a *record.Appeal) {
			if b.entries[j].ID != p.Appeal || !counts(b.concerns(a.Decision)) {
				return
			}
			ruled = append(ruled, b.at(i)-b.at(j))
			row.Upheld += is(p.Outcome, "upheld")
			row.Reversed += is(p.Outcome, "reversed")
			row.Modified += is(p.Outcome, "modified")
		})
	})
	row.NoticeToDecision, row.DecisionToAppeal, row.AppealToRuling = middle(noticed), middle(appealed), middle(ruled)
	b.pairs(match, &row.Spread, func(int, int) bool { return true })
	return row
}

func is(got, want string) int64 {
	if got == want {
		return 1
	}
	return 0
}

// one counts one more of a name, and keeps the list sorted.
func one(list *[]stats.Count, name string) {
	i, found := slices.BinarySearchFunc(*list, name, func(c stats.Count, name string) int { return cmp.Compare(c.Name, name) })
	if !found {
		*list = slices.Insert(*list, i, stats.Count{Name: name})
	}
	(*list)[i].Count++
}

// middle leaves out the smallest and the largest until one is left.
func middle(times []int64) stats.Median {
	m := stats.Median{Count: int64(len(times))}
	slices.Sort(times)
	for len(times) > 2 {
		times = times[1 : len(times)-1]
	}
	if len(times) > 0 {
		m.Seconds = times[0]
	}
	return m
}

// ratified says what became of the emergency at an index.
func (b *brute) ratified(row *stats.Clause, i int, p *record.Decision) {
	if p.Emergency == nil {
		return
	}
	row.Emergencies++
	inTime, late := false, false
	each(b, true, func(_ int, r *record.Ratification) { inTime = inTime || r.Decision == b.entries[i].ID })
	each(b, false, func(j int, r *record.Ratification) {
		tooLate := slices.Contains(b.entries[j].Standing.Codes, rules.RatificationTooLate)
		late = late || j > i && tooLate && r.Decision == b.entries[i].ID
	})
	switch {
	case inTime:
		row.Ratified++
	case late:
		row.TooLate++
	default:
		row.Unratified++
	}
}

// notice returns the index of the first notice of what is proposed in a case,
// before another index; -1 if there is none.
func (b *brute) notice(name string, before int) int {
	first := -1
	each(b, true, func(i int, p *record.Notice) {
		if first < 0 && i < before && p.Case == name && p.Kind == "proposed" {
			first = i
		}
	})
	return first
}

// complaint returns the index of the first appeal that concerns a decision.
func (b *brute) complaint(decision int) int {
	first := -1
	each(b, true, func(i int, p *record.Appeal) {
		if first < 0 && b.concerns(p.Decision) == decision {
			first = i
		}
	})
	return first
}

// pairs adds the pairs of matching decisions, and those that ended differently.
func (b *brute) pairs(match func(*record.Decision) bool, sum *stats.Pairs, counts func(i, j int) bool) {
	each(b, true, func(i int, p *record.Decision) {
		if !match(p) || p.Retrospective != nil {
			return
		}
		each(b, true, func(j int, q *record.Decision) {
			if j <= i || !match(q) || q.Retrospective != nil || !counts(i, j) {
				return
			}
			sum.Pairs++
			if p.Action != q.Action {
				sum.Differing++
			}
		})
	})
}

func (b *brute) deciders(agreement stats.Pairs) stats.Deciders {
	by := map[string]int64{}
	each(b, true, func(i int, p *record.Decision) {
		if p.Retrospective == nil {
			for who := range b.who(i) {
				by[who]++
			}
		}
	})
	d := stats.Deciders{Count: int64(len(by))}
	if d.Count < 3 {
		d.Suppressed = d.Count > 0
		return d
	}
	for _, n := range by {
		d.Busiest = max(d.Busiest, n)
	}
	d.Agreement = agreement
	return d
}
