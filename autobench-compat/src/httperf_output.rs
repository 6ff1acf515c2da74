//! What autobench reads from httperf's report: a writer that takes the report's
//! bytes, passes them on, and keeps the figures.

use std::io::{self, Write};

use crate::perl;

/// One figure, as it travels from `autobenchd` and stands in a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figure {
    /// Replies received.
    Replies,
    /// Connections per second.
    ConnRate,
    /// Requests per second.
    ReqRate,
    /// Lowest of the samples of the reply rate, per second.
    RepRateMin,
    /// Mean of the samples.
    RepRateAvg,
    /// Highest of the samples.
    RepRateMax,
    /// Their standard deviation.
    RepRateStdv,
    /// Mean response time, ms.
    RepTime,
    /// Replies of class 1xx.
    Status100,
    /// Replies of class 2xx.
    Status200,
    /// Replies of class 3xx.
    Status300,
    /// Replies of class 4xx.
    Status400,
    /// Replies of class 5xx.
    Status500,
    /// KiB per second, both ways.
    NetIo,
    /// Errors of every class.
    Errors,
    /// Errors per hundred replies; 101 without replies.
    PercentErrors,
}

impl Figure {
    /// Every figure, in the order of declaration.
    pub const ALL: [Self; 16] = [
        Self::Replies,
        Self::ConnRate,
        Self::ReqRate,
        Self::RepRateMin,
        Self::RepRateAvg,
        Self::RepRateMax,
        Self::RepRateStdv,
        Self::RepTime,
        Self::Status100,
        Self::Status200,
        Self::Status300,
        Self::Status400,
        Self::Status500,
        Self::NetIo,
        Self::Errors,
        Self::PercentErrors,
    ];

    /// Its name in the protocol.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Replies => "replies",
            Self::ConnRate => "conn_rate",
            Self::ReqRate => "req_rate",
            Self::RepRateMin => "rep_rate_min",
            Self::RepRateAvg => "rep_rate_avg",
            Self::RepRateMax => "rep_rate_max",
            Self::RepRateStdv => "rep_rate_stdv",
            Self::RepTime => "rep_time",
            Self::Status100 => "status_100",
            Self::Status200 => "status_200",
            Self::Status300 => "status_300",
            Self::Status400 => "status_400",
            Self::Status500 => "status_500",
            Self::NetIo => "net_io",
            Self::Errors => "errors",
            Self::PercentErrors => "percent_errors",
        }
    }

    /// The figure of a name.
    #[must_use]
    pub fn of_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|figure| figure.key() == key)
    }
}

/// The figures of one test, in the digits of the report. What was not told is missing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Figures {
    values: [Option<String>; Figure::ALL.len()],
    /// Samples of the reply rate, per second, one each 5 s. Only a verbose report has them.
    pub samples: Vec<f64>,
}

/// Samples that are kept: two weeks of them.
pub const MOST_SAMPLES: usize = 250_000;

impl Figures {
    /// A figure's digits.
    #[must_use]
    pub fn get(&self, figure: Figure) -> Option<&str> {
        self.values.get(figure as usize).and_then(Option::as_deref)
    }

    /// A figure's number.
    #[must_use]
    pub fn number(&self, figure: Figure) -> Option<f64> {
        self.get(figure).map(perl::number)
    }

    /// Sets a figure.
    pub fn set(&mut self, figure: Figure, digits: &str) {
        if let Some(value) = self.values.get_mut(figure as usize) {
            *value = Some(digits.to_owned());
        }
    }

    /// Adds a sample of the reply rate.
    pub fn add_sample(&mut self, sample: f64) {
        if self.samples.len() < MOST_SAMPLES {
            self.samples.push(sample);
        }
    }

    /// Whether any reply came.
    #[must_use]
    pub fn has_replies(&self) -> bool {
        self.number(Figure::Replies).is_some_and(|replies| replies != 0.0)
    }

