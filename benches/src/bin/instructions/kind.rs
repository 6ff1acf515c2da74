//! The kinds of calls that are counted, and the load that makes each.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use clap::ValueEnum;
use loadgen_benches::fixed_server;
use loadgen_core::session::Limits;
use loadgen_core::{
    Arrival, CallSink, EndedCall, Engine, Load, Plan, Rejected, Reply, RequestBuf, RequestList,
    Schedule, Sessions, SourceError, Target, Tls,
};

/// A kind of call. Each has a figure of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// One of a closed loop over a pool of kept-alive connections
    Call,
    /// One of many that a session makes on its own connection (httperf's --num-calls)
    SessionCall,
    /// One of the pool over TLS 1.3 with TLS_AES_128_GCM_SHA256
    TlsCall,
    /// One of the pool whose request the program makes (RequestSource)
    SourceCall,
    /// One of the pool whose reply the program looks at (Check)
    CheckedCall,
    /// One of the pool that the program is handed as it ends (CallSink)
    SinkCall,
}

/// Arrivals of sessions: all are there soon, each after the other.
const SESSIONS_PER_S: f64 = 2000.0;

/// Under callgrind a handshake takes long, and 64 are made at once.
const TIMEOUT: Duration = Duration::from_secs(60);

/// How much is done in a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Length {
    /// As many calls as are made in this time.
    Seconds(f64),
    /// So many calls on each connection, then it is closed.
    Calls(u64),
}

impl Kind {
    pub(crate) const ALL: [Self; 6] = [
        Self::Call,
        Self::SessionCall,
        Self::TlsCall,
        Self::SourceCall,
        Self::CheckedCall,
        Self::SinkCall,
    ];

    /// What the figure counts, behind "instructions".
    pub(crate) fn unit(self) -> &'static str {
        match self {
            Self::Call => "a call",
            Self::SessionCall => "a session call",
            Self::TlsCall => "a TLS call",
            Self::SourceCall => "a call with a request of its own",
            Self::CheckedCall => "a checked call",
            Self::SinkCall => "a call that is handed out",
        }
    }

    /// How the command line calls it.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Lengths of the two runs. What opens the connections is in both.
    pub(crate) fn lengths(self) -> [Length; 2] {
        match self {
            Self::SessionCall => [Length::Calls(20), Length::Calls(600)],
            Self::TlsCall => [Length::Seconds(0.5), Length::Seconds(4.0)],
            Self::Call | Self::SourceCall | Self::CheckedCall | Self::SinkCall => {
                [Length::Seconds(0.5), Length::Seconds(3.0)]
            }
        }
    }

    /// A server for clients that hold so many connections.
    pub(crate) fn server(self, connections: u32) -> Result<SocketAddr> {
        // What the engine tries the target with, before the load.
        let tries = match self {
            Self::SessionCall => 0,
            // One of TCP, and one of TLS.
            Self::TlsCall => 2,
            Self::Call | Self::SourceCall | Self::CheckedCall | Self::SinkCall => 1,
        };
        let tls = (self == Self::TlsCall).then(fixed_server::tls).transpose()?;
        Ok(fixed_server::start(tries, connections as usize, tls)?)
    }

    /// A load of this kind. No more is done for a call than by default, and no less:
    /// each has a time limit.
    pub(crate) fn plan(self, address: &str, connections: u32, length: Length) -> Result<Plan> {
        let scheme = if self == Self::TlsCall { "https" } else { "http" };
        let target = Target::parse(&format!("{scheme}://{address}/"))?;
        let plan = match length {
            Length::Seconds(seconds) => {
                let stream = Load::established(Schedule::Closed)
                    .with_connections(connections)
                    .with_warm_connections(connections);
                Plan::new(target, stream)
                    .with_duration(Duration::from_secs_f64(seconds))
                    .with_timeout(TIMEOUT)
            }
            Length::Calls(calls) => sessions(target, connections, calls),
        };
        Ok(match self {
            // Nobody has signed the server's certificate.
            Self::TlsCall => plan.with_tls(Tls::unchecked()),
            Self::SourceCall => plan.with_requests(RequestList::made_by("pages", |_| page)),
            Self::CheckedCall => plan.with_check("whole", |_| whole),
            Self::Call | Self::SessionCall | Self::SinkCall => plan,
        })
    }

    /// The engine that carries its plan out.
    pub(crate) fn engine(self, plan: Plan) -> Result<Engine> {
        let engine = Engine::new(plan)?;
        Ok(match self {
            Self::SinkCall => engine.with_call_sinks(|_| Box::new(Sum(0))),
            _ => engine,
        })
    }
}

/// A page of its own for each call: what one's own code costs is little beside what is counted.
fn page(arrival: Arrival, out: &mut RequestBuf) -> std::result::Result<(), SourceError> {
    const PAGES: [&str; 4] = ["/", "/a", "/b", "/c"];
    out.set_path(PAGES[arrival.number as usize % PAGES.len()])?;
    Ok(())
}

/// Whether the reply has all that it said.
fn whole(reply: &Reply<'_>) -> std::result::Result<(), Rejected> {
    let length = reply.header("content-length").ok_or("no length is told")?;
    if reply.status() == 200 && !length.is_empty() { Ok(()) } else { Err("no page".into()) }
}

/// Adds up what calls took.
struct Sum(u64);

impl CallSink for Sum {
    fn call(&mut self, call: &EndedCall) {
        self.0 = std::hint::black_box(self.0 + call.record.done - call.record.intended);
    }
}

/// So many sessions at once, each on its own connection.
fn sessions(target: Target, connections: u32, calls: u64) -> Plan {
    let stream =
        Load::established(Schedule::constant(SESSIONS_PER_S)).with_connections(connections);
    let sessions = Sessions::connections(calls)
        .with_count(u64::from(connections))
        .with_limits(Limits::new(TIMEOUT, Duration::ZERO))
        .without_preflight();
    Plan::new(target, stream).with_sessions(sessions)
}

impl std::fmt::Display for Length {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Seconds(seconds) => write!(f, "{seconds}s"),
            Self::Calls(calls) => write!(f, "{calls}"),
        }
    }
}

impl std::str::FromStr for Length {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        Ok(match text.strip_suffix('s') {
            Some(seconds) => Self::Seconds(seconds.parse()?),
            None => Self::Calls(text.parse()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_client_is_told_is_what_was_meant() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_str(&kind.name(), false), Ok(kind));
            for length in kind.lengths() {
                assert_eq!(length.to_string().parse::<Length>().unwrap(), length);
            }
        }
    }

    /// The whole way of a count, but for callgrind.
    #[test]
    fn every_kind_makes_its_calls() {
        for kind in Kind::ALL {
            let address = kind.server(2).unwrap().to_string();
            let length = match kind.lengths()[0] {
                Length::Seconds(_) => Length::Seconds(0.05),
                Length::Calls(_) => Length::Calls(3),
            };
            let plan = kind.plan(&address, 2, length).unwrap();
            let counts = kind.engine(plan).unwrap().run().unwrap().counts;
            assert_eq!(counts.failed, 0, "{kind:?}");
            match length {
                Length::Seconds(_) => assert!(counts.answered > 0),
                Length::Calls(calls) => assert_eq!(counts.answered, 2 * calls, "{kind:?}"),
            }
        }
    }
}
