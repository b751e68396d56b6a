package dsa

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// schemaFile is what was read of the database's own validator.
type schemaFile struct {
	Fields         []schemaField  `json:"fields"`
	Enums          map[string]any `json:"enums"`
	Infrastructure map[string]any `json:"example_submission_infrastructure_termination"`
	Minimal        map[string]any `json:"example_submission_minimal"`
}

type schemaField struct {
	Name, Type, Condition, Pattern, Enum, Min, Max, Note string
	Required                                             any
	MaxLengthChars                                       int `json:"max_length_chars"`
	Properties                                           map[string]string
}

func readSchema(t testing.TB) *schemaFile {
	t.Helper()
	b, err := os.ReadFile("testdata/schema.json")
	if err != nil {
		t.Fatal(err)
	}
	s := &schemaFile{}
	if err := json.Unmarshal(b, s, json.MatchCaseInsensitiveNames(true)); err != nil {
		t.Fatal(err)
	}
	return s
}

// values returns the values of an enum of the schema.
func (s *schemaFile) values(name string) (list []string) {
	all, ok := s.Enums[name].([]any)
	if !ok { // "same values as category"
		return s.values("category")
	}
	for _, v := range all {
		list = append(list, v.(map[string]any)["value"].(string))
	}
	return list
}

// rules lists every rule of the schema as field/rule.
func (s *schemaFile) rules() (list []string) {
	for _, f := range s.Fields {
		if f.Name == "content_id_ean" { // of the single endpoint only
			list = append(list, f.Name+"/unknown")
			continue
		}
		for rule, there := range map[string]bool{
			"required":    f.Required == true,
			"required_if": strings.HasPrefix(f.Condition, "required if"),
			"one_of_four": f.Name == "decision_visibility",
			"excluded":    strings.Contains(f.Condition, "excluded") || strings.Contains(f.Condition, "kept"),
			"kind":        true,
			"null":        strings.Contains(f.Note, "omit rather than send null"),
			"max_length":  f.MaxLengthChars > 0,
			"pattern":     f.Pattern != "" || f.Properties != nil,
			"value":       f.Enum != "",
			"date":        f.Type == "date",
			"min":         f.Min != "",
			"max":         f.Max != "",
			"url":         f.Type == "url",
		} {
			if there {
				list = append(list, f.Name+"/"+rule)
			}
		}
	}
	slices.Sort(list)
	return list
}

var longText = regexp.MustCompile(`LONG(\d+)`)

// change returns an example with a change of broken.
func change(t testing.TB, s *schemaFile, patch string) map[string]any {
	t.Helper()
	patch = longText.ReplaceAllStringFunc(patch, func(m string) string {
		n := 0
		fmt.Sscanf(m, "LONG%d", &n)
		return strings.Repeat("x", n)
	})
	var p map[string]any
	if err := json.Unmarshal([]byte(patch), &p); err != nil {
		t.Fatalf("%s: %v", patch, err)
	}
	v := maps.Clone(s.Minimal)
	if p["incompatible"] != nil {
		delete(p, "incompatible")
		delete(v, "illegal_content_legal_ground")
		delete(v, "illegal_content_explanation")
		v["decision_ground"], v["incompatible_content_ground"], v["incompatible_content_explanation"] = incompatible, "terms, 4", "why"
	}
	for name, value := range p {
		switch value {
		case nil:
			delete(v, name)
		case "null":
			v[name] = nil
		default:
			v[name] = value
		}
	}
	return v
}

