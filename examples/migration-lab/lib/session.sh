#!/usr/bin/env bash
# The part of the lab that runs inside of the namespaces: started by run.sh only, which
# passes everything in LAB_* variables. For each size: boot, load, migrate, report; or
# boot and load at rising rates.
set -uo pipefail
# shellcheck source=common.sh
. "$LAB_HOME/lib/common.sh"
# shellcheck source=net.sh
. "$LAB_HOME/lib/net.sh"
# shellcheck source=vm.sh
. "$LAB_HOME/lib/vm.sh"
# shellcheck source=libvirt.sh
. "$LAB_HOME/lib/libvirt.sh"
# shellcheck source=ways.sh
. "$LAB_HOME/lib/ways.sh"

# What is loaded, as loadgen is told of it.
service=("http://$GUEST_ADDRESS/")
if [[ $LAB_TLS == yes ]]; then
    service=("https://$GUEST_ADDRESS/" --ca "$LAB_GUEST/certificate.pem")
fi
# Options for loadgen that the user gave, quoted for a shell.
declare -a options
eval "options=(${LAB_OPTIONS:-})"

src='' dst='' loadgen='' # process ids, empty when not running

end_vms() {
    [[ $LAB_MANAGER == qemu ]] || libvirt_end
    [[ -n $src ]] && end_process "$src"
    [[ -n $dst ]] && end_process "$dst"
    src='' dst=''
    rm -f -- "$LAB_TMP"/{src,dst}.sock
}

# shellcheck disable=SC2317 # called by traps only
leave() {
    local status=$1
    trap '' INT TERM HUP
    if [[ -n $loadgen ]]; then
        # It saves what it has measured so far, and tells QEMU to cancel.
        end_process "$loadgen" 400
    fi
    end_vms
    exit "$status"
}
trap 'leave 130' INT
trap 'leave 143' TERM HUP

# Boot the source and wait until Apache answers.
boot() {
    local size=$1 out=$2 started
    started=$(now)
    say "$size MB: booting the source ($LAB_ACCEL)"
    if [[ $LAB_MANAGER == libvirt ]]; then
        libvirt_start "$size" "$out" || return 1
    else
        vm_start src "$size" "$out"
        src=$VM_PID
    fi
    if ! vm_wait_http "$VM_PID" "$LAB_BOOT_TIMEOUT"; then
        say "$size MB: the guest did not serve HTTP within $LAB_BOOT_TIMEOUT s; last lines of $out/src-*.log:"
        tail -n 15 "$out"/src-*.log >&2
        return 1
    fi
    say "$size MB: Apache answers after $(since "$started") s; warming up"
}

