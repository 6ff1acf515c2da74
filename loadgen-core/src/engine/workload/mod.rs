//! What an arrival does: which requests it makes, and what comes after each.
//!
//! Nothing here knows of sockets. A worker tells what became of a call, and is told what
//! comes next; it calls, and is never called back.

mod made;
mod many;
mod prepared;
pub(super) mod requests;
pub(super) mod script;
mod slots;
