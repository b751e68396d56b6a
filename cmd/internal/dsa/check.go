package dsa

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json"

	"github.com/docket-ledger/docket/verify/record"
)

// A Fault is something in a statement that the database refuses, or drops.
type Fault struct {
	Field string
	// Rule is the name of the rule, one of Rules; Text says what is wrong, and
	// Advice what to do.
	Rule, Text, Advice string
}

// Rules has each rule of the database by its name, in words.
var Rules = map[string]string{
	"required":    "The field must be there, and not be empty.",
	"required_if": "The field must be there because of what another field says.",
	"one_of_four": "At least one of decision_visibility, decision_monetary, decision_provision and decision_account must be there.",
	"excluded":    "The database drops the field because of what another field says.",
	"unknown":     "The database has no such field at its bulk endpoint, and drops it.",
	"kind":        "The field must be a text, a list of texts or an object.",
	"null":        "The field must not be null; leave it out.",
	"max_length":  "The text is longer than the database takes.",
	"pattern":     "The text has not the form that the database takes.",
	"value":       "The value is none of those that the database knows.",
	"date":        "The date must be a day like 2026-11-23.",
	"min":         "The day is before the first one that the database takes.",
	"max":         "The day is after the last one that the database takes.",
	"url":         "The text must be a URL.",
	"count":       "The database takes 1 to 100 statements at once.",
	"unique":      "The puid must be there once.",
}

// kinds of fields.
const (
	isText = iota
	isList
	isDay
	isProduct
)

// A field is what the database demands of one.
type field struct {
	name     string
	kind     int
	required bool
	notNull  bool // the database takes no null; others may be null if they are not required
	most     int  // characters of a text, 0 for no bound
	form     *regexp.Regexp
	rule     string // that form stands for
	values   []string
	min      string // day
	// goes with a value of another field: demanded then, and dropped otherwise.
	with, value string
	// optional is not demanded with that value.
	optional bool
	// from says where the value comes from.
	from string
}

const lastDay = "2038-01-01"

var (
	puidForm    = regexp.MustCompile(`^[a-zA-Z0-9_-]+$`)
	productForm = regexp.MustCompile(`^[0-9]{13}$`)
	// urlForm is what the database's framework takes for a URL, of http and https.
	urlForm = regexp.MustCompile(`(?i)^https?://(?:(?:(?:[_.\pL\pN-]|%[0-9A-F]{2})+:)?(?:[_.\pL\pN-]|%[0-9A-F]{2})+@)?` +
		`(?:[\pL\pN\pS_.-]+|\[[0-9a-f:.]+\])(?::[0-9]+)?` +
		`(?:/(?:[\pL\pN._~!$&'()*+,;=:@-]|%[0-9A-F]{2})*)*` +
		`(?:\?(?:[\pL\pN._~!$&'\[\]()*+,;=:@/?-]|%[0-9A-F]{2})*)?(?:#(?:[\pL\pN._~!$&'()*+,;=:@/?-]|%[0-9A-F]{2})*)?$`)
)

func isURL(s string) bool { return urlForm.MatchString(s) && utf8.RuneCountInString(s) <= 500 }

var yesNo = []string{"Yes", "No"}

