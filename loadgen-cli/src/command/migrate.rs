//! `loadgen migrate`: one migration under load.

mod several;

pub(super) use several::text as text_of_several;

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use loadgen_core::calls_file::CallsFile;
use loadgen_core::migration::{
    CommandTrigger, Evacuation, EvacuationOrder, MigrationError, MigrationOrder, MigrationRun,
    ReachCheck, SimulatedTrigger, SimulatedVm, Strategy, Trigger, TriggerError, TriggerSpec,
};
use loadgen_core::units::{parse_duration, parse_rate};
use loadgen_core::{Plan, Schedule};

use super::conclude::conclude;
use crate::exit::{Exit, Failure};
use crate::interrupt::Interrupt;
use crate::messages::note;
use crate::options::{MeasuringOptions, OutputOptions, Workload, reach_rate};
use crate::output::Destination;
use crate::progress::Progress;

/// Migrate a virtual machine under load and report what its users felt
#[derive(Debug, clap::Args)]
#[command(after_long_help = AFTER)]
pub(crate) struct Args {
    /// http://, https:// or unix: URL of the server in the machine that is migrated
    ///
    /// The simulated migration brings its own server: leave the URL out. With several --trigger, one
    /// for each, in the same order.
    #[arg(value_name = "URL")]
    urls: Vec<String>,

    /// What migrates the machine: simulated:…, command:PROGRAM ARGS, qmp:SOCKET,to=URI,…,
    /// libvirt:DOMAIN,to=URI,…, opennebula:VM,host=HOST,… or http:RECIPE.toml,KEY=VALUE,… (give it
    /// again for each further machine, which has a URL and a load of its own)
    #[arg(long = "trigger", value_name = "SPEC", default_value = "simulated", help_heading = "Migration",
          long_help = TRIGGER)]
    triggers: Vec<TriggerSpec>,

    /// Of several --trigger: whether their machines are moved together or one after the other
    /// [default: parallel]
    ///
    /// parallel or sequential. No machine is moved before all loads have had their time before it, and
    /// all go on until the last one is done. If one of a sequence is not moved, those behind it
    /// stay.
    #[arg(long, value_name = "ORDER", help_heading = "Migration")]
    order: Option<MigrationOrder>,

    /// How a command: trigger is to move the machine: pre-copy, post-copy or stop-and-copy
    ///
    /// The program is told by LOADGEN_STRATEGY, and the report says it. The other triggers have
    /// a key strategy= of their own. [default: nothing is told]
    #[arg(long, value_name = "STRATEGY", help_heading = "Migration")]
    strategy: Option<Strategy>,

    /// Migrate this machine, too, as when a host is emptied (may come again)
    ///
    /// The load is that of the machine of --trigger, and so are rounds, downtime and what its
    /// hypervisor says. The migration begins with the first machine and ends with the last; the
    /// others are marks on the timeline, and the report has the figures of each.
    #[arg(long, value_name = "SPEC", help_heading = "Migration")]
    also: Vec<TriggerSpec>,

    /// When the others are migrated: parallel, or one by one before or after the loaded machine
    /// [default: parallel]
    #[arg(long, value_name = "ORDER", help_heading = "Migration")]
    also_order: Option<EvacuationOrder>,

    /// Load before the migration (after the warm-up), which later figures are compared with
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = parse_duration,
          help_heading = "Migration")]
    before: Duration,

    /// Load after the end of the migration, to see the recovery
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = parse_duration,
          help_heading = "Migration")]
    after: Duration,

    /// Cancel a migration that has not ended this long after its start
    #[arg(long, value_name = "TIME", default_value = "600s", value_parser = parse_duration,
          help_heading = "Migration")]
    migration_limit: Duration,

    /// Calls (with --session: sessions) a second of the load, such as 1000, 3k or 60/m [default: 100]
    ///
    /// Open loop: the schedule alone says when a call starts, and no slow reply moves it.
    #[arg(long, short, value_name = "RATE", value_parser = parse_rate, help_heading = "Load",
          conflicts_with = "stages")]
    rate: Option<f64>,

    /// Second stream beside the load: calls a second, each over a fresh connection; 0: none
    /// [default: 100; none with --calls-per-connection 1]
    ///
    /// Kept-alive clients and newcomers feel different outages. The denser the calls, the
    /// tighter the bound of the outage.
    #[arg(long, value_name = "RATE", value_parser = parse_rate, help_heading = "Load")]
    probe_rate: Option<f64>,

    /// How to ask whether the machine's kernel answers: auto, rst:PORT, icmp, syn or off
    ///
    /// It tells for how long the network lost packets to the machine, without the hypervisor's
    /// help. rst:PORT sends SYNs to a closed port, icmp echo requests, syn SYNs to the
    /// service's port, which are reset at once; auto takes the first of these that is answered
    /// before the load (syn at 50/s at most). A machine with an address of this host is not checked.
    #[arg(long, value_name = "HOW", default_value = "auto", help_heading = "Migration")]
    reach_check: ReachCheck,

    /// Reach checks a second, 1/s to 1000/s: more give tighter bounds
    #[arg(long, value_name = "RATE", default_value = "200", value_parser = reach_rate,
          help_heading = "Migration")]
    reach_rate: f64,

    #[command(flatten)]
    workload: Workload,
    #[command(flatten)]
    measuring: MeasuringOptions,
    #[command(flatten)]
    output: OutputOptions,
}

