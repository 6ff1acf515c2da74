//! Migrations under load: the plug-in that starts one ([`Trigger`]), three that
//! are built in, and what a migration did to the users.

mod trigger;

pub use trigger::{Context, Ending, Settled, Strategy, Trigger, TriggerError, Truth, VmFacts};