# One size. Status: 0 measured, 4 measured but not valid, 1 failed.
measure() {
    local size=$1 out=$LAB_OUT/$1 started trigger warm_up status
    mkdir -p "$out" || return 1
    rm -f -- "$out"/report.json "$out"/report.html "$out"/*.log

    boot "$size" "$out" || return 1
    vm_warm_up "$LAB_WARM_UP" &
    warm_up=$!
    if [[ $LAB_MANAGER == libvirt ]]; then
        trigger="libvirt:lab,connect=$(libvirt_uri a),target=$(libvirt_uri b)"
        trigger+=",to=qemu+tcp://${LIBVIRT_ADDRESS[b]}/system"
    else
        vm_start dst "$size" "$out" -incoming defer
        dst=$VM_PID
        if ! vm_wait_socket "$dst" "$LAB_TMP/dst.sock"; then
            say "$size MB: the target did not start: $(tail -n 5 "$out/dst-qemu.log")"
            return 1
        fi
        trigger="qmp:$LAB_TMP/src.sock,to=tcp:$HOST_ADDRESS:4444,peer=$LAB_TMP/dst.sock"
    fi

    wait "$warm_up"

    trigger+=",strategy=$LAB_STRATEGY,max-bandwidth=$LAB_BANDWIDTH,downtime-limit=$LAB_DOWNTIME_LIMIT"
    started=$(now)
    say "$size MB: load of $LAB_RATE/s, migration after $LAB_BEFORE s"
    timeout --foreground --kill-after=60 "$((LAB_MAX_TIME + 120))" \
        "$LAB_LOADGEN" migrate "${service[@]}" \
        --rate "$LAB_RATE" --probe-rate "$LAB_PROBE_RATE" \
        --reach-check "$LAB_REACH_CHECK" --reach-rate "$LAB_REACH_RATE" \
        --before "${LAB_BEFORE}s" --after "${LAB_AFTER}s" \
        --migration-limit "${LAB_MAX_TIME}s" \
        --trigger "$trigger" "${options[@]}" --format json -o "$out/report.json" &
    loadgen=$!
    wait "$loadgen" 2>/dev/null
    status=$?
    loadgen=
    say "$size MB: loadgen ended after $(since "$started") s with status $status"
    case $status in
        0 | 4) ;;
        124 | 137) say "$size MB: stopped, as it took longer than --max-time $LAB_MAX_TIME s" ;;
        *) cat "$out"/*-qemu.log >&2 ;;
    esac
    if [[ -s $out/report.json ]]; then
        "$LAB_LOADGEN" report "$out/report.json" --html "$out/report.html" \
            || say "$size MB: report.html could not be made"
    fi
    ((status == 0 || status == 4)) || return 1
    return "$status"
}

# Response time over request rate, of one size. Status as above.
stress() {
    local size=$1 out=$LAB_OUT/$1 started status form
    local -a sweep=("$LAB_LOADGEN" sweep "${service[@]}" --rates "$LAB_RATES"
        --duration "${LAB_STEP_TIME}s" --pause 3s --connections 200 --timeout 10s --drain 10s
        "${options[@]}")
    mkdir -p "$out" || return 1
    rm -f -- "$out"/stress.* "$out"/*.log

    boot "$size" "$out" || return 1
    vm_warm_up "$LAB_WARM_UP"
    started=$(now)
    say "$size MB: $LAB_RATES calls/s, $LAB_STEP_TIME s each"
    timeout --foreground --kill-after=60 "$LAB_MAX_TIME" "${sweep[@]}" -o "$out/stress.json" &
    loadgen=$!
    wait "$loadgen" 2>/dev/null
    status=$?
    loadgen=
    say "$size MB: loadgen ended after $(since "$started") s with status $status"
    ((status != 124 && status != 137)) \
        || say "$size MB: stopped, as it took longer than --max-time $LAB_MAX_TIME s"
    if [[ -s $out/stress.json ]] && ((status == 0 || status == 4)); then
        # Nothing is run again: the same figures in other forms.
        for form in txt html tsv; do
            "${sweep[@]}" --quiet --resume "$out/stress.json" -o "$out/stress.$form" \
                || ((status == 4)) || say "$size MB: stress.$form could not be made"
        done
        # The curves alone, as a picture.
        sed -n '/<svg/,/<\/svg>/p' "$out/stress.html" > "$out/stress.svg"
    fi
    ((status == 0 || status == 4)) || return 1
    return "$status"
}

# Many of them, by a plan.
experiment() {
    local status
    "$LAB_LOADGEN" experiment "$LAB_EXPERIMENT" --out "$LAB_OUT" "${options[@]}" &
    loadgen=$!
    wait "$loadgen" 2>/dev/null
    status=$?
    loadgen=
    [[ ! -s $LAB_OUT/summary.json ]] \
        || "$LAB_LOADGEN" report "$LAB_OUT" --html "$LAB_OUT/report.html" --markdown "$LAB_OUT/report.md" \
        || say "the report could not be made"
    return "$status"
}

net_up
if [[ $LAB_MANAGER == libvirt ]]; then
    say "starting two libvirtd"
    libvirt_up
fi
if [[ -n $LAB_EXPERIMENT ]]; then
    experiment
    exit
fi
result=0
what=measure
[[ $LAB_STRESS == no ]] || what=stress
[[ -z $LAB_WAYS ]] || what=ways
for size in $LAB_SIZES; do
    "$what" "$size"
    status=$?
    end_vms
    printf '%s %s\n' "$size" "$status" >> "$LAB_TMP/results"
    # A failure outranks a run that is not valid.
    if ((status == 1 || result == 0)); then
        result=$status
    fi
done
exit "$result"
