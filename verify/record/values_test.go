package record_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/docket-ledger/docket/verify/record"
)

// TestValues: each member with a fixed form, and values that it can't have. A
// value gone{} leaves the member out.
func TestValues(t *testing.T) {
	const (
		slug    = "1 to 64 of a-z, 0-9 and -, beginning with a letter or digit"
		hash    = "43 characters of unpadded base64url (32 bytes)"
		id      = "a record id, d- and 43 characters of base64url"
		lang    = "a BCP 47 language tag like en or de-AT"
		caseID  = "3 to 64 of a-z, 0-9 and -, not beginning with - or d-"
		time    = "a time like 2026-11-23T08:00:00Z (RFC 3339, UTC, whole seconds)"
		name    = "the origin of a ledger, like ledger.example.com/2026"
		roles   = "one of administration, registrar, policy, decider, intake, ratifier, appeals, enforcer, privacy, machine"
		actions = "one of terminate, suspend, restrict, warn, decline, forward, reinstate"
		layers  = "one of hosting, cdn_proxy, security, dns, registrar, other"
		key     = "an Ed25519 or P-256 public key (RFC 8037, RFC 7518)"
		hours   = "to 87840"
	)
	long := strings.Repeat("a", 65)
	many := func(n int, v any) []any {
		s := make([]any, n)
		for i := range s {
			s[i] = v
		}
		return s
	}
	rows := []struct {
		sample, path string
		to           any
		found, want  string
	}{
		{"decision", "ledger", "", "nothing", name},
		{"decision", "ledger", "https://ledger.example.com", `"https://`, name},
		{"decision", "ledger", "Ledger.example.com", `"Ledger`, name},
		{"decision", "ledger", "ledger.example.com/", `com/"`, name},
		{"decision", "ledger", "ledger example", `"ledger example"`, name},
		{"decision", "ledger", "ledger.example.com\n", `\n`, name},

		{"charter", "administration_quorum", 0, "nothing or 0", "an integer from 1 to 16"},
		{"charter", "registrar_quorum", 17, "17", "an integer from 1 to 16"},
		{"charter", "policy_quorum", -1, "-1", "an integer from 1 to 16"},
		{"charter", "default_quorum", 0, "0", "an integer from 1 to 16"},
		{"charter", "contact", " \t", "nothing", "a text"},
		{"charter", "decide_tolerance", -1, "-1", "an integer from 0 " + hours},
		{"charter", "decide_tolerance", 87841, "87841", hours},
		{"charter", "draft_life", 0, "nothing or 0", "an integer from 1 " + hours},
		{"charter", "draft_life", 87841, "87841", hours},
		{"charter", "policy_lead", -1, "-1", "an integer from 0 " + hours},
		{"charter", "policy_lead", 87841, "87841", hours},
		{"charter", "founders", []any{}, "0 elements", "1 to 15"},
		{"charter", "founders", many(16, map[string]any{}), "16 elements", "1 to 15"},
		{"charter", "founders/0/holder", "Ada", `"Ada"`, slug},
		{"charter", "founders/1/jwk/x", "AA", "a key with x is not 32 bytes of base64url", key},
		{"charter", "founders/0/roles/1", "king", `"king"`, roles},
		{"charter", "founders/0/roles/1", "administration", "the same a second time", "each once"},
		{"charter", "founders/0/roles", []any{}, "0 elements", "1 to 10"},
		{"charter", "founders/0/valid_until", "2026-01-01", `"2026-01-01"`, time},
		{"charter", "historic_until", "1970-01-01T00:00:00Z", `"1970`, time},
		{"charter", "lang", "english", `"english"`, lang},
		{"charter", "log_keys", []any{}, "0 elements", "1 to 8"},
		{"charter", "log_keys", many(9, "x"), "9 elements", "1 to 8"},
		{"charter", "log_keys/0", " ", "nothing", "a text"},
		{"charter", "operator", "", "nothing", "a text"},
		{"charter", "recovery/keys", []any{}, "0 elements", "1 to 13"},
		{"charter", "recovery/quorum", 0, "nothing or 0", "an integer from 1 to 1"},
		{"charter", "recovery/quorum", 2, "2", "an integer from 1 to 1"},
		{"charter", "rules", 2, "2", "an integer from 0 to 1"},
		{"charter.amend", "rules", 0, "nothing or 0", "an integer from 1 to 1"},
		{"charter", "subject_key_hash", someRef[1:], someRef[1:], hash},
		{"charter", "tolerance", -1, "-1", "an integer from 0 to 3600"},
		{"charter", "tolerance", 3601, "3601", "an integer from 0 to 3600"},
		{"charter", "witnesses", []any{}, "0 elements", "1 to 64"},
		{"charter", "witnesses", many(65, "x"), "65 elements", "1 to 64"},
		{"charter", "witnesses/0", "", "nothing", "a text"},

		{"key.enrol", "holder", "", "nothing", slug},
		{"key.enrol", "holder", "-dan", `"-dan"`, slug},
		{"key.enrol", "holder", "dan ", `"dan "`, slug},
		{"key.enrol", "holder", "d\u0430n", "d\u0430n", slug},
		{"key.enrol", "holder", long, long, slug},
		{"key.enrol", "roles/0", "Decider", `"Decider"`, roles},
		{"key.enrol", "roles", many(11, "decider"), "11 elements", "1 to 10"},
		{"key.enrol", "valid_until", "", `""`, time},
		{"key.revoke", "kid", "dan", `"dan"`, hash},
		{"key.revoke", "kid", loosen(t, someRef), someRef[:40], hash},
		{"key.revoke", "reason", "bored", `"bored"`, "one of retired, lost, compromised"},
		{"key.revoke", "reason", "lost", "2026-09-21T13:13:20Z", "it left out unless reason is compromised"},
		{"key.revoke", "since", gone{}, "nothing", "since when the key may have been in other hands"},

		{"policy.publish", "clauses", []any{}, "0 elements", "1 to 100"},
		{"policy.publish", "clauses", many(101, map[string]any{}), "101 elements", "1 to 100"},
		{"policy.publish", "clauses/0/clause", "Threats", `"Threats"`, slug},
		{"policy.publish", "clauses/0/text", "", "nothing", "a text"},
		{"policy.publish", "clauses/0/title", "\u00a0", "nothing", "a text"},
		{"policy.publish", "clauses/0/permits", []any{}, "0 elements", "1 to 16"},
		{"policy.publish", "clauses/0/permits/0/actions", []any{}, "0 elements", "1 to 7"},
		{"policy.publish", "clauses/0/permits/0/actions/1", "ban", `"ban"`, actions},
		{"policy.publish", "clauses/0/permits/1/service_layers", []any{}, "0 elements", "1 to 6"},
		{"policy.publish", "clauses/0/permits/1/service_layers/1", "cdn", `"cdn"`, layers},
		{"policy.publish", "clauses/0/quorum/count", 0, "nothing or 0", "an integer from 1 to 16"},
		{"policy.publish", "clauses/0/quorum/count", 17, "17", "an integer from 1 to 16"},
		{"policy.publish", "clauses/0/quorum/role", "machine", `"machine"`, "decider"},
		{"policy.publish", "clauses/0/emergency/harms", []any{}, "0 elements", "1 to 16"},
		{"policy.publish", "clauses/0/emergency/harms/0", "Life", `"Life"`, slug},
		{"policy.publish", "clauses/0/emergency/quorum/role", "ratifier", `"ratifier"`, "decider"},
		{"policy.publish", "clauses/0/emergency/ratifiers/role", "policy", `"policy"`, "one of ratifier, decider"},
		{"policy.publish", "clauses/0/emergency/ratifiers/count", 0, "nothing or 0", "an integer from 1 to 16"},
		{"policy.publish", "clauses/0/emergency/ratify_within", 0, "nothing or 0", "an integer from 1 " + hours},
		{"policy.publish", "clauses/0/retrospective/ratifiers/role", "registrar", `"registrar"`, "one of ratifier, decider"},
		{"policy.publish", "clauses/0/retrospective/ratify_within", 87841, "87841", "an integer from 1 " + hours},
		{"policy.publish", "effective_from", "2026-09-21T14:13:20+00:00", `+00:00"`, time},
		{"policy.publish", "historic/source", " ", "nothing", "a text"},
		{"policy.publish", "lang", "de_AT", `"de_AT"`, lang},
		{"policy.publish", "policy", "a/b", `"a/b"`, slug},
		{"policy.publish", "title", "", "nothing", "a text"},
		{"policy.publish", "version", 0, "nothing or 0", "an integer from 1 to 9007199254740991"},
		{"policy.repeal", "effective_from", "2026-09-21t14:13:20z", `"2026-09-21t14`, time},
		{"policy.repeal", "policy", "", "nothing", slug},
		{"policy.repeal", "reasons", "", "nothing", "a text"},
		{"policy.repeal", "lang", "", "nothing", lang},

		{"decision", "action", "ban", `"ban"`, actions},
		{"decision", "action", "", "nothing", actions},
		{"decision", "alternatives/0/action", "Warn", `"Warn"`, actions},
		{"decision", "alternatives/0/why_not", "", "nothing", "a text"},
		{"decision", "alternatives", many(8, map[string]any{"action": "warn", "why_not": "x"}), "8 elements", "0 to 7"},
		{"decision", "automation/decision", "some", `"some"`, "one of none, partial, full"},
		{"decision", "automation/detection", "none", `"none"`, "one of manual, automated"},
		{"decision", "case", "ab", `"ab"`, caseID},
		{"decision", "case", "d-47DEQ", `"d-47DEQ"`, caseID},
		{"decision", "case", "d-abc", `"d-abc"`, caseID},
		{"decision", "case", "case_1", `"case_1"`, caseID},
		{"decision", "case", long, long, caseID},
		{"decision", "decided_at", "2026-09-21T14:13:20.0Z", `"2026-09-21T14:13:20.0Z"`, time},
		{"decision", "decided_at", "2026-02-30T00:00:00Z", `"2026-02-30`, time},
		{"decision", "effective_at", "2026-09-21T14:13:60Z", `:60Z"`, time},
		{"decision", "effective_at", "2026-09-21 14:13:20Z", `"2026-09-21 14`, time},
		{"decision", "until", "2026-09-21T14:13:20Z", "2026-09-21T14:13:20Z", "a time after effective_at"},
		{"decision", "review_at", "soon", `"soon"`, time},
		{"decision", "emergency/harm", "Life!", `"Life!"`, slug},
		{"decision", "retrospective", map[string]any{"why": "late"}, "it beside emergency", "one of the two"},
		{"decision", "evidence/0/sha256", strings.Repeat("0", 64), "0000", hash},
		{"decision", "evidence/0/what", "", "nothing", "a text"},
		{"decision", "facts", "\n", "nothing", "a text"},
		{"decision", "reasons", "", "nothing", "a text"},
		{"decision", "grounds", many(17, map[string]any{}), "17 elements", "0 to 16"},
		{"decision", "grounds/0/record", someRef, someRef, id},
		{"decision", "grounds/0/clause", "Threats", `"Threats"`, slug},
		{"decision", "grounds/0/clause", gone{}, "nothing", slug},
		{"decision", "grounds/0/version", gone{}, "nothing or 0", "an integer from 1 to"},
		{"decision", "grounds/0/version", -1, "-1", "an integer from 1 to"},
		{"decision", "lang", "e", `"e"`, lang},
		{"decision", "precedents/0", "case-1", `"case-1"`, id},
		{"decision", "prev", loosen(t, someID[2:]), loosen(t, someRef)[:40], id},
		{"decision", "service_layer", "email", `"email"`, layers},
		{"decision", "severity", "deadly", `"deadly"`, "one of low, medium, high, critical"},
		{"decision", "subject/ref", "example.org", `"example.org"`, hash},
		{"decision", "subject/type", "person", `"person"`, "one of domain, url, account, ip_address, other"},
		{"decision", "territory/0", "at", `"at"`, "an ISO 3166-1 code of two capital letters"},
		{"decision", "territory/1", "AUT", `"AUT"`, "an ISO 3166-1 code of two capital letters"},
		{"decision", "trigger/kind", "whim", `"whim"`, "one of own_initiative, notice, trusted_flagger, authority_order, court_order"},
		{"decision", "trigger/intake", "d-", `"d-"`, id},
		{"retrospective", "retrospective/why", "", "nothing", "a text"},
		{"ratification", "case", "x", `"x"`, caseID},
		{"ratification", "decision", "d-" + loosen(t, someRef), "d-", id},
		{"ratification", "lang", "12", `"12"`, lang},
		{"ratification", "prev", "", "nothing", id},
		{"ratification", "reasons", " ", "nothing", "a text"},
	}
	for _, row := range rows {
		changed := tree(t, row.sample)
		edit(t, changed, row.path, row.to)
		at := row.path
		switch { // the member at fault is not always the one that was changed
		case row.to == "lost":
			at = "since"
		case strings.HasSuffix(at, "jwk/x"):
			at = strings.TrimSuffix(at, "/x")
		}
		t.Run(fmt.Sprint(row.sample, " ", row.path), func(t *testing.T) {
			_, err := parseTree(t, changed)
			fault{record.Malformed, "payload", at, row.found, row.want}.check(t, err)
		})
	}
}

