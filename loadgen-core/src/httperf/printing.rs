//! What httperf prints while a run goes on: requests, replies, rates, notices.

use std::collections::BTreeMap;

use super::SharedOutput;
use super::options::{Options, Print, Workload};
use super::report::fixed;
use crate::session::{Notice, Observer, ReplySizes, Sample};

/// Most bytes of unfinished lines of bodies that are kept for their line end. Past
/// it the oldest of them is printed as if it had ended.
const MOST_UNFINISHED: usize = 16 << 20;

/// The parts of a message to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MessageParts {
    /// Request or status line and headers.
    pub head: bool,
    /// The body.
    pub body: bool,
}

impl MessageParts {
    /// Whether any part is printed; then the sizes are, too.
    #[must_use]
    pub fn any(self) -> bool {
        self.head || self.body
    }
}

/// What to print.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Printing {
    /// The name of the program, which stands before some lines.
    pub program: Vec<u8>,
    /// How often `--verbose` was given.
    pub verbosity: u32,
    /// Of requests.
    pub request: MessageParts,
    /// Of replies.
    pub reply: MessageParts,
    /// The arrivals are sessions, whose rate is printed beside that of replies.
    pub sessions: bool,
    /// The lines of `--periodic-stats`, every second.
    pub periodic: bool,
}

impl Printing {
    /// What these options ask for.
    #[must_use]
    pub fn of(options: &Options) -> Self {
        let parts = |print: Option<Print>| match print {
            None => MessageParts::default(),
            Some(Print::All) => MessageParts { head: true, body: true },
            Some(Print::Header) => MessageParts { head: true, body: false },
            Some(Print::Body) => MessageParts { head: false, body: true },
        };
        Self {
            program: options.program.clone(),
            verbosity: options.verbosity,
            request: parts(options.print_request),
            reply: parts(options.print_reply),
            sessions: options.workload() != Workload::Requests,
            periodic: options.periodic_stats,
        }
    }
}

/// Prints the course of a run as httperf does.
#[derive(Debug)]
pub struct Printer {
    printing: Printing,
    /// Standard output.
    out: SharedOutput,
    /// Standard error.
    err: SharedOutput,
    /// Beginnings of lines of bodies, by call.
    unfinished: BTreeMap<u64, Vec<u8>>,
    /// Their bytes together.
    unfinished_bytes: usize,
}

impl Printer {
    /// A printer to standard output and standard error.
    #[must_use]
    pub fn new(printing: Printing, out: SharedOutput, err: SharedOutput) -> Self {
        let (unfinished, unfinished_bytes) = (BTreeMap::new(), 0);
        Self { printing, out, err, unfinished, unfinished_bytes }
    }

    /// The program's name, a text, and the bytes in quotes.
    fn quoted(&self, to: &SharedOutput, text: &str, bytes: &[u8], end: &str) {
        to.put(&[&self.printing.program, text.as_bytes(), b" `", bytes, end.as_bytes()].concat());
    }

    /// Prints the oldest unfinished lines until the rest is no longer too much.
    fn shed_unfinished(&mut self) {
        while self.unfinished_bytes > MOST_UNFINISHED {
            let Some((call, line)) = self.unfinished.pop_first() else { return };
            self.unfinished_bytes -= line.len();
            self.out.put(&tagged("RB", call, &line));
        }
    }
}

/// A line of a message with its mark.
fn tagged(mark: &str, call: u64, line: &[u8]) -> Vec<u8> {
    let mut text = format!("{mark}{call}:").into_bytes();
    text.extend_from_slice(line);
    text.push(b'\n');
    text
}

/// The lines of `bytes` with their mark; what follows the last line end is a line
/// too.
fn push_lines(text: &mut Vec<u8>, mark: &str, call: u64, bytes: &[u8]) {
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        text.extend(tagged(mark, call, line.strip_suffix(b"\n").unwrap_or(line)));
    }
}

impl Observer for Printer {
    fn wants_messages(&self) -> bool {
        self.printing.request.any() || self.printing.reply.any()
    }

    fn gap(&mut self, gap_s: f64) {
        if self.printing.verbosity >= 3 {
            self.err.put(format!("next arrival delay = {gap_s:.4}\n").as_bytes());
        }
    }

    fn uri(&mut self, uri: &[u8]) {
        if self.printing.verbosity >= 1 {
            self.quoted(&self.out, ": accessing URI", uri, "'\n");
        }
    }

    fn fetching(&mut self, uri: &[u8]) {
        if self.printing.verbosity >= 2 {
            self.quoted(&self.out, ": fetching", uri, "'\n");
        }
    }

