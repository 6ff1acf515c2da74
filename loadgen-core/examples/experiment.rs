//! A factor and a testbed of one's own: how does the delay of a server change what its users wait
//! for? Three trials of each delay, in blocks; each has a server of its own, which is started for it.
//!
//! ```sh
//! cargo run --release -p loadgen-core --example experiment [DIRECTORY]
//! ```
#![allow(clippy::print_stdout, reason = "its result")]

use std::time::Duration;

use loadgen_core::experiment::{
    Design, Experiment, ExperimentPlan, Factor, Summary, Testbed, TestbedError, TrialContext,
    TrialRun, Values, render_text,
};
use loadgen_core::target_server::{RunningTarget, TargetOptions, TargetServer};
use loadgen_core::{Engine, Load, Plan, Schedule};

struct Server(Option<RunningTarget>);

impl Testbed for Server {
    fn up(&mut self, trial: &TrialContext<'_>) -> Result<Values, TestbedError> {
        let millis = trial.level("delay_ms").parse().map_err(TestbedError::new)?;
        let options = TargetOptions::new().with_delay(Duration::from_millis(millis));
        let server = TargetServer::bind(options).and_then(TargetServer::spawn);
        let server = self.0.insert(server.map_err(TestbedError::new)?);
        Ok(Values::from([("url".to_owned(), server.url())]))
    }

    fn down(&mut self, _: &TrialContext<'_>) -> Result<(), TestbedError> {
        self.0 = None;
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let temporary = std::env::temp_dir().join(format!("experiment-{}", std::process::id()));
    let directory = std::env::args().nth(1).map_or(temporary, Into::into);
    let design = Design::new(3).with_factor(Factor::new("delay_ms", ["2", "20"]));
    let experiment = Experiment::new(ExperimentPlan::new(design), &directory, |trial| {
        let load = Load::established(Schedule::constant(100.0));
        let plan = Plan::new(trial.values["url"].parse()?, load);
        let plan = plan.with_duration(Duration::from_millis(300));
        Ok(TrialRun::measured_by(move |_| Ok(Engine::new(plan)?.run()?)))
    });
    let outcome = experiment.with_testbed(Server(None)).start()?.join()?;
    println!("{} trials, {} left", outcome.trials.len(), outcome.left);
    print!("{}", render_text(&Summary::read(&directory)?));
    Ok(())
}