// TestAllowedValues: every value of a fixed set, and the ends of every range.
func TestAllowedValues(t *testing.T) {
	accept := func(sample, path string, to any) {
		t.Helper()
		changed := tree(t, sample)
		edit(t, changed, path, to)
		if u, err := parseTree(t, changed); err != nil {
			t.Errorf("%s with %s %v: %v, want it accepted", sample, path, to, err)
		} else {
			sameAgain(t, u)
		}
	}
	for _, v := range record.Actions {
		if v != record.Reinstate {
			accept("decision", "alternatives/0/action", v)
		}
		accept("decision", "action", v)
		accept("policy.publish", "clauses/0/permits/0/actions/0", v)
	}
	for _, v := range record.ServiceLayers {
		accept("decision", "service_layer", v)
		accept("policy.publish", "clauses/0/permits/0/service_layers/0", v)
	}
	for _, v := range record.Roles {
		accept("key.enrol", "roles", []any{v})
	}
	for path, set := range map[string][]string{
		"subject/type": record.SubjectTypes, "severity": record.Severities, "trigger/kind": record.TriggerKinds,
		"automation/detection": record.Detections, "automation/decision": record.Automations,
		"lang": {"en", "de", "gsw", "de-AT", "zh-Hant-TW", "de-CH-1996"}, "case": {"abc", "1-2", "d1-", strings.Repeat("a", 64)},
		"ledger": {"a", "127.0.0.1:8080", "ledger.example.com/a/B_c~d.e/2026"}, "territory/0": {"AT", "ZZ"},
		"facts": {"x", " x ", "\u0000", "\ufffd", "\U0010ffff", "\\u0000"},
	} {
		for _, v := range set {
			accept("decision", path, v)
		}
	}
	for path, ends := range map[string][]int{
		"administration_quorum": {1, 16}, "registrar_quorum": {1, 16}, "policy_quorum": {1, 16}, "default_quorum": {1, 16},
		"decide_tolerance": {0, 87840}, "draft_life": {1, 87840}, "policy_lead": {0, 87840}, "tolerance": {0, 3600},
	} {
		for _, n := range ends {
			accept("charter", path, n)
		}
	}
	accept("policy.publish", "version", int64(record.MaxInt))
	accept("decision", "decided_at", "1970-01-01T00:00:01Z")
	accept("decision", "decided_at", "9999-12-31T23:59:59Z")
	accept("decision", "decided_at", "2024-02-29T23:59:59Z")
	accept("key.revoke", "kid", "A"+someRef[1:])
}

