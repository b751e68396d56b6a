package main

import (
	"strings"
	"testing"

	"github.com/docket-ledger/docket/cmd/internal/demo"
	"github.com/docket-ledger/docket/verify/record"
)

func examplePolicy(t *testing.T, replace ...string) *record.PolicyPublish {
	t.Helper()
	text := strings.NewReplacer(replace...).Replace(string(demo.PolicyYAML))
	s, err := parseSheet("policy.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	p := &record.PolicyPublish{}
	if err := s.payload(p, record.TypePolicyPublish, ""); err != nil {
		t.Fatal(err)
	}
	return p
}

// TestChanges: a new version is told by what it changes.
func TestChanges(t *testing.T) {
	for name, test := range map[string]struct {
		replace []string
		want    []string
	}{
		"nothing": {nil, []string{"no clause changes"}},
		"a quorum": {[]string{"quorum: {role: decider, count: 3}", "quorum: {role: decider, count: 1}"},
			[]string{"~ clause court-order", "- by 3 signing as decider", "+ by 1 signing as decider", "looser: people who must sign (1, before 3)"}},
		"a text":   {[]string{"for at most three days", "for at most thirty days"}, []string{"~ clause technical-abuse", "[-three-] {+thirty+} days"}},
		"a notice": {[]string{"    notice: {hours: 24, exempt: [court_order, authority_order]}\n", ""}, []string{"looser: the subject need not be told before"}},
		"a name": {[]string{"clause: passing-on", "clause: passing-by"},
			[]string{"- clause passing-on", "is gone", "+ clause passing-by", "is new", "+ permits decline, forward on cdn_proxy"}},
		"an emergency": {[]string{"ratify_within: 72", "ratify_within: 24"}, []string{"stricter: hours to ratify (24, before 72)"}},
	} {
		var out strings.Builder
		tellChanges(&out, examplePolicy(t), examplePolicy(t, test.replace...))
		for _, w := range test.want {
			if !strings.Contains(out.String(), w) {
				t.Errorf("%s: no %q in\n%s", name, w, out.String())
			}
		}
	}
}
