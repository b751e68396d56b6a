package demo

import (
	_ "embed"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/goccy/go-yaml"

	"github.com/docket-ledger/docket/verify/record"
)

// PolicyYAML is the worked example of a policy, with comments.
//
//go:embed policy.yaml
var PolicyYAML []byte

// rulebook is the policy of the example provider, as PolicyYAML has it.
func rulebook(start int64) *record.PolicyPublish {
	p := &record.PolicyPublish{}
	var v any
	err := yaml.Unmarshal(PolicyYAML, &v)
	if err == nil {
		var b []byte
		if b, err = json.Marshal(v); err == nil {
			err = json.Unmarshal(b, p, json.RejectUnknownMembers(true))
		}
	}
	if err != nil {
		panic(fmt.Sprintf("the example of a policy: %v", err)) // a test reads it
	}
	p.EffectiveFrom = record.Time(start)
	return p
}

// stricterRulebook is the second version: what the provider learnt from the emergency.
func stricterRulebook(start int64) *record.PolicyPublish {
	p := rulebook(start)
	p.Version = 2
	for i := range p.Clauses {
		c := &p.Clauses[i]
		if c.Clause != "emergency" {
			continue
		}
		c.Text = "If life is in immediate danger, one person on duty may restrict a service at once. Two others, who had no part " +
			"in it, must approve that within two days, or it lapses. It ends after four days in any case."
		c.Permits[0].Actions = []record.Action{record.Restrict, record.Reinstate}
		c.Emergency.RatifyWithin, c.MaxDuration = 48, 96
	}
	return p
}
