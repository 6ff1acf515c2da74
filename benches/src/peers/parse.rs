//! What a tool said of its run.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use loadgen_core::Report;
use serde_json::Value;

use super::command::log_file;
use super::{Load, Tool};
use crate::old_report::OldReport;
use crate::quantile;

/// Figures of a run, in the tool's own words. `None` where it says nothing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Said {
    /// Complete calls.
    pub calls: f64,
    /// Calls a second.
    pub calls_per_s: f64,
    /// Response times in ms: mean, p50, p90, p99, p99.9, max.
    pub latency_ms: [Option<f64>; 6],
}

/// What our own report says.
///
/// # Errors
/// If it is no report, or calls failed.
pub fn read_loadgen(text: &str) -> Result<Said> {
    let report = Report::from_json(text)?;
    ensure!(report.counts.failed == 0, "calls failed: {:?}", report.errors);
    let calls = report.counts.answered as f64;
    let times = &report.response_time;
    let ms = |us: Option<f64>| us.map(|us| us / 1e3);
    Ok(Said {
        calls,
        calls_per_s: calls / report.measured_s,
        latency_ms: [
            ms(times.mean_us),
            ms(times.p50_us),
            ms(times.p90_us),
            ms(times.p99_us),
            ms(times.p99_9_us),
            ms(times.max_us),
        ],
    })
}

impl Tool {
    /// Reads what the tool printed, or wrote, of a load.
    ///
    /// # Errors
    /// If a figure is missing.
    pub fn said(self, load: &Load, stdout: &str) -> Result<Said> {
        match self {
            Self::Wrk | Self::Wrk2 => wrk(stdout),
            Self::Ab => ab(stdout),
            Self::H2load => {
                let log = load.rate.map(|_| fs::read_to_string(log_file(load))).transpose()?;
                h2load(stdout, log.as_deref())
            }
            Self::Hey => hey(stdout),
            Self::Oha | Self::OhaCorrected => oha(stdout),
            Self::Httperf => httperf(stdout),
            Self::Vegeta => vegeta(&vegeta_report(&log_file(load))?),
            Self::K6 => k6(&fs::read_to_string(log_file(load))?),
        }
        .with_context(|| format!("{} printed:\n{stdout}", self.name()))
    }
}

/// A duration such as `1.93ms`, in ms.
fn ms(text: &str) -> Option<f64> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let factor = match text[end..].trim() {
        "us" => 1e-3,
        "ms" => 1.0,
        "s" | "secs" => 1e3,
        "m" => 6e4,
        _ => return None,
    };
    Some(text[..end].parse::<f64>().ok()? * factor)
}

/// The rest of the first line that begins with `label`.
fn after<'a>(text: &'a str, label: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.trim_start().strip_prefix(label)).map(str::trim)
}

/// The first word of it as a number.
fn number(text: &str, label: &str) -> Result<f64> {
    let word = after(text, label).and_then(|rest| rest.split_whitespace().next());
    word.and_then(|word| word.parse().ok()).with_context(|| format!("no figure {label:?}"))
}

fn wrk(text: &str) -> Result<Said> {
    let calls =
        text.lines().find_map(|line| line.trim().split_once(" requests in ")?.0.parse().ok());
    let percentile = |labels: [&str; 2]| labels.iter().find_map(|label| ms(after(text, label)?));
    let latency = after(text, "Latency ").map(|rest| rest.split_whitespace().collect::<Vec<_>>());
    let column = |i: usize| latency.as_ref().and_then(|words| ms(words.get(i)?));
    Ok(Said {
        calls: calls.context("no number of requests")?,
        calls_per_s: number(text, "Requests/sec:")?,
        latency_ms: [
            column(0),
            percentile(["50% ", "50.000% "]),
            percentile(["90% ", "90.000% "]),
            percentile(["99% ", "99.000% "]),
            percentile(["99.9% ", "99.900% "]),
            percentile(["100% ", "100.000% "]).or(column(2)),
        ],
    })
}

fn ab(text: &str) -> Result<Said> {
    ensure!(number(text, "Failed requests:")? == 0.0, "requests failed");
    let percentile = |label: &str| number(text, label).ok();
    Ok(Said {
        calls: number(text, "Complete requests:")?,
        calls_per_s: number(text, "Requests per second:")?,
        latency_ms: [
            number(text, "Time per request:").ok(),
            percentile("50%"),
            percentile("90%"),
            percentile("99%"),
            None,
            percentile("100%"),
        ],
    })
}

