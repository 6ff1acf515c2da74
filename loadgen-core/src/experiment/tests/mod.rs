//! Experiments whose trials are invented: no load, no clock, no machine.

mod analysis;
mod comparing;
mod going_on;
mod hooks;
mod invented;
mod plans;
mod written;
