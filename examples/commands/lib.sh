# What the scripts here have in common: events for loadgen's command: trigger, which reads them from
# standard output (docs/triggers.md). All else goes to standard error.

# Unix time, to the nanosecond where date has it.
now() {
    date +%s.%N
}

# event NAME [MEMBERS]: tells of it, with the time. The signal that cancels a migration is for all
# programs here: a date that it ended is asked again.
event() {
    at=$(now) || at=$(now)
    printf '{"event":"%s","t":%s%s}\n' "$1" "$at" "${2:+,$2}"
}

# text WORDS: as a string of JSON, in one line, cut.
text() {
    printf '"%s"' "$(printf '%s' "$*" | tr -d '\000-\037' | cut -c1-300 | sed 's/[\\"]/\\&/g')"
}

# fail WORDS: the migration failed, and why.
fail() {
    event failed "\"reason\":$(text "$@")"
    exit 1
}

# The machine was seen at its new place.
completed() {
    event completed "\"on_target\":true${1:+,$1}"
    exit 0
}

# usage HELP: the script was called in a wrong way.
usage() {
    echo "usage: $*" >&2
    exit 2
}

# How long between two looks, in seconds.
: "${EVERY:=0.5}"
