//! `autobench_admin`: a sweep whose tests run on several machines at once, each with
//! `autobenchd`, each with its share of the rate.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::clients::{Client, Lost, Meeting};
use crate::command::{Host, Test};
use crate::config::Config;
use crate::httperf_output::Figures;
use crate::local_time;
use crate::merge::{Arithmetic, merged};
use crate::options::{Known, Takes};
use crate::output::{COLUMNS, STATUS_COLUMNS, Table};
use crate::perl;
use crate::start::{Ended, FATAL, Results, Tool, World, complain_about_pass_through};
use crate::sweep::{self, Rate, Rates};

/// The program.
pub const TOOL: Tool = Tool {
    name: "autobench_admin",
    title: "autobench_admin",
    installs_on_stdout: false,
    options: &[
        Known::original("clients", Takes::Text),
        Known::ours("original-merge", Takes::Nothing),
    ],
    help: include_str!("admin.help"),
};

/// Seconds between the order of a test and its start, in which every client must hear
/// of it.
pub const LEAD_S: u64 = 5;

/// Runs the program with the arguments after its name; returns its exit status. Tests
/// start `lead_s` seconds after they are ordered.
pub fn run(arguments: &[String], world: &mut World<'_>, lead_s: u64) -> u8 {
    match sweep(arguments, world, lead_s) {
        Ok(()) => 0,
        Err(Ended(status)) => status,
    }
}

fn sweep(arguments: &[String], world: &mut World<'_>, lead_s: u64) -> Result<(), Ended> {
    let config = TOOL.start(arguments, world)?;
    if let Some(complaint) = sweep::complaint_about_time(&config) {
        return Err(world.fatal(complaint, FATAL));
    }
    let clients = Client::list(config.get("clients")).map_err(|error| world.fatal(error, FATAL))?;
    complain_about_pass_through(TOOL.name, &config, world);
    let columns = COLUMNS.into_iter().chain(STATUS_COLUMNS);
    let table = Table::new(&config, columns).map_err(|error| world.fatal(error, FATAL))?;
    let mut results = Results::open(table, &config, world)?;
    results.header(&config, world)?;

    let arithmetic =
        if config.is_true("original-merge") { Arithmetic::Original } else { Arithmetic::Correct };
    let rates = Rates::of(&config);
    let stands_still = rates.stand_still();
    for rate in rates {
        let _ = world.err.write_all(local_time::date(&[]).as_bytes());
        let mut cells = Vec::new();
        for &host in Host::tested(&config) {
            announce(host, &rate, &config, world);
            let figures = test(host, &rate, &config, &clients, lead_s, world)?;
            cells.extend(results.cells(|figure| merged(figure, &figures, arithmetic)));
        }
        results.row(&sweep::demanded(&config, rate.value), cells, world)?;
    }
    if stands_still {
        world.say("autobench_admin: rate_step is not above 0, so there is only one rate");
    }
    world.say("Benchmark complete");
    Ok(())
}

fn announce(host: Host, rate: &Rate, config: &Config, world: &mut World<'_>) {
    let verb = match host {
        Host::First => "Testing server",
        Host::Second => "About to test",
    };
    world.say(format_args!("{verb} {} at rate: {}", host.name(config), rate.text));
}

/// One test of one server by all clients.
fn test(
    host: Host,
    rate: &Rate,
    config: &Config,
    clients: &[Client],
    lead_s: u64,
    world: &mut World<'_>,
) -> Result<Vec<Figures>, Ended> {
    let orders = orders(host, rate, config, clients.len())
        .ok_or_else(|| world.fatal("Fatal: num_conn must be a number of at least 1", FATAL))?;
    let debug = config.is_true("debug");
    let ended = |world: &mut World<'_>, lost: Lost| world.fatal(&lost, lost.status());

    let mut meeting = Meeting::default();
    for client in clients {
        meeting.invite(client).map_err(|lost| ended(world, lost))?;
        if debug {
            world.say(format_args!("Opened connection to {}", client.address()));
        }
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let at_s = now.as_secs() + lead_s;
    if debug {
        let mut shown = orders.clone();
        shown.dedup();
        for order in shown {
            world.say(format_args!("  Command: {order}"));
        }
        world.say(format_args!("  Time   : {at_s}"));
    }
    meeting
        .order(&orders, at_s, |client| {
            if debug {
                world.say(format_args!("Issued start command to: {client}"));
            }
        })
        .map_err(|lost| ended(world, lost))?;
    meeting
        .figures(|client| {
            if debug {
                world.say(format_args!("{client} accepted command"));
            }
        })
        .map_err(|lost| ended(world, lost))
}

/// The command lines of a test, one a client: equal parts of the rate, and connections
/// that add up to what was asked for. `None` if that is no number of connections.
fn orders(host: Host, rate: &Rate, config: &Config, clients: usize) -> Option<Vec<String>> {
    let whole = perl::number(&sweep::connections(config, rate.value)).round();
    if !(1.0..=u64::MAX as f64).contains(&whole) {
        return None;
    }
    let share = match clients {
        1 => rate.text.clone(),
        _ => perl::text(rate.value / clients as f64),
    };
    let order = |connections: u64| {
        let connections = connections.to_string();
        let test = Test::of_host(config, host, &connections, &share);
        format!("{} {}", test.line(config), config.pass_through())
    };
    Some(shares(whole as u64, clients as u64).map(order).collect())
}

/// Cuts a number into `parts` that differ by 1 at most; none is 0, since httperf takes
/// 0 connections for endless.
fn shares(whole: u64, parts: u64) -> impl Iterator<Item = u64> {
    let (each, rest) = (whole / parts.max(1), whole % parts.max(1));
    (0..parts).map(move |part| (each + u64::from(part < rest)).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up() {
        assert_eq!(shares(40, 2).collect::<Vec<_>>(), [20, 20]);
        assert_eq!(shares(25, 2).collect::<Vec<_>>(), [13, 12]);
        assert_eq!(shares(11, 4).collect::<Vec<_>>(), [3, 3, 3, 2]);
        assert_eq!(shares(1, 3).collect::<Vec<_>>(), [1, 1, 1]);
    }

    fn ordered(num_conn: &str, rate: f64, clients: usize) -> Option<Vec<String>> {
        let text = "host1 = h\nuri1 = /\nport1 = 80\nnum_call = 2\ntimeout = 2\n";
        let mut config = Config::parse(text, "conf", &mut std::io::sink());
        config.set("num_conn", num_conn);
        let rate = Rate { text: perl::text(rate), value: rate };
        orders(Host::First, &rate, &config, clients)
    }

    #[test]
    fn every_client_has_its_part_of_the_rate() {
        let line = |num_conn, rate| {
            format!(
                "--server h --uri \"/\" --num-conn {num_conn} --num-call 2 --timeout 2 \
                 --rate {rate} --port 80 "
            )
        };
        assert_eq!(ordered("40", 20.0, 1).unwrap(), [line("40", "20")]);
        assert_eq!(ordered("40", 20.0, 2).unwrap(), [line("20", "10"), line("20", "10")]);
        assert_eq!(ordered("25", 5.0, 2).unwrap(), [line("13", "2.5"), line("12", "2.5")]);
        for none in ["", "0", "-3", "x", "1e300"] {
            assert_eq!(ordered(none, 20.0, 2), None, "{none:?}");
        }
    }
}
