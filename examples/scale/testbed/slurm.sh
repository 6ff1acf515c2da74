#!/usr/bin/env bash
# A Slurm cluster on this one machine, with nothing of the system's own: no systemd, no files in /etc.
set -euo pipefail

help() {
    cat <<'TEXT'
usage: slurm.sh up DIR [--nodes N] [--loopback]
       slurm.sh at NODE DIR COMMAND...
       slurm.sh batch NODE DIR ARGUMENTS...
       slurm.sh down DIR

up      starts a cluster of N nodes (4), n1 to nN. Each is a network namespace with an address of its
        own, 10.98.0.1 and so on, and all are joined by a bridge; so is head, 10.98.0.254, where the
        controller runs. With --loopback all nodes are at 127.0.0.1, and there is no namespace.
at      runs a command on a node, or on head, with SLURM_CONF set and the names of all nodes known.
batch   runs sbatch there with these arguments, and ends when the job does, with its status: sooner than
        sbatch --wait, which looks ever more seldom.
down    ends what up started, by its process ids, and removes the namespaces.

All files are in DIR. SCALE_SLURM_PORT: the first of N + 1 ports (27000). It needs root, and the
packages of packages.txt.
TEXT
}

say() { printf 'slurm.sh: %s\n' "$*" >&2; }
die() { say "error: $1"; exit "${2:-1}"; }

base=${SCALE_SLURM_PORT:-27000}

# Runs a program where a node is: in its network, and with an /etc/hosts that knows them all. This shell
# becomes what it runs.
become() {
    local node=$1
    shift
    [[ -s $dir/prefix ]] || exec "$@"
    # shellcheck disable=SC2016 # for the inner shell
    exec nsenter --net="/run/netns/$(< "$dir/prefix")-$node" \
        unshare --mount sh -c 'mount --bind "$0" /etc/hosts && exec "$@"' "$dir/hosts" "$@"
}
inside() { (become "$@"); }

networks() {
    local prefix=scale-$$ i name
    echo "$prefix" > "$dir/prefix"
    echo "127.0.0.1 localhost" > "$dir/hosts"
    for name in head $(seq -f 'n%.0f' "$nodes"); do
        if ! ip netns add "$prefix-$name" || ! ip -n "$prefix-$name" link set lo up; then
            die "no network namespace can be made: it takes root, and a kernel that allows it"
        fi
    done
    ip -n "$prefix-head" link add bridge type bridge
    ip -n "$prefix-head" addr add 10.98.0.254/24 dev bridge
    ip -n "$prefix-head" link set bridge up
    echo "10.98.0.254 head" >> "$dir/hosts"
    for ((i = 1; i <= nodes; i++)); do
        ip link add eth0 netns "$prefix-n$i" type veth peer name "n$i" netns "$prefix-head"
        ip -n "$prefix-head" link set "n$i" master bridge up
        ip -n "$prefix-n$i" addr add "10.98.0.$i/24" dev eth0
        ip -n "$prefix-n$i" link set eth0 up
        echo "10.98.0.$i n$i" >> "$dir/hosts"
    done
    inside n1 getent hosts head > /dev/null \
        || die "no mount namespace can be made: it takes root, and a kernel that allows it"
}

configuration() {
    local host i address=127.0.0.1
    host=$(uname -n)
    host=${host%%.*}
    [[ $loopback == yes ]] || address=10.98.0.254
    cat <<TEXT
ClusterName=scale
SlurmctldHost=$host($address)
SlurmctldPort=$base
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket=$dir/munge.sock
SlurmUser=root
SlurmdUser=root
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool-%n
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd-%n.pid
SlurmctldLogFile=$dir/slurmctld.log
SlurmdLogFile=$dir/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
PlugStackConfig=/dev/null
SlurmdParameters=config_overrides
ReturnToService=2
SchedulerParameters=sched_interval=1,batch_sched_delay=0
TEXT
    for ((i = 1; i <= nodes; i++)); do
        [[ $loopback == yes ]] || address=10.98.0.$i
        echo "NodeName=n$i NodeHostname=$host NodeAddr=$address Port=$((base + i)) CPUs=4 State=UNKNOWN"
    done
    echo "PartitionName=all Nodes=n[1-$nodes] Default=YES MaxTime=INFINITE State=UP"
}

