//! The simulated migration: the [built-in server](crate::target_server) in a
//! process of its own, which behaves like a virtual machine that is migrated, and
//! reports the exact truth about it.
//!
//! It is for trying the tool without a hypervisor, and for checking what the tool
//! measures: the client's outage has to agree with [`Truth`](super::Truth). It is
//! no evidence about any hypervisor.
//!
//! # The model
//!
//! V memory in use, R bandwidth, D dirty rate, W working set (bytes, bytes/s), L
//! downtime limit, T_r time to resume.
//!
//! - **Dirtying**: `min(D·t, W)` bytes become dirty in t seconds.
//! - **pre-copy**, by QEMU's rule (`migration_iteration_run` in QEMU's
//!   migration/migration.c; the geometric series is that of Liu et al., HPDC
//!   2011): round 1 sends V; round i+1 sends what became dirty in round i. It goes
//!   on until what is left takes at most L to send at R. The machine then stops for
//!   `rest/R + T_r`. QEMU never gives up; here, after `max-rounds` rounds (30, as in
//!   Xen), the machine is stopped however long that takes, and the event `stop`
//!   has the attribute `forced`.
//! - **stop-and-copy**: stopped for `V/R + T_r`.
//! - **post-copy** (Hines & Gopalan, VEE 2009): pre-copy for `post-copy-after`, then
//!   stopped for `2 MiB/R + T_r` (the state of CPUs and devices), then running
//!   while the rest (unsent pages, and sent ones that became dirty) is pushed at R.
//! - **Brownout**: while pre-copy rounds run, every request takes `brownout` longer.
//!   While post-copy runs, every request takes longer by a random time for page
//!   faults, exponential with mean `faults · rest/V`, which falls as pages arrive.
//! - The seed draws D within ±20 % of `dirty`, T_r from 10 to 40 ms, and the
//!   times of page faults. Same seed, same migration.
//! - Set-up takes 50 ms before the first round, clean-up 10 ms after the end.
//!
//! The simulated hypervisor reports as its own downtime what the model had planned
//! for copying alone: without T_r, as QEMU does for pre-copy. (For stop-and-copy QEMU
//! reports even less: next to nothing.)
//!
//! # How it differs from a real machine
//!
//! - A stopped machine answers no SYN, so that newcomers retry after 1, 3, 7 s.
//!   Here only the process stops: the kernel completes handshakes (up to 4096) and
//!   keeps the requests, which are answered as soon as the process runs again.
//! - No bandwidth is used, no CPU is throttled, no address moves to another port
//!   of a switch.
//!
//! # The processes
//!
//! [`SimulatedTrigger::start`] runs a program whose `main` calls [`serve_child`]. They
//! talk in JSON lines over the child's standard input and output. The child
//! ends when its standard input ends, so none is left behind when the parent is
//! killed. Its times are readings of `CLOCK_MONOTONIC`, the parent's clock, so they
//! are mapped exactly.

mod child;
mod machine;
mod model;
mod options;
mod protocol;
mod script;
mod trigger;
mod vm;

pub use child::serve_child;
pub use trigger::SimulatedTrigger;
pub use vm::SimulatedVm;
