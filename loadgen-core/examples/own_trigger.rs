//! A migration under load by a trigger of one's own. This one "migrates" by
//! stopping the server's process for a moment, which is what a stop-and-copy of
//! a small machine looks like from outside.
//!
//! ```sh
//! cargo run --release -p loadgen-core --example own_trigger
//! ```
#![allow(clippy::print_stdout, reason = "its result")]

use std::collections::VecDeque;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use loadgen_core::migration::{Context, MigrationRun, Trigger, TriggerError};
use loadgen_core::{Event, EventKind, Load, Plan, Schedule, Target};

// The trigger: 30 lines are enough.
struct Pause {
    pid: u32,
    context: Option<Context>,
    events: VecDeque<Event>,
}

impl Pause {
    fn signal(&mut self, name: &str, kind: EventKind) -> Result<(), TriggerError> {
        let script = format!("kill -{name} {}", self.pid);
        let failed = |error| TriggerError::io(format!("sending SIG{name}"), error);
        Command::new("sh").args(["-c", &script]).status().map_err(failed)?;
        let now = self.context.as_ref().map_or(0, |context| context.clock.now());
        self.events.push_back(Event::new(kind, now, 1_000_000, "pause"));
        Ok(())
    }
}

impl Trigger for Pause {
    fn name(&self) -> &str {
        "pause"
    }
    fn arm(&mut self, context: &Context) -> Result<(), TriggerError> {
        self.context = Some(context.clone());
        Ok(())
    }
    fn fire(&mut self) -> Result<(), TriggerError> {
        self.signal("STOP", EventKind::Stop)
    }
    fn next_event(&mut self, _timeout: Duration) -> Result<Option<Event>, TriggerError> {
        if self.events.is_empty() {
            std::thread::sleep(Duration::from_millis(300));
            self.signal("CONT", EventKind::Resume)?;
            self.signal("0", EventKind::Completed)?;
        }
        Ok(self.events.pop_front())
    }
}
// End of the trigger.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    if std::env::args().nth(1).as_deref() == Some("serve") {
        return serve();
    }
    let (mut server, url) = start_server()?;
    let load = Load::established(Schedule::constant(200.0));
    let plan = Plan::new(Target::parse(&url)?, load)
        .with_probe(Load::fresh(Schedule::constant(50.0)))
        .with_timeout(Duration::from_secs(2));
    let trigger = Pause { pid: server.id(), context: None, events: VecDeque::new() };
    let report = MigrationRun::new(plan, Box::new(trigger))
        .with_before(Duration::from_secs(2))
        .with_after(Duration::from_secs(2))
        .run(&AtomicBool::new(false), &mut |_| {});
    server.kill()?;
    server.wait()?;
    println!("{}", loadgen_core::report::render_text(&report?));
    Ok(())
}

/// This program again, as the server: it must be a process that can be stopped.
fn start_server() -> Result<(Child, String), Box<dyn std::error::Error>> {
    let mut server =
        Command::new(std::env::current_exe()?).arg("serve").stdout(Stdio::piped()).spawn()?;
    let mut url = String::new();
    if let Some(stdout) = server.stdout.take() {
        std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut url)?;
    }
    Ok((server, url.trim_end().to_owned()))
}

fn serve() -> Result<(), Box<dyn std::error::Error>> {
    use loadgen_core::target_server::{TargetOptions, TargetServer};
    let server = TargetServer::bind(TargetOptions::new().with_delay(Duration::from_millis(1)))?;
    println!("{}", server.url());
    server.run()?;
    Ok(())
}