/// h2load prints no percentiles; it logs each call.
fn h2load(text: &str, log: Option<&str>) -> Result<Said> {
    let succeeded = text.lines().find_map(|line| {
        let part =
            line.strip_prefix("requests:")?.split(", ").find_map(|p| p.strip_suffix(" succeeded"));
        part?.trim().parse().ok()
    });
    let rate = after(text, "finished in").and_then(|rest| {
        rest.split(", ").find_map(|part| part.strip_suffix(" req/s")?.parse().ok())
    });
    let mut latency_ms = [None; 6];
    if let Some(log) = log {
        let times = log.lines().filter_map(|line| line.rsplit('\t').next()?.parse::<u64>().ok());
        let mut times: Vec<u64> = times.collect();
        ensure!(!times.is_empty(), "nothing was logged");
        times.sort_unstable();
        let at = |q: f64| Some(quantile(&times, q) as f64 / 1e3);
        let mean = times.iter().sum::<u64>() as f64 / times.len() as f64 / 1e3;
        latency_ms = [Some(mean), at(0.5), at(0.9), at(0.99), at(0.999), at(1.0)];
    }
    Ok(Said {
        calls: succeeded.context("no number of requests")?,
        calls_per_s: rate.context("no rate")?,
        latency_ms,
    })
}

fn hey(text: &str) -> Result<Said> {
    let total = number(text, "Total:")?;
    let calls_per_s = number(text, "Requests/sec:")?;
    let good = after(text, "[200]").and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    let at = |label: &str| number(text, label).ok().map(|s| s * 1e3);
    ensure!(total > 0.0, "no time has passed");
    Ok(Said {
        calls: good.context("no reply with status 200")?,
        calls_per_s,
        latency_ms: [
            at("Average:"),
            at("50% in"),
            at("90% in"),
            at("99% in"),
            at("99.9% in"),
            at("Slowest:"),
        ],
    })
}

fn oha(text: &str) -> Result<Said> {
    let json: Value = serde_json::from_str(text).context("no JSON")?;
    let summary = |key: &str| json["summary"][key].as_f64();
    let percentile = |key: &str| json["latencyPercentiles"][key].as_f64().map(|s| s * 1e3);
    let good = json["statusCodeDistribution"]["200"].as_f64();
    Ok(Said {
        calls: good.context("no reply with status 200")?,
        calls_per_s: summary("requestsPerSec").context("no rate")?,
        latency_ms: [
            summary("average").map(|s| s * 1e3),
            percentile("p50"),
            percentile("p90"),
            percentile("p99"),
            percentile("p99.9"),
            summary("slowest").map(|s| s * 1e3),
        ],
    })
}

fn httperf(text: &str) -> Result<Said> {
    let report = OldReport::new(text.to_owned());
    let time = |label: &str| report.figure("Connection time", label).ok();
    Ok(Said {
        calls: report.replies()?,
        calls_per_s: report.figure("Request rate", "")?,
        // Of connections; it has no percentiles, and a median in steps of 1 ms.
        latency_ms: [time("avg"), time("median"), None, None, None, time("max")],
    })
}

