#!/usr/bin/env bash
# One ledger on a fleet, all on this machine: PostgreSQL, etcd, two of Trillian's log servers, two signers, two docketd that
# take records at once; then one of each is killed. Usage: fleet.sh DIR (absent or empty). Needs Debian's packages postgresql
# and etcd-server, Go, and a clone of the repository. It leaves trust.policy, node1.tlog-proof, node2.tlog-proof and faults.txt in DIR.
set -euo pipefail
dir=${1:?usage: fleet.sh DIR}
mkdir -p "$dir"
[ -z "$(ls -A "$dir")" ] || { echo "$dir is not empty" >&2; exit 2; }
dir=$(cd "$dir" && pwd)
repo=$(cd "$(dirname "$0")/../.." && pwd)
postgres=$(compgen -G '/usr/lib/postgresql/*/bin' | sort -V | tail -n 1) || { echo "no PostgreSQL: apt-get install postgresql" >&2; exit 3; }
type -P etcd >/dev/null || { echo "no etcd: apt-get install etcd-server" >&2; exit 3; }
if ! type -P docketd docket docket-verify >/dev/null; then
	(cd "$repo" && go build -o "$dir/bin/" ./cmd/docketd ./cmd/docket ./cmd/docket-verify)
	PATH=$dir/bin:$PATH
fi
port=${PORT:-8470} # and the next eleven
at() { echo "127.0.0.1:$((port + $1))"; }
url1=http://$(at 0) url2=http://$(at 1)
origin=ledger.example.com/2026
cd "$dir"

# What runs, by name, so that it can be killed and started again.
declare -A pids
run() { # run NAME COMMAND...
	local name=$1
	shift
	"$@" >>"$dir/$name.log" 2>&1 &
	pids[$name]=$!
}
stop() { kill "-${2:-TERM}" "${pids[$1]}" && { wait "${pids[$1]}" 2>/dev/null || true; }; }
until_it() { # until_it COMMAND...: tries for two minutes
	for _ in $(seq 600); do
		"$@" >/dev/null 2>&1 && return
		sleep 0.2
	done
	echo "in vain: $*" >&2
	return 1
}
listens() { (exec 3<>"/dev/tcp/${1%:*}/${1#*:}"); }
db=$(mktemp -d "${TMPDIR:-/tmp}/docket-fleet.XXXXXX") # PostgreSQL refuses to run as root, so its files are somebody else's
finish() { # all at once: by itself a signer waits for etcd, and PostgreSQL for everybody
	for name in "${!pids[@]}"; do
		[ "$name" = postgres ] || kill -KILL "${pids[$name]}" || true
	done 2>/dev/null
	kill -QUIT "${pids[postgres]}" 2>/dev/null || true
	wait
	rm -rf "$db"
}
trap finish EXIT

# 1. The database, with Trillian's schema.
as=()
if [ "$(id -u)" = 0 ]; then
	chown postgres "$db"
	as=(setpriv --reuid postgres --regid postgres --init-groups)
fi
chmod 755 "$db"
(cd / && "${as[@]}" "$postgres/initdb" -D "$db/data" -U trillian -A trust -E UTF8 >"$dir/initdb.log" 2>&1)
database() { cd / && exec "${as[@]}" "$postgres/postgres" -D "$db/data" -p $((port + 2)) -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c idle_in_transaction_session_timeout=10s; }
sql() { "$postgres/psql" -X -q -h 127.0.0.1 -p $((port + 2)) -U trillian -v ON_ERROR_STOP=1 "$@"; }
run postgres database
until_it sql -d postgres -c 'select 1'
read -r version module < <(cd "$repo" && go list -m -f '{{.Version}} {{.Dir}}' github.com/google/trillian)
sql -d postgres -c 'create database trillian'
sql -d trillian -f "$module/storage/postgresql/schema/storage.sql"

# 2. Trillian, of the version that docketd is built with: etcd, which elects one of two signers, and two log servers.
for program in trillian_log_server trillian_log_signer; do
	GOFLAGS='' GOBIN=$dir/bin go install -tags postgresql,etcd -trimpath "github.com/google/trillian/cmd/$program@$version"
done
run etcd etcd --data-dir "$dir/etcd" --listen-client-urls "http://$(at 3)" --advertise-client-urls "http://$(at 3)" \
	--listen-peer-urls "http://$(at 4)" --initial-advertise-peer-urls "http://$(at 4)" --initial-cluster "default=http://$(at 4)"
until_it listens "$(at 3)"
shared=(--storage_system=postgresql --quota_system=noop "--postgresql_uri=postgresql:///trillian?host=127.0.0.1&port=$((port + 2))&user=trillian" --logtostderr)
server() { run "server$1" bin/trillian_log_server --rpc_endpoint="$(at $((3 + 2 * $1)))" --http_endpoint="$(at $((4 + 2 * $1)))" --tree_gc=false "${shared[@]}"; }
signer() {
	run "signer$1" bin/trillian_log_signer --rpc_endpoint=127.0.0.1:0 --http_endpoint=127.0.0.1:0 --election_system=etcd --etcd_servers="http://$(at 3)" \
		--lock_file_path=/docket --sequencer_interval=50ms --batch_size=2000 "${shared[@]}"
}
server 1 && server 2 && signer 1 && signer 2
until_it listens "$(at 5)" && until_it listens "$(at 7)"
servers=(--trillian "$(at 5),$(at 7)" --trillian-plaintext) # elsewhere: --trillian-ca ca.pem
until_it docketd fleet init "${servers[@]}" --name docket
tree=$(docketd fleet init "${servers[@]}" --name docket --json | sed 's/.*"tree":\([0-9]*\).*/\1/')
docketd fleet check "${servers[@]}" --tree-id "$tree"
node=("${servers[@]}" --tree-id "$tree")

