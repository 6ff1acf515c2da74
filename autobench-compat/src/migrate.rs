//! `--migrate SPEC`: a migration in the middle of every test, and its columns.

use std::collections::BTreeMap;
use std::time::Duration;

use loadgen_core::Report;
use loadgen_core::migration::{CommandTrigger, Ending, Trigger, TriggerError, TriggerSpec};
use loadgen_core::report::{Migration as Impact, OutageReport, VerdictStatus};
use thiserror::Error;

use crate::config::Config;
use crate::tester::Migration;

/// Seconds after which a migration is given up, unless `migration-limit` says.
const LIMIT_S: u64 = 600;

/// Migrations that cannot be made.
#[derive(Debug, Error)]
pub enum MigrateError {
    /// The SPEC is none.
    #[error("--migrate: {0}")]
    Spec(#[from] TriggerError),
    /// A trigger that brings what is tested.
    #[error(
        "--migrate: 'simulated' brings a server of its own, which is not the one tested here: give \
         command:… or qmp:… ('loadgen migrate' has the simulated one)"
    )]
    Simulated,
    /// A trigger of a later version of the library.
    #[error("--migrate: this version cannot run {0}")]
    Unknown(String),
    /// What it cannot be combined with.
    #[error("--migrate needs the engine of loadgen: leave out --httperf")]
    Program,
    /// A search would migrate at rates that nobody chose.
    #[error(
        "--migrate fires in every step from low_rate to high_rate, and --slo has no steps: leave \
         one of them out"
    )]
    Search,
    /// A limit that is none.
    #[error("--migration-limit is '{0}': give seconds, 1 or more")]
    Limit(String),
}

/// One test, as it is told to the trigger.
#[derive(Debug, Clone, Copy)]
pub struct Moment<'a> {
    /// Row of the results, from 1.
    pub step: u32,
    /// 1 or 2.
    pub server: u32,
    /// Name of the server.
    pub host: &'a str,
    /// Connections per second, as they stand on the line for httperf.
    pub rate: &'a str,
}

/// The migrations of a sweep.
#[derive(Debug)]
pub struct Migrations {
    spec: String,
    limit: Duration,
    run_id: String,
}

impl Migrations {
    /// The migrations that the settings ask for, if they do.
    ///
    /// # Errors
    ///
    /// [`MigrateError`].
    pub fn of(config: &Config) -> Result<Option<Self>, MigrateError> {
        let spec = config.get("migrate").to_owned();
        if spec.is_empty() {
            return Ok(None);
        }
        if config.is_true("httperf") {
            return Err(MigrateError::Program);
        }
        if config.is_true("slo") {
            return Err(MigrateError::Search);
        }
        let limit = match config.get("migration-limit") {
            "" => LIMIT_S,
            text => text
                .parse()
                .ok()
                .filter(|seconds| *seconds > 0)
                .ok_or_else(|| MigrateError::Limit(text.to_owned()))?,
        };
        let run_id = format!("autobench-{}", std::process::id());
        let migrations = Self { spec, limit: Duration::from_secs(limit), run_id };
        // What is wrong with it is told now, not in the middle of the first test.
        migrations.trigger(Moment { step: 1, server: 1, host: "host", rate: "1" })?;
        Ok(Some(migrations))
    }

    /// The migration of one test.
    ///
    /// # Errors
    ///
    /// [`MigrateError`] if the SPEC makes no sense with the values of this test.
    pub fn at(&self, moment: Moment<'_>) -> Result<Migration, MigrateError> {
        Ok(Migration {
            trigger: self.trigger(moment)?,
            limit: self.limit,
            run_id: self.run_id.clone(),
            trial: moment.step,
        })
    }

    fn trigger(&self, moment: Moment<'_>) -> Result<Box<dyn Trigger>, MigrateError> {
        let Moment { step, server, host, rate } = moment;
        let (step, next, server) =
            (step.to_string(), (u64::from(step) + 1).to_string(), server.to_string());
        let places =
            [("{step}", &*step), ("{next}", &next), ("{server}", &server), ("{rate}", rate)];
        let spec = places
            .into_iter()
            .fold(self.spec.clone(), |spec, (place, value)| spec.replace(place, value));
        Ok(match spec.parse::<TriggerSpec>()? {
            TriggerSpec::Command { argv } => Box::new(
                CommandTrigger::new(argv)?
                    .with_variable("AUTOBENCH_STEP", step)
                    .with_variable("AUTOBENCH_SERVER", server)
                    .with_variable("AUTOBENCH_HOST", host)
                    .with_variable("AUTOBENCH_RATE", rate),
            ),
            TriggerSpec::Simulated(_) => return Err(MigrateError::Simulated),
            other => other.into_trigger()?,
        })
    }
}

