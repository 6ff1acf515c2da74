//! A report's text, read back into figures that give it. What is printed is
//! rounded, so the figures are looked for within what the text leaves open.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use crate::report::{
    ConnectionFailures, ConnectionFigures, Cpu, Moments, ReplyFigures, RequestFigures,
    SessionOutcomes, SessionsReport,
};

/// The numbers of a line, in order.
struct Numbers<'a>(Vec<&'a str>);

impl<'a> Numbers<'a> {
    /// The numbers of the line that begins with `start`, without those of units.
    fn of(text: &'a str, start: &str) -> Self {
        let line = text.lines().find_map(|line| line.strip_prefix(start)).unwrap();
        let line = line.strip_suffix("*10^6 bps)").unwrap_or(line);
        let words = line.split(|c: char| c.is_whitespace() || "(/=,%)".contains(c));
        let is_number = |word: &&str| word.parse::<f64>().is_ok();
        Self(words.filter(is_number).collect())
    }

    fn float(&self, index: usize) -> f64 {
        let value: f64 = self.0[index].parse().unwrap();
        if value.is_nan() { f64::NAN } else { value }
    }

    fn int(&self, index: usize) -> u64 {
        self.0[index].trim_end_matches(".0").parse().unwrap()
    }
}

/// What a printed value can have been.
#[derive(Clone, Copy)]
struct Range {
    least: f64,
    most: f64,
}

impl Range {
    fn around(value: f64, digits: i32) -> Self {
        let half = 0.5 * 10_f64.powi(-digits);
        Self { least: (value - half).max(0.0), most: value + half }
    }

    /// Within this too.
    fn narrow(&mut self, least: f64, most: f64) {
        self.least = self.least.max(least);
        self.most = self.most.min(most);
    }

    fn middle(self) -> f64 {
        f64::midpoint(self.least, self.most)
    }

    /// Values from its one end to the other, without the ends.
    fn steps(self) -> impl Iterator<Item = f64> {
        (1..40).map(move |k| self.least + (self.most - self.least) * f64::from(k) / 40.0)
    }
}

/// The duration that gives all the printed rates, which have more digits than the
/// duration itself in short runs.
fn duration(text: &str, attempted: u64, sent: u64, succeeded: u64, traffic: &Traffic) -> Range {
    let mut dur = Range::around(Numbers::of(text, "Total:").float(3), 3);
    for (start, count) in [("Connection rate:", attempted), ("Request rate:", sent)] {
        let numbers = Numbers::of(text, start);
        if count > 0 {
            let rate = Range::around(numbers.float(0), 1);
            let gap = Range::around(numbers.float(1), 1);
            let count = count as f64;
            dur.narrow(count / rate.most, count / rate.least);
            dur.narrow(gap.least * count / 1000.0, gap.most * count / 1000.0);
        }
    }
    if succeeded > 0 {
        let rate = Range::around(Numbers::of(text, "Session rate [sess/s]:").float(1), 2);
        dur.narrow(succeeded as f64 / rate.most, succeeded as f64 / rate.least);
    }
    traffic.narrow(&mut dur, text);
    assert!(dur.least <= dur.most, "no duration fits: {} to {}", dur.least, dur.most);
    dur
}

/// Processor time that gives both the printed seconds and percents.
fn cpu(text: &str, dur: f64) -> Cpu {
    let numbers = Numbers::of(text, "CPU time [s]:");
    let time = |seconds: usize, percent: usize| {
        let mut range = Range::around(numbers.float(seconds), 2);
        let percent = Range::around(numbers.float(percent), 1);
        range.narrow(percent.least * dur / 100.0, percent.most * dur / 100.0);
        range
    };
    let (user, system) = (time(0, 2), time(1, 3));
    let total = Range::around(numbers.float(4), 1);
    // The sum of the percents is rounded on its own: look for a pair that fits.
    let fits = |user: f64, system: f64| {
        let percent = 100.0 * (user + system) / dur;
        total.least < percent && percent < total.most
    };
    let found = user.steps().try_for_each(|user_s| {
        match system.steps().find(|&system_s| fits(user_s, system_s)) {
            Some(system_s) => ControlFlow::Break(Cpu { user_s, system_s, run_delay_s: None }),
            None => ControlFlow::Continue(()),
        }
    });
    found.break_value().unwrap_or(Cpu {
        user_s: user.middle(),
        system_s: system.middle(),
        run_delay_s: None,
    })
}

