//! A fake of OpenNebula's `oned`: its XML-RPC server, with machines that migrate.
//!
//! What it does in which version was read from OpenNebula, not from a client of ours. A test
//! has the course of a migration in its hands: no step depends on how fast the machine is,
//! unless the pace is [`Pace::Timed`].

#![allow(dead_code, reason = "each test uses another part of it")]

mod documents;
mod methods;
mod server;
pub(crate) mod vm;
pub(crate) mod xml_rpc;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

pub(crate) use server::{Call, Fault};
use server::{Shared, State};
pub(crate) use vm::{Machine, Step};

/// What a test waits for at most.
const DEADLINE: Duration = Duration::from_secs(60);

/// `STATE` of a host.
pub(crate) const MONITORED: i32 = 2;
pub(crate) const OFFLINE: i32 = 8;

/// What an `oned` whose cluster elects says of calls: [`Fault::Election`].
pub(crate) const NO_LEADER: &str = "Cannot process request, no leader found";
pub(crate) const ELECTING: &str = "Cannot process request, oned cluster in election mode";

/// The releases that are faked, one of each kind that a client may meet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Version {
    V3_4,
    V3_8,
    V4_12,
    V5_0,
    V5_6,
    V6_6,
    #[default]
    V7_4,
}

impl Version {
    pub(crate) const ALL: [Self; 7] =
        [Self::V3_4, Self::V3_8, Self::V4_12, Self::V5_0, Self::V5_6, Self::V6_6, Self::V7_4];

    /// What `one.system.version` says.
    pub(crate) fn release(self) -> &'static str {
        ["3.4.1", "3.8.5", "4.12.3", "5.0.2", "5.6.2", "6.6.0", "7.4.0"][self as usize]
    }
}

/// When the steps of a migration are taken, beside those that the test takes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Pace {
    /// Not by themselves.
    #[default]
    Manual,
    /// Each after so many answers to `one.vm.info` of that machine (at least one).
    AfterLooks(u32),
    /// `Started` after the first, and the end after the second. For use by hand.
    Timed(Duration, Duration),
}

impl Pace {
    fn first_due(self) -> Option<Instant> {
        let Self::Timed(start, _) = self else { return None };
        Some(Instant::now() + start)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Host {
    pub(crate) id: i32,
    pub(crate) name: String,
    pub(crate) state: i32,
    /// Refuses machines, where it is asked whether they fit (`enforce`).
    pub(crate) full: bool,
}

impl Host {
    pub(crate) fn new(id: i32, name: &str) -> Self {
        Self { id, name: name.to_owned(), state: MONITORED, full: false }
    }
}

/// What there is. A test may change all of it at any time, see [`Oned::edit`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Cloud {
    pub(crate) version: Version,
    pub(crate) hosts: Vec<Host>,
    pub(crate) vms: Vec<Machine>,
    /// Their numbers and sessions. 0 may do everything, others look at what they own.
    pub(crate) users: Vec<(i32, String)>,
    pub(crate) pace: Pace,
    /// The server is killed once this step is taken; the reply to the call that led to it,
    /// if any, is lost.
    pub(crate) kill_at: Option<Step>,
    doomed: bool,
}

impl Cloud {
    /// Hosts 1 `node1` and 2 `node2`; machines 7 `web1` and 8 `web2`, which run on `node1`;
    /// `oneadmin:secret` and, numbered 3, `user:secret`.
    pub(crate) fn new(version: Version) -> Self {
        let machine = |id, name| Machine::running(id, name, 1, "node1");
        Self {
            version,
            hosts: vec![Host::new(1, "node1"), Host::new(2, "node2")],
            vms: vec![machine(7, "web1"), machine(8, "web2")],
            users: vec![(0, "oneadmin:secret".to_owned()), (3, "user:secret".to_owned())],
            ..Self::default()
        }
    }

    /// # Panics
    /// If there is no such machine.
    pub(crate) fn vm(&mut self, id: i32) -> &mut Machine {
        let machine = self.vms.iter_mut().find(|machine| machine.id == id);
        machine.unwrap_or_else(|| panic!("the fake oned has no VM {id}"))
    }

    fn take(&mut self, index: usize, now: u64) -> Option<Step> {
        let step = self.vms[index].take(self.version, now);
        self.doomed |= step.is_some() && step == self.kill_at;
        step
    }

    /// Takes what is due by time.
    fn catch_up(&mut self) {
        let Pace::Timed(_, window) = self.pace else { return };
        for index in 0..self.vms.len() {
            while let Some(due) = self.vms[index].due.filter(|due| *due <= Instant::now()) {
                let live = self.vms[index].course.is_some_and(|course| course.live);
                self.take(index, vm::now() - due.elapsed().as_secs());
                let next = due + if live { window } else { window / 3 };
                self.vms[index].due = self.vms[index].course.map(|_| next);
            }
        }
    }