    fn request(&mut self, call: u64, head: &[u8], body: &[u8]) {
        let parts = self.printing.request;
        if !parts.any() {
            return;
        }
        let mut text = Vec::new();
        if parts.head {
            push_lines(&mut text, "SH", call, head);
        }
        if parts.body {
            push_lines(&mut text, "SB", call, body);
        }
        let sizes = format!("SS{call}: header {} content {}\n", head.len(), body.len());
        text.extend_from_slice(sizes.as_bytes());
        self.out.put(&text);
    }

    fn reply_line(&mut self, call: u64, line: &[u8]) {
        if self.printing.reply.head {
            self.out.put(&tagged("RH", call, line));
        }
    }

    fn reply_body(&mut self, call: u64, bytes: &[u8]) {
        if !self.printing.reply.body {
            return;
        }
        let end = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let (whole, rest) = bytes.split_at(end);
        if !whole.is_empty() {
            let mut lines = self.unfinished.remove(&call).unwrap_or_default();
            self.unfinished_bytes -= lines.len();
            lines.extend_from_slice(whole);
            let mut text = Vec::new();
            push_lines(&mut text, "RB", call, &lines);
            self.out.put(&text);
        }
        if !rest.is_empty() {
            self.unfinished.entry(call).or_default().extend_from_slice(rest);
            self.unfinished_bytes += rest.len();
            self.shed_unfinished();
        }
    }

    fn dropped(&mut self, call: u64) {
        if let Some(line) = self.unfinished.remove(&call) {
            self.unfinished_bytes -= line.len();
            self.out.put(&tagged("RB", call, &line));
        }
    }

    fn reply_end(&mut self, call: u64, sizes: ReplySizes) {
        if !self.printing.reply.any() {
            return;
        }
        let mut text = Vec::new();
        if let Some(line) = self.unfinished.remove(&call) {
            self.unfinished_bytes -= line.len();
            text = tagged("RB", call, &line);
        }
        let ReplySizes { header, content, footer } = sizes;
        let sizes = format!("RS{call}: header {header} content {content} footer {footer}\n");
        text.extend_from_slice(sizes.as_bytes());
        self.out.put(&text);
    }

    fn sample(&mut self, sample: Sample) {
        if self.printing.verbosity == 0 {
            return;
        }
        let mut text = format!("reply-rate = {:<8}\n", fixed(sample.replies_per_s, 1));
        if self.printing.sessions {
            text += &format!("session-rate = {:<8}\n", fixed(sample.sessions_per_s, 1));
        }
        self.out.put(text.as_bytes());
    }

    fn statuses_every_s(&self) -> Option<f64> {
        self.printing.periodic.then_some(1.0)
    }

    fn statuses(&mut self, at_s: f64, counts: &[(u32, u64)]) {
        let of = |wanted| {
            counts.iter().find(|(status, _)| *status == wanted).map_or(0, |(_, count)| *count)
        };
        self.out.put(format!("[{at_s:.6} s] 200={}, 302={}\n", of(200), of(302)).as_bytes());
    }

    fn notice(&mut self, notice: Notice<'_>) {
        let text = match notice {
            Notice::BadStatusLine(line) => {
                let text = ".parse_status_line: invalid status line";
                return self.quoted(&self.err, text, line, "'!!\n");
            }
            Notice::UnknownTransferEncoding(coding) => {
                let text = ".parse_headers: unknown transfer encoding";
                return self.quoted(&self.err, text, coding, "'\n");
            }
            Notice::BadChunkLine(line) => {
                return self.quoted(&self.err, ".xfer_chunked: bad chunk line", line, "'\n");
            }
            Notice::ForeignUri(uri) => {
                if self.printing.verbosity >= 2 {
                    self.quoted(&self.err, ": ignoring absolute URI", uri, "'\n");
                }
                return;
            }
            Notice::BadStatus(status) => {
                format!(".parse_status_line: bad status {status}\n")
            }
            Notice::LongLine(whole, kept) => {
                format!(".get_line: truncating header from {whole} to {kept} bytes\n")
            }
            Notice::LongCookie(kept) => {
                format!(".sess_cookie: truncating cookie to {kept} bytes\n")
            }
            Notice::UnexpectedError(errno) => {
                format!(": connection failed with unexpected error {errno}\n")
            }
        };
        self.err.put(&[&self.printing.program, text.as_bytes()].concat());
    }
}

#[cfg(test)]
mod tests;
