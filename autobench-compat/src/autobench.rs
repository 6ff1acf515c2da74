//! `autobench`: one httperf test after the other, at rising rates, one row each.

use std::io::{ErrorKind, Write};
use std::sync::atomic::AtomicBool;

use loadgen_core::Report;

use crate::beside::Beside;
use crate::command::{Host, Test};
use crate::config::Config;
use crate::highest::Highest;
use crate::httperf_output::{Figures, Reader};
use crate::json::{self, Step, Tested};
use crate::migrate::{self, Migrations, Moment, Went};
use crate::options::{Known, Takes};
use crate::output::{COLUMNS, Table};
use crate::perl;
use crate::start::{
    Ended, FATAL, READER_GONE, Results, Tool, World, check_host, complain_about_missing,
    complain_about_pass_through,
};
use crate::sweep::{self, Rate, Rates};
use crate::tester::{self, Migration, TestError, TestRun, Tester};

/// The program.
pub const TOOL: Tool = Tool {
    name: "autobench",
    title: "Autobench",
    installs_on_stdout: true,
    options: &[
        Known::ours("httperf", Takes::Text),
        Known::ours("json", Takes::Text),
        Known::ours("html", Takes::Text),
        Known::ours("slo", Takes::Text),
        Known::ours("migrate", Takes::Text),
        Known::ours("migration-limit", Takes::Text),
    ],
    help: include_str!("autobench.help"),
};

/// Makes the tester that the settings ask for; `None` if there is no such program.
pub type Testers<'a> = &'a dyn Fn(&Config) -> Option<Box<dyn Tester>>;

/// The tester of the real program: `--httperf PROGRAM`, else loadgen's engine.
#[must_use]
pub fn tester(config: &Config) -> Option<Box<dyn Tester>> {
    tester::named(program(config))
}

fn program(config: &Config) -> Option<&str> {
    Some(config.get("httperf")).filter(|program| !program.is_empty())
}

/// Runs the program with the arguments after its name; returns its exit status.
pub fn run(arguments: &[String], world: &mut World<'_>, testers: Testers<'_>) -> u8 {
    match sweep(arguments, world, testers) {
        Ok(()) => 0,
        Err(Ended(status)) => status,
    }
}

fn sweep(arguments: &[String], world: &mut World<'_>, testers: Testers<'_>) -> Result<(), Ended> {
    let config = TOOL.start(arguments, world)?;
    let table = Table::new(&config, COLUMNS).map_err(|error| world.fatal(error, FATAL))?;
    let tester = testers(&config).ok_or_else(|| {
        let line = "Cannot find httperf in $PATH; please ensure it is installed and your PATH is\n\
                    correctly set";
        world.fatal(line, 1)
    })?;
    check(&config, world)?;
    if program(&config).is_none() {
        complain_about_pass_through(TOOL.name, &config, world);
    }
    let highest = Highest::of(&config);
    let highest =
        highest.map_err(|error| world.fatal(format_args!("autobench: {error}"), FATAL))?;
    let migrations = Migrations::of(&config);
    let migrations =
        migrations.map_err(|error| world.fatal(format_args!("autobench: {error}"), FATAL))?;
    let table = match &migrations {
        Some(_) => table.with_behind(migrate::COLUMNS.map(|(name, _)| name)),
        None => table,
    };
    let mut results = Results::open(table, &config, world)?;
    let beside = Beside::open(&config, world)?;
    results.header(&config, world)?;

    let tester = tester.as_ref();
    let mut run =
        Run { config: &config, tester, results, beside, migrations, step: 0, all_through: true };
    match highest {
        None => steps(&mut run, world)?,
        Some(highest) => search(highest, &mut run, world)?,
    }
    if run.all_through { Ok(()) } else { Err(Ended(MIGRATION_FAILED)) }
}

/// Exit status if a migration was not completed.
const MIGRATION_FAILED: u8 = 1;

/// The tests of a sweep and where their figures go.
struct Run<'a> {
    config: &'a Config,
    tester: &'a dyn Tester,
    results: Results,
    beside: Beside<'a>,
    migrations: Option<Migrations>,
    /// Rows so far.
    step: u32,
    /// No migration failed so far.
    all_through: bool,
}

/// What came of one test.
#[derive(Default)]
struct Outcome {
    figures: Figures,
    report: Option<Box<Report>>,
    /// Its migration could not be prepared, so that it was not made.
    unprepared: bool,
}

