#!/usr/bin/env bash
# What to do with the key of a log: it is changed, lost without a spare, lost with
# one, and leaked. Usage: log-keys.sh DIR (absent or empty). Needs docketd, docket and
# docket-verify on the PATH, or Go in a clone of the repository.
set -euo pipefail
dir=${1:?usage: log-keys.sh DIR}
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
url=http://127.0.0.1:${PORT:-8447}
server=

start() {
	docketd serve --data data --listen "${url#http://}" 2>>docketd.log &
	server=$!
	for _ in $(seq 100); do
		curl -sf "$url/readyz" >/dev/null && return
		sleep 0.1
	done
	echo "docketd does not answer" >&2
	return 1
}

stop() {
	kill "$server"
	wait "$server"
	server=
}
trap '[ -z "$server" ] || kill "$server"' EXIT

vkey() { docketd key --data data "$@" --json | sed 's/.*"vkey":"\([^"]*\)".*/\1/'; }

refused() { # refused COMMAND...: must not go through
	if "$@"; then
		echo "went through: $*" >&2
		return 1
	fi
}

trust() { # trust FILE VKEY: a trust policy
	printf 'log %s %s\nquorum none\n' "$2" "$url" >"$1"
}

amendment() { # amendment DRAFT VKEY...: what changes are the log keys
	local draft=$1
	shift
	cat >amend.yaml <<YAML
ledger: $origin
operator: Example Hosting
contact: ledger@example.com
lang: en
reasons: The log keys change.
administration_quorum: 2
registrar_quorum: 2
policy_quorum: 2
default_quorum: 2
policy_lead: 0
decide_tolerance: 24
draft_life: 720
tolerance: 300
rules: 1
subject_key_hash: $hash
witnesses: [quorum none]
recovery: {quorum: 1, keys: [$(cat recovery.pub)]}
log_keys: [$(IFS=,; echo "$*")]
YAML
	docket charter amend amend.yaml --out "$draft"
}

amend() { # amend POLICY VKEY...: logs it
	local policy=$1
	shift
	rm -f amend.draft
	amendment amend.draft "$@"
	for name in ada ben; do
		docket sign amend.draft --key $name.jwk --ledger "$url" --policy "$policy" --yes
	done
	docket submit amend.draft --ledger "$url" --policy "$policy"
}

# 0. A ledger with one log key.
first=$(vkey --origin $origin)
trust first.policy "$first"
for name in ada ben recovery; do
	docket key new --out $name.jwk --no-passphrase
	docket key show $name.jwk --jwk >$name.pub
done
docket charter new --ledger $origin --log-key "$first" --operator "Example Hosting" --contact ledger@example.com \
	--founder ada:administration+registrar+policy:ada.pub --founder ben:administration+registrar+policy:ben.pub \
	--recovery recovery.pub --subject-key subject.key --policy-lead 0 --out charter.draft
for name in ada ben recovery; do
	docket charter sign charter.draft --key $name.jwk --yes
done
docketd init --data data --charter charter.draft
hash=$(docket show --json charter.draft | tr -d ' \n' | sed 's/.*"subject_key_hash":"\([^"]*\)".*/\1/')
start
curl -sf "$url/checkpoint" >first.checkpoint

# 1. The key is changed: an amendment names both, one checkpoint is signed by both,
#    an amendment drops the old one.
second=$(vkey --next)
trust second.policy "$second"
amend first.policy "$first" "$second"
stop
docketd key succeed --data data >handover.checkpoint
[ "$(grep -c '^— ' handover.checkpoint)" = 2 ]
start
docket-verify audit --policy first.policy "$url"
docket-verify audit --policy second.policy "$url"
amend second.policy "$second"
refused docket-verify audit --policy first.policy "$url"
docket-verify audit --policy first.policy --policy second.policy --checkpoint first.checkpoint --checkpoint handover.checkpoint "$url"
rm data/keys/retired-*.key # and its copies

# 2. The key is lost, the server is down, and there is no spare: the administration
#    signs without the ledger, with what each signer's program remembers.
stop
rm data/keys/log.key
refused docketd serve --data data --listen "${url#http://}"
third=$(vkey --next)
trust third.policy "$third"
amendment lost.draft "$third"
for name in ada ben; do
	docket sign lost.draft --key $name.jwk --yes
done
docketd key succeed --data data --lost --amendment lost.draft >lost.checkpoint
start
docket-verify audit --policy second.policy --policy third.policy --checkpoint handover.checkpoint "$url"

# 3. Now with a spare, which the charter names and a safe keeps.
spare=$(vkey --next)
trust spare.policy "$spare"
amend third.policy "$third" "$spare"
mkdir -m 700 safe
mv data/keys/next.key data/keys/next.vkey safe/
curl -sf "$url/checkpoint" >before.checkpoint
stop
rm data/keys/log.key # lost
cp -p safe/* data/keys/
docketd key succeed --data data --lost
start
docket-verify audit --policy third.policy --policy spare.policy --checkpoint before.checkpoint "$url"

# 4. The key has leaked: another one at once, and the old one out of the charter.
fifth=$(vkey --next)
trust fifth.policy "$fifth"
amend spare.policy "$spare" "$fifth"
cp amend.tlog-proof old.tlog-proof
stop
docketd key succeed --data data >leaked.checkpoint
rm data/keys/retired-*.key
start
amend fifth.policy "$fifth"
docket-verify audit --policy spare.policy --policy fifth.policy --checkpoint leaked.checkpoint "$url"

# What the leaked key has signed proves nothing alone any more; where the log of now
# extends it, it does.
refused docket-verify receipt --policy spare.policy --policy fifth.policy old.tlog-proof
docket-verify receipt --policy spare.policy --policy fifth.policy --head "$url" old.tlog-proof
stop
echo "the log key was changed, lost twice, and leaked; every audit held"
