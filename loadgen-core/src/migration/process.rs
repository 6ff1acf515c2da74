//! A child process in a process group of its own, whose output lines and end
//! arrive on one channel, stamped when they were received.
//!
//! Invariants: memory is bounded (lines by [`LINE_LIMIT`], lines under way by
//! [`LINES_UNDER_WAY`], kept standard error by [`STDERR_LINES`]); signals are
//! sent only while the child is not reaped, so they never hit a stranger; no wait
//! is without a limit, since a child may be out of our reach (another user's, as
//! with sudo) or asleep in the kernel.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::clock::{Clock, Nanos};
use crate::migration::patience::{Patience, Turn};
use crate::net::sys;

/// Longest line, in bytes.
pub(crate) const LINE_LIMIT: usize = 64 * 1024;
/// Lines that wait to be consumed; beyond it the program waits.
const LINES_UNDER_WAY: usize = 64;
/// Lines of standard error that are kept (the last ones), and their length.
const STDERR_LINES: usize = 10;
const STDERR_LINE_BYTES: usize = 400;
/// Lines of standard output that are kept while the end is awaited (the last ones).
const LAST_LINES: usize = 16;
/// How long a child is given to end after SIGKILL. One that sleeps in the kernel
/// may take for ever.
const LAST_WAIT: Duration = Duration::from_secs(1);

/// What came from the child.
#[derive(Debug)]
pub(crate) enum Message {
    /// A line of standard output, without its end.
    Line(Vec<u8>),
    /// A line of standard output beyond the limit: its beginning.
    TooLong(Vec<u8>),
    /// Standard output was closed.
    StdoutClosed,
    /// A line of standard error, cut.
    Stderr(String),
    /// Standard error was closed.
    StderrClosed,
    /// The child has ended; it is not reaped yet.
    Ended,
}

/// A running (or ended, but not yet reaped) child.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    messages: Receiver<(Nanos, Message)>,
    stderr: VecDeque<String>,
    open_outputs: u8,
    ended_at: Option<Nanos>,
    /// Lines that came while the end was awaited.
    said_last: VecDeque<Message>,
    signalled: bool,
    reaped: Option<ExitStatus>,
    let_go: bool,
    /// As if the child were another user's.
    #[cfg(test)]
    pub(crate) out_of_reach: bool,
}

impl Process {
    /// Starts the command in a new process group.
    pub(crate) fn spawn(mut command: Command, clock: Clock) -> io::Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.process_group(0).spawn()?;
        let (sender, messages) = sync_channel(LINES_UNDER_WAY);
        let stdout = child.stdout.take();
        let stderr = child.stderr.take();
        let pid = child.id();
        let process = Self {
            child,
            messages,
            stderr: VecDeque::new(),
            open_outputs: 2,
            ended_at: None,
            said_last: VecDeque::new(),
            signalled: false,
            reaped: None,
            let_go: false,
            #[cfg(test)]
            out_of_reach: false,
        };
        // If a thread cannot be had, `process` is dropped here and kills the child.
        if let Some(stdout) = stdout {
            let sender = sender.clone();
            start("trigger-stdout", move || read_stdout(stdout, &sender, clock))?;
        }
        if let Some(stderr) = stderr {
            let sender = sender.clone();
            start("trigger-stderr", move || read_stderr(stderr, &sender, clock))?;
        }
        start("trigger-wait", move || {
            let _ = sys::wait_without_reaping(pid);
            let _ = sender.send((clock.now(), Message::Ended));
        })?;
        Ok(process)
    }

    /// The next line of standard output (or [`Message::TooLong`]) and when it was
    /// received; `None` if none came within `timeout` or none can come any more. What
    /// stands on standard error does not make it last longer.
    pub(crate) fn next_line(&mut self, timeout: Duration) -> Option<(Nanos, Message)> {
        let deadline = Instant::now() + timeout;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.messages.recv_timeout(left) {
                Ok((at, Message::Ended)) => {
                    self.ended_at = Some(at);
                    return None;
                }
                Ok((_, Message::StdoutClosed | Message::StderrClosed)) => {
                    self.open_outputs = self.open_outputs.saturating_sub(1);
                    if self.is_drained() {
                        return None;
                    }
                }
                Ok((_, Message::Stderr(line))) => {
                    tracing::info!(target: "loadgen::trigger", "{line}");
                    if self.stderr.len() == STDERR_LINES {
                        self.stderr.pop_front();
                    }
                    self.stderr.push_back(line);
                    if left.is_zero() {
                        return None;
                    }
                }
                Ok(line) => return Some(line),
                Err(RecvTimeoutError::Timeout) => return None,
                Err(RecvTimeoutError::Disconnected) => {
                    // All threads are gone: nothing can come any more.
                    self.open_outputs = 0;
                    return None;
                }
            }
        }
    }

    /// The child's process number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// When the child ended, if it has.
    pub(crate) fn ended_at(&self) -> Option<Nanos> {
        self.ended_at
    }

    /// Whether the child has ended and its outputs were read to their end.
    pub(crate) fn is_drained(&self) -> bool {
        self.ended_at.is_some() && self.open_outputs == 0
    }

    /// The last lines of standard error.
    pub(crate) fn stderr_tail(&self) -> String {
        self.stderr.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }

    /// The child is not ended when nobody listens to it any more.
    pub(crate) fn let_go(&mut self) {
        self.let_go = true;
    }

    /// Signals the whole group, unless the child was reaped.
    pub(crate) fn signal(&mut self, signal: libc::c_int) -> io::Result<()> {
        if self.reaped.is_some() {
            return Ok(());
        }
        #[cfg(test)]
        if self.out_of_reach {
            return Err(io::Error::from_raw_os_error(libc::EPERM));
        }
        self.signalled = true;
        match sys::signal_group(self.child.id(), signal) {
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
            other => other,
        }
    }

    /// Reads on (a full pipe would keep the program alive) until it has ended.
    pub(crate) fn ended_within(&mut self, patience: Duration) -> bool {
        let mut patience = Patience::new(patience);
        while self.ended_at.is_none() {
            // What was printed before the end is kept: it may contradict it.
            match patience.wait(|turn| self.next_line(turn)) {
                Turn::Brought((_, message)) => self.keep_last(message),
                // Without the threads that tell, it returns at once.
                Turn::Nothing => thread::sleep(Duration::from_millis(1)),
                Turn::Over => return self.ended_at.is_some(),
            }
        }
        true
    }

    /// Reads what an ended child has still to say, for `patience` at the most: its
    /// children may hold its outputs.
    pub(crate) fn drain_within(&mut self, patience: Duration) {
        let mut patience = Patience::new(patience);
        while !self.is_drained() {
            match patience.wait(|turn| self.next_line(turn)) {
                Turn::Brought((_, message)) => self.keep_last(message),
                Turn::Nothing => {}
                Turn::Over => return,
            }
        }
    }

    fn keep_last(&mut self, message: Message) {
        if self.said_last.len() == LAST_LINES {
            self.said_last.pop_front();
        }
        self.said_last.push_back(message);
    }

    /// Lines of standard output that came while the end was awaited, the last ones.
    pub(crate) fn said_last(&self) -> impl Iterator<Item = &Message> {
        self.said_last.iter()
    }

    /// Whether we told the child's group to end.
    pub(crate) fn was_signalled(&self) -> bool {
        self.signalled
    }

    /// Reaps the child, which has ended or was killed. If its group was
    /// signalled, what is left of the group is killed first; the children that a
    /// program left behind when it ended by itself (a daemon) are let live.
    ///
    /// # Errors
    /// `TimedOut` if it does not end within [`LAST_WAIT`].
    pub(crate) fn reap(&mut self) -> io::Result<ExitStatus> {
        if let Some(status) = self.reaped {
            return Ok(status);
        }
        if !self.ended_within(LAST_WAIT) {
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "it did not end, though it was killed: it still runs",
            ));
        }
        if self.signalled {
            // What is left of the group may be out of our reach, and stays then.
            let _ = self.signal(libc::SIGKILL);
        }
        // It has ended: this returns at once.
        let status = self.child.wait()?;
        self.reaped = Some(status);
        Ok(status)
    }
}

