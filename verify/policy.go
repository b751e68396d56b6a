package verify

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A Policy is a trust policy of c2sp.org/tlog-policy: whose signatures count.
// It is made by ParsePolicy and never changes, so it may be used concurrently.
type Policy struct {
	logs      []Log
	witnesses []Witness
	groups    []group
	quorum    string             // name of a witness or group, or "none"
	keys      map[keyRef]*member // of logs and witnesses
}

// A Log is a log that a policy accepts.
type Log struct {
	Key VKey
	URL string // may be empty
}

// A Witness is a witness that a policy names.
type Witness struct {
	Name string // in the policy; its key has a name of its own
	Key  VKey
	URL  string // may be empty
}

// A group is reached when at least k of its members are. Members are defined
// before it.
type group struct {
	name    string
	k       int
	members []string
}

// A member is what a policy knows about a key.
type member struct {
	key     VKey
	log     bool
	witness string // its name in the policy, or empty
}

const none = "none"

// ParsePolicy reads a policy file:
//
//	log <vkey> [<url>]
//	witness <name> <vkey> [<url>]
//	group <name> <k>|any|all <name>...
//	quorum <name>|none
//
// in lines of items separated by spaces and tabs. Empty lines and lines that
// begin with # are ignored. Names are defined once and before they are used, a
// name is a member of at most one group, there is exactly one quorum line. Logs
// have keys of type 0x01 or 0x06, witnesses of type 0x04 or 0x06; no two logs
// and no two witnesses share a public key. The error names the line.
func ParsePolicy(b []byte) (*Policy, error) {
	p := &parser{
		Policy:  Policy{keys: make(map[keyRef]*member)},
		defined: make(map[string]bool),
		grouped: make(map[string]bool),
	}
	number := 0
	for line := range bytes.Lines(b) {
		number++
		if err := p.line(strings.TrimSuffix(string(line), "\n")); err != nil {
			return nil, fmt.Errorf("policy line %d: %w", number, err)
		}
	}
	if p.quorum == "" {
		return nil, errors.New("policy: no quorum line")
	}
	return &p.Policy, nil
}

// Logs returns the logs of the policy, in its order.
func (p *Policy) Logs() []Log { return slices.Clone(p.logs) }

// Witnesses returns the witnesses of the policy, in its order.
func (p *Policy) Witnesses() []Witness { return slices.Clone(p.witnesses) }

// Quorum returns the name of the witness or group that must have cosigned, or
// "none".
func (p *Policy) Quorum() string { return p.quorum }

// Reached reports whether cosignatures by the named witnesses reach the quorum.
func (p *Policy) Reached(witnesses []string) bool {
	reached := map[string]bool{none: true}
	for _, w := range p.witnesses {
		reached[w.Name] = slices.Contains(witnesses, w.Name)
	}
	for _, g := range p.groups {
		n := 0
		for _, m := range g.members {
			if reached[m] {
				n++
			}
		}
		reached[g.name] = n >= g.k
	}
	return reached[p.quorum]
}

// A parser is a policy of which some lines were read.
type parser struct {
	Policy
	defined map[string]bool // names of witnesses and groups
	grouped map[string]bool // names that are a member of a group
}

func (p *parser) line(line string) error {
	for i := range len(line) {
		if c := line[i]; c < 0x20 && c != '\t' || c == 0x7f {
			return fmt.Errorf("control character 0x%02x", c)
		}
	}
	items := strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == '\t' })
	if len(items) == 0 || items[0][0] == '#' {
		return nil
	}
	switch keyword, args := items[0], items[1:]; keyword {
	case "log":
		return p.log(args)
	case "witness":
		return p.witness(args)
	case "group":
		return p.group(args)
	case "quorum":
		return p.setQuorum(args)
	default:
		return fmt.Errorf("begins with %.40q, want log, witness, group or quorum", keyword)
	}
}

