package record_test

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/docket-ledger/docket/verify/record"
)

// samples are payloads that together have every member.
var samples = map[string]func(testing.TB) record.Payload{
	"charter":        func(t testing.TB) record.Payload { return charter(t) },
	"key.enrol":      func(t testing.TB) record.Payload { return enrol(t) },
	"key.revoke":     func(t testing.TB) record.Payload { return revoke(t) },
	"policy.publish": func(t testing.TB) record.Payload { return policy(t) },
	"policy.repeal":  func(t testing.TB) record.Payload { return repeal(t) },
	"decision":       func(t testing.TB) record.Payload { return decision(t) },
	"retrospective":  func(t testing.TB) record.Payload { return retrospective(t) },
	"ratification":   func(t testing.TB) record.Payload { return ratification(t) },
	"charter.amend":  func(t testing.TB) record.Payload { return amend(t) },
	"intake":         func(testing.TB) record.Payload { return intake() },
	"proposed":       func(testing.TB) record.Payload { return proposed() },
	"delivered":      func(testing.TB) record.Payload { return delivered() },
	"appeal":         func(t testing.TB) record.Payload { return appeal(t) },
	"ruling":         func(testing.TB) record.Payload { return modified() },
	"upheld":         func(testing.TB) record.Payload { return upheld() },
	"erratum":        func(testing.TB) record.Payload { return erratum() },
	"execution":      func(testing.TB) record.Payload { return execution() },
	"timemark":       func(testing.TB) record.Payload { return timemark() },
	"export":         func(testing.TB) record.Payload { return export() },
	"erasure":        func(testing.TB) record.Payload { return erasure() },
}

var sampleTexts sync.Map // the payloads of samples, made once

