package main

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/verify/record"
)

// A sheet is a YAML file in which somebody wrote what a record is to state, by
// the schema's own names. It takes the plain part of YAML: mappings, lists,
// texts and integers; no anchors, tags or second documents. A member without a
// value counts as left out.
type sheet struct {
	name  string // of the file
	value map[string]any
	lines map[string]int // of each member, by its path, like grounds/0/version
}

// A fault is something wrong in a sheet.
type fault struct {
	file    string
	line    int
	problem string
	advice  string // may be empty
}

func (f *fault) Error() string {
	s := fmt.Sprintf("%s:%d: %s", f.file, f.line, f.problem)
	if f.advice != "" {
		s += "; " + f.advice
	}
	return s
}

func parseSheet(name string, text []byte) (*sheet, error) {
	s := &sheet{name: name, lines: map[string]int{"": 1}}
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		var syntax *yaml.SyntaxError
		if errors.As(err, &syntax) {
			return nil, &fault{name, syntax.GetToken().Position.Line, syntax.GetMessage(), ""}
		}
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	docs := slices.DeleteFunc(file.Docs, func(d *ast.DocumentNode) bool { return d.Body == nil })
	if len(docs) != 1 {
		return nil, &fault{name, 1, fmt.Sprintf("%d YAML documents", len(docs)), "want one"}
	}
	v, err := s.read("", docs[0].Body)
	if err != nil {
		return nil, err
	}
	var ok bool
	if s.value, ok = v.(map[string]any); !ok {
		return nil, &fault{name, 1, "no members", "want lines like case: example-1"}
	}
	return s, nil
}

