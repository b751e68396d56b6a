package dsa

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/docket-ledger/docket/verify/record"
	"github.com/docket-ledger/docket/verify/rules"
)

const testID record.ID = "d-47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"

func at(t testing.TB, s string) record.Time {
	t.Helper()
	v, err := record.ParseTime(s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// decision is one that has a statement.
func decision(t testing.TB) *record.Decision {
	return &record.Decision{
		Common: record.Common{Type: record.TypeDecision}, Action: record.Suspend, Automation: record.Automation{Decision: "partial", Detection: "automated"}, Case: "case-1",
		DecidedAt: at(t, "2026-11-22T23:00:00Z"), EffectiveAt: at(t, "2026-11-23T23:59:59Z"), Until: at(t, "2026-12-24T00:00:00Z"),
		Facts: "A page offered malware.", Reasons: "The owner did not answer.", Lang: "en", ServiceLayer: "hosting",
		Grounds: []record.Ground{{Policy: "abuse", Version: 2, Clause: "malware", Record: testID}},
		Subject: record.Subject{Type: "domain", Ref: base64.RawURLEncoding.EncodeToString(make([]byte, 32))},
		Trigger: record.Trigger{Kind: "trusted_flagger", Reporter: "Example CERT"},
		DSA: &record.DSA{Category: "STATEMENT_CATEGORY_SCAMS_AND_FRAUD", CategoryAddition: []string{"STATEMENT_CATEGORY_VIOLENCE", "STATEMENT_CATEGORY_SCAMS_AND_FRAUD", "STATEMENT_CATEGORY_CYBER_VIOLENCE"},
			ContentDate: "2026-11-01", ContentType: []string{"CONTENT_TYPE_VIDEO", "CONTENT_TYPE_TEXT"}, ContentIDEAN: "1234567890123", DecisionGround: incompatible},
	}
}

var knownNothing = Known{Export: -1}

// derived judges a decision that has a statement without faults.
func derived(t testing.TB, d *record.Decision, known Known) *Statement {
	t.Helper()
	o, err := Judge(testID, d, nil, known)
	if err != nil || o.Not != nil || len(o.Faults) > 0 {
		t.Fatalf("Judge: %+v, %v", o, err)
	}
	s := &Statement{}
	if err := json.Unmarshal(o.Statement, s); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStatement(t *testing.T) {
	o, err := Judge(testID, decision(t), nil, Known{Export: -1, Clause: &Clause{Title: "Malware", Source: "https://example.com/terms#4"}})
	if err != nil || o.Not != nil || len(o.Faults) > 0 {
		t.Fatalf("Judge: %+v, %v", o, err)
	}
	const want = `{"puid":"d-47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU","decision_provision":"DECISION_PROVISION_TOTAL_SUSPENSION",` +
		`"end_date_service_restriction":"2026-12-24","decision_ground":"DECISION_GROUND_INCOMPATIBLE_CONTENT",` +
		`"decision_ground_reference_url":"https://example.com/terms#4","incompatible_content_ground":"abuse, version 2, clause malware (Malware)",` +
		`"incompatible_content_explanation":"The owner did not answer.","category":"STATEMENT_CATEGORY_SCAMS_AND_FRAUD",` +
		`"category_addition":["STATEMENT_CATEGORY_CYBER_VIOLENCE","STATEMENT_CATEGORY_VIOLENCE"],"content_type":["CONTENT_TYPE_TEXT","CONTENT_TYPE_VIDEO"],` +
		`"content_date":"2026-11-01","content_id":{"EAN-13":"1234567890123"},"territorial_scope":["AT","BE","BG","CY","CZ","DE","DK","EE","ES","FI","FR","GR","HR",` +
		`"HU","IE","IS","IT","LI","LT","LU","LV","MT","NL","NO","PL","PT","RO","SE","SI","SK"],"application_date":"2026-11-23",` +
		`"decision_facts":"A page offered malware.","source_type":"SOURCE_TRUSTED_FLAGGER","source_identity":"Example CERT",` +
		`"automated_detection":"Yes","automated_decision":"AUTOMATED_DECISION_PARTIALLY"}`
	if string(o.Statement) != want {
		t.Errorf("statement\n%s\nwant\n%s", o.Statement, want)
	}
}

func TestRestriction(t *testing.T) {
	for _, c := range []struct {
		action  record.Action
		subject string
		want    string // provision, account
	}{
		{record.Restrict, "domain", "PROVISION_PARTIAL_SUSPENSION"}, {record.Restrict, "account", "PROVISION_PARTIAL_SUSPENSION"},
		{record.Suspend, "ip_address", "PROVISION_TOTAL_SUSPENSION"}, {record.Suspend, "url", "PROVISION_PARTIAL_SUSPENSION"},
		{record.Suspend, "account", "ACCOUNT_SUSPENDED"}, {record.Terminate, "account", "ACCOUNT_TERMINATED"},
		{record.Terminate, "other", "PROVISION_TOTAL_TERMINATION"}, {record.Terminate, "url", "PROVISION_PARTIAL_TERMINATION"},
	} {
		d := decision(t)
		d.Action, d.Subject.Type = c.action, c.subject
		s := derived(t, d, knownNothing)
		if got := s.DecisionProvision + s.DecisionAccount; got != "DECISION_"+c.want {
			t.Errorf("%s of %s: %s, want %s", c.action, c.subject, got, c.want)
		}
		if (s.EndDateService != "") != (s.DecisionProvision != "") || (s.EndDateAccount != "") != (s.DecisionAccount != "") {
			t.Errorf("%s of %s: ends %q and %q", c.action, c.subject, s.EndDateService, s.EndDateAccount)
		}
	}
	d := decision(t)
	d.DSA.DecisionVisibility, d.DSA.DecisionMonetary = []string{"DECISION_VISIBILITY_CONTENT_REMOVED"}, "DECISION_MONETARY_TERMINATION"
	s := derived(t, d, knownNothing)
	if s.DecisionProvision != "" || s.EndDateService != "" || s.EndDateVisibility != "2026-12-24" || s.EndDateMonetary != "2026-12-24" {
		t.Errorf("what the signers said of it is not all that is said: %+v", s)
	}
}

func TestSource(t *testing.T) {
	for _, kind := range record.TriggerKinds {
		d := decision(t)
		d.Trigger = record.Trigger{Kind: kind, Reporter: "a neighbour", Authority: "a court"}
		got := derived(t, d, knownNothing)
		want := map[string][2]string{"own_initiative": {"SOURCE_VOLUNTARY", ""}, "notice": {"SOURCE_ARTICLE_16", ""},
			"trusted_flagger": {"SOURCE_TRUSTED_FLAGGER", "a neighbour"}, "authority_order": {"SOURCE_TYPE_OTHER_NOTIFICATION", "a court"},
			"court_order": {"SOURCE_TYPE_OTHER_NOTIFICATION", "a court"}}[kind]
		if got.SourceType != want[0] || got.SourceIdentity != want[1] {
			t.Errorf("%s: %s %q", kind, got.SourceType, got.SourceIdentity)
		}
	}
	for _, values := range [][]string{record.Detections, record.Automations} {
		for _, v := range values {
			d := decision(t)
			if slices.Contains(record.Detections, v) {
				d.Automation.Detection = v
			} else {
				d.Automation.Decision = v
			}
			derived(t, d, knownNothing)
		}
	}
}

func TestCorrections(t *testing.T) {
	d := decision(t)
	d.Territory = []string{"US", "DE"}
	s := derived(t, d, Known{Export: -1, Corrections: []record.Correction{
		{Member: "facts", Was: d.Facts, Is: "Two pages offered malware."}, {Member: "territory/1", Was: "DE", Is: "AT"},
		{Member: "reasons", Was: "Something else.", Is: "Not this."}, {Member: "trigger/reporter", Was: "Example CERT", Is: "Other CERT"},
		{Member: "territory/7", Was: "", Is: "FR"}, {Member: "redress", Was: "", Is: "x"}}})
	if s.DecisionFacts != "Two pages offered malware." || s.IncompatibleContentExplained != d.Reasons || s.SourceIdentity != "Other CERT" ||
		!slices.Equal(s.TerritorialScope, []string{"AT"}) {
		t.Errorf("corrected: %+v", s)
	}
	if d.Facts != "A page offered malware." || d.Territory[1] != "DE" {
		t.Error("the decision itself was changed")
	}
}

func TestIllegal(t *testing.T) {
	d := decision(t)
	d.DSA.DecisionGround, d.DSA.IllegalContentLegalGround = illegal, "Section 130 of the Criminal Code"
	s := derived(t, d, knownNothing)
	if s.IllegalContentExplanation != d.Reasons || s.IncompatibleContentGround != "" || s.IncompatibleContentExplained != "" {
		t.Errorf("illegal: %+v", s)
	}
}

// TestWhatIsRefused has what a decision may say and the database does not take.
func TestWhatIsRefused(t *testing.T) {
	for rule, change := range map[string]func(*record.Decision){
		"decision_facts/max_length":                   func(d *record.Decision) { d.Facts = strings.Repeat("é", 5001) },
		"decision_facts/required":                     func(d *record.Decision) { d.Facts = "\u200b" },
		"incompatible_content_explanation/max_length": func(d *record.Decision) { d.Reasons = strings.Repeat("x", 2001) },
		"incompatible_content_ground/required_if":     func(d *record.Decision) { d.Grounds = nil },
		"end_date_service_restriction/max":            func(d *record.Decision) { d.Until = at(t, "2038-01-02T00:00:00Z") },
		"application_date/max":                        func(d *record.Decision) { d.EffectiveAt, d.Until = at(t, "2039-01-01T00:00:00Z"), 0 },
		"source_identity/max_length":                  func(d *record.Decision) { d.Trigger.Reporter = strings.Repeat("x", 501) },
		"content_date/min":                            func(d *record.Decision) { d.DSA.ContentDate = "1999-12-31" },
		"decision_ground_reference_url/url":           func(d *record.Decision) { d.DSA.DecisionGroundReferenceURL = `https://example.com/"><script>` },
	} {
		d := decision(t)
		change(d)
		o, err := Judge(testID, d, nil, knownNothing)
		if err != nil || o.Not != nil {
			t.Fatalf("%s: %+v, %v", rule, o, err)
		}
		if len(o.Faults) != 1 || o.Faults[0].Field+"/"+o.Faults[0].Rule != rule {
			t.Errorf("%s: %+v", rule, o.Faults)
		}
	}
	d := decision(t)
	d.Facts, d.Reasons = strings.Repeat("é", 5000), strings.Repeat("é", 2000)
	derived(t, d, knownNothing)
}

// TestScope has a record for each reason, and each action on each layer.
func TestScope(t *testing.T) {
	with := func(change func(*record.Decision)) record.Payload {
		d := decision(t)
		change(d)
		return d
	}
	cases := map[string]record.Payload{
		Appealed:   &record.Appeal{Common: record.Common{Type: record.TypeAppeal}},
		Ruled:      &record.Ruling{Common: record.Common{Type: record.TypeRuling}},
		NoMeasure:  with(func(d *record.Decision) { d.Action = record.Decline }),
		NotHosting: with(func(d *record.Decision) { d.ServiceLayer = "dns" }),
		TooEarly:   with(func(d *record.Decision) { d.EffectiveAt = at(t, "2023-08-24T23:59:59Z") }),
		Ordered:    with(func(d *record.Decision) { d.Trigger.Kind, d.DSA.DecisionGround = "court_order", illegal }),
		Outside:    with(func(d *record.Decision) { d.Territory = []string{"US", "CH", "GB"} }),
		NotMarked:  with(func(d *record.Decision) { d.DSA = nil }),
		Void:       decision(t),
		Reported:   decision(t),
	}
	if len(cases) != len(Codes) {
		t.Errorf("%d reasons have a case, of %d", len(cases), len(Codes))
	}
	for _, code := range Codes {
		known, void := knownNothing, []rules.Code(nil)
		switch code {
		case Void:
			void = []rules.Code{"ground.none"}
		case Reported:
			known.Export = 12
		}
		o, err := Judge(testID, cases[code], void, known)
		if err != nil || o.Not == nil || o.Not.Code != code || len(o.Not.Text) < 30 || o.Statement != nil {
			t.Errorf("%s: %+v, %v", code, o, err)
		}
	}
	for _, layer := range record.ServiceLayers {
		for _, action := range record.Actions {
			o, err := Judge(testID, with(func(d *record.Decision) { d.Action, d.ServiceLayer = action, layer }), nil, knownNothing)
			has := layer == "hosting" && slices.Contains(rules.Measures, action)
			if err != nil || (o.Not == nil) != has || o.Not != nil && strings.HasSuffix(o.Not.Text, "that .") || o.Not != nil && o.Not.Text == "" {
				t.Errorf("%s on %s: %+v, %v", action, layer, o, err)
			}
		}
	}
}

func TestReadAnswer(t *testing.T) {
	const uuid = "5d0a2b9e-8c8d-4b8e-9b52-2d8f1f6b1a01"
	one := fmt.Sprintf(`{"uuid":%q,"puid":%q,"created_at":"2026-11-23 09:00:00","category":"x","decision_monetary":null}`, uuid, testID)
	for _, text := range []string{one, `{"statements":[` + one + `]}`} {
		got, err := ReadAnswer([]byte(text))
		if err != nil || len(got) != 1 || got[0] != (Answer{testID, uuid, at(t, "2026-11-23T09:00:00Z")}) {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
		p := got[0].Record()
		p.Ledger = "ledger.example.com/2026"
		if _, err := record.NewDraft(p); err != nil {
			t.Errorf("no record: %v", err)
		}
	}
	for text, want := range map[string]string{
		`{"message":"Invalid","errors":{"statement_0":{"puid":["not unique"]}}}`: "statement_0",
		`{"errors":{}}`:     "neither statements nor a uuid",
		`{"statements":[]}`: "neither statements nor a uuid",
		`[]`:                "no answer",
		``:                  "no answer",
		`{"statements":[` + one + `,` + one + `]}`:                  "twice",
		strings.Replace(one, string(testID), "TK421", 1):            "not the id of a record",
		strings.Replace(one, uuid, "12", 1):                         "its uuid",
		strings.Replace(one, "2026-11-23 09:00:00", "yesterday", 1): "created_at",
	} {
		if _, err := ReadAnswer([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
