//! The first line of a run: the options as understood.

use std::io::Write as _;

use super::options::{Options, Print};
use super::values::general;
use crate::schedule::GapLaw;

impl Options {
    /// The line, with its end. Other programs look into it, so the order, and what
    /// is left out, are the original's.
    #[must_use]
    pub fn echo(&self) -> Vec<u8> {
        let mut line = Line(self.program.clone());
        line.flag("verbose", self.verbosity > 0);
        line.print("print-reply", self.print_reply);
        line.print("print-request", self.print_request);
        line.flag("hog", self.hog);
        line.flag("close-with-reset", self.close_with_reset);
        line.time("think-timeout", self.think_timeout_s);
        line.time("timeout", self.timeout_s);
        line.time("runtime", self.runtime_s.unwrap_or(0.0));
        line.value("client", format!("{}/{}", self.client.number, self.client.count));
        if self.servers.is_none() {
            line.value("server", self.server());
        }
        line.some("server_name", self.server_name.as_deref());
        line.some("servers", self.servers.as_ref().map(|file| file.as_encoded_bytes()));
        line.number("port", self.port());
        line.value("uri", &*self.uri);
        line.number("failure-status", self.failure_status.unwrap_or(0));
        if self.http_version != (1, 1) {
            let (major, minor) = self.http_version;
            line.value("http-version", format!("{major}.{minor}"));
        }
        line.number("max-connections", self.max_connections);
        line.number("max-piped-calls", self.max_piped_calls);
        line.arrivals(self.arrivals);
        line.value("send-buffer", self.send_buffer.to_string());
        line.flag("retry-on-failure", self.retry_on_failure);
        line.value("recv-buffer", self.recv_buffer.to_string());
        line.flag("session-cookies", self.session_cookies);
        self.echo_tls(&mut line);
        if let Some(text) = &self.add_header {
            line.value("add-header", [b"'" as &[u8], text, b"'"].concat());
        }
        if let Some(file) = &self.add_header_file {
            line.value("add-header-file", [b"'", file.as_encoded_bytes(), b"'"].concat());
        }
        line.some("method", self.method.as_deref());
        line.flag("use-timer-cache", self.use_timer_cache);
        self.echo_workload(&mut line);
        line.flag("periodic-stats", self.periodic_stats);
        if self.threads != 1 {
            line.number("threads", self.threads);
        }
        line.0.push(b'\n');
        line.0
    }

    fn echo_tls(&self, line: &mut Line) {
        let tls = &self.tls;
        line.flag("ssl", tls.on);
        line.some("ssl-ciphers", tls.ciphers.as_deref());
        line.some("tls-server-name", tls.server_name.as_deref());
        line.flag("ssl-no-reuse", tls.no_reuse);
        let file =
            |file: &'_ Option<std::ffi::OsString>| file.clone().map(|f| f.into_encoded_bytes());
        line.some("ssl-cert", file(&tls.certificate));
        line.some("ssl-key", file(&tls.key));
        line.some("ssl-ca-file", file(&tls.ca_file));
        line.some("ssl-ca-path", file(&tls.ca_path));
        line.flag("ssl-verify", tls.verify);
        line.some("ssl-protocol", tls.protocol.map(|protocol| protocol.name()));
    }

    fn echo_workload(&self, line: &mut Line) {
        let wsess = self.wsess.filter(|w| w.sessions > 0);
        let wsesspage = self.wsesspage.filter(|w| w.sessions > 0);
        if let Some(wsesslog) = self.wsesslog.as_ref().filter(|w| w.sessions > 0) {
            let numbers = format!("{},{:.3},", wsesslog.sessions, wsesslog.think_s);
            line.value("wsesslog", [numbers.as_bytes(), wsesslog.file.as_encoded_bytes()].concat());
            return;
        }
        if let Some(w) = wsesspage {
            line.value("wsesspage", format!("{},{},{:.3}", w.sessions, w.calls, w.think_s));
            return;
        }
        if let Some(w) = wsess {
            line.value("wsess", format!("{},{},{:.3}", w.sessions, w.calls, w.think_s));
        } else {
            line.number("num-conns", self.num_conns);
            line.number("num-calls", self.num_calls);
        }
        if self.burst_length != 1 {
            line.number("burst-length", self.burst_length);
        }
        if let Some(wset) = self.wset.filter(|w| w.files > 0) {
            line.value("wset", format!("{},{:.3}", wset.files, wset.miss_rate));
        }
    }
}

/// The line so far.
struct Line(Vec<u8>);

impl Line {
    fn value(&mut self, name: &str, value: impl AsRef<[u8]>) {
        // Writing to a vector does not fail.
        let _ = write!(self.0, " --{name}=");
        self.0.extend_from_slice(value.as_ref());
    }

    fn some(&mut self, name: &str, value: Option<impl AsRef<[u8]>>) {
        if let Some(value) = value {
            self.value(name, value);
        }
    }

    fn flag(&mut self, name: &str, given: bool) {
        if given {
            let _ = write!(self.0, " --{name}");
        }
    }

    fn number(&mut self, name: &str, value: impl Into<i64>) {
        let value = value.into();
        if value != 0 {
            self.value(name, value.to_string());
        }
    }

    fn time(&mut self, name: &str, seconds: f64) {
        if seconds > 0.0 {
            self.value(name, general(seconds, 6));
        }
    }

    fn print(&mut self, name: &str, print: Option<Print>) {
        match print {
            None => {}
            Some(Print::All) => self.flag(name, true),
            Some(Print::Header) => self.value(name, "header"),
            Some(Print::Body) => self.value(name, "body"),
        }
    }

    fn arrivals(&mut self, law: Option<GapLaw>) {
        let g = |seconds| general(seconds, 6);
        match law {
            None => {}
            Some(GapLaw::Constant { gap_s }) => self.value("rate", g(1.0 / gap_s)),
            Some(GapLaw::Uniform { least_s, most_s }) => {
                self.value("period", format!("u{},{}", g(least_s), g(most_s)));
            }
            Some(GapLaw::Exponential { mean_s }) => self.value("period", format!("e{}", g(mean_s))),
            Some(GapLaw::Steps { steps }) => {
                let pairs: Vec<_> = steps
                    .as_slice()
                    .iter()
                    .map(|step| format!("{},{}", g(step.gap_s), g(step.duration_s)))
                    .collect();
                self.value("period", format!("v{}", pairs.join(",")));
            }
        }
    }
}
