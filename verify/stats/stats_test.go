package stats_test

import (
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
