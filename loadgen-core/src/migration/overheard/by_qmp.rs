//! Listens to QEMU's own sockets of both sides. That of the target may appear during the migration,
//! and an old QEMU may end there before: it is looked for, on a thread of its own, until it is there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::heard::{Listener, Mapped};
use super::options::HypervisorEvents;
use crate::clock::{Clock, Nanos, monotonic_ns};
use crate::event::Event;
use crate::migration::foreign_clock::{HypervisorClock, Mapping, Stamp};
use crate::migration::patience::{Patience, Turn};
use crate::migration::qmp::{Client, QmpAddress, Received, What};
use crate::migration::side::Side;
use crate::migration::trigger::TriggerError;

/// How long QEMU may need to greet, and to answer.
const REPLY_LIMIT: Duration = Duration::from_secs(10);
/// How often the target's socket is looked for, and how long a look may take.
const LOOK_EVERY: Duration = Duration::from_millis(50);
const LOOK_LIMIT: Duration = Duration::from_secs(1);
/// Questions that are answered by what QEMU knows of itself: a round trip each.
const ROUND_TRIPS: usize = 5;
/// Events that may wait, and how many are taken at once.
const UNDER_WAY: usize = 1024;

/// See the module.
#[derive(Debug)]
pub(super) struct ByQmp {
    addresses: [QmpAddress; 2],
    clients: [Option<Client>; 2],
    sink: SyncSender<Received>,
    inbox: Receiver<Received>,
    mapped: Mapped,
    whose: HypervisorClock,
    /// When a question was asked that a round trip is measured by.
    asked_ns: [Option<u64>; 2],
    trips: [Vec<Nanos>; 2],
    begun: bool,
    /// Who looks for the target's socket.
    looking: Option<Receiver<Client>>,
    /// Greetings that are to be answered.
    to_greet: [bool; 2],
    is_over: Arc<AtomicBool>,
    closed: [Option<String>; 2],
    /// Whether it told of a stop, and of a resume.
    told: [bool; 2],
}

impl ByQmp {
    /// Connects to the source, and looks for the target.
    pub(super) fn open(events: &HypervisorEvents, clock: Clock) -> Result<Self, TriggerError> {
        let [source, target] = events.qmp.as_slice() else {
            return Err(TriggerError::Unsupported("both sockets are needed to listen to them"));
        };
        let (sink, inbox) = sync_channel(UNDER_WAY);
        let client = Client::connect(Side::Source, source, REPLY_LIMIT, sink.clone())?;
        let (addresses, whose) =
            ([source.clone(), target.clone()], events.clock.unwrap_or_default());
        let mappings = addresses.each_ref().map(|address| mapping(whose, address, &[]));
        let mut listener = Self {
            addresses,
            clients: [Some(client), None],
            sink,
            inbox,
            mapped: Mapped { clock, mappings, names: ["qmp:source", "qmp:target"] },
            whose,
            asked_ns: [None; 2],
            trips: [Vec::new(), Vec::new()],
            begun: false,
            looking: None,
            to_greet: [false; 2],
            is_over: Arc::default(),
            closed: [None, None],
            told: [false; 2],
        };
        let mut patience = Patience::new(REPLY_LIMIT);
        while listener.trips[Side::Source as usize].len() < ROUND_TRIPS {
            let inbox = &listener.inbox;
            match patience.wait(|turn| inbox.recv_timeout(turn).ok()) {
                Turn::Brought(received) => drop(listener.take(received)),
                Turn::Nothing => {}
                Turn::Over => {
                    return Err(TriggerError::Silent {
                        what: format!(
                            "the greeting of the QMP socket {source} (another QMP client may hold \
                             it: QEMU serves one at a time)"
                        ),
                        waited: REPLY_LIMIT,
                    });
                }
            }
            if let Some(why) = &listener.closed[Side::Source as usize] {
                return Err(TriggerError::protocol(
                    format!("the QMP socket {source}"),
                    why.clone(),
                ));
            }
        }
        listener.look_for_target();
        Ok(listener)
    }

