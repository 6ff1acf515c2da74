//! Thin, safe wrappers over the system calls that std and socket2 do not offer.
//! The only file of the crate with `unsafe` in it.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// `CLOCK_MONOTONIC` in nanoseconds.
pub(crate) fn monotonic_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid, writable timespec for the length of the call.
    // CLOCK_MONOTONIC exists on every Linux, so the call cannot fail.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// `CLOCK_REALTIME` in nanoseconds: the clock of the kernel's timestamps.
pub(crate) fn realtime_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid, writable timespec for the length of the call.
    // CLOCK_REALTIME exists on every Linux, so the call cannot fail.
    unsafe { libc::clock_gettime(libc::CLOCK_REALTIME, &raw mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// What the kernel knows of its wall clock, whoever keeps it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct WallClock {
    pub(crate) is_synchronised: bool,
    /// How far off it is at the most, and about.
    pub(crate) max_error_us: u64,
    pub(crate) estimated_error_us: u64,
    /// By how much it is made to go faster.
    pub(crate) frequency_ppm: f64,
}

/// Asks adjtimex(2), which needs no privilege for it; `None` where it is not allowed all the same.
pub(crate) fn wall_clock() -> Option<WallClock> {
    // SAFETY: timex is plain integers, for which all-zero is a valid value.
    let mut told: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: `told` is a valid, writable timex; without any mode set nothing is changed.
    let state = unsafe { libc::adjtimex(&raw mut told) };
    (state >= 0).then(|| WallClock {
        is_synchronised: state != libc::TIME_ERROR && told.status & libc::STA_UNSYNC == 0,
        max_error_us: u64::try_from(told.maxerror).unwrap_or(0),
        estimated_error_us: u64::try_from(told.esterror).unwrap_or(0),
        // 16 bits behind the point (adjtimex(2)).
        frequency_ppm: told.freq as f64 / 65_536.0,
    })
}

/// User and system CPU time of the calling thread, in nanoseconds.
pub(crate) fn thread_cpu_ns() -> (u64, u64) {
    rusage(libc::RUSAGE_THREAD)
}

fn rusage(who: libc::c_int) -> (u64, u64) {
    // SAFETY: rusage is plain integers, for which all-zero is a valid value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: `usage` is a valid, writable rusage; `who` is a constant of the API.
    unsafe { libc::getrusage(who, &raw mut usage) };
    let ns = |t: libc::timeval| t.tv_sec as u64 * 1_000_000_000 + t.tv_usec as u64 * 1000;
    (ns(usage.ru_utime), ns(usage.ru_stime))
}

/// Asks the kernel to wake this thread as near to its deadlines as it can
/// (the default slack is 50 µs). Failure only costs precision, so it is ignored.
pub(crate) fn minimise_timer_slack() {
    // SAFETY: PR_SET_TIMERSLACK takes one integer and touches no memory of ours.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1_u64) };
}

/// Words of a set of cores, a bit for each: enough for 8192.
const CORE_WORDS: usize = 128;

/// The cores that this thread may run on.
pub(crate) fn cores() -> io::Result<Vec<usize>> {
    let mut words = [0_u64; CORE_WORDS];
    // SAFETY: `words` is writable for the given size; the kernel wants whole longs.
    check(unsafe { libc::sched_getaffinity(0, size_of_val(&words), words.as_mut_ptr().cast()) })?;
    let is_set = |core: &usize| words[core / 64] >> (core % 64) & 1 == 1;
    Ok((0..64 * CORE_WORDS).filter(is_set).collect())
}

/// Keeps this thread to these cores.
pub(crate) fn keep_to_cores(cores: &[usize]) -> io::Result<()> {
    let mut words = [0_u64; CORE_WORDS];
    for core in cores {
        words[core / 64] |= 1 << (core % 64);
    }
    // SAFETY: the kernel reads `words` for the given size.
    check(unsafe { libc::sched_setaffinity(0, size_of_val(&words), words.as_ptr().cast()) })?;
    Ok(())
}

/// Soft and hard limit of open descriptors.
pub(crate) fn descriptor_limit() -> io::Result<(u64, u64)> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a valid, writable rlimit.
    check(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) })?;
    Ok((limit.rlim_cur, limit.rlim_max))
}

/// Sets soft and hard limit of open descriptors.
pub(crate) fn set_descriptor_limit(soft: u64, hard: u64) -> io::Result<()> {
    let limit = libc::rlimit { rlim_cur: soft, rlim_max: hard };
    // SAFETY: `limit` is a valid rlimit that the kernel only reads.
    check(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) })?;
    Ok(())
}