// fields are those of the bulk endpoint, in the order of the schema.
var fields = []field{
	{name: "puid", required: true, most: 500, form: puidForm, rule: "pattern", from: "the record's id"},
	{name: "decision_visibility", kind: isList, values: record.DSAValues["decision_visibility"]},
	{name: "decision_visibility_other", most: 500, with: "decision_visibility", value: "DECISION_VISIBILITY_OTHER"},
	{name: "end_date_visibility_restriction", kind: isDay, from: "until"},
	{name: "decision_monetary", values: record.DSAValues["decision_monetary"]},
	{name: "decision_monetary_other", most: 500, with: "decision_monetary", value: "DECISION_MONETARY_OTHER"},
	{name: "end_date_monetary_restriction", kind: isDay, from: "until"},
	{name: "decision_provision", values: record.DSAValues["decision_provision"]},
	{name: "end_date_service_restriction", kind: isDay, from: "until"},
	{name: "decision_account", values: record.DSAValues["decision_account"]},
	{name: "end_date_account_restriction", kind: isDay, from: "until"},
	{name: "account_type", values: record.DSAValues["account_type"]},
	{name: "decision_ground", required: true, values: record.DSAValues["decision_ground"]},
	{name: "decision_ground_reference_url", most: 500, form: urlForm, rule: "url"},
	{name: "illegal_content_legal_ground", most: 500, with: "decision_ground", value: illegal},
	{name: "illegal_content_explanation", most: 2000, with: "decision_ground", value: illegal, from: "dsa/illegal_content_explanation, or reasons"},
	{name: "incompatible_content_ground", most: 500, with: "decision_ground", value: incompatible, from: "dsa/incompatible_content_ground, or the first of grounds"},
	{name: "incompatible_content_explanation", most: 2000, with: "decision_ground", value: incompatible, from: "dsa/incompatible_content_explanation, or reasons"},
	{name: "incompatible_content_illegal", notNull: true, values: yesNo, with: "decision_ground", value: incompatible, optional: true},
	{name: "category", required: true, values: record.DSAValues["category"]},
	{name: "category_addition", kind: isList, notNull: true, values: record.DSAValues["category_addition"]},
	{name: "category_specification", kind: isList, values: record.DSAValues["category_specification"]},
	{name: "category_specification_other", most: 500, with: "category_specification", value: "KEYWORD_OTHER", optional: true},
	{name: "content_type", kind: isList, required: true, values: record.DSAValues["content_type"]},
	{name: "content_type_other", most: 500, with: "content_type", value: "CONTENT_TYPE_OTHER"},
	{name: "content_language", values: record.DSAValues["content_language"]},
	{name: "content_date", kind: isDay, required: true, min: "2000-01-01"},
	{name: "content_id", kind: isProduct, from: "dsa/content_id_ean"},
	{name: "territorial_scope", kind: isList, values: EEA, from: "territory"},
	{name: "application_date", kind: isDay, required: true, min: "2020-01-01", from: "effective_at"},
	{name: "decision_facts", required: true, most: 5000, from: "facts"},
	{name: "source_type", required: true, values: []string{"SOURCE_ARTICLE_16", "SOURCE_TRUSTED_FLAGGER", "SOURCE_TYPE_OTHER_NOTIFICATION", voluntary}, from: "trigger/kind"},
	{name: "source_identity", most: 500, from: "trigger/reporter or trigger/authority"},
	{name: "automated_detection", required: true, values: yesNo, from: "automation/detection"},
	{name: "automated_decision", required: true, values: []string{"AUTOMATED_DECISION_FULLY", "AUTOMATED_DECISION_PARTIALLY", "AUTOMATED_DECISION_NOT_AUTOMATED"}, from: "automation/decision"},
}

// Check does a dry run of the database's validator over the JSON of a statement: the
// rules of its bulk endpoint for one statement, by the fields in the order of its schema.
// What is only dropped is a fault, too: the statement would not say what it was meant to.
// CheckAll has the rules for several.
func Check(statement []byte) []Fault {
	c := &check{}
	if err := json.Unmarshal(statement, &c.value); err != nil || c.value == nil {
		return []Fault{{"", "kind", "The statement is no JSON object.", "Send what docket-mirror export wrote, unchanged."}}
	}
	for _, f := range fields {
		c.field(f)
	}
	if !slices.ContainsFunc([]string{"decision_visibility", "decision_monetary", "decision_provision", "decision_account"}, c.has) {
		c.fault(field{name: "decision_visibility"}, "one_of_four", Rules["one_of_four"])
	}
	if c.has("source_identity") && c.holds("source_type", voluntary) {
		c.fault(field{name: "source_identity"}, "excluded", "source_identity is dropped with "+voluntary+".")
	}
	for _, name := range slices.Sorted(maps.Keys(c.value)) {
		if !slices.ContainsFunc(fields, func(f field) bool { return f.name == name }) {
			c.fault(field{name: name}, "unknown", fmt.Sprintf("%.60q is no field of the bulk endpoint, and is dropped.", name))
		}
	}
	return c.faults
}

type check struct {
	value  map[string]any
	faults []Fault
}

func (c *check) fault(f field, rule, text string) {
	c.faults = append(c.faults, Fault{f.name, rule, text, advice(f)})
}

