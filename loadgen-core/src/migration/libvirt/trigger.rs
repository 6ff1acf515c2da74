//! [`LibvirtTrigger`]: puts the parts together.

use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use super::ears::Ears;
use super::flight::{Flight, Setup};
use super::job_info::{JobInfo, job_under_way};
use super::options::LibvirtOptions;
use super::round_trips;
use super::virsh::Virsh;
use crate::clock::as_millis;
use crate::event::{Event, EventKind};
use crate::migration::side::Side;
use crate::migration::trigger::{
    Context, Ending, Settled, Strategy, Trigger, TriggerError, VmFacts,
};
use crate::secret::without_passwords;

/// How long an abandoned migration is waited for: the report waits.
const ABANDON_LIMIT: Duration = Duration::from_secs(5);

/// Migrates a machine of libvirt, by virsh.
///
/// A trigger that is dropped in mid-migration aborts the migration, as far as that is possible.
#[derive(Debug)]
pub struct LibvirtTrigger {
    options: LibvirtOptions,
    virsh: Virsh,
    /// URI of the source, once virsh has told it.
    source: Option<String>,
    /// Name of the domain, once virsh has told it: it may be given by UUID or number.
    domain: Option<String>,
    ready: Option<(Setup, [Ears; 2])>,
    flight: Option<Flight>,
    /// The downtime limit that the source had, in ms.
    downtime_before: Option<String>,
    details: Map<String, Value>,
}

const NOT_FIRED: TriggerError = TriggerError::Unsupported("the migration was not started yet");

impl LibvirtTrigger {
    /// A trigger; nothing is connected before [`Trigger::inspect`].
    ///
    /// # Errors
    /// [`TriggerError::Spec`] if the options do not go together.
    pub fn new(options: LibvirtOptions) -> Result<Self, TriggerError> {
        options.validate()?;
        let virsh = Virsh::new(options.virsh.clone());
        Ok(Self {
            options,
            virsh,
            source: None,
            domain: None,
            ready: None,
            flight: None,
            downtime_before: None,
            details: Map::new(),
        })
    }

    /// URIs of source and target, as they are reached from here.
    fn uris(&mut self) -> Result<[String; 2], TriggerError> {
        let source = match (&self.source, &self.options.connect) {
            (Some(known), _) => known.clone(),
            (None, Some(given)) => given.clone(),
            (None, None) => self.virsh.ask(None, &["uri"])?,
        };
        self.source = Some(source.clone());
        Ok([source, self.options.target().to_owned()])
    }

    fn of_domain(&self, uri: &str, words: &[&str]) -> Result<String, TriggerError> {
        let words: Vec<&str> = words.iter().copied().chain(["--domain", self.domain()]).collect();
        self.virsh.ask(Some(uri), &words)
    }

    fn domain(&self) -> &str {
        self.domain.as_deref().unwrap_or(&self.options.domain)
    }

    fn refused(&self, reason: String) -> TriggerError {
        TriggerError::refused(format!("migrating the domain '{}'", self.domain()), reason)
    }

    fn limit_downtime(&mut self, source: &str) -> Result<(), TriggerError> {
        let Some(limit) = self.options.downtime_limit else { return Ok(()) };
        let before = self.of_domain(source, &["migrate-getmaxdowntime"])?;
        let limit = limit.as_millis();
        let told = limit.to_string();
        self.of_domain(source, &["migrate-setmaxdowntime", "--downtime", &told])?;
        self.downtime_before = Some(before);
        self.details.insert("downtime_limit_ms".to_owned(), as_json(limit));
        Ok(())
    }

    /// Puts the downtime limit of the source back.
    fn put_back(&mut self) {
        let (Some(before), Some(source)) = (self.downtime_before.take(), self.source.clone())
        else {
            return;
        };
        // A machine that has left takes its limit along, and nobody is to be told of that.
        let _ = self.of_domain(&source, &["migrate-setmaxdowntime", "--downtime", &before]);
    }
}

impl Trigger for LibvirtTrigger {
    fn name(&self) -> &str {
        "libvirt"
    }

    fn strategy(&self) -> Option<Strategy> {
        Some(self.options.strategy)
    }

