//! A check of replies that the embedding program makes.
//!
//! **It is** the door for what no [`Expectation`](crate::Expectation) can say: a body that is to
//! be parsed, a header that is to fit the request. **It is not** the cheap way: for a check,
//! heads are parsed and bodies are kept, where expectations look at what comes in pieces.

use std::borrow::Cow;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::PlanError;
use crate::panicked::said;

/// Longest body that is kept for a check, in bytes.
pub(crate) const LONGEST_BODY: usize = 1 << 20;

/// Looks at each reply that is complete; see [`Plan::with_check`](crate::Plan::with_check).
///
/// Each worker has one of its own and calls it on its thread: what it does there delays all that
/// comes next, and is told as the generator's own lateness. It is not part of the response time
/// of the call that it looks at.
pub trait Check: Send {
    /// Says whether a reply is good.
    ///
    /// # Errors
    /// [`Rejected`] if it is not. The call counts as [wrong](crate::Outcome::Wrong) then, with
    /// [`Miss::Check`](crate::Miss::Check), and the report tells the reason of the first one. A
    /// panic ends the run, whose report is kept and invalid, and says why.
    fn check(&mut self, reply: &Reply<'_>) -> Result<(), Rejected>;
}

impl<F: FnMut(&Reply<'_>) -> Result<(), Rejected> + Send> Check for F {
    fn check(&mut self, reply: &Reply<'_>) -> Result<(), Rejected> {
        self(reply)
    }
}

/// Why a reply is not good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected(Cow<'static, str>);

impl Rejected {
    /// A reply that is rejected for this reason.
    pub fn new(reason: impl Into<Cow<'static, str>>) -> Self {
        Self(reason.into())
    }

    /// The reason.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Rejected {}

impl From<&'static str> for Rejected {
    fn from(reason: &'static str) -> Self {
        Self::new(reason)
    }
}

impl From<String> for Rejected {
    fn from(reason: String) -> Self {
        Self::new(reason)
    }
}

/// A reply that is complete.
#[derive(Debug, Clone, Copy)]
pub struct Reply<'a> {
    pub(crate) status: u16,
    pub(crate) head: &'a [u8],
    pub(crate) body: &'a [u8],
    pub(crate) size: u64,
    pub(crate) load: u8,
    pub(crate) request: Option<u64>,
}

impl<'a> Reply<'a> {
    /// Its status. [`http::StatusCode`] can be made of it.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// Its headers in their order, names as they came. Values need not be text.
    pub fn headers(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> + use<'a> {
        // The first line is that of the status.
        self.head.split(|byte| *byte == b'\n').skip(1).filter_map(|line| {
            let colon = line.iter().position(|byte| *byte == b':')?;
            let name = std::str::from_utf8(&line[..colon]).ok()?;
            Some((name, line[colon + 1..].trim_ascii()))
        })
    }

    /// The value of the first header of this name, in whatever case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'a [u8]> {
        self.headers().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Its body without the framing of chunks, of which at most the first MiB is kept. A
    /// compressed one is not unpacked.
    #[must_use]
    pub fn body(&self) -> &'a [u8] {
        self.body
    }

    /// The bytes of its body, those that are not kept included.
    #[must_use]
    pub fn body_size(&self) -> u64 {
        self.size
    }

    /// Which request it answers: as [`EndedCall::request`](crate::EndedCall::request).
    #[must_use]
    pub fn request(&self) -> Option<u64> {
        self.request
    }

    /// The load whose call it was: as [`CallRecord::load`](crate::CallRecord::load).
    #[must_use]
    pub fn load(&self) -> u8 {
        self.load
    }
}

/// The check of a plan: its name, and what makes that of each worker. A plan that was read has
/// but the name.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NamedCheck {
    name: String,
    #[serde(skip)]
    make: Option<Arc<MakeCheck>>,
}

type MakeCheck = dyn Fn(u32) -> Box<dyn Check> + Send + Sync;

impl NamedCheck {
    pub(crate) fn new<C: Check + 'static>(
        name: &str,
        make: impl Fn(u32) -> C + Send + Sync + 'static,
    ) -> Self {
        let make: Arc<MakeCheck> = Arc::new(move |worker| Box::new(make(worker)));
        Self { name: name.to_owned(), make: Some(make) }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// That of a worker.
    pub(crate) fn of_worker(&self, worker: u32) -> Option<Box<dyn Check>> {
        self.make.as_ref().map(|make| make(worker))
    }

    pub(crate) fn validate(&self) -> Result<(), PlanError> {
        if self.make.is_none() {
            return Err(PlanError::Conflict(
                "the replies to this plan were checked by the program that it was run by: give it \
                 that check again (Plan::with_check)",
            ));
        }
        Ok(())
    }
}

impl PartialEq for NamedCheck {
    /// One that was read back is that of its name.
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl fmt::Debug for NamedCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NamedCheck({:?})", self.name)
    }
}

/// Lets a check look at a reply. `Err`: it panicked, and how in words.
pub(crate) fn ask(
    check: &mut dyn Check,
    reply: &Reply<'_>,
) -> Result<Result<(), Rejected>, String> {
    // It is not asked again.
    catch_unwind(AssertUnwindSafe(|| check.check(reply)))
        .map_err(|panic| format!("the program's check of replies panicked: {}", said(&*panic)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_what_the_head_has() {
        let head = b"HTTP/1.1 200 OK: fine\r\nA: 1\r\nb:  two words \r\nA: 3\r\nC: \xff\r\n\r\n";
        let reply = Reply { status: 200, head, body: b"", size: 0, load: 0, request: None };
        let all: Vec<_> = reply.headers().collect();
        let expected: [(&str, &[u8]); 4] =
            [("A", b"1"), ("b", b"two words"), ("A", b"3"), ("C", b"\xff")];
        assert_eq!(all, expected);
        assert_eq!((reply.header("a"), reply.header("d")), (Some(&b"1"[..]), None));
    }

    #[test]
    fn panics_are_told_as_those_of_the_program() {
        let reply = Reply { status: 200, head: b"", body: b"", size: 0, load: 0, request: None };
        let mut check = |_: &Reply<'_>| -> Result<(), Rejected> { panic!("at {}", 7) };
        let told = ask(&mut check, &reply).unwrap_err();
        assert_eq!(told, "the program's check of replies panicked: at 7");
        let mut check = |_: &Reply<'_>| Err("bad".into());
        assert_eq!(ask(&mut check, &reply), Ok(Err(Rejected::new("bad"))));
    }
}