const TRIGGER: &str = "\
What migrates the machine

simulated:[KEY=VALUE,…]  A server of its own that behaves like a machine under migration; nothing \
is moved. strategy=pre-copy (or post-copy, stop-and-copy), memory=512MiB, dirty=10MiB/s, \
working-set=MEMORY, bandwidth=64MiB/s, downtime=300ms, max-rounds=30, post-copy-after=1s, \
brownout=2ms, faults=20ms, delay=1ms, body=100B, seed=SEED.

command:PROGRAM [ARGS]  Any program. Exit 0 means that the migration completed, any other code \
that it failed, also after an event that says completed; what it prints to stdout must be events, a JSON object a line, such as \
{\"event\":\"stop\",\"t\":UNIX_SECONDS} or {\"event\":\"completed\",\"on_target\":true} (docs/triggers.md has \
them all); SIGTERM asks it to give the migration up. Words are split as by a shell, but no shell runs. Its environment has \
LOADGEN_RUN_ID, LOADGEN_TRIAL and, with --strategy, LOADGEN_STRATEGY.

qmp:SOCKET,to=URI[,KEY=VALUE…]  QEMU. SOCKET (a path, or tcp:HOST:PORT) is the QMP socket of the \
source, URI the place to migrate to, such as tcp:10.0.0.2:4444. peer=SOCKET (QMP of the target; \
without it neither RESUME nor the arrival is seen), listen=URI, strategy=pre-copy (or post-copy, \
stop-and-copy, or hybrid: post-copy after the first pass; add what helps, as in \
pre-copy+auto-converge: xbzrle, multifd, multifd-zlib, multifd-zstd, preempt), max-bandwidth=32MiB/s, max-postcopy-bandwidth=RATE, downtime-limit=300ms, \
postcopy-after=1s (or pass), capability=NAME (may come again; all others are switched off, and put \
back at the end), parameter=NAME:VALUE (at both sides, such as multifd-channels:4), clock=auto (or local, remote: whether the \
timestamps of QEMU count, or when they were received; auto is local for a path and remote for tcp: \
say remote when the path is forwarded from another host).

libvirt:DOMAIN,to=URI[,KEY=VALUE…]  A machine of libvirt, by virsh. URI is the libvirt to migrate to, such as \
qemu+ssh://node2/system. connect=URI (the source; as virsh has it), target=URI (the target as it is reached from here, if \
not by to=), strategy= as of qmp (without preempt), max-bandwidth=32MiB/s, max-postcopy-bandwidth=32MiB/s (whole MiB/s), \
downtime-limit=300ms, postcopy-after=1s (or pass), p2p, flag=NAME or NAME:VALUE (another option of virsh migrate, such as \
flag=persistent; may come again), clock=auto (local without a host in the URI), virsh=PROGRAM. Nobody is asked for a \
password: let ssh log in by a key.