up() {
    local i program
    [[ $EUID == 0 ]] || die "it needs root"
    for program in munged slurmctld slurmd sinfo ip nsenter unshare; do
        command -v "$program" > /dev/null \
            || die "$program is not there: apt-get install --no-install-recommends $(tr '\n' ' ' \
                < <(sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$home/../packages.txt"))"
    done
    [[ ! -e $dir/slurm.conf ]] || die "there is a cluster in $dir already: 'slurm.sh down $dir' ends it"
    mkdir -p "$dir/state"
    # By this, down knows what belongs to this cluster.
    export SLURM_CONF=$dir/slurm.conf
    # What cannot come up is taken down again.
    trap 'down' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    [[ $loopback == yes ]] || networks
    configuration > "$dir/slurm.conf"
    head -c 1024 /dev/urandom > "$dir/munge.key"
    chmod 400 "$dir/munge.key"
    # --force: other users may read DIR.
    munged --force --num-threads=2 --key-file="$dir/munge.key" --socket="$dir/munge.sock" \
        --pid-file="$dir/munged.pid" --log-file="$dir/munged.log" --seed-file="$dir/munge.seed" \
        || die "munged did not start: see $dir/munged.log"
    inside head slurmctld -c -f "$dir/slurm.conf" || die "slurmctld did not start: see $dir/slurmctld.log"
    for ((i = 1; i <= nodes; i++)); do
        mkdir -p "$dir/spool-n$i"
        inside "n$i" slurmd -N "n$i" -f "$dir/slurm.conf" \
            || die "slurmd did not start: see $dir/slurmd-n$i.log"
    done
    for ((i = 0; i < 300; i++)); do
        if [[ $(inside head sinfo -h -N -o %T 2> /dev/null | grep -c '^idle') == "$nodes" ]]; then
            trap - EXIT
            return
        fi
        sleep 0.2
    done
    tail -n 5 "$dir"/slurm*.log >&2 || true
    die "the nodes did not come up within a minute"
}

batch() {
    local job state i
    job=$(inside "$node" sbatch --parsable "$@") || exit 1
    # Of an array there is a line for each element. No answer may be a busy controller's, for a minute.
    for ((i = 0; i < 60; i++)); do
        if state=$(inside "$node" scontrol --oneliner show job "$job" 2> /dev/null); then
            i=0
            if ! grep -qE 'JobState=(PENDING|CONFIGURING|RUNNING|COMPLETING|SUSPENDED)' <<< "$state"; then
                # The worst of what they ended with; what a signal ended has a status after the colon.
                exit "$(grep -o ' ExitCode=[0-9:]*' <<< "$state" | awk -F '[=:]' '
                    { status = $3 != 0 ? 128 + $3 : $2 } status > worst { worst = status }
                    END { print worst + 0 }')"
            fi
            sleep 0.3
        else
            sleep 1
        fi
    done
    die "nobody tells of job $job"
}

# The processes of this cluster, or those of them with this name: all that were started with SLURM_CONF
# set to its file, and not this script.
ours() {
    local each found=()
    for each in /proc/[0-9]*; do
        [[ $# == 0 || $(cat "$each/comm" 2> /dev/null) == "$1" ]] || continue
        ! grep -qzxF "SLURM_CONF=$dir/slurm.conf" "$each/environ" 2> /dev/null \
            || found+=("${each#/proc/}")
    done
    # What ran for this look alone is gone, and so is none of theirs.
    for each in "${found[@]}"; do
        [[ $each == "$$" || $each == "$BASHPID" || ! -e /proc/$each ]] || echo "$each"
    done
}

# Ends these processes, and waits until they are gone.
end() {
    local pid i
    kill "$@" 2> /dev/null || true
    for pid; do
        for ((i = 0; i < 100; i++)); do
            kill -0 "$pid" 2> /dev/null || break
            sleep 0.1
        done
        ((i < 100)) || kill -KILL "$pid" 2> /dev/null || true
    done
}

down() {
    local name i
    [[ -d $dir ]] || return 0
    # To the end, whatever comes.
    trap '' INT TERM
    export SLURM_CONF=$dir/slurm.conf
    if [[ -s $dir/slurmctld.pid ]]; then
        # Jobs go first: the processes of a job are not those of slurmd.
        inside head timeout 10 scancel --user=root 2> /dev/null || true
        for ((i = 0; i < 50; i++)); do
            [[ -n $(inside head timeout 10 squeue -h 2> /dev/null) ]] || break
            sleep 0.2
        done
    fi
    # Who takes its leave of another goes first; then what is left.
    for name in slurmd slurmctld munged ''; do
        # shellcheck disable=SC2046 # process ids
        end $(ours ${name:+"$name"})
    done
    if [[ -s $dir/prefix ]]; then
        for name in $(ip netns list | awk '{ print $1 }' | grep "^$(< "$dir/prefix")-"); do
            ip netns del "$name"
        done
        rm -f "$dir/prefix"
    fi
    rm -f "$dir/slurm.conf"
}

home=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
nodes=4 loopback=no
case ${1:-} in
    up)
        dir=${2:?slurm.sh up DIR}
        shift 2
        while (($# > 0)); do
            case $1 in
                --loopback) loopback=yes; shift ;;
                --nodes) nodes=${2:?how many nodes?}; shift 2 ;;
                *) die "unknown argument '$1' (see --help)" 2 ;;
            esac
        done
        [[ $nodes =~ ^[1-9][0-9]?$ ]] || die "--nodes $nodes: want 1 to 99" 2
        mkdir -p "$dir"
        dir=$(realpath "$dir")
        up ;;
    at | batch)
        (($# > 3)) || die "want a node, DIR and more (see --help)" 2
        command=$1 node=$2
        dir=$(realpath "$3")
        shift 3
        export SLURM_CONF=$dir/slurm.conf
        [[ $command == batch ]] || become "$node" "$@"
        batch "$@" ;;
    down)
        dir=$(realpath "${2:?slurm.sh down DIR}")
        down ;;
    -h | --help) help ;;
    *) help >&2; exit 2 ;;
esac
