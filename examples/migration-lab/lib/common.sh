# shellcheck shell=bash
# Messages and small helpers, used outside and inside of the namespace.

say() { printf 'lab: %s\n' "$*" >&2; }

die() {
    printf 'lab: error: %s\n' "$*" >&2
    exit 1
}

usage_error() {
    printf 'lab: %s (see run.sh --help)\n' "$*" >&2
    exit 2
}

# Seconds since the epoch with microseconds, whatever the locale's decimal sign.
now() { printf '%s' "${EPOCHREALTIME/,/.}"; }

# Seconds since START, one decimal.
since() { LC_ALL=C awk -v a="$1" -v b="$(now)" 'BEGIN { printf "%.1f", b - a }'; }

alive() { kill -0 "$1" 2>/dev/null; }

# End one process by its id: ask, wait up to GRACE tenths of a second, insist.
end_process() {
    local pid=$1 grace=${2:-30} i
    kill -TERM "$pid" 2>/dev/null
    for ((i = 0; i < grace; i++)); do
        alive "$pid" || break
        sleep 0.1
    done
    kill -KILL "$pid" 2>/dev/null
    wait "$pid" 2>/dev/null
    return 0
}
