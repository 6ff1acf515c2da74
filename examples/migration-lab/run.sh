#!/usr/bin/env bash
# A live migration of a real virtual machine under load, on one machine: see README.md.
set -uo pipefail

LAB_HOME=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export LAB_HOME
# shellcheck source=lib/common.sh
. "$LAB_HOME/lib/common.sh"
# shellcheck source=lib/guest.sh
. "$LAB_HOME/lib/guest.sh"
# shellcheck source=lib/net.sh
. "$LAB_HOME/lib/net.sh"
# shellcheck source=lib/ways.sh
. "$LAB_HOME/lib/ways.sh"
# shellcheck source=lib/vm.sh
. "$LAB_HOME/lib/vm.sh"

help() {
    cat <<'TEXT'
usage: run.sh --out DIR [options]
       run.sh --stress --out DIR [options]
       run.sh --experiment PLAN.toml --out DIR [options]

Boots a small Debian guest with Apache in QEMU, loads it, migrates it live to a second
QEMU and reports what its clients felt; once for each memory size. All traffic stays in
a network namespace that is gone afterwards.

With --experiment the plan says which guests are booted, how they are moved and loaded, and how
often (loadgen experiment; examples/study/study.toml is one): DIR is that of the experiment. Of the
options below those about the guest hold.

With --stress nothing is migrated: the guest (of 512 MB) is loaded at rising rates, for
response time over request rate and the rate at which it saturates. Of the options below
those about migrations then have no effect.

  --out DIR               where DIR/SIZE/report.json, report.html and the logs go
  --sizes LIST            VM memory in MB (512,1024,2048)
  --rate R                calls per second over open connections (100)
  --experiment PLAN.toml  many migrations by a plan
  --stress                a stress test instead of migrations
  --rates RATES           its rates: LOW..HIGH/STEP, or a list (100..900/100)
  --step-time S           how long it stays at each of them (10)
  --probe-rate R          calls per second over new connections (50)
  --before S, --after S   seconds of load before and after the migration (10, 10)
  --reach-check HOW       how loadgen asks the guest's kernel: auto, rst:PORT, icmp, syn, off (auto)
  --reach-rate R          how often a second (200)
  --tls                   the guest's https in place of its http
  --manager NAME          who moves the guest: qemu (asked by QMP), or libvirt (two libvirtd of the
                          lab's own, and virsh; root) (qemu)
  --strategy NAME         pre-copy, post-copy, stop-and-copy or hybrid, with what helps it, such as
                          pre-copy+auto-converge (pre-copy)
  --ways LIST             several migrations of one guest by libvirt, to and fro, each checked against
                          what must come of it: strategies, interrupted (Ctrl-C), refused (a closed
                          port), cut (the link; a minute); in place of --strategy
  --bandwidth B           limit of the migration stream, per second (32MiB)
  --downtime-limit T      QEMU's own aim for the pause (300ms)
  --fill PERCENT          part of the memory filled with random data (25)
  --dirty-mb MB           memory that the guest keeps rewriting (0)
  --dirty-rate MB         how much of it per second (0)
  --accel auto|kvm|tcg    auto takes KVM where it really runs guest code (auto)
  --max-time S            limit for one size, without booting (600)
  --loadgen PATH          the loadgen program ($LOADGEN, else built with cargo)
  --cache DIR             where the built guest is kept ($MIGRATION_LAB_CACHE, else
                          ~/.cache/loadgen-migration-lab)
  --rebuild               build the guest anew
  --build-only            build the guest and stop
  --install               first install the Debian packages of packages.txt (root)
  -- OPTIONS              all that follows goes to loadgen as it is, such as
                          -- --session shop.toml --session-cookies

Exit status: 0 all measured, 4 a run was not valid, 1 a run failed, 2 usage.
TEXT
}

LAB_SIZES='' LAB_RATE=100 LAB_PROBE_RATE=50 LAB_BEFORE=10 LAB_AFTER=10
LAB_REACH_CHECK=auto LAB_REACH_RATE=200
LAB_STRATEGY=pre-copy LAB_BANDWIDTH=32MiB LAB_DOWNTIME_LIMIT=300ms
LAB_FILL=25 LAB_DIRTY_MB=0 LAB_DIRTY_RATE=0 LAB_ACCEL=auto
LAB_TLS=no LAB_MANAGER=qemu LAB_WAYS='' LAB_STRESS=no LAB_RATES=100..900/100 LAB_STEP_TIME=10
LAB_MAX_TIME=600 LAB_BOOT_TIMEOUT=180 LAB_WARM_UP=5 LAB_OUT='' LAB_LOADGEN=${LOADGEN:-}
cache=${MIGRATION_LAB_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/loadgen-migration-lab}
rebuild=no build_only=no install=no

LAB_OPTIONS='' LAB_EXPERIMENT=''
while (($#)); do
    case $1 in
        --) (($# == 1)) || printf -v LAB_OPTIONS '%q ' "${@:2}"; break ;;
        --help | -h) help; exit 0 ;;
        --rebuild) rebuild=yes; shift; continue ;;
        --build-only) build_only=yes; shift; continue ;;
        --install) install=yes; shift; continue ;;
        --stress) LAB_STRESS=yes; shift; continue ;;
        --tls) LAB_TLS=yes; shift; continue ;;
        --*=*) set -- "${1%%=*}" "${1#*=}" "${@:2}" ;;
    esac
    (($# >= 2)) || usage_error "$1: unknown, or its value is missing"
    case $1 in
        --out) LAB_OUT=$2 ;;
        --sizes) LAB_SIZES=$2 ;;
        --experiment) LAB_EXPERIMENT=$2 ;;
        --rate) LAB_RATE=$2 ;;
        --probe-rate) LAB_PROBE_RATE=$2 ;;
        --rates) LAB_RATES=$2 ;;
        --step-time) LAB_STEP_TIME=${2%s} ;;
        --before) LAB_BEFORE=${2%s} ;;
        --after) LAB_AFTER=${2%s} ;;
        --reach-check) LAB_REACH_CHECK=$2 ;;
        --reach-rate) LAB_REACH_RATE=$2 ;;
        --strategy) LAB_STRATEGY=$2 ;;
        --manager) LAB_MANAGER=$2 ;;
        --ways) LAB_WAYS=${2//,/ } ;;
        --bandwidth) LAB_BANDWIDTH=$2 ;;
        --downtime-limit) LAB_DOWNTIME_LIMIT=$2 ;;
        --fill) LAB_FILL=${2%\%} ;;
        --dirty-mb) LAB_DIRTY_MB=$2 ;;
        --dirty-rate) LAB_DIRTY_RATE=$2 ;;
        --accel) LAB_ACCEL=$2 ;;
        --max-time) LAB_MAX_TIME=${2%s} ;;
        --loadgen) LAB_LOADGEN=$2 ;;
        --cache) cache=$2 ;;
        *) usage_error "unknown option $1" ;;
    esac
    shift 2
