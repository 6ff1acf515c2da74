//! What an arrival does: which requests it makes, and what comes after each.

pub(crate) mod requests;
