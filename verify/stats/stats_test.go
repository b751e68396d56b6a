package stats_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
	"github.com/docket-ledger/docket/verify/stats"
)

// A plain record has an id and a payload, and nobody's signature.
type plain struct {
	id      record.ID
	payload record.Payload
}

func (p plain) ID() record.ID            { return p.id }
func (p plain) Headers() []record.Header { return nil }
func (p plain) Payload() record.Payload  { return p.payload }

// TestLateAndRetrospective counts what random ledgers seldom hold: an emergency
// that is ratified too late, and a retrospective decision.
func TestLateAndRetrospective(t *testing.T) {
	c := stats.NewCounter()
	c.Add(plain{"d-1", &record.Decision{Action: record.Warn, Emergency: &record.Harm{}}}, rules.Standing{})
	c.Add(plain{"d-2", &record.Decision{Action: record.Decline, Retrospective: &record.Retrospective{}}}, rules.Standing{})
	late := rules.Standing{Codes: []rules.Code{rules.RatificationTooLate}}
	for range 2 {
		c.Add(plain{"d-3", &record.Ratification{Decision: "d-1"}}, late)
	}
	all := c.Figures().All
	if all.Decisions != 1 || all.Acted != 1 || all.Declined != 0 || all.Retrospective != 1 {
		t.Errorf("decisions are %+v", all)
	}
	if all.Emergencies != 1 || all.TooLate != 1 || all.Ratified != 0 || all.Unratified != 0 {
		t.Errorf("emergencies are %+v", all)
	}
}

// TestFewDeciders: of one or two nothing is said but how many they are, however many
// keys they have.
func TestFewDeciders(t *testing.T) {
	c := stats.NewCounter()
	for i, holder := range []string{"ann", "ann", "bob", "cy"} {
		key := &record.JWK{X: fmt.Sprint(i)}
		c.Add(plain{"", &record.KeyEnrol{Holder: holder, JWK: *key}}, rules.Standing{})
		c.Add(by{plain{record.ID(fmt.Sprint(i)), &record.Decision{Action: record.Actions[i]}}, key.KID()}, rules.Standing{})
		got := c.Figures().Deciders
		want := []stats.Deciders{{Count: 1, Suppressed: true}, {Count: 1, Suppressed: true}, {Count: 2, Suppressed: true},
			{Count: 3, Busiest: 2, Agreement: stats.Pairs{Pairs: 5, Differing: 5}}}[i]
		if got != want {
			t.Errorf("after %d: %+v, want %+v", i+1, got, want)
		}
	}
}

// A record by somebody.
type by struct {
	plain
	kid string
}

func (b by) Headers() []record.Header { return []record.Header{{KID: b.kid}} }

// TestOverdue counts only what is overdue, by kind.
func TestOverdue(t *testing.T) {
	got := stats.Overdue([]rules.Duty{{Kind: "undo", Overdue: true}, {Kind: "notify"}, {Kind: "undo", Overdue: true}, {Kind: "notify", Overdue: true}, {Kind: "rule"}})
	if want := []stats.Count{{Name: "notify", Count: 1}, {Name: "undo", Count: 2}}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got := stats.Overdue(nil); got == nil || len(got) > 0 {
		t.Errorf("of nothing: %v", got)
	}
}