    /// Looks for the target's socket, unless that is done.
    fn look_for_target(&mut self) {
        let at = Side::Target as usize;
        if self.clients[at].is_some() {
            return;
        }
        if let Some(looking) = &self.looking {
            let found = looking.try_recv();
            match found {
                // It was closed before it was here.
                Ok(_) if self.closed[at].is_some() => self.looking = None,
                Ok(client) => {
                    self.clients[at] = Some(client);
                    self.looking = None;
                    self.greet(Side::Target);
                    return;
                }
                Err(_) => return,
            }
        }
        self.closed[at] = None;
        let (found, looking) = sync_channel(1);
        let (address, sink) = (self.addresses[at].clone(), self.sink.clone());
        let is_over = Arc::clone(&self.is_over);
        let look = move || {
            while !is_over.load(Relaxed) {
                match Client::connect(Side::Target, &address, LOOK_LIMIT, sink.clone()) {
                    // Nobody may wait for it any more.
                    Ok(client) => return drop(found.send(client)),
                    Err(_) => thread::sleep(LOOK_EVERY),
                }
            }
        };
        let looks = thread::Builder::new().name("qmp-look".to_owned()).spawn(look);
        // Without a thread it is tried again.
        self.looking = looks.is_ok().then_some(looking);
    }

    /// Answers a greeting, if there is one.
    fn greet(&mut self, side: Side) {
        if self.clients[side as usize].is_some()
            && std::mem::take(&mut self.to_greet[side as usize])
        {
            self.send(side, "qmp_capabilities");
        }
    }

    fn send(&mut self, side: Side, command: &str) {
        if let Some(client) = &mut self.clients[side as usize] {
            self.asked_ns[side as usize] = Some(monotonic_ns());
            // One that is closed says so itself.
            let _ = client.send(command, Value::Null);
        }
    }

    /// What arrived: an event, or a step of getting to know each other.
    fn take(&mut self, received: Received) -> Option<Event> {
        let (side, at) = (received.side, received.side as usize);
        match received.what {
            What::Greeting(_) => {
                (self.trips[at], self.closed[at]) = (Vec::new(), None);
                self.to_greet[at] = true;
                // It may be here before the client is.
                self.look_for_target();
                self.greet(side);
                None
            }
            What::Reply { .. } => {
                let asked_ns = self.asked_ns[at].take()?;
                self.trips[at].push(received.at_ns.saturating_sub(asked_ns));
                if self.trips[at].len() < ROUND_TRIPS {
                    self.send(side, "query-status");
                }
                self.mapped.mappings[at] =
                    mapping(self.whose, &self.addresses[at], &self.trips[at]);
                None
            }
            What::Event { name, data, timestamp } => {
                let stamp = Stamp { timestamp, ..Stamp::received(received.at_ns) };
                let told = self
                    .begun
                    .then(|| self.mapped.of_qemu(side, &name, &Value::Object(data), stamp))?;
                self.told[at] |=
                    matches!((side, name.as_str()), (Side::Source, "STOP") | (_, "RESUME"));
                told
            }
            What::Closed(why) => {
                self.closed[at] = Some(why);
                if side == Side::Target {
                    // An old QEMU may have ended there, and the new one is to come.
                    self.clients[at] = None;
                    self.look_for_target();
                }
                None
            }
        }
    }
}

/// How the times of a side are mapped, whose round trips are known or not.
fn mapping(whose: HypervisorClock, address: &QmpAddress, trips: &[Nanos]) -> Mapping {
    match (whose, address) {
        (HypervisorClock::Local, _) | (HypervisorClock::Auto, QmpAddress::Unix(_)) => {
            Mapping::Local
        }
        _ => Mapping::remote(trips),
    }
}

impl Listener for ByQmp {
    fn begin(&mut self) {
        self.hear();
        self.begun = true;
    }

    fn hear(&mut self) -> Vec<Event> {
        self.look_for_target();
        let mut events = Vec::new();
        for _ in 0..UNDER_WAY {
            let Ok(received) = self.inbox.try_recv() else { break };
            events.extend(self.take(received));
        }
        events
    }

    fn deaf(&self, side: Side) -> Option<String> {
        let at = side as usize;
        if self.told[at] {
            return None;
        }
        let place = &self.addresses[at];
        match (&self.closed[at], &self.clients[at]) {
            (Some(why), _) => Some(format!("the connection to {place} ended: {why}")),
            (None, None) => Some(format!("nobody listened at the socket {place}")),
            (None, Some(_)) if self.trips[at].is_empty() => {
                Some(format!("the socket {place} did not greet (another QMP client may hold it)"))
            }
            (None, Some(_)) => None,
        }
    }
}

impl Drop for ByQmp {
    fn drop(&mut self) {
        self.is_over.store(true, Relaxed);
    }
}