impl Drop for Process {
    /// Nobody listens any more: SIGTERM, a moment to obey, SIGKILL. A child that
    /// does not end then is left to itself, and later to init.
    fn drop(&mut self) {
        const PATIENCE: Duration = Duration::from_secs(2);
        if self.reaped.is_some() || self.let_go {
            return;
        }
        let ended = self.ended_at.is_some()
            || self
                .signal(libc::SIGTERM)
                .and_then(|()| {
                    if self.ended_within(PATIENCE) { Ok(()) } else { self.signal(libc::SIGKILL) }
                })
                .is_ok();
        let why = match ended.then(|| self.reap()) {
            Some(Ok(_)) => return,
            Some(Err(error)) => error.to_string(),
            None => "it may not be signalled".to_owned(),
        };
        let pid = self.child.id();
        tracing::warn!(target: "loadgen::trigger", "the program {pid} is left running: {why}");
    }
}

fn start(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name(name.to_owned()).spawn(body).map(|_| ())
}

fn read_stdout(stdout: impl Read, sender: &SyncSender<(Nanos, Message)>, clock: Clock) {
    let mut reader = BufReader::new(stdout);
    loop {
        let mut line = Vec::new();
        let read = reader.by_ref().take(LINE_LIMIT as u64 + 1).read_until(b'\n', &mut line);
        let at = clock.now();
        let message = match read {
            Ok(0) | Err(_) => break,
            Ok(_) if line.last() == Some(&b'\n') => {
                line.pop();
                Message::Line(line)
            }
            // What follows cannot be understood any more: reading ends here.
            Ok(n) if n > LINE_LIMIT => {
                line.truncate(256);
                let _ = sender.send((at, Message::TooLong(line)));
                break;
            }
            // The last line may lack its end.
            Ok(_) => Message::Line(line),
        };
        if sender.send((at, message)).is_err() {
            return;
        }
    }
    let _ = sender.send((clock.now(), Message::StdoutClosed));
}

fn read_stderr(stderr: impl Read, sender: &SyncSender<(Nanos, Message)>, clock: Clock) {
    let mut reader = BufReader::new(stderr);
    loop {
        let mut line = Vec::new();
        match reader.by_ref().take(STDERR_LINE_BYTES as u64).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        if sender.send((clock.now(), Message::Stderr(text))).is_err() {
            return;
        }
    }
    let _ = sender.send((clock.now(), Message::StderrClosed));
}
