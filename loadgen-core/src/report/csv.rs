//! The windows of the timeline as CSV (RFC 4180, with `\n` line ends): one row a
//! window, units in the header, empty where nothing was measured.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::Report;
use crate::printable::printable;

/// The timeline as CSV. Response times have three columns a population.
#[must_use]
pub fn render_csv(report: &Report) -> String {
    let windows = &report.timeline.windows;
    let names: BTreeSet<&String> =
        windows.iter().flat_map(|window| window.populations.keys()).collect();
    let mut out = String::from(
        "start_s,width_s,offered,started,answered,failed,shed,bytes_sent,bytes_received",
    );
    for name in &names {
        for figure in ["count", "p50_us", "p99_us", "max_us"] {
            out.push(',');
            out.push_str(&field(&format!("{name}_{figure}")));
        }
    }
    out.push('\n');
    let width_s = report.timeline.window_ms / 1e3;
    for w in windows {
        // Writing to a string cannot fail.
        let _ = write!(
            out,
            "{:.6},{width_s},{},{},{},{},{},{},{}",
            w.start_s,
            w.offered,
            w.started,
            w.answered,
            w.failed,
            w.shed,
            w.bytes_sent,
            w.bytes_received
        );
        for name in &names {
            let population = w.populations.get(*name).cloned().unwrap_or_default();
            let _ = write!(out, ",{}", population.count);
            for value in [population.p50_us, population.p99_us, population.max_us] {
                out.push(',');
                if let Some(value) = value {
                    let _ = write!(out, "{value}");
                }
            }
        }
        out.push('\n');
    }
    out
}

/// A text as a cell: quoted if it has to be (RFC 4180 §2.6 and §2.7), without control
/// characters, and with a `'` before what a spreadsheet would take for a formula.
pub(crate) fn field(text: &str) -> String {
    let text = &*printable(text);
    let is_formula = text.starts_with(['=', '+', '-', '@']);
    let text = &*if is_formula { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) };
    if text.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn one_row_a_window_and_the_sums_agree() {
        let report = sample::stop_and_copy();
        let csv = render_csv(&report);
        let mut lines = csv.lines();
        let header: Vec<&str> = lines.next().unwrap().split(',').collect();
        assert_eq!(header.len(), 9 + 2 * 4);
        let rows: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
        assert_eq!(rows.len(), report.timeline.windows.len());
        assert!(rows.iter().all(|row| row.len() == header.len()));
        for (name, expected) in
            [("offered", report.counts.offered), ("failed", report.counts.failed)]
        {
            let column = header.iter().position(|h| *h == name).unwrap();
            let sum: u64 = rows.iter().map(|row| row[column].parse::<u64>().unwrap()).sum();
            assert_eq!(sum, expected, "{name}");
        }
        // In the outage nothing was answered: its times are empty, not 0.
        let outage = rows.iter().find(|row| row[0].starts_with("11.5")).unwrap();
        let p50 = header.iter().position(|h| *h == "established_p50_us").unwrap();
        assert_eq!((outage[p50 - 1], outage[p50], outage[p50 + 1]), ("0", "", ""));
    }

    #[test]
    fn names_are_quoted() {
        assert_eq!(field("a\"b,c"), "\"a\"\"b,c\"");
        assert_eq!(field("fresh_p50_us"), "fresh_p50_us");
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)"] {
            assert_eq!(field(formula), format!("'{formula}"));
        }
        assert_eq!(field("\t=a\r\u{9b}"), "\\u{9}=a\\u{d}\\u{9b}");
        assert_eq!(render_csv(&sample::empty()).lines().count(), 1);
    }
}