impl Run<'_> {
    /// A row: the tests at one rate, with the settings of `config`.
    fn row<'c>(
        &mut self,
        rate: &Rate,
        config: &'c Config,
        world: &mut World<'_>,
    ) -> Result<Step<'c>, Ended> {
        self.step += 1;
        let demanded = sweep::demanded(config, rate.value);
        let (mut cells, mut behind) = (Vec::new(), Vec::new());
        let mut servers: Vec<Tested<'_>> = Vec::new();
        // The trigger is at its end, and with it the sweep.
        let mut over = false;
        for (&host, server) in Host::tested(config).iter().zip(1..) {
            let outcome = if over {
                Outcome::default()
            } else {
                self.test(host, server, rate, config, world)?
            };
            let Outcome { figures, report, unprepared } = outcome;
            over |= unprepared;
            if over && servers.is_empty() && report.is_none() {
                // A row of nothing says nothing.
                return Err(Ended(MIGRATION_FAILED));
            }
            cells.extend(self.results.cells(|figure| figures.get(figure).map(str::to_owned)));
            let mut figures = json::figures(&figures);
            if self.migrations.is_some() {
                behind.extend(migrate::cells(report.as_deref()));
                figures.extend(migrate::figures(report.as_deref()));
                match report.as_deref() {
                    Some(report) => over |= self.is_over(rate, report, world),
                    None => self.all_through = false,
                }
            }
            servers.push(Tested { host: host.name(config), figures, report });
        }
        cells.extend(behind);
        self.results.row(&demanded, cells, world)?;
        let step = Step { rate: rate.value, dem_req_rate: perl::number(&demanded), servers };
        self.beside.push(&step, world)?;
        if over { Err(Ended(MIGRATION_FAILED)) } else { Ok(step) }
    }

    /// Tells what went wrong with the migration of a test; whether no other one may
    /// follow it.
    fn is_over(&mut self, rate: &Rate, report: &Report, world: &mut World<'_>) -> bool {
        let (went, reasons) = migrate::went(report);
        for reason in reasons {
            world.say(format_args!("autobench: rate {}: {reason}", rate.text));
        }
        self.all_through &= went == Went::Well;
        if went == Went::Unknown {
            world.say("autobench: ended, since the migration may still be going on");
        }
        went == Went::Unknown
    }

    /// One test of one server, with its migration.
    fn test(
        &self,
        host: Host,
        server: u32,
        rate: &Rate,
        config: &Config,
        world: &mut World<'_>,
    ) -> Result<Outcome, Ended> {
        let moment = Moment { step: self.step, server, host: host.name(config), rate: &rate.text };
        let migration = self.migrations.as_ref().map(|migrations| migrations.at(moment));
        let migration = migration
            .transpose()
            .map_err(|error| world.fatal(format_args!("autobench: {error}"), FATAL))?;
        test(host, rate, config, self.tester, migration, world)
    }
}

fn steps(run: &mut Run<'_>, world: &mut World<'_>) -> Result<(), Ended> {
    let rates = Rates::of(run.config);
    let stands_still = rates.stand_still();
    for rate in rates {
        run.row(&rate, run.config, world)?;
    }
    if stands_still {
        world.say("autobench: rate_step is not above 0, so there is only one rate");
    }
    Ok(())
}

fn search(mut highest: Highest, run: &mut Run<'_>, world: &mut World<'_>) -> Result<(), Ended> {
    while let Some((rate, connections)) = highest.next() {
        let mut config = run.config.clone();
        config.set("num_conn", &connections);
        config.set("const_test_time", "0");
        let step = run.row(&rate, &config, world)?;
        let report = step.servers.first().and_then(|server| server.report.as_deref());
        highest.tell(rate.value, step.dem_req_rate, report);
    }
    world.say(format_args!("autobench: {}", highest.answer()));
    Ok(())
}

/// Complains about what is missing; only names that do not resolve and a test time
/// that is too short stop the sweep.
fn check(config: &Config, world: &mut World<'_>) -> Result<(), Ended> {
    let rates: &[&str] = match config.get("slo") {
        "" => &["low_rate", "high_rate", "rate_step"],
        _ => &["low_rate", "high_rate"],
    };
    for (&host, rates) in Host::tested(config).iter().zip([rates, &[]]) {
        let keys = [rates, &host.keys()[..]].concat();
        complain_about_missing(&keys, config, world);
        check_host(host, config, world)?;
    }
    match sweep::complaint_about_time(config) {
        Some(complaint) => Err(world.fatal(complaint, FATAL)),
        None => Ok(()),
    }
}

/// One test of one server.
fn test(
    host: Host,
    rate: &Rate,
    config: &Config,
    tester: &dyn Tester,
    migration: Option<Migration>,
    world: &mut World<'_>,
) -> Result<Outcome, Ended> {
    let num_conn = sweep::connections(config, rate.value);
    let mut checked = config.clone();
    checked.set("num_conn", &num_conn);
    complain_about_missing(&["num_conn", "num_call", "timeout"], &checked, world);

    let test = Test::of_host(config, host, &num_conn, &rate.text);
    if config.is_true("debug") {
        world.say(format_args!("httperf {}{}", test.line(config), config.pass_through()));
    }
    let copy = (!config.is_true("quiet")).then_some(&mut *world.out);
    let mut reader = Reader::new(copy.map(|out| out as &mut dyn Write));
    let never = AtomicBool::new(false);
    let tested =
        test.arguments(config).map_err(TestError::from).and_then(|arguments| match migration {
            None => tester.test(&arguments, &mut reader, &never),
            Some(migration) => tester.test_migrating(&arguments, &mut reader, &never, migration),
        });
    let figures = reader.finish();
    let report = match tested {
        Ok(TestRun { report, .. }) => report,
        Err(TestError::Output(error)) if error.kind() == ErrorKind::BrokenPipe => {
            return Err(Ended(READER_GONE));
        }
        Err(error @ TestError::Output(_)) => {
            return Err(world.fatal(format_args!("autobench: {error}"), 1));
        }
        Err(error @ TestError::Unprepared(_)) => {
            world.say(format_args!("autobench: rate {}: {error}", rate.text));
            return Ok(Outcome { unprepared: true, ..Outcome::default() });
        }
        Err(error) => {
            world.say(format_args!("autobench: {error}"));
            None
        }
    };
    if !figures.has_replies() {
        world.say(format_args!("Zero replies received, test invalid: rate {}", rate.text));
    }
    Ok(Outcome { figures, report, unprepared: false })
}
