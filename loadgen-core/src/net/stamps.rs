//! Reading with the kernel's timestamps: how long received bytes lay unread. Those of
//! an encrypted connection are the records that the last read bytes came in.
//!
//! Both ends of that time are read from `CLOCK_REALTIME`, so nothing has to be
//! mapped; if that clock is set in between, the time is off by the step, and left
//! out where it is impossible.

use std::io;
use std::os::fd::BorrowedFd;

use super::sys;
use crate::clock::Nanos;

/// The last read of a worker: if a reply is complete with it, that of its last byte.
#[derive(Debug, Default)]
pub(crate) struct Stamps {
    /// How long the last bytes read had been in the kernel.
    unread: Option<Nanos>,
    /// How many there were.
    bytes: usize,
}

impl Stamps {
    pub(crate) fn recv(&mut self, fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
        let result = sys::recv_stamped(fd, buffer);
        self.note(result)
    }

    pub(crate) fn discard(&mut self, fd: BorrowedFd<'_>, len: usize) -> io::Result<usize> {
        let result = sys::discard_stamped(fd, len);
        self.note(result)
    }

    fn note(&mut self, result: io::Result<(usize, Option<u64>)>) -> io::Result<usize> {
        // The end of a stream has no time, nor has a reply that ends with it.
        (self.unread, self.bytes) = (None, 0);
        let (n, received) = result?;
        self.bytes = n;
        if n > 0 {
            self.unread = received.and_then(|at| sys::realtime_ns().checked_sub(at));
        }
        Ok(n)
    }

    /// How long the last bytes read had been in the kernel, if it said so, and how many
    /// they were.
    pub(crate) fn last(&self) -> (Option<Nanos>, usize) {
        (self.unread, self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd;
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_kernel_tells_when_it_received() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        sys::stamp_receipts(client.as_fd()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        let mut stamps = Stamps::default();
        let mut unread = |discard: bool| {
            server.write_all(b"reply").unwrap();
            std::thread::sleep(Duration::from_millis(30));
            let read = if discard {
                stamps.discard(client.as_fd(), 5)
            } else {
                stamps.recv(client.as_fd(), &mut [0; 64])
            };
            assert_eq!(read.unwrap(), 5);
            stamps.last().0
        };
        for discard in [false, true] {
            // Where nobody else asked for stamps, the kernel begins a little later.
            let unread = (0..100).find_map(|_| unread(discard)).unwrap();
            assert!((25_000_000..10_000_000_000).contains(&unread), "{unread}");
        }
    }
}