opennebula:VM,host=HOST[,KEY=VALUE…]  A machine of OpenNebula 3.4 to 7.4, by its XML-RPC interface. VM and HOST are \
numbers or names. endpoint=URL (as OpenNebula's own programs find it: ONE_XMLRPC, ~/.one/one_endpoint, or \
http://localhost:2633/RPC2), auth=FILE (its first line is USER:PASSWORD; ONE_AUTH, or ~/.one/one_auth), live or cold, \
enforce (check the host's capacity), poll=500ms, ca=FILE (certificates to trust). It knows no moment better than by the \
time between two polls, and neither stop nor resume: libvirt-events=URI,URI (libvirt of both hosts) or qmp=SOCKET,SOCKET \
hears them beneath it; clock=, domain= and virsh= work as for libvirt: and for the machine's name there.

http:RECIPE.toml[,KEY=VALUE…]  Any manager that is asked over HTTP. The recipe says what is asked, how it is known what \
became of it, and which keys it has; examples/recipes has those of KubeVirt, Harvester, Proxmox, Nova, Incus and Cloud \
Hypervisor. Secrets are read from variables or files that the recipe names. poll=500ms, and libvirt-events=, qmp=, clock=, \
domain=, virsh= as of opennebula.";

/// The first calls of a process meet cold caches and connections; they would make
/// the baseline look unsteady.
const WARM_UP: Duration = Duration::from_secs(1);

/// Calls a second unless the user says otherwise.
const RATE: f64 = 100.0;

/// Newcomers beside the load, a second, unless the user says otherwise.
const PROBE_RATE: f64 = 100.0;

const AFTER: &str = "\
The first SIGINT, SIGTERM or SIGHUP cancels a migration under way (where its trigger can) and
reports what was measured; a second one leaves at once, and the migration to itself.

Examples:
  loadgen migrate                                            simulated, about 20 s
  loadgen migrate --rate 1000 --trigger simulated:strategy=post-copy,memory=1GiB -o report.json
  loadgen migrate http://10.0.0.5/ --rate 500 \\
      --trigger qmp:/run/source.sock,to=tcp:10.0.0.2:4444,peer=/run/target.sock
  loadgen migrate http://10.0.0.5/ --trigger libvirt:web1,to=qemu+ssh://node2/system
  loadgen migrate http://10.0.0.5/ --trigger opennebula:web1,host=node2
  KUBE_TOKEN=… loadgen migrate http://10.0.0.5/ \\
      --trigger http:examples/recipes/kubevirt.toml,server=https://10.0.0.1:6443,vm=web1
  loadgen migrate http://10.0.0.5/ http://10.0.0.6/ --order sequential \\
      --trigger libvirt:web1,to=qemu+ssh://node2/system \\
      --trigger libvirt:web2,to=qemu+ssh://node2/system
  loadgen migrate http://10.0.0.5/ --trigger 'command:./migrate.sh web1 node2' --before 30s";

pub(crate) fn main(args: Args) -> Result<Exit, Failure> {
    if args.triggers.len() > 1 {
        return several::main(&args);
    }
    let interrupt = Interrupt::install("stopping: reporting what was measured so far")?;
    let destination = Destination::prepare(&args.output)?;
    let (run, calls) = args.migration()?;
    let quiet = args.output.quiet;
    args.tell_of_no_probe();
    let mut progress = Progress::new(quiet, None);
    let outcome = run.run(interrupt.flag(), &mut |now| {
        if let Some(event) = now.event {
            progress.event(event);
        }
        progress.update(&now.snapshot, now.stage.name());
    });
    progress.finish();
    let mut report = match outcome {
        Ok(report) => report,
        Err(error) if interrupt.is_raised() => return Ok(interrupt.before_the_load(&error)),
        Err(MigrationError::Run(error)) => return Err(error.into()),
        Err(error) => return Err(Failure::Run(error.into())),
    };
    // The run has let go of it by now.
    if let Some(calls) = calls.and_then(Arc::into_inner) {
        calls.finish(&mut report);
    }
    conclude(&report, &args.workload.load.slo, &destination, &interrupt, quiet)
}