/// Samples with these figures.
fn samples(numbers: &Numbers<'_>, count: usize) -> Vec<f64> {
    let (least, most) = (numbers.float(0), numbers.float(2));
    match count {
        0 => Vec::new(),
        1 => vec![least],
        2 => vec![least, most],
        _ => panic!("{count} samples are not determined by their figures"),
    }
}

/// The lifetimes: the printed histogram, or all of them in the bin of the median.
fn lifetimes(text: &str, with_reply: u64) -> Vec<(u32, u64)> {
    let printed: Vec<_> = text
        .lines()
        .skip_while(|line| !line.starts_with("Connection lifetime"))
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter(|line| line.trim() != ":")
        .map(|line| {
            let (bin, count) = line.trim().split_once(' ').unwrap();
            (bin.parse::<f64>().unwrap() as u32, count.parse().unwrap())
        })
        .collect();
    let median = Numbers::of(text, "Connection time [ms]: min").float(3);
    if !printed.is_empty() || with_reply == 0 {
        return printed;
    }
    vec![(median as u32, with_reply)]
}

fn outcomes(text: &str) -> Option<SessionOutcomes> {
    if !text.contains("Session rate") {
        return None;
    }
    let rate = Numbers::of(text, "Session rate [sess/s]:");
    let (succeeded, all) = (rate.int(4), rate.int(5));
    let mean_s = |start| Some(Numbers::of(text, start).float(0));
    let lengths = Numbers::of(text, "Session length histogram:");
    Some(SessionOutcomes {
        succeeded,
        failed: all - succeeded,
        connections_of_succeeded: (Numbers::of(text, "Session: avg").float(0) * succeeded as f64)
            .round() as u64,
        lifetime_mean_s: mean_s("Session lifetime [s]:"),
        failtime_mean_s: mean_s("Session failtime [s]:"),
        by_replies: (0..lengths.0.len()).map(|index| lengths.int(index)).collect(),
    })
}

/// Figures that give this report, as far as it says.
pub(super) fn parse(text: &str) -> (SessionsReport, Cpu) {
    let total = Numbers::of(text, "Total:");
    let (attempted, sent, completed) = (total.int(0), total.int(1), total.int(2));
    let outcomes = outcomes(text);
    let succeeded = outcomes.as_ref().map_or(0, |outcomes| outcomes.succeeded);
    let traffic = Traffic::of(text, sent, completed);
    let dur = duration(text, attempted, sent, succeeded, &traffic);
    let fitted = dur.steps().find_map(|dur| Some((dur, traffic.fitted(text, dur)?)));
    let (dur, [request_bytes, header_bytes, content_bytes]) = fitted.expect("fitting traffic");
    let life = Numbers::of(text, "Connection time [ms]: min");
    let length = Numbers::of(text, "Connection length [replies/conn]:").float(0);
    let with_reply = if length > 0.0 { (completed as f64 / length).round() as u64 } else { 0 };
    let rate = Numbers::of(text, "Reply rate [replies/s]:");
    let samples_taken = rate.int(4) as usize;
    let time = Numbers::of(text, "Reply time [ms]:");
    let size = Numbers::of(text, "Reply size [B]:");
    let by_class = [1, 2, 3, 4, 5].map(|class| status_count(text, class).unwrap());
    let causes = Numbers::of(text, "Errors: total");
    let more = Numbers::of(text, "Errors: fd-unavail");
    let report = SessionsReport {
        test_duration_s: dur,
        connections: ConnectionFigures {
            attempted,
            connect_mean_ms: Some(Numbers::of(text, "Connection time [ms]: connect").float(0)),
            with_reply,
            lifetime_ms: Some(Moments {
                count: with_reply,
                min: life.float(0),
                mean: life.float(1),
                max: life.float(2),
                stddev: Some(life.float(4)),
            }),
            lifetime_histogram: lifetimes(text, with_reply),
            concurrent: concurrent(text),
            ..ConnectionFigures::default()
        },
        requests: RequestFigures { sent, bytes: request_bytes },
        replies: ReplyFigures {
            completed,
            response_mean_ms: Some(time.float(0)),
            transfer_mean_ms: Some(time.float(1)),
            header_bytes,
            content_bytes,
            footer_bytes: size.int(2) * completed,
            by_class,
            by_status: periodic(text),
            ..ReplyFigures::default()
        },
        failures: ConnectionFailures {
            timeout: causes.int(1),
            kernel_timeout: causes.int(2),
            refused: causes.int(3),
            reset: causes.int(4),
            no_descriptor: more.int(0),
            table_full: more.int(2),
            other: more.int(3),
            ..ConnectionFailures::default()
        },
        reply_rate_samples: samples(&rate, samples_taken),
        session_rate_samples: match outcomes {
            Some(_) => samples(&Numbers::of(text, "Session rate [sess/s]:"), samples_taken),
            None => Vec::new(),
        },
        outcomes,
        ..SessionsReport::default()
    };
    (report, cpu(text, dur))
}

