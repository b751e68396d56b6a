#!/usr/bin/env bash
# A day of the staff: from an empty folder to a decision that two people signed who
# never met, over the ledger's inbox, and to the file that the site holds which was
# cut off. Usage: staff.sh DIR (absent or empty). It leaves there trust.policy,
# decision.tlog-proof and case.zip. Needs docketd, docket and docket-verify on the
# PATH, or Go in a clone of the repository.
set -euo pipefail
dir=${1:?usage: staff.sh DIR}
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
url=http://127.0.0.1:${PORT:-8442}

# 1. The operator makes the log key.
vkey=$(docketd key --data data --origin $origin --json | sed 's/.*"vkey":"\([^"]*\)".*/\1/')
printf 'log %s %s\nquorum none\n' "$vkey" "$url" >trust.policy

# 2. Everybody makes a key of their own, and hands out the public half. Here their
# passphrases stand in files; a person types them.
for name in ada ben recovery dora erik ira abe; do
	echo "the passphrase of $name" >$name.pass
	chmod 600 $name.pass
	docket key new --out $name.jwk --passphrase-file $name.pass
	docket key show $name.jwk --passphrase-file $name.pass --jwk >$name.pub
done
sign() { # sign NAME DRAFT [flags]
	local name=$1 draft=$2
	shift 2
	docket sign "$draft" --key $name.jwk --passphrase-file $name.pass --ledger "$url" --policy trust.policy --yes "$@"
}

# 3. The charter: who founds the ledger, who may do what. All of them sign it.
docket charter new --ledger $origin --log-key "$vkey" --operator "Example Hosting" --contact ledger@example.com \
	--founder ada:administration+registrar+policy:ada.pub --founder ben:administration+registrar+policy:ben.pub \
	--recovery recovery.pub --subject-key subject.key --policy-lead 0 --out charter.draft
for name in ada ben recovery; do
	docket charter sign charter.draft --key $name.jwk --passphrase-file $name.pass --yes
done
docketd init --data data --charter charter.draft

# 4. The ledger is served.
docketd serve --data data --listen "${url#http://}" 2>docketd.log &
server=$!
trap 'kill $server 2>/dev/null || true; wait $server || true' EXIT
for _ in $(seq 100); do
	curl -sf "$url/readyz" >/dev/null && break
	sleep 0.1
done

# 5. The staff gets its keys, enrolled by both registrars and by themselves: two who
# decide, one who takes in what arrives, one who rules on complaints.
for who in dora:decider erik:decider ira:intake abe:appeals; do
	name=${who%%:*}
	docket key enrol --ledger $origin --holder $name --role ${who##*:} --key $name.pub --out enrol-$name.draft
	for signer in ada ben $name; do
		sign $signer enrol-$name.draft
	done
	docket submit enrol-$name.draft --ledger "$url" --policy trust.policy
done

# 6. A policy with due process, from the worked example. It is told by what it says.
docket policy publish --example | sed -e 's/\[\[duty-officer, intake-desk\]\]/[[dora, ira]]/' -e 's/2026-11-23T00:00:00Z/2026-01-01T00:00:00Z/' >rules.yaml
docket policy publish rules.yaml --ledger $origin --from "$url" --out rules.draft
sign ada rules.draft
sign ben rules.draft
docket submit rules.draft --ledger "$url" --policy trust.policy
policy=$(docket-verify receipt --json --policy trust.policy rules.tlog-proof | sed 's/.*"id":"\([^"]*\)".*/\1/')
id() { docket-verify receipt --json --policy trust.policy "$1" | sed 's/.*"id":"\([^"]*\)".*/\1/'; }

# 7. A report arrives, and is taken in.
now=$(date -u +%Y-%m-%dT%H:%M:%SZ)
cat >intake.yaml <<YAML
case: malware-example
category: malware
channel: form
service_layer: hosting
subject: {type: domain, name: malware.example}
received_at: $now
trigger: {kind: notice, reporter: a security company}
YAML
docket intake intake.yaml --ledger $origin --subject-key subject.key --out intake.draft
sign ira intake.draft
docket submit intake.draft --ledger "$url" --policy trust.policy

# 8. Dora prepares a decision, signs it and posts it. It waits in the inbox.
until=$(date -u -d '+2 days' +%Y-%m-%dT%H:%M:%SZ 2>/dev/null || date -u -v+2d +%Y-%m-%dT%H:%M:%SZ)
cat >decision.yaml <<YAML
case: malware-example
prev: $(id intake.tlog-proof)
service_layer: hosting
action: suspend
subject: {type: domain, name: malware.example}
grounds:
  - {policy: rulebook, version: 1, clause: technical-abuse, record: $policy}
severity: high
facts: The front page offered a trojan for download.
reasons: The operator was told three times and did not answer.
lang: en
trigger: {kind: notice, intake: $(id intake.tlog-proof)}
automation: {detection: manual, decision: none}
decided_at: $now
effective_at: $now
until: $until
YAML
docket decide decision.yaml --ledger $origin --subject-key subject.key --out decision.draft
sign dora decision.draft --post

# 9. Erik finds it there, reads it, signs it, and sends it into the log.
docket inbox --ledger "$url" --key erik.jwk --passphrase-file erik.pass
draft=$(docket inbox --ledger "$url" --key erik.jwk --passphrase-file erik.pass --json | sed 's/.*"id":"\(draft-[^"]*\)".*/\1/')
sign erik "$draft"
docket submit "$draft" --key erik.jwk --passphrase-file erik.pass --ledger "$url" --policy trust.policy --out decision.tlog-proof

# 10. What is owed now: the subject has to be told. It is, and holds the case file.
docket due --ledger "$url"
cat >notice.yaml <<YAML
case: malware-example
prev: $(id decision.tlog-proof)
kind: decision
decision: $(id decision.tlog-proof)
channel: email
service_layer: hosting
subject: {type: domain, name: malware.example}
lang: en
text: Your site is suspended for two days, until the trojan is removed.
redress: Write to complaints@example.com within six months.
YAML
docket notify notice.yaml --ledger $origin --subject-key subject.key --out notice.draft
sign erik notice.draft
docket submit notice.draft --ledger "$url" --policy trust.policy
docket show malware-example --ledger "$url"
docket case export malware-example --ledger "$url" --policy trust.policy --out case.zip

# 11. The operator is gone. The files prove it all the same.
kill $server
wait $server || true
docket-verify receipt --policy trust.policy decision.tlog-proof
docket-verify case --policy trust.policy case.zip
