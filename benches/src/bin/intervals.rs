//! Do the intervals of an experiment cover the truth as often as they say? Very many trials of a
//! simulated stop-and-copy whose true downtime is known, in one experiment by the `loadgen` command
//! itself, taken as many small experiments. And what such an experiment costs: the time and size
//! of its report, and the memory of the one that runs it.
//!
//! The machine stands still for memory / bandwidth and a time to start that is drawn evenly from
//! 10 to 40 ms: mean and median of its downtime are 62.5 + 25 ms.
//!
//!     cargo build --release -p loadgen-cli
//!     cargo run --release -p loadgen-benches --bin intervals -- --out DIR
//!
//! Takes about 20 minutes; stopped, the same command goes on.

#![expect(clippy::print_stdout, reason = "the table is the result")]

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use loadgen_benches::{machine, process};
use loadgen_core::experiment::Summary;
use loadgen_core::stats::{Confidence, Interval, Sample};

/// The true mean and median of the downtime, in ms: 4 MiB at 64 MiB/s, and the middle of 10 to 40.
const TRUTH: f64 = 62.5 + 25.0;

const PLAN: &str = r#"name = "many trials of one machine"
trials = TRIALS
seed = 1

[load]
rate = 100
probe_rate = 50
warmup = "200ms"
before = "500ms"
after = "500ms"

[trigger]
spec = "simulated:strategy=stop-and-copy,memory=4MiB,bandwidth=64MiB/s,seed={trial}"
"#;

#[derive(Parser)]
struct Args {
    /// Experiments
    #[arg(long, default_value_t = 100)]
    experiments: usize,
    /// Trials of each
    #[arg(long, default_value_t = 7)]
    trials: usize,
    /// Where they are kept
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

fn main() -> Result<ExitCode> {
    let args = Args::parse();
    println!("{}\n", machine());
    let loadgen = std::env::current_exe()?.with_file_name("loadgen");
    std::fs::create_dir_all(&args.out)?;
    run(&loadgen, &args)?;
    report(&loadgen, &args.out)?;
    let summary = Summary::read(&args.out.join("trials-of-it"))?;
    let downtime = |trial: &&loadgen_core::experiment::Trial| {
        trial.counts().then(|| trial.figures.get("downtime_events_ms")).flatten()
    };
    let values: Vec<f64> = summary.trials.iter().filter_map(|trial| downtime(&trial)).collect();
    let all = Sample::new(values.clone()).context("no trial counts")?;
    println!(
        "{} trials count; downtime STOP→RESUME: mean {:.2} ms, median {:.2} ms, sd {:.2} ms; true \
         mean and median {TRUTH} ms\n",
        all.n(),
        all.mean(),
        all.median(),
        all.sd().unwrap_or(0.0)
    );
    let p95 = Confidence::new(0.95).context("0.95")?;
    let samples: Vec<Sample> =
        values.chunks_exact(args.trials).filter_map(|of| Sample::new(of.to_vec())).collect();
    let holds = |interval: Option<Interval>| {
        interval.is_some_and(|interval| (interval.low..=interval.high).contains(&TRUTH))
    };
    let by_mean = samples.iter().filter(|s| holds(s.mean_interval(p95))).count();
    let by_order = samples.iter().filter(|s| holds(s.median_interval(p95).interval())).count();
    let first = samples.first().and_then(|sample| sample.median_interval(p95).interval());
    let coverage = first.map_or(0.0, |interval| interval.coverage);
    println!("| interval | says | covers the truth in |\n|---|---|---|");
    println!("| mean ± t | 95 % | {by_mean} of {} |", samples.len());
    println!(
        "| median, order statistics | {:.1} % | {by_order} of {} |",
        coverage * 100.0,
        samples.len()
    );
    // 95 of 100, and two deviations and a half of a binomial law.
    let least = samples.len() * 89 / 100;
    Ok(if by_mean >= least && by_order >= least { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Makes the trials, and watches the memory of the one that makes them.
fn run(loadgen: &Path, args: &Args) -> Result<()> {
    let plan = args.out.join("plan.toml");
    let trials = args.experiments * args.trials;
    std::fs::write(&plan, PLAN.replace("TRIALS", &trials.to_string()))?;
    let begin = Instant::now();
    let mut child = Command::new(loadgen)
        .args(["experiment", "--quiet", "--format", "json"])
        .arg(&plan)
        .arg("--out")
        .arg(args.out.join("trials-of-it"))
        .stdout(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot run {}: build it first", loadgen.display()))?;
    let (mut early, mut most) = (0, 0);
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        // A process that has just ended has no memory any more.
        if let Some(kib) = process::memory_kib(child.id(), "VmRSS") {
            most = most.max(kib);
            if begin.elapsed() < Duration::from_secs(60) {
                early = early.max(kib);
            }
        }
        std::thread::sleep(Duration::from_millis(200));
    };
    ensure!(status.success(), "the experiment ended with {status}");
    println!(
        "{trials} trials in {:.0} s; memory of the runner: at most {} MiB in the first minute, {} MiB \
         in all",
        begin.elapsed().as_secs_f64(),
        early / 1024,
        most / 1024
    );
    Ok(())
}

/// What it takes to write the report with all charts.
fn report(loadgen: &Path, out: &Path) -> Result<()> {
    let page = out.join("report.html");
    let begin = Instant::now();
    let status = Command::new(loadgen)
        .arg("report")
        .arg(out.join("trials-of-it"))
        .args(["--quiet", "--html"])
        .arg(&page)
        .status()?;
    ensure!(status.success(), "the report ended with {status}");
    println!(
        "report in {:.1} s, HTML of {:.2} MB",
        begin.elapsed().as_secs_f64(),
        std::fs::metadata(&page)?.len() as f64 / 1e6
    );
    Ok(())
}
