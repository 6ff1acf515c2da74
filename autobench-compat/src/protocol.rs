//! What `autobench_admin` and `autobenchd` say to each other: lines of text over TCP,
//! the same as the originals'. Both sides read from bytes that they are fed, so that
//! the protocol knows no sockets; nothing a peer sends takes unbounded room.

use thiserror::Error;

use crate::httperf_output::{Figure, Figures};
use crate::perl;

/// Longest line that is taken, bytes.
pub const LONGEST_LINE: usize = 64 * 1024;

/// The answer to a command that will be run.
pub const ACCEPTED: &str = "ACCEPTED\n";

/// The answer to a test that gave nothing.
pub const FAILED: &str = "BENCH_FAILED\n\n";

/// Name of the figures of ours that tell the samples of the reply rate, before their
/// number from 1. The original's admin adds up what it does not know and shows it nowhere.
const SAMPLE: &str = "rep_rate_sample_";

/// What a peer must not send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ProtocolError {
    /// A line without an end.
    #[error("a line longer than {LONGEST_LINE} bytes")]
    LineTooLong,
}

/// Bytes in, lines out.
#[derive(Debug, Default)]
struct Lines {
    buffer: Vec<u8>,
}

impl Lines {
    fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next line without its end.
    fn next(&mut self) -> Result<Option<String>, ProtocolError> {
        match self.buffer.iter().position(|&byte| byte == b'\n') {
            Some(end) if end <= LONGEST_LINE => {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                let line = String::from_utf8_lossy(&line);
                Ok(Some(line.trim_end_matches(['\n', '\r']).to_owned()))
            }
            None if self.buffer.len() <= LONGEST_LINE => Ok(None),
            _ => Err(ProtocolError::LineTooLong),
        }
    }

    /// Takes what has arrived of the next line if it is this text.
    fn take_unended(&mut self, text: &str) -> bool {
        let is_it = self.buffer == text.as_bytes();
        if is_it {
            self.buffer.clear();
        }
        is_it
    }
}

/// What an admin asks of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// A test.
    Start {
        /// httperf's arguments, as one line.
        arguments: String,
        /// When to start, Unix time, seconds.
        at_s: u64,
    },
    /// The end of the test before its time. Only foreign admins ask for it.
    Abort,
}

impl Request {
    /// The bytes of a request, sent in one piece.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Start { arguments, at_s } => format!("{arguments}\n{at_s}\n{END}\n"),
            Self::Abort => format!("{ABORT}\n"),
        }
    }
}

const END: &str = "END_AB";
const ABORT: &str = "ABORT";

/// The daemon's ear.
#[derive(Debug, Default)]
pub struct Requests {
    lines: Lines,
    /// The last two lines, of which the end of a command makes sense.
    held: [Option<String>; 2],
}

impl Requests {
    /// Takes what has arrived. Afterwards [`Requests::next_request`] must be asked until it
    /// has no more.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.lines.feed(bytes);
    }

    /// The next request, if it has arrived completely. Lines that are none are ignored.
    ///
    /// # Errors
    ///
    /// [`ProtocolError`], after which the connection is of no use.
    pub fn next_request(&mut self) -> Result<Option<Request>, ProtocolError> {
        while let Some(line) = self.lines.next()? {
            match line.as_str() {
                "" => {}
                ABORT => return Ok(Some(Request::Abort)),
                END => {
                    if let Some(start) = self.start() {
                        return Ok(Some(start));
                    }
                }
                _ => {
                    let [_, last] = std::mem::take(&mut self.held);
                    self.held = [last, Some(line)];
                }
            }
        }
        // The original looks for these characters, not for a line.
        Ok(if self.lines.take_unended(END) { self.start() } else { None })
    }

    fn start(&mut self) -> Option<Request> {
        match std::mem::take(&mut self.held) {
            [Some(arguments), Some(at)] => {
                Some(Request::Start { arguments, at_s: perl::number(&at) as u64 })
            }
            _ => None,
        }
    }
}

/// The answer to a test that gave figures.
#[must_use]
pub fn complete(figures: &Figures) -> String {
    let mut text = "BENCH_COMPLETE\n".to_owned();
    for figure in Figure::ALL {
        if let Some(digits) = figures.get(figure) {
            text.push_str(&format!("{}:{digits}\n", figure.key()));
        }
    }
    for (index, sample) in figures.samples.iter().enumerate() {
        text.push_str(&format!("{SAMPLE}{}:{}\n", index + 1, perl::text(*sample)));
    }
    text.push_str("END_DATA\n");
    text
}

/// What a client answers.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// It will run the test.
    Accepted,
    /// The test gave nothing.
    Failed,
    /// The test's figures.
    Complete(Box<Figures>),
}

/// The admin's ear.
#[derive(Debug, Default)]
pub struct Answers {
    lines: Lines,
    figures: Figures,
}

