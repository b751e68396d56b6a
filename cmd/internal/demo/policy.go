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