# 3. The ledger begins, by its first node.
vkey=$(docketd key --data node1 --origin $origin --json | sed 's/.*"vkey":"\([^"]*\)".*/\1/')
printf 'log %s %s\nquorum none\n' "$vkey" "$url1" >trust.policy
for name in ada ben recovery dora erik; do
	docket key new --out $name.jwk --no-passphrase
	docket key show $name.jwk --jwk >$name.pub
done
docket charter new --ledger $origin --log-key "$vkey" --operator "Example Hosting" --contact ledger@example.com \
	--founder ada:administration+registrar+policy:ada.pub --founder ben:administration+registrar+policy:ben.pub \
	--recovery recovery.pub --subject-key subject.key --policy-lead 0 --out charter.draft
for name in ada ben recovery; do
	docket charter sign charter.draft --key $name.jwk --yes
done
docketd init --data node1 --charter charter.draft "${node[@]}"
serve1() { run node1 docketd serve --data node1 --listen "$(at 0)" "${node[@]}" "$@"; }
serve1
until_it curl -sf "$url1/readyz"

# 4. A second node: the log key, and what the first one has signed so far.
mkdir node2
cp -r node1/keys node2/keys
docketd fleet join --data node2 "${node[@]}" --peer "$url1"
run node2 docketd serve --data node2 --listen "$(at 1)" "${node[@]}" --peer "$url1"
until_it curl -sf "$url2/readyz"

# 5. Records, now by one node and now by the other. Either proves all of them.
submit() { docket submit "$1" --ledger "$2" --policy trust.policy "${@:3}"; }
for name in dora erik; do
	docket key enrol --ledger $origin --holder $name --role decider --key $name.pub --out enrol-$name.draft
	for signer in ada ben $name; do
		docket sign enrol-$name.draft --key $signer.jwk --ledger "$url1" --policy trust.policy --yes
	done
	submit enrol-$name.draft "$url2"
done
decline() { # decline CASE URL FILE
	local now
	now=$(date -u +%Y-%m-%dT%H:%M:%SZ)
	cat >"$1.yaml" <<YAML
case: $1
service_layer: hosting
action: decline
subject: {type: domain, name: $1.example}
facts: A report said that the site sells what it does not have.
reasons: Nothing of this was found.
lang: en
trigger: {kind: notice}
automation: {detection: manual, decision: none}
decided_at: $now
effective_at: $now
YAML
	docket decide "$1.yaml" --ledger $origin --subject-key subject.key --out "$1.draft"
	for name in dora erik; do
		docket sign "$1.draft" --key $name.jwk --ledger "$2" --policy trust.policy --yes
	done
	until_it submit "$1.draft" "$2" --out "$3"
}
decline first-case "$url1" node1.tlog-proof
decline second-case "$url2" node2.tlog-proof
docket-verify receipt --policy trust.policy node1.tlog-proof node2.tlog-proof

# 6. One of each is killed, and started again five seconds later. Meanwhile a record is submitted, again until it is taken.
database_again() { run postgres database; }
server_again() { server 1; }
signer_again() { signer 1; }
etcd_again() { run etcd etcd --data-dir "$dir/etcd" --listen-client-urls "http://$(at 3)" --advertise-client-urls "http://$(at 3)"; }
node_again() { serve1 --peer "$url2"; }
printf '%-12s %s\n' killed 'seconds until a record was taken' >faults.txt
for fault in server1:server_again signer1:signer_again etcd:etcd_again postgres:database_again node1:node_again; do
	part=${fault%:*}
	decline "$part-before" "$url2" "$part-before.tlog-proof"
	how=KILL
	[ "$part" != postgres ] || how=QUIT # its processes, too
	stop "$part" $how || true
	start=$(date +%s%N)
	{ decline "$part" "$url2" "$part.tlog-proof" && date +%s%N >"$part.taken"; } &
	taking=$!
	sleep 5
	"${fault#*:}"
	wait $taking
	took=$((($(cat "$part.taken") - start) / 100000000))
	printf '%-12s %s.%s\n' "$part" $((took / 10)) $((took % 10)) >>faults.txt
done
cat faults.txt

# 7. Both nodes prove the same log, and every receipt from before holds.
until_it curl -sf "$url1/readyz"
for url in "$url1" "$url2"; do
	docket-verify audit --policy trust.policy "$url"
done
docket-verify diff --policy trust.policy "$url1" "$url2"
docket-verify receipt --policy trust.policy ./*.tlog-proof
