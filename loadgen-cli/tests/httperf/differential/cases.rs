//! The command lines: one a line, `NAME [WORD …]: COMMAND`.
//!
//! The command is given to the shell, so that quotes are as anybody types them.
//! It knows the ports of the servers as `$ODD`, `$NGINX` and so on. A command is
//! run in a directory that has the files of `inputs/`.
//!
//! Words, all optional:
//!
//! * `nofile=N`: limit of open files (1024 if not given: the real one's maximum);
//! * `INT@S`, `TERM@S`: this signal S seconds after the start;
//! * `concurrent`: the number of concurrent connections is exact although
//!   arrivals are by the clock (it always is where they are not);
//! * `burst`: so is the length of the longest connect burst;
//! * `race=requests`: whether a request is written before the server breaks the
//!   connection off is a matter of luck: requests and bytes sent are not compared;
//! * `race=wire`: what was sent before the real one aborted is a matter of luck;
//! * `unclassed`: replies of a status that the report counts nowhere, but the times
//!   of whose connections it does: times are masked, and nothing adds up;
//! * `reader=N`: whoever reads standard output goes away after N bytes; what it has read
//!   is not compared;
//! * `close`: compares how the client ended its connections, by FIN or RST.

use std::time::Duration;

/// One command line.
#[derive(Debug, Default)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) command: String,
    pub(crate) nofile: u32,
    pub(crate) signal: Option<(String, Duration)>,
    pub(crate) concurrent_exact: bool,
    pub(crate) burst_exact: bool,
    pub(crate) requests_race: bool,
    pub(crate) wire_races: bool,
    pub(crate) unclassed: bool,
    pub(crate) compare_close: bool,
    pub(crate) reader_takes: Option<u64>,
}

/// All cases of `cases.txt`.
pub(crate) fn all() -> Vec<Case> {
    let text = include_str!("cases.txt");
    let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    lines.map(|line| parse(line).unwrap_or_else(|| panic!("cases.txt: {line}"))).collect()
}

fn parse(line: &str) -> Option<Case> {
    let (head, command) = line.split_once(": ")?;
    let mut words = head.split_whitespace();
    let mut case = Case {
        name: words.next()?.to_owned(),
        command: command.trim().to_owned(),
        nofile: 1024,
        ..Case::default()
    };
    let by_clock = ["--rate", "--ra ", "--period", "--pe "];
    case.concurrent_exact = !by_clock.iter().any(|option| command.contains(option));
    case.burst_exact = case.concurrent_exact;
    for word in words {
        match word.split_once(['=', '@']) {
            Some(("nofile", number)) => case.nofile = number.parse().ok()?,
            Some(("reader", bytes)) => case.reader_takes = Some(bytes.parse().ok()?),
            Some(("race", "requests")) => case.requests_race = true,
            Some(("race", "wire")) => case.wire_races = true,
            Some((name @ ("INT" | "TERM"), seconds)) => {
                let after = Duration::from_secs_f64(seconds.parse().ok()?);
                case.signal = Some((name.to_owned(), after));
            }
            None if word == "concurrent" => case.concurrent_exact = true,
            None if word == "burst" => case.burst_exact = true,
            None if word == "unclassed" => case.unclassed = true,
            None if word == "close" => case.compare_close = true,
            _ => return None,
        }
    }
    Some(case)
}
