package main

import (
	"bytes"
	"context"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/docket-ledger/docket/cmd/internal/cli"
	"github.com/docket-ledger/docket/verify/record"
)

// TestWalkWithoutTerminal: a pipe is not asked.
func TestWalkWithoutTerminal(t *testing.T) {
	out := filepath.Join(t.TempDir(), "d.draft")
	for _, args := range []string{"", "--from http://127.0.0.1:1", "--policy-record p.json", "--continue a.yaml",
		"d.yaml --policy-record p.json", "d.yaml --continue a.yaml"} {
		var said bytes.Buffer
		err := run(context.Background(), append(strings.Fields("decide --out "+out), strings.Fields(args)...),
			cli.Streams{In: strings.NewReader("example-1\n"), Out: &said, Err: &said})
		if code := cli.Code(err); code != 2 || said.Len() > 0 {
			t.Errorf("docket decide %s: exit code %d (%v), said %q; want 2 and nothing", args, code, err, said.String())
		}
	}
}

// TestQuestionsAreMembers wants each question to be for a text of the schema, once.
func TestQuestionsAreMembers(t *testing.T) {
	seen := map[string]bool{}
	for _, q := range questions {
		typ := reflect.TypeFor[record.Decision]()
		for name := range strings.SplitSeq(q.member, "/") {
			if typ.Kind() == reflect.Pointer {
				typ = typ.Elem()
			}
			typ = members(typ)[name]
			if typ == nil {
				t.Fatalf("the schema has no member %s", q.member)
			}
		}
		if seen[q.member] || (q.prompt == "") != (q.find != nil) {
			t.Errorf("%s is asked twice, or without words", q.member)
		}
		seen[q.member] = true
	}
}

// TestAnswersComeBack writes texts as a sheet and reads them again.
func TestAnswersComeBack(t *testing.T) {
	for _, text := range []string{
		"word", "true", "no", "null", "~", "17", "1.5", "2026-11-23", "2026-11-23T08:00:00Z", "a: b", "# no comment", "- no list",
		"'", `"`, `\n`, `back\slash`, "&a", "*a", "!a", "{a", "[a", "%a", "@a", "`a", "|", ">", "größe 北京", "\U0001f600",
		"a\tb", "\x7f", "\u0085", "\u2028", "\ufeff", "\x1b[2J", "\x00",
		"two\nlines", "with\n\nan empty line", "  indented\nfirst", "first\n  indented", "# a\n# b", "a: b\nc: d", "---\n...", "'\n\"",
		"trailing \nspace", "tab\n\tindented", "ends\n", "a\n\n", "\nbegins", "a\r\nb", "\u2028\nx", "- a\n- b",
	} {
		want := map[string]any{"facts": text, "subject": map[string]any{"name": text},
			"grounds": []any{map[string]any{"clause": text, "version": int64(3)}, map[string]any{"record": text}}, "territory": []any{text, "AT"}}
		spelled := writeSheet(want)
		s, err := parseSheet("a.yaml", spelled)
		if err != nil || !reflect.DeepEqual(s.value, want) {
			t.Errorf("%q came back as %+v (%v) from\n%s", text, s, err, spelled)
		}
	}
}

// TestWithoutComments keeps what is no comment.
func TestWithoutComments(t *testing.T) {
	for in, want := range map[string]string{
		"":                           "",
		"\n# a\n# b\n":               "",
		"one\n\n two # here\n# no\n": "one\n\n two # here",
		"#\nlast":                    "last",
	} {
		if got := withoutComments(in); got != want {
			t.Errorf("withoutComments(%q) = %q, want %q", in, got, want)
		}
	}
}
