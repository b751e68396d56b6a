package main

// The examples of the acts, in YAML with comments, by the names of
// docs/format.md. {now} is the time when they are printed.

const actHead = `# Public for ever: no private data, no secrets. The names are those of docs/format.md.

ledger: ledger.example.com/2026    # the origin of your ledger
case: example-1
`

const subjectYAML = `subject:
  type: domain                     # domain url account ip_address other
  name: example.com                # public! ref is computed from type and name with --subject-key
  # ref: …                         # or give the ref alone, and no name
`

const intakeYAML = actHead + `# prev: d-…                        # the newest act of the case; leave it out to open one
category: phishing                 # a word of your own list
channel: form                      # form email letter api telephone own_monitoring other
service_layer: hosting             # hosting cdn_proxy security dns registrar other
` + subjectYAML + `received_at: {now}
trigger:
  kind: notice                     # notice trusted_flagger authority_order court_order
  # reporter: a security company
  # authority: …
  # legal_reference: …
# summary: …                       # with lang
# lang: en
`

const noticeYAML = actHead + `# prev: d-…                        # the newest act of the case; leave it out to open one
kind: proposed                     # proposed, or decision once it is taken
channel: email                     # form email letter api telephone own_monitoring other
service_layer: hosting             # hosting cdn_proxy security dns registrar other
` + subjectYAML + `lang: en
text: |
  We intend to suspend your site over a page that imitates a bank. You may answer until the date below.

# with kind proposed
action: suspend                    # what is intended
respond_by: {now}                  # until when the subject may answer
# grounds:                         # the clauses that are considered
#   - policy: abuse
#     version: 1
#     clause: hosting
#     record: d-…

# with kind decision
# decision: d-…
# redress: Complaints to complaints@example.com within six months.
`

const appealYAML = actHead + `prev: d-47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU      # the newest act of the case
decision: d-47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU  # what is complained about
filer: subject                     # subject reporter other
received_at: {now}
lang: en
statement: |
  The page was not ours and is gone.
# filer_jwk:                       # a key of the filer, who may sign along
#   kty: OKP
#   crv: Ed25519
#   x: …
`

const rulingYAML = actHead + `prev: d-47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU      # the newest act of the case
appeal: d-47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU
outcome: reversed                  # upheld reversed modified
lang: en
reasons: |
  The page had been removed before the decision.
# with outcome modified
# action: restrict                 # suspend restrict warn
# until: {now}
`

const erratumYAML = `# Public for ever: no private data, no secrets. The names are those of docs/format.md.

ledger: ledger.example.com/2026
about: d-47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU     # the decision
corrections:                       # clerical ones; never action, grounds, signers
  - member: facts
    was: on three days
    is: on four days
lang: en
reasons: A slip of the pen.
`

const executionYAML = `# Public for ever: no private data, no secrets. The names are those of docs/format.md.

ledger: ledger.example.com/2026
about: d-47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU     # the decision
at: {now}
result: done                       # done failed
system: edge-1                     # a word for the enforcement system
# detail: …                        # with lang
# lang: en
`

const repealYAML = `# Public for ever. The names are those of docs/format.md.

ledger: ledger.example.com/2026
policy: abuse                      # all its versions
effective_from: {now}              # or later: when the charter's policy lead is over
lang: en
reasons: Replaced by another policy.
`

const amendYAML = `# The terms of the charter, all of them: what does not change is said again. The
# names are those of docs/format.md, section 3.1. A shorter policy_lead, a lower quorum,
# other witnesses, a longer decide_tolerance or historic_until wait for the old policy_lead.

ledger: ledger.example.com/2026
operator: Example Ltd
contact: ledger@example.com
lang: en
# text: What readers should know of this ledger.
reasons: A new address.
administration_quorum: 2
registrar_quorum: 2
policy_quorum: 2
default_quorum: 2
policy_lead: 168                   # hours
decide_tolerance: 24               # hours
draft_life: 720                    # hours
tolerance: 300                     # seconds
# historic_until: {now}
rules: 1
subject_key_hash: 47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU
log_keys:
  - ledger.example.com/2026+b151b1d0+AVEvQ7yzqBZArYXsACCf2Yr05KUtwZFu9oeRfRFoyFel
witnesses: [quorum none]
recovery:
  quorum: 1
  keys:
    - {kty: OKP, crv: Ed25519, x: 47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU}
`
