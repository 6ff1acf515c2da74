//! Several machines, each with its own trigger and URL.

use loadgen_core::migration::{
    MOST_MACHINES, MachineProgress, MigrationError, MigrationRun, Migrations, MigrationsError,
    MigrationsReport, Stage, TriggerSpec, render_migrations_text,
};
use loadgen_core::printable::printable;
use loadgen_core::report::render_text;
use loadgen_core::{Event, Snapshot};

use super::Args;
use crate::command::conclude::{Judged, conclude_with};
use crate::exit::{Exit, Failure};
use crate::interrupt::Interrupt;
use crate::messages::note;
use crate::options::Format;
use crate::output::{Delivery, Place, check_writable};
use crate::progress::Progress;

/// Migrates them.
pub(super) fn main(args: &Args) -> Result<Exit, Failure> {
    let interrupt = Interrupt::install("stopping: reporting what was measured so far")?;
    let format = args.output.format()?;
    let file = args.output.file();
    if let Some(path) = file {
        check_writable(path)?;
    }
    let migrations = migrations(args)?;
    let quiet = args.output.quiet;
    args.tell_of_no_probe();
    let mut display = Display::new(quiet, args.triggers.len());
    let outcome = migrations.run(interrupt.flag(), &mut |now| display.show(now));
    display.progress.finish();
    let report = match outcome {
        Ok(report) => report,
        Err(error) if interrupt.is_raised() => return Ok(interrupt.before_the_load(&error)),
        Err(error) => return Err(failure(error)),
    };
    let text = match format {
        Format::Text => text(&report),
        Format::Json => report.to_json_pretty().map_err(anyhow::Error::from)?,
    };
    let json = || Ok(report.to_json_pretty().map_err(anyhow::Error::from)?);
    let written = Place(file.map(std::path::Path::to_owned)).write(&text, json)?;
    let delivery = match written {
        Exit::Done => Delivery::InPlace,
        _ => Delivery::Elsewhere,
    };
    if let Some(path) = file.filter(|_| delivery == Delivery::InPlace && !quiet) {
        note(&format!("report written to {}", path.display()));
    }
    let reports = report.machines.iter().filter_map(|machine| {
        Some((format!("machine {}: ", machine.machine), machine.report.as_ref()?))
    });
    let reports: Vec<_> = reports.collect();
    let judged = Judged { verdict: &report.verdict, reports: &reports };
    Ok(conclude_with(judged, &args.workload.load.slo, delivery, &interrupt, quiet))
}

fn failure(error: MigrationsError) -> Failure {
    let (of, error) = match error {
        MigrationsError::Machine { machine, error: MigrationError::Run(error) } => {
            (format!("machine {machine}"), error)
        }
        MigrationsError::All(error) => ("the loads of all machines".to_owned(), error),
        other => return Failure::Run(anyhow::anyhow!("{other}")),
    };
    match Failure::from(error) {
        Failure::Usage(why) => Failure::Usage(format!("{of}: {why}")),
        Failure::Run(why) => Failure::Run(why.context(of)),
    }
}

/// The loads and their migrations.
fn migrations(args: &Args) -> Result<Migrations, Failure> {
    check(args)?;
    let mut urls = args.urls.iter();
    let mut all = Migrations::in_order(args.order.unwrap_or_default());
    for spec in &args.triggers {
        let url = match spec {
            TriggerSpec::Simulated(_) => None,
            _ => urls.next().map(String::as_str),
        };
        all = all.with_machine(args.machine(spec, url)?);
    }
    Ok(all)
}

fn check(args: &Args) -> Result<(), Failure> {
    args.check_strategy()?;
    if args.triggers.len() > MOST_MACHINES {
        return Err(Failure::usage(format!("a run moves at most {MOST_MACHINES} machines")));
    }
    if args.workload.target.connects_elsewhere() {
        return Err(Failure::usage(
            "--connect-to would lead the loads of all machines to one place: leave it out with several \
             machines",
        ));
    }
    if args.also_order.is_some() {
        return Err(Failure::usage(
            "--also-order is for --also: with several --trigger it is --order",
        ));
    }
    if !args.also.is_empty() {
        return Err(Failure::usage(
            "--also moves machines beside the one that is loaded: with more than one --trigger each \
             machine has a load of its own",
        ));
    }
    if args.measuring.has_calls_log() {
        return Err(Failure::usage("--calls-log is for one machine: leave it out with several"));
    }
    let moved = args.triggers.iter().filter(|spec| !matches!(spec, TriggerSpec::Simulated(_)));
    let (moved, urls) = (moved.count(), args.urls.len());
    if moved != urls {
        return Err(Failure::usage(format!(
            "{moved} triggers need a URL each, but {urls} were given: give them in the same order (a \
             simulated machine brings its own)"
        )));
    }
    Ok(())
}

