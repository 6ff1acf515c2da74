//! The arguments by which a tool does a load.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::json;

use super::{Load, Tool};

/// More calls than any run makes. ab has memory for each of them.
const ENDLESS: &str = "20000000";

/// Most connections of a program that knows `select` only.
const SELECT_LIMIT: u32 = 1000;

/// TLS connections a second that httperf, which has an open loop only, is to make: as
/// many as a server on one core surely bears.
const HANDSHAKES_PER_S: u32 = 1_500;

/// Where h2load writes each call, vegeta its results and k6 its summary.
pub(super) fn log_file(load: &Load) -> PathBuf {
    load.folder.join("peer.log")
}

impl Tool {
    /// The arguments for a load, or `None` if the tool cannot do it.
    ///
    /// # Errors
    /// If a file that the tool needs cannot be written.
    pub fn arguments(self, load: &Load) -> Result<Option<Vec<String>>> {
        let connections = load.connections.to_string();
        let seconds = format!("{}s", load.seconds);
        let url = load.url();
        let mut args: Vec<String> = Vec::new();
        let mut add = |more: &[&str]| args.extend(more.iter().map(|s| (*s).to_owned()));
        match self {
            Self::Wrk | Self::Wrk2 => {
                if (self == Self::Wrk) && load.rate.is_some() {
                    return Ok(None);
                }
                add(&["-t1", "-c", &connections, "-d", &seconds, "--latency"]);
                if self == Self::Wrk2 {
                    let rate = load.rate.unwrap_or(1_000_000).to_string();
                    add(&["-R", &rate]);
                }
                if !load.keep_alive {
                    add(&["-H", "Connection: close"]);
                }
                add(&[&url]);
            }
            Self::Ab => {
                if load.rate.is_some() {
                    return Ok(None);
                }
                let limit = load.seconds.to_string();
                add(&["-q", "-c", &connections, "-t", &limit, "-n", ENDLESS]);
                if load.keep_alive {
                    add(&["-k"]);
                }
                add(&[&url]);
            }
            Self::H2load => {
                if !load.keep_alive {
                    return Ok(None);
                }
                let limit = load.seconds.to_string();
                add(&["--h1", "-t1", "-c", &connections, "-D", &limit]);
                if let Some(rate) = load.rate {
                    let file = log_file(load);
                    let each = format!("--rps={}", f64::from(rate) / f64::from(load.connections));
                    let log = format!("--log-file={}", file.display());
                    // It appends.
                    let _ = fs::remove_file(&file);
                    add(&[&each, &log]);
                }
                add(&[&url]);
            }
            Self::Hey => {
                add(&["-z", &seconds, "-c", &connections]);
                if let Some(rate) = load.rate {
                    let each = (f64::from(rate) / f64::from(load.connections)).to_string();
                    add(&["-q", &each]);
                }
                if !load.keep_alive {
                    add(&["-disable-keepalive"]);
                }
                add(&[&url]);
            }
            Self::Oha | Self::OhaCorrected => {
                if self == Self::OhaCorrected && load.rate.is_none() {
                    return Ok(None);
                }
                add(&["--no-tui", "--output-format", "json", "-z", &seconds, "-c", &connections]);
                if let Some(rate) = load.rate {
                    add(&["-q", &rate.to_string()]);
                }
                if self == Self::OhaCorrected {
                    add(&["--latency-correction"]);
                }
                if load.tls {
                    add(&["--insecure"]);
                }
                if !load.keep_alive {
                    add(&["--disable-keepalive"]);
                }
                add(&[&url]);
            }
            Self::Httperf => {
                // How many calls of large replies would be a run of this length?
                if load.connections > SELECT_LIMIT || load.path != "/" {
                    return Ok(None);
                }
                add(&["--hog", "--server", "127.0.0.1", "--uri", load.path, "--timeout", "5"]);
                let port = load.port.to_string();
                add(&["--port", &port]);
                if load.tls {
                    add(&["--ssl"]);
                }
                // It knows a number of calls, not a duration.
                let (rate, conns, calls) = match load.rate {
                    Some(rate) => (rate, rate * load.seconds, 1),
                    None if load.keep_alive => {
                        let calls_per_s = if load.tls { 16_000 } else { 47_000 };
                        (
                            10_000,
                            load.connections,
                            1 + calls_per_s * load.seconds / load.connections,
                        )
                    }
                    None => {
                        let rate = if load.tls { HANDSHAKES_PER_S } else { 8_000 };
                        (rate, rate * load.seconds, 1)
                    }
                };
                add(&["--rate", &rate.to_string(), "--num-conns", &conns.to_string()]);
                add(&["--num-calls", &calls.to_string()]);
            }
            Self::Vegeta => {
                let targets = load.folder.join("vegeta.targets");
                fs::write(&targets, format!("GET {url}\n")).context("cannot write the targets")?;
                let rate = load.rate.unwrap_or(0).to_string();
                let targets = targets.display().to_string();
                let log = log_file(load).display().to_string();
                add(&["attack", "-targets", &targets, "-rate", &rate, "-duration", &seconds]);
                if load.rate.is_none() {
                    add(&["-max-workers", &connections]);
                }
                if !load.keep_alive {
                    add(&["-keepalive=false"]);
                }
                if load.tls {
                    add(&["-insecure"]);
                }
                add(&["-output", &log]);
            }
            Self::K6 => {
                let script = load.folder.join("k6.js");
                fs::write(&script, k6_script(load)).context("cannot write the script of k6")?;
                let script = script.display().to_string();
                let log = log_file(load).display().to_string();
                add(&["run", "--quiet", "--no-usage-report", "--summary-export", &log]);
                add(&["--summary-trend-stats", "avg,med,p(90),p(99),p(99.9),max", &script]);
            }
        }
        Ok(Some(args))
    }
}