done

check_options() {
    local size name
    if [[ -z $LAB_SIZES ]]; then
        if [[ $LAB_STRESS == yes ]]; then LAB_SIZES=512; else LAB_SIZES=512,1024,2048; fi
    fi
    [[ $LAB_RATES =~ ^[0-9.,/k]+$ ]] || usage_error "--rates $LAB_RATES: want LOW..HIGH/STEP or a list"
    [[ $LAB_SIZES =~ ^[1-9][0-9]*(,[1-9][0-9]*)*$ ]] || usage_error "--sizes $LAB_SIZES: want MB,MB,..."
    for name in LAB_BEFORE LAB_AFTER LAB_RATE LAB_PROBE_RATE LAB_REACH_RATE LAB_STEP_TIME; do
        [[ ${!name} =~ ^[0-9]+(\.[0-9]+)?$ ]] || usage_error "'${!name}' is not a number (${name#LAB_})"
    done
    for name in LAB_FILL LAB_DIRTY_MB LAB_DIRTY_RATE LAB_MAX_TIME; do
        [[ ${!name} =~ ^(0|[1-9][0-9]*)$ ]] || usage_error "'${!name}' is not a whole number (${name#LAB_})"
    done
    # What may be added to it, loadgen knows.
    [[ $LAB_STRATEGY =~ ^(pre-copy|post-copy|stop-and-copy|hybrid)(\+[a-z-]+)*$ ]] \
        || usage_error "unknown strategy $LAB_STRATEGY"
    [[ $LAB_MANAGER =~ ^(qemu|libvirt)$ ]] || usage_error "unknown manager $LAB_MANAGER"
    for name in $LAB_WAYS; do
        [[ " ${WAYS_KNOWN[*]} " == *" $name "* ]] || usage_error "--ways: '$name' is none of ${WAYS_KNOWN[*]}"
    done
    [[ -z $LAB_WAYS || $LAB_MANAGER == libvirt ]] || usage_error "--ways needs --manager libvirt"
    [[ -z $LAB_WAYS || $LAB_STRESS == no ]] || usage_error "--ways migrates, and --stress does not: leave one of them out"
    [[ $LAB_ACCEL =~ ^(auto|kvm|tcg)$ ]] || usage_error "unknown accelerator $LAB_ACCEL"
    [[ $LAB_BANDWIDTH$LAB_DOWNTIME_LIMIT != *,* ]] || usage_error "no comma in --bandwidth and --downtime-limit"
    LAB_SIZES=${LAB_SIZES//,/ }
    for size in $LAB_SIZES; do
        # The system itself needs about 200 MB.
        ((size * LAB_FILL / 100 + LAB_DIRTY_MB + 200 <= size)) \
            || usage_error "$size MB of memory cannot hold $LAB_FILL % of random data, $LAB_DIRTY_MB MB to dirty and the system (200 MB)"
    done
    if [[ -n $LAB_EXPERIMENT ]]; then
        [[ -r $LAB_EXPERIMENT ]] || usage_error "--experiment $LAB_EXPERIMENT: there is no such file"
        [[ $LAB_MANAGER == qemu ]] || usage_error "--experiment has a plan of its own, whose trigger says who moves the guest: leave --manager out"
        [[ $LAB_STRESS == no ]] || usage_error "--experiment migrates, and --stress does not: leave one of them out"
        LAB_EXPERIMENT=$(realpath "$LAB_EXPERIMENT")
    fi
    [[ -n $LAB_OUT || $build_only == yes ]] || usage_error "--out DIR is missing"
}

packages() {
    local lists=("$LAB_HOME/packages.txt")
    [[ $LAB_MANAGER == qemu ]] || lists+=("$LAB_HOME/packages-$LAB_MANAGER.txt")
    grep -hv '^#' "${lists[@]}"
}

check_programs() {
    local program missing=() more=()
    [[ $LAB_MANAGER != libvirt ]] || more=(libvirtd virsh)
    for program in "${more[@]}" qemu-system-x86_64 mmdebstrap mksquashfs ip jq gcc openssl unshare setpriv flock dpkg-deb awk; do
        command -v "$program" > /dev/null || missing+=("$program")
    done
    ((${#missing[@]} == 0)) && return
    die "not found: ${missing[*]}
Install what is missing with
    apt-get install --no-install-recommends $(packages | tr '\n' ' ')
or run this program as root with --install."
}

install_packages() {
    ((EUID == 0)) || die "--install needs root"
    say "installing $(packages | tr '\n' ' ')"
    # shellcheck disable=SC2046 # a word for each package
    { apt-get -qq update \
        && DEBIAN_FRONTEND=noninteractive apt-get -qq -y install --no-install-recommends $(packages); } >&2 \
        || die "apt-get failed"
}

# Sets LAB_LOADGEN to the program, absolute.
find_loadgen() {
    local root=$LAB_HOME/../..
    if [[ -z $LAB_LOADGEN ]]; then
        command -v cargo > /dev/null || die "cargo is needed to build loadgen; or give --loadgen PATH"
        say "building loadgen"
        LAB_LOADGEN=$(cd "$root" && cargo build --release -p loadgen-cli --bin loadgen --message-format=json-render-diagnostics \
            | jq -r 'select(.reason == "compiler-artifact" and .target.name == "loadgen") | .executable // empty') \
            || die "loadgen could not be built"
    fi
    [[ -x $LAB_LOADGEN ]] || die "no loadgen program at '$LAB_LOADGEN'"
    LAB_LOADGEN=$(realpath "$LAB_LOADGEN")
}

choose_accel() {
    case $LAB_ACCEL in
        auto) if vm_kvm_works; then LAB_ACCEL=kvm; else LAB_ACCEL=tcg; fi ;;
        kvm) vm_kvm_works || die "KVM does not run guest code on this machine; take --accel tcg" ;;
    esac
}

check_host() {
    local size largest=0 free
    for size in $LAB_SIZES; do ((size > largest)) && largest=$size; done
    free=$(awk '/^MemAvailable:/ { print int($2 / 1024) }' /proc/meminfo)
    [[ $LAB_STRESS == yes ]] || ((free >= 2 * largest)) \
        || say "warning: source and target of $largest MB may need $((2 * largest)) MB of memory, $free MB are free"
    if [[ $LAB_STRATEGY =~ ^(post-copy|hybrid) && $EUID != 0 && $(cat /proc/sys/vm/unprivileged_userfaultfd 2>/dev/null) != 1 ]]; then
        die "post-copy without root needs: sysctl vm.unprivileged_userfaultfd=1"
    fi
}

child='' # the process in which all namespaces are rooted, while it runs

# Trap: ask the first process in the namespace to end in good order; it passes that on.
# shellcheck disable=SC2317 # called by traps only
pass_signal() {
    local inner
    stopped=$1
    if [[ -z $child ]]; then
        [[ -z $build ]] || guest_build_stop
        exit "$stopped"
    fi
    inner=$(cat "/proc/$child/task/$child/children" 2>/dev/null)
    if [[ -n $inner ]]; then
        # shellcheck disable=SC2086 # one word, with a space behind it
        kill -TERM $inner 2>/dev/null
    else
        kill -KILL "$child" 2>/dev/null
    fi
}

# shellcheck disable=SC2317 # called by a trap only
clean_up() {
    # With its first process the kernel ends all others in the namespace.
    [[ -n $child ]] && kill -KILL "$child" 2>/dev/null
    rm -rf --one-file-system -- "$LAB_TMP"
}

run_session() {
    local status
    # Should this script be killed, then the kernel kills unshare, and with it everything.
    setpriv --pdeathsig KILL unshare "${NAMESPACE[@]}" bash "$LAB_HOME/lib/session.sh" &
    child=$!
    while :; do
        wait "$child"
        status=$?
        alive "$child" || break
    done
    child=''
    return "$status"
}

print_table() {
    local size status report
    while read -r size status; do
        report=$LAB_OUT/$size/report.json
        if [[ -s $report ]] && jq -e . "$report" > /dev/null 2>&1; then
            jq -c --arg size "$size" --argjson status "$status" '{$size, $status, report: .}' "$report"
        else
            jq -cn --arg size "$size" --argjson status "$status" '{$size, $status, report: null}'
        fi
    done < "$LAB_TMP/results" | jq -rs -f "$LAB_HOME/lib/table.jq" | tee "$LAB_OUT/table.txt"
}

check_options
[[ $install == no ]] || install_packages
check_programs
LAB_TMP=$(mktemp -d "${TMPDIR:-/tmp}/migration-lab.XXXXXX") || die "no temporary directory"
stopped=''
trap clean_up EXIT
trap 'pass_signal 130' INT
trap 'pass_signal 143' TERM HUP

guest_prepare "$cache" "$rebuild"
[[ $build_only == no ]] || exit 0
find_loadgen
net_choose_namespace
choose_accel
check_host
mkdir -p "$LAB_OUT" || die "cannot create $LAB_OUT"
LAB_OUT=$(realpath "$LAB_OUT")
LAB_GUEST=$GUEST
export LAB_EXPERIMENT LAB_OPTIONS LAB_TLS LAB_MANAGER LAB_WAYS LAB_STRESS LAB_RATES LAB_STEP_TIME LAB_TMP LAB_GUEST LAB_OUT LAB_SIZES LAB_RATE LAB_PROBE_RATE LAB_REACH_CHECK LAB_REACH_RATE LAB_BEFORE LAB_AFTER LAB_STRATEGY \
    LAB_BANDWIDTH LAB_DOWNTIME_LIMIT LAB_FILL LAB_DIRTY_MB LAB_DIRTY_RATE LAB_ACCEL \
    LAB_MAX_TIME LAB_BOOT_TIMEOUT LAB_WARM_UP LAB_LOADGEN
if [[ -n $LAB_EXPERIMENT ]]; then
    what="experiment $LAB_EXPERIMENT"
elif [[ $LAB_STRESS == yes ]]; then
    what="stress test at $LAB_RATES calls/s"
elif [[ -n $LAB_WAYS ]]; then
    what="$LAB_WAYS by $LAB_MANAGER"
else
    what="strategy $LAB_STRATEGY by $LAB_MANAGER"
fi
say "$what, $LAB_ACCEL, results in $LAB_OUT"
run_session
status=$?
if [[ $LAB_STRESS == yes ]]; then
    for size in $LAB_SIZES; do
        [[ ! -s $LAB_OUT/$size/stress.txt ]] || cat "$LAB_OUT/$size/stress.txt"
    done
elif [[ -n $LAB_WAYS ]]; then
    for size in $LAB_SIZES; do
        [[ ! -s $LAB_OUT/$size/ways.txt ]] || cat "$LAB_OUT/$size/ways.txt"
    done
elif [[ -s $LAB_TMP/results ]]; then
    print_table
fi
exit "${stopped:-$status}"