/// The table, the sums, and the report of each machine.
pub(in crate::command) fn text(report: &MigrationsReport) -> String {
    let mut text = render_migrations_text(report);
    for machine in &report.machines {
        text.push_str(&format!("\n==> machine {} <==\n", machine.machine));
        match (&machine.report, &machine.error) {
            (Some(report), _) => text.push_str(&render_text(report)),
            (None, Some(error)) => text.push_str(&format!("its run broke: {}\n", printable(error))),
            (None, None) => {}
        }
    }
    text
}

/// The progress of all machines as one.
struct Display {
    progress: Progress,
    /// Of each machine: where it stands, and the counters of its load.
    machines: Vec<(Stage, Snapshot)>,
}

impl Display {
    fn new(quiet: bool, machines: usize) -> Self {
        let machines = vec![(Stage::WarmingUp, Snapshot::default()); machines];
        Self { progress: Progress::new(quiet, None), machines }
    }

    fn show(&mut self, now: &MachineProgress) {
        if let Some(event) = &now.event {
            // What we did ourselves is not told.
            if event.source != "loadgen" {
                let source = format!("machine {}: {}", now.machine, event.source);
                let mut told = Event::new(event.kind.clone(), event.at, event.uncertainty, &source);
                told.attributes.clone_from(&event.attributes);
                self.progress.event(&told);
            }
        }
        if let Some(machine) = self.machines.get_mut(now.machine.saturating_sub(1)) {
            *machine = (now.stage, now.snapshot);
        }
        self.progress.update(&sum(&self.machines), stage(&self.machines).name());
    }
}

/// What is shown of all: that one is being moved, or where the last one stands.
fn stage(machines: &[(Stage, Snapshot)]) -> Stage {
    let all = [Stage::Migrating, Stage::WarmingUp, Stage::Before, Stage::After];
    let is_there = |stage: &Stage| machines.iter().any(|machine| machine.0 == *stage);
    all.into_iter().find(is_there).unwrap_or(Stage::Draining)
}

/// The counters of all; the longest time and the worst percentile.
fn sum(machines: &[(Stage, Snapshot)]) -> Snapshot {
    machines.iter().fold(Snapshot::default(), |mut all, (_, one)| {
        all.elapsed = all.elapsed.max(one.elapsed);
        all.offered += one.offered;
        all.started += one.started;
        all.answered += one.answered;
        all.wrong += one.wrong;
        all.failed += one.failed;
        all.shed += one.shed;
        all.in_flight += one.in_flight;
        if one.p99_us > all.p99_us {
            all.p99_us = one.p99_us;
        }
        all
    })
}

impl Args {
    /// The load and the migration of one of several machines.
    fn machine(&self, spec: &TriggerSpec, url: Option<&str>) -> Result<MigrationRun, Failure> {
        let (trigger, url) = self.trigger_of(spec, url)?;
        let plan = self.plan(&url)?;
        plan.validate()?;
        Ok(self.run_of(plan, trigger))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_moves_is_shown_however_the_others_stand() {
        let of = |stages: &[Stage]| {
            let machines: Vec<_> =
                stages.iter().map(|stage| (*stage, Snapshot::default())).collect();
            stage(&machines)
        };
        assert_eq!(of(&[Stage::After, Stage::Before]), Stage::Before);
        assert_eq!(of(&[Stage::After, Stage::Migrating]), Stage::Migrating);
        assert_eq!(of(&[Stage::Migrating, Stage::Before]), Stage::Migrating);
        assert_eq!(of(&[Stage::Before, Stage::WarmingUp]), Stage::WarmingUp);
        assert_eq!(of(&[Stage::Draining, Stage::After]), Stage::After);
        assert_eq!(of(&[Stage::Draining; 2]), Stage::Draining);
    }
}
