//! Servers to run a client against, well-behaved and not, all on loopback and
//! free ports: nginx, and our own. They record what the client sent, connection
//! by connection.

mod listener;
mod nginx;
mod odd;
mod tap;
mod traps;

pub(crate) use listener::{Connection, End, Listener};
pub(crate) use nginx::{Nginx, Site};
use traps::{FullBacklog, Refusing};

/// One of each server, for one client at a time.
pub(crate) struct Servers {
    nginx: Nginx,
    /// In front of nginx's port without TLS.
    tap: Listener,
    odd: Listener,
    hole: Listener,
    fin: Listener,
    rst: Listener,
    late_fin: Listener,
    late_rst: Listener,
    full: FullBacklog,
    closed: Refusing,
}

impl Servers {
    /// Starts them all.
    pub(crate) fn start(site: &Site) -> Self {
        let nginx = Nginx::start(site);
        let tap = tap::before(nginx.plain);
        Self {
            nginx,
            tap,
            odd: odd::start(),
            hole: traps::hole(),
            fin: traps::fin(traps::AT_ONCE),
            rst: traps::rst(traps::AT_ONCE),
            late_fin: traps::fin(traps::LATE),
            late_rst: traps::rst(traps::LATE),
            full: FullBacklog::start(),
            closed: Refusing::start(),
        }
    }

    /// The name of each port, as command lines have it, and its number.
    pub(crate) fn ports(&self) -> [(&'static str, u16); 10] {
        [
            ("NGINX", self.tap.port()),
            ("TLS", self.nginx.tls),
            ("ODD", self.odd.port()),
            ("HOLE", self.hole.port()),
            ("FIN", self.fin.port()),
            ("RST", self.rst.port()),
            ("LATE_FIN", self.late_fin.port()),
            ("LATE_RST", self.late_rst.port()),
            ("FULL", self.full.port()),
            ("CLOSED", self.closed.port()),
        ]
    }

    /// What came over each connection since the last call, by the name of the
    /// port, once the client is gone and its last connection has ended.
    pub(crate) fn take(&mut self) -> Vec<(&'static str, Connection)> {
        let listeners = [
            ("nginx", &self.tap),
            ("odd", &self.odd),
            ("hole", &self.hole),
            ("fin", &self.fin),
            ("rst", &self.rst),
            ("late fin", &self.late_fin),
            ("late rst", &self.late_rst),
        ];
        let mut all = Vec::new();
        for (name, listener) in listeners {
            all.extend(listener.take().into_iter().map(|connection| (name, connection)));
        }
        let line = |line: String| Connection { bytes: line.into_bytes(), end: End::Unknown };
        all.extend(self.nginx.take_tls_log().into_iter().map(|text| ("tls", line(text))));
        all
    }
}
