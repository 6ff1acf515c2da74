//! Non-blocking TCP sockets with the options a load generator needs.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};

use socket2::{Domain, Protocol, Socket, Type};

use super::sys;

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

/// Whether connections to `address` can come from `source`.
pub(crate) fn check_source(address: SocketAddr, source: IpAddr) -> io::Result<()> {
    if address.is_ipv4() != source.is_ipv4() {
        return Err(io::Error::from_raw_os_error(libc::EAFNOSUPPORT));
    }
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.bind(&SocketAddr::new(source, 0).into())
}

/// The pending error of a socket (`SO_ERROR`), such as that of a failed connect.
pub(crate) fn take_error(fd: &OwnedFd) -> io::Result<Option<io::Error>> {
    socket2::SockRef::from(fd).take_error()
}