impl Args {
    /// The load and its migration, and the file of its calls, created, if one is wanted.
    pub(super) fn migration(&self) -> Result<(MigrationRun, Option<Arc<CallsFile>>), Failure> {
        let (trigger, url) = self.trigger()?;
        let plan = self.plan(&url)?;
        plan.validate()?;
        let run = self.run_of(plan, trigger);
        let calls = self.measuring.calls_file()?.map(Arc::new);
        let run = match calls.clone() {
            Some(calls) => run.with_call_sinks(move |of| calls.sink(of)),
            None => run,
        };
        Ok((run, calls))
    }

    fn run_of(&self, plan: Plan, trigger: Box<dyn Trigger>) -> MigrationRun {
        MigrationRun::new(plan, trigger)
            .with_before(self.before)
            .with_after(self.after)
            .with_limit(self.migration_limit)
            .with_reach_check(self.reach_check, self.reach_rate)
    }

    /// Whether the options make sense, as far as that can be told without touching anything.
    pub(super) fn check(&self) -> Result<(), Failure> {
        self.check_trigger()?;
        for spec in self.triggers.iter().chain(&self.also) {
            if let TriggerSpec::Simulated(settings) = spec {
                let pairs = settings.iter().map(|(key, value)| (key, value));
                SimulatedVm::from_pairs(pairs).map_err(as_failure)?;
            }
        }
        // The server of a simulated machine has an address once it runs.
        let url = self.url().unwrap_or("http://127.0.0.1/");
        Ok(self.plan(url)?.validate()?)
    }

    /// Whether the trigger can do what it will be asked for, as it says itself.
    pub(super) fn check_on_the_spot(&self) -> Result<(), Failure> {
        for spec in self.triggers.iter().chain(&self.also) {
            // A simulated machine can do all that its options say, and need not be started for it.
            if matches!(spec, TriggerSpec::Simulated(_)) {
                continue;
            }
            // A machine that does not answer now may do so in its trial.
            let checked = self.trigger_of(spec, self.url())?.0.check();
            if let Err(error @ (TriggerError::Refused { .. } | TriggerError::Unsupported(_))) =
                checked
            {
                return Err(Failure::Run(error.into()));
            }
        }
        Ok(())
    }

    /// How long a trial takes at least: its load before and after the migration.
    pub(super) fn shortest(&self) -> Duration {
        let warm_up = self.workload.load.warmup.unwrap_or(WARM_UP);
        warm_up + self.before + self.after
    }

    /// The trigger, and the URL of the server that it migrates.
    fn trigger(&self) -> Result<(Box<dyn Trigger>, String), Failure> {
        self.check_trigger()?;
        let spec = self.triggers.first().ok_or_else(|| Failure::usage("there is no trigger"))?;
        let (trigger, url) = self.trigger_of(spec, self.url())?;
        if self.also.is_empty() {
            return Ok((trigger, url));
        }
        let mut all = Evacuation::new(trigger).in_order(self.also_order.unwrap_or_default());
        for other in &self.also {
            all = all.with_other(self.trigger_of(other, self.url())?.0);
        }
        Ok((Box::new(all), url))
    }

    /// That of one machine.
    fn trigger_of(
        &self,
        spec: &TriggerSpec,
        url: Option<&str>,
    ) -> Result<(Box<dyn Trigger>, String), Failure> {
        if let TriggerSpec::Simulated(settings) = spec {
            let program = std::env::current_exe().context("cannot find this program itself")?;
            let mut child = Command::new(program);
            child.args(["target", "--simulated-vm"]);
            let own_seed = settings.iter().any(|(key, _)| key == "seed");
            let vm = SimulatedVm::from_pairs(settings.iter().map(|(key, value)| (key, value)));
            let vm = vm.map_err(as_failure)?;
            let vm = if own_seed { vm } else { vm.with_seed(self.workload.load.seed) };
            let simulated = SimulatedTrigger::start(child, vm).map_err(as_failure)?;
            let url = simulated.url().to_owned();
            return Ok((Box::new(simulated), url));
        }
        let url = url.unwrap_or_default().to_owned();
        let trigger: Box<dyn Trigger> = match spec.clone() {
            TriggerSpec::Command { argv } => {
                let trigger = CommandTrigger::new(argv).map_err(as_failure)?;
                Box::new(match self.strategy {
                    Some(strategy) => trigger.with_strategy(strategy),
                    None => trigger,
                })
            }
            other => other.into_trigger().map_err(as_failure)?,
        };
        Ok((trigger, url))
    }