fn k6_script(load: &Load) -> String {
    let duration = format!("{}s", load.seconds);
    let scenario = match load.rate {
        Some(rate) => json!({
            "executor": "constant-arrival-rate", "rate": rate, "timeUnit": "1s",
            "duration": duration, "preAllocatedVUs": load.connections, "maxVUs": 4096,
        }),
        None => json!({
            "executor": "constant-vus", "vus": load.connections, "duration": duration,
        }),
    };
    let options = json!({
        "scenarios": { "load": scenario },
        "discardResponseBodies": true,
        "noConnectionReuse": !load.keep_alive,
        "insecureSkipTLSVerify": load.tls,
    });
    format!(
        "import http from 'k6/http';\nexport const options = {options};\n\
         export default function () {{ http.get('{}'); }}\n",
        load.url()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(rate: Option<u32>, keep_alive: bool) -> Load {
        Load {
            port: 8080,
            tls: false,
            path: "/",
            connections: 60,
            keep_alive,
            rate,
            seconds: 5,
            folder: std::env::temp_dir(),
        }
    }

    fn words(tool: Tool, load: &Load) -> Option<String> {
        tool.arguments(load).unwrap().map(|args| args.join(" "))
    }

    #[test]
    fn a_rate_is_split_where_a_tool_wants_it_so() {
        let open = load(Some(3000), true);
        assert!(words(Tool::Hey, &open).unwrap().contains("-q 50 "));
        assert!(words(Tool::H2load, &open).unwrap().contains("--rps=50 "));
        assert!(words(Tool::Wrk2, &open).unwrap().contains("-R 3000 "));
        assert_eq!(words(Tool::Wrk, &open), None);
        assert_eq!(words(Tool::Ab, &open), None);
    }

    #[test]
    fn over_tls_no_tool_checks_the_certificate() {
        let bare = load(None, true);
        let tls = Load { tls: true, ..bare.clone() };
        for tool in [Tool::Wrk, Tool::H2load, Tool::Hey, Tool::Ab, Tool::Oha] {
            assert!(words(tool, &tls).unwrap().contains("https://127.0.0.1:8080/"), "{tool:?}");
            assert!(!words(tool, &bare).unwrap().contains("https"), "{tool:?}");
        }
        assert!(words(Tool::Oha, &tls).unwrap().contains(" --insecure "));
        assert!(words(Tool::Vegeta, &tls).unwrap().contains(" -insecure "));
        assert!(words(Tool::Httperf, &tls).unwrap().contains(" --ssl "));
        assert!(!words(Tool::Httperf, &bare).unwrap().contains("--ssl"));
    }

    #[test]
    fn connections_are_closed_only_when_asked() {
        let (kept, closed) = (load(None, true), load(None, false));
        assert!(words(Tool::Ab, &kept).unwrap().contains(" -k "));
        assert!(!words(Tool::Ab, &closed).unwrap().contains(" -k "));
        assert!(words(Tool::Wrk, &closed).unwrap().contains("Connection: close"));
        assert_eq!(words(Tool::H2load, &closed), None);
    }
}