impl Answers {
    /// Takes what has arrived. Afterwards [`Answers::next_answer`] must be asked until it has
    /// no more.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.lines.feed(bytes);
    }

    /// The next answer, if it has arrived completely.
    ///
    /// # Errors
    ///
    /// [`ProtocolError`], after which the connection is of no use.
    pub fn next_answer(&mut self) -> Result<Option<Answer>, ProtocolError> {
        while let Some(line) = self.lines.next()? {
            if line.contains("ACCEPTED") {
                return Ok(Some(Answer::Accepted));
            } else if line.contains("BENCH_FAILED") {
                return Ok(Some(Answer::Failed));
            } else if line.contains("BENCH_COMPLETE") {
                self.figures = Figures::default();
            } else if line.contains("END_DATA") {
                return Ok(Some(Answer::Complete(Box::new(std::mem::take(&mut self.figures)))));
            } else {
                self.take(&line);
            }
        }
        Ok(None)
    }

    fn take(&mut self, line: &str) {
        let mut parts = line.split(':');
        let (Some(key), Some(value)) = (parts.next(), parts.next()) else { return };
        if let Some(figure) = Figure::of_key(key) {
            self.figures.set(figure, value);
        } else if key.starts_with(SAMPLE) {
            self.figures.add_sample(perl::number(value));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requests(pieces: &[&str]) -> Vec<Request> {
        let mut ear = Requests::default();
        let mut heard = Vec::new();
        for piece in pieces {
            ear.feed(piece.as_bytes());
            while let Some(request) = ear.next_request().unwrap() {
                heard.push(request);
            }
        }
        heard
    }

    fn start(arguments: &str, at_s: u64) -> Request {
        Request::Start { arguments: arguments.to_owned(), at_s }
    }

    #[test]
    fn commands_in_one_piece_or_many() {
        let text = "--uri \"/x\" \n1795357566\nEND_AB\n";
        assert_eq!(requests(&[text]), [start("--uri \"/x\" ", 1_795_357_566)]);
        let bytes: Vec<String> = text.chars().map(String::from).collect();
        let bytes: Vec<&str> = bytes.iter().map(String::as_str).collect();
        assert_eq!(requests(&bytes), requests(&[text]));
        assert_eq!(start("--uri \"/x\" ", 1_795_357_566).text(), text);
    }

    #[test]
    fn several_commands_at_once_and_junk_between() {
        assert_eq!(
            requests(&["END_AB\njunk\na\n1\nEND_AB\nABORT\nb\n2x\nEND_AB"]),
            [start("a", 1), Request::Abort, start("b", 2)]
        );
        assert_eq!(requests(&["a\nEND_AB\n\nEND_AB\n"]), []);
    }

    #[test]
    fn a_line_without_end_is_refused() {
        let mut ear = Requests::default();
        ear.feed(&vec![b'x'; LONGEST_LINE]);
        assert_eq!(ear.next_request(), Ok(None));
        ear.feed(b"x");
        assert_eq!(ear.next_request(), Err(ProtocolError::LineTooLong));
    }

    #[test]
    fn figures_travel_with_their_samples() {
        let mut figures = Figures::default();
        figures.set(Figure::Replies, "40");
        figures.set(Figure::RepTime, "0.8");
        figures.add_sample(40.0);
        figures.add_sample(39.5);
        let text = complete(&figures);
        assert_eq!(
            text,
            "BENCH_COMPLETE\nreplies:40\nrep_time:0.8\nrep_rate_sample_1:40\n\
             rep_rate_sample_2:39.5\nEND_DATA\n"
        );
        let mut ear = Answers::default();
        ear.feed(format!("{ACCEPTED}{text}{FAILED}{text}").as_bytes());
        for answer in [
            Answer::Accepted,
            Answer::Complete(Box::new(figures.clone())),
            Answer::Failed,
            Answer::Complete(Box::new(figures)),
        ] {
            assert_eq!(ear.next_answer(), Ok(Some(answer)));
        }
        assert_eq!(ear.next_answer(), Ok(None));
    }

    #[test]
    fn the_original_daemon_is_understood() {
        let mut ear = Answers::default();
        ear.feed(
            b"BENCH_COMPLETE\nstatus_200:40\nrep_rate_stdv:0.0\nreq_rate:42.1:9\nnew:1\n\
              percent_errors:0\nreplies:40\n",
        );
        assert_eq!(ear.next_answer(), Ok(None));
        ear.feed(b"END_DATA\n");
        let Ok(Some(Answer::Complete(figures))) = ear.next_answer() else { panic!("no figures") };
        assert_eq!(figures.get(Figure::Status200), Some("40"));
        assert_eq!(figures.get(Figure::ReqRate), Some("42.1"));
        assert_eq!(figures.get(Figure::ConnRate), None);
    }

    proptest::proptest! {
        #[test]
        fn pieces_make_no_difference(
            text in "(a|END_AB|ABORT|7|\n){0,30}", cut in 0usize..60
        ) {
            // The one exception: END_AB counts as soon as it is there.
            let cut = cut.min(text.len());
            proptest::prop_assume!(!text[..cut].ends_with("END_AB"));
            proptest::prop_assert_eq!(requests(&[&text[..cut], &text[cut..]]), requests(&[&text]));
        }

        #[test]
        fn no_bytes_break_either_ear(bytes in proptest::collection::vec(0u8..255, 0..300)) {
            let mut requests = Requests::default();
            requests.feed(&bytes);
            while let Ok(Some(_)) = requests.next_request() {}
            let mut answers = Answers::default();
            answers.feed(&bytes);
            while let Ok(Some(_)) = answers.next_answer() {}
        }
    }
}