// tree returns a payload as JSON values.
func tree(t testing.TB, sample string) any {
	t.Helper()
	text, ok := sampleTexts.Load(sample)
	if !ok {
		text = draft(t, samples[sample](t)).PayloadBytes()
		sampleTexts.Store(sample, text)
	}
	var v any
	if err := json.Unmarshal(text.([]byte), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// parseTree parses a draft of a payload given as JSON values.
func parseTree(t testing.TB, v any) (*record.Unverified, error) {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	value := jsontext.Value(b)
	if err := value.Canonicalize(); err != nil {
		t.Fatal(err)
	}
	return parsePayload(string(value))
}

func parsePayload(text string) (*record.Unverified, error) {
	return record.ParseDraft([]byte(loose{payload: b64(text)}.String()))
}

// walk calls visit for every value below v, with its path.
func walk(v any, path string, visit func(path string, v any)) {
	visit(path, v)
	below := func(name string, w any) { walk(w, strings.TrimPrefix(path+"/"+name, "/"), visit) }
	switch v := v.(type) {
	case map[string]any:
		for name, w := range v {
			below(name, w)
		}
	case []any:
		for i, w := range v {
			below(strconv.Itoa(i), w)
		}
	}
}

// gone is what edit puts where nothing shall be.
type gone struct{}

// edit sets the value at a path.
func edit(t testing.TB, v any, path string, to any) {
	t.Helper()
	names := strings.Split(path, "/")
	for _, name := range names[:len(names)-1] {
		switch w := v.(type) {
		case map[string]any:
			v = w[name]
		case []any:
			i, _ := strconv.Atoi(name)
			v = w[i]
		}
	}
	last := names[len(names)-1]
	switch w := v.(type) {
	case map[string]any:
		w[last] = to
		if to == (any)(gone{}) {
			delete(w, last)
		}
	case []any:
		i, _ := strconv.Atoi(last)
		w[i] = to
	default:
		t.Fatalf("nothing at %s", path)
	}
}

// TestUnknownMembers: at every level of every type.
func TestUnknownMembers(t *testing.T) {
	for name := range samples {
		walk(tree(t, name), "", func(path string, v any) {
			if _, ok := v.(map[string]any); !ok {
				return
			}
			for _, member := range []string{"_sd", "sealed", "zz", "Type"} {
				at := strings.TrimPrefix(path+"/"+member, "/")
				changed := tree(t, name)
				edit(t, changed, at, "x")
				_, err := parseTree(t, changed)
				fault{record.Malformed, "payload", at, "a member that is not known here", "it left out"}.check(t, err)
			}
		})
	}
}

// optional lists the members that may be left out. All others must be there.
var optional = map[string][]string{
	"charter":       {"founders/0/valid_until", "historic_until", "text"},
	"key.enrol":     {"valid_until"},
	"charter.amend": {"historic_until", "text"},
	"policy.publish": {"clauses/0/appeal", "clauses/0/emergency", "clauses/0/max_duration", "clauses/0/not_together", "clauses/0/notice",
		"clauses/0/notice/exempt", "clauses/0/notify_within", "clauses/0/orders", "clauses/0/quorums", "clauses/0/quorums/0/actions",
		"clauses/0/quorums/0/severities", "clauses/0/retrospective", "clauses/0/review_within", "historic"},
	"intake":    {"prev", "subject/locator", "subject/name", "trigger/authority", "trigger/legal_reference", "trigger/reporter", "summary"},
	"proposed":  {"grounds", "prev", "subject/locator", "subject/name"},
	"delivered": {"prev", "subject/locator", "subject/name"},
	"appeal":    {"filer_jwk"},
	"ruling":    {"until"},
	"execution": {"detail"},
	"export":    {"reference"},
	"decision": {"alternatives", "distinguishing_reason", "dsa", "dsa/account_type", "dsa/category_addition", "dsa/content_id_ean",
		"dsa/content_language", "dsa/decision_account", "dsa/decision_ground_reference_url", "dsa/decision_provision",
		"dsa/incompatible_content_explanation", "dsa/incompatible_content_ground", "dsa/incompatible_content_illegal", "emergency", "evidence", "grounds", "precedents", "prev", "redress", "review_at",
		"severity", "subject/locator", "subject/name", "territory", "trigger/authority", "trigger/intake", "trigger/legal_reference",
		"trigger/reporter", "until"},
	"retrospective": {"grounds", "retrospective"},
}

func TestMissingMembers(t *testing.T) {
	for name := range samples {
		walk(tree(t, name), "", func(path string, v any) {
			if last := path[strings.LastIndex(path, "/")+1:]; path == "" || last != "" && last[0] >= '0' && last[0] <= '9' {
				return // not a member of an object
			}
			changed := tree(t, name)
			edit(t, changed, path, gone{})
			_, err := parseTree(t, changed)
			if slices.Contains(optional[name], path) {
				if err != nil {
					t.Errorf("%s without %s: %v, want it accepted", name, path, err)
				}
				return
			}
			e, ok := err.(*record.Error)
			if !ok || e.Code != record.Malformed || e.Part != "payload" {
				t.Errorf("%s without %s: %v, want record.malformed", name, path, err)
				return
			}
			// Of a missing object the error names the first member; of a key
			// the key, since its coordinates mean nothing alone.
			key := strings.Contains(path, "jwk/") || strings.Contains(path, "keys/0/")
			if e.Member != path && !strings.HasPrefix(e.Member, path+"/") && !(key && strings.HasPrefix(path, e.Member)) {
				t.Errorf("%s without %s: %v, want an error about it", name, path, err)
			}
		})
	}
}

// TestOtherValues: null nowhere, and whatever else parses has one spelling.
func TestOtherValues(t *testing.T) {
	others := []any{nil, "", "x", "\x00", 0, 1, -1, 1.5, 1e300, true, false, []any{}, []any{nil}, map[string]any{}, map[string]any{"": 1}}
	for name := range samples {
		walk(tree(t, name), "", func(path string, _ any) {
			if path == "" {
				return
			}
			for _, to := range others {
				changed := tree(t, name)
				edit(t, changed, path, to)
				u, err := parseTree(t, changed)
				switch to.(type) {
				case nil, bool, float64:
					if record.CodeOf(err) != record.Malformed {
						t.Errorf("%s with %s %v: %v, want record.malformed", name, path, to, err)
					}
				}
				if err == nil {
					sameAgain(t, u)
				}
			}
		})
	}
}

// sameAgain demands that what was parsed encodes to the bytes it came from.
func sameAgain(t testing.TB, u interface {
	Payload() record.Payload
	PayloadBytes() []byte
}) {
	t.Helper()
	payload := u.PayloadBytes()
	again, err := record.NewDraft(u.Payload())
	if err != nil {
		t.Errorf("%s was parsed and can't be made: %v", payload, err)
		return
	}
	if got := again.PayloadBytes(); string(got) != string(payload) {
		t.Errorf("%s has a second spelling\n%s", payload, got)
	}
}

// TestPayloadSpelling: what JSON leaves open, in a payload whose signature
// holds.
func TestPayloadSpelling(t *testing.T) {
	key := edKey("a")
	p := plain(t)
	p.Facts = "\u00fc/<"
	good := string(draft(t, p).PayloadBytes())
	wrong := func(member, found, want string) fault {
		return fault{record.Malformed, "payload", member, found, want}
	}
	unsupported := func(member, found, want string) fault {
		return fault{record.Unsupported, "payload", member, found, want}
	}
	rows := []struct {
		name, old, new string
		want           fault
	}{
		{"blank", `,"case"`, `, "case"`, wrong("case", `, \"case`, canonical)},
		{"blank in front", good, " " + good, wrong("", `" {`, canonical)},
		{"newline at the end", good, good + "\n", wrong("", `}\n"`, canonical)},
		{"tab", `"v":1`, "\"v\":\t1", wrong("v", `\t1`, canonical)},
		{"bytes after it", good, good + "{}", wrong("", `"{}" at`, "JSON")},
		{"another order", `"facts":"ü/<","lang":"en"`, `"lang":"en","facts":"ü/<"`, wrong("facts", `\"lang`, canonical)},
		{"a member twice", `"lang":"en"`, `"lang":"en","lang":"en"`, wrong("lang", "a member that stands twice", "each member once")},
		{"a member twice, the other one empty", `"lang":"en"`, `"lang":"","lang":"en"`, wrong("lang", "a member that stands twice", "each member once")},
		{"another letter case", `"lang"`, `"LANG"`, wrong("LANG", "a member that is not known here", "it left out")},
		{"escape that need not be", "ü", `\u00fc`, wrong("facts", `\\u00fc`, canonical)},
		{"escaped slash", "ü/", `ü\/`, wrong("facts", `\\/`, canonical)},
		{"escaped as for HTML", "/<", `/\u003c`, wrong("facts", `\\u003c`, canonical)},
		{"escape in large letters", "ü", `\u000B`, wrong("facts", `\\u000B`, canonical)},
		{"long escape of a newline", "ü", `\u000a`, wrong("facts", `\\u000a`, canonical)},
		{"escape in a name", `"facts"`, `"f\u0061cts"`, wrong("facts", `\\u0061`, canonical)},
		{"control character", "ü", "\n", wrong("facts", `"\n`, "JSON")},
		{"unpaired high surrogate", "ü", `\ud800`, wrong("facts", `\\ud800`, "JSON")},
		{"unpaired low surrogate", "ü", `\udc00`, wrong("facts", `\\udc00`, "JSON")},
		{"surrogates in the wrong order", "ü", `\udc00\ud800`, wrong("facts", `\\udc00`, "JSON")},
		{"pair of surrogates escaped", "ü", `\ud83d\ude00`, wrong("facts", `\\ud83d`, canonical)},
		{"surrogate in UTF-8", "ü", "\xed\xa0\x80", wrong("facts", `\xed`, "JSON")},
		{"invalid UTF-8", "ü", "\xfc", wrong("facts", `\xfc`, "JSON")},
		{"overlong UTF-8", "ü", "\xc1\xbc", wrong("facts", `\xc1`, "JSON")},
		{"not UTF-8 at all", good, "\xff\xfe", wrong("", `\xff\xfe`, "JSON")},

		{"1.0", `"v":1`, `"v":1.0`, wrong("v", "the number 1.0", "an integer")},
		{"1e0", `"v":1`, `"v":1e0`, wrong("v", "the number 1e0", "an integer")},
		{"a string for a number", `"v":1`, `"v":"1"`, wrong("v", "a string", "an integer")},
		{"a boolean", `"lang":"en"`, `"lang":true`, wrong("lang", "a boolean", "a string")},
		{"null", `"lang":"en"`, `"lang":null`, wrong("lang", "nothing", "a BCP 47 language tag")},
		{"null for an object", `"trigger":{"kind":"own_initiative"}`, `"trigger":null`, wrong("trigger/kind", "nothing", "one of own_initiative, notice")},
		{"null for an optional member", `"v":1`, `"until":null,"v":1`, wrong("until", `null`, canonical)},
		{"optional member empty", `"reasons":"reasons"`, `"prev":"","reasons":"reasons"`, wrong("prev", `prev`, canonical)},
		{"optional array empty", `,"lang"`, `,"grounds":[],"lang"`, wrong("grounds", `\"grounds`, canonical)},
		{"optional object empty", `,"facts"`, `,"emergency":{},"facts"`, wrong("emergency/harm", "nothing", "1 to 64 of a-z")},
		{"empty text", `"reasons":"reasons"`, `"reasons":""`, wrong("reasons", "nothing", "a text")},
		{"an array", good, "[]", wrong("", "an array", "an object")},
		{"a payload null", good, "null", wrong("v", "nothing", "1")},
		{"no JSON", good, "hello", wrong("", `"hello" at byte 0`, "JSON")},

		{"no v", `,"v":1`, ``, wrong("v", "nothing", "1")},
		{"no type", `"type":"decision",`, ``, wrong("type", "nothing", "the type of the record")},
		{"v 0", `"v":1`, `"v":0`, unsupported("v", "0", "1")},
		{"v 2", `"v":1`, `"v":2`, unsupported("v", "2", "1")},
		{"unknown type", `"type":"decision"`, `"type":"verdict"`, unsupported("type", `"verdict"`, "one of charter, charter.amend, key.enrol")},
		{"type in capitals", `"type":"decision"`, `"type":"Decision"`, unsupported("type", `"Decision"`, "charter")},
		{"members of another type", `"type":"decision"`, `"type":"ratification"`, wrong("action", "a member that is not known here", "it left out")},
	}
	var spellings []spelling
	for _, row := range rows {
		if strings.Count(good, row.old) != 1 {
			t.Fatalf("%s: %q is not once in the payload", row.name, row.old)
		}
		changed := strings.Replace(good, row.old, row.new, 1)
		text := loose{b64(changed), []looseSig{looseSign(t, key, header(t, key), changed)}}.String()
		spellings = append(spellings, spelling{row.name, text, true, row.want})
	}
	checkSpellings(t, key, spellings)
}
