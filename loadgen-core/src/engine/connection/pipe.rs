//! The calls of a connection behind its first one.

use std::collections::VecDeque;

use super::call::Call;
use crate::clock::Nanos;

/// The calls behind the first one of a connection.
#[derive(Debug, Default)]
pub(crate) struct Pipe {
    /// In the order of their requests.
    pub(crate) behind: VecDeque<Call>,
    /// When the first call expires; for use while there are others behind it.
    pub(crate) first_expires: Nanos,
    /// Calls at the tail whose requests are not wholly sent.
    pub(crate) unsent: u32,
    /// Calls that were given up, and whose replies are still to come.
    pub(crate) given_up: u32,
    /// Some call expires before one in front of it.
    pub(crate) unordered: bool,
}

impl Pipe {
    /// Calls behind the first.
    pub(crate) fn len(&self) -> usize {
        self.behind.len()
    }

    /// Whether, of a connection that is sending, the first request is not wholly sent.
    pub(crate) fn first_is_unsent(&self) -> bool {
        self.len() == 0 || self.unsent as usize > self.len()
    }

    /// The first call whose request is not wholly sent; there must be one.
    pub(crate) fn first_unsent<'a>(&'a mut self, first: &'a mut Call) -> &'a mut Call {
        let at = (self.len() + 1).saturating_sub(self.unsent as usize);
        match at.checked_sub(1) {
            Some(behind) => self.behind.get_mut(behind).unwrap_or(first),
            None => first,
        }
    }

    /// When the first of the calls that still wait expires.
    pub(crate) fn earliest(&self, first: &Call) -> Option<Nanos> {
        let first = (!first.given_up).then_some(self.first_expires);
        let waiting = self.behind.iter().filter(|call| !call.given_up).map(|call| call.expires);
        let mut all = first.into_iter().chain(waiting);
        if self.unordered { all.min() } else { all.next() }
    }
}
