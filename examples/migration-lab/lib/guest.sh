# shellcheck shell=bash
# Builds the guest: kernel, initramfs and root file system, cached by a key of the recipe.

GUEST_SUITE=bookworm
build='' # process group of the build, while it runs

# Everything the result depends on, except the versions in Debian's archive.
guest_key() {
    { printf '%s %s\n' "$GUEST_SUITE" "${LAB_MIRROR:-}"
      cat "$LAB_HOME/lib/guest.sh" "$LAB_HOME"/guest/*
    } | sha256sum | cut -c1-16
}

# Sets GUEST to the directory with vmlinuz, initrd.img, root.squashfs and certificate.pem.
guest_prepare() {
    local cache=$1 rebuild=$2 started work status
    mkdir -p "$cache" || die "cannot create the cache directory $cache"
    GUEST=$cache/guest-$(guest_key)
    exec {guest_lock}> "$cache/lock"
    flock "$guest_lock"
    if [[ $rebuild == yes ]]; then
        rm -rf -- "$GUEST"
    fi
    if [[ -f $GUEST/versions ]]; then
        say "guest: $GUEST"
    else
        say "guest: building (Debian $GUEST_SUITE with Apache; about a minute)"
        started=$(now)
        work=$LAB_TMP/guest
        mkdir "$work"
        # mmdebstrap without root works under another user id and must be able to look in.
        chmod 755 "$LAB_TMP" "$work"
        # In the background, so that a signal is answered at once, and as a process
        # group (set -m), so that the signal can be passed to all of it.
        set -m
        guest_build "$work" > "$work/log" 2>&1 < /dev/null &
        build=$!
        set +m
        wait "$build"
        status=$?
        build=''
        if ((status != 0)); then
            cat "$work/log" >&2
            die "the guest could not be built; what was done is shown above"
        fi
        mkdir "$work/out"
        mv "$work"/{vmlinuz,initrd.img,root.squashfs,certificate.pem,versions} "$work/out/"
        rm -rf -- "$GUEST.new"
        # Both may lie on different file systems: copy first, then rename at once.
        if ! cp -r "$work/out" "$GUEST.new" || ! mv "$GUEST.new" "$GUEST"; then
            die "cannot write to $cache"
        fi
        rm -rf -- "$work"
        say "guest: built in $(since "$started") s: $GUEST"
    fi
    flock -u "$guest_lock"
    exec {guest_lock}>&-
    say "guest: $(tr '\n' ' ' < "$GUEST/versions")"
}

guest_build() (
    set -e
    guest_certificate "$1"
    guest_root "$1"
    guest_initramfs "$1"
)

# End a build that runs; mmdebstrap cleans up after itself.
guest_build_stop() {
    local i
    kill -INT -- "-$build" 2>/dev/null
    for ((i = 0; i < 100; i++)); do
        kill -0 -- "-$build" 2>/dev/null || return 0
        sleep 0.1
    done
    kill -KILL -- "-$build" 2>/dev/null
}

# What Apache proves itself with over TLS, by the address that the guest has.
guest_certificate() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 \
        -subj /CN=lab -addext "subjectAltName=DNS:lab,IP:$GUEST_ADDRESS" \
        -keyout "$1/key.pem" -out "$1/certificate.pem"
}

# Root file system (squashfs) and, from the same release, kernel and busybox packages.
guest_root() {
    local work=$1
    # shellcheck disable=SC2016 # mmdebstrap's shell expands the last one
    local options=(
        --variant=minbase --include=apache2 --format=tar
        --dpkgopt='path-exclude=/usr/share/doc/*'
        --dpkgopt='path-exclude=/usr/share/man/*'
        --dpkgopt='path-exclude=/usr/share/locale/*'
        --customize-hook="$LAB_HOME/guest/fetch"
        --customize-hook="copy-out /lab-debs $work"
        --customize-hook='rm -rf "$1/lab-debs"'
    )
    # What root mounts while building is not to be seen outside, nor to outlive the build
    # (not possible in a plain chroot, where mmdebstrap alone has to unmount it).
    local private=()
    if ((EUID == 0)) && unshare --mount true 2>/dev/null; then
        private=(unshare --mount)
    fi
    # The tar goes through a pipe: no copy of the root on disk, and no file that
    # belongs to a subordinate user id when mmdebstrap works without root.
    TMPDIR=$work "${private[@]}" mmdebstrap "${options[@]}" "$GUEST_SUITE" - ${LAB_MIRROR:+"$LAB_MIRROR"} \
        | mksquashfs - "$work/root.squashfs" -tar -root-mode 755 -comp lz4 -no-progress -quiet
}

# Kernel out of its package, initramfs with busybox, the modules and the lab's own files.
guest_initramfs() {
    local work=$1 package busybox tree number name file to
    for package in "$work"/lab-debs/*.deb; do
        dpkg-deb -x "$package" "$work/debs"
    done
    cp "$work"/debs/boot/vmlinuz-* "$work/vmlinuz"
    busybox=$work/debs/bin/busybox
    [[ -x $busybox ]] || busybox=$work/debs/usr/bin/busybox

    tree=$work/initramfs
    mkdir -p "$tree/bin" "$tree/modules" "$tree/lab"
    cp "$busybox" "$tree/bin/busybox"
    install -m 755 "$LAB_HOME/guest/init" "$tree/init"
    install -m 755 "$LAB_HOME/guest/start" "$tree/lab/start"
    install -m 644 "$LAB_HOME/guest/apache.conf" "$tree/lab/apache.conf"
    install -m 644 "$work/certificate.pem" "$tree/lab/certificate.pem"
    install -m 600 "$work/key.pem" "$tree/lab/key.pem"
    gcc -O2 -static -o "$tree/lab/memload" "$LAB_HOME/guest/memload.c"

    number=0
    while read -r name; do
        file=$(find "$work/debs" -name "$name.ko" -o -name "$name.ko.xz" | head -n 1)
        if [[ -z $file ]]; then
            # Not an error when it is part of the kernel itself.
            grep -rq "/$name\.ko$" "$work"/debs/lib/modules/*/modules.builtin \
                "$work"/debs/usr/lib/modules/*/modules.builtin 2>/dev/null && continue
            echo "kernel module $name is missing from the kernel package"
            exit 1
        fi
        printf -v to '%s/modules/%02d-%s.ko' "$tree" "$number" "$name"
        case $file in
            *.xz) xz -dc "$file" > "$to" ;;
            *) cp "$file" "$to" ;;
        esac
        number=$((number + 1))
    done < "$LAB_HOME/guest/modules"

    # busybox's own cpio spares the host a package.
    (cd "$tree" && find . | "$busybox" cpio -o -H newc | gzip -1) > "$work/initrd.img"

    # shellcheck disable=SC2016 # for dpkg-deb to expand
    (cd "$work/lab-debs" && for package in *.deb; do
        dpkg-deb -W --showformat='${Package} ${Version}\n' "$package"
    done) > "$work/versions"
    cat "$work/lab-debs/apache" >> "$work/versions"
}
