//! What does a connection cost, and how many a second are held? Against nginx, one
//! call a connection.

use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::Result;
use loadgen_benches::nginx::Nginx;
use loadgen_benches::{CLIENT_CORE, SERVER_CORE, pin, spread};
use serde_json::{Value, json};

use super::{Args, Pair, httperf};

/// Length of a run in which CPU time is measured, in seconds.
const RUN_S: u32 = 5;

/// Length of a probe for the largest rate, in seconds.
const PROBE_S: f64 = 3.0;

/// A local port is free again this long after its connection (Linux on the loopback
/// device, `net.ipv4.tcp_tw_reuse = 2`: 1 s).
const PORTS_REST: Duration = Duration::from_millis(1300);

/// The rates that are probed begin here, each so many times the one before. No search:
/// on a machine that others use, one unlucky probe would send it the wrong way.
const FIRST: f64 = 6000.0;
const STEP: f64 = 1.12;

/// The climb ends when both programs have lost at so many rates in a row.
const LOST_IN_A_ROW: u32 = 2;

/// What one of the programs showed.
#[derive(Default)]
struct Figures {
    /// CPU time of a connection in µs, run by run: all, and in user mode.
    cpu: Vec<f64>,
    user: Vec<f64>,
    /// At each rate, in how many probes it was held.
    held: Vec<u32>,
}

impl Figures {
    /// The highest rate that more than half of the probes held, as they did all lower
    /// ones.
    fn largest(&self, rates: &[f64], probes: u32) -> Option<f64> {
        let held = self.held.iter().take_while(|&&held| 2 * held > probes).count();
        held.checked_sub(1).and_then(|last| rates.get(last)).copied()
    }
}

pub(super) fn measure(args: &Args, pair: &Pair) -> Result<Value> {
    let folder = tempfile::tempdir()?;
    let _nginx = Nginx::start(folder.path(), args.port)?;
    pin(CLIENT_CORE)?;
    println!(
        "\n## rate\n\nnginx on core {SERVER_CORE}, client on core {CLIENT_CORE}; one call a \
         connection; CPU time at {} connections/s for {RUN_S} s; largest rate: {PROBE_S} s \
         without an error and at 99 % of what was asked for, {} probes of each in turn\n",
        args.rate, args.runs
    );
    let mut all = [Figures::default(), Figures::default()];
    for _ in 0..args.runs {
        for ((_, program), figures) in pair.both().into_iter().zip(&mut all) {
            let connections = args.rate * RUN_S;
            let load = format!("--num-conns {connections} --rate {} --timeout 5", args.rate);
            let run = httperf(program, args.port, &load)?;
            let each = 1e6 / run.report.replies()?;
            figures.cpu.push(each * run.cost.cpu_s());
            figures.user.push(each * run.cost.user_s);
            thread::sleep(PORTS_REST);
        }
    }
    let rates = climb(args, pair, &mut all)?;
    print_costs(pair, &all);
    print_rates(pair, &all, &rates, args.runs);
    let value = |figures: &Figures| {
        json!({
            "cpu_us_per_connection": figures.cpu,
            "user_us_per_connection": figures.user,
            "held": figures.held,
            "largest_rate": figures.largest(&rates, args.runs),
        })
    };
    let [ours, original] = &all;
    Ok(json!({
        "rate": args.rate,
        "rates_probed": rates,
        "probes_at_each": args.runs,
        "ours": value(ours),
        "original": value(original),
    }))
}

/// Probes rising rates with both programs, in turn at each; returns the rates.
fn climb(args: &Args, pair: &Pair, all: &mut [Figures; 2]) -> Result<Vec<f64>> {
    let mut rates = Vec::new();
    let mut rate = FIRST;
    let mut lost_in_a_row = 0;
    while lost_in_a_row < LOST_IN_A_ROW {
        for figures in &mut *all {
            figures.held.push(0);
        }
        for _ in 0..args.runs {
            for ((_, program), figures) in pair.both().into_iter().zip(&mut *all) {
                if let (true, Some(held)) =
                    (holds(program, args.port, rate)?, figures.held.last_mut())
                {
                    *held += 1;
                }
            }
        }
        let both_lost = all.iter().all(|figures| figures.held.last() == Some(&0));
        lost_in_a_row = if both_lost { lost_in_a_row + 1 } else { 0 };
        rates.push(rate);
        rate = (rate * STEP).round();
    }
    Ok(rates)
}

fn print_costs(pair: &Pair, all: &[Figures; 2]) {
    println!("| | CPU µs/connection | user µs/connection |");
    println!("|---|---|---|");
    let row = |name: &str, cpu: &[f64], user: &[f64], digits| {
        println!("| {name} | {} | {} |", spread(cpu, digits), spread(user, digits));
    };
    for ((name, _), figures) in pair.both().into_iter().zip(all) {
        row(name, &figures.cpu, &figures.user, 1);
    }
    let [ours, original] = all;
    let ratio = |pick: fn(&Figures) -> &Vec<f64>| -> Vec<f64> {
        pick(ours).iter().zip(pick(original)).map(|(a, b)| a / b).collect()
    };
    row("ours ÷ original, pair by pair", &ratio(|f| &f.cpu), &ratio(|f| &f.user), 3);
}

fn print_rates(pair: &Pair, all: &[Figures; 2], rates: &[f64], probes: u32) {
    let cells = |row: &mut dyn Iterator<Item = String>| row.collect::<Vec<_>>().join(" | ");
    let head = cells(&mut rates.iter().map(|rate| format!("{rate:.0}")));
    println!("\n| held in … of {probes} probes at connections/s | {head} | largest held |");
    println!("|---|{}---|", "---|".repeat(rates.len()));
    for ((name, _), figures) in pair.both().into_iter().zip(all) {
        let held = cells(&mut figures.held.iter().map(ToString::to_string));
        let largest = figures.largest(rates, probes);
        let largest = largest.map_or_else(|| "none".to_owned(), |rate| format!("{rate:.0}"));
        println!("| {name} | {held} | {largest} |");
    }
}

/// Whether a rate is held: every connection answered, at 99 % of the rate or more.
fn holds(program: &Path, port: u16, rate: f64) -> Result<bool> {
    let connections = (rate * PROBE_S).round();
    let load = format!("--num-conns {connections} --rate {rate:.1} --timeout 2");
    let report = httperf(program, port, &load)?.report;
    thread::sleep(PORTS_REST);
    Ok(report.errors()? == 0.0 && report.replies()? == connections && report.rate()? >= 0.99 * rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_counts_when_most_probes_held_it_and_all_below() {
        let rates = [6.0, 7.0, 8.0, 9.0];
        let largest =
            |held: &[u32]| Figures { held: held.to_vec(), ..Figures::default() }.largest(&rates, 3);
        assert_eq!(largest(&[3, 2, 1, 3]), Some(7.0));
        assert_eq!(largest(&[3, 3, 3, 3]), Some(9.0));
        assert_eq!(largest(&[1, 3, 3, 3]), None);
    }
}