// advice says what can be done about a field of a decision that is in the log for ever.
func advice(f field) string {
	from := cmp.Or(f.from, "dsa/"+f.name)
	can := "which stays as it is in the log"
	if slices.ContainsFunc(record.Correctable, func(m string) bool { return strings.Contains(from, m) }) {
		can = "which docket correct can correct if that was a slip"
	}
	return fmt.Sprintf("It comes from %s of the decision, %s. Or mend the statement in refused.jsonl and send it by hand: docs/dsa.md says how.", from, can)
}

// trimmed is a text as the database takes it; it trims all of them.
func trimmed(s string) string {
	return strings.TrimFunc(s, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune("\u200b\u200e\ufeff\x00", r) })
}

// texts returns what a field holds, and whether it is of the right kind. A field that is
// absent, null or empty holds nothing.
func texts(f field, v any) (list []string, ok bool) {
	switch v := v.(type) {
	case nil:
		return nil, true
	case string:
		if t := trimmed(v); t != "" {
			list = []string{t}
		}
		return list, f.kind == isText || f.kind == isDay
	case []any:
		for _, e := range v {
			s, isString := e.(string)
			if !isString {
				return nil, false
			}
			list = append(list, trimmed(s))
		}
		return list, f.kind == isList
	case map[string]any:
		s, isString := v["EAN-13"].(string)
		return []string{s}, f.kind == isProduct && isString && len(v) == 1
	}
	return nil, false
}

func (c *check) has(name string) bool {
	list, _ := texts(field{}, c.value[name])
	return len(list) > 0
}

// holds reports whether a value is that of a field, or among them.
func (c *check) holds(name, value string) bool {
	list, _ := texts(field{}, c.value[name])
	return slices.Contains(list, value)
}

func (c *check) field(f field) {
	v, there := c.value[f.name]
	list, ok := texts(f, v)
	switch {
	case !ok:
		c.fault(f, "kind", f.name+" must be "+[]string{"a text", "a list of texts", "a text", "an object with EAN-13 alone"}[f.kind]+".")
		return
	case there && v == nil && f.notNull:
		c.fault(f, "null", f.name+" must not be null; leave it out.")
	case len(list) == 0 && f.required:
		c.fault(f, "required", f.name+" is missing.")
	case len(list) == 0 && f.with != "" && !f.optional && c.holds(f.with, f.value):
		c.fault(f, "required_if", fmt.Sprintf("%s is missing, and %s is %s.", f.name, f.with, f.value))
	case len(list) > 0 && f.with != "" && !c.holds(f.with, f.value):
		c.fault(f, "excluded", fmt.Sprintf("%s is dropped unless %s is %s.", f.name, f.with, f.value))
	}
	for _, s := range list {
		c.text(f, s)
	}
}

// text looks at one value.
func (c *check) text(f field, s string) {
	if n := utf8.RuneCountInString(s); f.most > 0 && n > f.most {
		c.fault(f, "max_length", fmt.Sprintf("%s has %d characters, and the database takes %d at most.", f.name, n, f.most))
	}
	if f.form != nil && !f.form.MatchString(s) {
		c.fault(f, f.rule, fmt.Sprintf("%s is %.80q: %s", f.name, s, Rules[f.rule]))
	}
	if f.values != nil && !slices.Contains(f.values, s) {
		c.fault(f, "value", fmt.Sprintf("%s is %.80q: %s", f.name, s, Rules["value"]))
	}
	switch f.kind {
	case isProduct:
		if !productForm.MatchString(s) {
			c.fault(f, "pattern", f.name+" has an EAN-13 that is not of 13 digits.")
		}
	case isDay:
		c.day(f, s)
	}
}

func (c *check) day(f field, s string) {
	t, err := time.Parse(time.DateOnly, s)
	switch {
	case err != nil || t.Format(time.DateOnly) != s:
		c.fault(f, "date", fmt.Sprintf("%s is %.80q: %s", f.name, s, Rules["date"]))
	case s < f.min:
		c.fault(f, "min", fmt.Sprintf("%s is %s, and the first day that the database takes is %s.", f.name, s, f.min))
	case s > lastDay:
		c.fault(f, "max", fmt.Sprintf("%s is %s, and the last day that the database takes is %s.", f.name, s, lastDay))
	}
}
