package telling_test

import (
	"slices"
	"testing"

	"github.com/docket-ledger/docket/verify"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/telling"
)

const day = 86400

func proven(at int64) verify.Bound  { return verify.Bound{At: at, Proven: true} }
func claimed(at int64) verify.Bound { return verify.Bound{At: at} }

// TestTimes: no more is said than is known, and whose word it is.
func TestTimes(t *testing.T) {
	const (
		trusted  = "proven: witnesses of the trust policy show it"
		charters = "claimed: witnesses that only the ledger's own charter names show it"
	)
	for _, test := range []struct {
		times verify.Times
		want  []string
	}{
		{verify.Times{}, nil},
		{verify.Times{NotBefore: proven(day), Logged: proven(2 * day), NotAfter: proven(3 * day)}, []string{
			"signed not before 1970-01-02T00:00:00Z (proven)", "logged not before 1970-01-03T00:00:00Z (proven)",
			"in the log by     1970-01-04T00:00:00Z (proven)", trusted}},
		{verify.Times{NotAfter: claimed(day)}, []string{"in the log by     1970-01-02T00:00:00Z (claimed)", charters}},
		{verify.Times{NotBefore: claimed(day), NotAfter: proven(2 * day)}, []string{
			"signed not before 1970-01-02T00:00:00Z (claimed)", "in the log by     1970-01-03T00:00:00Z (proven)", trusted, charters}},
	} {
		if got := telling.Times(test.times); !slices.Equal(got, test.want) {
			t.Errorf("%+v: %q, want %q", test.times, got, test.want)
		}
	}
}

// TestPublic: for how long a clause had been public, by whose word.
func TestPublic(t *testing.T) {
	for _, test := range []struct {
		by, signed verify.Bound
		want       string
	}{
		{proven(day), proven(9*day - 1), "public for at least 7 days (proven)"},
		{claimed(day), proven(9 * day), "public for at least 8 days (claimed)"},
		{proven(day), claimed(9 * day), "public for at least 8 days (claimed)"},
		{proven(9 * day), proven(day), "public for at least 0 days (proven)"},
		{verify.Bound{}, proven(9 * day), "public for 20 days (claimed)"},
		{proven(day), verify.Bound{}, "public for 20 days (claimed)"},
	} {
		c := verify.CitedClause{PublishedBy: test.by, PublishedAt: 10 * day}
		if got := telling.Public(c, verify.Times{NotBefore: test.signed}, 30*day); got != test.want {
			t.Errorf("%+v, %+v: %q, want %q", test.by, test.signed, got, test.want)
		}
	}
	times := verify.Times{NotBefore: proven(9 * day)}
	if got := telling.AtDecision(&record.Decision{Retrospective: &record.Retrospective{Why: "w"}}, times); got != (verify.Times{}) {
		t.Errorf("of a decision that was recorded afterwards %+v is proven", got)
	}
	if got := telling.AtDecision(&record.Decision{}, times); got != times {
		t.Errorf("of another %+v", got)
	}
}

// TestLies: where a date lies that a decision gives.
func TestLies(t *testing.T) {
	whole := verify.Times{NotBefore: proven(2 * day), NotAfter: claimed(4 * day)}
	for _, test := range []struct {
		at    record.Time
		times verify.Times
		want  string
	}{
		{2*day - 1, whole, telling.Before}, {2 * day, whole, telling.Inside}, {4 * day, whole, telling.Inside}, {4*day + 1, whole, telling.After},
		{3 * day, verify.Times{NotAfter: whole.NotAfter}, ""}, {3 * day, verify.Times{NotBefore: whole.NotBefore}, ""},
		{5 * day, verify.Times{NotAfter: whole.NotAfter}, telling.After}, {day, verify.Times{NotBefore: whole.NotBefore}, telling.Before},
		{3 * day, verify.Times{}, ""}, {0, whole, ""},
	} {
		if got := telling.Lies(test.at, test.times); got != test.want {
			t.Errorf("%s in %+v: %q, want %q", test.at, test.times, got, test.want)
		}
		said := telling.Dated(&record.Decision{DecidedAt: test.at}, test.times)
		if (said == "") != (test.want == "") {
			t.Errorf("%s in %+v: %q is said", test.at, test.times, said)
		}
	}
	if said := telling.Dated(&record.Notice{}, whole); said != "" {
		t.Errorf("of a notice %q is said", said)
	}
}
