//! A connection between two shards: messages out, and messages in with the moment at which they
//! came.

use std::fmt;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};

use super::lines::LineBuffer;
use super::message::{Garbled, Message};
use crate::clock::monotonic_ns;

/// The most lines that one side takes from the other: 31 measurements of the clock, and the rest.
pub(super) const MOST_LINES: u32 = 1000;

/// How long the other side may not take what is sent to it. All of it fits into the kernel's
/// buffers, unless somebody asks and does not listen.
const WRITE_WITHIN: Duration = Duration::from_secs(5);

/// When the kernel begins to ask whether a silent machine is still there, how often, and how many
/// answers may be missing: a machine that died without a word is noticed after 11 s.
const SILENT_FOR: Duration = Duration::from_secs(5);
const ASKED_EVERY: Duration = Duration::from_secs(2);
const ASKED_TIMES: u32 = 3;

/// The same for what was sent and is not confirmed, of which the kernel would else go on for a
/// quarter of an hour.
const UNCONFIRMED_FOR: Duration = Duration::from_secs(11);

/// A connection, shared by all who write to it and by whoever closes it.
#[derive(Debug)]
pub(super) struct Link {
    stream: TcpStream,
    /// Lines of several threads do not mix.
    writing: Mutex<()>,
}

impl Link {
    pub(super) fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(WRITE_WITHIN))?;
        let keepalive = TcpKeepalive::new()
            .with_time(SILENT_FOR)
            .with_interval(ASKED_EVERY)
            .with_retries(ASKED_TIMES);
        let socket = SockRef::from(&stream);
        socket.set_tcp_keepalive(&keepalive)?;
        socket.set_tcp_user_timeout(Some(UNCONFIRMED_FOR))?;
        Ok(Self { stream, writing: Mutex::new(()) })
    }

    pub(super) fn send(&self, message: &Message) -> io::Result<()> {
        self.write(&message.line())
    }

    /// Sends a line that was made before.
    pub(super) fn write(&self, line: &str) -> io::Result<()> {
        let _turn = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        (&self.stream).write_all(line.as_bytes()).inspect_err(|_| {
            // Half a line may be out: nothing can follow it. Who listens here learns of it, too.
            self.close();
        })
    }

    /// Closes it; whoever waits for a line is woken.
    pub(super) fn close(&self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

/// Where messages come in.
#[derive(Debug)]
pub(super) struct Ear {
    link: Arc<Link>,
    buffer: LineBuffer,
    /// When bytes came last, in ns of `CLOCK_MONOTONIC`.
    read_at_ns: u64,
    taken: u32,
}

/// A message.
#[derive(Debug, Clone)]
pub(super) struct Heard {
    pub(super) message: Message,
    /// When its last byte was read, in ns of `CLOCK_MONOTONIC`.
    pub(super) at_ns: u64,
}

/// Why no more messages come.
#[derive(Debug)]
pub(super) enum Cut {
    /// The other side closed the connection, or this one.
    Closed {
        /// In the middle of a line.
        halfway: bool,
    },
    /// The time was over.
    Late,
    /// A line that is none.
    Garbled(Garbled),
    /// More than [`MOST_LINES`].
    TooMany,
    /// The system says so.
    Broken(io::Error),
}

/// The cause, as a part of a sentence.
impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed { halfway: false } => f.write_str("the connection was closed"),
            Self::Closed { halfway: true } => {
                f.write_str("the connection was closed in the middle of a line")
            }
            Self::Late => f.write_str("it is silent"),
            Self::Garbled(Garbled { said }) => {
                write!(f, "it said '{said}', which makes no sense")
            }
            Self::TooMany => write!(f, "it said more than {MOST_LINES} lines"),
            Self::Broken(cause) => cause.fmt(f),
        }
    }
}

impl Ear {
    pub(super) fn new(link: Arc<Link>) -> Self {
        Self { link, buffer: LineBuffer::new(), read_at_ns: 0, taken: 0 }
    }

    /// Waits for the next message; with a deadline (`CLOCK_MONOTONIC`, ns) not beyond it, however
    /// slowly bytes come.
    pub(super) fn hear(&mut self, deadline_ns: Option<u64>) -> Result<Heard, Cut> {
        loop {
            if let Some(message) = self.buffer.take() {
                self.taken += 1;
                if self.taken > MOST_LINES {
                    return Err(Cut::TooMany);
                }
                let message = message.map_err(Cut::Garbled)?;
                return Ok(Heard { message, at_ns: self.read_at_ns });
            }
            let patience = deadline_ns.map(left_until);
            if patience == Some(Duration::ZERO) {
                return Err(Cut::Late);
            }
            self.link.stream.set_read_timeout(patience).map_err(Cut::Broken)?;
            match (&self.link.stream).read(self.buffer.room()) {
                Ok(0) => return Err(Cut::Closed { halfway: !self.buffer.is_empty() }),
                Ok(n) => {
                    self.read_at_ns = monotonic_ns();
                    self.buffer.grow(n);
                }
                Err(error) if is_no_end(&error) => {}
                Err(error) => return Err(Cut::Broken(error)),
            }
        }
    }
}

/// How long it is to a deadline (`CLOCK_MONOTONIC`, ns).
pub(super) fn left_until(deadline_ns: u64) -> Duration {
    Duration::from_nanos(deadline_ns.saturating_sub(monotonic_ns()))
}

/// Whether one may go on reading.
fn is_no_end(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn pair() -> (TcpStream, Arc<Link>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let far = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (near, _) = listener.accept().unwrap();
        (far, Arc::new(Link::new(near).unwrap()))
    }

    #[test]
    fn messages_come_with_their_moment() {
        let (mut far, link) = pair();
        let mut ear = Ear::new(Arc::clone(&link));
        let before = monotonic_ns();
        far.write_all(b"ready\nclock 1\nclo").unwrap();
        let first = ear.hear(None).unwrap();
        assert_eq!(first.message.to_string(), "ready");
        assert!((before..=monotonic_ns()).contains(&first.at_ns));
        assert_eq!(ear.hear(None).unwrap().message.to_string(), "clock 1");
        drop(far);
        assert!(matches!(ear.hear(None), Err(Cut::Closed { halfway: true })));
    }

    #[test]
    fn nobody_waits_beyond_a_deadline() {
        let (mut far, link) = pair();
        let mut ear = Ear::new(Arc::clone(&link));
        far.write_all(b"half a li").unwrap();
        assert!(matches!(ear.hear(Some(monotonic_ns() + 1_000_000)), Err(Cut::Late)));
        assert!(matches!(ear.hear(Some(0)), Err(Cut::Late)));
    }

    #[test]
    fn whoever_says_too_much_is_not_heard_out() {
        let (mut far, link) = pair();
        let mut ear = Ear::new(link);
        let lines = "ready\n".repeat(MOST_LINES as usize + 1);
        far.write_all(lines.as_bytes()).unwrap();
        for _ in 0..MOST_LINES {
            ear.hear(None).unwrap();
        }
        assert!(matches!(ear.hear(None), Err(Cut::TooMany)));
    }

    #[test]
    fn closing_wakes_whoever_listens() {
        let (_far, link) = pair();
        let mut ear = Ear::new(Arc::clone(&link));
        std::thread::scope(|scope| {
            let listening = scope.spawn(move || ear.hear(None).map(|heard| heard.at_ns));
            link.close();
            assert!(matches!(listening.join().unwrap(), Err(Cut::Closed { .. })));
        });
        assert!(link.send(&Message::Ready).is_err());
    }
}
