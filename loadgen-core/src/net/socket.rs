//! From an endpoint to a non-blocking socket with the options a load generator needs.

use std::io;
use std::mem::MaybeUninit;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::LazyLock;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use super::endpoint::Endpoint;
use super::socket_options::SocketOptions;
use super::{limits, sys};

/// A non-blocking socket for connections to `endpoint`, with the given options.
pub(crate) fn prepare(endpoint: &Endpoint, options: &SocketOptions) -> io::Result<Socket> {
    let socket = match endpoint {
        Endpoint::Tcp(address) => tcp_socket(*address)?,
        Endpoint::Unix(_) => Socket::new(Domain::UNIX, Type::STREAM.nonblocking().cloexec(), None)?,
    };
    if options.close_with_reset {
        socket.set_linger(Some(Duration::ZERO))?;
    }
    if let Some(bytes) = options.send_buffer {
        socket.set_send_buffer_size(bytes as usize)?;
    }
    if let Some(bytes) = options.receive_buffer {
        // Before the handshake, which tells the server how far the window may open.
        socket.set_recv_buffer_size(bytes as usize)?;
    }
    Ok(socket)
}

/// Has a socket of [`prepare`] connect from `source`; port 0: from any port.
pub(crate) fn bind(socket: &Socket, source: SocketAddr) -> io::Result<()> {
    if source.port() == 0 {
        // Refused by old kernels only; binding then still works, with fewer ports.
        let _ = sys::bind_address_no_port(socket.as_fd());
    }
    socket.bind(&source.into())
}

/// Starts to connect. The handshake goes on by itself; writability tells its end and
/// [`take_error`] its outcome. A unix socket has no handshake: it is connected, or
/// refused at once.
pub(crate) fn begin(socket: &Socket, endpoint: &Endpoint) -> io::Result<()> {
    match socket.connect(&endpoint.address()?) {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => Err(error),
        _ => Ok(()),
    }
}

/// A non-blocking socket that waits for nothing, and finds its port fast.
fn tcp_socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM.nonblocking().cloexec(),
        Some(Protocol::TCP),
    )?;
    // Requests are written whole; waiting to fill a segment only adds delay.
    socket.set_tcp_nodelay(true)?;
    spread_ports(socket.as_fd(), address);
    Ok(socket)
}

/// Lets connect() use every local port, unless the server's own is one of them: a
/// connection to that port from the same would be one to itself, and not refused.
fn spread_ports(socket: BorrowedFd<'_>, server: SocketAddr) {
    static EPHEMERAL: LazyLock<(u16, u16)> = LazyLock::new(limits::ephemeral_range);
    let (low, high) = *EPHEMERAL;
    if !(low..=high).contains(&server.port()) {
        // Refused by old kernels, which are then slow beyond half of the ports.
        let _ = sys::use_all_ports_alike(socket);
    }
}

/// Connects and closes again: whether a server is there.
pub(crate) fn reach(
    endpoint: &Endpoint,
    source: Option<IpAddr>,
    timeout: Duration,
) -> io::Result<()> {
    let Endpoint::Tcp(address) = endpoint else {
        let socket = Socket::new(Domain::UNIX, Type::STREAM.cloexec(), None)?;
        // It also limits the wait for room in the server's backlog (socket(7)).
        socket.set_write_timeout(Some(timeout))?;
        return socket.connect(&endpoint.address()?);
    };
    let socket = Socket::new(Domain::for_address(*address), Type::STREAM, Some(Protocol::TCP))?;
    if let Some(source) = source.filter(|source| source.is_ipv4() == address.is_ipv4()) {
        let _ = sys::bind_address_no_port(socket.as_fd());
        socket.bind(&SocketAddr::new(source, 0).into())?;
    }
    socket.connect_timeout(&endpoint.address()?, timeout)
}

/// Whether connections to `address` can come from `source`.
pub(crate) fn check_source(address: SocketAddr, source: IpAddr) -> io::Result<()> {
    if address.is_ipv4() != source.is_ipv4() {
        return Err(io::Error::from_raw_os_error(libc::EAFNOSUPPORT));
    }
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // All its ports may be taken, as of an earlier run; some come free in time.
    let _ = sys::bind_address_no_port(socket.as_fd());
    socket.bind(&SocketAddr::new(source, 0).into())
}

/// Whether the kernel tells when it received what is read.
pub(crate) fn check_timestamps(address: SocketAddr) -> io::Result<()> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    sys::stamp_receipts(socket.as_fd())
}

/// Whether bytes wait to be read from a non-blocking socket.
pub(crate) fn has_unread(fd: BorrowedFd<'_>) -> bool {
    let mut byte = [MaybeUninit::uninit()];
    socket2::SockRef::from(&fd).peek(&mut byte).is_ok_and(|n| n > 0)
}

/// Makes the closing of a socket an RST in place of a FIN: nothing of it stays in
/// TIME_WAIT.
pub(crate) fn close_with_reset(fd: BorrowedFd<'_>) -> io::Result<()> {
    socket2::SockRef::from(&fd).set_linger(Some(Duration::ZERO))
}

/// The pending error of a socket (`SO_ERROR`), such as that of a failed connect.
pub(crate) fn take_error(fd: BorrowedFd<'_>) -> io::Result<Option<io::Error>> {
    socket2::SockRef::from(&fd).take_error()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// Even ports only, 32 times in a row, is what connect() does by itself.
    #[test]
    fn odd_ports_are_used_as_well_as_even_ones() {
        let (low, _) = limits::ephemeral_range();
        let below = (1024..low).rev();
        let listener = below.map(|port| TcpListener::bind(("127.0.0.1", port)));
        let listener = listener.flatten().next().unwrap();
        let address = Endpoint::Tcp(listener.local_addr().unwrap());
        let options = SocketOptions::default();
        let sockets: Vec<Socket> = (0..32).map(|_| prepare(&address, &options).unwrap()).collect();
        let odd = sockets.iter().filter(|socket| {
            begin(socket, &address).unwrap();
            let local = socket.local_addr().unwrap().as_socket().unwrap();
            local.port() % 2 == 1
        });
        let odd = odd.count();
        assert!(!kernel_is_new_enough() || (1..32).contains(&odd), "{odd} of 32 ports are odd");
    }
    fn kernel_is_new_enough() -> bool {
        let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
        let mut numbers = release.split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
        (numbers.next(), numbers.next()) >= (Some(6), Some(8))
    }
}
