//! Figures of a report that follow from others of it: masked numbers are not
//! unchecked numbers.

/// What does not add up in a report; nothing if there is none.
pub(crate) fn faults(stdout: &str) -> Vec<String> {
    let Some(report) = Report::of(stdout) else { return Vec::new() };
    report.faults()
}

struct Report<'a> {
    lines: Vec<&'a str>,
    /// Seconds, and by how much they may be rounded.
    duration: f64,
}

const ROUNDED: f64 = 0.000_5;

impl<'a> Report<'a> {
    fn of(stdout: &'a str) -> Option<Self> {
        let lines: Vec<&str> = stdout.lines().collect();
        let mut report = Self { lines, duration: 0.0 };
        report.duration = report.number("Total: ", "test-duration ")?;
        (report.duration > 0.01).then_some(report)
    }

    /// The number after these words in the line that begins so.
    fn number(&self, start: &str, before: &str) -> Option<f64> {
        let line = self.lines.iter().find_map(|line| line.strip_prefix(start))?;
        let rest = line.split_once(before)?.1;
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        rest.get(..end)?.parse().ok()
    }

    fn faults(&self) -> Vec<String> {
        let get = |start, before| self.number(start, before).unwrap_or(0.0);
        let mut faults = Vec::new();
        let mut same = |what: &str, shown: f64, (low, high): (f64, f64)| {
            if shown < low || shown > high {
                faults.push(format!("{what}: is {shown}, not from {low:.3} to {high:.3}"));
            }
        };
        let connections = get("Total: ", "connections ");
        let requests = get("Total: ", "requests ");
        let replies = get("Total: ", "replies ");
        same(
            "connection rate",
            get("Connection rate: ", ""),
            self.rate(connections, connections, 0.05),
        );
        same("request rate", get("Request rate: ", ""), self.rate(requests, requests, 0.05));
        same("ms/conn", get("Connection rate: ", "("), self.interval(connections));
        same("ms/req", get("Request rate: ", "("), self.interval(requests));

        // sizes are cut to whole bytes
        let sent = requests * get("Request size [B]: ", "");
        let received = replies * (get("Reply size ", "header ") + get("Reply size ", "content "));
        let least = sent + received;
        let most = least + requests + 2.0 * replies;
        if get("Errors: ", "total ") == 0.0 {
            let kib = self.rate(least / 1024.0, most / 1024.0, 0.05);
            same("KB/s", get("Net I/O: ", ""), kib);
            let megabits = self.rate(least * 8e-6, most * 8e-6, 0.05);
            same("10^6 bps", get("Net I/O: ", "("), megabits);
        }
        let sizes = ["header ", "content ", "footer "].map(|part| get("Reply size ", part));
        same("total size", get("Reply size ", "total "), (sizes.iter().sum(), sizes.iter().sum()));

        let classes = ["client-timo ", "socket-timo ", "connrefused ", "connreset "];
        let more = ["addrunavail ", "ftab-full ", "other "];
        let errors = classes.map(|class| get("Errors: total ", class)).iter().sum::<f64>()
            + get("Errors: fd-unavail ", "")
            + more.map(|class| get("Errors: fd-unavail ", class)).iter().sum::<f64>();
        same("errors", get("Errors: total ", ""), (errors, errors));

        let successes = get("Session rate ", "(");
        if self.number("Session rate ", "(").is_some() {
            same(
                "session rate",
                get("Session rate ", "avg "),
                self.rate(successes, successes, 0.005),
            );
        }
        faults
    }

    /// Bounds of so much over the duration, shown with this rounding.
    fn rate(&self, least: f64, most: f64, shown: f64) -> (f64, f64) {
        let shown = shown + 1e-6;
        (least / (self.duration + ROUNDED) - shown, most / (self.duration - ROUNDED) + shown)
    }

    /// Bounds of the milliseconds for each of so many.
    fn interval(&self, count: f64) -> (f64, f64) {
        if count == 0.0 {
            return (0.0, 0.0);
        }
        let each = |duration: f64| 1000.0 * duration / count;
        (each(self.duration - ROUNDED) - 0.051, each(self.duration + ROUNDED) + 0.051)
    }
}

#[test]
fn a_report_that_adds_up_and_one_that_does_not() {
    let report = "Total: connections 20 requests 100 replies 100 test-duration 2.308 s\n\
                  Connection rate: 8.7 conn/s (115.4 ms/conn, <=5 concurrent connections)\n\
                  Request rate: 43.3 req/s (23.1 ms/req)\n\
                  Request size [B]: 69.0\n\
                  Reply size [B]: header 239.0 content 1024.0 footer 0.0 (total 1263.0)\n\
                  Net I/O: 56.4 KB/s (0.5*10^6 bps)\n\
                  Errors: total 0 client-timo 0 socket-timo 0 connrefused 0 connreset 0\n\
                  Errors: fd-unavail 0 addrunavail 0 ftab-full 0 other 0\n\
                  Session rate [sess/s]: min 0.00 avg 8.66 max 0.00 stddev 0.00 (20/20)\n";
    assert_eq!(faults(report), [""; 0]);
    for (right, wrong) in [("8.7 conn", "8.8 conn"), ("56.4", "57.4"), ("avg 8.66", "avg 8.76")] {
        assert_eq!(faults(&report.replace(right, wrong)).len(), 1, "{wrong}");
    }
}
