# shellcheck shell=bash
# Two hosts within the lab's network: a network namespace each, with a libvirtd that has its own
# name, host UUID and files. Neither systemd nor D-Bus nor KVM is needed, but root is.

declare -A LIBVIRT_ADDRESS=([a]=10.99.0.11 [b]=10.99.0.12)

# The libvirt of a host, as it is reached from the lab.
libvirt_uri() { printf 'qemu+unix:///system?socket=%s/sock/libvirt-sock' "$LAB_TMP/host-$1"; }

libvirt_configure() {
    local host=$1 home=$LAB_TMP/host-$1 address=${LIBVIRT_ADDRESS[$1]}
    mkdir -p "$home"/{etc,run,lib,cache,log,sock} "$home"/etc/{qemu,hooks,nwfilter,secrets,storage} || return 1
    # The UUIDs must differ, or libvirt takes both for the same host.
    cat > "$home/etc/libvirtd.conf" << CONF
unix_sock_dir = "$home/sock"
auth_unix_rw = "none"
listen_tls = 0
listen_tcp = 1
listen_addr = "$address"
tcp_port = "16509"
auth_tcp = "none"
host_uuid = "0000000${address: -1}-1111-2222-3333-444444444444"
log_outputs = "2:file:$home/log/libvirtd.log"
CONF
    # No cgroups, no users of their own, no log daemon: there is no systemd here.
    cat > "$home/etc/qemu.conf" << CONF
security_driver = "none"
user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
namespaces = []
cgroup_controllers = []
stdio_handler = "file"
migration_address = "$address"
migration_host = "$address"
CONF
}

# A host's network: a bridge of the same name as that of the lab, joined to it. Its hardware address
# is its own: without one it takes the lowest of its ports, which may be the machine's tap; that is the
# same at both hosts as soon as the machine comes, and what is for one bridge then ends at the other.
libvirt_network() {
    local host=$1
    local mac=02:00:00:99:00:${LIBVIRT_ADDRESS[$host]##*.}
    ip netns add "lab-$host" \
        && ip netns exec "lab-$host" ip link set lo up \
        && ip netns exec "lab-$host" ip link add labbr address "$mac" type bridge \
        && ip netns exec "lab-$host" ip address add "${LIBVIRT_ADDRESS[$host]}/24" dev labbr \
        && ip netns exec "lab-$host" ip link set labbr up \
        && ip link add "to-$host" type veth peer name uplink netns "lab-$host" \
        && ip link set "to-$host" master labbr up \
        && ip netns exec "lab-$host" ip link set uplink master labbr up
}

libvirt_daemon() {
    local host=$1 home=$LAB_TMP/host-$1
    # A /dev/kvm that does not work would hang libvirt as it tries what this QEMU can do.
    # shellcheck disable=SC2016 # for the inner shell to expand
    ip netns exec "lab-$host" unshare --mount --uts --propagation private bash -c '
        hostname "$1"
        mkdir -p /run/libvirt /var/lib/libvirt /var/cache/libvirt /var/log/libvirt /etc/libvirt
        mount --bind "$2/etc" /etc/libvirt
        mount --bind "$2/run" /run/libvirt
        mount --bind "$2/lib" /var/lib/libvirt
        mount --bind "$2/cache" /var/cache/libvirt
        mount --bind "$2/log" /var/log/libvirt
        [[ $3 == kvm || ! -e /dev/kvm ]] || mount --bind /dev/null /dev/kvm
        exec libvirtd --listen --config /etc/libvirt/libvirtd.conf --pid-file "$2/pid"
    ' host "lab-$host" "$home" "$LAB_ACCEL" > "$home/log/stderr" 2>&1 < /dev/null &
}

# Both hosts, up and answering.
libvirt_up() {
    local host i
    ((EUID == 0)) || die "--manager libvirt needs root: a libvirtd makes taps and namespaces"
    # Names of namespaces are files; these are to be seen here only.
    mkdir -p /run/netns && mount -t tmpfs tmpfs /run/netns || die "/run/netns cannot be had"
    for host in a b; do
        libvirt_configure "$host" && libvirt_network "$host" || die "host $host could not be made"
        libvirt_daemon "$host"
    done
    for host in a b; do
        for ((i = 0; i < 300; i++)); do
            virsh -c "$(libvirt_uri "$host")" version > /dev/null 2>&1 && continue 2
            sleep 0.2
        done
        tail -n 5 "$LAB_TMP/host-$host/log/"{stderr,libvirtd.log} >&2
        die "the libvirtd of host $host does not answer"
    done
}

# The domain `lab`, started at host a. Sets VM_PID and VM_LOG.
libvirt_start() {
    local size=$1 logs=$2 type machine append
    type=qemu
    [[ $LAB_ACCEL == kvm ]] && type=kvm
    machine=q35
    append="console=ttyS0 quiet panic=-1 lab.address=$GUEST_ADDRESS/24"
    append+=" lab.fill=$((size * LAB_FILL / 100)) lab.dirty=$LAB_DIRTY_MB lab.rate=$LAB_DIRTY_RATE"
    cat > "$LAB_TMP/lab.xml" << XML
<domain type='$type'>
  <name>lab</name>
  <uuid>12345678-1234-1234-1234-123456789abc</uuid>
  <memory unit='MiB'>$size</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='$machine'>hvm</type>
    <kernel>$LAB_GUEST/vmlinuz</kernel>
    <initrd>$LAB_GUEST/initrd.img</initrd>
    <cmdline>$append</cmdline>
  </os>
  <features><acpi/></features>
  <cpu mode='maximum' check='none' migratable='off'/>
  <on_poweroff>destroy</on_poweroff><on_reboot>destroy</on_reboot><on_crash>destroy</on_crash>
  <devices>
    <emulator>$(command -v qemu-system-x86_64)</emulator>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw'/>
      <source file='$LAB_GUEST/root.squashfs'/>
      <target dev='vda' bus='virtio'/>
      <readonly/>
    </disk>
    <interface type='bridge'>
      <mac address='52:54:00:99:00:02'/>
      <source bridge='labbr'/>
      <model type='virtio'/>
      <rom enabled='no'/>
    </interface>
    <serial type='file'><source path='$logs/console.log'/></serial>
    <memballoon model='none'/>
  </devices>
</domain>
XML
    virsh -q -c "$(libvirt_uri a)" create "$LAB_TMP/lab.xml" > /dev/null || return 1
    VM_PID=$(cat "$LAB_TMP/host-a/run/qemu/lab.pid") || return 1
    # shellcheck disable=SC2034 # the result
    VM_LOG=$LAB_TMP/host-a/log/qemu/lab.log
}

# Ends the domain, wherever it is.
libvirt_end() {
    local host
    for host in a b; do
        virsh -q -c "$(libvirt_uri "$host")" destroy lab > /dev/null 2>&1
    done
    return 0
}
