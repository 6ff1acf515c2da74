#!/usr/bin/env bash
# The checks of ../test.sh, which runs this as the first process of namespaces of their own.
#
#   checks.sh LOADGEN OUT [NAME...]
set -uo pipefail

home=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
say() { printf 'scale: %s\n' "$*" >&2; }
die() { say "error: $1"; exit "${2:-1}"; }

loadgen=$1 out=$2 only=("${@:3}")
[[ $$ == 1 ]] || die "this is started by test.sh" 2
# Nobody else is to see our networks.
if ! mkdir -p /run/netns || ! mount -t tmpfs none /run/netns || ! ip link set lo up; then
    die "there can be no namespaces here" 2
fi
# Slurm knows no address, not even 127.0.0.1, where there is none but that.
if ! ip link add out type bridge || ! ip addr add 10.97.0.1/24 dev out || ! ip link set out up; then
    die "there can be no network here" 2
fi
export TMPDIR=$out/tmp
mkdir -p "$TMPDIR"

# Waits for something that has to come.
until_true() {
    local i what=$1
    shift
    for ((i = 0; i < 600; i++)); do
        if "$@"; then return; fi
        sleep 0.1
    done
    fail "$what: not within a minute"
}
fail() { echo "$*"; exit 1; }

# Runs a check, and writes down what came of it.
check() {
    local name=$1 what=$2 started=$SECONDS pid timer status
    shift 2
    [[ ${#only[@]} == 0 || " ${only[*]} " == *" $name "* ]] || return 0
    # No 'if': it would let a check go on after a command that failed.
    (set -eE; trap 'echo "line $LINENO: $BASH_COMMAND"' ERR; "$@") > "$out/$name.log" 2>&1 < /dev/null &
    pid=$!
    # What hangs is no reason to wait for ever.
    sleep 300 &
    timer=$!
    wait -n "$pid" "$timer"
    if ! kill "$timer" 2> /dev/null; then
        echo "it was given up after 300 s" >> "$out/$name.log"
        kill -KILL "$pid"
    fi
    wait "$pid"
    status=$?
    echo "$status" > "$out/$name.status"
    if [[ $status == 0 ]]; then
        say "ok: $name: $what ($((SECONDS - started)) s)"
    else
        # In one piece.
        say "FAILED: $name: $what"$'\n'"$(tail -n 25 "$out/$name.log" | sed 's/^/    /')"
    fi
}

# The load of the check NAME: request k is that of /NAME/K. 300 calls, in 3 s.
size=300 seconds=3
load() {
    seq -f "/$1/%08.0f" 0 $((size - 1)) > "$out/$1.paths"
    echo "http://127.0.0.1:$port/" --requests "$out/$1.paths" --rate 100 --duration "${seconds}s"
}
# A recipe ends as its merge does; 4: this machine was too slow for figures of times.
valid_or_slow() { [[ $1 == 0 || $1 == 4 ]] || fail "it ended with status $1, not with 0 (or 4)"; }
# Whether the server was asked for each request of the check NAME once, and the report says so.
is_whole() {
    local name=$1 of=$2 report=$3
    jq -e --argjson size "$size" --argjson of "$of" '(.shards | length) == $of
        and .counts.offered == $size and .counts.answered == $size and .counts.failed == 0' \
        "$report" > /dev/null || fail "not all calls are in $report: $(jq -c '.counts' "$report")"
    awk -v want="/$name/" 'index($3, want) == 1 { print $3 }' "$out/server.log" | sort \
        | cmp - "$out/$name.paths" || fail "the server was not asked for each request once"
}

recipes_can_be_read() {
    local file
    for file in "$home"/*.sh "$home"/*.sbatch "$home"/testbed/*.sh; do
        bash -n "$file"
        ! grep -n '.\{111,\}' "$file" || fail "$file has lines that are too long"
    done
    ! command -v shellcheck || shellcheck "$home"/*.sh "$home"/*.sbatch "$home"/testbed/*.sh
}

by_run_sh() {
    "$home/run.sh" --loadgen "$loadgen" --out "$out/run"
}

# Runs a recipe: NAME, then the command that takes the options of the load.
recipe() {
    local name=$1 status=0
    shift
    # shellcheck disable=SC2046 # options
    LOADGEN=$loadgen LOADGEN_OUT=$out/$name LOADGEN_SYNC_PLACE=$sync "$@" $(load "$name") \
        || status=$?
    valid_or_slow "$status"
    is_whole "$name" 4 "$out/$name/report.json"
    # As one load: they met, and nothing was before.
    status=0
    jq -e '[.shards[].clock.began_bound_ms] | all(. != null)' "$out/$name/report.json" > /dev/null \
        || fail "the shards did not meet"
}

# Finds the process of the load NAME that has this VARIABLE=VALUE in its environment.
process_of() {
    local dir
    for dir in /proc/[0-9]*; do
        [[ $dir/exe -ef $loadgen ]] || continue
        grep -qzxF -- "$2" "$dir/environ" 2> /dev/null || continue
        ! grep -qzF -- "/$1/shard-" "$dir/cmdline" 2> /dev/null || found=${dir#/proc/}
    done
    [[ -n $found ]]
}
# As recipe, but that shard 2, told by its environment, is killed while the load goes on. On a machine so
# slow that the load is over by then, a longer one.
dies() {
    local load=$1 mark=$2 name recipe found seconds status
    shift 2
    for seconds in 3 15 60; do
        name=$load-$seconds size=$((seconds * 100)) found='' status=0
        mkdir -p "$out/$name"
        # shellcheck disable=SC2046 # options
        LOADGEN=$loadgen LOADGEN_OUT=$out/$name LOADGEN_SYNC_PLACE=$sync "$@" $(load "$name") \
            > "$out/$name.said" 2>&1 &
        recipe=$!
        until_true "shard 2" process_of "$name" "$mark"
        until_true "the first call of shard 2" grep -q "/$name/00000002" "$out/server.log"
        kill -KILL "$found" || true
        wait "$recipe" || status=$?
        cat "$out/$name.said"
        [[ -e $out/$name/shard-2.json ]] || break
    done
    [[ $status != 0 ]] || fail "the recipe ended with 0, though shard 2 died"
    for i in 0 1 3; do
        [[ -s $out/$name/shard-$i.json ]] || fail "shard $i has no record: it died with shard 2"
    done
    [[ ! -e $out/$name/shard-2.json ]] || fail "shard 2 has a record"
    [[ ! -e $out/$name/report.json ]] || fail "there is a report, though a shard is missing"
    # Others have written what they are told on stderr to a file of their own.
    cat "$out/$name.said" "$out/$name/job.log" 2> /dev/null > "$out/$name.all" || true
    grep -q '1 of 4 shards are missing: 2' "$out/$name.all" || fail "nobody said that shard 2 is missing"
    grep -q 'shard 2 was lost while the load went on' "$out/$name.all" || fail "shard 0 did not see it"
    status=0
    "$loadgen" merge "$out/$name"/shard-*.json --allow-missing -o "$out/$name/report.json" || status=$?
    valid_or_slow "$status"
    jq -e --argjson size "$size" '.shards_missing == [2] and .counts.offered == $size * 3 / 4
        and .verdict.status != "valid" and (.verdict.reasons | any(contains("3/4")))' \
        "$out/$name/report.json" > /dev/null || fail "the report does not say what is missing"
}

# Two nodes on loopback, for all checks that need them.
export SCALE_SLURM_PORT=27900
cluster() {
    [[ -e $out/slurm/slurm.conf ]] || "$home/testbed/slurm.sh" up "$out/slurm" --nodes 2 --loopback
}
# sbatch, until the job has ended.
batch() {
    mkdir -p "$LOADGEN_OUT"
    "$home/testbed/slurm.sh" batch head "$out/slurm" --chdir="$out" --output="$LOADGEN_OUT/job.log" "$@" \
        || { local status=$?; cat "$LOADGEN_OUT/job.log"; return "$status"; }
}
slurm_on_two_nodes() {
    cluster
    recipe slurm batch --nodes=2 --ntasks-per-node=2 "$home/slurm.sbatch"
}
slurm_loses_one() {
    cluster
    dies slurm-dies SLURM_PROCID=2 batch --nodes=2 --ntasks-per-node=2 "$home/slurm.sbatch"
}

# A start that is told is a matter of speed: on a machine that needs longer, a later one.
told_start() {
    local name=$1 ahead
    shift
    for ahead in 6 20 60; do
        rm -rf "${out:?}/$name"
        mkdir "$out/$name"
        "$@" "$(date -d "+$ahead sec" +%s)" > "$out/$name.said" 2>&1 || true
        cat "$out/$name.said" "$out/$name"/*.log 2> /dev/null > "$out/$name.all" || true
        grep -q 'after the start that was told' "$out/$name.all" || break
    done
    cat "$out/$name.all"
}
array_begins() {
    # shellcheck disable=SC2046 # options
    LOADGEN=$loadgen LOADGEN_OUT=$out/array START=$1 "$home/testbed/slurm.sh" batch head "$out/slurm" \
        --chdir="$out" --output="$out/array/%a.log" \
        "$home/slurm-array.sbatch" $(load array)
}
slurm_array() {
    local status=0
    cluster
    told_start array array_begins
    "$loadgen" merge "$out"/array/shard-*.json -o "$out/array/report.json" || status=$?
    valid_or_slow "$status"
    is_whole array 4 "$out/array/report.json"
    # By one clock, which they all have here.
    jq -e '[.shards[].clock.began_ns] | max - min < 1e8' "$out/array/report.json" > /dev/null \
        || fail "they did not begin together"
}

ssh_server() {
    mkdir -p /run/sshd "$out/ssh"
    ssh-keygen -q -t ed25519 -N '' -f "$out/ssh/host"
    ssh-keygen -q -t ed25519 -N '' -f "$out/ssh/user"
    cat > "$out/ssh/server" <<TEXT
ListenAddress 127.0.0.1:27922
ListenAddress 127.0.0.2:27922
ListenAddress 127.0.0.3:27922
ListenAddress 127.0.0.4:27922
HostKey $out/ssh/host
AuthorizedKeysFile $out/ssh/user.pub
PidFile none
StrictModes no
UsePAM yes
PermitRootLogin prohibit-password
MaxStartups 100
TEXT
    cat > "$out/ssh/client" <<TEXT
Host *
    Port 27922
    IdentityFile $out/ssh/user
    IdentitiesOnly yes
    StrictHostKeyChecking no
    UserKnownHostsFile /dev/null
    LogLevel ERROR
TEXT
    /usr/sbin/sshd -D -e -f "$out/ssh/server" &
    until_true "sshd" ssh -F "$out/ssh/client" 127.0.0.4 true
}
by_pdsh() {
    ssh_server
    # %20, as URLs have it, is no %n of pdsh.
    PDSH_SSH_ARGS_APPEND="-F $out/ssh/client" HOSTS='127.0.0.[1-4]' SHARDS=4 \
        recipe pdsh "$home/pdsh.sh" -H 'X-Test: a%20b'
    [[ ! -e $out/pdsh/token ]] || fail "the token was left there"
}

old_records_are_left() {
    local status=0
    mkdir "$out/old"
    touch "$out/old/shard-3.json"
    LOADGEN=$loadgen LOADGEN_OUT=$out/old "$home/parallel.sh" http://127.0.0.1:1/ || status=$?
    [[ $status == 1 && ! -s $out/old/shard-3.json && ! -e $out/old/shard-0.json ]]
}

# Two shards, of which the second is run by COMMAND: NAME, how they begin, COMMAND...
pair() {
    local name=$1 begin=$2 first second status=0
    shift 2
    # shellcheck disable=SC2206,SC2207 # options
    local options=($(load "$name") $begin --quiet)
    "$loadgen" run "${options[@]}" --shard 0/2 -o "$out/$name/shard-0.json" &
    first=$!
    "$@" "$loadgen" run "${options[@]}" --shard 1/2 -o "$out/$name/shard-1.json" &
    second=$!
    wait "$first" || status=$?
    wait "$second" || status=$?
    return "$status"
}
begins_at() {
    local name=$1 at=${!#}
    pair "$name" "--start-at $at" "${@:2:$#-2}"
}
pair_meets() {
    local name=$1
    mkdir -p "$out/$name"
    LOADGEN_SYNC_TOKEN=0123456789abcdef-of-a-test pair "$name" "--sync $sync" "${@:2}"
}
pair_merged() {
    local name=$1 status=0
    "$loadgen" merge "$out/$name"/shard-*.json -o "$out/$name/report.json" || status=$?
    valid_or_slow "$status"
    is_whole "$name" 2 "$out/$name/report.json"
    jq -c '.shards[].clock' "$out/$name/report.json"
}
# Whether shard 1 began with shard 0, on a clock that is AHEAD ns of it, as its bound and what was found
# say.
found_within_bound() {
    jq -e --argjson ahead "$2" '.shards | (.[1].clock.began_ns - .[0].clock.began_ns - $ahead) / 1e6
        | . as $apart | $clock | ($apart | fabs) <= .began_bound_ms + 1e-3
            and ($apart - .began_after_ms | fabs) <= .began_bound_ms + 1e-3' \
        --argjson clock "$(jq '.shards[1].clock' "$out/$1/report.json")" "$out/$1/report.json" > /dev/null \
        || fail "it is not within the bound"
}
apart='the shards did not begin together' unknown='nobody keeps the clocks'

wall_clock_met() {
    pair_meets wall-met faketime --exclude-monotonic -f +0.25s
    pair_merged wall-met
    jq -e '.shards | map(.clock.began_bound_ms) | all(. < 100)' "$out/wall-met/report.json" > /dev/null
    found_within_bound wall-met 0
    ! jq -r '.verdict.reasons[]' "$out/wall-met/report.json" | grep "$apart\|$unknown" \
        || fail "they met, and the verdict says otherwise"
}
wall_clock_told() {
    told_start wall-told begins_at wall-told faketime --exclude-monotonic -f +0.25s
    pair_merged wall-told
    # Its own clock says that it was on time.
    jq -e '.shards | .[0].clock.began_ns - .[1].clock.began_ns | . > 2e8 and . < 3e8' \
        "$out/wall-told/report.json" > /dev/null || fail "it did not begin 250 ms early"
    jq -r '.verdict.reasons[]' "$out/wall-told/report.json" | grep "$apart" || fail "nobody said so"
}
own_time() { unshare -T --monotonic 1000 "$@"; }
time_namespace_met() {
    pair_meets time-met own_time
    pair_merged time-met
    found_within_bound time-met 1000000000000
    ! jq -r '.verdict.reasons[]' "$out/time-met/report.json" | grep "$apart\|$unknown" \
        || fail "they met, and the verdict says otherwise"
}
time_namespace_told() {
    told_start time-told begins_at time-told own_time
    pair_merged time-told
    # Where a daemon keeps the clock of this machine, its word is taken for both.
    jq -e '.shards | all(.clock.synchronised)' "$out/time-told/report.json" > /dev/null \
        || jq -r '.verdict.reasons[]' "$out/time-told/report.json" | grep "$unknown" \
        || fail "the clocks were not compared, and nobody said so"
}
too_late() {
    local status=0
    # shellcheck disable=SC2046 # options
    "$loadgen" run $(load late) --shard 0/2 --start-at 1700000000 -o "$out/late.json" || status=$?
    [[ $status == 1 && ! -e $out/late.json ]] || fail "status $status, not 1"
    ! grep '/late/' "$out/server.log" || fail "the load was put on all the same"
}

from_pypi() {
    # It has time-outs of its own.
    until [[ -e $out/pypi.status ]]; do sleep 0.2; done
    [[ $(< "$out/pypi.status") == 0 ]] || { cat "$out/pypi.log"; fail "PyPI has not given what is needed"; }
}
manifests() {
    local file
    from_pypi
    for file in "$home"/kubernetes/*.yaml; do
        "$out/venv/bin/kubernetes-validate" --strict -k 1.32 "$file"
    done
    sed 's/completions:/completionz:/' "$home/kubernetes/job.yaml" > "$out/wrong.yaml"
    ! "$out/venv/bin/kubernetes-validate" --strict -k 1.32 "$out/wrong.yaml" || fail "anything is taken"
}
kube() { KUBECONFIG=/dev/null kubectl --server="$api" --cache-dir="$out/kube-cache" -n default "$@"; }
# The processes of a Job, as the API server has it: what Kubernetes would start, with smaller figures.
pods() {
    local job clear i pid pids=() args status=0
    job=$(kube get job loadgen -o json)
    jq -e '.spec | .backoffLimit == 0 and .completionMode == "Indexed" and .parallelism == .completions' \
        <<< "$job" > /dev/null || fail "it is not a Job of shards that run once, together"
    mapfile -t args < <(jq -r --arg out "$out/pods" --arg sync "$sync" '
        .spec.template.spec.containers[0].args[]
        | select(test("^run$|^http:|^--rate=|^--duration=") | not)
        | sub("^--sync=.*"; "--sync=" + $sync) | sub("/out/"; $out + "/")' <<< "$job")
    clear=$(jq -r --arg out "$out/pods" '.spec.template.spec.initContainers[0].command | join(" ")
        | sub("/out/"; $out + "/")' <<< "$job")
    LOADGEN_SYNC_TOKEN=$(kube get secret loadgen-sync -o jsonpath='{.data.token}' | base64 -d)
    export LOADGEN_SYNC_TOKEN
    mkdir "$out/pods"
    touch "$out/pods/shard-3.json"
    for ((i = 0; i < $(jq .spec.completions <<< "$job"); i++)); do
        # shellcheck disable=SC2016 # Kubernetes writes it so
        ${clear//'$(JOB_COMPLETION_INDEX)'/$i}
        # shellcheck disable=SC2046 # options
        JOB_COMPLETION_INDEX=$i "$loadgen" run $(load pods) "${args[@]}" &
        pids+=($!)
    done
    [[ ! -e $out/pods/shard-3.json ]] || fail "an old record was left there"
    for pid in "${pids[@]}"; do
        wait "$pid" || status=$?
    done
    [[ $status == 0 ]] || fail "a shard ended with status $status"
    # The step that collects: its command, where /out and loadgen are elsewhere.
    mkdir -p "$out/bin"
    ln -sf "$loadgen" "$out/bin/loadgen"
    job=$(kube get job loadgen-merge -o json \
        | jq -r --arg out "$out/pods" '.spec.template.spec.containers[0].args[0] | gsub("/out/"; $out + "/")')
    # 3: an objective of milliseconds is no matter here.
    PATH=$out/bin:$PATH /bin/sh -c "$job" || status=$?
    [[ $status =~ ^[034]$ ]] || fail "the merge ended with status $status"
    is_whole pods 4 "$out/pods/report.json"
}
kubernetes() {
    local api
    command -v kubectl || fail "there is no kubectl: install what packages-kubectl.txt says"
    from_pypi
    "$out/venv/bin/python" "$home/testbed/kubernetes.py" > "$out/api.url" &
    until_true "kmock" test -s "$out/api.url"
    api=$(< "$out/api.url")
    api=${api%/}
    # From YAML: what kubectl makes of words alone it sends in another form, which kmock does not read.
    kube create secret generic loadgen-sync --from-literal=token="$(openssl rand -hex 16)" \
        --dry-run=client -o yaml > "$out/secret.yaml"
    kube create --validate=false -f "$out/secret.yaml" -f "$home/kubernetes/volume.yaml" \
        -f "$home/kubernetes/job.yaml" -f "$home/kubernetes/merge.yaml"
    # Where pod 0 is met.
    kube get service loadgen -o json | jq -e '.spec | .clusterIP == "None" and .publishNotReadyAddresses
        and .ports[0].port == 7946' > /dev/null || fail "it is no headless service of port 7946"
    pods
}

# A server for all, with a log of who asked for what.
port=27980
python3 "$home/testbed/server.py" "127.0.0.1:$port" "$out/server.log" &
is_served() { (exec 3<> "/dev/tcp/127.0.0.1/$port") 2> /dev/null; }
(until_true "the server" is_served) || die "the server did not start"

# They mostly wait, and go on beside each other: in as many rows, each with a port to meet at.
row() { sync=127.0.0.1:$((27940 + $1)); "row_$1" & rows+=($!); }
row_1() {
    check scripts "the recipes can be read" recipes_can_be_read
    check run "Slurm, 4 shards on namespaces, as one process" by_run_sh
}
row_2() {
    check slurm "slurm.sbatch, 2 nodes on loopback" slurm_on_two_nodes
    check slurm-array "slurm-array.sbatch" slurm_array
    check slurm-dies "slurm.sbatch, kill -9 of shard 2" slurm_loses_one
    [[ ! -e $out/slurm ]] || "$home/testbed/slurm.sh" down "$out/slurm"
}
row_3() {
    check openmpi "mpirun.sh" recipe openmpi env MPIRUN=mpirun.openmpi "$home/mpirun.sh"
    check openmpi-dies "mpirun.sh, kill -9 of shard 2" \
        dies openmpi-dies OMPI_COMM_WORLD_RANK=2 env MPIRUN=mpirun.openmpi "$home/mpirun.sh"
    check mpich "mpirun.sh" recipe mpich env MPIRUN=mpirun.mpich "$home/mpirun.sh"
    check mpich-dies "mpirun.sh, kill -9 of shard 2" \
        dies mpich-dies PMI_RANK=2 env MPIRUN=mpirun.mpich "$home/mpirun.sh"
}
row_4() {
    check parallel "parallel.sh" recipe parallel "$home/parallel.sh"
    check parallel-dies "parallel.sh, kill -9 of shard 2" \
        dies parallel-dies PARALLEL_SEQ=3 "$home/parallel.sh"
    check pdsh "pdsh.sh, by sshd on loopback" by_pdsh
    check old-records "the records of another load are left alone" old_records_are_left
}
row_5() {
    check wall-met "a wall clock 250 ms ahead, --sync: they begin together" wall_clock_met
    check time-met "a time namespace, --sync: found within the bound" time_namespace_met
    check manifests "kubernetes/, kubernetes-validate --strict" manifests
    check kubernetes "kubernetes/, kubectl and kmock, a process a pod" kubernetes
}
row_6() {
    check wall-told "a wall clock 250 ms ahead, --start-at: flagged" wall_clock_told
    check time-told "a time namespace, --start-at: flagged" time_namespace_told
    check too-late "a start that has passed: nothing is measured" too_late
}
rows=()
for i in 1 2 3 4 5 6; do row "$i"; done
wait "${rows[@]}"

cd "$out" || exit 1
mapfile -t failed < <(grep -Lx 0 ./*.status | sed 's/\.status$//; s/^\.\///' | grep -v '^pypi$')
checks=$(find . -maxdepth 1 -name '*.status' ! -name pypi.status | wc -l)
[[ $checks != 0 ]] || die "no check has such a name" 2
[[ ${#failed[@]} == 0 ]] || die "${#failed[@]} of $checks failed: ${failed[*]}"
say "all $checks checks passed in $SECONDS s"