func (p *parser) log(args []string) error {
	if len(args) < 1 || len(args) > 2 {
		return errors.New("want: log <vkey> [<url>]")
	}
	key, err := ParseVKey(args[0])
	if err != nil {
		return err
	}
	if key.Alg != Ed25519 && key.Alg != MLDSA44Cosignature {
		return fmt.Errorf("a log's key has type 0x01 or 0x06, this one 0x%02x", byte(key.Alg))
	}
	for _, l := range p.logs {
		if bytes.Equal(l.Key.Key, key.Key) {
			return fmt.Errorf("a second log with the public key of %s", l.Key.Name)
		}
	}
	m, err := p.member(key)
	if err != nil {
		return err
	}
	m.log = true
	p.logs = append(p.logs, Log{Key: key, URL: strings.Join(args[1:], "")})
	return nil
}

func (p *parser) witness(args []string) error {
	if len(args) < 2 || len(args) > 3 {
		return errors.New("want: witness <name> <vkey> [<url>]")
	}
	if err := p.define(args[0]); err != nil {
		return err
	}
	key, err := ParseVKey(args[1])
	if err != nil {
		return err
	}
	if key.Alg != Ed25519Cosignature && key.Alg != MLDSA44Cosignature {
		return fmt.Errorf("a witness's key has type 0x04 or 0x06, this one 0x%02x", byte(key.Alg))
	}
	for _, w := range p.witnesses {
		if bytes.Equal(w.Key.Key, key.Key) {
			return fmt.Errorf("a second witness with the public key of %s", w.Name)
		}
	}
	m, err := p.member(key)
	if err != nil {
		return err
	}
	m.witness = args[0]
	p.witnesses = append(p.witnesses, Witness{Name: args[0], Key: key, URL: strings.Join(args[2:], "")})
	return nil
}

func (p *parser) group(args []string) error {
	if len(args) < 3 {
		return errors.New("want: group <name> <k>|any|all <name> [<name>...]")
	}
	g := group{name: args[0], members: args[2:]}
	for _, m := range g.members {
		switch {
		case !p.defined[m]:
			return fmt.Errorf("%q is not defined before this line", m)
		case p.grouped[m]:
			return fmt.Errorf("%q is a member already", m)
		}
		p.grouped[m] = true
	}
	switch args[1] {
	case "any":
		g.k = 1
	case "all":
		g.k = len(g.members)
	default:
		k, err := strconv.Atoi(args[1])
		if err != nil || strconv.Itoa(k) != args[1] || k < 1 || k > len(g.members) {
			return fmt.Errorf("%.40q is not any, all or a number from 1 to %d", args[1], len(g.members))
		}
		g.k = k
	}
	p.groups = append(p.groups, g)
	return p.define(g.name)
}

func (p *parser) setQuorum(args []string) error {
	switch {
	case len(args) != 1:
		return errors.New("want: quorum <name>|none")
	case p.quorum != "":
		return errors.New("a second quorum line")
	case args[0] != none && !p.defined[args[0]]:
		return fmt.Errorf("%q is not defined before this line", args[0])
	}
	p.quorum = args[0]
	return nil
}

// define takes a name for a witness or group.
func (p *parser) define(name string) error {
	if name == none || p.defined[name] {
		return fmt.Errorf("the name %q is taken", name)
	}
	p.defined[name] = true
	return nil
}

// member returns what the policy knows about a key. Two keys of one name and ID
// are an error: a signature line could not tell them apart.
func (p *parser) member(key VKey) (*member, error) {
	ref := keyRef{key.Name, key.ID()}
	m := p.keys[ref]
	if m == nil {
		m = &member{key: key}
		p.keys[ref] = m
	}
	if m.key.Alg != key.Alg || !bytes.Equal(m.key.Key, key.Key) {
		return nil, fmt.Errorf("a second key with the name and ID %s+%08x", ref.name, ref.id)
	}
	return m, nil
}
