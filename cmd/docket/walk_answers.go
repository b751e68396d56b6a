package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/docket-ledger/docket/verify/record"
)

// Members of nested mappings, by paths like subject/name.

// get returns a member, or nil.
func get(m map[string]any, path string) any {
	name, rest, inner := strings.Cut(path, "/")
	if !inner {
		return m[name]
	}
	below, _ := m[name].(map[string]any)
	return get(below, rest)
}

// getText returns a member that is a text, or "".
func getText(m map[string]any, path string) string {
	s, _ := get(m, path).(string)
	return s
}

func set(m map[string]any, path string, v any) {
	name, rest, inner := strings.Cut(path, "/")
	if !inner {
		m[name] = v
		return
	}
	below, ok := m[name].(map[string]any)
	if !ok {
		below = map[string]any{}
		m[name] = below
	}
	set(below, rest, v)
}

// unset removes a member, and the mapping that held it if that is empty then.
func unset(m map[string]any, path string) {
	name, rest, inner := strings.Cut(path, "/")
	if !inner {
		delete(m, name)
		return
	}
	if below, ok := m[name].(map[string]any); ok {
		unset(below, rest)
		if len(below) == 0 {
			delete(m, name)
		}
	}
}

// merge sets all members of more in m, mappings member by member.
func merge(m, more map[string]any) {
	for name, v := range more {
		old, isMap := m[name].(map[string]any)
		if below, ok := v.(map[string]any); ok && isMap {
			merge(old, below)
			continue
		}
		m[name] = v
	}
}

// clone copies what a sheet holds.
func clone(v any) any {
	switch v := v.(type) {
	case map[string]any:
		m := maps.Clone(v)
		for name, e := range m {
			m[name] = clone(e)
		}
		return m
	case []any:
		list := slices.Clone(v)
		for i, e := range list {
			list[i] = clone(e)
		}
		return list
	}
	return v
}

// writeSheet spells the members of a decision as a sheet, in the order in which
// they are asked for.
func writeSheet(m map[string]any) []byte {
	var b strings.Builder
	b.WriteString("# A decision, by the names of docs/format.md. What is written here is meant for the\n# log, where it is public for ever: no private data, no secrets.\n")
	var first []string
	for _, q := range questions {
		name, _, _ := strings.Cut(q.member, "/")
		if _, ok := m[name]; ok && !slices.Contains(first, name) {
			first = append(first, name)
		}
	}
	writeMembers(&b, "", m, first)
	return []byte(b.String())
}

func writeMembers(b *strings.Builder, indent string, m map[string]any, first []string) {
	for _, name := range append(first, slices.DeleteFunc(sortedKeys(m), func(n string) bool { return slices.Contains(first, n) })...) {
		fmt.Fprintf(b, "%s%s:", indent, name)
		writeValue(b, indent+"  ", m[name])
	}
}

// writeValue writes what stands after a colon, to the end of its last line.
func writeValue(b *strings.Builder, indent string, v any) {
	switch v := v.(type) {
	case map[string]any:
		b.WriteString("\n")
		writeMembers(b, indent, v, nil)
	case []any:
		b.WriteString("\n")
		for _, e := range v {
			if m, ok := e.(map[string]any); ok {
				var inner strings.Builder
				writeMembers(&inner, indent+"  ", m, nil)
				b.WriteString(indent + "- " + strings.TrimPrefix(inner.String(), indent+"  "))
				continue
			}
			b.WriteString(indent + "-")
			writeValue(b, indent+"  ", e)
		}
	case string:
		b.WriteString(" " + yamlText(indent, v) + "\n")
	default:
		fmt.Fprintf(b, " %v\n", v)
	}
}

// yamlText spells a text: lines as lines, if they come back as they are, else in
// quotes as JSON has them.
func yamlText(indent, s string) string {
	if lines := strings.Split(s, "\n"); len(lines) > 1 && !strings.ContainsFunc(s, func(r rune) bool { return r != '\n' && (r < ' ' || r == 0x7f) }) {
		block := "|\n" + indent + strings.Join(lines, "\n"+indent)
		if back, err := parseSheet("", []byte("a:\n  b: "+strings.ReplaceAll(block, "\n"+indent, "\n    ")+"\n")); err == nil && get(back.value, "a/b") == s {
			return block
		}
	}
	b, err := json.Marshal(s)
	if err != nil { // not UTF-8: no record takes it
		return fmt.Sprintf("%q", s)
	}
	return string(b)
}

// check judges answers as if all other members were right.
func check(answers map[string]any) error {
	const hash = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	all := map[string]any{}
	for member, v := range map[string]any{
		"ledger": "ledger.example.com/2026", "case": "example-1", "service_layer": "other", "action": "decline",
		"subject/type": "other", "subject/ref": hash, "facts": "f", "reasons": "r", "lang": "en", "trigger/kind": "notice",
		"automation/detection": "manual", "automation/decision": "none",
		"decided_at": "2026-11-23T08:00:00Z", "effective_at": "1970-01-01T00:00:01Z",
	} {
		set(all, member, v)
	}
	merge(all, clone(answers).(map[string]any))
	completeDSA(all)
	s := &sheet{value: all, lines: map[string]int{"": 1}}
	p := &record.Decision{}
	if err := s.payload(p, record.TypeDecision, ""); err != nil {
		return err
	}
	_, err := record.NewDraft(p)
	return err
}

// explainAnswer says what is wrong with an answer, without naming a line.
func explainAnswer(err error) string {
	var f *fault
	if !errors.As((&sheet{lines: map[string]int{"": 1}}).explain(err), &f) {
		return err.Error()
	}
	if f.advice == "" {
		return f.problem
	}
	return f.problem + "; " + f.advice
}
