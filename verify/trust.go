package verify

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// A Quorum is a witness or a group of a policy, with what it takes to reach it.
type Quorum struct {
	Name string
	// Witness is set if it is one witness; else at least Need of Of must be
	// reached.
	Witness *Witness
	Need    int
	Of      []*Quorum
}

// Tree returns the quorum of the policy as a tree; nil if it is none.
func (p *Policy) Tree() *Quorum {
	if p.quorum == none {
		return nil
	}
	return p.node(p.quorum)
}

func (p *Policy) node(name string) *Quorum {
	for i := range p.witnesses {
		if p.witnesses[i].Name == name {
			return &Quorum{Name: name, Witness: &p.witnesses[i]}
		}
	}
	q := &Quorum{Name: name}
	for _, g := range p.groups {
		if g.name == name {
			q.Need = g.k
			for _, m := range g.members {
				q.Of = append(q.Of, p.node(m))
			}
		}
	}
	return q
}

// Least returns how many witnesses reach the quorum at the least.
func (q *Quorum) Least() int {
	return q.sum(func(q *Quorum) int { return q.Least() }, q.Need)
}

// MayFail returns how many witnesses may be out of reach, whichever they are, while
// the others still reach the quorum.
func (q *Quorum) MayFail() int { return q.blocking() - 1 }

// blocking returns how many witnesses keep the others from reaching it.
func (q *Quorum) blocking() int {
	return q.sum((*Quorum).blocking, len(q.Of)-q.Need+1)
}

// MustLie returns how many witnesses must have cosigned both of two histories, at
// the least, if both reach the quorum: honest ones never do. 0 means that two
// quorums need not share a witness.
func (q *Quorum) MustLie() int {
	return q.sum((*Quorum).MustLie, 2*q.Need-len(q.Of))
}

// sum adds up the n smallest values of the members; that of a witness is 1.
func (q *Quorum) sum(value func(*Quorum) int, n int) int {
	if q.Witness != nil {
		return 1
	}
	var values []int
	for _, m := range q.Of {
		values = append(values, value(m))
	}
	slices.Sort(values)
	total := 0
	for _, v := range values[:max(0, n)] {
		total += v
	}
	return total
}

// witnesses returns the names of the witnesses that count for q.
func (q *Quorum) witnesses() []string {
	if q == nil {
		return nil
	}
	if q.Witness != nil {
		return []string{q.Name}
	}
	var names []string
	for _, m := range q.Of {
		names = append(names, m.witnesses()...)
	}
	return names
}

// A Weakness is why a policy proves less than it seems to. Code is stable, Text says
// it in words.
type Weakness struct {
	Code string `json:"code"`
	Text string `json:"text"`
}

// Weaknesses returns what is weak about a policy, as far as its lines show: nobody
// but its author knows whose the keys are.
func (p *Policy) Weaknesses() (all []Weakness) {
	add := func(code, format string, args ...any) {
		all = append(all, Weakness{code, fmt.Sprintf(format, args...)})
	}
	if len(p.logs) == 0 {
		add("log.none", "It names no log, so no checkpoint ever satisfies it.")
	}
	q := p.Tree()
	switch {
	case len(p.witnesses) == 0:
		add("witness.none", "It names no witness. Whoever has the log's key can show everybody another history, and date it at will.")
	case q == nil:
		add("quorum.none", "Its quorum is none: witnesses are named, and none of them is needed. Whoever has the log's key can show everybody another history.")
	default:
		p.weakQuorum(q, add)
	}
	p.weakNames(add)
	return all
}

