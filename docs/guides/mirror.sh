#!/usr/bin/env bash
# A researcher's copy of a ledger: followed, served, audited, and run as a witness;
# and an operator who shows a second history to somebody else, caught, with evidence
# that proves it to third persons. Usage: mirror.sh DIR (absent or empty). It leaves
# there trust.policy, mirror/ and fork.evidence. Needs docketd, docket, docket-mirror
# and docket-verify on the PATH, or Go in a clone of the repository.
set -euo pipefail
dir=${1:?usage: mirror.sh DIR}
mkdir -p "$dir"
[ -z "$(ls -A "$dir")" ] || { echo "$dir is not empty" >&2; exit 2; }
dir=$(cd "$dir" && pwd)
if ! type -P docketd docket docket-mirror docket-verify >/dev/null; then
	repo=$(cd "$(dirname "$0")/../.." && pwd)
	(cd "$repo" && go build -o "$dir/bin/" ./cmd/docketd ./cmd/docket ./cmd/docket-mirror ./cmd/docket-verify)
	PATH=$dir/bin:$PATH
fi
cd "$dir"
port=${PORT:-8461}
ledger=http://127.0.0.1:$port
copy=http://127.0.0.1:$((port + 1))
other=http://127.0.0.1:$((port + 2))
pids=()
trap 'for p in "${pids[@]}"; do kill "$p" 2>/dev/null || true; done; wait' EXIT

until_true() { # until_true COMMAND...: waits until it is, for half a minute
	for _ in $(seq 300); do
		"$@" >/dev/null 2>&1 && return
		sleep 0.1
	done
	echo "this does not come to pass: $*" >&2
	return 1
}
refused() { # refused COMMAND...: must find fault, with exit code 1
	local code=0
	"$@" || code=$?
	[ $code = 1 ] || { echo "exit code $code, want 1: $*" >&2; return 1; }
}
decide() { # decide CASE URL: a decision of the demonstration's staff
	sed "s/^case: .*/case: $1/" demo/decision.yaml >"$1.yaml"
	export XDG_CONFIG_HOME=$dir/staff-$1 # each remembers a ledger of its own
	docket decide "$1.yaml" --subject-key demo/keys/subject.key --out "$1.draft"
	for name in duty-officer reviewer; do
		docket sign "$1.draft" --key demo/keys/$name.jwk --ledger "$2" --policy trust.policy --yes
	done
	docket submit "$1.draft" --ledger "$2" --policy trust.policy
}

# 1. A ledger with a few cases, and the trust policy that its readers have.
docket demo --once --dir demo >/dev/null
cp demo/trust.policy .

# 2. A university copies it, serves the copy and cosigns what it has copied: one
# program, one key. The operator names it in its witness policy.
docket-mirror witness key --name witness.university.example --out witness.key >witness.vkey
{
	grep '^log ' trust.policy
	echo "witness university $(cat witness.vkey) $copy"
	echo "quorum university"
} >witness.policy
docket-mirror serve mirror --listen "${copy#http://}" --from "$ledger" --every 1s --policy trust.policy --witness witness.key 2>mirror.log &
pids+=($!)
cp -r demo/ledger second # the operator prepares another history
docketd serve --data demo/ledger --listen "${ledger#http://}" --witness-policy witness.policy 2>ledger.log &
pids+=($!)

# 3. The copy is the log, cosigned, and whoever wants audits it: over HTTP or the folder.
cosigned() { curl -sf "$ledger/checkpoint" | grep -q 'witness.university.example'; }
has() { [ "$(curl -sf "$1/checkpoint" | sed -n 2p)" = "$2" ]; } # has URL SIZE
until_true cosigned
until_true has "$copy" 17
docket-verify audit --policy trust.policy "$copy"
docket-verify audit --policy trust.policy mirror

# 4. The ledger grows, and the copy follows. A watchdog remembers what it showed.
decide shown-to-all "$ledger"
until_true has "$ledger" 18 # witnessed
until_true has "$copy" 18
docket-verify watch --once --policy trust.policy --state watch --peer "$copy" "$ledger"

# 5. To somebody else the operator shows another history, signed with the same key.
docketd serve --data second --listen "${other#http://}" 2>second.log &
pids+=($!)
until_true curl -sf "$other/readyz"
decide shown-to-some "$other"

# 6. Who watched the first catches it, and so does who compares it with the copy.
refused docket-verify watch --once --policy trust.policy --state watch "$other"
refused docket-verify diff --policy trust.policy mirror "$other"

# 7. The evidence is one file. It convinces anybody who has the trust policy, offline.
cp "$(ls watch*fork* | head -n 1)" fork.evidence
docket-verify fork --policy trust.policy fork.evidence
