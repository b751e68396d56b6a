#!/usr/bin/env bash
# A ledger that three witnesses cosign, of whom two must agree; what happens while
# they are away; and a copy of the ledger that is served beside it, caught.
# Usage: witnesses.sh DIR (absent or empty). It leaves there trust.policy and
# witnessed.tlog-proof. Needs docketd, docket, docket-mirror and docket-verify on the
# PATH, or Go in a clone of the repository.
set -euo pipefail
dir=${1:?usage: witnesses.sh DIR}
mkdir -p "$dir"
[ -z "$(ls -A "$dir")" ] || { echo "$dir is not empty" >&2; exit 2; }
dir=$(cd "$dir" && pwd)
if ! type -P docketd docket docket-mirror docket-verify >/dev/null; then
	repo=$(cd "$(dirname "$0")/../.." && pwd)
	(cd "$repo" && go build -o "$dir/bin/" ./cmd/docketd ./cmd/docket ./cmd/docket-mirror ./cmd/docket-verify)
	PATH=$dir/bin:$PATH
fi
cd "$dir"
origin=ledger.example.com/2026
port=${PORT:-8451}
url=http://127.0.0.1:$port
declare -A pid=()
trap 'for p in "${pid[@]}"; do kill "$p" 2>/dev/null || true; done' EXIT

answers() { # answers URL: waits until something is there
	for _ in $(seq 100); do
		curl -s "$1" >/dev/null && return
		sleep 0.1
	done
	echo "nothing answers at $1" >&2
	return 1
}
serve() { # serve DATA: the ledger in that folder
	docketd serve --data "$1" --listen "${url#http://}" --witness-policy trust.policy 2>>"$1.log" &
	pid[ledger]=$!
	answers "$url/readyz"
}
witness() { # witness N: run by somebody else, elsewhere
	docket-mirror witness --key "w$1.key" --dir "w$1" --listen "127.0.0.1:$((port + $1))" --log "$vkey" 2>>"w$1.log" &
	pid[w$1]=$!
	answers "http://127.0.0.1:$((port + $1))/"
}
stop() { # stop NAME
	kill "${pid[$1]}"
	wait "${pid[$1]}" || true
	unset "pid[$1]"
}
refused() { # refused COMMAND...: must not go through
	if "$@"; then
		echo "this should have been refused: $*" >&2
		return 1
	fi
}

# 1. The log key; and three witnesses, each with a key of its own.
keys=$(docketd key --data data --origin $origin --json)
vkey=$(sed 's/.*"vkey":"\([^"]*\)".*/\1/' <<<"$keys")
docket key show data/keys/machine.jwk --jwk >machine.pub
for n in 1 2 3; do
	docket-mirror witness key --name "witness$n.example.org" --out "w$n.key" >"w$n.vkey"
done

# 2. The trust policy: two of the three. Everybody who checks anything uses this file.
{
	echo "log $vkey $url"
	for n in 1 2 3; do
		echo "witness w$n $(cat "w$n.vkey") http://127.0.0.1:$((port + n))"
	done
	echo "group two-of-three 2 w1 w2 w3"
	echo "quorum two-of-three"
} >trust.policy
docket-verify trust trust.policy

# 3. The charter names the same witnesses, and the server's own key, the machine, so
# that what witnesses say of the time counts in the rules.
for name in ada ben recovery dora erik; do
	docket key new --out $name.jwk --no-passphrase
	docket key show $name.jwk --jwk >$name.pub
done
lines=()
while read -r line; do
	lines+=(--witness "$line")
done < <(grep -v '^log' trust.policy)
docket charter new --ledger $origin --log-key "$vkey" --operator "Example Hosting" --contact ledger@example.com \
	--founder ada:administration+registrar+policy:ada.pub --founder ben:administration+registrar+policy:ben.pub \
	--founder dora:decider:dora.pub --founder erik:decider:erik.pub --founder machine:machine:machine.pub \
	--recovery recovery.pub --subject-key subject.key "${lines[@]}" --out charter.draft
for key in ada.jwk ben.jwk dora.jwk erik.jwk recovery.jwk data/keys/machine.jwk; do
	docket charter sign charter.draft --key $key --yes
done
docketd init --data data --charter charter.draft

# 4. Everything runs. The witnesses cosign the charter, and the server logs the first
# timemark: from now on the log itself knows what time it is at least.
for n in 1 2 3; do witness $n; done
serve data
for _ in $(seq 100); do
	curl -sf "$url/v1/checkpoints?covers=1" >/dev/null && break
	sleep 0.1
done

# 5. A decision, not to act, and its receipt with the cosignatures.
decline() { # decline CASE: signed by two, as CASE.draft
	local now
	now=$(date -u +%Y-%m-%dT%H:%M:%SZ)
	cat >"$1.yaml" <<YAML
case: $1
service_layer: hosting
action: decline
subject: {type: domain, name: $1.example}
severity: low
facts: A reader finds the site distasteful.
reasons: No published rule of ours forbids it.
lang: en
trigger: {kind: notice}
automation: {detection: manual, decision: none}
decided_at: $now
effective_at: $now
YAML
	docket decide "$1.yaml" --ledger $origin --subject-key subject.key --out "$1.draft"
	for name in dora erik; do
		docket sign "$1.draft" --key $name.jwk --ledger "$url" --policy trust.policy --yes
	done
}
decline distasteful
docket submit distasteful.draft --ledger "$url" --policy trust.policy --wait-witnessed 30s --out witnessed.tlog-proof

# 6. Offline: it was logged here, not before and not after, as two witnesses say.
docket-verify receipt --policy trust.policy witnessed.tlog-proof

# 7. One witness is away: two are enough.
stop w3
decline one-away
docket submit one-away.draft --ledger "$url" --policy trust.policy --wait-witnessed 30s

# 8. Two are away: recording goes on, and the receipt has to wait for its witnesses.
stop w2
decline two-away
refused docket submit two-away.draft --ledger "$url" --policy trust.policy --wait-witnessed 2s --out two-away.tlog-proof
refused docket-verify receipt --policy trust.policy two-away.tlog-proof
witness 2
docket receipt upgrade two-away.tlog-proof --ledger "$url" --policy trust.policy --wait 60s
docket-verify receipt --policy trust.policy two-away.tlog-proof

# 9. Somebody copies the ledger, keys and all, and the original goes on.
stop ledger
cp -r data copy
serve data
decline after-the-copy
docket submit after-the-copy.draft --ledger "$url" --policy trust.policy --wait-witnessed 60s
stop ledger

# 10. The copy would have to tell another history. It does not even start: the
# witnesses have seen more, signed with its own key.
refused docketd serve --data copy --listen "${url#http://}" --witness-policy trust.policy

# 11. The original does, and the whole log is as the policy demands.
serve data
docket-verify audit --policy trust.policy "$url"
