//! What a plan with sessions must not say: all that would be ignored, since its
//! sessions say it themselves or have nothing of the kind.

use super::Plan;
use crate::error::PlanError;
use crate::session::Sessions;
use crate::target::Addresses;

impl Plan {
    /// Checks a plan with these sessions.
    pub(super) fn validate_sessions(&self, sessions: &Sessions) -> Result<(), PlanError> {
        sessions.validate()?;
        let ignored = [
            (
                self.probe.is_some() || self.warmup_s > 0.0 || self.deadline_s.is_some(),
                "a plan with sessions has no probe, no warm-up and no deadline",
            ),
            (
                self.timeout_s.is_some(),
                "the timeout of a plan is not one of its sessions: set Limits::timeout_s of the \
                 sessions",
            ),
            (
                self.drain_s.is_some(),
                "sessions are not waited for when a run ends by time: leave out the drain, or \
                 give their number (Sessions::count) in place of a duration",
            ),
            (
                self.request.is_some(),
                "sessions do not send the request of the plan: set Sessions::head and \
                 Sessions::uris, or a Script::Log",
            ),
            (self.kernel_timestamps, "kernel timestamps are not read in sessions: leave them out"),
            (
                !self.load.connects_plainly() || self.load.warm_connections > 0,
                "sessions have connections of their own: how they are opened, closed, pipelined \
                 and read is not for the stream to say",
            ),
            (
                !self.target.source_addresses().is_empty(),
                "sessions take their source addresses from SocketOptions::sources: leave them \
                 out of the target",
            ),
            (
                self.target.connects_elsewhere() && !sessions.servers.is_empty(),
                "sessions with several servers connect to each by its name: leave out the address \
                 to connect to in place of the target's",
            ),
            (
                self.target.is_unix(),
                "sessions connect by TCP only: the target cannot be a unix socket",
            ),
            (
                self.target.proxy().is_some(),
                "sessions connect to their servers directly: leave out the proxy",
            ),
            (
                self.target.addresses() == Addresses::All || self.target.resolves_again(),
                "sessions connect to one address of each server: leave out --addresses and \
                 --resolve-again",
            ),
        ];
        match ignored.into_iter().find(|(is_set, _)| *is_set) {
            Some((_, reason)) => Err(PlanError::Conflict(reason)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::session::Sessions;
    use crate::{Addresses, CloseMode, Plan, Request, Schedule, Stream, Target};

    fn plan(url: &str, load: Stream) -> Plan {
        Plan::new(Target::parse(url).unwrap(), load).with_sessions(Sessions::connections(2))
    }

    fn stream() -> Stream {
        Stream::established(Schedule::constant(1.0))
    }

    /// Whatever a plan can be told, and sessions would not do.
    #[test]
    fn nothing_is_taken_and_ignored() {
        let one = Duration::from_secs(1);
        let at = |stream| plan("http://h/", stream);
        let to =
            |target: Target| Plan::new(target, stream()).with_sessions(Sessions::connections(2));
        let target = || Target::parse("http://h/").unwrap();
        let connect_to = |servers: &[&str]| {
            let mut sessions = Sessions::connections(2);
            sessions.servers = servers.iter().map(|name| (*name).to_owned()).collect();
            to(target().with_connect_to("127.0.0.1:80".parse().unwrap())).with_sessions(sessions)
        };
        let cases = [
            (at(stream()).with_probe(Stream::fresh(Schedule::constant(1.0))), "probe"),
            (at(stream()).with_warmup(one), "warm-up"),
            (at(stream()).with_deadline(one), "deadline"),
            (at(stream()).with_timeout(one), "Limits::timeout_s"),
            // Even the default is a wish when it is spelt out.
            (at(stream()).with_timeout(10 * one), "Limits::timeout_s"),
            (at(stream()).with_drain(one), "drain"),
            (at(stream()).with_request(Request::get()), "Sessions::head"),
            (at(stream()).with_kernel_timestamps(), "timestamps"),
            (at(stream().with_calls_per_connection(2).with_close(CloseMode::Reset)), "closed"),
            (at(stream().with_pipeline(2)), "pipelined"),
            (at(stream().with_max_connecting(2)), "opened"),
            (at(stream().with_connect_rate(2.0)), "opened"),
            (at(stream().with_read_rate(2.0)), "read"),
            (at(stream().with_warm_connections(2)), "opened"),
            (
                to(target().with_source_addresses(vec!["127.0.0.2".parse().unwrap()])),
                "SocketOptions::sources",
            ),
            (connect_to(&["a", "b"]), "several servers"),
            (to(Target::parse("unix:/run/a.sock").unwrap()), "unix socket"),
            (to(target().with_connect_to("unix:@a".parse().unwrap())), "unix socket"),
            (to(target().with_proxy("127.0.0.1:1".parse().unwrap())), "proxy"),
            (to(target().with_addresses(Addresses::All)), "--addresses"),
            (to(target().with_resolve_again()), "--resolve-again"),
        ];
        for (plan, word) in cases {
            let error = plan.validate().expect_err(word).to_string();
            assert!(error.contains(word), "{word}: {error}");
        }
        connect_to(&[]).validate().unwrap();
        plan("https://h/", stream()).validate().unwrap();
    }
}
