#!/usr/bin/env bash
# Runs every test of loadgen. On Debian it first installs the packages that the
# tests need (as root), or says which are missing (as anybody else).
#
#   ./test.sh            all tests, real migrations by QEMU, libvirt and CRIU, and shards under
#                        Slurm, MPI, Kubernetes and others
#   ./test.sh --no-lab   without the real migrations and the shards
set -euo pipefail
cd "$(dirname "$0")"

lab=yes
for argument in "$@"; do
    case $argument in
        --no-lab) lab=no ;;
        -h | --help) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 0 ;;
        *) echo "test.sh: unknown argument '$argument' (known: --no-lab)" >&2; exit 2 ;;
    esac
done

step() {
    local name=$1 started=$SECONDS
    shift
    echo "==> $name" >&2
    "$@"
    echo "==> $name: $((SECONDS - started)) s" >&2
}

# Package names from the given lists: one a line, # begins a comment.
wanted() {
    sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$@"
}

install_packages() {
    local lists=(tests/packages.txt) missing=() package
    if [[ $lab == yes ]]; then
        lists+=(examples/migration-lab/packages.txt)
        # Without root there is no migration by libvirt, and no Slurm.
        if [[ $EUID == 0 ]]; then
            lists+=(examples/migration-lab/packages-libvirt.txt examples/scale/packages.txt)
            # Debian's has its program where a newer one has it, too.
            command -v kubectl >/dev/null || lists+=(examples/scale/packages-kubectl.txt)
        fi
    fi
    if ! command -v dpkg-query >/dev/null; then
        echo "test.sh: not a Debian system; the tests need what these packages hold:" >&2
        wanted "${lists[@]}" | paste -sd ' ' >&2
        return
    fi
    while read -r package; do
        dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed ||
            missing+=("$package")
    done < <(wanted "${lists[@]}" | sort -u)
    if [[ ${#missing[@]} == 0 ]]; then
        return
    fi
    if [[ $EUID != 0 ]]; then
        echo "test.sh: packages are missing; install them first:" >&2
        echo "    sudo apt-get install --no-install-recommends ${missing[*]}" >&2
        exit 1
    fi
    apt-get update -q
    DEBIAN_FRONTEND=noninteractive apt-get install -yq --no-install-recommends "${missing[@]}" \
        </dev/null
}

# A real migration. Where this machine stood still at the wrong moment, the figures are
# not valid (status 4), as they should be: then another one, up to five.
migration() {
    local try status
    for try in 1 2 3 4 5; do
        status=0
        # The program that the tests have built.
        examples/migration-lab/run.sh --sizes 512 --rate 50 --probe-rate 25 \
            --loadgen "${CARGO_TARGET_DIR:-target}/debug/loadgen" \
            --out target/migration-lab || status=$?
        [[ $status == 4 ]] || break
        echo "test.sh: migration $try of at most 5 was not valid; its reasons stand above" >&2
    done
    return "$status"
}

# One guest between two real libvirtd, in each way that does not take a minute: what comes of it is
# checked there, not how fast.
ways_of_libvirt() {
    examples/migration-lab/run.sh --manager libvirt --sizes 256 --fill 20 --before 2 --after 2 \
        --rate 50 --probe-rate 25 --loadgen "${CARGO_TARGET_DIR:-target}/debug/loadgen" \
        --ways interrupted,refused,pre-copy,post-copy,stop-and-copy --out target/libvirt-ways
}

# A server with its open connections, moved by CRIU between two namespaces. What it needs of the
# kernel is not everywhere.
container() {
    local status=0
    examples/container-lab/run.sh --before 2 --after 2 \
        --loadgen "${CARGO_TARGET_DIR:-target}/debug/loadgen" --out target/container-lab || status=$?
    if [[ $status == 3 ]]; then
        echo "test.sh: CRIU cannot work here: the migration of a container is left out" >&2
        status=0
    fi
    return "$status"
}

# The recipes of examples/scale, each under the engine that it is for: what comes of it is checked
# there, not how fast.
shards() {
    examples/scale/test.sh --loadgen "${CARGO_TARGET_DIR:-target}/debug/loadgen" --out target/scale
}

# The tests against real QEMUs run with a newer one, too, where that can be had: Debian's
# backports beside the system's. Without it they run with the system's alone.
newer_qemu() {
    local dir=$PWD/target/newer-qemu
    if examples/migration-lab/newer-qemu.sh "$dir"; then
        export LOADGEN_NEWER_QEMU=$dir/qemu-system-x86_64
    else
        echo "test.sh: no newer QEMU: the tests run with the system's alone" >&2
    fi
}

# Under this variable a test that lacks a tool fails instead of passing by.
export CI=true

step "packages" install_packages
if [[ $lab == yes ]]; then
    step "a newer QEMU" newer_qemu
fi
# Building what counts instructions takes minutes, and most tests wait: it is built beside them, of
# what they leave of the processors. If that fails, the step itself says why.
instructions=(--release --locked -p loadgen-benches --no-default-features --bin instructions)
step "building the tests" cargo test --workspace --locked --no-run
nice -n 19 cargo build "${instructions[@]}" >/dev/null 2>&1 &
beside=$!
trap 'kill "$beside" 2>/dev/null || true' EXIT
step "tests" cargo test --workspace --locked
wait "$beside" || true
step "instructions of a call" cargo run "${instructions[@]}" -- --check
if [[ $lab == yes ]]; then
    step "a real QEMU migration" migration
    if [[ $EUID == 0 ]]; then
        step "real migrations by libvirt" ways_of_libvirt
        step "a real migration of a container" container
        step "shards under Slurm, MPI, Kubernetes and others" shards
    else
        echo "test.sh: not root: the migrations by libvirt and by CRIU, and the shards, are left out" >&2
    fi
fi
echo "all tests passed in $SECONDS s" >&2