// TestTwice: what stands once stands once.
func TestTwice(t *testing.T) {
	p := charter(t)
	p.Founders[1].JWK = p.Founders[0].JWK
	_, err := record.NewDraft(p)
	fault{record.Malformed, "payload", "founders/1/jwk", "the same a second time", "each once"}.check(t, err)

	p = charter(t)
	p.Recovery.Keys[0] = p.Founders[2].JWK // no founder's key is a recovery key
	_, err = record.NewDraft(p)
	fault{record.Malformed, "payload", "recovery/keys/0", "the same a second time", "each once"}.check(t, err)

	q := policy(t)
	q.Clauses = append(q.Clauses, q.Clauses[0])
	_, err = record.NewDraft(q)
	fault{record.Malformed, "payload", "clauses/1/clause", "the same a second time", "each once"}.check(t, err)
}

// TestCharterKeys: founding and recovery keys all sign, so they are at most 16.
func TestCharterKeys(t *testing.T) {
	p := charter(t)
	for i := len(p.Founders); i < 15; i++ {
		p.Founders = append(p.Founders, record.Founder{Holder: "more", JWK: jwkOf(t, edKey(fmt.Sprint(i))), Roles: []record.Role{record.RoleIntake}})
	}
	if _, err := record.NewDraft(p); err != nil {
		t.Errorf("15 founders and a recovery key: %v", err)
	}
	p.Recovery.Keys = append(p.Recovery.Keys, jwkOf(t, edKey("one more")))
	_, err := record.NewDraft(p)
	fault{record.Malformed, "payload", "recovery/keys", "2 elements", "1 to 1"}.check(t, err)
}

