//! Over which connections the calls go.

use clap::Args;
use loadgen_core::{Population, Schedule, Stream};

#[derive(Debug, Args)]
#[command(next_help_heading = "Connections")]
pub(crate) struct ConnectionOptions {
    /// Most connections open at once [default: 64; 4096 in open loop with one call a connection]
    #[arg(long, short, value_name = "N")]
    connections: Option<u32>,

    /// Connections opened before the load starts [default: 0; in `migrate`: all]
    #[arg(long, value_name = "N")]
    warm_connections: Option<u32>,

    /// Close a connection after this many calls; 0: when the server does
    #[arg(long, value_name = "N", default_value_t = 0)]
    calls_per_connection: u32,

    /// Arrivals that may wait for a connection; those beyond are shed (counted, never sent)
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    backlog: u32,
}

impl ConnectionOptions {
    /// The stream that carries this schedule.
    pub(crate) fn stream(&self, schedule: Schedule) -> Stream {
        let open_loop = schedule != Schedule::Closed;
        let stream = if self.calls_per_connection == 1 && open_loop {
            Stream::fresh(schedule)
        } else {
            Stream::established(schedule).with_calls_per_connection(self.calls_per_connection)
        };
        let connections = self.connections.unwrap_or(stream.connections());
        stream
            .with_connections(connections)
            .with_warm_connections(self.warm_connections.unwrap_or(0))
            .with_backlog(self.backlog)
    }

    /// The same, with every connection open before the load unless the user says
    /// otherwise: a kept-alive client that had to connect in the middle of an
    /// outage would feel that of a newcomer.
    pub(crate) fn warm_stream(&self, schedule: Schedule) -> Stream {
        let stream = self.stream(schedule);
        match (self.warm_connections, stream.population()) {
            (None, Population::Established) => {
                let all = stream.connections();
                stream.with_warm_connections(all)
            }
            _ => stream,
        }
    }
}