// read turns a node into nil, string, int64, []any or map[string]any.
func (s *sheet) read(path string, n ast.Node) (any, error) {
	line := 1
	if t := n.GetToken(); t != nil {
		line = t.Position.Line
	}
	if _, ok := s.lines[path]; !ok {
		s.lines[path] = line
	}
	switch n := n.(type) {
	case *ast.NullNode:
		return nil, nil
	case *ast.StringNode:
		return n.Value, nil
	case *ast.LiteralNode:
		return strings.TrimRight(n.Value.Value, "\n"), nil
	case *ast.IntegerNode:
		switch i := n.Value.(type) {
		case int64:
			return i, nil
		case uint64:
			if i <= record.MaxInt {
				return int64(i), nil
			}
		}
	case *ast.BoolNode:
		return n.Value, nil
	case *ast.SequenceNode:
		list := []any{}
		for i, e := range n.Values {
			v, err := s.read(join(path, fmt.Sprint(i)), e)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		return list, nil
	case *ast.MappingNode:
		return s.readMap(path, n.Values)
	case *ast.MappingValueNode:
		return s.readMap(path, []*ast.MappingValueNode{n})
	}
	return nil, &fault{s.name, line, fmt.Sprintf("%.40q", n.String()), "want a text, an integer, a list or members; put a text in quotes"}
}

func (s *sheet) readMap(path string, values []*ast.MappingValueNode) (any, error) {
	m := map[string]any{}
	for _, v := range values {
		key, ok := v.Key.(*ast.StringNode)
		line := v.Key.GetToken().Position.Line
		if !ok {
			return nil, &fault{s.name, line, fmt.Sprintf("%.40q is not the name of a member", v.Key.String()), ""}
		}
		p := join(path, key.Value)
		if _, again := s.lines[p]; again {
			return nil, &fault{s.name, line, fmt.Sprintf("member %s stands twice", p), ""}
		}
		s.lines[p] = line
		value, err := s.read(p, v.Value)
		if err != nil {
			return nil, err
		}
		if value != nil {
			m[key.Value] = value
		}
	}
	return m, nil
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "/" + name
}

// line returns the line of a member, or of what it would stand in.
func (s *sheet) line(path string) int {
	for {
		if n, ok := s.lines[path]; ok {
			return n
		}
		path = path[:max(0, strings.LastIndexByte(path, '/'))]
	}
}

// payload reads the sheet into p, a zero payload of type t for a ledger, which
// may be empty if the sheet names one. All members that are not in the schema
// or of the wrong kind are reported, each with its line.
func (s *sheet) payload(p record.Payload, t record.Type, ledger string) error {
	var faults []error
	s.compare("", s.value, reflect.TypeOf(p).Elem(), &faults)
	for _, fixed := range []struct{ member, want string }{{"type", string(t)}, {"ledger", ledger}} {
		got, there := s.value[fixed.member].(string)
		if there && fixed.want != "" && got != fixed.want {
			faults = append(faults, &fault{s.name, s.line(fixed.member), fmt.Sprintf("%s is %q", fixed.member, got), "want " + fixed.want})
		}
		if !there && fixed.want != "" {
			s.value[fixed.member] = fixed.want
		}
	}
	if len(faults) > 0 {
		return errors.Join(faults...)
	}
	b, err := json.Marshal(s.value)
	if err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	if err := json.Unmarshal(b, p); err != nil {
		return s.typeFault(err)
	}
	return nil
}

// typeFault is for what only the types of package record can find: a time that
// is none.
func (s *sheet) typeFault(err error) error {
	var semantic *json.SemanticError
	if !errors.As(err, &semantic) {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	member := strings.TrimPrefix(string(semantic.JSONPointer), "/")
	return &fault{s.name, s.line(member), fmt.Sprintf("%s: %v", member, errors.Unwrap(semantic)), ""}
}

// explain adds line and advice to an error of package record about the payload.
func (s *sheet) explain(err error) error {
	var e *record.Error
	if !errors.As(err, &e) {
		return err
	}
	f := &fault{file: s.name, line: s.line(e.Member), problem: fmt.Sprintf("%s: found %s", e.Member, e.Found)}
	if e.Want != "" {
		f.problem += ", want " + e.Want
	}
	if words, ok := strings.CutPrefix(e.Want, "one of "); ok {
		f.advice = didYouMean(strings.Trim(e.Found, `"`), strings.Split(words, ", "))
	}
	return f
}

// compare reports what is in v, read from a sheet, and has no place in a t.
func (s *sheet) compare(path string, v any, t reflect.Type, faults *[]error) {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	wrong := func(found, want, advice string) {
		*faults = append(*faults, &fault{s.name, s.line(path), fmt.Sprintf("%s: found %s, want %s", path, found, want), advice})
	}
	isText := t.Kind() == reflect.String || t == reflect.TypeFor[record.Time]()
	switch v := v.(type) {
	case map[string]any:
		if t.Kind() != reflect.Struct {
			wrong("members", kindOf(t, isText), "")
			return
		}
		known := members(t)
		for _, name := range sortedKeys(v) {
			field, ok := known[name]
			if !ok {
				*faults = append(*faults, s.unknown(join(path, name), name, known))
				continue
			}
			s.compare(join(path, name), v[name], field, faults)
		}
	case []any:
		if t.Kind() != reflect.Slice {
			wrong("a list", kindOf(t, isText), "")
			return
		}
		for i, e := range v {
			s.compare(join(path, fmt.Sprint(i)), e, t.Elem(), faults)
		}
	case string:
		if !isText {
			wrong(fmt.Sprintf("the text %.40q", v), kindOf(t, isText), "")
		}
	case int64:
		if isText {
			wrong(fmt.Sprintf("the number %d", v), kindOf(t, isText), "put it in quotes")
		} else if t.Kind() != reflect.Int64 {
			wrong(fmt.Sprintf("the number %d", v), kindOf(t, isText), "")
		}
	case bool:
		wrong(fmt.Sprint(v), kindOf(t, isText), "put a text in quotes")
	case nil:
		wrong("nothing", kindOf(t, isText), "")
	}
}

func (s *sheet) unknown(path, name string, known map[string]reflect.Type) error {
	names := sortedKeys(known)
	advice := didYouMean(name, names)
	if advice == "" {
		advice = "the members here are " + strings.Join(names, ", ")
	}
	return &fault{s.name, s.line(path), fmt.Sprintf("there is no member %s", path), advice}
}

func kindOf(t reflect.Type, isText bool) string {
	switch {
	case isText:
		return "a text"
	case t.Kind() == reflect.Struct:
		return "members: " + strings.Join(sortedKeys(members(t)), ", ")
	case t.Kind() == reflect.Slice:
		return "a list"
	}
	return "an integer"
}

// members returns the JSON members of a struct type, without the version.
func members(t reflect.Type) map[string]reflect.Type {
	m := map[string]reflect.Type{}
	for f := range t.Fields() {
		if f.Anonymous {
			for name, inner := range members(f.Type) {
				m[name] = inner
			}
			continue
		}
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "v" {
			m[name] = f.Type
		}
	}
	return m
}

func sortedKeys[V any](m map[string]V) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// didYouMean suggests one of words, or nothing.
func didYouMean(word string, words []string) string {
	return strings.TrimPrefix(cli.Suggest(word, words), "; ")
}