/// Takes a second descriptor for the same file, the first free one from `least` on.
pub(crate) fn duplicate_from(fd: BorrowedFd<'_>, least: libc::c_int) -> io::Result<OwnedFd> {
    // SAFETY: F_DUPFD_CLOEXEC takes one integer and touches no memory of ours.
    let fd = check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_DUPFD_CLOEXEC, least) })?;
    // SAFETY: the descriptor is new, valid, and owned by nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// A new epoll instance.
pub(crate) fn epoll_create() -> io::Result<OwnedFd> {
    // SAFETY: epoll_create1 takes flags only.
    let fd = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
    // SAFETY: the kernel has just given us this descriptor; nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Adds a descriptor to an epoll instance.
pub(crate) fn epoll_add(
    epoll: &OwnedFd,
    fd: BorrowedFd<'_>,
    events: u32,
    token: u64,
) -> io::Result<()> {
    epoll_control(epoll, libc::EPOLL_CTL_ADD, fd, events, token)
}

/// Changes what is waited for on a descriptor of an epoll instance; with
/// edge-triggered events, one that is ready is announced again.
pub(crate) fn epoll_modify(
    epoll: &OwnedFd,
    fd: BorrowedFd<'_>,
    events: u32,
    token: u64,
) -> io::Result<()> {
    epoll_control(epoll, libc::EPOLL_CTL_MOD, fd, events, token)
}

fn epoll_control(
    epoll: &OwnedFd,
    operation: libc::c_int,
    fd: BorrowedFd<'_>,
    events: u32,
    token: u64,
) -> io::Result<()> {
    let mut event = libc::epoll_event { events, u64: token };
    // SAFETY: both descriptors are open for the length of the call; the kernel
    // copies `event` and keeps no pointer to it.
    check(unsafe {
        libc::epoll_ctl(epoll.as_raw_fd(), operation, fd.as_raw_fd(), &raw mut event)
    })?;
    Ok(())
}

/// Waits for events for at most `timeout_ns` (0 polls). Kernels before 5.11 lack
/// `epoll_pwait2`; the error is then `ENOSYS`.
pub(crate) fn epoll_wait_ns(
    epoll: &OwnedFd,
    events: &mut [libc::epoll_event],
    timeout_ns: u64,
) -> io::Result<usize> {
    let timeout = libc::timespec {
        tv_sec: (timeout_ns / 1_000_000_000) as libc::time_t,
        tv_nsec: (timeout_ns % 1_000_000_000) as libc::c_long,
    };
    // SAFETY: `events` is writable for `len` entries, `timeout` is a valid
    // timespec, and a null signal mask is allowed (its size is then unused).
    let n = unsafe {
        libc::syscall(
            libc::SYS_epoll_pwait2,
            epoll.as_raw_fd(),
            events.as_mut_ptr(),
            events.len() as libc::c_int,
            &raw const timeout,
            std::ptr::null::<libc::sigset_t>(),
            0_usize,
        )
    };
    if n < 0 { Err(io::Error::last_os_error()) } else { Ok(n as usize) }
}

/// Waits for events for at most `timeout_ms` (0 polls).
pub(crate) fn epoll_wait_ms(
    epoll: &OwnedFd,
    events: &mut [libc::epoll_event],
    timeout_ms: i32,
) -> io::Result<usize> {
    // SAFETY: `events` is writable for `len` entries.
    let n = check(unsafe {
        libc::epoll_wait(
            epoll.as_raw_fd(),
            events.as_mut_ptr(),
            events.len() as libc::c_int,
            timeout_ms,
        )
    })?;
    Ok(n as usize)
}

/// Reads into `buffer`; 0 is the end of the stream.
pub(crate) fn recv(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    let (pointer, len) = (buffer.as_mut_ptr(), buffer.len());
    // SAFETY: `buffer` is writable for its length; no address is asked for.
    uninterrupted(|| unsafe {
        libc::syscall(libc::SYS_recvfrom, fd.as_raw_fd(), pointer, len, 0, NONE, NONE)
    })
}

/// No address, in the system calls that could take one. They are made directly:
/// glibc's wrappers are cancellation points, which cost four atomic operations a
/// call as soon as there is a second thread, and no thread here is ever cancelled.
const NONE: *mut libc::c_void = std::ptr::null_mut();

/// Drops up to `len` received bytes inside the kernel (tcp(7), `MSG_TRUNC`) and
/// says how many. Nothing is copied: a sixth of the cost of reading them.
pub(crate) fn discard(fd: BorrowedFd<'_>, len: usize) -> io::Result<usize> {
    // SAFETY: with MSG_TRUNC on a TCP socket the kernel writes nothing, so a null
    // buffer is allowed (tcp(7)); all our sockets are TCP.
    uninterrupted(|| unsafe {
        libc::syscall(libc::SYS_recvfrom, fd.as_raw_fd(), NONE, len, libc::MSG_TRUNC, NONE, NONE)
    })
}

/// Sends what the socket takes of `bytes`, without SIGPIPE.
pub(crate) fn send(fd: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    let (pointer, len) = (bytes.as_ptr(), bytes.len());
    // SAFETY: `bytes` is readable for its length; there is no address.
    uninterrupted(|| unsafe {
        libc::syscall(
            libc::SYS_sendto,
            fd.as_raw_fd(),
            pointer,
            len,
            libc::MSG_NOSIGNAL,
            NONE,
            0_usize,
        )
    })
}

/// Lets connect() choose the port of a bound source address, so that one port
/// can serve several destinations (ip(7), `IP_BIND_ADDRESS_NO_PORT`).
pub(crate) fn bind_address_no_port(fd: BorrowedFd<'_>) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the option value is a readable c_int of the given size.
    check(unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            libc::IPPROTO_IP,
            libc::IP_BIND_ADDRESS_NO_PORT,
            (&raw const on).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    })?;
    Ok(())
}