    /// Sets what counts as known only once.
    fn first(&mut self, figure: Figure, digits: Option<&str>) {
        if let (None, Some(digits)) = (self.get(figure), digits) {
            self.set(figure, digits);
        }
    }

    fn take(&mut self, line: &str) {
        if let Some(rest) = line.strip_prefix("Total: ") {
            self.first(Figure::Replies, after(rest, "replies ").and_then(whole));
        } else if let Some(rest) = line.strip_prefix("Connection rate: ") {
            self.first(Figure::ConnRate, decimal(rest));
        } else if let Some(rest) = line.strip_prefix("Request rate: ") {
            self.first(Figure::ReqRate, decimal(rest));
        } else if let Some(rest) = line.strip_prefix("Reply rate ") {
            self.take_reply_rate(rest);
        } else if let Some(rest) = line.strip_prefix("Reply time ") {
            self.first(Figure::RepTime, after(rest, " response ").and_then(decimal));
        } else if let Some(rest) = line.strip_prefix("Reply status: ") {
            self.take_status(rest);
        } else if let Some(rest) = line.strip_prefix("Net I/O: ") {
            self.first(Figure::NetIo, decimal(rest));
        } else if let Some(rest) = line.strip_prefix("Errors: total ") {
            self.first(Figure::Errors, whole(rest));
        } else if let Some(sample) = line.strip_prefix("reply-rate = ").and_then(decimal) {
            self.add_sample(perl::number(sample));
        }
    }

    /// The four numbers of the reply rate are read together or not at all.
    fn take_reply_rate(&mut self, rest: &str) {
        let part = |name| after(rest, name).and_then(decimal);
        if let (Some(min), Some(avg), Some(max), Some(stddev)) =
            (part("min "), part(" avg "), part(" max "), part(" stddev "))
        {
            self.first(Figure::RepRateMin, Some(min));
            self.first(Figure::RepRateAvg, Some(avg));
            self.first(Figure::RepRateMax, Some(max));
            self.first(Figure::RepRateStdv, Some(stddev));
        }
    }

    fn take_status(&mut self, rest: &str) {
        for (figure, name) in [
            (Figure::Status100, "1xx="),
            (Figure::Status200, "2xx="),
            (Figure::Status300, "3xx="),
            (Figure::Status400, "4xx="),
            (Figure::Status500, "5xx="),
        ] {
            self.first(figure, after(rest, name).and_then(whole));
        }
    }

    fn set_percent_errors(&mut self) {
        let errors = self.number(Figure::Errors).unwrap_or(0.0);
        let percent = match self.number(Figure::Replies) {
            Some(replies) if replies != 0.0 => perl::text(100.0 * errors / replies),
            _ => "101".to_owned(),
        };
        self.set(Figure::PercentErrors, &percent);
    }
}

fn after<'a>(text: &'a str, mark: &str) -> Option<&'a str> {
    text.split_once(mark).map(|(_, rest)| rest)
}

/// The digits a text begins with.
fn whole(text: &str) -> Option<&str> {
    let length = text.bytes().take_while(u8::is_ascii_digit).count();
    text.get(..length).filter(|digits| !digits.is_empty())
}

/// The digits, point and one digit a text begins with; `inf` and `nan` are none.
fn decimal(text: &str) -> Option<&str> {
    let length = whole(text)?.len();
    let tail = text.as_bytes().get(length..length + 2)?;
    let shaped = matches!(tail, [b'.', digit] if digit.is_ascii_digit());
    shaped.then(|| text.get(..length + 2)).flatten()
}

/// Bytes of a line that are looked at; no line of the report is that long.
const LONGEST_LINE: usize = 4096;

/// Takes httperf's stdout, passes it to `copy`, keeps its figures.
pub struct Reader<'a> {
    copy: Option<&'a mut dyn Write>,
    line: Vec<u8>,
    figures: Figures,
}

