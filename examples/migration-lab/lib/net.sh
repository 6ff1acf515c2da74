# shellcheck shell=bash
# The private network: one anonymous namespace with a bridge and a tap for each VM.
#
# The namespaces have no name and no mount point: the kernel removes them, the bridge
# and the taps when the last process in them ends, whatever the reason for its end.

export HOST_ADDRESS=10.99.0.1 GUEST_ADDRESS=10.99.0.2

# Sets NAMESPACE to the unshare options that work here. Process namespace: when its
# first process dies, everything in it dies.
net_choose_namespace() {
    local rights processes
    local -a try
    local -a all_rights=("--user --map-root-user")
    ((EUID == 0)) && all_rights=("" "${all_rights[@]}")
    for rights in "${all_rights[@]}"; do
        for processes in "--mount --mount-proc" ""; do
            read -ra try <<< "$rights --net --pid --fork --kill-child $processes"
            if unshare "${try[@]}" ip link set lo up 2>/dev/null; then
                # shellcheck disable=SC2034 # used by run.sh
                NAMESPACE=("${try[@]}")
                return 0
            fi
        done
    done
    die "this host does not let us make a network namespace. Run as root (in a container: with CAP_SYS_ADMIN), or allow user namespaces: sysctl kernel.unprivileged_userns_clone=1, on Ubuntu also kernel.apparmor_restrict_unprivileged_userns=0"
}

# Inside of the namespace.
net_up() {
    [[ -r /dev/net/tun && -w /dev/net/tun ]] \
        || die "/dev/net/tun is missing or not accessible: modprobe tun; chmod 0666 /dev/net/tun"
    # Other protocols' chatter would only add noise.
    { echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6; } 2>/dev/null
    if ! net_bridge || ! net_tap labsrc || ! net_tap labdst; then
        die "the bridge and the taps could not be made (are the modules bridge and tun loaded?)"
    fi
}

net_bridge() {
    ip link set lo up \
        && ip link add labbr address 02:00:00:99:00:01 type bridge \
        && ip address add "$HOST_ADDRESS/24" dev labbr \
        && ip link set labbr up
}

net_tap() {
    ip tuntap add "$1" mode tap \
        && ip link set "$1" master labbr \
        && ip link set "$1" up
}
