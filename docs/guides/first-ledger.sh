#!/usr/bin/env bash
# From an empty folder to a decision that two people signed, with its receipt
# verified. Usage: first-ledger.sh DIR (absent or empty). Needs docketd, docket and
# docket-verify on the PATH, or Go in a clone of the repository.
set -euo pipefail
dir=${1:?usage: first-ledger.sh DIR}
mkdir -p "$dir"
[ -z "$(ls -A "$dir")" ] || { echo "$dir is not empty" >&2; exit 2; }
dir=$(cd "$dir" && pwd)
if ! type -P docketd docket docket-verify >/dev/null; then
	repo=$(cd "$(dirname "$0")/../.." && pwd)
	(cd "$repo" && go build -o "$dir/bin/" ./cmd/docketd ./cmd/docket ./cmd/docket-verify)
	PATH=$dir/bin:$PATH
fi
cd "$dir"
origin=ledger.example.com/2026
url=http://127.0.0.1:${PORT:-8441}

# 1. The operator makes the log key.
vkey=$(docketd key --data data --origin $origin --json | sed 's/.*"vkey":"\([^"]*\)".*/\1/')
printf 'log %s %s\nquorum none\n' "$vkey" "$url" >trust.policy

# 2. Everybody makes a key of their own, and hands out the public half.
for name in ada ben recovery dora erik; do
	docket key new --out $name.jwk --no-passphrase
	docket key show $name.jwk --jwk >$name.pub
done

# 3. The charter: who founds the ledger, who may do what. All of them sign it.
docket charter new --ledger $origin --log-key "$vkey" --operator "Example Hosting" --contact ledger@example.com \
	--founder ada:administration+registrar+policy:ada.pub --founder ben:administration+registrar+policy:ben.pub \
	--recovery recovery.pub --subject-key subject.key --policy-lead 0 --out charter.draft
for name in ada ben recovery; do
	docket charter sign charter.draft --key $name.jwk --yes
done
docketd init --data data --charter charter.draft

# 4. The ledger is served.
docketd serve --data data --listen "${url#http://}" 2>docketd.log &
server=$!
trap 'kill $server; wait $server || true' EXIT
for _ in $(seq 100); do
	curl -sf "$url/readyz" >/dev/null && break
	sleep 0.1
done

# 5. Two deciders get their keys, enrolled by both registrars and by themselves.
for name in dora erik; do
	docket key enrol --ledger $origin --holder $name --role decider --key $name.pub --out enrol-$name.draft
	for signer in ada ben $name; do
		docket sign enrol-$name.draft --key $signer.jwk --ledger "$url" --policy trust.policy --yes
	done
	docket submit enrol-$name.draft --ledger "$url" --policy trust.policy
done

# 6. A policy, so that there is a rule before there is a decision.
cat >rules.yaml <<'YAML'
policy: acceptable-use
version: 1
title: Acceptable use
lang: en
effective_from: 2026-01-01T00:00:00Z
clauses:
  - clause: malware
    title: Malware
    text: A site that offers malware may be suspended until it is cleaned.
    permits:
      - actions: [suspend, warn, reinstate]
        service_layers: [hosting]
    quorum: {count: 2, role: decider}
YAML
docket policy publish rules.yaml --ledger $origin --out rules.draft
for name in ada ben; do
	docket sign rules.draft --key $name.jwk --ledger "$url" --policy trust.policy --yes
done
docket submit rules.draft --ledger "$url" --policy trust.policy
policy=$(docket-verify receipt --json --policy trust.policy rules.tlog-proof | sed 's/.*"id":"\([^"]*\)".*/\1/')

# 7. A decision under that rule, signed by two.
now=$(date -u +%Y-%m-%dT%H:%M:%SZ)
cat >decision.yaml <<YAML
case: malware-example
service_layer: hosting
action: suspend
subject: {type: domain, name: malware.example}
grounds:
  - {policy: acceptable-use, version: 1, clause: malware, record: $policy}
severity: high
facts: The front page offered a trojan for download.
reasons: The operator was told three times and did not answer.
lang: en
trigger: {kind: notice}
automation: {detection: manual, decision: none}
decided_at: $now
effective_at: $now
YAML
docket decide decision.yaml --ledger $origin --subject-key subject.key --out decision.draft
for name in dora erik; do
	docket sign decision.draft --key $name.jwk --ledger "$url" --policy trust.policy --yes
done
docket submit decision.draft --ledger "$url" --policy trust.policy --out decision.tlog-proof

# 8. Anyone can check it, now and when the operator is gone.
docket-verify receipt --policy trust.policy decision.tlog-proof
docket-verify audit --policy trust.policy "$url"
