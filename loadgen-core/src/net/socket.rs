//! Non-blocking TCP sockets with the options a load generator needs.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use super::sys;
use crate::session::SocketOptions;

/// Starts to connect. The socket is returned while the handshake is under way;
/// writability tells its end and [`take_error`] its outcome.
pub(crate) fn connect(address: SocketAddr, source: Option<IpAddr>) -> io::Result<OwnedFd> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM.nonblocking().cloexec(),
        Some(Protocol::TCP),
    )?;
    // Requests are written whole; waiting to fill a segment only adds delay.
    socket.set_tcp_nodelay(true)?;
    if let Some(source) = source {
        // Refused by old kernels only; binding then still works, with fewer ports.
        let _ = sys::bind_address_no_port(socket.as_fd());
        socket.bind(&SocketAddr::new(source, 0).into())?;
    }
    match socket.connect(&address.into()) {
        Ok(()) => {}
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {}
        Err(error) => return Err(error),
    }
    Ok(socket.into())
}

/// A non-blocking socket with the given options, bound to `source`.
pub(crate) fn prepare(
    address: SocketAddr,
    source: Option<SocketAddr>,
    options: &SocketOptions,
) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM.nonblocking().cloexec(),
        Some(Protocol::TCP),
    )?;
    if options.close_with_reset {
        socket.set_linger(Some(Duration::ZERO))?;
    }
    socket.set_tcp_nodelay(true)?;
    if let Some(bytes) = options.send_buffer {
        socket.set_send_buffer_size(bytes as usize)?;
    }
    if let Some(bytes) = options.receive_buffer {
        socket.set_recv_buffer_size(bytes as usize)?;
    }
    if let Some(source) = source {
        if source.port() == 0 {
            let _ = sys::bind_address_no_port(socket.as_fd());
        }
        socket.bind(&source.into())?;
    }
    Ok(socket)
}

/// Starts to connect. `true`: the handshake is through already.
pub(crate) fn begin(socket: &Socket, address: SocketAddr) -> io::Result<bool> {
    match socket.connect(&address.into()) {
        Ok(()) => Ok(true),
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether connections to `address` can come from `source`.
pub(crate) fn check_source(address: SocketAddr, source: IpAddr) -> io::Result<()> {
    if address.is_ipv4() != source.is_ipv4() {
        return Err(io::Error::from_raw_os_error(libc::EAFNOSUPPORT));
    }
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.bind(&SocketAddr::new(source, 0).into())
}

/// The pending error of a socket (`SO_ERROR`), such as that of a failed connect.
pub(crate) fn take_error(fd: BorrowedFd<'_>) -> io::Result<Option<io::Error>> {
    socket2::SockRef::from(&fd).take_error()
}