    fn inspect(&mut self) -> Result<VmFacts, TriggerError> {
        let [source, target] = self.uris()?;
        let shown = [&source, &target].map(|uri| without_passwords(uri));
        // Both sides know it by this name, and events are told by it.
        let dominfo = self.of_domain(&source, &["dominfo"])?;
        let name = dominfo.lines().find_map(|line| line.strip_prefix("Name:")).map(str::trim);
        self.domain = name.map(str::to_owned);
        let state = self.of_domain(&source, &["domstate"])?;
        if state != "running" {
            return Err(self.refused(format!("it does not run at {} (it is {state})", shown[0])));
        }
        let job = self.of_domain(&source, &["domjobinfo", "--rawstats"])?;
        if job_under_way(&job) {
            return Err(self.refused(
                "another job of it is under way (a migration, a save, a dump): virsh domjobinfo \
                 tells of it"
                    .to_owned(),
            ));
        }
        let capabilities =
            [&source, &target].map(|uri| self.virsh.ask(Some(uri), &["capabilities"]));
        let [at_source, at_target] = capabilities;
        let (at_source, at_target) = (at_source?, at_target?);
        if let (Some(one), Some(other)) = (host_uuid(&at_source), host_uuid(&at_target))
            && one == other
        {
            return Err(self.refused(format!(
                "{} are the same host by their UUID ({one}), to which libvirt migrates nothing; \
                 if they are not, give each a host_uuid of its own in libvirtd.conf",
                shown.join(" and ")
            )));
        }
        if let Ok(state) = self.of_domain(&target, &["domstate"])
            && state != "shut off"
        {
            return Err(self.refused(format!(
                "a domain of that name is at {} already (it is {state})",
                shown[1]
            )));
        }
        let version = self.virsh.ask(Some(&source), &["version"])?;
        let told = |name: &str| {
            version
                .lines()
                .find_map(|line| line.strip_prefix(name))
                .map(str::trim)
                .map(str::to_owned)
        };
        let libvirt = told("Using library:");
        let mut facts = VmFacts {
            hypervisor: told("Running hypervisor:").map(|hypervisor| match &libvirt {
                Some(libvirt) => format!("{hypervisor}, {libvirt}"),
                None => hypervisor,
            }),
            memory_bytes: memory_bytes(&dominfo),
            running: Some(true),
            ..VmFacts::default()
        };
        facts.details.insert("domain".to_owned(), self.domain().into());
        Ok(facts)
    }

    /// Whether this virsh knows the options that `migrate` is to have, and both sides answer.
    fn check(&mut self) -> Result<(), TriggerError> {
        let [source, target] = self.uris()?;
        let help = self.virsh.ask(None, &["help", "migrate"])?;
        let known: Vec<&str> = help
            .split(|c: char| c.is_whitespace() || c == '[' || c == ']')
            .filter(|word| word.starts_with("--"))
            .collect();
        let words = self.options.migrate();
        if let Some(unknown) =
            words.iter().find(|word| word.starts_with("--") && !known.contains(&word.as_str()))
        {
            return Err(TriggerError::refused(
                format!("virsh migrate {unknown}"),
                "this virsh has no such option (virsh help migrate lists them)",
            ));
        }
        for uri in [source, target] {
            self.virsh.ask(Some(&uri), &["hostname"])?;
        }
        Ok(())
    }

    fn arm(&mut self, context: &Context) -> Result<(), TriggerError> {
        let uris = self.uris()?;
        self.limit_downtime(&uris[0])?;
        let mapping = |uri: &str| round_trips::mapping(&self.virsh, uri, self.options.clock);
        let mappings = [mapping(&uris[0])?, mapping(&uris[1])?];
        let ears = [
            Ears::open(&self.virsh, &uris[0], context.clock)?,
            Ears::open(&self.virsh, &uris[1], context.clock)?,
        ];
        let options = self.options.migrate();
        self.details.insert("virsh".to_owned(), without_passwords(&options.join(" ")).into());
        let setup = Setup {
            clock: context.clock,
            mappings,
            domain: self.domain().to_owned(),
            uris,
            strategy: self.options.strategy,
            postcopy_after: self.options.postcopy_after,
        };
        self.ready = Some((setup, ears));
        Ok(())
    }

