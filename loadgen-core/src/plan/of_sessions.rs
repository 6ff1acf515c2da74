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
        let (target, socket) = (&self.target, &sessions.socket);
        let several = !sessions.servers.is_empty();
        let ignored = [
            (
                self.timeout_s.is_some() && self.beside.is_empty(),
                "the timeout of a plan is not one of its sessions, and there is no load beside \
                 them that it would be of: set Limits::timeout_s of the sessions",
            ),
            (
                self.request.is_some() && self.beside.is_empty(),
                "sessions do not send the request of the plan, and there is no load beside them \
                 that would: set Sessions::head and Sessions::uris, or a Script::Log",
            ),
            (
                !self.load.has_requests_of_plan(),
                "sessions ask for what their script says: leave out request, requests and \
                 expectations of the main load",
            ),
            (
                self.load.is_of_streams() && sessions.count.is_some(),
                "where each worker draws its arrivals by itself nobody knows which is the last of a \
                 number of sessions: give the load a duration, or have Poisson arrivals of the whole",
            ),
            (
                self.check.is_some(),
                "a check is not shown the replies in sessions: leave it out, or say what is \
                 expected of them (Plan::with_expectation)",
            ),
            (self.kernel_timestamps, "kernel timestamps are not read in sessions: leave them out"),
            (
                !self.load.connects_plainly() || self.load.warm_connections > 0,
                "sessions have connections of their own: how they are opened, closed, pipelined \
                 and read is not for the load to say",
            ),
            (
                !target.source_addresses().is_empty() && !socket.sources.is_empty(),
                "source addresses are named twice, by the target and by SocketOptions::sources \
                 of its sessions: leave out one",
            ),
            (
                target.connects_elsewhere() && several,
                "sessions with several servers connect to each by its name: leave out the address \
                 to connect to in place of the target's",
            ),
            (
                target.is_unix() && several,
                "sessions with several servers connect to each by TCP: the target cannot be a \
                 unix socket",
            ),
            (
                target.proxy().is_some() && several,
                "sessions with several servers connect to each directly: leave out the proxy",
            ),
            (
                (target.addresses() == Addresses::All || target.resolves_again()) && several,
                "sessions with several servers connect to one address of each: leave out \
                 {addresses} and {resolve-again}",
            ),
            (
                target.is_unix()
                    && (socket.choose_ports
                        || socket.close_with_reset
                        || !socket.sources.is_empty()),
                "a unix socket has no ports and no addresses to come from, and cannot be reset: \
                 leave out SocketOptions::sources, choose_ports and close_with_reset",
            ),
            (
                sessions.open_connections.is_some_and(|most| (1..self.workers()).contains(&most)),
                "every thread needs a connection of its own: raise {open-connections} or \
                 lower {threads}",
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

    use crate::session::{Sessions, SocketOptions};
    use crate::{Addresses, CloseMode, Load, Plan, Request, Schedule, Target};

    fn plan(url: &str, load: Load) -> Plan {
        Plan::new(Target::parse(url).unwrap(), load).with_sessions(Sessions::connections(2))
    }

    fn load() -> Load {
        Load::established(Schedule::constant(1.0))
    }

    /// Whatever a plan can be told, and sessions would not do.
    #[test]
    fn nothing_is_taken_and_ignored() {
        let one = Duration::from_secs(1);
        let at = |load| plan("http://h/", load);
        let to = |target: Target| Plan::new(target, load()).with_sessions(Sessions::connections(2));
        let target = || Target::parse("http://h/").unwrap();
        let socket = |socket: SocketOptions| Sessions { socket, ..Sessions::connections(2) };
        let choosing = || SocketOptions { choose_ports: true, ..SocketOptions::default() };
        let sources = || vec!["127.0.0.2".parse().unwrap()];
        let from = SocketOptions { sources: sources(), ..SocketOptions::default() };
        let several = |target: Target| {
            let servers = vec!["a".to_owned(), "b".to_owned()];
            to(target).with_sessions(Sessions { servers, ..Sessions::connections(2) })
        };
        let unix = || Target::parse("unix:/run/a.sock").unwrap();
        let few = Sessions { open_connections: Some(1), ..Sessions::connections(2) };
        let cases = [
            (at(load()).with_timeout(one), "Limits::timeout_s"),
            // Even the default is a wish when it is spelt out.
            (at(load()).with_timeout(10 * one), "Limits::timeout_s"),
            (at(load()).with_request(Request::get()), "Sessions::head"),
            (at(load()).with_kernel_timestamps(), "timestamps"),
            (at(load()).with_check("c", |_| |_: &crate::Reply<'_>| Ok(())), "a check is not shown"),
            (at(load().with_request(Request::get())), "of the main load"),
            (at(load().with_calls_per_connection(2).with_close(CloseMode::Reset)), "closed"),
            (at(load().with_pipeline(2)), "pipelined"),
            (at(load().with_max_connecting(2)), "opened"),
            (at(load().with_connect_rate(2.0)), "opened"),
            (at(load().with_read_rate(2.0)), "read"),
            (at(load().with_warm_connections(2)), "opened"),
            (
                to(target().with_source_addresses(sources())).with_sessions(socket(from)),
                "named twice",
            ),
            (several(target().with_connect_to("127.0.0.1:80".parse().unwrap())), "several servers"),
            (several(unix()), "unix socket"),
            (several(target().with_proxy("127.0.0.1:1".parse().unwrap())), "proxy"),
            (several(target().with_addresses(Addresses::All)), "all addresses"),
            (several(target().with_resolve_again()), "resolving again"),
            (to(unix()).with_sessions(socket(choosing())), "choose_ports"),
            (at(load()).with_sessions(few).with_threads(2), "open connections"),
        ];
        for (plan, word) in cases {
            let error = plan.validate().expect_err(word).to_string();
            assert!(error.contains(word), "{word}: {error}");
        }
        // What they do, as calls do it.
        let probed = at(load()).with_probe(Load::fresh(Schedule::constant(1.0)));
        for plan in [
            probed.clone().with_request(Request::get()).with_timeout(one),
            probed,
            at(load()).with_duration(10 * one).with_warmup(one).with_deadline(one).with_drain(one),
            to(unix()),
            to(target().with_connect_to("unix:@a".parse().unwrap())),
            to(target().with_proxy("127.0.0.1:1".parse().unwrap())),
            to(target().with_addresses(Addresses::All).with_resolve_again()),
            to(target().with_source_addresses(sources())),
            plan("https://h/", load()),
        ] {
            plan.validate().unwrap();
        }
    }
}
