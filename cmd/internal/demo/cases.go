package demo

import (
	_ "embed"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/docket-ledger/docket/verify/record"
)

// casesJSON holds what the press reported of one provider, each event with its
// source and with what becomes of it here.
//
//go:embed cases.json
var casesJSON []byte

// reports are the contents of cases.json, as far as they are used.
type reports struct {
	Provider string `json:"provider"`
	Cases    []struct {
		Case    string  `json:"case"`
		Subject string  `json:"subject"`
		Events  []event `json:"events"`
	} `json:"cases"`
}

// An event is one decision that was reported.
type event struct {
	DecidedOn    string              `json:"decided_on"` // a day; the hour was not reported
	ServiceLayer record.ServiceLayer `json:"service_layer"`
	Action       record.Action       `json:"action"`
	RuleCited    string              `json:"published_rule_cited"` // empty: none
	Reasons      string              `json:"reasons_given"`
	By           string              `json:"by"`
	Source       string              `json:"source"`
}

func readReports() (*reports, error) {
	r := &reports{}
	if err := json.Unmarshal(casesJSON, r); err != nil {
		return nil, fmt.Errorf("cases.json: %w", err)
	}
	return r, nil
}

// event returns event i of a case, with the name of its subject.
func (r *reports) event(name string, i int) (subject string, e event, err error) {
	for _, c := range r.Cases {
		if c.Case == name && i < len(c.Events) {
			return c.Subject, c.Events[i], nil
		}
	}
	return "", e, fmt.Errorf("cases.json has no event %d of the case %s", i+1, name)
}

// disclaimer stands in every record that speaks of a case.
const disclaimer = "Entered from press reports by the Docket demonstration, not by the company, which has no part in it."

// facts puts an event into words, and says what was not reported.
func (r *reports) facts(e event) string {
	rule := "No published rule was cited."
	if e.RuleCited != "" {
		rule = "Published rule cited, in our summary: " + e.RuleCited + "."
	}
	return strings.Join([]string{disclaimer,
		fmt.Sprintf("Provider: %s. Decided on %s, by %s. %s", r.Provider, e.DecidedOn, e.By, rule),
		"Source: " + e.Source + ".",
		"Not reported, and filled in because the form asks for them: the hour, the trigger, the automation.",
	}, "\n")
}