    fn fire(&mut self) -> Result<(), TriggerError> {
        let Some((setup, mut ears)) = self.ready.take() else {
            return Err(TriggerError::Unsupported("the trigger must be armed before it is fired"));
        };
        let clock = setup.clock;
        // What happened before is of something else.
        for ear in &mut ears {
            ear.heard(&setup.domain);
        }
        let at = clock.now();
        let migrate = self.virsh.start(Some(&setup.uris[0]), &self.options.migrate(), clock)?;
        let fired = Event::new(EventKind::Fired, at, clock.now() - at, "libvirt");
        self.flight = Some(Flight::new(setup, self.virsh.clone(), ears, migrate, fired));
        Ok(())
    }

    fn next_event(&mut self, timeout: Duration) -> Result<Option<Event>, TriggerError> {
        self.flight.as_mut().ok_or(NOT_FIRED)?.next_event(timeout)
    }

    fn cancel(&mut self) -> Result<(), TriggerError> {
        self.flight.as_mut().ok_or(NOT_FIRED)?.cancel()
    }

    fn settle(&mut self, last: &Event) -> Result<Settled, TriggerError> {
        let [_, target] = self.uris()?;
        let flight = self.flight.as_ref().ok_or(NOT_FIRED)?;
        let mut settled = Settled::of(last);
        settled.details.clone_from(&self.details);
        // Of a post-copy, and of a job that was aborted, only the source's last event tells.
        // Of any other end, the last job that the target knows is another one.
        let asked = match settled.ending {
            Ending::Completed => {
                let asked = self.of_domain(&target, &["domjobinfo", "--completed", "--rawstats"]);
                asked.map(|text| JobInfo::read(&text)).unwrap_or_default()
            }
            _ => JobInfo::default(),
        };
        let job = if asked.has_memory() { &asked } else { flight.job() };
        if job.has_memory() {
            settled.hypervisor_downtime = job.get("downtime").map(Duration::from_millis);
            settled.transferred_bytes = job.get("memory_processed");
            settled.details.insert("domjobinfo".to_owned(), job.all().into());
        }
        // Its time_elapsed has preparation and tidying up in it: it is no total migration time.
        let (preparation, tidying) = flight.preparation_and_tidying();
        for (name, time) in [("preparation_ms", preparation), ("tidying_up_ms", tidying)] {
            if let Some(time) = time {
                settled.details.insert(name.to_owned(), as_millis(time).into());
            }
        }
        for (side, why) in Side::BOTH.iter().zip(flight.deaf()) {
            if let Some(why) = why {
                let name = format!("{}_qemu_events_not_heard", side.name());
                settled.details.insert(name, why.into());
            }
        }
        settled.on_target = flight.runs_at_target();
        if settled.ending != Ending::Completed {
            self.put_back();
        }
        Ok(settled)
    }
}

impl Drop for LibvirtTrigger {
    fn drop(&mut self) {
        if let Some(flight) = &mut self.flight
            && flight.let_go()
        {
            return;
        }
        if let Some(flight) = &mut self.flight
            && !flight.is_over()
            && flight.cancel().is_ok()
        {
            let deadline = Instant::now() + ABANDON_LIMIT;
            while !flight.is_over() && Instant::now() < deadline {
                if flight.next_event(Duration::from_millis(100)).is_err() {
                    break;
                }
            }
        }
        if self.flight.as_ref().is_none_or(|flight| !flight.is_over()) {
            self.put_back();
        }
    }
}

fn as_json(millis: u128) -> Value {
    u64::try_from(millis).map_or(Value::Null, Value::from)
}

/// The UUID of the host, of its capabilities.
fn host_uuid(capabilities: &str) -> Option<&str> {
    let (_, host) = capabilities.split_once("<host>")?;
    let (_, uuid) = host.split_once("<uuid>")?;
    uuid.split_once("</uuid>").map(|(uuid, _)| uuid.trim())
}

/// The memory of a domain, of `dominfo`: `Used memory:  262144 KiB`.
/// Memory of a domain, by `virsh dominfo`.
pub(in crate::migration) fn memory_bytes(dominfo: &str) -> Option<u64> {
    let line = dominfo.lines().find_map(|line| line.strip_prefix("Used memory:"))?;
    line.trim().strip_suffix(" KiB")?.parse::<u64>().ok()?.checked_mul(1024)
}
