package demo

import (
	"fmt"

	"github.com/docket-ledger/docket/cmd/internal/keyfile"
	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

// Origin is the origin of the ledger of the demonstration.
const Origin = "demo.docket.example/2026"

const day = 24 * 3600 // seconds

// The people of the story, by what they do. Their names are no names of anybody.
var (
	founders = []string{"founder-1", "founder-2", "founder-3"}
	recovery = []string{"recovery-1", "recovery-2"}
	holders  = []holder{
		{"archivist", record.RoleDecider},
		{"reviewer", record.RoleDecider},
		{"duty-officer", record.RoleDecider},
		{"ratifier-1", record.RoleRatifier},
		{"ratifier-2", record.RoleRatifier},
		{"complaints-officer", record.RoleAppeals},
	}
)

// machine is the server's own key, which signs what the witnesses say of the time.
const machine = "machine"

type holder struct {
	name string
	role record.Role
}

const charterText = "This ledger is a demonstration on one machine. Its operator, an example provider, does not exist. " +
	"The cases in it are entered from press reports by the demonstration, not by the companies they are about. " +
	"Its policies are in force as soon as they are published (policy_lead 0), so that nobody has to wait for the demonstration; " +
	"the charter of a real ledger says days, so that no rule is sudden. " +
	"Its witnesses run on the same machine, in the same program: they show how witnesses prove a time, and prove none."

// charter founds the ledger. witnesses are lines of a policy, jwk returns the public
// key of a name.
func charter(vkey string, subject keyfile.SubjectKey, witnesses []string, start int64, jwk func(string) record.JWK) *record.Charter {
	c := &record.Charter{Terms: record.Terms{
		AdministrationQuorum: 2, RegistrarQuorum: 2, PolicyQuorum: 2, DefaultQuorum: 2,
		Contact: "ledger@demo.docket.example", DecideTolerance: 24, DraftLife: 30 * 24, Tolerance: 300,
		HistoricUntil: record.Time(start + 90*day), Lang: "en", LogKeys: []string{vkey},
		Operator: "Example Provider (does not exist)", PolicyLead: 0,
		Recovery:       record.Recovery{Quorum: int64(len(recovery))},
		SubjectKeyHash: subject.Hash(), Text: charterText, Witnesses: witnesses, Rules: rules.Version,
	}}
	for _, name := range founders {
		c.Founders = append(c.Founders, record.Founder{Holder: name, JWK: jwk(name),
			Roles: []record.Role{record.RoleAdministration, record.RoleRegistrar, record.RolePolicy}})
	}
	c.Founders = append(c.Founders, record.Founder{Holder: machine, JWK: jwk(machine), Roles: []record.Role{record.RoleMachine}})
	for _, name := range recovery {
		c.Recovery.Keys = append(c.Recovery.Keys, jwk(name))
	}
	return c
}

var (
	twoDeciders   = record.Quorum{Role: record.RoleDecider, Count: 2}
	harm          = "threat-to-life"
	ratifyInHours = int64(72)
)

// reportedPolicy is the historic text that the decision to decline cited: a
// summary of the report, and nothing that the report does not say.
func reportedPolicy(e event) *record.PolicyPublish {
	const ours = " That two people must sign is a rule of this demonstration, not of that text."
	return &record.PolicyPublish{
		Policy: "reported-abuse-policy", Version: 1, Title: "An abuse policy, as the press reported it", Lang: "en",
		EffectiveFrom: reportedOn(e),
		Historic: &record.Historic{Source: e.Source + ", in our summary. " + disclaimer +
			" Since when the text had been in force was not reported; the date given is that of the report."},
		Clauses: []record.Clause{{
			Clause: "security-services", Title: "Security services", Quorum: twoDeciders, Text: e.RuleCited + "." + ours,
			Permits: []record.Permit{{ServiceLayers: []record.ServiceLayer{"security"}, Actions: []record.Action{record.Decline}}},
		}},
	}
}

// reportedOn is the first second of the day of an event; the hour was not
// reported.
func reportedOn(e event) record.Time {
	t, _ := record.ParseTime(e.DecidedOn + "T00:00:00Z") // cases.json is tested
	return t
}

// reported is an event as a decision, recorded afterwards and without a ground.
func (r *reports) reported(name, subject, ref string, e event) *record.Decision {
	return &record.Decision{
		Action: e.Action, Automation: record.Automation{Decision: "none", Detection: "manual"}, Case: name,
		DecidedAt: reportedOn(e), EffectiveAt: reportedOn(e), Facts: r.facts(e), Lang: "en", Reasons: "As reported: " + e.Reasons,
		Retrospective: &record.Retrospective{Why: "It is older than this ledger. " + disclaimer},
		ServiceLayer:  e.ServiceLayer, Subject: record.Subject{Name: subject, Ref: ref, Type: "other"},
		Trigger: record.Trigger{Kind: "own_initiative"},
	}
}

// The fictitious case, and the name of the decision in it that was urgent.
const (
	exampleCase   = "example-emergency"
	emergencyName = exampleCase + "-restrict"
)

const fictitious = "A fictitious case of the Docket demonstration; neither the provider nor the forum exists."

// example is a decision of the fictitious case, taken now.
func example(now int64, ref string) *record.Decision {
	return &record.Decision{
		Automation: record.Automation{Decision: "none", Detection: "manual"}, Case: exampleCase,
		DecidedAt: record.Time(now), EffectiveAt: record.Time(now), Lang: "en", ServiceLayer: "security",
		Subject: record.Subject{Name: exampleSubject, Ref: ref, Type: "domain"}, Trigger: record.Trigger{Kind: "notice"},
	}
}

const exampleSubject = "forum.example"

// declined is the first decision of the fictitious case.
func declined(now int64, ref string, policy record.ID) *record.Decision {
	d := example(now, ref)
	d.Action = record.Decline
	d.Facts = fictitious + " Somebody asked that the forum be cut off over what is written there."
	d.Reasons = "We do not host it. Under the rulebook, protection is not ended over content."
	d.Grounds = []record.Ground{{Policy: "rulebook", Version: 1, Clause: "passing-on", Record: policy}}
	return d
}

// emergency is the second: the other way, by one person, because of a danger.
func emergency(now int64, ref string, policy, prev record.ID) *record.Decision {
	d := example(now, ref)
	d.Action, d.Prev, d.Severity = record.Restrict, prev, "critical"
	d.Emergency = &record.Harm{Harm: harm}
	d.Facts = fictitious + " A post names a place, an hour and people who are to be killed there."
	d.Reasons = "Waiting for the authorities, who were told, could cost lives. The measure ends by itself after a week."
	d.Grounds = []record.Ground{{Policy: "rulebook", Version: 1, Clause: "emergency", Record: policy}}
	d.Alternatives = []record.Alternative{{Action: record.Warn, WhyNot: "A warning would not reach the people in danger in time."}}
	d.ReviewAt, d.Until = record.Time(now+3*day), record.Time(now+7*day)
	d.Redress = "The forum may complain to the complaints officer, who had no part in this."
	return d
}

func approval(decision record.ID) *record.Ratification {
	return &record.Ratification{Case: exampleCase, Decision: decision, Prev: decision, Lang: "en",
		Reasons: fictitious + " We read the post, agree that life was in danger, and had no part in the decision."}
}

// exampleSheet is a decision to try docket decide with.
func exampleSheet(now int64, policy record.ID) []byte {
	at := record.Time(now)
	return fmt.Appendf(nil, sheetText, Origin, policy, at, at, record.Time(now+2*day))
}

const sheetText = `# A decision for the ledger of the demonstration. All that may stand here:
# docket decide --example
ledger: %s
case: my-first-case
action: suspend
service_layer: hosting
subject:
  type: domain
  name: site.example
grounds:
  - policy: rulebook
    version: 2
    clause: technical-abuse
    record: %s
facts: A fictitious case. The site offers malware for download.
reasons: Its owner was told twice and did not answer.
lang: en
trigger:
  kind: notice
automation:
  detection: manual
  decision: none
decided_at: %s
effective_at: %s
until: %s
`