// TestGroundAlone: only a reinstatement cites a record without a clause.
func TestGroundAlone(t *testing.T) {
	p := retrospective(t)
	if _, err := record.NewDraft(p); err != nil {
		t.Error(err)
	}
	p.Action = record.Warn
	_, err := record.NewDraft(p)
	fault{record.Malformed, "payload", "grounds/0/policy", "nothing", "only a reinstatement may cite a record alone"}.check(t, err)
}

// TestNewDraft: the words for those who write drafts, not bytes.
func TestNewDraft(t *testing.T) {
	p := plain(t)
	p.Facts = "\xff"
	_, err := record.NewDraft(p)
	fault{record.Malformed, "payload", "", "UTF-8", "text in UTF-8"}.check(t, err)
	_, err = record.NewDraft(&record.Decision{})
	fault{record.Malformed, "payload", "ledger", "nothing", "the origin of a ledger"}.check(t, err)
	p = plain(t)
	p.DecidedAt = 1 << 50
	_, err = record.NewDraft(p)
	fault{record.Malformed, "payload", "decided_at", `-`, "a time like"}.check(t, err)
	p = plain(t)
	p.Facts = strings.Repeat("x", 50000)
	_, err = record.NewDraft(p)
	fault{record.Malformed, "record", "", "bytes", "at most 65535"}.check(t, err)

	p = plain(t)
	p.V, p.Type = 7, record.TypeCharter // set by NewDraft
	if u := draft(t, p); u.Payload().Head().V != 1 || u.Payload().Head().Type != record.TypeDecision {
		t.Errorf("%+v, want v 1 of type decision", u.Payload().Head())
	}
	_, err = record.Parse(draft(t, plain(t)).Bytes())
	fault{record.Malformed, "record", "signatures", "0 signatures", "1 to 16"}.check(t, err)
	_, err = draft(t, plain(t)).Verify(record.Keyring{})
	fault{record.Malformed, "record", "signatures", "no signature", "1 to 16"}.check(t, err)
}