fn vegeta_report(log: &Path) -> Result<String> {
    let program = Tool::Vegeta.program().context("vegeta is not installed")?;
    let output = Command::new(program).args(["report", "-type", "json"]).arg(log).output()?;
    ensure!(output.status.success(), "vegeta report: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

fn vegeta(text: &str) -> Result<Said> {
    let json: Value = serde_json::from_str(text).context("no JSON")?;
    let at = |key: &str| json["latencies"][key].as_f64().map(|ns| ns / 1e6);
    Ok(Said {
        calls: json["status_codes"]["200"].as_f64().context("no reply with status 200")?,
        calls_per_s: json["throughput"].as_f64().context("no rate")?,
        latency_ms: [at("mean"), at("50th"), at("90th"), at("99th"), None, at("max")],
    })
}

fn k6(text: &str) -> Result<Said> {
    let json: Value = serde_json::from_str(text).context("no JSON")?;
    let calls = &json["metrics"]["http_reqs"];
    let at = |key: &str| json["metrics"]["http_req_duration"][key].as_f64();
    Ok(Said {
        calls: calls["count"].as_f64().context("no number of requests")?,
        calls_per_s: calls["rate"].as_f64().context("no rate")?,
        latency_ms: [at("avg"), at("med"), at("p(90)"), at("p(99)"), at("p(99.9)"), at("max")],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrk_and_wrk2() {
        let text = "\
Running 1s test @ http://127.0.0.1:18099/
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   741.75us    1.81ms  18.87ms   91.51%
    Req/Sec    36.93k     6.74k   48.26k    80.00%
  Latency Distribution
     50%  165.00us
     90%    2.15ms
     99%    9.69ms
  36936 requests in 1.01s, 11.87MB read
Requests/sec:  36600.05
";
        let said = wrk(text).unwrap();
        assert_eq!((said.calls, said.calls_per_s), (36936.0, 36600.05));
        let expected = [Some(0.74175), Some(0.165), Some(2.15), Some(9.69), None, Some(18.87)];
        assert_eq!(said.latency_ms, expected);
        let more = text.replace(
            "     99%    9.69ms",
            " 99.000%    0.45s\n 99.900%  497.92ms\n100.000%  1.50s",
        );
        let said = wrk(&more).unwrap();
        assert_eq!(said.latency_ms[3..], [Some(450.0), Some(497.92), Some(1500.0)]);
    }

    #[test]
    fn apache_bench() {
        let text = "\
Complete requests:      30110
Failed requests:        0
Requests per second:    30109.64 [#/sec] (mean)
Time per request:       0.266 [ms] (mean)
  50%      0
  90%      1
  99%      4
 100%      7 (longest request)
";
        let said = ab(text).unwrap();
        assert_eq!((said.calls, said.calls_per_s), (30110.0, 30109.64));
        assert_eq!(said.latency_ms[1..], [Some(0.0), Some(1.0), Some(4.0), None, Some(7.0)]);
        assert!(ab(&text.replace("requests:        0", "requests:        3")).is_err());
    }

    #[test]
    fn h2load_and_its_log() {
        let text = "\
finished in 1.00s, 300.00 req/s, 98.73KB/s
requests: 300 total, 306 started, 300 done, 299 succeeded, 1 failed, 0 errored, 0 timeout
";
        let said = h2load(text, Some("17\t200\t3000\n18\t200\t1000\n19\t200\t2000\n")).unwrap();
        assert_eq!((said.calls, said.calls_per_s), (299.0, 300.0));
        assert_eq!(said.latency_ms[..2], [Some(2.0), Some(2.0)]);
        assert_eq!(said.latency_ms[5], Some(3.0));
        assert_eq!(h2load(text, None).unwrap().latency_ms, [None; 6]);
    }

    #[test]
    fn hey_tells_seconds() {
        let text = "
Summary:
  Total:\t1.0075 secs
  Slowest:\t0.0044 secs
  Average:\t0.0009 secs
  Requests/sec:\t297.7607
Latency distribution:
  50% in 0.0005 secs
  90% in 0.0032 secs
  99% in 0.0042 secs
Status code distribution:
  [200]\t300 responses
";
        let said = hey(text).unwrap();
        assert_eq!((said.calls, said.calls_per_s), (300.0, 297.7607));
        assert_eq!(said.latency_ms, [Some(0.9), Some(0.5), Some(3.2), Some(4.2), None, Some(4.4)]);
    }

    #[test]
    fn those_that_speak_json() {
        let text = r#"{"summary": {"average": 0.002, "slowest": 0.5, "requestsPerSec": 2999.5},
            "latencyPercentiles": {"p50": 0.001, "p90": 0.0015, "p99": 0.4, "p99.9": 0.49},
            "statusCodeDistribution": {"200": 29995}}"#;
        let said = oha(text).unwrap();
        assert_eq!((said.calls, said.calls_per_s), (29995.0, 2999.5));
        assert_eq!(said.latency_ms[4..], [Some(490.0), Some(500.0)]);

        let text = r#"{"latencies": {"mean": 2000000, "50th": 1000000, "90th": 1500000,
            "99th": 400000000, "max": 500000000}, "requests": 3000, "throughput": 99.9,
            "status_codes": {"200": 2990, "500": 10}}"#;
        let said = vegeta(text).unwrap();
        assert_eq!((said.calls, said.latency_ms[5]), (2990.0, Some(500.0)));

        let text = r#"{"metrics": {"http_reqs": {"count": 3002, "rate": 100.1},
            "http_req_duration": {"avg": 1.9, "med": 1.2, "p(90)": 2.8, "p(99)": 3.3, "max": 68.1}}}"#;
        let said = k6(text).unwrap();
        assert_eq!(
            (said.calls, said.latency_ms[4], said.latency_ms[5]),
            (3002.0, None, Some(68.1))
        );
    }
}
