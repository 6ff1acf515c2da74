//! Triggers that ask the managers of clouds, against fakes of these that were written from what the
//! managers do, not from what the triggers expect.

#![cfg(feature = "clouds")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod commands;
mod oned;
mod opennebula;
mod recipes;
mod require;
mod with_pyone;
