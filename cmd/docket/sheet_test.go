package main

import (
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/docket-ledger/docket/cmd/internal/keyfile"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/telling"
)

// readDecision reads a YAML file as docket decide does.
func readDecision(t *testing.T, text string) (*record.Decision, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "subject.key")
	if _, err := keyfile.NewSubjectKey(path); err != nil {
		t.Fatal(err)
	}
	s, err := parseSheet("d.yaml", []byte(text))
	if err != nil {
		return nil, err
	}
	if err := s.pseudonym(path); err != nil {
		return nil, err
	}
	d := &record.Decision{}
	if err := s.payload(d, record.TypeDecision, ""); err != nil {
		return nil, err
	}
	_, err = record.NewDraft(d)
	return d, s.explain(err)
}

var now = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)

func TestExample(t *testing.T) {
	d, err := readDecision(t, exampleDecision(now))
	if err != nil {
		t.Fatal(err)
	}
	if d.Case != "example-1" || d.DecidedAt.Unix() != now.Unix() || len(d.Subject.Ref) != 43 || d.Facts != "A page of the site offered malware for download on three days." {
		t.Errorf("the example reads as %+v", d)
	}
}

// TestExampleIsWhole wants every member of the schema in the example, as a
// member or as a comment.
func TestExampleIsWhole(t *testing.T) {
	var want func(path string, typ reflect.Type)
	want = func(path string, typ reflect.Type) {
		for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice {
			typ = typ.Elem()
		}
		if typ.Kind() != reflect.Struct {
			return
		}
		for name, field := range members(typ) {
			if !strings.Contains(exampleYAML, name+":") && name != "type" {
				t.Errorf("the example has no %s", join(path, name))
			}
			want(join(path, name), field)
		}
	}
	want("", reflect.TypeFor[record.Decision]())
}

func TestFaults(t *testing.T) {
	for _, c := range []struct{ name, old, new, want string }{
		{"unknown member", "service_layer:", "servicelayer:", "d.yaml:9: there is no member servicelayer; did you mean \"service_layer\"?"},
		{"unknown inner member", "    clause: hosting", "    clauses: hosting", "there is no member grounds/0/clauses; did you mean \"clause\"?"},
		{"far from all", "lang: en", "language_of_it: en", "the members here are action, alternatives,"},
		{"wrong action", "action: suspend", "action: suspended", `d.yaml:8: action: found "suspended", want one of terminate, suspend, restrict, warn, decline, forward, reinstate; did you mean "suspend"?`},
		{"wrong layer", "service_layer: hosting", "service_layer: hostin", `did you mean "hosting"?`},
		{"wrong kind", "kind: notice", "kind: notise", `did you mean "notice"?`},
		{"number for text", "case: example-1 ", "case: 17 ", "case: found the number 17, want a text; put it in quotes"},
		{"text for number", "version: 1", "version: one", `grounds/0/version: found the text "one", want an integer`},
		{"no list", "grounds:\n  - policy: abuse\n    version: 1\n    clause: hosting\n    record: d-47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU", "grounds: abuse", `grounds: found the text "abuse", want a list`},
		{"a day for a time", "decided_at: 2026-11-23T08:00:00Z", "decided_at: 2026-11-23", `decided_at: "2026-11-23" is not a time like`},
		{"missing", "reasons: |\n  The operator was told twice and did not answer.\n", "", "reasons: found nothing, want a text"},
		{"twice", "lang: en", "lang: en\nlang: de", "lang"},
		{"anchor", "lang: en", "lang: &x en", "want a text"},
		{"null is left out", "lang: en", "lang:", "lang: found nothing"},
		{"another type", "lang: en", "lang: en\ntype: charter", `type is "charter"; want decision`},
		{"no YAML", "lang: en", "lang: [", "d.yaml:"},
		{"true", "lang: en", "lang: true", "lang: found true, want a text"},
		{"bad domain", "name: example.com", "name: exa mple.com", "d.yaml:"},
	} {
		text := exampleDecision(now)
		if !strings.Contains(text, c.old) {
			t.Fatalf("%s: the example does not have %q", c.name, c.old)
		}
		_, err := readDecision(t, strings.Replace(text, c.old, c.new, 1))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}

func TestAllFaultsAtOnce(t *testing.T) {
	_, err := readDecision(t, "subject: {ref: x}\nactoin: warn\nfact: x\n")
	if err == nil || strings.Count(err.Error(), "did you mean") != 2 {
		t.Errorf("got %v, want two faults", err)
	}
}

func TestWordsAreHarmless(t *testing.T) {
	for text, want := range map[string]string{
		"a\x1b[2Jb":        "a<U+001B>[2Jb",
		"a\u202eb":         "a<U+202E>b",
		"größe 北京":         "größe 北京",
		"zero\u200bwidth":  "zero<U+200B>width",
		"carriage\rreturn": "carriage<U+000D>return",
	} {
		if got := telling.Plain(text); got != want {
			t.Errorf("Plain(%q) = %q, want %q", text, got, want)
		}
	}
}

// TestSubjectWithoutType takes a name that is a domain for one.
func TestSubjectWithoutType(t *testing.T) {
	d, err := readDecision(t, strings.Replace(exampleDecision(now), "  type: domain", "  # no type", 1))
	if err != nil || d.Subject.Type != "domain" {
		t.Errorf("got %v, want a domain", err)
	}
}
