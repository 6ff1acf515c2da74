# shellcheck shell=bash
# Several migrations of one guest between the two hosts of libvirt.sh, to and fro: each way to move
# it, and the ways in which a migration ends badly. Each is checked against what must have come of
# it, by the reports and by libvirt itself.

WAYS_KNOWN=(pre-copy post-copy stop-and-copy hybrid interrupted refused cut)

# What a report must say, in jq's language, and its exit status.
ways_expected() {
    # The machine was stopped once, from an event of the source to one of the target.
    local moved='.migration | .ending == "completed" and .downtime_ms.events > 0 and .downtime_ms.bound != null
        and .total_migration_time_ms.trigger > 0 and .details.preparation_ms > 0 and .transferred_bytes > 0'
    case $1 in
        post-copy | hybrid) printf '%s' "($moved) and any(.events[]; .name == \"post-copy\")" ;;
        pre-copy | stop-and-copy) printf '%s' "$moved" ;;
        interrupted) printf '%s' '.migration | .ending == "cancelled" and (.reason | contains("runs on at the source"))' ;;
        refused) printf '%s' '.migration | .ending == "failed" and (.reason | contains("Connection refused") and contains("runs on at the source"))' ;;
        cut) printf '%s' '.migration | .ending == "failed" and (.reason | contains("runs on at the source"))' ;;
    esac
}

# Where the guest runs: a or b; nothing if it does so at neither or at both.
ways_where() {
    local host runs=''
    for host in a b; do
        [[ $(virsh -q -c "$(libvirt_uri "$host")" domstate lab 2> /dev/null) != running ]] || runs+=$host
    done
    [[ $runs == ab ]] || printf '%s' "$runs"
}

# Waits for a line of loadgen's progress, as long as it runs.
ways_await() {
    local line=$1 log=$2
    while alive "$loadgen"; do
        ! grep -q "$line" "$log" || return 0
        sleep 0.1
    done
    return 1
}

# One migration from host $2. Status: whether it came to what it must come to.
ways_move() {
    local way=$1 from=$2 out=$3 to=b port='' strategy=pre-copy bandwidth=$LAB_BANDWIDTH status started
    [[ $from == a ]] || to=a
    case $way in
        interrupted | cut) bandwidth=1MiB ;; # so that it takes long enough
        refused) port=:1 ;;
        *) strategy=$way ;;
    esac
    local trigger="libvirt:lab,connect=$(libvirt_uri "$from"),target=$(libvirt_uri "$to")"
    trigger+=",to=qemu+tcp://${LIBVIRT_ADDRESS[$to]}$port/system,strategy=$strategy,max-bandwidth=$bandwidth"
    # Without p2p nobody would notice before the kernels give their connection up, after 15 minutes.
    [[ $way != cut ]] || trigger+=,p2p
    started=$(now)
    "$LAB_LOADGEN" migrate "${service[@]}" --rate "$LAB_RATE" --probe-rate "$LAB_PROBE_RATE" \
        --before "${LAB_BEFORE}s" --after "${LAB_AFTER}s" --migration-limit "${LAB_MAX_TIME}s" \
        --trigger "$trigger" "${options[@]}" --format json -o "$out/$way.json" 2> "$out/$way.log" &
    loadgen=$!
    case $way in
        interrupted) ways_await 'round 1' "$out/$way.log" && kill -INT "$loadgen" ;;
        cut) ways_await 'round 1' "$out/$way.log" && ip link set "to-$to" down ;;
    esac
    wait "$loadgen" 2> /dev/null
    status=$?
    loadgen=
    [[ $way != cut ]] || ip link set "to-$to" up
    say "$way, $from to $to: loadgen ended after $(since "$started") s with status $status"
    # 4: not valid, as on a busy machine; what came of it is known all the same.
    local -A may=([interrupted]=130 [refused]=4 [cut]=4)
    if [[ $status != "${may[$way]:-0}" && ($status != 4 || -n ${may[$way]:-}) ]] || ! jq -e "$(ways_expected "$way")" "$out/$way.json" > /dev/null; then
        say "$way: that is not what must come of it; the end of $out/$way.log, and what the report says:"
        tail -n 5 "$out/$way.log" >&2
        jq '.migration | {ending, reason, downtime_ms, total_migration_time_ms, details}' "$out/$way.json" >&2
        return 1
    fi
}

# All of them, with a guest of $1 MB.
ways() {
    local size=$1 out=$LAB_OUT/$1 way at=a result=0
    mkdir -p "$out" || return 1
    rm -f -- "$out"/*.json "$out"/*.log "$out"/ways.txt
    boot "$size" "$out" || return 1
    for way in $LAB_WAYS; do
        ways_move "$way" "$at" "$out" || result=1
        at=$(ways_where)
        if [[ -z $at ]]; then
            say "$way: the guest does not run at exactly one host now"
            return 1
        fi
    done
    {
        printf '%s\t' way ending 'STOP→RESUME ms' 'libvirt ms' 'outage ms' 'total ms' 'preparation ms' && echo
        (cd "$out" && jq -r '[(input_filename | sub("[.]/(?<way>.*)[.]json"; .way)), .migration.ending,
            (.migration | .downtime_ms.events, .downtime_ms.reported, .outage_ms.established.gap,
                .total_migration_time_ms.trigger, .details.preparation_ms
                | if . == null then "-" else . * 10 | round / 10 end)] | @tsv' ./*.json)
    } | awk -F '\t' '{ printf "%-14s %-10s %15s %11s %10s %10s %15s\n", $1, $2, $3, $4, $5, $6, $7 }' > "$out/ways.txt"
    return "$result"
}
