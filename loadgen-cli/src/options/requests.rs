//! More requests than one.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use loadgen_core::{Recorded, RequestFormat, RequestList, RequestOrder, Schedule};

#[derive(Debug, Args)]
#[command(next_help_heading = "Requests")]
pub(crate) struct RequestOptions {
    /// Calls make the requests of this file: URLs, JSON lines, an access log, or httperf's --wlog
    ///
    /// A URL or a path a line, with the method before it if it is not that of --method; or a JSON
    /// object a line: {"path": "/a", "method": "PUT", "headers": {"A": "b"}, "body": "…",
    /// "body_file": "…", "tag": "…", "weight": 2} ("url" in place of "path" if you like); or the lines of
    /// an access log (see --replay); or paths that end with a NUL byte each. Up to 1,000,000. All have the headers of -H but for those that they
    /// have themselves. See docs/requests.md.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["session", "body", "body_file"])]
    requests: Option<PathBuf>,

    /// How the file of --requests is written [default: told by its content]
    #[arg(long, value_enum, value_name = "FORMAT", requires = "requests")]
    requests_format: Option<FormatArg>,

    /// In which order requests are made; the k-th call of a seed always makes the same one
    #[arg(long, value_enum, value_name = "ORDER", default_value_t = OrderArg::Sequential)]
    requests_order: OrderArg,

    /// Make each request once for each row of this CSV file, with {{column}} filled in
    ///
    /// The first row names the columns. Filled in are path, values of headers, text of bodies and
    /// tags, of --requests, or else of the one request of the command line: its URL, -H and --body.
    #[arg(long, value_name = "FILE.csv", conflicts_with = "session")]
    data: Option<PathBuf>,

    /// Make the requests of this access log again, at the times that they came at
    ///
    /// The common, combined and vhost_combined formats of Apache and nginx, or a JSON object a
    /// line. The load ends with the log unless --duration says otherwise; beyond its end it begins
    /// anew. With --rate (or --stages, or --closed) the requests come in the same order, but at that
    /// rate. Taken are method, path and query: other headers are those of -H, and there is no body.
    /// Lines that cannot be replayed are left out, and the report tells how many and why. Where a log
    /// has whole seconds alone, its requests are spread over them evenly. See docs/requests.md.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["requests", "data", "session", "body", "body_file"])]
    replay: Option<PathBuf>,

    /// How many times as fast as it came the log of --replay is made again, such as 2x or 0.5x
    #[arg(long, value_name = "FACTOR", value_parser = speed, requires = "replay")]
    speed: Option<f64>,

    /// Replay requests of all methods, not of GET, HEAD, OPTIONS and TRACE alone
    ///
    /// POST, PUT, DELETE and the like may change what the server keeps, and are sent without the
    /// body that they had.
    #[arg(long, requires = "replay")]
    replay_unsafe: bool,
}

/// A factor, with an x behind it if you like.
fn speed(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix(['x', 'X']).unwrap_or(text).trim_end();
    let factor: Option<f64> = number.parse().ok();
    factor
        .filter(|factor| (0.001..=1e6).contains(factor))
        .ok_or_else(|| "a speed is a number from 0.001 to 1,000,000, such as 2x".to_owned())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FormatArg {
    /// A URL or a path a line, a method before it if need be
    Urls,
    /// A JSON object a line
    JsonLines,
    /// Paths that end with a NUL byte each
    Wlog,
    /// The log of a server, in the order of its times
    AccessLog,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum OrderArg {
    /// As in the file, from its beginning again after the last
    Sequential,
    /// All in a random order, then all in another one, and so on
    Shuffled,
    /// Each call draws one by its weight
    Weighted,
}

impl RequestOptions {
    /// The list that calls ask for, if there is one.
    pub(super) fn list(&self) -> Option<RequestList> {
        if let Some(log) = &self.replay {
            let list = RequestList::file(log).with_format(RequestFormat::AccessLog);
            let list = match self.replay_unsafe {
                true => list.with_methods_that_change_state(),
                false => list,
            };
            return Some(list.with_order(self.order()));
        }
        let list = match (&self.requests, &self.data) {
            (None, None) => return None,
            (None, Some(data)) => RequestList::of_data(data),
            (Some(file), data) => {
                let list = RequestList::file(file);
                let list = match self.requests_format {
                    Some(FormatArg::Urls) => list.with_format(RequestFormat::Urls),
                    Some(FormatArg::JsonLines) => list.with_format(RequestFormat::JsonLines),
                    Some(FormatArg::Wlog) => list.with_format(RequestFormat::Wlog),
                    Some(FormatArg::AccessLog) => list.with_format(RequestFormat::AccessLog),
                    None => list,
                };
                match data {
                    Some(data) => list.with_data(data),
                    None => list,
                }
            }
        };
        Some(list.with_order(self.order()))
    }

    fn order(&self) -> RequestOrder {
        match self.requests_order {
            OrderArg::Sequential => RequestOrder::Sequential,
            OrderArg::Shuffled => RequestOrder::Shuffled,
            OrderArg::Weighted => RequestOrder::Weighted,
        }
    }

    /// The schedule of a log that is replayed, unless a rate is given beside it.
    pub(crate) fn recorded(&self) -> Option<Schedule> {
        self.replay
            .as_ref()
            .map(|_| Schedule::Recorded(Recorded::at_speed(self.speed.unwrap_or(1.0))))
    }

    /// Whether a speed is asked for that nothing is to have.
    pub(crate) fn has_speed(&self) -> bool {
        self.speed.is_some()
    }

    /// Whether an order is asked for, though there is nothing to be ordered.
    pub(super) fn orders_nothing(&self) -> bool {
        self.requests_order != OrderArg::Sequential && self.list().is_none()
    }
}