/// Lets connect() look through all local ports alike. By itself it tries the even
/// ones first, and from the moment at which these are used up (half of
/// `net.ipv4.ip_local_port_range`) it looks at thousands of them for each
/// connection, which takes milliseconds. With a range given for the socket, here
/// that of the system, it goes from one port to the next (ip(7),
/// `IP_LOCAL_PORT_RANGE`, Linux 6.3; the order since 6.8).
pub(crate) fn use_all_ports_alike(fd: BorrowedFd<'_>) -> io::Result<()> {
    const IP_LOCAL_PORT_RANGE: libc::c_int = 51;
    // Upper bound << 16 | lower bound; the system's range bounds both.
    let range: u32 = 0xffff << 16;
    // SAFETY: the option value is a readable u32 of the given size.
    check(unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            libc::IPPROTO_IP,
            IP_LOCAL_PORT_RANGE,
            (&raw const range).cast(),
            size_of::<u32>() as libc::socklen_t,
        )
    })?;
    Ok(())
}

/// `SO_TIMESTAMPING_NEW`: seconds and nanoseconds in 64 bits each, whatever the
/// architecture (Linux 5.1). The number is the same wherever Rust runs Linux but on
/// MIPS and SPARC, which refuse it.
const TIMESTAMPING: libc::c_int = 65;

/// Makes the kernel tell when it received what is read from this socket.
pub(crate) fn stamp_receipts(fd: BorrowedFd<'_>) -> io::Result<()> {
    let flags = libc::SOF_TIMESTAMPING_RX_SOFTWARE | libc::SOF_TIMESTAMPING_SOFTWARE;
    // SAFETY: the option value is a readable c_uint of the given size.
    check(unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            libc::SOL_SOCKET,
            TIMESTAMPING,
            (&raw const flags).cast(),
            size_of::<libc::c_uint>() as libc::socklen_t,
        )
    })?;
    Ok(())
}

/// Reads into `buffer` as [`recv`] does, and tells when the kernel received the last
/// of these bytes, on `CLOCK_REALTIME`, if it knows.
pub(crate) fn recv_stamped(
    fd: BorrowedFd<'_>,
    buffer: &mut [u8],
) -> io::Result<(usize, Option<u64>)> {
    // SAFETY: `buffer` is writable for its length.
    unsafe { receive_stamped(fd, buffer.as_mut_ptr().cast(), buffer.len(), 0) }
}

/// As [`discard`], with the time of receipt.
pub(crate) fn discard_stamped(fd: BorrowedFd<'_>, len: usize) -> io::Result<(usize, Option<u64>)> {
    // SAFETY: with MSG_TRUNC on a TCP socket the kernel writes nothing to the buffer.
    unsafe { receive_stamped(fd, std::ptr::null_mut(), len, libc::MSG_TRUNC) }
}

