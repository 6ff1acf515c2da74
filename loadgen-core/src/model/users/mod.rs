//! What users feel of a time in which a machine does not answer.
//!
//! **It is** a view from the clients: packets that are lost are sent again at fixed steps, so that
//! a call comes through some time after the machine does, or not before its timeout. **It is not**
//! the hypervisor's downtime, which is only where it begins.

mod lost_packets;
mod view;
mod world;

pub use lost_packets::{CallsInOutage, DATA_STEPS_S, OutageOfCalls, SYN_STEPS_S, SYN_STEPS_S_OLD};
pub use view::{Connections, Felt, Users};
