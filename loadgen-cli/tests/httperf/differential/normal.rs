//! Output without what differs from run to run: times and rates are masked,
//! counts and sizes are not.

use super::cases::Case;
use super::side::Outcome;

/// What is done with one number of a line.
#[derive(Clone, Copy, PartialEq)]
enum Field {
    /// Compared as it stands.
    Exact,
    /// Only its number of decimals is compared.
    Time,
    /// A time that ends in .5, or 0.0.
    Median,
    /// A time of connections with replies: 0 without any.
    OfReplies,
    /// A figure of the 5 s samples: 0 without any.
    OfSamples,
    /// A time of sessions that succeeded: 0 without any.
    OfSuccesses,
    /// A time of sessions that failed: 0 without any.
    OfFailures,
    /// Concurrent connections.
    Concurrent,
    /// Connects in one round of the event loop.
    Burst,
    /// Requests, and their mean size.
    Requests,
}
use Field::{Burst, Concurrent, Exact, Median, OfFailures, OfReplies, OfSamples, OfSuccesses};
use Field::{Requests, Time};

/// Lines with numbers that are not all exact: how they begin, and their numbers.
const LINES: [(&str, &[Field]); 14] = [
    ("Maximum connect burst length: ", &[Burst]),
    ("Total: connections ", &[Exact, Requests, Exact, Time]),
    ("Connection rate: ", &[Time, Time, Concurrent]),
    ("Connection time [ms]: min ", &[OfReplies, OfReplies, OfReplies, Median, OfReplies]),
    ("Connection time [ms]: connect ", &[Time]),
    ("Request rate: ", &[Time, Time]),
    ("Request size [B]: ", &[Requests]),
    ("Reply rate [replies/s]: min ", &[OfSamples, OfSamples, OfSamples, OfSamples, Exact]),
    ("Reply time [ms]: response ", &[Time, Time]),
    ("CPU time [s]: user ", &[Time, Time, Time, Time, Time]),
    ("Net I/O: ", &[Time, Time, Exact, Exact]),
    ("Session rate [sess/s]: min ", &[OfSamples, Time, OfSamples, OfSamples, Exact, Exact]),
    ("Session lifetime [s]: ", &[OfSuccesses]),
    ("Session failtime [s]: ", &[OfFailures]),
];

/// What the report itself says of which numbers can be anything but 0.
struct Facts {
    replies: f64,
    samples: f64,
    successes: f64,
    sessions: f64,
}

/// Every byte as the character of its number, so that any bytes are text.
pub(crate) fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

/// The lines of stderr. What follows the last newline is a line too.
pub(crate) fn stderr(outcome: &Outcome) -> Vec<String> {
    let text = ports_named(latin1(&outcome.stderr), outcome);
    text.split('\n').map(without_thread_id).collect()
}

/// The lines of stdout. What follows the last newline is a line too.
pub(crate) fn stdout(outcome: &Outcome, case: &Case) -> Vec<String> {
    let text = ports_named(latin1(&outcome.stdout), outcome);
    let lines: Vec<&str> = text.split('\n').collect();
    let facts = Facts::of(&lines);
    let masked = lines.iter().map(|line| masked(line, case, &facts)).collect();
    messages_by_call(histogram_summed(masked))
}

/// `--port=12345` as `--port={ODD}`.
fn ports_named(mut text: String, outcome: &Outcome) -> String {
    for (name, port) in &outcome.ports {
        text = text.replace(&format!("--port={port} "), &format!("--port={{{name}}} "));
    }
    text
}

/// OpenSSL begins its messages with the number of the thread.
fn without_thread_id(line: &str) -> String {
    match line.split_once(":error:") {
        Some((id, rest)) if id.chars().all(|c| c.is_ascii_hexdigit()) => format!("ID:error:{rest}"),
        _ => line.to_owned(),
    }
}

impl Facts {
    fn of(lines: &[&str]) -> Self {
        let number = |start: &str, index: usize| {
            let line = lines.iter().find_map(|line| line.strip_prefix(start)).unwrap_or("");
            let pieces = pieces(line);
            let number = pieces.iter().filter(|piece| piece.is_number).nth(index);
            number.and_then(|piece| piece.text.parse().ok()).unwrap_or(0.0)
        };
        Self {
            replies: number("Total: connections ", 2),
            samples: number("Reply rate [replies/s]: min ", 4),
            successes: number("Session rate [sess/s]: min ", 4),
            sessions: number("Session rate [sess/s]: min ", 5),
        }
    }
}

fn masked(line: &str, case: &Case, facts: &Facts) -> String {
    if let Some(date) = line.find("Date: ").filter(|_| line.ends_with(" GMT\r")) {
        return format!("{}Date: (now)\r", line.get(..date).unwrap_or_default());
    }
    for name in ["reply-rate = ", "session-rate = "] {
        if let Some(rate) = line.strip_prefix(name) {
            return format!("{name}({} characters)", rate.len());
        }
    }
    let Some((start, fields)) = LINES.iter().find(|(start, _)| line.starts_with(start)) else {
        return line.to_owned();
    };
    let pieces = pieces(line.get(start.len()..).unwrap_or_default());
    if pieces.iter().filter(|piece| piece.is_number).count() != fields.len() {
        return line.to_owned();
    }
    let mut fields = fields.iter();
    let rest = pieces.iter().map(|piece| match fields.by_ref().next_if_number(piece) {
        Some(field) if is_masked(*field, piece.text, case, facts) => mask(piece.text),
        _ => piece.text.to_owned(),
    });
    format!("{start}{}", rest.collect::<String>())
}

