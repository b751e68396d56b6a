package main

import (
	"strings"
	"time"

	"github.com/docket-ledger/docket/verify/record"
)

// exampleDecision returns a decision in YAML with comments, dated now. Every
// member that the schema knows is in it; those that may be left out are comments.
func exampleDecision(now time.Time) string {
	at := func(days int) string { return record.Time(now.Unix() + int64(days)*24*3600).String() }
	return strings.NewReplacer("{now}", at(0), "{week}", at(7), "{month}", at(30)).Replace(exampleYAML)
}

const exampleYAML = `# A decision, by the names of docs/format.md. What is written here is public and
# can never be removed from the log: no private data, no secrets.

ledger: ledger.example.com/2026    # the origin of your ledger
case: example-1                    # 3 to 64 of a-z, 0-9 and -; chosen by whoever opens the case
# prev: d-…                        # the newest act of the case; leave it out to open one

action: suspend                    # terminate suspend restrict warn decline forward reinstate
service_layer: hosting             # hosting cdn_proxy security dns registrar other
subject:
  type: domain                     # domain url account ip_address other
  name: example.com                # public! ref is computed from type and name with --subject-key
  # ref: …                         # or give the ref alone, and no name
  # locator: https://example.com/page

# The rules that it rests on, and the id of the record that published each.
# decline and forward may do without: that no rule permits it is the ground.
grounds:
  - policy: abuse
    version: 1
    clause: hosting
    record: d-47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU

facts: |
  A page of the site offered malware for download on three days.
reasons: |
  The operator was told twice and did not answer.
lang: en                           # of facts and reasons

# alternatives:                    # milder actions that were weighed
#   - action: warn
#     why_not: Two warnings had no effect.
# severity: high                   # low medium high critical

trigger:
  kind: notice                     # own_initiative notice trusted_flagger authority_order court_order
  # reporter: a security company
  # authority: …
  # legal_reference: …
  # intake: d-…                    # the record that reported it
automation:
  detection: manual                # manual automated
  decision: none                   # none partial full

decided_at: {now}
effective_at: {now}
# until: {month}
# review_at: {week}
# territory: [DE, AT]              # ISO 3166-1; left out: everywhere
# redress: Complaints to complaints@example.com within six months.

# dsa:                             # for the EU's DSA Transparency Database, by its own names and values
#   category: STATEMENT_CATEGORY_SCAMS_AND_FRAUD
#   content_date: 2026-10-30
#   content_type: [CONTENT_TYPE_OTHER]
#   content_type_other: Website behind a proxy
#   decision_ground: DECISION_GROUND_INCOMPATIBLE_CONTENT   # or DECISION_GROUND_ILLEGAL_CONTENT
#   # incompatible_content_ground: …   incompatible_content_explanation: …   incompatible_content_illegal: Yes
#   # illegal_content_legal_ground: …   illegal_content_explanation: …
#   # decision_ground_reference_url: https://example.com/terms#4
#   # decision_visibility: [DECISION_VISIBILITY_OTHER]   decision_visibility_other: …
#   # decision_monetary: DECISION_MONETARY_OTHER   decision_monetary_other: …
#   # decision_provision: DECISION_PROVISION_TOTAL_SUSPENSION
#   # decision_account: DECISION_ACCOUNT_SUSPENDED   account_type: ACCOUNT_TYPE_BUSINESS
#   # category_addition: [STATEMENT_CATEGORY_CYBER_VIOLENCE]
#   # category_specification: [KEYWORD_OTHER]   category_specification_other: …
#   # content_language: EN   content_id_ean: "1234567890123"

# emergency:                       # only under a clause that allows it, and others must ratify it in time
#   harm: threat-to-life
# retrospective:                   # if it is recorded afterwards
#   why: The ledger was out of order that day.

# precedents: [d-…]                # like cases; --from URL shows the ledger's newest, and fills them in
# distinguishing_reason: …         # what makes this one different, if most of them were decided otherwise
# evidence:                        # files kept elsewhere
#   - what: screenshot of the page
#     sha256: 47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU
`
