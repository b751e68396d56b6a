package stats_test

import (
	"reflect"
	"strconv"
	"testing"

	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
	"github.com/docket-ledger/docket/verify/stats"
)

// A signed record has a time, too.
type signed struct {
	plain
	at int64
}

func (s signed) Headers() []record.Header { return []record.Header{{KID: "k", IAT: s.at}} }

// TestPeriod counts a log by hand: what is before, within and after a period.
func TestPeriod(t *testing.T) {
	order := record.Trigger{Kind: "court_order", Authority: "A court"}
	from := func(intake record.ID) record.Trigger { return record.Trigger{Kind: "notice", Intake: intake} }
	machine := record.Automation{Detection: "automated", Decision: "partial"}
	people := record.Automation{Detection: "manual", Decision: "none"}
	c := stats.NewPeriodCounter(stats.Period{From: 100, Until: 200})
	for i, r := range []struct {
		at      int64
		payload record.Payload
		void    bool
	}{
		0:  {50, &record.Intake{Case: "early", Category: "spam", Trigger: record.Trigger{Kind: "notice"}}, false},
		1:  {60, &record.Decision{Case: "early", Action: record.Suspend, Trigger: from("0"), Lang: "en", Automation: machine, Subject: record.Subject{Ref: "a"}}, false},
		2:  {99, &record.Decision{Action: record.Warn}, true},
		3:  {100, &record.Intake{Case: "one", Category: "phishing", Trigger: order}, false},
		4:  {101, &record.Intake{Case: "two", Category: "phishing", Trigger: record.Trigger{Kind: "notice"}}, false},
		5:  {102, &record.Intake{Case: "three", Category: "spam", Trigger: record.Trigger{Kind: "notice"}}, false},
		6:  {103, &record.Notice{Kind: record.Proposed, Case: "one"}, false},
		7:  {110, &record.Decision{Case: "one", Action: record.Terminate, Trigger: record.Trigger{Kind: "court_order", Authority: "A court", Intake: "3"}, Lang: "de", Automation: people, Subject: record.Subject{Ref: "a"}, Territory: []string{"AT", "DE"}}, false},
		8:  {111, &record.Notice{Kind: record.Delivered, Case: "one", Decision: "7"}, false},
		9:  {112, &record.Notice{Kind: record.Delivered, Case: "one", Decision: "7"}, false},
		10: {113, &record.Decision{Case: "two", Action: record.Decline, Trigger: from("4"), Lang: "en", Automation: people}, false},
		11: {114, &record.Decision{Case: "four", Action: record.Warn, Trigger: order, Lang: "en", Automation: machine, Subject: record.Subject{Ref: "a"}}, false},
		12: {115, &record.Decision{Case: "five", Action: record.Suspend, Trigger: order, Retrospective: &record.Retrospective{}, Lang: "fr"}, false},
		13: {120, &record.Appeal{Decision: "1"}, false},
		14: {130, &record.Ruling{Appeal: "13", Outcome: record.Reversed}, false},
		15: {140, &record.Decision{Case: "early", Action: record.Reinstate, Grounds: []record.Ground{{Record: "14"}}, Lang: "en", Automation: people}, false},
		16: {150, &record.Decision{Case: "four", Action: record.Reinstate, Grounds: []record.Ground{{Policy: "p", Clause: "c", Record: "x"}}, Lang: "en", Automation: people}, false},
		17: {199, &record.Decision{Action: record.Warn}, true},
		18: {200, &record.Appeal{Decision: "7"}, false},
		19: {201, &record.Ruling{Appeal: "18", Outcome: record.Upheld}, false},
		20: {202, &record.Decision{Case: "three", Action: record.Suspend, Trigger: from("5"), Lang: "it"}, false},
		21: {203, &record.Decision{Case: "one", Action: record.Reinstate, Grounds: []record.Ground{{Record: "7"}}}, false},
		22: {160, &record.Appeal{Decision: "14"}, false},                                                                                                                                                                            // about the ruling on what a machine had detected
		23: {161, &record.Ruling{Appeal: "22", Outcome: record.Upheld}, false},                                                                                                                                                      // which stays
		24: {162, &record.Decision{Case: "one", Action: record.Suspend, Trigger: record.Trigger{Kind: "court_order", Authority: "A court", Intake: "3"}, Lang: "de", Automation: people, Subject: record.Subject{Ref: "a"}}, false}, // the same order again
	} {
		var s rules.Standing
		if r.void {
			s.Codes = []rules.Code{rules.RatificationTooLate}
		}
		c.Add(signed{plain{record.ID(strconv.Itoa(i)), r.payload}, r.at}, s)
	}
	got := c.Report()
	want := stats.Report{Figures: got.Figures, Subjects: 1,
		Territories: []stats.Count{{Name: "AT", Count: 1}, {Name: "DE", Count: 1}, {Name: stats.Everywhere, Count: 2}},
		Languages:   []stats.Count{{Name: "de", Count: 2}, {Name: "en", Count: 4}},
		Detections:  []stats.Count{{Name: "automated", Count: 1}, {Name: "manual", Count: 5}}, Automations: []stats.Count{{Name: "none", Count: 5}, {Name: "partial", Count: 1}},
		Flags:       []stats.Flag{{Kind: "court_order", Received: 1, Acted: 1}, {Kind: "notice", Received: 2, Acted: 1, Declined: 1}},
		Categories:  []stats.Count{{Name: "phishing", Count: 2}, {Name: "spam", Count: 1}},
		Authorities: []stats.Authority{{Kind: "court_order", Name: "A court", Demands: 2, Acted: 2}},
		Notified:    1, Warned: 2, Appeals: 2, Rulings: []stats.Count{{Name: record.Reversed, Count: 1}, {Name: record.Upheld, Count: 1}}, AutomatedUpheld: 1, AutomatedChanged: 1, Reinstated: 2, Proactive: 1}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	all := got.All
	if got.Size != 25 || got.Void != 1 || got.VoidDecisions != 1 || got.Effective != 17 || all.Decisions != 6 || all.Retrospective != 1 || all.Acted != 3 || all.Declined != 1 ||
		all.ByOrder != 3 || all.Appealed != 1 || all.Upheld != 1 || all.Reversed != 0 || len(got.Months) == 0 {
		t.Errorf("%+v", got.Figures)
	}
}

// TestPeriodOfAll: a period that holds everything is everything.
func TestPeriodOfAll(t *testing.T) {
	whole, period := stats.NewCounter(), stats.NewPeriodCounter(stats.Period{From: -1 << 62, Until: 1 << 62})
	for i, action := range record.Actions {
		r := signed{plain{record.ID(action), &record.Decision{Action: action, Case: "c", Grounds: []record.Ground{{Policy: "p", Clause: "c"}}}}, int64(i)}
		whole.Add(r, rules.Standing{})
		period.Add(r, rules.Standing{})
	}
	if got, want := period.Report().Figures, whole.Figures(); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}
