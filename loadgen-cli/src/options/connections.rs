//! Over which connections the calls go.

use clap::{Args, ValueEnum};
use loadgen_core::units::{parse_byte_rate, parse_rate};
use loadgen_core::{CloseMode, Load, Population, Schedule};

#[derive(Debug, Args)]
#[command(next_help_heading = "Connections")]
pub(crate) struct ConnectionOptions {
    /// Most connections open at once [default: 64; 4096 in open loop with one call a connection]
    ///
    /// With --session: in all sessions together, and sessions that find as many open are shed
    /// [default: no limit]; with --closed, too, the number of sessions at once [default: 64].
    #[arg(long, short, value_name = "N")]
    connections: Option<u32>,

    /// Connections opened before the load starts [default: 0; in `migrate` and `watch`: all]
    #[arg(long, value_name = "N", conflicts_with = "session")]
    warm_connections: Option<u32>,

    /// Close a connection after this many calls; 0: when the server does
    #[arg(long, value_name = "N", default_value_t = 0, conflicts_with = "session")]
    calls_per_connection: u32,

    /// Arrivals that may wait for a connection; those beyond are shed (counted, never sent)
    #[arg(long, value_name = "N", default_value_t = 100_000, conflicts_with = "session")]
    backlog: u32,

    /// Who closes a connection after its last call, and how
    ///
    /// For connections that have a last call: with --calls-per-connection, and those of
    /// newcomers beside the load. The report names the choice. Sessions close their connections
    /// by themselves; 'reset' makes that an RST.
    #[arg(long, value_enum, value_name = "HOW", default_value_t = CloseArg::Server)]
    close: CloseArg,

    /// Calls in flight on one connection, in the order of their requests
    ///
    /// In open loop a call goes behind another only when no connection is idle and none may be
    /// opened; in closed loop every connection carries N. The wait for the replies in front is
    /// part of a call's service time. Calls that a connection leaves unanswered are sent once
    /// more if the server closed it and the method is idempotent; else they fail.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pipeline: u32,

    /// Handshakes under way at once [default: 64 a thread with --closed, else no limit]
    ///
    /// Keeps the server's SYN backlog from overflowing. In open loop, arrivals that find no
    /// connection wait meanwhile in the queue (see --backlog), which is part of their response
    /// time, and the server sees them later than by schedule: hence no limit by default.
    #[arg(long, value_name = "N", conflicts_with = "session")]
    max_connecting: Option<u32>,

    /// Connections opened a second at most, before the load too [default: no limit]
    ///
    /// Arrivals wait as with --max-connecting.
    #[arg(long, value_name = "RATE", value_parser = parse_rate, conflicts_with = "session")]
    connect_rate: Option<f64>,

    /// Read no faster than this from each connection, such as 64KiB/s [default: no limit]
    ///
    /// A slow client with a small receive buffer: the server's writes block. A large reply takes
    /// its size by the rate, which is part of its response time and runs against --timeout.
    #[arg(long, value_name = "RATE", value_parser = parse_byte_rate, conflicts_with = "session")]
    read_rate: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CloseArg {
    /// The last request says 'Connection: close', and the server closes: its port waits
    Server,
    /// We close when the reply is complete: a port of ours is taken for a minute (TIME_WAIT)
    Client,
    /// We send RST: no port waits, but the server sees a broken connection
    Reset,
}

impl From<CloseArg> for CloseMode {
    fn from(close: CloseArg) -> Self {
        match close {
            CloseArg::Server => Self::Server,
            CloseArg::Client => Self::Client,
            CloseArg::Reset => Self::Reset,
        }
    }
}

impl ConnectionOptions {
    /// The number given of connections open at once.
    pub(super) fn most_connections(&self) -> Option<u32> {
        self.connections
    }

    /// Calls in flight on a connection.
    pub(super) fn pipeline(&self) -> u32 {
        self.pipeline
    }

    /// Whether we close by RST.
    pub(super) fn resets(&self) -> bool {
        self.close == CloseArg::Reset
    }

    /// Whether every call of the load opens a connection.
    pub(crate) fn are_fresh(&self) -> bool {
        self.calls_per_connection == 1
    }

    /// The load that carries this schedule, and the one of newcomers beside it.
    pub(crate) fn loads(
        &self,
        schedule: Schedule,
        probe_rate: Option<f64>,
    ) -> (Load, Option<Load>) {
        let probe = probe_rate
            .map(|rate| Load::fresh(Schedule::constant(rate)).with_close(self.close.into()));
        let mut load = self.load(schedule).with_pipeline(self.pipeline);
        if let Some(handshakes) = self.max_connecting {
            load = load.with_max_connecting(handshakes);
        }
        if let Some(rate) = self.connect_rate {
            load = load.with_connect_rate(rate);
        }
        if let Some(rate) = self.read_rate {
            load = load.with_read_rate(rate);
        }
        // With a probe the choice can be meant for that alone.
        let concerned = self.calls_per_connection > 0 || probe.is_none();
        (if concerned { load.with_close(self.close.into()) } else { load }, probe)
    }

    fn load(&self, schedule: Schedule) -> Load {
        let is_closed = schedule == Schedule::Closed;
        let kept = Load::established(schedule.clone());
        let kept = kept.with_calls_per_connection(self.calls_per_connection);
        let load = if self.are_fresh() { Load::fresh(schedule) } else { kept.clone() };
        // In a closed loop connections are users, whose number does not follow from how
        // they connect.
        let usual = if is_closed { kept } else { load.clone() };
        let connections = self.connections.unwrap_or(usual.connections());
        load.with_connections(connections)
            .with_warm_connections(self.warm_connections.unwrap_or(0))
            .with_backlog(self.backlog)
    }

    /// The same, with every connection open before the load unless the user says
    /// otherwise: a kept-alive client that had to connect in the middle of an
    /// outage would feel that of a newcomer.
    pub(crate) fn warm_loads(
        &self,
        schedule: Schedule,
        probe_rate: Option<f64>,
    ) -> (Load, Option<Load>) {
        let (load, probe) = self.loads(schedule, probe_rate);
        let load = match (self.warm_connections, load.population()) {
            (None, Population::Established) => {
                let all = load.connections();
                load.with_warm_connections(all)
            }
            _ => load,
        };
        (load, probe)
    }
}
