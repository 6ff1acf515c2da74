//! Figures of a report as httperf prints it.

use anyhow::{Context, Result};

/// The report of one run of httperf, ours or the original.
#[derive(Debug, Clone)]
pub struct OldReport(String);

impl OldReport {
    /// Takes what was printed.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The number behind `label` in the first line that begins with `line` and has
    /// the label: `figure("Connection rate", "<=")`. An empty label means the first
    /// word of the rest of the line.
    ///
    /// # Errors
    /// If there is no such figure.
    pub fn figure(&self, line: &str, label: &str) -> Result<f64> {
        let rests = self.0.lines().filter_map(|text| text.strip_prefix(line));
        rests
            .filter_map(|rest| rest.split_once(label))
            .find_map(|(_, after)| {
                let after = after.trim_start_matches([':', ' ']);
                let number = after.find(|c: char| !c.is_ascii_digit() && c != '.');
                after[..number.unwrap_or(after.len())].parse().ok()
            })
            .with_context(|| format!("no {line:?} {label:?} in this report:\n{}", self.0))
    }

    /// Connections begun.
    ///
    /// # Errors
    /// As of [`figure`](Self::figure), like those of the others.
    pub fn connections(&self) -> Result<f64> {
        self.figure("Total:", "connections")
    }

    /// Complete replies.
    ///
    /// # Errors
    /// As of [`figure`](Self::figure).
    pub fn replies(&self) -> Result<f64> {
        self.figure("Total:", "replies")
    }

    /// Failed connections.
    ///
    /// # Errors
    /// As of [`figure`](Self::figure).
    pub fn errors(&self) -> Result<f64> {
        self.figure("Errors:", "total")
    }

    /// Connections that got no descriptor.
    ///
    /// # Errors
    /// As of [`figure`](Self::figure).
    pub fn without_descriptor(&self) -> Result<f64> {
        self.figure("Errors:", "fd-unavail")
    }

    /// Connections a second.
    ///
    /// # Errors
    /// As of [`figure`](Self::figure).
    pub fn rate(&self) -> Result<f64> {
        self.figure("Connection rate", "")
    }

    /// Most connections open at once.
    ///
    /// # Errors
    /// As of [`figure`](Self::figure).
    pub fn concurrent(&self) -> Result<f64> {
        self.figure("Connection rate", "<=")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
Total: connections 3000 requests 2999 replies 2998 test-duration 1.006 s

Connection rate: 2982.1 conn/s (0.3 ms/conn, <=65 concurrent connections)
Connection time [ms]: min 0.1 avg 3.9 max 14.3 median 2.5 stddev 3.5
Connection time [ms]: connect 0.4

Reply time [ms]: response 3.6 transfer 0.0

Errors: total 2 client-timo 1 socket-timo 0 connrefused 0 connreset 0
Errors: fd-unavail 7 addrunavail 0 ftab-full 0 other 0
";

    #[test]
    fn figures_are_found() {
        let report = OldReport::new(TEXT.to_owned());
        assert_eq!(report.connections().unwrap(), 3000.0);
        assert_eq!(report.replies().unwrap(), 2998.0);
        assert_eq!(report.errors().unwrap(), 2.0);
        assert_eq!(report.without_descriptor().unwrap(), 7.0);
        assert_eq!(report.rate().unwrap(), 2982.1);
        assert_eq!(report.concurrent().unwrap(), 65.0);
        assert_eq!(report.figure("Connection time", "connect").unwrap(), 0.4);
        assert_eq!(report.figure("Connection time", "max").unwrap(), 14.3);
        assert!(report.figure("Connection time", "p99").is_err());
    }
}