fn status_count(text: &str, class: usize) -> Option<u64> {
    let (_, rest) = text.split_once(&format!("{class}xx="))?;
    rest.split_whitespace().next()?.parse().ok()
}

fn concurrent(text: &str) -> u64 {
    let (_, rest) = text.split_once("<=").unwrap();
    rest.split_once(' ').unwrap().0.parse().unwrap()
}

fn periodic(text: &str) -> BTreeMap<u32, u64> {
    let Some((_, rest)) = text.split_once("Periodic stats: 200=") else {
        return BTreeMap::new();
    };
    let (of_200, rest) = rest.split_once(" 302=").unwrap();
    let of_302 = rest.lines().next().unwrap();
    [(200, of_200.parse().unwrap()), (302, of_302.parse().unwrap())].into()
}

/// Bytes of requests, headers and contents. Their printed sizes are truncated: all
/// but one byte a message may be missing.
struct Traffic {
    sent: u64,
    completed: u64,
    /// As printed, times the number of messages.
    least: [u64; 3],
}

impl Traffic {
    fn of(text: &str, sent: u64, completed: u64) -> Self {
        let size = Numbers::of(text, "Reply size [B]:");
        let request = Numbers::of(text, "Request size [B]:").int(0) * sent;
        let least = [request, size.int(0) * completed, size.int(1) * completed];
        Self { sent, completed, least }
    }

    /// How much more each can have been.
    fn slack(&self) -> [u64; 3] {
        [self.sent, self.completed, self.completed].map(|count| count.saturating_sub(1))
    }

    /// Bytes a second.
    fn rate(text: &str) -> Range {
        let numbers = Numbers::of(text, "Net I/O:");
        let kib = Range::around(numbers.float(0), 1);
        let megabits = Range::around(numbers.float(1), 1);
        let mut rate = Range { least: kib.least * 1024.0, most: kib.most * 1024.0 };
        rate.narrow(megabits.least / 8e-6, megabits.most / 8e-6);
        rate
    }

    /// Durations with which they can give the printed rate.
    fn narrow(&self, dur: &mut Range, text: &str) {
        let rate = Self::rate(text);
        let least: u64 = self.least.iter().sum();
        let most = least + self.slack().iter().sum::<u64>();
        if most > 0 {
            dur.narrow(least as f64 / rate.most, most as f64 / rate.least);
        }
    }

    /// What they were, so that they give the printed rate; `None` if there are no
    /// such whole numbers.
    fn fitted(&self, text: &str, dur: f64) -> Option<[u64; 3]> {
        let rate = Self::rate(text);
        let least: u64 = self.least.iter().sum();
        let most = least + self.slack().iter().sum::<u64>();
        let mut bytes = Range { least: least as f64, most: most as f64 };
        bytes.narrow(rate.least * dur, rate.most * dur);
        let whole = bytes.least.ceil();
        if whole > bytes.most {
            return None;
        }
        let mut more = whole as u64 - least;
        let mut fitted = self.least;
        for (bytes, slack) in fitted.iter_mut().zip(self.slack()) {
            *bytes += more.min(slack);
            more -= more.min(slack);
        }
        Some(fitted)
    }
}