func (p *Policy) weakQuorum(q *Quorum, add func(code, format string, args ...any)) {
	counted := q.witnesses()
	if q.Least() == 1 {
		add("quorum.one", "One witness alone reaches the quorum: that one, together with the log, can show everybody another history.")
	}
	if q.MustLie() == 0 && len(counted) > 1 {
		add("quorum.minority", "The quorum is no majority: two histories can both be accepted without any witness that cosigned both, so no one need lie.")
	}
	for _, w := range p.witnesses {
		if !slices.Contains(counted, w.Name) {
			add("witness.unused", "%s is named and does not count for the quorum.", w.Name)
		}
	}
	parties := p.parties()
	var logs []string
	for _, l := range p.logs {
		logs = append(logs, party(l.Key.Name, l.URL)...)
	}
	var operator []string
	for _, w := range p.witnesses {
		ofLog := slices.ContainsFunc(p.logs, func(l Log) bool { return bytes.Equal(l.Key.Key, w.Key.Key) })
		if ofLog || slices.ContainsFunc(party(w.Key.Name, w.URL), func(s string) bool { return slices.Contains(logs, s) }) {
			operator = append(operator, w.Name)
		}
	}
	if len(operator) > 0 && p.Reached(operator) {
		add("quorum.operator", "By their names %s belong to whoever runs the log: its operator alone reaches the quorum.", strings.Join(operator, ", "))
	}
	for _, name := range sortedKeys(parties) {
		switch members := parties[name]; {
		case len(members) < 2 || !p.Reached(members):
		case len(members) == len(counted):
			add("witness.one_party", "By their names all witnesses that count, %s, are run by one: %s.", strings.Join(members, ", "), name)
		default:
			add("quorum.one_party", "By their names %s are run by one, %s, and reach the quorum alone.", strings.Join(members, ", "), name)
		}
	}
}

// weakNames looks for keys that readers may take for each other.
func (p *Policy) weakNames(add func(code, format string, args ...any)) {
	names := map[string][]string{}
	for _, w := range p.witnesses {
		names[w.Key.Name] = append(names[w.Key.Name], w.Name)
	}
	for _, name := range sortedKeys(names) {
		if who := names[name]; len(who) > 1 {
			add("key.same_name", "The keys of %s have the same name, %s: they may be one witness counted more than once.", strings.Join(who, ", "), name)
		}
		if slices.ContainsFunc(p.logs, func(l Log) bool { return l.Key.Name == name }) {
			add("key.log_name", "The key of %s has the name of the log, %s: a log that cosigns itself is no witness.", strings.Join(names[name], ", "), name)
		}
	}
	origins := map[string]bool{}
	for _, l := range p.logs {
		origins[l.Key.Name] = true
	}
	if len(origins) > 1 {
		add("log.several", "It names %d different logs: a receipt of any of them is accepted.", len(origins))
	}
}

// parties returns the witnesses that count by who seems to run them.
func (p *Policy) parties() map[string][]string {
	counted := p.Tree().witnesses()
	all := map[string][]string{}
	for _, w := range p.witnesses {
		if !slices.Contains(counted, w.Name) {
			continue
		}
		for _, name := range party(w.Key.Name, w.URL) {
			all[name] = append(all[name], w.Name)
		}
	}
	return all
}

// party returns who seems to run what has a key of this name and a URL: the
// domains in both, and of a name that is no domain the name without the number at
// its end.
func party(keyName, url string) []string {
	var all []string
	add := func(s string) {
		if s != "" && !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	if _, rest, ok := strings.Cut(url, "://"); ok {
		add(domain(rest))
	}
	if strings.Contains(keyName, ".") {
		add(domain(keyName))
	} else if name := strings.TrimRight(keyName, "0123456789"); strings.TrimRight(name, "-_") != "w" && strings.TrimRight(name, "-_") != "witness" {
		add(strings.TrimRight(name, "-_"))
	}
	return all
}

// domain returns the domain that somebody registered of a host with a port and a
// path: its last two labels, or three where the last but one is like that of co.uk.
func domain(s string) string {
	host, _, _ := strings.Cut(s, "/")
	if _, after, ok := strings.Cut(host, "@"); ok {
		host = after
	}
	if strings.HasPrefix(host, "[") {
		host, _, _ = strings.Cut(host, "]")
		return strings.ToLower(host + "]")
	}
	host, _, _ = strings.Cut(host, ":")
	labels := strings.Split(strings.ToLower(strings.TrimSuffix(host, ".")), ".")
	n := len(labels)
	if strings.Trim(labels[n-1], "0123456789") == "" { // an IPv4 address
		return strings.Join(labels, ".")
	}
	keep := 2
	if n > 2 && len(labels[n-1]) == 2 && len(labels[n-2]) <= 3 {
		keep = 3
	}
	return strings.Join(labels[max(0, n-keep):], ".")
}

func sortedKeys(m map[string][]string) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
