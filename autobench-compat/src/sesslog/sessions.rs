//! Sessions of the clients of a log.
//!
//! A session is what one client asked for without a pause longer than the gap.
//! Requests of one second are one burst (logs tell no finer times): the first
//! begins it, the others are indented. The think time of a burst is the time to
//! the next one. Requests are ordered by time, for servers log a request when
//! it ends.

use std::collections::HashMap;
use std::io::{self, Write};

use super::request::{Entry, Request};
use super::skipped::Skip;

/// Sessions that `--wsesslog` takes of a file.
pub const MOST_SESSIONS: usize = 1000;

/// The sessions so far, in the order in which they began in the log.
pub(super) struct Sessions {
    gap_s: f64,
    sessions: Vec<Vec<Call>>,
    /// Session of each client that has one going.
    current: HashMap<Vec<u8>, Current>,
}

struct Current {
    session: usize,
    last_s: i64,
}

struct Call {
    at_s: i64,
    method: &'static str,
    uri: Vec<u8>,
}

impl Sessions {
    /// `gap_s`: the longest pause within a session, in seconds.
    pub(super) fn new(gap_s: f64) -> Sessions {
        Sessions { gap_s, sessions: Vec::new(), current: HashMap::new() }
    }

    /// Adds a request to the session of its client, or begins one.
    pub(super) fn take(&mut self, entry: &Entry<'_>) -> Result<(), Skip> {
        let at_s = entry.at_s.ok_or(Skip::NoTime)?;
        let Request { method, uri } = entry.request;
        let call = Call { at_s, method, uri: uri.to_vec() };
        if let Some(current) = self.current.get_mut(entry.client) {
            if at_s.abs_diff(current.last_s) as f64 <= self.gap_s {
                current.last_s = current.last_s.max(at_s);
                if let Some(session) = self.sessions.get_mut(current.session) {
                    session.push(call);
                    return Ok(());
                }
            }
            self.current.remove(entry.client);
        }
        if self.sessions.len() == MOST_SESSIONS {
            return Err(Skip::TooManySessions);
        }
        let current = Current { session: self.sessions.len(), last_s: at_s };
        self.current.insert(entry.client.to_vec(), current);
        self.sessions.push(vec![call]);
        Ok(())
    }

    /// Writes the sessions, a blank line between them.
    pub(super) fn write(self, out: &mut dyn Write) -> io::Result<()> {
        for (at, mut session) in self.sessions.into_iter().enumerate() {
            if at > 0 {
                out.write_all(b"\n")?;
            }
            session.sort_by_key(|call| call.at_s);
            let mut bursts = session.chunk_by(|one, next| one.at_s == next.at_s).peekable();
            while let Some(burst) = bursts.next() {
                let next_s = bursts.peek().and_then(|next| next.first()).map(|call| call.at_s);
                write_burst(out, burst, next_s)?;
            }
        }
        Ok(())
    }
}

fn write_burst(out: &mut dyn Write, burst: &[Call], next_s: Option<i64>) -> io::Result<()> {
    for (at, call) in burst.iter().enumerate() {
        if at > 0 {
            out.write_all(b"\t")?;
        }
        out.write_all(&call.uri)?;
        write!(out, " method={}", call.method)?;
        if let (0, Some(next_s)) = (at, next_s) {
            write!(out, " think={}", next_s - call.at_s)?;
        }
        out.write_all(b"\n")?;
    }
    Ok(())
}
