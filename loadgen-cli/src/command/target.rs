//! `loadgen target`: the built-in server, whose behaviour is known exactly.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use loadgen_core::migration::simulated::serve_child;
use loadgen_core::report::write_file;
use loadgen_core::target_server::{TargetOptions, TargetServer, TargetServerError, TargetTruth};
use loadgen_core::units::{parse_bytes, parse_duration, parse_interval_pair};

use crate::exit::{Exit, Failure};
use crate::interrupt::Interrupt;
use crate::messages::{error, note};
use crate::options::{Format, PrecisionArg};
use crate::output::{check_writable, to_stdout};

/// Serve one programmed reply, to check a measurement against the truth
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER)]
pub(crate) struct Args {
    /// Address to listen on; port 0 takes any free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    listen: SocketAddr,

    /// From the last byte of a request read to its reply
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = parse_duration)]
    delay: Duration,

    /// Work on N requests at a time, each for --delay, while others wait [default: no limit]
    ///
    /// The server then has a known capacity: N / delay requests a second.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    workers: Option<u32>,

    /// Stop doing anything for LENGTH every INTERVAL, such as 500ms/5s [default: never]
    ///
    /// The first freeze begins one INTERVAL after the start.
    #[arg(long, value_name = "LENGTH/INTERVAL", value_parser = parse_interval_pair)]
    freeze: Option<(Duration, Duration)>,

    /// Size of the reply's body
    #[arg(long, value_name = "BYTES", default_value = "100B", value_parser = parse_bytes)]
    body: u64,

    /// Send the body chunked, so many bytes in a chunk [default: by its length]
    #[arg(long, value_name = "BYTES", value_parser = parse_bytes)]
    chunked: Option<u64>,

    /// Status of the reply
    #[arg(long, value_name = "CODE", default_value_t = 200)]
    status: u16,

    /// Write the time of each request's arrival to FILE (CLOCK_MONOTONIC, ns, one a line)
    #[arg(long, value_name = "FILE")]
    arrivals: Option<PathBuf>,

    /// Write two times of each call to FILE: when the kernel had its request, and its reply
    ///
    /// In the same form, in the order of the replies. The kernel takes requests in a freeze, too.
    #[arg(long, value_name = "FILE")]
    calls: Option<PathBuf>,

    /// How exactly replies are sent when due, and what it costs
    #[arg(long, value_enum, default_value_t = PrecisionArg::Normal)]
    precision: PrecisionArg,

    /// Form of the ground truth
    #[arg(long, value_enum, default_value_t = Format::Json, help_heading = "Output")]
    format: Format,

    /// Write the ground truth to FILE instead of stdout
    #[arg(long, short, value_name = "FILE", help_heading = "Output")]
    output: Option<PathBuf>,

    /// No notes on stderr, only errors
    #[arg(long, short, help_heading = "Output")]
    quiet: bool,

    /// Serve as the machine of a simulated migration, steered over stdin
    #[arg(long, hide = true)]
    simulated_vm: bool,
}

const AFTER: &str = "\
The first line on stdout is the URL. SIGINT, SIGTERM or SIGHUP ends the server:
it then prints the ground truth (what it really did) and exits with 0.

Examples:
  loadgen target --listen 127.0.0.1:8080 --delay 1ms
  loadgen target --delay 20ms --workers 10                   at most 500 requests a second
  loadgen target --delay 1ms --freeze 500ms/5s --arrivals arrivals.txt -o truth.json";

pub(crate) fn main(args: &Args) -> Result<Exit, Failure> {
    if args.simulated_vm {
        return simulated_vm();
    }
    for file in [&args.output, &args.arrivals, &args.calls].into_iter().flatten() {
        check_writable(file)?;
    }
    if let Some(file) = &args.output
        && [&args.arrivals, &args.calls].into_iter().flatten().any(|times| times == file)
    {
        return Err(Failure::usage(format!(
            "'{}' cannot take the ground truth and times: give --output another file",
            file.display()
        )));
    }
    let interrupt = Interrupt::install("ending the server")?;
    let server = TargetServer::bind(args.options()).map_err(as_failure)?;
    to_stdout(&format!("{}\n", server.url())).context("cannot write the URL to stdout")?;
    let stopper = server.stopper();
    std::thread::spawn(move || {
        while !interrupt.is_raised() {
            std::thread::sleep(Duration::from_millis(20));
        }
        stopper.stop();
    });
    let truth = server.run().map_err(as_failure)?;
    deliver(args, &truth)
}

/// A wrong option is a matter of usage, anything else of the machine.
fn as_failure(error: TargetServerError) -> Failure {
    match error {
        TargetServerError::Option { .. } => Failure::usage(error),
        error => Failure::Run(error.into()),
    }
}

fn deliver(args: &Args, truth: &TargetTruth) -> Result<Exit, Failure> {
    let text = match args.format {
        Format::Json => serde_json::to_string_pretty(truth).context("cannot render the truth")?,
        Format::Text => as_text(truth),
    } + "\n";
    if let Some(file) = args.output.as_deref().filter(|file| *file != Path::new("-")) {
        match write_file(file, text.as_bytes()) {
            Ok(()) => {
                if !args.quiet {
                    note(&format!("ground truth written to {}", file.display()));
                }
                return Ok(Exit::Done);
            }
            Err(reason) => error(&format!("{reason}\nThe ground truth goes to stdout instead.")),
        }
        to_stdout(&text).context("cannot write the ground truth to stdout")?;
        return Ok(Exit::NotWritten);
    }
    to_stdout(&text).context("cannot write the ground truth to stdout")?;
    Ok(Exit::Done)
}

fn as_text(truth: &TargetTruth) -> String {
    let seconds = |from: u64, to: u64| to.saturating_sub(from) as f64 / 1e9;
    let mut text = format!(
        "served {:.3} s on {}: {} requests read, {} replies sent, {} connections, {} bytes in, \
         {} bytes out",
        seconds(truth.started_monotonic_ns, truth.stopped_monotonic_ns),
        truth.listen,
        truth.requests_read,
        truth.replies_sent,
        truth.connections_accepted,
        truth.bytes_received,
        truth.bytes_sent,
    );
    for freeze in &truth.freezes {
        let start = seconds(truth.started_monotonic_ns, freeze.start_monotonic_ns);
        let length = seconds(freeze.start_monotonic_ns, freeze.end_monotonic_ns) * 1e3;
        text.push_str(&format!("\nfrozen at {start:.3} s for {length:.3} ms"));
    }
    text
}

/// The child of a simulated migration: told over stdin what to be.
fn simulated_vm() -> Result<Exit, Failure> {
    let served = serve_child(std::io::stdin(), std::io::stdout());
    served.context("the simulated machine broke down")?;
    Ok(Exit::Done)
}

impl Args {
    fn options(&self) -> TargetOptions {
        let mut options = TargetOptions::new()
            .with_listen(self.listen)
            .with_delay(self.delay)
            .with_workers(self.workers.unwrap_or(0))
            .with_body_bytes(self.body)
            .with_status(self.status)
            .with_precision(self.precision.into());
        if let Some((length, every)) = self.freeze {
            options = options.with_freeze(length, every);
        }
        if let Some(bytes) = self.chunked {
            options = options.with_chunk_bytes(bytes);
        }
        if let Some(file) = &self.arrivals {
            options = options.with_arrivals(file);
        }
        if let Some(file) = &self.calls {
            options = options.with_calls(file);
        }
        options
    }
}