impl<'a> Reader<'a> {
    /// A reader that passes what it reads to `copy`, if there is one.
    #[must_use]
    pub fn new(copy: Option<&'a mut dyn Write>) -> Self {
        Self { copy, line: Vec::new(), figures: Figures::default() }
    }

    /// The figures, when the report is over.
    #[must_use]
    pub fn finish(mut self) -> Figures {
        self.end_of_line();
        self.figures.set_percent_errors();
        self.figures
    }

    fn end_of_line(&mut self) {
        self.figures.take(&String::from_utf8_lossy(&self.line));
        self.line.clear();
    }
}

impl Write for Reader<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(copy) = &mut self.copy {
            copy.write_all(bytes)?;
        }
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            let room = LONGEST_LINE.saturating_sub(self.line.len());
            self.line.extend(piece.iter().take(room));
            if piece.ends_with(b"\n") {
                self.end_of_line();
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.copy.as_mut().map_or(Ok(()), |copy| copy.flush())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = include_str!("../tests/testdata/httperf-report.txt");

    fn read(report: &str) -> Figures {
        let mut reader = Reader::new(None);
        reader.write_all(report.as_bytes()).unwrap();
        reader.finish()
    }

    #[test]
    fn every_figure_of_a_report() {
        let figures = read(REPORT);
        let expected = [
            "80", "20.5", "41.0", "38.8", "39.9", "41.2", "0.9", "0.8", "0", "80", "0", "0", "0",
            "53.3", "6", "7.5",
        ];
        for (figure, digits) in Figure::ALL.into_iter().zip(expected) {
            assert_eq!(figures.get(figure), Some(digits), "{}", figure.key());
        }
        assert_eq!(figures.samples, [39.6, 41.2]);
    }

    #[test]
    fn the_report_may_come_in_pieces_and_is_passed_on() {
        let mut copy = Vec::new();
        let mut reader = Reader::new(Some(&mut copy));
        for byte in REPORT.as_bytes() {
            reader.write_all(&[*byte]).unwrap();
        }
        assert_eq!(reader.finish(), read(REPORT));
        assert_eq!(copy, REPORT.as_bytes());
    }

    #[test]
    fn what_is_no_number_is_missing() {
        let figures = read(
            "Connection rate: inf conn/s\nRequest rate: 7 req/s\n Net I/O: 5.0 KB/s\n\
             Reply rate [replies/s]: min 1.0 avg -nan max 2.0 stddev 0.0 (1 samples)\n\
             Errors: total x\n",
        );
        for figure in Figure::ALL {
            let expected = (figure == Figure::PercentErrors).then_some("101");
            assert_eq!(figures.get(figure), expected, "{}", figure.key());
        }
    }

    #[test]
    fn the_first_line_of_a_kind_counts() {
        let figures = read("Net I/O: 5.0 KB/s\nNet I/O: 6.0 KB/s\n");
        assert_eq!(figures.get(Figure::NetIo), Some("5.0"));
    }

    #[test]
    fn percent_of_errors_is_relative_to_the_replies() {
        let percent = |report| read(report).get(Figure::PercentErrors).map(str::to_owned);
        assert_eq!(percent("Total: replies 17\nErrors: total 3"), Some("17.6470588235294".into()));
        assert_eq!(percent("Total: replies 40\nErrors: total 80"), Some("200".into()));
        assert_eq!(percent("Total: replies 0\nErrors: total 3"), Some("101".into()));
        assert_eq!(percent("Total: replies 3"), Some("0".into()));
    }

    #[test]
    fn a_line_without_end_takes_no_more_room() {
        let mut reader = Reader::new(None);
        for _ in 0..100 {
            reader.write_all(&[b'x'; 1000]).unwrap();
        }
        assert!(reader.line.len() <= LONGEST_LINE);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_break_it(bytes in proptest::collection::vec(0u8..255, 0..400)) {
            let mut reader = Reader::new(None);
            reader.write_all(&bytes).unwrap();
            let _ = reader.finish();
        }
    }
}
