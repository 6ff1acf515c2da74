# shellcheck shell=bash
# Starting and ending the virtual machines.

# A /dev/kvm may exist and yet hang or fail. Without VT-x or SVM (nested machines have
# such a KVM) it keeps the guest's page tables itself and has to emulate instructions
# of the kernel that it does not know: a boot sector runs, and a Linux dies of
# "KVM internal error".
vm_kvm_works() {
    [[ -r /dev/kvm && -w /dev/kvm ]] \
        && grep -qwE 'vmx|svm' /proc/cpuinfo \
        && vm_runs_guest_code kvm
}

# Does this accelerator run guest code? A boot sector is to make QEMU end with a
# status that nothing else gives:
#   mov al,0x10; out 0xf4,al; hlt      -> isa-debug-exit ends QEMU with (0x10 << 1) | 1
vm_runs_guest_code() {
    local accel=$1 disk=$LAB_TMP/probe.img
    { printf '\xb0\x10\xe6\xf4\xf4'; head -c 505 /dev/zero; printf '\x55\xaa'; } > "$disk"
    truncate -s 1M "$disk" # the BIOS does not read smaller disks
    # In a shell of its own, which may be silent about a QEMU that aborts.
    (
        ulimit -c 0
        timeout -k 1 10 qemu-system-x86_64 -machine "q35,accel=$accel" -cpu max -m 32 \
            -nodefaults -no-user-config -display none -no-reboot \
            -device isa-debug-exit,iobase=0xf4,iosize=1 \
            -drive "if=none,id=boot,file=$disk,format=raw,readonly=on" \
            -device virtio-blk-pci,drive=boot
        [[ $? == 33 ]]
    ) < /dev/null > /dev/null 2>&1
}

# Start one QEMU; source and target differ in their names and in -incoming only.
#   vm_start src|dst SIZE_MB LOG_DIR [QEMU OPTION...]
# Sets VM_PID and VM_LOG.
vm_start() {
    local role=$1 size=$2 logs=$3
    shift 3
    local append="console=ttyS0 quiet panic=-1 lab.address=$GUEST_ADDRESS/24"
    append+=" lab.fill=$((size * LAB_FILL / 100)) lab.dirty=$LAB_DIRTY_MB lab.rate=$LAB_DIRTY_RATE"
    qemu-system-x86_64 -name "lab-$role" \
        -machine "q35,accel=$LAB_ACCEL" -cpu max -smp 1 -m "$size" \
        -nodefaults -no-user-config -display none -no-reboot \
        -kernel "$LAB_GUEST/vmlinuz" -initrd "$LAB_GUEST/initrd.img" -append "$append" \
        -drive "if=none,id=root,file=$LAB_GUEST/root.squashfs,format=raw,readonly=on" \
        -device virtio-blk-pci,drive=root \
        -netdev "tap,id=net,ifname=lab$role,script=no,downscript=no" \
        -device virtio-net-pci,netdev=net,mac=52:54:00:99:00:02,romfile= \
        -serial "file:$logs/$role-console.log" \
        -qmp "unix:$LAB_TMP/$role.sock,server=on,wait=off" \
        "$@" < /dev/null > "$logs/$role-qemu.log" 2>&1 &
    # shellcheck disable=SC2034 # the result
    VM_PID=$! VM_LOG=$logs/$role-qemu.log
}

# Wait for the QMP socket of a VM.
vm_wait_socket() {
    local pid=$1 socket=$2 i
    for ((i = 0; i < 300; i++)); do
        [[ -S $socket ]] && return 0
        alive "$pid" || return 1
        sleep 0.1
    done
    return 1
}

# Wait until Apache in the guest started last answers with 200. QEMU stays when KVM has given the
# guest up, and says so in its log only.
vm_wait_http() {
    local pid=$1 limit=$2 start=$SECONDS
    while ((SECONDS - start < limit)); do
        alive "$pid" || return 1
        grep -qs '^KVM internal error' "$VM_LOG" && return 1
        vm_http_ok && return 0
        sleep 0.2
    done
    return 1
}

vm_http_ok() {
    # A process of its own: the connection has no other time limit, and dies with it.
    timeout 2 bash -c "$VM_CALL" 2>/dev/null
}

# Calls one after the other for so many seconds. An emulated processor is slow until the
# code that it needs is translated, and Apache starts more processes at first.
vm_warm_up() {
    timeout "$1" bash -c "while :; do $VM_CALL; done" 2>/dev/null
    return 0
}

# One call; succeeds when the answer is 200.
# shellcheck disable=SC2016 # for an inner shell to expand
VM_CALL='exec 3<>"/dev/tcp/$GUEST_ADDRESS/80" \
    && printf "GET / HTTP/1.0\r\n\r\n" >&3 \
    && read -r line <&3 && [[ $line == HTTP/*" 200 "* ]]'
