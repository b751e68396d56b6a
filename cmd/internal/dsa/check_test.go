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

// broken has a statement for each rule that breaks it and no other: what is changed in
// an example, null meaning that a field is left out and "null" that it is null.
var broken = map[string]string{
	"puid/required": `{"puid":null}`, "puid/max_length": `{"puid":"LONG501"}`, "puid/pattern": `{"puid":"d 1"}`, "puid/kind": `{"puid":1}`,
	"decision_visibility/one_of_four":              `{"decision_visibility":null}`,
	"decision_visibility/value":                    `{"decision_visibility":["DECISION_VISIBILITY_GONE"]}`,
	"decision_visibility/kind":                     `{"decision_provision":"DECISION_PROVISION_TOTAL_TERMINATION","decision_visibility":"DECISION_VISIBILITY_CONTENT_REMOVED"}`,
	"decision_visibility_other/required_if":        `{"decision_visibility":["DECISION_VISIBILITY_OTHER"]}`,
	"decision_visibility_other/excluded":           `{"decision_visibility_other":"hidden"}`,
	"decision_visibility_other/max_length":         `{"decision_visibility":["DECISION_VISIBILITY_OTHER"],"decision_visibility_other":"LONG501"}`,
	"decision_visibility_other/kind":               `{"decision_visibility":["DECISION_VISIBILITY_OTHER"],"decision_visibility_other":["x"]}`,
	"end_date_visibility_restriction/date":         `{"end_date_visibility_restriction":"2026-11-31"}`,
	"end_date_visibility_restriction/max":          `{"end_date_visibility_restriction":"2038-01-02"}`,
	"end_date_visibility_restriction/kind":         `{"end_date_visibility_restriction":20261123}`,
	"decision_monetary/value":                      `{"decision_monetary":"DECISION_MONETARY_FINE"}`,
	"decision_monetary/kind":                       `{"decision_monetary":["DECISION_MONETARY_SUSPENSION"]}`,
	"decision_monetary_other/required_if":          `{"decision_monetary":"DECISION_MONETARY_OTHER"}`,
	"decision_monetary_other/excluded":             `{"decision_monetary_other":"fined"}`,
	"decision_monetary_other/max_length":           `{"decision_monetary":"DECISION_MONETARY_OTHER","decision_monetary_other":"LONG501"}`,
	"decision_monetary_other/kind":                 `{"decision_monetary":"DECISION_MONETARY_OTHER","decision_monetary_other":7}`,
	"end_date_monetary_restriction/date":           `{"end_date_monetary_restriction":"23.11.2026"}`,
	"end_date_monetary_restriction/max":            `{"end_date_monetary_restriction":"2040-01-01"}`,
	"end_date_monetary_restriction/kind":           `{"end_date_monetary_restriction":true}`,
	"decision_provision/value":                     `{"decision_provision":"TOTAL"}`,
	"decision_provision/kind":                      `{"decision_provision":{}}`,
	"end_date_service_restriction/date":            `{"end_date_service_restriction":"2026-11-23T08:00:00Z"}`,
	"end_date_service_restriction/max":             `{"end_date_service_restriction":"2038-01-02"}`,
	"end_date_service_restriction/kind":            `{"end_date_service_restriction":["2026-11-23"]}`,
	"decision_account/value":                       `{"decision_account":"DECISION_ACCOUNT_WARNED"}`,
	"decision_account/kind":                        `{"decision_account":1}`,
	"end_date_account_restriction/date":            `{"end_date_account_restriction":"soon"}`,
	"end_date_account_restriction/max":             `{"end_date_account_restriction":"9999-12-31"}`,
	"end_date_account_restriction/kind":            `{"end_date_account_restriction":1}`,
	"account_type/value":                           `{"account_type":"ACCOUNT_TYPE_STATE"}`,
	"account_type/kind":                            `{"account_type":false}`,
	"decision_ground/required":                     `{"decision_ground":null,"illegal_content_legal_ground":null,"illegal_content_explanation":null}`,
	"decision_ground/value":                        `{"decision_ground":"DECISION_GROUND_TASTE","illegal_content_legal_ground":null,"illegal_content_explanation":null}`,
	"decision_ground/kind":                         `{"decision_ground":1,"illegal_content_legal_ground":null,"illegal_content_explanation":null}`,
	"decision_ground_reference_url/url":            `{"decision_ground_reference_url":"terms, section 4"}`,
	"decision_ground_reference_url/max_length":     `{"decision_ground_reference_url":"https://example.com/LONG501"}`,
	"decision_ground_reference_url/kind":           `{"decision_ground_reference_url":["https://example.com/"]}`,
	"illegal_content_legal_ground/required_if":     `{"illegal_content_legal_ground":null}`,
	"illegal_content_legal_ground/excluded":        `{"incompatible":1,"illegal_content_legal_ground":"a law"}`,
	"illegal_content_legal_ground/max_length":      `{"illegal_content_legal_ground":"LONG501"}`,
	"illegal_content_legal_ground/kind":            `{"illegal_content_legal_ground":1}`,
	"illegal_content_explanation/required_if":      `{"illegal_content_explanation":"  "}`,
	"illegal_content_explanation/excluded":         `{"incompatible":1,"illegal_content_explanation":"why"}`,
	"illegal_content_explanation/max_length":       `{"illegal_content_explanation":"LONG2001"}`,
	"illegal_content_explanation/kind":             `{"illegal_content_explanation":["why"]}`,
	"incompatible_content_ground/required_if":      `{"incompatible":1,"incompatible_content_ground":null}`,
	"incompatible_content_ground/excluded":         `{"incompatible_content_ground":"terms"}`,
	"incompatible_content_ground/max_length":       `{"incompatible":1,"incompatible_content_ground":"LONG501"}`,
	"incompatible_content_ground/kind":             `{"incompatible":1,"incompatible_content_ground":1}`,
	"incompatible_content_explanation/excluded":    `{"incompatible_content_explanation":"why"}`,
	"incompatible_content_explanation/required_if": `{"incompatible":1,"incompatible_content_explanation":null}`,
	"incompatible_content_explanation/max_length":  `{"incompatible":1,"incompatible_content_explanation":"LONG2001"}`,
	"incompatible_content_explanation/kind":        `{"incompatible":1,"incompatible_content_explanation":{}}`,
	"incompatible_content_illegal/excluded":        `{"incompatible_content_illegal":"Yes"}`,
	"incompatible_content_illegal/value":           `{"incompatible":1,"incompatible_content_illegal":"Perhaps"}`,
	"incompatible_content_illegal/null":            `{"incompatible":1,"incompatible_content_illegal":"null"}`,
	"incompatible_content_illegal/kind":            `{"incompatible":1,"incompatible_content_illegal":true}`,
	"category/required":                            `{"category":""}`,
	"category/value":                               `{"category":"STATEMENT_CATEGORY_PORNOGRAPHY"}`,
	"category/kind":                                `{"category":["STATEMENT_CATEGORY_VIOLENCE"]}`,
	"category_addition/value":                      `{"category_addition":["VIOLENCE"]}`,
	"category_addition/null":                       `{"category_addition":"null"}`,
	"category_addition/kind":                       `{"category_addition":"STATEMENT_CATEGORY_VIOLENCE"}`,
	"category_specification/value":                 `{"category_specification":["KEYWORD_DANGEROUS_TOYS"]}`,
	"category_specification/kind":                  `{"category_specification":"KEYWORD_PHISHING"}`,
	"category_specification_other/excluded":        `{"category_specification_other":"else"}`,
	"category_specification_other/max_length":      `{"category_specification":["KEYWORD_OTHER"],"category_specification_other":"LONG501"}`,
	"category_specification_other/kind":            `{"category_specification":["KEYWORD_OTHER"],"category_specification_other":1}`,
	"content_type/required":                        `{"content_type":[]}`,
	"content_type/value":                           `{"content_type":["CONTENT_TYPE_WEBSITE"]}`,
	"content_type/kind":                            `{"content_type":"CONTENT_TYPE_TEXT"}`,
	"content_type_other/required_if":               `{"content_type":["CONTENT_TYPE_TEXT","CONTENT_TYPE_OTHER"]}`,
	"content_type_other/excluded":                  `{"content_type_other":"a website"}`,
	"content_type_other/max_length":                `{"content_type":["CONTENT_TYPE_OTHER"],"content_type_other":"LONG501"}`,
	"content_type_other/kind":                      `{"content_type":["CONTENT_TYPE_OTHER"],"content_type_other":1}`,
	"content_language/value":                       `{"content_language":"en"}`,
	"content_language/kind":                        `{"content_language":["EN"]}`,
	"content_date/required":                        `{"content_date":null}`,
	"content_date/date":                            `{"content_date":"2026-1-2"}`,
	"content_date/min":                             `{"content_date":"1999-12-31"}`,
	"content_date/max":                             `{"content_date":"2038-01-02"}`,
	"content_date/kind":                            `{"content_date":2026}`,
	"content_id/pattern":                           `{"content_id":{"EAN-13":"123456789012"}}`,
	"content_id/kind":                              `{"content_id":{"ISBN":"1234567890123"}}`,
	"content_id_ean/unknown":                       `{"content_id_ean":"1234567890123"}`,
	"territorial_scope/value":                      `{"territorial_scope":["DE","US"]}`,
	"territorial_scope/kind":                       `{"territorial_scope":"DE"}`,
	"application_date/required":                    `{"application_date":null}`,
	"application_date/date":                        `{"application_date":"2026-13-01"}`,
	"application_date/min":                         `{"application_date":"2019-12-31"}`,
	"application_date/max":                         `{"application_date":"2038-01-02"}`,
	"application_date/kind":                        `{"application_date":{}}`,
	"decision_facts/required":                      `{"decision_facts":"\u200b \ufeff"}`,
	"decision_facts/max_length":                    `{"decision_facts":"LONG5001"}`,
	"decision_facts/kind":                          `{"decision_facts":["facts"]}`,
	"source_type/required":                         `{"source_type":null}`,
	"source_type/value":                            `{"source_type":"SOURCE_ORDER"}`,
	"source_type/kind":                             `{"source_type":1}`,
	"source_identity/excluded":                     `{"source_identity":"a neighbour"}`,
	"source_identity/max_length":                   `{"source_type":"SOURCE_TRUSTED_FLAGGER","source_identity":"LONG501"}`,
	"source_identity/kind":                         `{"source_identity":1}`,
	"automated_detection/required":                 `{"automated_detection":null}`,
	"automated_detection/value":                    `{"automated_detection":"yes"}`,
	"automated_detection/kind":                     `{"automated_detection":true}`,
	"automated_decision/required":                  `{"automated_decision":null}`,
	"automated_decision/value":                     `{"automated_decision":"AUTOMATED_DECISION_MOSTLY"}`,
	"automated_decision/kind":                      `{"automated_decision":1}`,
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