    /// Whether the trigger goes together with the URL and the options.
    fn check_trigger(&self) -> Result<(), Failure> {
        self.check_one()?;
        if self.order.is_some() {
            return Err(Failure::usage(
                "--order needs more than one --trigger (of machines beside the loaded one: --also-order)",
            ));
        }
        if self.also_order.is_some() && self.also.is_empty() {
            return Err(Failure::usage(
                "--also-order needs --also SPEC: there is no other machine",
            ));
        }
        self.check_strategy()?;
        if let Some(TriggerSpec::Simulated(_)) = self.triggers.first() {
            if let Some(url) = self.url() {
                return Err(Failure::usage(format!(
                    "nothing here migrates the machine behind '{url}': give --trigger command:…, \
                     qmp:…, libvirt:…, opennebula:… or http:…, or leave the URL out for the simulated \
                     migration, which brings its own server"
                )));
            }
            if self.workload.target.connects_elsewhere() {
                return Err(Failure::usage(
                    "--connect-to leads away from the server of the simulated migration: leave it \
                     out, or give another --trigger",
                ));
            }
        } else if self.url().is_none() {
            return Err(Failure::usage(
                "the trigger needs the URL of the server in the machine that it migrates: loadgen \
                 migrate URL --trigger SPEC",
            ));
        }
        Ok(())
    }

    /// Whether there is one machine under load.
    pub(super) fn check_one(&self) -> Result<(), Failure> {
        match (self.triggers.len(), self.urls.len()) {
            (0 | 1, 0 | 1) => Ok(()),
            (0 | 1, _) => Err(Failure::usage(
                "give a --trigger for each URL: what migrates the machine behind it",
            )),
            _ => Err(Failure::usage("one machine is loaded here: give one trigger and one URL")),
        }
    }

    /// Whether somebody is told the strategy.
    fn check_strategy(&self) -> Result<(), Failure> {
        let mut specs = self.triggers.iter().chain(&self.also);
        if self.strategy.is_some() && !specs.any(|spec| matches!(spec, TriggerSpec::Command { .. }))
        {
            return Err(Failure::usage(
                "--strategy is for command: triggers; give this one its key, as in \
                 --trigger simulated:strategy=post-copy",
            ));
        }
        Ok(())
    }

    /// That of the machine, where there is one.
    fn url(&self) -> Option<&str> {
        self.urls.first().map(String::as_str)
    }

    fn tell_of_no_probe(&self) {
        if self.is_without_probe() && !self.output.quiet {
            note(
                "no probe: with --calls-per-connection 1 the load itself opens a connection for each \
                 call",
            );
        }
    }

    /// Whether there is no probe only because the load is one of newcomers already.
    fn is_without_probe(&self) -> bool {
        self.probe_rate.is_none() && self.workload.connections.are_fresh()
    }

    /// The rate of the newcomers beside the load, if there are any.
    fn probe_rate(&self) -> Option<f64> {
        let default = if self.is_without_probe() { 0.0 } else { PROBE_RATE };
        Some(self.probe_rate.unwrap_or(default)).filter(|rate| *rate > 0.0)
    }

    fn plan(&self, url: &str) -> Result<Plan, Failure> {
        let load = &self.workload.load;
        let schedule = match (self.rate, load.stages, self.workload.requests.recorded()) {
            (None, Some(profile), _) => Schedule::Profile(profile),
            (None, None, Some(recorded)) => recorded,
            (rate, ..) => load.schedule(rate.unwrap_or(RATE)),
        };
        let loads = self.workload.connections.warm_loads(schedule, self.probe_rate());
        Ok(self.measuring.apply(self.workload.plan(url, loads, WARM_UP)?))
    }
}

/// A wrong specification is a matter of usage, anything else of the machine.
fn as_failure(error: TriggerError) -> Failure {
    match error {
        TriggerError::Spec(_) => Failure::usage(error),
        error => Failure::Run(error.into()),
    }
}