/// The next field belongs to the next number.
trait NextIfNumber<'a> {
    fn next_if_number(self, piece: &Piece<'_>) -> Option<&'a Field>;
}

impl<'a, I: Iterator<Item = &'a Field>> NextIfNumber<'a> for I {
    fn next_if_number(mut self, piece: &Piece<'_>) -> Option<&'a Field> {
        if piece.is_number { self.next() } else { None }
    }
}

fn is_masked(field: Field, number: &str, case: &Case, facts: &Facts) -> bool {
    match field {
        Exact => false,
        Time => true,
        Median => {
            is_masked(OfReplies, number, case, facts) && (number.ends_with(".5") || number == "0.0")
        }
        OfReplies => facts.replies > 0.0 || case.unclassed,
        OfSamples => facts.samples > 0.0,
        OfSuccesses => facts.successes > 0.0,
        OfFailures => facts.sessions > facts.successes,
        Concurrent => !case.concurrent_exact,
        Burst => !case.burst_exact,
        Requests => case.requests_race,
    }
}

/// `#` with the decimals that the number has; what is not finite had one.
fn mask(number: &str) -> String {
    match number.split_once('.') {
        Some((_, decimals)) => format!("#.{}", "#".repeat(decimals.len())),
        None if number.ends_with(|c: char| c.is_ascii_digit()) => "#".to_owned(),
        None => "#.#".to_owned(),
    }
}

struct Piece<'a> {
    text: &'a str,
    is_number: bool,
}

/// A line as numbers and what is between them.
fn pieces(line: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let (mut rest, mut text_end) = (line, 0);
    while let Some(after) = rest.get(text_end..).filter(|after| !after.is_empty()) {
        let length = number_length(after);
        if length > 0 {
            let (text, tail) = rest.split_at(text_end);
            let (number, tail) = tail.split_at(length);
            pieces.push(Piece { text, is_number: false });
            pieces.push(Piece { text: number, is_number: true });
            (rest, text_end) = (tail, 0);
        } else {
            text_end += after.chars().next().map_or(1, char::len_utf8);
        }
    }
    pieces.push(Piece { text: rest, is_number: false });
    pieces
}

/// Length of the number at the beginning; 0: there is none.
fn number_length(text: &str) -> usize {
    let words = ["-nan", "nan", "-inf", "inf", "NaN"];
    if let Some(word) = words.iter().find(|word| text.starts_with(**word)) {
        return word.len();
    }
    let sign = usize::from(text.starts_with('-'));
    let digits = |from: usize| {
        let rest = text.get(from..).unwrap_or_default();
        rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len()
    };
    let whole = digits(sign);
    if whole == 0 {
        return 0;
    }
    let end = sign + whole;
    let has_point = text.get(end..).is_some_and(|rest| rest.starts_with('.'));
    match digits(end + 1) {
        decimals if has_point && decimals > 0 => end + 1 + decimals,
        _ => end,
    }
}

/// The histogram of `-v -v` as the number of connections in it.
fn histogram_summed(lines: Vec<String>) -> Vec<String> {
    let Some(title) =
        lines.iter().position(|line| line.starts_with("Connection lifetime histogram"))
    else {
        return lines;
    };
    let mut connections = 0;
    let bins = lines.iter().skip(title + 1).take_while(|line| match bin(line) {
        Some(count) => {
            connections += count;
            true
        }
        None => false,
    });
    let end = title + 1 + bins.count();
    let mut summed = lines;
    summed.splice(title + 1..end, [format!("(bins of {connections} connections)")]);
    summed
}

/// Connections in one line of the histogram, if it has the form of one.
fn bin(line: &str) -> Option<u64> {
    if line == format!("{:>14}", ':') {
        return Some(0);
    }
    let (time, count) = line.split_at_checked(16)?;
    time.trim_start().strip_suffix(".5")?.parse::<u64>().ok()?;
    count.strip_prefix(' ')?.parse().ok()
}

/// Printed requests and replies call by call, all where the first one stood: those
/// of different calls mix as time will have it.
fn messages_by_call(lines: Vec<String>) -> Vec<String> {
    let Some(first) = lines.iter().position(|line| call(line).is_some()) else { return lines };
    let (mut messages, mut others) = (Vec::new(), Vec::new());
    for line in lines {
        match call(&line) {
            Some(id) => messages.push((id, line)),
            None => others.push(line),
        }
    }
    messages.sort_by_key(|(id, _)| *id);
    others.splice(first..first, messages.into_iter().map(|(_, line)| line));
    others
}

/// The call of a line as `RH12:…`.
fn call(line: &str) -> Option<u64> {
    let (kind, rest) = line.split_at_checked(2)?;
    let id = rest.split_once(':')?.0;
    ["SH", "SB", "SS", "RH", "RB", "RS"].contains(&kind).then(|| id.parse().ok())?
}

#[test]
fn numbers_and_words() {
    let texts =
        |line| pieces(line).iter().filter(|p| p.is_number).map(|p| p.text).collect::<Vec<_>>();
    assert_eq!(texts("8.7 conn/s (115.4 ms/conn, <=5 c)"), ["8.7", "115.4", "5"]);
    assert_eq!(texts("-nan KB/s (inf*10^6 bps)"), ["-nan", "inf", "10", "6"]);
    assert_eq!(texts("no numbers. at all"), [""; 0]);
}

#[test]
fn bins() {
    assert_eq!(bin("             :"), Some(0));
    assert_eq!(bin("             6.5 12"), Some(12));
    assert_eq!(bin("            6.5 12"), None);
}