    /// A look at this machine was answered.
    fn looked(&mut self, id: i32) {
        let Pace::AfterLooks(wanted) = self.pace else { return };
        let Some(index) = self.vms.iter().position(|machine| machine.id == id) else { return };
        self.vms[index].looks += 1;
        if self.vms[index].course.is_some() && self.vms[index].looks >= wanted {
            self.vms[index].looks = 0;
            self.take(index, vm::now());
        }
    }
}

/// A server that runs until it is dropped or killed.
pub(crate) struct Oned(Arc<Shared>);

impl Oned {
    /// On a port of its own.
    ///
    /// # Panics
    /// If it cannot listen.
    pub(crate) fn start(cloud: Cloud) -> Self {
        Self::listen(cloud, 0).unwrap_or_else(|error| panic!("the fake oned: {error}"))
    }

    pub(crate) fn listen(cloud: Cloud, port: u16) -> io::Result<Self> {
        Shared::listen(cloud, SocketAddr::from((Ipv4Addr::LOCALHOST, port))).map(Self)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.0.address
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/RPC2", self.0.address)
    }

    /// Looks at what there is, or changes it.
    pub(crate) fn edit<T>(&self, change: impl FnOnce(&mut Cloud) -> T) -> T {
        let mut state = self.0.lock();
        state.cloud.catch_up();
        let result = change(&mut state.cloud);
        self.0.changed.notify_all();
        result
    }

    /// The machine as it is now.
    pub(crate) fn vm(&self, id: i32) -> Machine {
        self.edit(|cloud| cloud.vm(id).clone())
    }

    /// Takes the next step of a migration, and says which it was.
    ///
    /// # Panics
    /// If this machine is not being migrated.
    pub(crate) fn step(&self, vm: i32) -> Step {
        let (step, doomed) = self.edit(|cloud| {
            let index = cloud.vms.iter().position(|machine| machine.id == vm);
            (index.and_then(|index| cloud.take(index, vm::now())), cloud.doomed)
        });
        if doomed {
            self.kill();
        }
        step.unwrap_or_else(|| panic!("the fake oned is not migrating VM {vm}"))
    }

    /// Takes the steps up to this one.
    pub(crate) fn advance(&self, vm: i32, to: Step) {
        while self.step(vm) != to {}
    }

    /// The next `count` calls meet with this; those of one method only, if it is named.
    /// A fault that was set earlier goes first.
    pub(crate) fn fail_next(&self, count: usize, method: Option<&'static str>, fault: Fault) {
        self.0.lock().faults.extend(vec![(method, fault); count]);
    }

    pub(crate) fn clear_faults(&self) {
        self.0.lock().faults.clear();
    }

    /// Lets the calls go on that hang ([`Fault::Hang`]).
    pub(crate) fn release(&self) {
        self.0.lock().released += 1;
        self.0.changed.notify_all();
    }

    /// Closes all connections and the listener. When this is back, connects are refused.
    pub(crate) fn kill(&self) {
        self.0.kill();
    }

    /// Listens again where it did before, and knows what it knew: a service started anew.
    pub(crate) fn revive(&self) -> io::Result<()> {
        self.0.lock().cloud.doomed = false;
        self.0.serve()
    }

    /// The calls so far, in order, whatever became of them.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.0.lock().calls.clone()
    }

    /// Until this method was called `count` times in all. By then those calls were executed.
    pub(crate) fn wait_for_call(&self, method: &str, count: usize) {
        self.wait(&format!("{count} calls of {method}"), |state| {
            state.calls.iter().filter(|call| call.method == method).count() >= count
        });
    }

    /// Until `count` more calls of `one.vm.info` were answered without a fault. The client
    /// may still be reading the last answer.
    pub(crate) fn wait_for_looks(&self, count: u64) {
        let wanted = self.0.lock().looks + count;
        self.wait(&format!("{count} more looks"), |state| state.looks >= wanted);
    }

    /// Until it is so.
    pub(crate) fn wait_until(&self, what: &str, is_so: impl Fn(&Cloud) -> bool) {
        self.wait(what, |state| is_so(&state.cloud));
    }

    /// Until it was killed by [`Cloud::kill_at`].
    pub(crate) fn wait_for_end(&self) {
        self.wait("the end of the server", |state| !state.listening);
    }

    fn wait(&self, what: &str, is_so: impl Fn(&State) -> bool) {
        let until = Instant::now() + DEADLINE;
        let mut state = self.0.lock();
        while !is_so(&state) {
            let left = until.saturating_duration_since(Instant::now());
            let last: Vec<_> = state.calls.iter().rev().take(5).collect();
            assert!(!left.is_zero(), "the fake oned waited for {what}; the last calls: {last:?}");
            let woken = self.0.changed.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Drop for Oned {
    fn drop(&mut self) {
        self.0.kill();
    }
}