/// A column: its name before the host's, and its figure.
type Column = (&'static str, fn(&Impact) -> Option<f64>);

/// What a migration adds to a row, behind the columns of the original.
pub const COLUMNS: [Column; 7] = [
    ("migration_time_ms", |m| m.total_migration_time_ms.trigger),
    ("reported_migration_time_ms", |m| m.total_migration_time_ms.hypervisor),
    ("downtime_ms", |m| m.downtime_ms.events),
    ("reported_downtime_ms", |m| m.downtime_ms.reported),
    ("outage_ms", |m| seen(m)?.headline()),
    ("outage_bound_ms", |m| seen(m)?.bound),
    ("migration_errors", |m| m.calls_lost.map(|calls| calls as f64)),
];

/// The outage of the clients, if they saw its end. A test has one population.
fn seen(impact: &Impact) -> Option<&OutageReport> {
    let outages = &impact.outage_ms;
    let outage = outages.established.as_ref().or(outages.fresh.as_ref())?;
    (!outage.headline_is_lower_bound()).then_some(outage)
}

/// The figures of a test by the names of the columns.
#[must_use]
pub fn figures(report: Option<&Report>) -> BTreeMap<&'static str, Option<f64>> {
    let impact = report.and_then(|report| report.migration.as_ref());
    COLUMNS.iter().map(|(name, of)| (*name, impact.and_then(of))).collect()
}

/// The cells of a test, empty where nothing was measured.
#[must_use]
pub fn cells(report: Option<&Report>) -> Vec<String> {
    let impact = report.and_then(|report| report.migration.as_ref());
    let cell = |(name, of): &Column| match impact.and_then(of) {
        Some(calls) if *name == "migration_errors" => format!("{calls:.0}"),
        Some(ms) => format!("{ms:.1}"),
        None => String::new(),
    };
    COLUMNS.iter().map(cell).collect()
}

/// How the migration of a test went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Went {
    /// It completed.
    Well,
    /// It failed, was cancelled or never fired: the machine is where it was.
    NotThrough,
    /// It is not known: it may still be going on.
    Unknown,
}

/// How the migration of a test went, and what there is to say of that.
#[must_use]
pub fn went(report: &Report) -> (Went, &[String]) {
    let was_fired = report.events.iter().any(|event| event.name == "fired");
    let went = match report.migration.as_ref().and_then(|migration| migration.ending) {
        Some(Ending::Completed) => Went::Well,
        Some(_) => Went::NotThrough,
        // The test was over too soon.
        None if !was_fired => Went::NotThrough,
        None => Went::Unknown,
    };
    let tell = went != Went::Well || report.verdict.status == VerdictStatus::Invalid;
    (went, if tell { &report.verdict.reasons[..] } else { &[] })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Option<Migrations>, MigrateError> {
        Migrations::of(&Config::parse(text, "conf", &mut std::io::sink()))
    }

    fn refusal(text: &str) -> String {
        of(text).unwrap_err().to_string()
    }

    #[test]
    fn what_is_asked_for() {
        assert!(of("").unwrap().is_none());
        let migrations = of("migrate = command:./move.sh {step}\n").unwrap().unwrap();
        assert_eq!(migrations.limit, Duration::from_secs(600));
        let migrations = of("migrate = command:x\nmigration-limit = 5\n").unwrap().unwrap();
        assert_eq!(migrations.limit, Duration::from_secs(5));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        assert!(refusal("migrate = simulated\n").contains("brings a server of its own"));
        assert!(refusal("migrate = vmware:x\n").contains("unknown kind 'vmware'"));
        assert!(refusal("migrate = command:\n").contains("needs a program"));
        assert!(refusal("migrate = command:x\nhttperf = httperf\n").contains("--httperf"));
        assert!(refusal("migrate = command:x\nslo = p99<20ms\n").contains("--slo"));
        for limit in ["0", "-1", "soon"] {
            let text = format!("migrate = command:x\nmigration-limit = {limit}\n");
            assert!(refusal(&text).contains(&format!("'{limit}'")), "{limit}");
        }
    }

    #[test]
    fn places_are_filled_in() {
        let spec = "qmp:/run/vm{step}.sock,to=tcp:127.0.0.1:440{next},peer=/run/{x}{next}.sock";
        let migrations = of(&format!("migrate = {spec}\n")).unwrap().unwrap();
        let moment = Moment { step: 3, server: 2, host: "h", rate: "20.5" };
        let mut migration = migrations.at(moment).unwrap();
        assert_eq!((migration.trigger.name(), migration.trial), ("qmp", 3));
        let told = migration.trigger.inspect().unwrap_err().to_string();
        assert!(told.contains("/run/vm3.sock"), "{told}");
        let migrations = of("migrate = command:/no/{server}/{rate}\n").unwrap().unwrap();
        let told = migrations.at(moment).unwrap().trigger.inspect().unwrap_err().to_string();
        assert!(told.contains("/no/2/20.5"), "{told}");
    }

    #[test]
    fn what_was_not_measured_is_an_empty_cell() {
        assert_eq!(cells(None), [""; COLUMNS.len()]);
        assert!(figures(None).values().all(Option::is_none));
    }
}
