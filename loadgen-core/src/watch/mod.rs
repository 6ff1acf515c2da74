//! Watching a service over a long time, from where it runs.

pub(crate) mod notices;