func encode(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestExamplesHold(t *testing.T) {
	s := readSchema(t)
	for name, example := range map[string]map[string]any{"infrastructure": s.Infrastructure, "minimal": s.Minimal} {
		if len(example) < 10 {
			t.Fatalf("%s: the schema file has no such example", name)
		}
		if faults := Check(encode(t, example)); len(faults) > 0 {
			t.Errorf("%s: %+v", name, faults)
		}
	}
}

func TestEveryRuleHasABrokenCase(t *testing.T) {
	s := readSchema(t)
	demanded := s.rules()
	for _, rule := range demanded {
		if broken[rule] == "" {
			t.Errorf("no case breaks %s", rule)
		}
	}
	for key, patch := range broken {
		t.Run(key, func(t *testing.T) {
			if !slices.Contains(demanded, key) {
				t.Fatalf("the schema has no such rule")
			}
			name, rule, _ := strings.Cut(key, "/")
			b := encode(t, change(t, s, patch))
			faults := Check(b)
			if len(faults) != 1 || faults[0].Field != name || faults[0].Rule != rule {
				t.Fatalf("%.300s\n  has the faults %+v", b, faults)
			}
			if f := faults[0]; Rules[rule] == "" || !strings.Contains(f.Text, name) || f.Advice == "" {
				t.Errorf("says %+v", f)
			}
		})
	}
	for rule := range Rules {
		if rule == "count" || rule == "unique" { // TestCheckAll
			continue
		}
		if !slices.ContainsFunc(demanded, func(key string) bool { return strings.HasSuffix(key, "/"+rule) }) {
			t.Errorf("no field of the schema has the rule %s", rule)
		}
	}
}

func TestFieldsAreThoseOfTheSchema(t *testing.T) {
	var want, got []string
	for _, f := range readSchema(t).Fields {
		if f.Name != "content_id_ean" {
			want = append(want, f.Name)
		}
	}
	for _, f := range fields {
		got = append(got, f.name)
	}
	if !slices.Equal(got, want) {
		t.Errorf("fields\n%v\nwant\n%v", got, want)
	}
}

func TestNoStatement(t *testing.T) {
	for _, s := range []string{``, `null`, `[]`, `"x"`, `{"puid":"a","puid":"b"}`, `{`} {
		if f := Check([]byte(s)); len(f) != 1 || f[0].Rule != "kind" {
			t.Errorf("%s: %+v", s, f)
		}
	}
}

var neededIf = regexp.MustCompile(`^required if (\w+) (?:contains|=) (\w+)`)

// refuses is a second reading of the validator, from the schema file alone. It returns
// the first field that it refuses, or "".
func (s *schemaFile) refuses(v map[string]any) string {
	filled := func(name string) []string {
		switch f := v[name].(type) {
		case string: // the database trims
			if text := trimmed(f); text != "" {
				return []string{text}
			}
		case []any:
			var list []string
			for _, e := range f {
				list = append(list, trimmed(fmt.Sprint(e)))
			}
			return list
		}
		return nil
	}
	for _, f := range s.Fields {
		list := filled(f.Name)
		if m := neededIf.FindStringSubmatch(f.Condition); m != nil {
			if chosen := slices.Contains(filled(m[1]), m[2]); chosen != (len(list) > 0) {
				return f.Name
			}
		}
		if f.Required == true && len(list) == 0 {
			return f.Name
		}
		for _, text := range list {
			switch {
			case f.MaxLengthChars > 0 && utf8.RuneCountInString(text) > f.MaxLengthChars,
				f.Pattern != "" && !regexp.MustCompile(strings.Replace(f.Pattern, "9-_]", `9_-]`, 1)).MatchString(text),
				f.Enum != "" && !slices.Contains(s.values(f.Enum), text):
				return f.Name
			case f.Type == "date":
				if _, err := time.Parse("2006-01-02", text); err != nil || f.Min != "" && text < f.Min || text > f.Max {
					return f.Name
				}
			}
		}
	}
	if len(filled("decision_visibility"))+len(filled("decision_monetary"))+len(filled("decision_provision"))+len(filled("decision_account")) == 0 {
		return "decision_visibility"
	}
	return ""
}

// TestSecondReading mixes the changes of all broken cases at random, and values of the
// schema with them: what Check accepts the second reading accepts, and what the second
// reading refuses Check refuses.
func TestSecondReading(t *testing.T) {
	s := readSchema(t)
	r := rand.New(rand.NewPCG(9, 9))
	patches := slices.Sorted(maps.Values(broken))
	accepted := 0
	for range 5000 {
		v := maps.Clone([]map[string]any{s.Minimal, s.Infrastructure}[r.IntN(2)])
		for range r.IntN(4) {
			f := s.Fields[r.IntN(len(s.Fields))]
			switch {
			case r.IntN(3) == 0:
				delete(v, f.Name)
			case r.IntN(3) == 0:
				for name, value := range change(t, s, patches[r.IntN(len(patches))]) {
					if r.IntN(2) == 0 {
						v[name] = value
					}
				}
			case f.Enum != "":
				values := s.values(f.Enum)
				one := any(values[r.IntN(len(values))])
				if f.Type == "array<enum>" {
					one = []any{one}
				}
				v[f.Name] = one
			case f.Type == "date":
				v[f.Name] = "2026-11-23"
			case f.Type == "string" && f.Pattern == "":
				v[f.Name] = "a text"
			}
		}
		b := encode(t, v)
		faults, refused := Check(b), s.refuses(v)
		if len(faults) == 0 {
			accepted++
		}
		if len(faults) == 0 && refused != "" {
			t.Fatalf("accepted, and %s is wrong: %s", refused, b)
		}
		for _, f := range faults { // of rules that the second reading has
			if refused == "" && slices.Contains([]string{"required", "required_if", "one_of_four", "max_length", "value", "date", "min", "max"}, f.Rule) {
				t.Fatalf("refused for %+v, and the second reading finds nothing: %s", f, b)
			}
		}
	}
	if accepted < 250 || accepted > 4750 {
		t.Errorf("%d of 5000 were accepted: the mix shows little", accepted)
	}
}

func FuzzCheck(f *testing.F) {
	s := readSchema(f)
	f.Add(encode(f, s.Minimal))
	f.Add(encode(f, s.Infrastructure))
	for _, patch := range broken {
		f.Add(encode(f, change(f, s, patch)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(Check(b)) > 0 {
			return
		}
		var v map[string]any
		if err := json.Unmarshal(b, &v); err != nil {
			t.Fatalf("accepted, and no JSON: %v", err)
		}
		if refused := s.refuses(v); refused != "" {
			t.Errorf("accepted, and %s is wrong: %s", refused, b)
		}
	})
}

func TestCheckAll(t *testing.T) {
	s := readSchema(t)
	many := func(n int) (all []jsontext.Value) {
		for i := range n {
			all = append(all, encode(t, change(t, s, fmt.Sprintf(`{"puid":"n-%d"}`, i))))
		}
		return all
	}
	for n, rule := range map[int]string{0: "count", 1: "", 100: "", 101: "count"} {
		wrong := CheckAll(many(n))
		if rule == "" && len(wrong) > 0 || rule != "" && (len(wrong) != 1 || wrong[0].Place != -1 || wrong[0].Faults[0].Rule != rule) {
			t.Errorf("%d statements: %+v", n, wrong)
		}
	}
	twice := append(many(3), many(1)...)
	if wrong := CheckAll(twice); len(wrong) != 1 || wrong[0].Place != 3 || wrong[0].PUID != "n-0" || wrong[0].Faults[0].Rule != "unique" {
		t.Errorf("the same puid twice: %+v", wrong)
	}
	bad := append(many(2), encode(t, change(t, s, broken["category/value"])))
	if wrong := CheckAll(bad); len(wrong) != 1 || wrong[0].Place != 2 || wrong[0].Faults[0].Field != "category" {
		t.Errorf("one is wrong: %+v", wrong)
	}
}

// TestReadStatements: what WriteStatements writes comes back, and so do lines.
func TestReadStatements(t *testing.T) {
	s := readSchema(t)
	all := []jsontext.Value{encode(t, s.Minimal), encode(t, s.Infrastructure)}
	var bulk bytes.Buffer
	if err := WriteStatements(&bulk, all); err != nil {
		t.Fatal(err)
	}
	lines := string(all[0]) + "\n" + string(all[1]) + "\n"
	for _, text := range []string{bulk.String(), lines} {
		got, err := ReadStatements([]byte(text))
		if err != nil || len(got) != 2 || !bytes.Equal(got[0], all[0]) || !bytes.Equal(got[1], all[1]) {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
	if _, err := ReadStatements([]byte(lines + "{")); err == nil || !strings.Contains(err.Error(), "statement 2") {
		t.Errorf("cut short: %v", err)
	}
}
