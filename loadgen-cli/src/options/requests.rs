//! More requests than one.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use loadgen_core::{RequestFormat, RequestList, RequestOrder};

#[derive(Debug, Args)]
#[command(next_help_heading = "Requests")]
pub(crate) struct RequestOptions {
    /// Calls make the requests of this file: URLs, JSON lines, or httperf's --wlog
    ///
    /// A URL or a path a line, with the method before it if it is not that of --method; or a JSON
    /// object a line: {"path": "/a", "method": "PUT", "headers": {"A": "b"}, "body": "…",
    /// "body_file": "…", "tag": "…", "weight": 2} ("url" in place of "path" if you like); or paths that
    /// end with a NUL byte each. Up to 1,000,000. All have the headers of -H but for those that they
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
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FormatArg {
    /// A URL or a path a line, a method before it if need be
    Urls,
    /// A JSON object a line
    JsonLines,
    /// Paths that end with a NUL byte each
    Wlog,
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
        let list = match (&self.requests, &self.data) {
            (None, None) => return None,
            (None, Some(data)) => RequestList::of_data(data),
            (Some(file), data) => {
                let list = RequestList::file(file);
                let list = match self.requests_format {
                    Some(FormatArg::Urls) => list.with_format(RequestFormat::Urls),
                    Some(FormatArg::JsonLines) => list.with_format(RequestFormat::JsonLines),
                    Some(FormatArg::Wlog) => list.with_format(RequestFormat::Wlog),
                    None => list,
                };
                match data {
                    Some(data) => list.with_data(data),
                    None => list,
                }
            }
        };
        Some(list.with_order(match self.requests_order {
            OrderArg::Sequential => RequestOrder::Sequential,
            OrderArg::Shuffled => RequestOrder::Shuffled,
            OrderArg::Weighted => RequestOrder::Weighted,
        }))
    }

    /// Whether an order is asked for, though there is nothing to be ordered.
    pub(super) fn orders_nothing(&self) -> bool {
        self.requests_order != OrderArg::Sequential && self.list().is_none()
    }
}