/// SAFETY: `base` has to be writable for `len` bytes, unless `flags` keep the kernel
/// from writing there.
unsafe fn receive_stamped(
    fd: BorrowedFd<'_>,
    base: *mut libc::c_void,
    len: usize,
    flags: libc::c_int,
) -> io::Result<(usize, Option<u64>)> {
    const ROOM: usize = 128;
    /// Room for control messages, aligned as their heads.
    #[repr(C, align(8))]
    struct Control([u8; ROOM]);
    let mut control = Control([0; ROOM]);
    let mut part = libc::iovec { iov_base: base, iov_len: len };
    // SAFETY: msghdr is integers and pointers, for which all-zero is a valid value.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_iov = &raw mut part;
    header.msg_iovlen = 1;
    header.msg_control = (&raw mut control.0).cast();
    let n = uninterrupted(|| {
        header.msg_controllen = ROOM as _;
        // SAFETY: `header` points to `part` and `control`, which outlive the call;
        // the caller answers for what `part` points to.
        unsafe { libc::syscall(libc::SYS_recvmsg, fd.as_raw_fd(), &raw mut header, flags) }
    })?;
    // SAFETY: recvmsg has filled `control` with whole control messages and set the
    // length in `header`, by which CMSG_FIRSTHDR and CMSG_NXTHDR keep to it.
    let mut message = unsafe { libc::CMSG_FIRSTHDR(&raw const header) };
    while !message.is_null() {
        // SAFETY: not null, so it lies whole in `control`, aligned.
        let head = unsafe { *message };
        if (head.cmsg_level, head.cmsg_type) == (libc::SOL_SOCKET, TIMESTAMPING) {
            // SAFETY: the data of this message is three pairs of 64-bit seconds and
            // nanoseconds, of which the first is the software timestamp.
            let [s, ns] = unsafe { libc::CMSG_DATA(message).cast::<[i64; 2]>().read_unaligned() };
            let at = s as u64 * 1_000_000_000 + ns as u64;
            return Ok((n, (at > 0).then_some(at)));
        }
        // SAFETY: as for CMSG_FIRSTHDR; `message` is one of its messages.
        message = unsafe { libc::CMSG_NXTHDR(&raw const header, message) };
    }
    Ok((n, None))
}

/// What the kernel knows of a TCP connection (tcp(7), `TCP_INFO`). Older kernels
/// fill less of it; what is used here is as old as Linux 2.6.
pub(crate) fn tcp_info(fd: BorrowedFd<'_>) -> io::Result<libc::tcp_info> {
    // SAFETY: tcp_info is plain integers, for which all-zero is a valid value.
    let mut info: libc::tcp_info = unsafe { std::mem::zeroed() };
    let mut len = size_of::<libc::tcp_info>() as libc::socklen_t;
    // SAFETY: `info` is writable for `len` bytes, of which the kernel fills at most
    // so many.
    check(unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            (&raw mut info).cast(),
            &raw mut len,
        )
    })?;
    Ok(info)
}

/// Repeats a call that a signal interrupted: with edge-triggered events, a read
/// that is given up would not be announced again.
#[inline]
fn uninterrupted(mut call: impl FnMut() -> libc::c_long) -> io::Result<usize> {
    loop {
        let n = call();
        if n >= 0 {
            return Ok(n as usize);
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// Takes the lock of a file, which nobody else gets until it is closed; `false`: someone has it.
pub(crate) fn lock(fd: BorrowedFd<'_>) -> io::Result<bool> {
    // SAFETY: flock takes two integers and touches no memory of ours.
    match check(unsafe { libc::flock(fd.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) }) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        Err(error) => Err(error),
    }
}

/// Reserves room for so many bytes on the disk of a file. What has no means for it says
/// [`Unsupported`](io::ErrorKind::Unsupported).
pub(crate) fn reserve(fd: BorrowedFd<'_>, bytes: u64) -> io::Result<()> {
    let length = libc::off_t::try_from(bytes).unwrap_or(libc::off_t::MAX);
    loop {
        // SAFETY: fallocate takes integers and touches no memory of ours.
        match check(unsafe { libc::fallocate(fd.as_raw_fd(), 0, 0, length) }) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other.map(drop),
        }
    }
}

/// The number of a network interface, if there is one of this name.
pub(crate) fn interface_number(name: &CStr) -> Option<u32> {
    // SAFETY: `name` is a NUL-terminated string that lives for the length of the call.
    let number = unsafe { libc::if_nametoindex(name.as_ptr()) };
    (number > 0).then_some(number)
}

/// Sends a signal to every process of the group that `leader` leads. The caller
/// must not have reaped the leader yet: else the number may mean someone else.
pub(crate) fn signal_group(leader: u32, signal: libc::c_int) -> io::Result<()> {
    let group = libc::pid_t::try_from(leader)
        .ok()
        .filter(|group| *group > 1)
        .ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    // SAFETY: killpg takes two integers and touches no memory of ours.
    check(unsafe { libc::killpg(group, signal) })?;
    Ok(())
}

/// Waits until a child has ended, but leaves it to be reaped by someone else, so
/// that its process number stays taken until then.
pub(crate) fn wait_without_reaping(child: u32) -> io::Result<()> {
    loop {
        // SAFETY: siginfo_t is plain data, for which all-zero is a valid value.
        let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
        let flags = libc::WEXITED | libc::WNOWAIT;
        // SAFETY: `info` is a valid, writable siginfo_t for the length of the call.
        match check(unsafe { libc::waitid(libc::P_PID, child, &raw mut info, flags) }) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other.map(|_| ()),
        }
    }
}
