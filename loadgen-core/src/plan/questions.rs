//! What a plan says, for those who ask.

use std::borrow::Cow;
use std::time::Duration;

use super::{CallLimit, Load, Plan, seconds};
use crate::abort::AbortRule;
use crate::check::NamedCheck;
use crate::expectation::Expectation;
use crate::net::tls::Tls;
use crate::request::Request;
use crate::session::{Script, Sessions};
use crate::target::Target;
use crate::workload_file::RequestList;

/// Time limit of a call unless another is set, in seconds.
pub(super) const DEFAULT_TIMEOUT_S: f64 = 10.0;

impl Plan {
    /// The target.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// How connections are encrypted, if the plan says it.
    #[must_use]
    pub fn tls(&self) -> Option<&Tls> {
        self.tls.as_ref()
    }

    /// The main load.
    #[must_use]
    pub fn load(&self) -> &Load {
        &self.load
    }

    /// What calls ask for, if they do not all make the same request, of loads that do not say
    /// it themselves.
    #[must_use]
    pub fn requests(&self) -> Option<&RequestList> {
        self.requests.as_ref()
    }

    /// The name of what the embedding program [checks](Self::with_check) replies by.
    #[must_use]
    pub fn check_name(&self) -> Option<&str> {
        self.check.as_ref().map(NamedCheck::name)
    }

    /// What is expected of all replies.
    #[must_use]
    pub fn expectations(&self) -> &[Expectation] {
        &self.expect
    }

    /// Whether anything is expected of replies, of all or of those to single requests.
    #[must_use]
    pub fn expects(&self) -> bool {
        self.check.is_some()
            || self.loads().any(|load| {
                let listed = self.requests_of(load).is_some_and(RequestList::expects);
                listed || self.expected_of(load).next().is_some()
            })
    }

    /// What an arrival does, if it is more than one call.
    #[must_use]
    pub fn sessions(&self) -> Option<&Sessions> {
        self.sessions.as_deref()
    }

    /// How long calls are started; `None`: until stopped.
    #[must_use]
    pub fn duration(&self) -> Option<Duration> {
        self.duration_s.map(seconds)
    }

    /// After how many calls of the main load it ends, if it is not for time alone.
    #[must_use]
    pub fn calls(&self) -> Option<CallLimit> {
        self.calls
    }

    /// What ends the run before its time.
    #[must_use]
    pub fn abort_rules(&self) -> &[AbortRule] {
        &self.abort_if
    }

    /// Worker threads; of a merged report those of all shards.
    #[must_use]
    pub fn threads(&self) -> u32 {
        self.threads
    }

    /// How much of the beginning is left out of the summary.
    #[must_use]
    pub fn warmup(&self) -> Duration {
        seconds(self.warmup_s)
    }

    /// Time limit of a call of the main load from its first byte sent; zero (none) with
    /// sessions, which have [limits](crate::session::Limits) of their own.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        if self.sessions.is_some() { Duration::ZERO } else { seconds(self.timeout_s()) }
    }

    /// Calls a second of a load of this plan that this process makes, as its schedule has
    /// them; `None`: it does not say, be it that the server sets the rate, or that an arrival
    /// is not one call.
    pub(crate) fn calls_per_s(&self, load: &Load) -> Option<f64> {
        let is_load = std::ptr::eq(load, &raw const self.load);
        let is_one_call = |s: &Sessions| matches!(s.script, Script::Connection { calls: 1, .. });
        let are_calls = !is_load || self.sessions().is_none_or(is_one_call);
        // Of a rate that changes, the lowest: silences are measured by it.
        let lowest = load.schedule().lowest_per_s().filter(|_| are_calls);
        lowest.map(|rate| rate / f64::from(self.shards()))
    }

    /// How long replies under way are waited for after the last start; with sessions, how
    /// long these may go on (zero unless set).
    #[must_use]
    pub fn drain(&self) -> Duration {
        match (&self.sessions, self.drain_s) {
            (Some(_), None) => Duration::ZERO,
            _ => seconds(self.drain_s()),
        }
    }

    /// How connections are encrypted; `None`: not at all. Connections of a session take
    /// up the TLS session of its first one unless the plan says otherwise, as a user's do.
    pub(crate) fn encryption(&self) -> Option<Tls> {
        let by_default = || Tls { resume: self.sessions.is_some(), ..Tls::default() };
        self.target.is_tls().then(|| self.tls.clone().unwrap_or_else(by_default))
    }

    /// The request of calls that are no part of sessions, of loads that have none of their
    /// own.
    pub(crate) fn request(&self) -> Cow<'_, Request> {
        self.request.as_ref().map_or_else(|| Cow::Owned(Request::get()), Cow::Borrowed)
    }

    /// Time limit of a call that is no part of a session.
    pub(crate) fn timeout_s(&self) -> f64 {
        self.timeout_s.unwrap_or(DEFAULT_TIMEOUT_S)
    }

    /// How long replies to such calls are waited for after the last start.
    pub(crate) fn drain_s(&self) -> f64 {
        self.drain_s.unwrap_or(self.timeout_s())
    }

    /// How many calls the main load has, if a number of them ends it. Of
    /// [`CallLimit::EachRequestOnce`] it is known when the list has been read.
    pub(crate) fn call_limit(&self) -> Option<u64> {
        match self.calls? {
            CallLimit::Calls(calls) => Some(calls),
            CallLimit::EachRequestOnce => self.requests_of(&self.load)?.count(),
        }
    }

    /// Whether a run of it ends by itself.
    pub(crate) fn has_end(&self) -> bool {
        let counted = self.sessions.as_ref().is_some_and(|sessions| sessions.count.is_some());
        self.duration_s.is_some() || self.calls.is_some() || counted
    }

    /// Calls a second that the schedules offer; `None` if one is a closed loop.
    #[must_use]
    pub fn offered_per_s(&self) -> Option<f64> {
        self.loads().map(|load| load.schedule.rate_per_s()).sum()
    }
}
