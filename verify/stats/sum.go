package stats

import (
	"cmp"
	"slices"
	"strings"
)

// Figures returns the numbers of what was counted so far.
func (c *Counter) Figures() Figures {
	f := Figures{Size: c.size, Effective: c.effective, Void: c.void, VoidDecisions: c.voidDecisions,
		Codes: counts(c.codes), All: c.all.sum(), Months: []Month{}, Clauses: []Clause{}}
	for m, n := range c.months {
		m.Count = n
		f.Months = append(f.Months, m)
	}
	slices.SortFunc(f.Months, func(a, b Month) int {
		r := func(m Month) int {
			if m.Retrospective {
				return 1
			}
			return 0
		}
		return cmp.Or(strings.Compare(a.Month, b.Month), cmp.Compare(a.Layer, b.Layer), cmp.Compare(a.Action, b.Action), r(a)-r(b))
	})
	for _, cl := range c.clauses {
		f.Clauses = append(f.Clauses, cl.sum())
	}
	slices.SortFunc(f.Clauses, func(a, b Clause) int {
		return cmp.Or(strings.Compare(a.Policy, b.Policy), strings.Compare(a.Clause, b.Clause), cmp.Compare(a.Layer, b.Layer))
	})
	f.Deciders = c.deciders()
	return f
}

func (c *Counter) deciders() Deciders {
	d := Deciders{Count: int64(len(c.signed))}
	if d.Count < MinDeciders {
		d.Suppressed = d.Count > 0
		return d
	}
	for _, n := range c.signed {
		d.Busiest = max(d.Busiest, n)
	}
	for _, cl := range c.clauses {
		p := cl.agreement()
		d.Agreement.Pairs += p.Pairs
		d.Agreement.Differing += p.Differing
	}
	return d
}

func (cl *clause) sum() Clause {
	sum := cl.Clause
	sum.Outcomes, sum.Triggers = counts(cl.outcomes), counts(cl.triggers)
	sum.Spread = Pairs{Pairs: pairs(sum.Decisions), Differing: pairs(sum.Decisions)}
	for _, n := range cl.outcomes {
		sum.Spread.Differing -= pairs(n)
	}
	sum.Ratified, sum.TooLate = cl.ratified, cl.onlyTried
	sum.Unratified = sum.Emergencies - sum.Ratified - sum.TooLate
	sum.NoticeToDecision, sum.DecisionToAppeal, sum.AppealToRuling = median(cl.times[0]), median(cl.times[1]), median(cl.times[2])
	return sum
}

// agreement is over the pairs of decisions that not the same people signed: all
// pairs without those of one group of signers, in total and of those alike.
func (cl *clause) agreement() Pairs {
	all, alike := pairs(cl.Decisions), int64(0)
	for _, n := range cl.outcomes {
		alike += pairs(n)
	}
	for _, n := range cl.groups {
		all -= pairs(n)
	}
	for _, n := range cl.ended {
		alike -= pairs(n)
	}
	return Pairs{Pairs: all, Differing: all - alike}
}

// pairs returns how many pairs n things form.
func pairs(n int64) int64 { return n * (n - 1) / 2 }

func median(times []int64) Median {
	if len(times) == 0 {
		return Median{}
	}
	sorted := slices.Sorted(slices.Values(times))
	return Median{Count: int64(len(sorted)), Seconds: sorted[(len(sorted)-1)/2]}
}

func counts(n map[string]int64) []Count {
	list := []Count{}
	for name, count := range n {
		list = append(list, Count{Name: name, Count: count})
	}
	slices.SortFunc(list, func(a, b Count) int { return strings.Compare(a.Name, b.Name) })
	return list
}
