#!/usr/bin/env bash
# The testbed of study.toml: a pair of QEMUs for each trial, in the lab's namespace. Started by
# loadgen, within examples/migration-lab/run.sh --experiment.
#   testbed.sh up      boots the source, and starts the target that waits for it
#   testbed.sh settle  waits until the guest answers one call after the other
#   testbed.sh down    ends both, whatever is left of them
set -uo pipefail

LAB_HOME=${LAB_HOME:?run it by examples/migration-lab/run.sh --experiment PLAN.toml}
# shellcheck source=../migration-lab/lib/common.sh
. "$LAB_HOME/lib/common.sh"
# shellcheck source=../migration-lab/lib/net.sh
. "$LAB_HOME/lib/net.sh"
# shellcheck source=../migration-lab/lib/vm.sh
. "$LAB_HOME/lib/vm.sh"

up() {
    local memory=${LOADGEN_FACTOR_MEMORY:-512} src dst
    # Settings of the lab that are factors of the plan.
    LAB_DIRTY_RATE=${LOADGEN_FACTOR_DIRTY_RATE:-$LAB_DIRTY_RATE}
    vm_start src "$memory" "$LOADGEN_TRIAL_DIR"
    src=$VM_PID
    echo "$src" > "$LAB_TMP/src.pid"
    vm_wait_http "$src" "$LAB_BOOT_TIMEOUT" \
        || die "the guest did not serve HTTP: $(tail -n 3 "$LOADGEN_TRIAL_DIR"/src-*.log)"
    vm_start dst "$memory" "$LOADGEN_TRIAL_DIR" -incoming defer
    dst=$VM_PID
    echo "$dst" > "$LAB_TMP/dst.pid"
    vm_wait_socket "$dst" "$LAB_TMP/dst.sock" \
        || die "the target did not start: $(tail -n 3 "$LOADGEN_TRIAL_DIR/dst-qemu.log")"
    echo "src=$LAB_TMP/src.sock"
    echo "dst=$LAB_TMP/dst.sock"
}

down() {
    local role pid
    for role in src dst; do
        pid=$(cat "$LAB_TMP/$role.pid" 2>/dev/null) || continue
        # Its number may be another process's by now.
        if grep -qs "lab-$role" "/proc/$pid/cmdline"; then
            kill -KILL "$pid"
            while alive "$pid"; do sleep 0.05; done
        fi
        rm -f -- "$LAB_TMP/$role.pid" "$LAB_TMP/$role.sock"
    done
}

case ${1:-} in
    up) up ;;
    settle) vm_warm_up "$LAB_WARM_UP" ;;
    down) down ;;
    *) usage_error "testbed.sh up|settle|down" ;;
esac
