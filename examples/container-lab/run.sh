#!/usr/bin/env bash
# A running server with its open TCP connections, moved by CRIU from one host to another, under load.
# The hosts are network namespaces of one machine: see README.md.
set -uo pipefail

home=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

help() {
    cat <<'TEXT'
usage: run.sh --out DIR [options]

Starts loadgen's own server on a host, loads it, has CRIU freeze and save it, moves its address to
another host, restores it there, and reports what its clients felt. The hosts are network namespaces
that are gone afterwards. It needs root, iproute2, jq, and CRIU 4 or newer: where the system has none,
that of Debian sid is put beside it (9 MB).

  --out DIR            where report.json and CRIU's logs go
  --loadgen PATH       the loadgen program (loadgen)
  --criu PATH          the CRIU program (criu, or that of Debian sid)
  --rate R             calls per second over open connections (200)
  --probe-rate R       calls per second over new connections (100)
  --before S, --after S  seconds of load before and after (5, 5)

Status: 0 moved, with all open connections alive; 1 not so; 2 wrong usage; 3 CRIU cannot work here.
TEXT
}

say() { printf 'lab: %s\n' "$*" >&2; }
die() { say "error: $1"; exit "${2:-1}"; }

loadgen=loadgen criu= out= rate=200 probe_rate=100 before=5 after=5
while (($# > 0)); do
    case $1 in
        -h | --help) help; exit 0 ;;
        --loadgen | --criu | --out | --rate | --probe-rate | --before | --after)
            (($# > 1)) || die "$1 needs a value (see --help)" 2
            name=${1#--} value=$2
            printf -v "${name//-/_}" '%s' "$value"
            shift 2 ;;
        *) die "unknown argument '$1' (see --help)" 2 ;;
    esac
done
[[ -n $out ]] || die "--out DIR is needed (see --help)" 2
[[ $EUID == 0 ]] || die "namespaces and CRIU need root" 2
for program in ip bridge jq nsenter "$loadgen"; do
    command -v "$program" > /dev/null || die "'$program' is not there"
done
loadgen=$(realpath -- "$(command -v "$loadgen")")
mkdir -p "$out" || exit 1
out=$(realpath -- "$out")

if [[ -z $criu ]]; then
    criu=$(command -v criu)
    version=$([[ -z $criu ]] || "$criu" --version 2> /dev/null | sed -n 's/^Version: \([0-9]*\).*/\1/p')
    if ((${version:-0} < 4)); then
        "$home/newer-criu.sh" "$out/criu" > /dev/null || exit 3
        criu=$out/criu/criu
    fi
fi
"$criu" check > "$out/check.log" 2>&1 || { cat "$out/check.log" >&2; die "CRIU cannot work here" 3; }
say "$("$criu" --version | head -n 1)"

# Names of our own, so that nothing else is touched.
net=lab-$$-net a=lab-$$-a b=lab-$$-b address=10.99.1.5 port=8080
server=
# shellcheck disable=SC2329
clean() {
    [[ -z $server ]] || kill -KILL "$server" 2> /dev/null
    for space in "$net" "$a" "$b"; do
        ip netns del "$space" 2> /dev/null
    done
}
trap clean EXIT
trap 'exit 130' INT TERM

for space in "$net" "$a" "$b"; do
    ip netns add "$space" && ip -n "$space" link set lo up || die "no namespace can be made"
done
ip -n "$net" link add bridge type bridge
ip -n "$net" link set bridge up
ip -n "$net" addr add 10.99.1.1/24 dev bridge
for host in "$a" "$b"; do
    # The address moves with the container, and the one of the link with it.
    ip link add eth0 netns "$host" address 02:00:00:00:01:05 type veth peer name "to-${host##*-}" netns "$net"
    ip -n "$net" link set "to-${host##*-}" master bridge up
done
for host in "$a" "$b"; do
    # Nobody is to be heard of it before it has the address. It is up all the time, as the kernel uses
    # a link up to a second after it has come up.
    nsenter --net="/run/netns/$host" \
        sh -c '[ ! -e "$1" ] || echo 1 > "$1"' sh /proc/sys/net/ipv6/conf/eth0/disable_ipv6
    ip -n "$host" link set eth0 up
done
ip -n "$a" addr add "$address/24" dev eth0 || die "the hosts cannot be connected"

# No mount namespace of its own, which CRIU would have to move, too; no terminal either.
setsid nsenter --net="/run/netns/$a" "$loadgen" target --listen "$address:$port" \
    < /dev/null > "$out/server.log" 2>&1 &
server=$!
# Its end is no news.
disown "$server"
for ((i = 0; i < 200; i++)); do
    nsenter --net="/run/netns/$net" timeout 1 bash -c "exec 3<>/dev/tcp/$address/$port" 2> /dev/null && break
    kill -0 "$server" 2> /dev/null || { cat "$out/server.log" >&2; die "the server did not start"; }
    sleep 0.05
done

export LAB_CRIU=$criu LAB_SERVER=$server LAB_NET=$net LAB_FROM=$a LAB_TO=$b LAB_ADDRESS=$address LAB_OUT=$out
nsenter --net="/run/netns/$net" "$loadgen" migrate "http://$address:$port/" \
    --rate "$rate" --probe-rate "$probe_rate" --before "${before}s" --after "${after}s" \
    --trigger "command:$home/move.sh" --output "$out/report.json"
status=$?
[[ -s $out/report.json ]] || die "there is no report (loadgen ended with status $status)"
jq -r '.migration | "lab: \(.ending // "not learnt"); outage ms: open connections \(.outage_ms.established.gap),"
    + " new ones \(.outage_ms.fresh.gap); connections lost: \(.connections_lost.established.count)"
    + " of \(.connections_lost.established.of)"' "$out/report.json" >&2
jq -e '.migration | .ending == "completed" and .connections_lost.established.count == 0' \
    "$out/report.json" > /dev/null || die "it was not moved as it should be: see $out"
